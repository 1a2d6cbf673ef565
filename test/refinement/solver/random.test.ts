import { describe, expect, test } from "vitest";
import { refuteByRandom, witnessByRandom } from "../../../refinement/solver/random.js";
import * as b from "../../../refinement/terms/build.js";
import { Evaluator, environmentOf } from "../../../refinement/terms/evaluate.js";
import { bits, BOOL, file, memory } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";
import { FILES, memoryShape, RandomTerms, SCALARS, WIDE } from "./random-terms.js";

const options = { seed: 1, tries: 200 };
const c = (width: number, value: number | bigint): Term => b.constant(width, BigInt(value));

function holds(model: ReadonlyMap<string, Value> | undefined, t: Term): boolean {
  if (model === undefined) throw new Error("no model");
  return new Evaluator(environmentOf(model)).holds(t);
}

describe("witnesses", () => {
  const x = b.variable("x", bits(64));
  const y = b.variable("y", bits(64));
  const pc = b.variable("pc", bits(32));
  const mem = b.variable("mem", memory(32));
  const regs = b.variable("regs", file(32, 32));
  const valid = b.variable("valid", BOOL);
  const instr = b.variable("instr", bits(32));
  const state = b.variable("state", bits(3));

  const cases: Readonly<Record<string, readonly Term[]>> = {
    "an equality of two variables": [b.eq(x, b.add(y, c(64, 5)))],
    "a chain of equalities": [
      b.eq(x, b.mul(y, c(64, 3))),
      b.eq(y, b.sub(b.variable("z", bits(64)), x)),
      b.ult(c(64, 1n << 40n), y),
    ],
    "a narrow range": [b.ult(x, c(64, 1000)), b.ult(c(64, 990), x), b.eq(b.extract(x, 1, 0), c(2, 3))],
    "an instruction word": [
      b.eq(b.bvand(b.load(mem, pc, 4), c(32, 0x707f)), c(32, 0x5033)),
      b.accessible(mem, "fetch", pc, 4),
      b.eq(b.extract(pc, 1, 0), c(2, 0)),
    ],
    "a latch that holds what was fetched": [
      b.implies(valid, b.eq(instr, b.load(mem, b.add(pc, c(32, 4)), 4))),
      b.implies(valid, b.eq(b.extract(instr, 6, 0), c(7, 0x33))),
      valid,
      b.not(b.eq(b.extract(instr, 11, 7), c(5, 0))),
    ],
    "an enum in range": [
      b.ule(state, c(3, 4)),
      b.ne(state, c(3, 0)),
      b.or(b.eq(state, c(3, 4)), b.ult(state, c(3, 2))),
    ],
    "a zero register": [
      b.eq(b.select(regs, c(5, 0)), c(32, 0)),
      b.eq(b.select(regs, b.extract(instr, 19, 15)), c(32, 0x1234_5678)),
    ],
    "a denied access": [b.not(b.accessible(mem, "store", pc, 2)), b.accessible(mem, "store", b.add(pc, c(32, 1)), 1)],
    "a file made by a lambda": [
      b.eq(
        b.select(
          b.lambda(file(32, 32), (i) => b.add(b.select(regs, i), c(32, 1))),
          c(5, 7),
        ),
        c(32, 99),
      ),
    ],
    "a memory written": [
      b.eq(b.load(b.write(mem, b.add(pc, c(32, 2)), 2, b.extract(x, 15, 0)), pc, 4), c(32, 0xcafe_babe)),
      b.not(b.eq(b.load(mem, pc, 4), c(32, 0xcafe_babe))),
    ],
    "a disjunction of which one side is impossible": [b.or(b.eq(b.bvand(x, c(64, 6)), c(64, 1)), b.eq(x, c(64, 77)))],
    "a sign": [b.slt(x, c(64, 0)), b.slt(c(64, -3), x), b.not(b.eq(x, c(64, -1)))],
  };
  for (const [name, hypotheses] of Object.entries(cases)) {
    test(name, () => {
      for (let seed = 0; seed < 20; seed++) {
        const model = witnessByRandom(hypotheses, { seed, tries: 50 });
        for (const h of hypotheses) expect(holds(model, h)).toBe(true);
      }
    });
  }

  test("there is none of a contradiction", () => {
    expect(witnessByRandom([b.eq(x, c(64, 3)), b.ult(x, c(64, 3))], options)).toBeUndefined();
    expect(witnessByRandom([b.FALSE], options)).toBeUndefined();
    const zero = b.select(regs, c(5, 0));
    expect(witnessByRandom([b.eq(zero, c(32, 0)), b.eq(zero, c(32, 1))], options)).toBeUndefined();
  });

  test("no hypotheses are witnessed by zeros", () => {
    expect(witnessByRandom([], options)).toEqual(new Map());
    expect(witnessByRandom([b.ule(x, y)], options)).toEqual(
      new Map([
        ["x", 0n],
        ["y", 0n],
      ]),
    );
  });
});

