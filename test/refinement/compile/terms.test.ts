import { describe, expect, it } from "vitest";
import { CompiledTerms } from "./compiled-terms.js";
import * as t from "../../../refinement/terms/build.js";
import { environmentOf, Evaluator } from "../../../refinement/terms/evaluate.js";
import { bits } from "../../../refinement/terms/sort.js";
import { intern, type Term } from "../../../refinement/terms/term.js";
import type { Value } from "../../../refinement/terms/value.js";
import { freeVariables } from "../../../refinement/terms/variables.js";
import { Random, randomValue, TermMaker } from "./random-terms.js";

function compare(terms: readonly Term[], random: Random, states: number): void {
  const compiled = new CompiledTerms(terms);
  for (let i = 0; i < states; i++) {
    const state = new Map<string, Value>();
    for (const v of freeVariables(terms)) state.set(v.name, randomValue(random, v));
    const evaluator = new Evaluator(environmentOf(state));
    const expected = terms.map((term) => evaluator.number(term));
    expect(compiled.evaluate(state)).toEqual(expected);
  }
}

const OPERATORS = [
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
] as const;
const COMPARISONS = ["eq", "ult", "ule", "slt", "sle"] as const;

describe("compiled terms agree with the evaluator", () => {
  it.each([1, 2, 3, 7, 8, 13, 16, 31, 32, 33, 63, 64, 65, 96, 127, 128, 129, 130])(
    "each operator at width %i",
    (width) => {
      const random = new Random(width);
      const [a, b] = [t.variable("a", bits(width)), t.variable("b", bits(width))];
      const constants = [0n, 1n, BigInt(width), (1n << BigInt(width)) - 1n].map((c) => t.constant(width, c));
      const terms: Term[] = [];
      for (const y of [b, ...constants]) {
        for (const op of OPERATORS)
          terms.push(
            intern(op, a.sort, op === "bvnot" ? [y] : [a, y]),
            intern(op, a.sort, op === "bvnot" ? [y] : [y, a]),
          );
        for (const op of COMPARISONS) terms.push(intern(op, t.TRUE.sort, [a, y]), intern(op, t.TRUE.sort, [y, a]));
      }
      for (let lo = 0; lo < width; lo += 5) {
        for (let hi = lo; hi < width; hi += 7) terms.push(intern("extract", bits(hi - lo + 1), [a], { hi, lo }));
      }
      for (const more of [1, 5, 64, 70]) {
        terms.push(intern("zext", bits(width + more), [a]), intern("sext", bits(width + more), [a]));
        terms.push(intern("concat", bits(width + width + more), [a, t.variable(`c${more}`, bits(more)), b]));
      }
      compare(terms, random, 60);
    },
  );

  it.each(Array.from({ length: 150 }, (_, i) => i))("random terms %i", (seed) => {
    const random = new Random(seed * 7919 + 1);
    const maker = new TermMaker(random, seed % 2 === 0);
    const depth = 2 + (seed % 4);
    const terms = Array.from({ length: 8 }, () =>
      random.chance(4) ? maker.bool(depth) : maker.bits(1 + random.below(130), depth),
    );
    compare(terms, random, 12);
  });
});
