/** Expressions: type-checked and made into terms in one go. */
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { unreachable } from "../../../refinement/errors.js";
import { nearest } from "../diagnostics.js";
import type {
  AccessNode,
  ArithmeticNode,
  ComparisonNode,
  ConcatNode,
  ConditionalNode,
  Expression,
  FieldNode,
  IndexNode,
  LiteralNode,
  LogicalNode,
  RecordNode,
  ShiftNode,
  SliceNode,
  Span,
  UnaryNode,
} from "../syntax/ast.js";
import { alternatives } from "./alternatives.js";
import { evaluateCall } from "./calls.js";
import { coerce, condition } from "./coerce.js";
import type { Context } from "./context.js";
import { calculate, compare } from "./integers.js";
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

/** A load; it faults where the memory is a state variable with a trap for loads and the body may raise. */
function access(cx: Context, node: AccessNode): Val {
  const place = placeOf(cx, node.base);
  const base = place.kind === "place" ? readPlace(cx, place.place) : cx.evaluate(node.base, undefined);
  const at = memoryAccess(cx, node, base);
  if (at === undefined) return WRONG;
  const state = place.kind === "place" ? place.place.state : undefined;
  if (state?.faults.load !== undefined) faultUnless(cx, at, "load", state.faults.load);
  return typed(bitsType(at.bytes * 8), build.load(at.memory, at.address, at.bytes));
}

function unary(cx: Context, node: UnaryNode, hint: NType | undefined): Val {
  if (node.operator === "!") {
    const value = cx.evaluate(node.operand, BOOL_TYPE);
    if (value.kind === "truth") return { kind: "truth", value: !value.value };
    if (value.kind === "typed" && value.type.kind === "bits")
      return cx.wrong(
        "E_TYPE",
        node.operand.span,
        `\`!\` is for bool and \`${cx.text(node.operand.span)}\` is ${typeToString(value.type)}; write ~ for bits, or compare with 0`,
      );
    const term = condition(cx, value, node.operand.span, "`!`");
    return term === undefined ? WRONG : typed(BOOL_TYPE, build.not(term));
  }
  const value = cx.evaluate(node.operand, hint);
  if (value.kind === "wrong") return WRONG;
  if (value.kind === "int") return integer(node.operator === "-" ? -value.value : ~value.value);
  if (value.kind !== "typed" || value.type.kind !== "bits") {
    const remedy = node.operator === "~" ? "; write ! for bool" : "";
    return cx.wrong(
      "E_TYPE",
      node.operand.span,
      `\`${node.operator}\` is for bits and \`${cx.text(node.operand.span)}\` is ${describe(value)}${remedy}`,
    );
  }
  const term = single(value);
  return typed(value.type, node.operator === "-" ? build.neg(term) : build.bvnot(term));
}

/** Two operands of one type; a flexible one takes the other's. They are evaluated in the order of the text. */
function operands(cx: Context, left: Expression, right: Expression, hint: NType | undefined): readonly [Val, Val] {
  if (flexible(cx, left) && !flexible(cx, right)) {
    const probed =
      left.kind === "literal" || left.kind === "name" ? undefined : cx.probe(() => cx.evaluate(right, hint));
    if (probed === undefined) {
      const r = cx.evaluate(right, hint);
      return [cx.evaluate(left, r.kind === "typed" ? r.type : hint), r];
    }
    const l = cx.evaluate(left, probed.kind === "typed" ? probed.type : hint);
    return [l, cx.evaluate(right, hint)];
  }
  const l = cx.evaluate(left, hint);
  const r = cx.evaluate(right, l.kind === "typed" ? l.type : hint);
  return [l, r];
}