describe("refutations", () => {
  const x = b.variable("x", bits(64));
  const y = b.variable("y", bits(64));
  const wrong: Readonly<Record<string, Term>> = {
    "the shift amount is not masked": b.eq(b.shl(x, y), b.shl(x, b.bvand(y, c(64, 63)))),
    "sign extension is zero extension": b.eq(b.sext(b.extract(x, 31, 0), 64), b.zext(b.extract(x, 31, 0), 64)),
    "signed comparison is unsigned": b.eq(b.slt(x, y), b.ult(x, y)),
    "overflow of the least number": b.slt(c(64, -1), b.ite(b.slt(x, c(64, 0)), b.neg(x), x)),
    "division by zero": b.eq(b.udiv(x, y), b.ite(b.eq(y, c(64, 0)), c(64, 0), b.udiv(x, y))),
    "a needle": b.ne(b.add(x, c(64, 0x1234)), c(64, 0xdead_beef_0000)),
    "a needle behind a multiplication": b.ne(b.mul(x, c(64, 0x9e37_79b9)), c(64, 0xdead_beef_0001)),
    "mulh without its second correction": b.eq(
      b.extract(b.mul(b.sext(x, 128), b.sext(y, 128)), 127, 64),
      b.sub(b.extract(b.mul(b.zext(x, 128), b.zext(y, 128)), 127, 64), b.ite(b.slt(x, c(64, 0)), y, c(64, 0))),
    ),
  };
  for (const [name, goal] of Object.entries(wrong)) {
    test(name, () => {
      for (let seed = 0; seed < 10; seed++) {
        expect(holds(refuteByRandom([], goal, { seed, tries: 500 }), goal)).toBe(false);
      }
    });
  }

  test("what is found is simple", () => {
    const goal = b.or(b.ule(x, c(64, 1000)), b.eq(y, c(64, 0)));
    const regs = b.variable("regs", file(4, 64));
    const model = refuteByRandom([b.ule(b.select(regs, c(2, 1)), x)], goal, options);
    expect(model?.get("y")).toBe(1n);
    expect(model?.get("regs")).toEqual(FileValue.filled(4));
  });

  test("nothing is found where the goal is valid", () => {
    expect(refuteByRandom([], b.TRUE, options)).toBeUndefined();
    const goal = b.ule(b.bvand(x, y), b.bvor(x, b.lshr(y, x), y));
    expect(refuteByRandom([], goal, options)).toBeUndefined();
  });

  test("the same seed finds the same state", () => {
    const goal = b.ule(x, b.add(y, c(64, 0x77)));
    const [first, second] = [1, 2].map(() => refuteByRandom([b.ult(y, x)], goal, { seed: 7, tries: 100 }));
    expect(first).toEqual(second);
    expect(first).toBeDefined();
  });

  test("a memory in the state holds the bytes that matter and denies the accesses that matter", () => {
    const mem = b.variable("mem", memory(64));
    const goal = b.or(b.accessible(mem, "load", x, 8), b.ne(b.load(mem, x, 8), c(64, 0x1122)));
    const model = refuteByRandom([b.eq(x, c(64, 0xffff_ffff_ffff_fffcn))], goal, { seed: 3, tries: 100 });
    const value = model?.get("mem");
    if (!(value instanceof MemoryValue)) throw new Error("no memory");
    expect([...value.written()].map(([at]) => at)).toEqual([0xffff_ffff_ffff_fffcn, 0xffff_ffff_ffff_fffdn]);
    expect(value.accessible("load", 0xffff_ffff_ffff_fffcn, 8)).toBe(false);
    expect(value.accessible("fetch", 0xffff_ffff_ffff_fffcn, 8)).toBe(true);
  });

  test("work is bounded", () => {
    const start = performance.now();
    const hard = b.ne(b.mul(x, x, x, y), c(64, 0x1234_5678_9abd));
    const model = refuteByRandom([b.ult(c(64, 1n << 50n), b.mul(x, y, y))], hard, {
      seed: 1,
      tries: 1e9,
      work: 100_000,
    });
    expect(performance.now() - start).toBeLessThan(5000);
    if (model !== undefined) expect(holds(model, hard)).toBe(false);
  });
});

describe("random terms", () => {
  // A state found is checked by the reference evaluator inside: a difference between the two evaluators throws.
  const shapes = {
    SCALARS,
    FILES,
    WIDE,
    memory64: memoryShape(64),
    memory8: memoryShape(8),
    memory3: memoryShape(3),
    memory1: memoryShape(1),
  };
  for (const [name, shape] of Object.entries(shapes)) {
    test(name, () => {
      let found = 0;
      for (let seed = 0; seed < 150; seed++) {
        const terms = new RandomTerms(seed, shape);
        const hypotheses = [terms.bool(3), terms.bool(3)];
        const goal = terms.bool(5);
        const model = refuteByRandom(hypotheses, goal, { seed, tries: 20, work: 100_000 });
        if (model !== undefined) found++;
      }
      expect(found).toBeGreaterThan(25);
    });
  }
});
