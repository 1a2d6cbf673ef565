/** Operators that give a bool: comparisons, `&&`, `||`. */
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { unreachable } from "../../../refinement/errors.js";
import type { ComparisonNode, Expression, LogicalNode } from "../syntax/ast.js";
import { alternatives } from "./alternatives.js";
import { coerce, condition } from "./coerce.js";
import type { Context } from "./context.js";
import { compare } from "./integers.js";
import { placeOf, readPlace } from "./places.js";
import { BOOL_TYPE, leaves, typeToString } from "./types.js";
import { type Val, WRONG, typed } from "./value.js";
import { operands, sameWidth } from "./arithmetic.js";

export function comparison(cx: Context, node: ComparisonNode): Val {
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
export function logical(cx: Context, node: LogicalNode): Val {
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