/** Operand values as two terms of bits of one width. */
function sameWidth(
  cx: Context,
  node: { readonly left: Expression; readonly right: Expression; readonly span: Span; readonly operator: string },
  l: Val,
  r: Val,
  verb: string,
): readonly [Term, Term, number] | undefined {
  if (l.kind === "wrong" || r.kind === "wrong") return undefined;
  for (const [value, operand] of [[l, node.left] as const, [r, node.right] as const]) {
    if (value.kind === "int" || (value.kind === "typed" && value.type.kind === "bits")) continue;
    const logical: Readonly<Record<string, string>> = { "&": "&&", "|": "||", "^": "!=" };
    const instead = logical[node.operator];
    const isBool = value.kind === "truth" || (value.kind === "typed" && value.type.kind === "bool");
    const remedy =
      isBool && instead !== undefined ? `; on bool write ${instead}` : isBool ? "; write bits(…) or zext(…)" : "";
    cx.report(
      "E_TYPE",
      operand.span,
      `\`${node.operator}\` works on bits and \`${cx.text(operand.span)}\` is ${describe(value)}${remedy}`,
    );
    return undefined;
  }
  const type = l.kind === "typed" ? l.type : r.kind === "typed" ? r.type : undefined;
  if (type?.kind !== "bits") return undefined;
  if (
    l.kind === "typed" &&
    r.kind === "typed" &&
    l.type.kind === "bits" &&
    r.type.kind === "bits" &&
    l.type.width !== r.type.width
  ) {
    const narrow = l.type.width < r.type.width ? node.left : node.right;
    const text = cx.text(narrow.span);
    cx.report(
      "E_WIDTH",
      node.span,
      `\`${cx.text(node.span)}\` ${verb} bits(${l.type.width}) and bits(${r.type.width}); widen with sext(${text}) or zext(${text})`,
    );
    return undefined;
  }
  const a = coerce(cx, l, type, node.left.span, `\`${node.operator}\``);
  const b = coerce(cx, r, type, node.right.span, `\`${node.operator}\``);
  return a === undefined || b === undefined ? undefined : [single(a), single(b), type.width];
}

const verbs: Readonly<Record<string, string>> = {
  "+": "adds",
  "-": "subtracts",
  "*": "multiplies",
  "/u": "divides",
  "/s": "divides",
  "%u": "divides",
  "%s": "divides",
};

function arithmetic(cx: Context, node: ArithmeticNode, hint: NType | undefined): Val {
  const [l, r] = operands(cx, node.left, node.right, hint);
  if (l.kind === "int" && r.kind === "int") return constant(cx, node, l.value, r.value);
  const pair = sameWidth(cx, node, l, r, verbs[node.operator] ?? "combines");
  if (pair === undefined) return WRONG;
  const [a, b, width] = pair;
  return typed(bitsType(width), arithmeticTerm(node.operator, a, b));
}

function constant(cx: Context, node: ArithmeticNode | ShiftNode, a: bigint, b: bigint): Val {
  const result = calculate(node.operator, a, b);
  if ("problem" in result) return cx.wrong("E_CONSTANT", node.span, `\`${cx.text(node.span)}\` is ${result.problem}`);
  return integer(result.value);
}

function arithmeticTerm(operator: ArithmeticNode["operator"], a: Term, b: Term): Term {
  switch (operator) {
    case "+":
      return build.add(a, b);
    case "-":
      return build.sub(a, b);
    case "*":
      return build.mul(a, b);
    case "/u":
      return build.udiv(a, b);
    case "/s":
      return build.sdiv(a, b);
    case "%u":
      return build.urem(a, b);
    case "%s":
      return build.srem(a, b);
    case "&":
      return build.bvand(a, b);
    case "|":
      return build.bvor(a, b);
    case "^":
      return build.bvxor(a, b);
    default:
      return unreachable(operator);
  }
}

