/** Checks rules against what they claim: exhaustively on small values, by solver on large ones. */
import { Evaluator } from "../../../refinement/terms/evaluate.js";
import { print } from "../../../refinement/terms/print.js";
import type { Rule } from "../../../refinement/terms/rules/rule.js";
import { BOOL } from "../../../refinement/terms/sort.js";
import { intern, type Op, type Term } from "../../../refinement/terms/term.js";
import { type Value, valueEquals } from "../../../refinement/terms/value.js";
import { freeVariables } from "../../../refinement/terms/variables.js";
import type { Example } from "./examples.js";
import { Random, randomValue } from "./random.js";
import { askZ3 } from "./smt.js";

export const SMALL = [1, 2, 3, 4];
export const LARGE = [32, 64];
/** Widths that a solver can divide at, for the rules about quotients and products of unknowns; their laws do not depend on the width. */
export const DIVISIBLE = [6, 7, 8];

export interface Case {
  readonly rule: Rule;
  readonly before: Term;
  readonly after: Term;
}

/** The terms of a rule's example on which the rule fires. */
export function cases(op: Op, rule: Rule, example: Example, widths: readonly number[]): readonly Case[] {
  const found: Case[] = [];
  for (const w of widths) {
    for (const before of example(w)) {
      if (before.op !== op) continue;
      const after = rule.apply(before);
      if (after !== undefined) found.push({ rule, before, after });
    }
  }
  return found;
}

/** All values of the narrow variables, together with a few of the wide ones, files and memories. */
function* environments(variables: readonly Term[], random: Random): Generator<ReadonlyMap<Term, Value>> {
  const narrow = variables.filter((v) => v.sort.kind === "bool" || (v.sort.kind === "bits" && v.sort.width <= 6));
  const others = variables.filter((v) => !narrow.includes(v));
  const bitsOf = (v: Term): number => (v.sort.kind === "bits" ? v.sort.width : 1);
  const total = narrow.reduce((sum, v) => sum + bitsOf(v), 0);
  const exhaustive = total <= 14;
  const count = exhaustive ? 2 ** total : 3000;
  const heavy = others.some((v) => v.sort.kind === "memory" || v.sort.kind === "file");
  const repeats = others.length === 0 ? 1 : Math.max(1, Math.min(40, Math.floor((heavy ? 200 : 2000) / count)));
  for (let n = 0; n < count * repeats; n++) {
    let rest = BigInt(n % count);
    const values = new Map<Term, Value>();
    for (const v of narrow) {
      const width = bitsOf(v);
      values.set(v, exhaustive ? BigInt.asUintN(width, rest) : randomValue(v.sort, random));
      rest >>= BigInt(width);
    }
    for (const v of others) values.set(v, randomValue(v.sort, random));
    yield values;
  }
}

/** What is wrong with a rewriting step on small values, if anything is. */
function refutation({ before, after }: Case): string | undefined {
  if (before.sort !== after.sort) return `${print(before)} became ${print(after)}, which is of another sort`;
  const random = new Random(7);
  for (const values of environments([...freeVariables([before, after])], random)) {
    const evaluator = new Evaluator({
      variable(t) {
        const value = values.get(t);
        if (value === undefined) throw new RangeError(t.name);
        return value;
      },
    });
    const expected = evaluator.value(before);
    const got = evaluator.value(after);
    if (!valueEquals(expected, got)) {
      const shown = [...values].map(([t, value]) => `${t.name} = ${String(value)}`).join(", ");
      return `${print(before)} became ${print(after)}; with ${shown}: ${String(expected)} became ${String(got)}`;
    }
  }
  return undefined;
}

/** Checks one rule with one example; gives the reasons for which it is refused. */
export function verify(op: Op, rule: Rule, example: Example | undefined): readonly string[] {
  if (example === undefined) return [`${rule.name} has no example`];
  const small = cases(op, rule, example, SMALL);
  const large = cases(op, rule, example, LARGE);
  if (small.length === 0) return [`no example makes ${rule.name} fire at widths 1 to 4`];
  if (large.length === 0) return [`no example makes ${rule.name} fire at widths 32 and 64`];
  return [...small, ...large].map(refutation).filter((reason) => reason !== undefined);
}

/** The reasons for which the solver refuses rewriting steps. */
export function refusedBySolver(list: readonly Case[], timeoutMs: number): readonly string[] {
  const questions = list.map(({ before, after }) => [intern("not", BOOL, [intern("eq", BOOL, [before, after])])]);
  const answers = askZ3(questions, timeoutMs);
  if (answers.length !== list.length) return [`${answers.length} answers to ${list.length} questions`];
  return list
    .map(({ rule, before, after }, i) => `${rule.name}: ${print(before)} → ${print(after)}: ${answers[i]}`)
    .filter((_, i) => answers[i] !== "unsat");
}
