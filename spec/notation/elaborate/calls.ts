/** Calls: the built-in functions, functions of the machine (inlined), uninterpreted ones, traps as values. */
import * as build from "../../../refinement/terms/build.js";
import type { Access, Term } from "../../../refinement/terms/term.js";
import { didYouMean } from "../diagnostics.js";
import type { CallNode, Expression, TypeNode } from "../syntax/ast.js";
import { coerce } from "./coerce.js";
import { type Context, MAX_CALLS, TooLarge } from "./context.js";
import { typeOf } from "./declarations.js";
import { evaluateConstant } from "./constants.js";
import { trapByName, trapValue } from "./names.js";
import { flexible } from "./operands.js";
import { placeOf, readPlace } from "./places.js";
import { Scope, type ValueBinding } from "./scope.js";
import { BOOL_TYPE, MAX_WIDTH, type NType, bitsType, scalarSort, scalarWidth, typeToString } from "./types.js";
import { describe, NONE, type TypedValue, type Val, WRONG, integer, single, typed } from "./value.js";
import type { FunctionDeclaration, UninterpretedDeclaration } from "./world.js";

export const BUILT_IN = ["sext", "zext", "bits", "bool", "accessible"] as const;

export function evaluateCall(cx: Context, node: CallNode, hint: NType | undefined): Val {
  const { name } = node.callee;
  switch (name) {
    case "sext":
    case "zext":
      return extend(cx, node, name, hint);
    case "bits":
      return toBits(cx, node);
    case "bool":
      return toBool(cx, node);
    case "accessible":
      return accessible(cx, node);
    default:
  }
  if (hint?.kind === "trap") {
    const trap = trapByName(hint, name);
    if (trap !== undefined && trap !== "none") {
      const args = typedArguments(cx, node, trap.parameters);
      return args === undefined ? WRONG : trapValue(cx, hint, name, args, node.span);
    }
  }
  const declared = cx.world.functions.get(name);
  if (declared !== undefined) return inline(cx, node, declared);
  const uninterpreted = cx.world.uninterpreted.get(name);
  if (uninterpreted !== undefined) return apply(cx, node, uninterpreted);
  if (trapByName(cx.world.trap ?? NO_TRAPS, name) !== undefined)
    return cx.wrong("E_TYPE", node.span, `\`${name}\` is a trap: \`raise ${cx.text(node.span)}\` raises it`);
  for (const a of node.arguments) cx.evaluate(a, undefined);
  if (cx.world.broken.has(name) || cx.world.incomplete) return WRONG;
  const known = [...cx.world.functions.keys(), ...cx.world.uninterpreted.keys(), ...BUILT_IN];
  return cx.wrong("E_UNKNOWN", node.callee.span, `unknown function \`${name}\`${didYouMean(name, known)}`);
}

const NO_TRAPS = {
  kind: "trap",
  table: { traps: [], code: { kind: "enum", name: "trap", members: [] }, width: 1 },
} as const;