/** The amount may have a width of its own: an amount of the width or more gives 0, or the sign. */
function shift(cx: Context, node: ShiftNode, hint: NType | undefined): Val {
  const l = cx.evaluate(node.left, hint);
  const r = cx.evaluate(node.right, l.kind === "typed" ? l.type : undefined);
  if (l.kind === "wrong" || r.kind === "wrong") return WRONG;
  if (l.kind === "int" && r.kind === "int") return constant(cx, node, l.value, r.value);
  const type = l.kind === "int" ? hint : l.kind === "typed" ? l.type : undefined;
  if (type === undefined && l.kind === "int")
    return cx.wrong(
      "E_CONTEXT",
      node.left.span,
      `the width of \`${cx.text(node.left.span)}\` is open here: write it with its width, as in 32'd1`,
    );
  const value = type?.kind === "bits" ? coerce(cx, l, type, node.left.span, `\`${node.operator}\``) : undefined;
  if (type?.kind !== "bits" || value === undefined) {
    if (type?.kind !== "bits")
      cx.report(
        "E_TYPE",
        node.left.span,
        `\`${node.operator}\` shifts bits and \`${cx.text(node.left.span)}\` is ${describe(l)}`,
      );
    return WRONG;
  }
  const given = r.kind === "int" ? coerce(cx, r, type, node.right.span, "a shift amount") : r;
  if (given === undefined) return WRONG;
  if (given.kind !== "typed" || given.type.kind !== "bits")
    return cx.wrong("E_TYPE", node.right.span, `a shift amount is bits, not ${describe(given)}`);
  return typed(type, shiftTerm(node.operator, single(value), single(given), type.width, given.type.width));
}

function shiftTerm(
  operator: ShiftNode["operator"],
  value: Term,
  amount: Term,
  width: number,
  amountWidth: number,
): Term {
  const common = Math.max(width, amountWidth);
  const by = build.zext(amount, common);
  switch (operator) {
    case "<<":
      return build.extract(build.shl(build.zext(value, common), by), width - 1, 0);
    case ">>u":
      return build.extract(build.lshr(build.zext(value, common), by), width - 1, 0);
    case ">>s":
      return build.extract(build.ashr(build.sext(value, common), by), width - 1, 0);
    default:
      return unreachable(operator);
  }
}

function comparison(cx: Context, node: ComparisonNode): Val {
  const traps = trapKind(cx, node);
  if (traps !== undefined) return traps;
  const [l, r] = operands(cx, node.left, node.right, undefined);
  if (l.kind === "wrong" || r.kind === "wrong") return WRONG;
  if (l.kind === "int" && r.kind === "int") return { kind: "truth", value: compare(node.operator, l.value, r.value) };
  if (node.operator === "==" || node.operator === "!=") {
    if (l.kind === "truth" && r.kind === "truth")
      return { kind: "truth", value: (l.value === r.value) === (node.operator === "==") };
    const equal = equality(cx, node, l, r);
    if (equal === undefined) return WRONG;
    return typed(BOOL_TYPE, node.operator === "==" ? equal : build.not(equal));
  }
  const pair = sameWidth(cx, node, l, r, "compares");
  if (pair === undefined) return WRONG;
  return typed(BOOL_TYPE, comparisonTerm(node.operator, pair[0], pair[1]));
}

function equality(cx: Context, node: ComparisonNode, l: Val, r: Val): Term | undefined {
  if (
    l.kind === "int" ||
    r.kind === "int" ||
    (l.kind === "typed" && l.type.kind === "bits" && r.kind === "typed" && r.type.kind === "bits")
  ) {
    const pair = sameWidth(cx, node, l, r, "compares");
    return pair === undefined ? undefined : build.eq(pair[0], pair[1]);
  }
  const type = l.kind === "typed" ? l.type : r.kind === "typed" ? r.type : undefined;
  if (type === undefined) {
    cx.report("E_VALUE", node.span, `\`${cx.text(node.span)}\` compares what has no value`);
    return undefined;
  }
  if (leaves(type).some((leaf) => leaf.type.kind === "file" || leaf.type.kind === "memory")) {
    cx.report("E_TYPE", node.span, `${typeToString(type)} cannot be compared as a whole; compare elements`);
    return undefined;
  }
  const a = coerce(cx, l, type, node.left.span, `\`${node.operator}\``);
  const b = coerce(cx, r, type, node.right.span, `the other side of \`${node.operator}\``);
  if (a === undefined || b === undefined) return undefined;
  const equal = a.terms.map((t, i) => {
    const other = b.terms[i];
    return other === undefined ? build.FALSE : build.eq(t, other);
  });
  return build.and(...equal, build.TRUE);
}

