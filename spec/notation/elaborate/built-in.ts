/** The built-in functions: `sext`, `zext`, `bits`, `bool`, `accessible`, and those of decoded operands. */
import * as build from "../../../refinement/terms/build.js";
import type { Access, Term } from "../../../refinement/terms/term.js";
import { unreachable } from "../../../refinement/errors.js";
import type { CallNode, Expression } from "../syntax/ast.js";
import { coerce } from "./coerce.js";
import type { Context } from "./context.js";
import { evaluateConstant } from "./constants.js";
import { isSegmented, linearAddress, memoryOperand, offsetOf } from "./operand.js";
import { placeOf, readPlace } from "./places.js";
import { BOOL_TYPE, MAX_WIDTH, type NType, bitsType, scalarWidth, typeToString } from "./types.js";
import { type Val, WRONG, describe, integer, single, typed } from "./value.js";

export const BUILT_IN = ["sext", "zext", "bits", "bool", "accessible"] as const;

/** Those that a function of the machine may replace. */
export const OPERAND_FUNCTIONS = ["width", "offset", "linear", "on_stack", "segmented"] as const;

export function arity(cx: Context, node: CallNode, wanted: number | readonly [number, number], usage: string): boolean {
  const [least, most] = typeof wanted === "number" ? [wanted, wanted] : wanted;
  const given = node.arguments.length;
  if (given >= least && given <= most) return true;
  const count = least === most ? `${least}` : `${least} or ${most}`;
  cx.report(
    "E_ARGUMENTS",
    node.span,
    `\`${node.callee.name}\` takes ${count} argument${count === "1" ? "" : "s"}, not ${given}: ${usage}`,
  );
  return false;
}

/** `sext(e)`, `sext(e, width)`, and the same of `zext`. A bool is taken as one bit. */
export function extend(cx: Context, node: CallNode, name: "sext" | "zext", hint: NType | undefined): Val {
  if (!arity(cx, node, [1, 2], `${name}(e) or ${name}(e, width)`)) return WRONG;
  const [operand, given] = node.arguments;
  if (operand === undefined) return WRONG;
  const value = cx.evaluate(operand, undefined);
  const width = given === undefined ? undefined : evaluateConstant(cx, given, "a width");
  if (value.kind === "wrong" || (given !== undefined && width === undefined)) return WRONG;
  const text = cx.text(operand.span);
  const term = extensible(value);
  if (term === undefined) {
    if (value.kind === "int")
      return cx.wrong(
        "E_CONTEXT",
        operand.span,
        `\`${text}\` has no width to widen from; write the number alone, or with its width as in 4'd1`,
      );
    return cx.wrong(
      "E_TYPE",
      operand.span,
      `\`${name}\` widens bits; \`${text}\` is ${value.kind === "typed" ? typeToString(value.type) : "no value"}`,
    );
  }
  const from = term.sort.kind === "bits" ? term.sort.width : 1;
  if (given === undefined && hint === undefined)
    return cx.wrong(
      "E_CONTEXT",
      node.span,
      `nothing around \`${cx.text(node.span)}\` says its width; write ${name}(${text}, width)`,
    );
  if (given === undefined && hint?.kind !== "bits")
    return cx.wrong(
      "E_TYPE",
      node.span,
      `\`${cx.text(node.span)}\` is bits, and ${hint === undefined ? "" : typeToString(hint)} is wanted here`,
    );
  const to = width ?? BigInt(hint?.kind === "bits" ? hint.width : from);
  if (to < 1n || to > BigInt(MAX_WIDTH))
    return cx.wrong("E_RANGE", (given ?? node).span, `a width is 1 to ${MAX_WIDTH}, not ${to}`);
  if (to < BigInt(from))
    return cx.wrong(
      "E_WIDTH",
      node.span,
      `\`${text}\` is bits(${from}) and cannot be widened to ${to} bits; take a slice, as in (${text})[${to - 1n}:0]`,
    );
  const result = name === "sext" ? build.sext(term, Number(to)) : build.zext(term, Number(to));
  return typed(bitsType(Number(to)), result);
}

function extensible(value: Val): Term | undefined {
  if (value.kind === "truth") return build.boolToBits(build.bool(value.value));
  if (value.kind !== "typed") return undefined;
  if (value.type.kind === "bool") return build.boolToBits(single(value));
  return value.type.kind === "bits" ? single(value) : undefined;
}

/** `bits(b)` of a bool or an enum. */
export function toBits(cx: Context, node: CallNode): Val {
  if (!arity(cx, node, 1, "bits(e)")) return WRONG;
  const [operand] = node.arguments;
  if (operand === undefined) return WRONG;
  const value = cx.evaluate(operand, undefined);
  if (value.kind === "wrong") return WRONG;
  if (value.kind === "truth") return typed(bitsType(1), build.constant(1, value.value ? 1n : 0n));
  if (value.kind === "typed" && value.type.kind === "bool") return typed(bitsType(1), build.boolToBits(single(value)));
  if (value.kind === "typed" && value.type.kind === "enum")
    return typed(bitsType(scalarWidth(value.type)), single(value));
  return cx.wrong(
    "E_TYPE",
    operand.span,
    `\`bits\` converts a bool or an enum; \`${cx.text(operand.span)}\` is ${value.kind === "typed" ? typeToString(value.type) : "a number"}`,
  );
}

/** `bool(e)` of one bit. */
export function toBool(cx: Context, node: CallNode): Val {
  if (!arity(cx, node, 1, "bool(e)")) return WRONG;
  const [operand] = node.arguments;
  if (operand === undefined) return WRONG;
  const value = cx.evaluate(operand, bitsType(1));
  const bit = coerce(cx, value, bitsType(1), operand.span, "`bool`");
  return bit === undefined ? WRONG : typed(BOOL_TYPE, build.bitsToBool(single(bit)));
}

