import fc from "fast-check";
import { expect, test } from "vitest";
import { neverIn } from "../../../refinement/translation/interval.js";
import { add, and, constant, eq, extract, not, or, sub, ule, ult, variable } from "../../../refinement/terms/build.js";
import { evaluate } from "../../../refinement/terms/evaluate.js";
import { bits } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";

const WIDTH = 6;
const a = variable("a", bits(WIDTH));
const number = fc.bigInt({ min: 0n, max: 2n ** BigInt(WIDTH) - 1n });

const operand = fc.oneof(
  number.map((n) => constant(WIDTH, n)),
  number.map((n) => add(a, constant(WIDTH, n))),
  number.map((n) => sub(constant(WIDTH, n), a)),
);
const top = fc.tuple(operand, fc.nat(WIDTH - 1)).map(([t, lo]) => extract(t, WIDTH - 1, lo));
const comparison = fc.oneof(
  fc.tuple(fc.constantFrom(ult, ule, eq), operand, operand).map(([op, x, y]) => op(x, y)),
  fc.tuple(top, number).map(([t, n]) => eq(t, constant(t.sort.kind === "bits" ? t.sort.width : 1, n))),
);
const condition: fc.Arbitrary<Term> = fc.letrec<{ condition: Term }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3 },
    comparison,
    tie("condition").map(not),
    fc.tuple(tie("condition"), tie("condition")).map(([x, y]) => and(x, y)),
    fc.tuple(tie("condition"), tie("condition")).map(([x, y]) => or(x, y)),
  ),
})).condition;

test("what never holds in a range holds at none of its values", () => {
  let certain = 0;
  fc.assert(
    fc.property(condition, number, number, (c, x, y) => {
      const [lo, hi] = x < y ? [x, y] : [y, x];
      if (!neverIn(c, { address: a, lo, hi })) return;
      certain++;
      for (let n = lo; n <= hi; n++) expect(evaluate(c, { variable: () => n })).toBe(0n);
    }),
    { numRuns: 3000, seed: 1 },
  );
  expect(certain).toBeGreaterThan(100);
});

test("addresses below the middle of the address space are canonical", () => {
  const at = variable("at", bits(64));
  const half = 1n << 47n;
  for (const bytes of [1n, 2n, 4n, 8n, 16n]) {
    const canonical = ule(add(at, constant(64, half)), constant(64, 2n * half - bytes));
    expect(neverIn(not(canonical), { address: at, lo: 0n, hi: half - bytes })).toBe(true);
    expect(neverIn(not(canonical), { address: at, lo: 0n, hi: half - bytes + 1n })).toBe(false);
    const negated = ule(sub(constant(64, half - bytes), at), constant(64, 2n * half - bytes));
    expect(neverIn(not(negated), { address: at, lo: 0n, hi: half - bytes })).toBe(true);
    expect(neverIn(not(negated), { address: at, lo: 0n, hi: half - bytes + 1n })).toBe(false);
  }
});
