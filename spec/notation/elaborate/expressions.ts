/** Expressions: type-checked and made into terms in one go. */
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { unreachable } from "../../../refinement/errors.js";
import { nearest } from "../diagnostics.js";
import type {
  AccessNode,
  ConditionalNode,
  Expression,
  FieldNode,
  IndexNode,
  LiteralNode,
  RecordNode,
  SliceNode,
} from "../syntax/ast.js";
import { alternatives } from "./alternatives.js";
import { arithmetic, concat, shift, unary } from "./arithmetic.js";
import { comparison, logical } from "./logic.js";
import { evaluateCall } from "./calls.js";
import { coerce, condition } from "./coerce.js";
import type { Context } from "./context.js";
import { evaluateMatch } from "./match.js";
import { enumMember, evaluateName } from "./names.js";
import { firmHint, flexible } from "./operands.js";
import { faultUnless, memoryAccess, sliceBounds } from "./parts.js";
import { fileIndex, placeOf, readPlace, unknownField } from "./places.js";
import { BOOL_TYPE, MAX_WIDTH, type NType, bitsType, fieldLeaves, leaves, typeToString } from "./types.js";
import { enumType } from "./declarations.js";
import { type TypedValue, type Val, WRONG, describe, integer, single, typed } from "./value.js";

/** `hint` is the type that the place of the expression wants; only flexible expressions look at it. */
export function evaluateExpression(cx: Context, node: Expression, hint: NType | undefined): Val {
  cx.step();
  switch (node.kind) {
    case "literal":
      return literal(cx, node);
    case "boolean":
      return typed(BOOL_TYPE, build.bool(node.value));
    case "name":
      return evaluateName(cx, node.name, node.span, hint);
    case "call":
      return evaluateCall(cx, node, hint);
    case "field":
      return field(cx, node);
    case "index":
      return index(cx, node);
    case "slice":
      return slice(cx, node);
    case "access":
      return access(cx, node);
    case "unary":
      return unary(cx, node, hint);
    case "comparison":
      return comparison(cx, node);
    case "shift":
      return shift(cx, node, hint);
    case "arithmetic":
      return arithmetic(cx, node, hint);
    case "logical":
      return logical(cx, node);
    case "concat":
      return concat(cx, node);
    case "conditional":
      return conditional(cx, node, hint);
    case "record":
      return record(cx, node, hint);
    case "match":
      return evaluateMatch(cx, node, hint, true);
    case "then":
    case "with":
      return cx.wrong(
        "E_SYNTAX",
        node.span,
        `\`${node.kind}\` belongs to the steps of a refinement and means nothing here`,
      );
    default:
      return unreachable(node);
  }
}

function literal(cx: Context, node: LiteralNode): Val {
  if (node.width === undefined) return integer(node.value);
  if (node.width < 1 || node.width > MAX_WIDTH)
    return cx.wrong("E_RANGE", node.span, `a width is 1 to ${MAX_WIDTH} bits, not ${node.width}`);
  if (node.value >= 1n << BigInt(node.width))
    return cx.wrong("E_LITERAL", node.span, `\`${cx.text(node.span)}\` does not fit its own ${node.width} bits`);
  return typed(bitsType(node.width), build.constant(node.width, node.value));
}

function field(cx: Context, node: FieldNode): Val {
  if (node.base.kind === "name" && cx.scope.get(node.base.name) === undefined && !cx.world.state.has(node.base.name)) {
    const type = enumType(cx, node.base.name);
    if (type !== undefined) {
      if (type.members.includes(node.field.name)) return enumMember(type, node.field.name);
      const best = nearest(node.field.name, type.members);
      const remedy = best === undefined ? "" : `; did you mean \`${best}\`?`;
      return cx.wrong(
        "E_UNKNOWN",
        node.field.span,
        `${typeToString(type)} has no member \`${node.field.name}\`${remedy}`,
      );
    }
  }
  const place = placeOf(cx, node);
  if (place.kind === "wrong") return WRONG;
  if (place.kind === "place") return readPlace(cx, place.place);
  const base = cx.evaluate(node.base, undefined);
  if (base.kind === "wrong") return WRONG;
  if (base.kind === "typed" && base.type.kind === "trap" && node.field.name === "value") {
    const [, value] = base.terms;
    return value === undefined ? WRONG : typed(bitsType(base.type.table.width), value);
  }
  if (base.kind !== "typed" || base.type.kind !== "record")
    return cx.wrong(
      "E_TYPE",
      node.base.span,
      `\`${cx.text(node.base.span)}\` is no record and has no field \`${node.field.name}\``,
    );
  const found = fieldLeaves(base.type, node.field.name);
  if (found === undefined) return unknownField(cx, base.type, node.field.name, node.field.span);
  return { kind: "typed", type: found.type, terms: base.terms.slice(found.from, found.to) };
}

function index(cx: Context, node: IndexNode): Val {
  const place = placeOf(cx, node);
  if (place.kind === "wrong") return WRONG;
  if (place.kind === "place") return readPlace(cx, place.place);
  const base = cx.evaluate(node.base, undefined);
  if (base.kind === "wrong") return WRONG;
  if (base.kind === "typed" && base.type.kind === "array") {
    const at = fileIndex(cx, node.index, base.type.count, node.base, undefined);
    if (at === undefined) return WRONG;
    const types = leaves(base.type.element);
    const terms = base.terms.map((t, i) => {
      const element = build.select(t, at);
      return types[i]?.type.kind === "bool" ? build.bitsToBool(element) : element;
    });
    return { kind: "typed", type: base.type.element, terms };
  }
  if (base.kind === "typed" && base.type.kind === "bits") return bit(cx, node, single(base), base.type.width);
  if (base.kind === "typed" && base.type.kind === "memory")
    return cx.wrong(
      "E_TYPE",
      node.span,
      `say how many bytes of memory: ${cx.text(node.base.span)}[${cx.text(node.index.span)}, 1]`,
    );
  return cx.wrong(
    "E_TYPE",
    node.base.span,
    `\`${cx.text(node.base.span)}\` is ${describe(base)}: there is nothing to choose with [ ]`,
  );
}