/** `width(e)` of bits or of an operand, which is not accessed; the others of one in memory. */
export function ofOperand(cx: Context, node: CallNode): Val {
  const [operand, by] = node.arguments;
  const name = OPERAND_FUNCTIONS.find((f) => f === node.callee.name);
  if (
    name === undefined ||
    !arity(cx, node, name === "linear" || name === "offset" ? [1, 2] : 1, `${node.callee.name}(operand)`)
  )
    return WRONG;
  if (operand === undefined) return WRONG;
  if (name === "width") return widthOf(cx, operand);
  if (operand.kind !== "name") return cx.wrong("E_TYPE", operand.span, `\`${name}\` is of an operand, named alone`);
  const place = memoryOperand(cx, operand.name, operand.span);
  if (place === undefined) return WRONG;
  switch (name) {
    case "on_stack":
      return { kind: "truth", value: place.stack };
    case "segmented":
      return { kind: "truth", value: isSegmented(place) };
    case "offset":
    case "linear": {
      const type = bitsType(64);
      const moved =
        by === undefined ? undefined : coerce(cx, cx.evaluate(by, type), type, by.span, `the distance of \`${name}\``);
      if (by !== undefined && moved === undefined) return WRONG;
      const distance = moved === undefined ? undefined : single(moved);
      return typed(type, name === "offset" ? offsetOf(cx, place, distance) : linearAddress(cx, place, distance));
    }
    default:
      return unreachable(name);
  }
}

function widthOf(cx: Context, operand: Expression): Val {
  const binding = operand.kind === "name" ? cx.scope.get(operand.name) : undefined;
  if (binding?.kind === "operand") return integer(BigInt(binding.operand.width));
  const value = cx.probe(() => cx.evaluate(operand, undefined));
  if (value.kind === "typed" && value.type.kind === "bits") return integer(BigInt(value.type.width));
  return value.kind === "wrong"
    ? WRONG
    : cx.wrong("E_TYPE", operand.span, `\`width\` is of bits; \`${cx.text(operand.span)}\` is ${describe(value)}`);
}

/** `accessible(mem, load, address, bytes)`; `bytes` may depend on the state where it chooses among constants. */
export function accessible(cx: Context, node: CallNode): Val {
  if (!arity(cx, node, 4, "accessible(memory, fetch | load | store, address, bytes)")) return WRONG;
  const [memory, kind, address, bytes] = node.arguments;
  if (memory === undefined || kind === undefined || address === undefined || bytes === undefined) return WRONG;
  const place = placeOf(cx, memory);
  const base = place.kind === "place" ? readPlace(cx, place.place) : cx.evaluate(memory, undefined);
  const how: Access | undefined = (["fetch", "load", "store"] as const).find(
    (a) => kind.kind === "name" && kind.name === a,
  );
  if (how === undefined)
    cx.report("E_ARGUMENTS", kind.span, `an access is fetch, load or store, not \`${cx.text(kind.span)}\``);
  if (base.kind === "typed" && base.type.kind !== "memory")
    return cx.wrong("E_TYPE", memory.span, `\`${cx.text(memory.span)}\` is ${typeToString(base.type)}, no memory`);
  if (base.kind !== "typed" || base.type.kind !== "memory") return WRONG;
  const addressType = bitsType(base.type.address);
  const at = coerce(cx, cx.evaluate(address, addressType), addressType, address.span, "an address");
  const size = cx.evaluate(bytes, undefined);
  if (at === undefined || how === undefined || size.kind === "wrong") return WRONG;
  const sizes =
    size.kind === "int"
      ? build.constant(64, size.value)
      : size.kind === "typed" && size.type.kind === "bits"
        ? single(size)
        : undefined;
  const term =
    sizes === undefined ? undefined : bySize(sizes, (n) => build.accessible(single(base), how, single(at), n), 0);
  if (term === undefined)
    return cx.wrong(
      "E_CONSTANT",
      bytes.span,
      `the number of bytes must be a constant from 1 to ${MAX_WIDTH / 8}, or a choice among such constants`,
    );
  return typed(BOOL_TYPE, term);
}

/** `make(n)` for the size that a term of if-then-else over constants chooses. */
function bySize(size: Term, make: (bytes: number) => Term, depth: number): Term | undefined {
  if (size.op === "const")
    return size.value >= 1n && size.value <= BigInt(MAX_WIDTH / 8) ? make(Number(size.value)) : undefined;
  const [condition, a, b] = size.args;
  if (size.op === "ite" && condition !== undefined && a !== undefined && b !== undefined && depth < 16) {
    const then = bySize(a, make, depth + 1);
    const otherwise = bySize(b, make, depth + 1);
    return then === undefined || otherwise === undefined ? undefined : build.ite(condition, then, otherwise);
  }
  return sizeByCases(size, make);
}

/** Where rewriting has hidden the choice: the powers of two that the term can be told to equal, if one bit of it is always set. */
function sizeByCases(size: Term, make: (bytes: number) => Term): Term | undefined {
  const { sort } = size;
  if (sort.kind !== "bits") return undefined;
  const candidates: { is: Term; bytes: number }[] = [];
  for (let n = 1; n <= 16 && BigInt(n) < 1n << BigInt(sort.width); n++) {
    const is = build.eq(size, build.constant(sort.width, BigInt(n)));
    if (is === build.TRUE) return make(n);
    if (is !== build.FALSE) candidates.push({ is, bytes: n });
  }
  const last = candidates.pop();
  if (last === undefined || candidates.length > 4) return undefined;
  return candidates.reduceRight((rest, c) => build.ite(c.is, make(c.bytes), rest), make(last.bytes));
}
