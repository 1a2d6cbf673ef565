/** Binary operators: how tightly they bind, and the trees they make. */
import type { Arithmetic, Comparison, Expression, Logical, Shift } from "./ast.js";
import { arithmetic, comparisons, logical, shifts } from "./ast.js";

/** Loosest first, as docs/notation.md lists them. All associate to the left; comparisons do not chain. */
const levels: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  [...comparisons],
  ["|"],
  ["^"],
  ["&"],
  [...shifts],
  ["+", "-"],
  ["*", "/u", "/s", "%u", "%s"],
  ["++"],
];

const precedences = new Map(levels.flatMap((operators, level) => operators.map((o) => [o, level] as const)));

/** What a reader may have meant by an operator that does not say unsigned or signed. */
export const unsuffixed: ReadonlyMap<string, readonly [unsigned: string, signed: string]> = new Map(
  ["<", "<=", ">", ">=", ">>", "/", "%"].map((o) => [o, [`${o}u`, `${o}s`] as const]),
);

function precedence(operator: string): number {
  return precedences.get(operator) ?? 0;
}

function member<T extends string>(list: readonly T[], operator: string): T | undefined {
  return list.find((o) => o === operator);
}

function isComparison(operator: string): operator is Comparison {
  return member(comparisons, operator) !== undefined;
}

function build(operator: string, left: Expression, right: Expression): Expression {
  const span = { start: left.span.start, end: right.span.end };
  if (operator === "++") return { kind: "concat", operator, left, right, span };
  const comparison: Comparison | undefined = member(comparisons, operator);
  if (comparison !== undefined) return { kind: "comparison", operator: comparison, left, right, span };
  const shift: Shift | undefined = member(shifts, operator);
  if (shift !== undefined) return { kind: "shift", operator: shift, left, right, span };
  const logic: Logical | undefined = member(logical, operator);
  if (logic !== undefined) return { kind: "logical", operator: logic, left, right, span };
  const arithmeticOperator: Arithmetic | undefined = member(arithmetic, operator);
  return { kind: "arithmetic", operator: arithmeticOperator ?? "+", left, right, span };
}

export interface OperatorToken {
  readonly operator: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Precedence climbing without recursion: `operands[0] operators[0] operands[1] …`. `chained` is told of a comparison of a
 * comparison (`a == b == c`).
 */
export function buildBinary(
  operands: readonly Expression[],
  operators: readonly OperatorToken[],
  chained: (operator: OperatorToken) => void,
): Expression | undefined {
  const values: Expression[] = [];
  const pending: OperatorToken[] = [];
  const reduce = (): void => {
    const operator = pending.pop();
    const right = values.pop();
    const left = values.pop();
    if (operator === undefined || left === undefined || right === undefined) return;
    values.push(build(operator.operator, left, right));
  };
  const [first, ...rest] = operands;
  if (first === undefined) return undefined;
  values.push(first);
  rest.forEach((operand, i) => {
    const operator = operators[i];
    if (operator === undefined) return;
    for (let top = pending.at(-1); top !== undefined; top = pending.at(-1)) {
      if (precedence(top.operator) < precedence(operator.operator)) break;
      if (isComparison(top.operator) && isComparison(operator.operator)) chained(operator);
      reduce();
    }
    pending.push(operator);
    values.push(operand);
  });
  while (pending.length > 0) reduce();
  return values[0];
}