/** One bit, by a constant or by a number that the machine computes; past the width it is 0. */
function bit(cx: Context, node: IndexNode, term: Term, width: number): Val {
  const at = cx.evaluate(node.index, undefined);
  if (at.kind === "wrong") return WRONG;
  if (at.kind === "int") {
    if (at.value < 0n || at.value >= BigInt(width))
      return cx.wrong(
        "E_RANGE",
        node.index.span,
        `\`${cx.text(node.base.span)}\` has bits 0 to ${width - 1}; there is no bit ${at.value}`,
      );
    return typed(bitsType(1), build.extract(term, Number(at.value), Number(at.value)));
  }
  if (at.kind !== "typed" || at.type.kind !== "bits")
    return cx.wrong("E_TYPE", node.index.span, `a bit is chosen by bits, not by ${describe(at)}`);
  const common = Math.max(width, at.type.width);
  const shifted = build.lshr(build.zext(term, common), build.zext(single(at), common));
  return typed(bitsType(1), build.extract(shifted, 0, 0));
}

function slice(cx: Context, node: SliceNode): Val {
  const base = cx.evaluate(node.base, undefined);
  const bounds = sliceBounds(cx, node, base);
  if (bounds === undefined || base.kind !== "typed") return WRONG;
  return typed(bitsType(bounds.hi - bounds.lo + 1), build.extract(single(base), bounds.hi, bounds.lo));
}

/** A load, or a fetch; it faults where the memory is a state variable with a trap for it and the body may raise. */
function access(cx: Context, node: AccessNode): Val {
  const place = placeOf(cx, node.base);
  const base = place.kind === "place" ? readPlace(cx, place.place) : cx.evaluate(node.base, undefined);
  const at = memoryAccess(cx, node, base);
  if (at === undefined) return WRONG;
  const state = place.kind === "place" ? place.place.state : undefined;
  const kind = cx.permissions.fetches === true ? "fetch" : "load";
  const fault = state?.faults[kind];
  if (fault !== undefined) faultUnless(cx, at, kind, fault);
  return typed(bitsType(at.bytes * 8), build.load(at.memory, at.address, at.bytes));
}

function conditional(cx: Context, node: ConditionalNode, hint: NType | undefined): Val {
  const test = cx.evaluate(node.condition, BOOL_TYPE);
  if (test.kind === "truth") return cx.evaluate(test.value ? node.then : node.else, hint);
  const term = condition(cx, test, node.condition.span, "the condition of `? :`") ?? build.TRUE;
  const value = alternatives(
    cx,
    [
      {
        condition: term,
        path: [term],
        span: node.then.span,
        flexible: flexible(cx, node.then),
        run: (type) => cx.evaluate(node.then, type),
      },
      {
        condition: build.TRUE,
        path: [build.not(term)],
        span: node.else.span,
        flexible: flexible(cx, node.else),
        run: (type) => cx.evaluate(node.else, type),
      },
    ],
    firmHint(cx, node, hint),
    true,
    "the other choice of `? :`",
  );
  return test.kind === "wrong" ? WRONG : value;
}

function record(cx: Context, node: RecordNode, hint: NType | undefined): Val {
  const names = new Set<string>();
  for (const { name } of node.fields) {
    if (names.has(name.name)) return cx.wrong("E_DUPLICATE", name.span, `the field \`${name.name}\` stands twice`);
    names.add(name.name);
  }
  const wanted = hint?.kind === "record" ? hint : undefined;
  const values = new Map<string, TypedValue>();
  let right = true;
  for (const { name, value } of node.fields) {
    const type = wanted?.fields.find((f) => f.name === name.name)?.type;
    if (wanted !== undefined && type === undefined) {
      unknownField(cx, wanted, name.name, name.span);
      right = false;
    }
    const found = cx.evaluate(value, type);
    const kept =
      type !== undefined
        ? coerce(cx, found, type, value.span, `the field \`${name.name}\``)
        : found.kind === "typed"
          ? found
          : openField(cx, found, value);
    if (kept === undefined) right = false;
    else values.set(name.name, kept);
  }
  if (wanted !== undefined) {
    const absent = wanted.fields.filter((f) => !names.has(f.name)).map((f) => f.name);
    if (absent.length > 0)
      return cx.wrong(
        "E_TYPE",
        node.span,
        `${typeToString(wanted)} has more fields: give a value to ${absent.join(", ")}`,
      );
  }
  if (!right) return WRONG;
  const fields = wanted?.fields ?? [...values].map(([name, value]) => ({ name, type: value.type }));
  if (fields.length === 0) return cx.wrong("E_CONTEXT", node.span, "a record without fields");
  const type = wanted ?? { kind: "record" as const, fields };
  return { kind: "typed", type, terms: fields.flatMap((f) => values.get(f.name)?.terms ?? []) };
}

function openField(cx: Context, found: Val, node: Expression): undefined {
  if (found.kind !== "wrong")
    cx.report(
      "E_CONTEXT",
      node.span,
      `the type of \`${cx.text(node.span)}\` is open here: write a number with its width, as in 32'd1`,
    );
  return undefined;
}
