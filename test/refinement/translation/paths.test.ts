/** Numbers that are open: what is decided of them, which paths there are, and where their bytes stand. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  add,
  concat,
  constant,
  eq,
  extract,
  FALSE,
  not,
  sext,
  TRUE,
  variable,
  zext,
} from "../../../refinement/terms/build.js";
import { evaluate } from "../../../refinement/terms/evaluate.js";
import { bits } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";
import { Intervals } from "../../../refinement/translation/intervals.js";
import { environment, explore, representatives, uncovered } from "../../../refinement/translation/paths.js";
import {
  equals,
  fitsSigned,
  fitsUnsigned,
  quantity,
  signExtended,
  sum,
  valueIn,
} from "../../../refinement/translation/quantity.js";
import { rangeOf } from "../../../refinement/translation/range.js";

const imm = variable("imm", bits(12));
const high = variable("high", bits(20));
const pc = variable("pc", bits(63));

/** Of 64 bits. */
const terms: fc.Arbitrary<Term> = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        sext(imm, 64),
        zext(imm, 64),
        sext(concat(high, constant(12, 0n)), 64),
        zext(concat(high, constant(3, 0n)), 64),
        zext(concat(pc, constant(1, 0n)), 64),
        zext(extract(pc, 28, 0), 64),
      ),
      fc.bigInt({ min: -(1n << 33n), max: 1n << 33n }).map((n) => constant(64, n)),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((parts) => parts.reduce((a, b) => add(a, b)));
const values = fc
  .tuple(fc.bigInt(0n, 0xfffn), fc.bigInt(0n, 0xf_ffffn), fc.bigInt(0n, (1n << 63n) - 1n))
  .map(([a, b, c]) => new Map([[imm, a] as const, [high, b] as const, [pc, c] as const]));

const signed = (t: Term, at: ReadonlyMap<Term, bigint>): bigint => {
  const value = evaluate(t, environment(at));
  if (typeof value !== "bigint") throw new Error("no number");
  return BigInt.asIntN(64, value);
};

describe("what is said of an open number is so in each of its cases", () => {
  test("its range", () => {
    fc.assert(
      fc.property(terms, values, (t, at) => {
        const { lo, hi } = rangeOf(t);
        const value = signed(t, at);
        return lo <= value && value <= hi;
      }),
    );
  });

  test("sums, extensions and comparisons", () => {
    fc.assert(
      fc.property(terms, terms, values, fc.constantFrom(8, 12, 32), (a, b, at, width) => {
        const decisions = {
          within: (t: Term, { lo, hi }: { lo: bigint; hi: bigint }, narrow: Term): boolean => {
            const value = signed(t, at);
            const holds = lo <= value && value <= hi;
            // Both ways of asking are one.
            expect(evaluate(eq(narrow, t), environment(at))).toBe(holds ? 1n : 0n);
            return holds;
          },
        };
        const [x, y] = [quantity(a, decisions), quantity(b, decisions)];
        const [m, n] = [signed(a, at), signed(b, at)];
        const known = (q: typeof x): bigint => BigInt.asUintN(64, valueIn(q, environment(at)));
        expect(known(sum(x, y))).toBe(BigInt.asUintN(64, m + n));
        expect(known(signExtended(x, width))).toBe(BigInt.asUintN(64, BigInt.asIntN(width, m)));
        for (const [q, value] of [
          [x, m],
          [sum(x, y), m + n],
        ] as const) {
          expect(fitsSigned(q, width)).toBe(fitsSigned(value, width));
          expect(fitsUnsigned(q, width)).toBe(fitsUnsigned(value, width));
          expect(equals(q, n)).toBe(equals(value, n));
        }
      }),
    );
  });

  test("what intervals decide, of terms that differ by a constant", () => {
    const ask = fc.tuple(
      fc.bigInt({ min: -(1n << 32n), max: 1n << 32n }),
      fc.bigInt({ min: -(1n << 34n), max: 1n << 34n }),
      fc.bigInt({ min: 0n, max: 1n << 33n }),
    );
    fc.assert(
      fc.property(terms, values, fc.array(ask, { maxLength: 8 }), (t, at, questions) => {
        const intervals = new Intervals();
        for (const [offset, lo, size] of questions) {
          const asked = add(t, constant(64, offset));
          const range = { lo, hi: lo + size };
          const value = signed(asked, at);
          const holds = range.lo <= value && value <= range.hi;
          const decided = intervals.decided(asked, range);
          if (decided !== undefined) expect(decided).toBe(holds);
          intervals.learn(asked, range, holds);
        }
      }),
    );
  });
});

describe("paths", () => {
  /** Which of three forms a number is written in. */
  const form = (t: Term, decisions: Parameters<Parameters<typeof explore>[2]>[0]): string => {
    const q = quantity(t, decisions);
    return equals(q, 0n) ? "none" : fitsSigned(q, 8) ? "short" : fitsSigned(q, 32) ? "long" : "whole";
  };

  test("each form once, with operands that lead there; those that cannot be are left out", () => {
    const paths = explore([], [imm], (decisions) => form(sext(imm, 64), decisions)) ?? [];
    expect(paths.map((p) => p.answer).sort()).toEqual(["long", "none", "short"]);
    for (const path of paths) {
      for (const found of representatives([], [imm], path, 50)) {
        const again = explore([], [], () => "")?.[0];
        expect(again?.answer).toBe("");
        const value = signed(sext(imm, 64), found);
        expect(path.answer).toBe(value === 0n ? "none" : fitsSigned(value, 8) ? "short" : "long");
      }
    }
  });

  test("under what is given", () => {
    const given = [not(eq(imm, constant(12, 0n))), eq(extract(imm, 11, 7), constant(5, 0n))];
    const paths = explore(given, [imm], (decisions) => form(sext(imm, 64), decisions));
    expect(paths?.map((p) => p.answer)).toEqual(["short"]);
  });

  test("are told to be all there are, or that one is missing", () => {
    const paths = explore([], [imm], (decisions) => form(sext(imm, 64), decisions)) ?? [];
    const decided = paths.map((p) => p.decided);
    expect(uncovered([], decided)).toBeUndefined();
    for (const forgotten of decided)
      expect(
        uncovered(
          [],
          decided.filter((d) => d !== forgotten),
        ),
      ).toBeDefined();
    expect(uncovered([], [])).toBeDefined();
    expect(uncovered([FALSE], [])).toBeUndefined();
    expect(uncovered([TRUE], [[]])).toBeUndefined();
  });

  test("that are too many are not followed", () => {
    const all = Array.from({ length: 12 }, (_, i) => extract(imm, i, i));
    const paths = explore([], [imm], (decisions) =>
      all.map((bit) => equals(quantity(zext(bit, 64), decisions), 0n)).join(),
    );
    expect(paths).toBeUndefined();
  });
});