/** `trap == illegal_instruction` asks which trap it is, whatever its arguments. */
function trapKind(cx: Context, node: ComparisonNode): Val | undefined {
  if (node.operator !== "==" && node.operator !== "!=") return undefined;
  if (node.right.kind !== "name") return undefined;
  const right = node.right.name;
  const { trap } = cx.world;
  if (
    trap === undefined ||
    node.left.kind !== "name" ||
    node.left.name !== "trap" ||
    cx.scope.get("trap") !== undefined
  )
    return undefined;
  const code = right === "none" ? 0 : trap.table.traps.find((t) => t.name === right)?.code;
  if (code === undefined) return undefined;
  const place = placeOf(cx, node.left);
  const term = place.kind === "place" ? readPlace(cx, place.place).terms[0] : undefined;
  if (term?.sort.kind !== "bits") return undefined;
  const equal = build.eq(term, build.constant(term.sort.width, BigInt(code)));
  return typed(BOOL_TYPE, node.operator === "==" ? equal : build.not(equal));
}

function comparisonTerm(operator: Exclude<ComparisonNode["operator"], "==" | "!=">, a: Term, b: Term): Term {
  switch (operator) {
    case "<u":
      return build.ult(a, b);
    case "<=u":
      return build.ule(a, b);
    case ">u":
      return build.ugt(a, b);
    case ">=u":
      return build.uge(a, b);
    case "<s":
      return build.slt(a, b);
    case "<=s":
      return build.sle(a, b);
    case ">s":
      return build.sgt(a, b);
    case ">=s":
      return build.sge(a, b);
    default:
      return unreachable(operator);
  }
}

/** The right side counts only where the left one leaves it open: its loads fault only there. */
function logical(cx: Context, node: LogicalNode): Val {
  const l = cx.evaluate(node.left, BOOL_TYPE);
  const isAnd = node.operator === "&&";
  if (l.kind === "truth")
    return l.value === isAnd ? asBool(cx, cx.evaluate(node.right, BOOL_TYPE), node.right, node.operator) : l;
  const left = condition(cx, l, node.left.span, `\`${node.operator}\``);
  let right: Term | undefined;
  const guard = left === undefined ? build.TRUE : isAnd ? left : build.not(left);
  alternatives(
    cx,
    [
      {
        condition: guard,
        path: [guard],
        span: node.right.span,
        flexible: false,
        run: () => {
          right = condition(cx, cx.evaluate(node.right, BOOL_TYPE), node.right.span, `\`${node.operator}\``);
          return WRONG;
        },
      },
      { condition: build.TRUE, path: [], span: node.span, flexible: false, run: () => WRONG },
    ],
    undefined,
    false,
    "",
  );
  if (left === undefined || right === undefined) return WRONG;
  return typed(BOOL_TYPE, isAnd ? build.and(left, right) : build.or(left, right));
}

function asBool(cx: Context, value: Val, node: Expression, operator: string): Val {
  if (value.kind === "truth" || value.kind === "wrong") return value;
  const term = condition(cx, value, node.span, `\`${operator}\``);
  return term === undefined ? WRONG : typed(BOOL_TYPE, term);
}

function concat(cx: Context, node: ConcatNode): Val {
  const parts = [node.left, node.right].map((part): TypedValue | undefined => {
    const value = cx.evaluate(part, undefined);
    if (value.kind === "wrong") return undefined;
    if (value.kind === "int") {
      cx.report(
        "E_CONTEXT",
        part.span,
        `the width of \`${cx.text(part.span)}\` is open in a concatenation: write it with its width, as in 4'd1`,
      );
      return undefined;
    }
    if (value.kind !== "typed" || value.type.kind !== "bits") {
      cx.report(
        "E_TYPE",
        part.span,
        `\`++\` joins bits and \`${cx.text(part.span)}\` is ${describe(value)}; write bits(…)`,
      );
      return undefined;
    }
    return value;
  });
  const [a, b] = parts;
  if (a === undefined || b === undefined || a.type.kind !== "bits" || b.type.kind !== "bits") return WRONG;
  const width = a.type.width + b.type.width;
  if (width > MAX_WIDTH)
    return cx.wrong("E_RANGE", node.span, `\`++\` gives ${width} bits; there are at most ${MAX_WIDTH}`);
  return typed(bitsType(width), build.concat(single(a), single(b)));
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
