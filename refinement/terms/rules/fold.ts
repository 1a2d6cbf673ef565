/** Constant folding, for every operator whose arguments and result are scalars. */
import { bool, constant } from "../construct.js";
import { operate, scalarWidth } from "../operators.js";
import type { Op, Term } from "../term.js";
import type { Rule } from "./rule.js";

const FOLDED: readonly Op[] = [
  "not",
  "and",
  "or",
  "eq",
  "ult",
  "ule",
  "slt",
  "sle",
  "bvnot",
  "bvand",
  "bvor",
  "bvxor",
  "add",
  "mul",
  "udiv",
  "urem",
  "sdiv",
  "srem",
  "shl",
  "lshr",
  "ashr",
  "concat",
  "extract",
  "zext",
  "sext",
];

function fold(t: Term): Term | undefined {
  const values: bigint[] = [];
  for (const arg of t.args) {
    if (arg.op !== "const") return undefined;
    values.push(arg.value);
  }
  const value = operate(t, values);
  return t.sort.kind === "bool" ? bool(value === 1n) : constant(scalarWidth(t.sort), value);
}

export const foldRules: ReadonlyMap<Op, Rule> = new Map(
  FOLDED.map((op) => [op, { name: `${op}.fold`, law: `${op} of constants is its value (operators.ts)`, apply: fold }]),
);