function arity(cx: Context, node: CallNode, wanted: number | readonly [number, number], usage: string): boolean {
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
function extend(cx: Context, node: CallNode, name: "sext" | "zext", hint: NType | undefined): Val {
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
function toBits(cx: Context, node: CallNode): Val {
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
function toBool(cx: Context, node: CallNode): Val {
  if (!arity(cx, node, 1, "bool(e)")) return WRONG;
  const [operand] = node.arguments;
  if (operand === undefined) return WRONG;
  const value = cx.evaluate(operand, bitsType(1));
  const bit = coerce(cx, value, bitsType(1), operand.span, "`bool`");
  return bit === undefined ? WRONG : typed(BOOL_TYPE, build.bitsToBool(single(bit)));
}

/** `accessible(mem, load, address, bytes)`; `bytes` may depend on the state where it chooses among constants. */
function accessible(cx: Context, node: CallNode): Val {
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

function typedArguments(
  cx: Context,
  node: CallNode,
  parameters: readonly { readonly name: string; readonly type: NType }[],
): readonly TypedValue[] | undefined {
  const names = parameters.map((p) => p.name).join(", ");
  if (!arity(cx, node, parameters.length, `${node.callee.name}(${names})`)) return undefined;
  const values: TypedValue[] = [];
  node.arguments.forEach((argument, i) => {
    const parameter = parameters[i];
    if (parameter === undefined) return;
    const value = coerce(
      cx,
      cx.evaluate(argument, parameter.type),
      parameter.type,
      argument.span,
      `\`${parameter.name}\` of \`${node.callee.name}\``,
    );
    if (value !== undefined) values.push(value);
  });
  return values.length === parameters.length ? values : undefined;
}

function apply(cx: Context, node: CallNode, declaration: UninterpretedDeclaration): Val {
  const args = typedArguments(
    cx,
    node,
    declaration.parameters.map((type, i) => ({ name: `argument ${i + 1}`, type })),
  );
  if (args === undefined) return WRONG;
  return typed(declaration.result, build.apply(declaration.name, scalarSort(declaration.result), args.map(single)));
}

/** Names in a signature's widths that no parameter or constant of the machine has: they take the arguments' widths. */
function genericNames(cx: Context, f: FunctionDeclaration): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (type: TypeNode): void => {
    if (type.kind === "bits" && type.width.kind === "name") {
      const { name } = type.width;
      if (!f.unit.parameters.has(name) && !cx.world.constants.has(name)) names.add(name);
    } else if (type.kind === "file") {
      visit(type.element);
    }
  };
  for (const p of f.signature.parameters) visit(p.type);
  return names;
}

export function isGeneric(cx: Context, f: FunctionDeclaration): boolean {
  return genericNames(cx, f).size > 0;
}

function bindGenerics(type: TypeNode, found: NType, open: ReadonlySet<string>, scope: Scope): void {
  if (type.kind === "bits" && type.width.kind === "name" && open.has(type.width.name) && found.kind === "bits") {
    scope.define(type.width.name, { kind: "value", value: integer(BigInt(found.width)), what: "a width" });
  } else if (type.kind === "file" && found.kind === "array") {
    bindGenerics(type.element, found.element, open, scope);
  }
}

function inline(cx: Context, node: CallNode, f: FunctionDeclaration): Val {
  const { parameters } = f.signature;
  if (!arity(cx, node, parameters.length, `${f.name}(${parameters.map((p) => p.name.name).join(", ")})`)) return WRONG;
  if (cx.world.recursive.has(f.name)) return WRONG;
  if (cx.depth > MAX_CALLS) throw new TooLarge();
  const widths = new Scope();
  const open = genericNames(cx, f);
  const values: (Val | undefined)[] = node.arguments.map(() => undefined);
  const uses: (ValueBinding["use"] | undefined)[] = node.arguments.map(() => undefined);
  // Arguments that have a width of their own say what the open widths are.
  if (open.size > 0) {
    node.arguments.forEach((argument, i) => {
      const parameter = parameters[i];
      if (parameter === undefined || !mentions(parameter.type, open) || flexible(cx, argument)) return;
      const probed = cx.probe(() => cx.evaluate(argument, undefined));
      if (probed.kind === "typed") bindGenerics(parameter.type, probed.type, open, widths);
    });
  }
  node.arguments.forEach((argument, i) => {
    const parameter = parameters[i];
    if (parameter === undefined) return;
    const isOpen = !bound(parameter.type, open, widths);
    const type = isOpen ? undefined : parameterType(cx, f, parameter.type, widths);
    const value = argumentValue(cx, argument, type, uses, i);
    const what = `\`${parameter.name.name}\` of \`${f.name}\``;
    if (type !== undefined) {
      values[i] = coerce(cx, value, type, argument.span, what) ?? WRONG;
    } else if (isOpen && value.kind === "int") {
      values[i] = openWidth(cx, argument);
    } else {
      if (isOpen && value.kind !== "wrong")
        cx.report("E_TYPE", argument.span, `${what} wants bits; \`${cx.text(argument.span)}\` is ${describe(value)}`);
      values[i] = WRONG;
    }
  });
  const scope = new Scope(widths);
  parameters.forEach((p, i) => {
    const use = uses[i];
    scope.define(p.name.name, {
      kind: "value",
      value: values[i] ?? WRONG,
      what: `a parameter of \`${f.name}\``,
      ...(use === undefined ? {} : { use }),
    });
  });
  return runBody(cx, f, scope, widths);
}

function openWidth(cx: Context, argument: Expression): Val {
  const text = cx.text(argument.span);
  return cx.wrong("E_CONTEXT", argument.span, `the width of \`${text}\` is open: write it with its width, as in 32'd1`);
}

/** The body of a function in a scope that holds its parameters. */
export function runBody(cx: Context, f: FunctionDeclaration, scope: Scope, widths: Scope): Val {
  const { result } = f.signature;
  const type = result === undefined ? undefined : cx.inUnit(f.unit, widths, () => typeOf(cx, result));
  return cx.inUnit(f.bodyUnit, new Scope(scope), () => {
    if (result === undefined) {
      cx.execute(f.body);
      return NONE;
    }
    const value = cx.evaluateBlock(f.body, type);
    if (type === undefined) return WRONG;
    if (value.kind === "none" && cx.dead) return WRONG;
    const last = f.body.statements.at(-1);
    return coerce(cx, value, type, last?.span ?? f.body.span, `the result of \`${f.name}\``) ?? WRONG;
  });
}

function argumentValue(
  cx: Context,
  argument: Expression,
  type: NType | undefined,
  uses: (ValueBinding["use"] | undefined)[],
  i: number,
): Val {
  const binding = argument.kind === "name" ? cx.scope.get(argument.name) : undefined;
  if (binding?.kind === "value" && binding.use !== undefined) {
    // An operand passed on: how the function uses it counts.
    uses[i] = binding.use;
    return binding.value;
  }
  return cx.evaluate(argument, type);
}

function parameterType(cx: Context, f: FunctionDeclaration, type: TypeNode, widths: Scope): NType | undefined {
  return cx.inUnit(f.unit, widths, () => typeOf(cx, type));
}

function mentions(type: TypeNode, names: ReadonlySet<string>): boolean {
  if (type.kind === "bits") return type.width.kind === "name" && names.has(type.width.name);
  return type.kind === "file" && mentions(type.element, names);
}

function bound(type: TypeNode, names: ReadonlySet<string>, widths: Scope): boolean {
  if (type.kind === "bits")
    return type.width.kind !== "name" || !names.has(type.width.name) || widths.get(type.width.name) !== undefined;
  return type.kind !== "file" || bound(type.element, names, widths);
}
