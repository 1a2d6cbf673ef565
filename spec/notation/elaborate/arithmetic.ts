/** Operators on bits: arithmetic, bitwise, shifts, concatenation; and how operands find their common width. */
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { unreachable } from "../../../refinement/errors.js";
import type { ArithmeticNode, ConcatNode, Expression, ShiftNode, Span, UnaryNode } from "../syntax/ast.js";
import { coerce, condition } from "./coerce.js";
import type { Context } from "./context.js";
import { calculate } from "./integers.js";
import { flexible } from "./operands.js";
import { BOOL_TYPE, MAX_WIDTH, type NType, bitsType, typeToString } from "./types.js";
import { type TypedValue, type Val, WRONG, describe, integer, single, typed } from "./value.js";

export function unary(cx: Context, node: UnaryNode, hint: NType | undefined): Val {
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
export function operands(
  cx: Context,
  left: Expression,
  right: Expression,
  hint: NType | undefined,
): readonly [Val, Val] {
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
export function sameWidth(
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

export function arithmetic(cx: Context, node: ArithmeticNode, hint: NType | undefined): Val {
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
export function shift(cx: Context, node: ShiftNode, hint: NType | undefined): Val {
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

export function concat(cx: Context, node: ConcatNode): Val {
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
