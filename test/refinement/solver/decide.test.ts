/**
 * Answers against the truth: exhaustive evaluation at small widths, and random states against `unsat` elsewhere.
 */
import { afterAll, describe, expect, test } from "vitest";
import { refuteByRandom } from "../../../refinement/solver/random.js";
import { findOnPath, openSolver, type Solver, type SolverChoice } from "../../../refinement/solver/solver.js";
import * as b from "../../../refinement/terms/build.js";
import { Evaluator, environmentOf } from "../../../refinement/terms/evaluate.js";
import { bits, file, memory } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";
import { FILES, memoryShape, RandomTerms, SCALARS } from "./random-terms.js";

const c = (width: number, value: number | bigint): Term => b.constant(width, BigInt(value));
const timeoutMs = 60_000;

function valuesOf(v: Term): Value[] {
  if (v.sort.kind === "memory") throw new Error("too many memories");
  if (v.sort.kind !== "file") return [...Array(v.sort.kind === "bits" ? 2 ** v.sort.width : 2).keys()].map(BigInt);
  let files: bigint[][] = [[]];
  for (let i = 0; i < v.sort.count; i++) {
    files = files.flatMap((f) => [...Array(2 ** 2).keys()].map((element) => [...f, BigInt(element)]));
  }
  return files.map((elements) => new FileValue(elements));
}

/** Whether some state satisfies `t`, by looking at all of them. */
function satisfiable(t: Term, variables: readonly Term[]): boolean {
  const search = (state: Map<string, Value>, [v, ...rest]: readonly Term[]): boolean => {
    if (v === undefined) return new Evaluator(environmentOf(state)).holds(t);
    return valuesOf(v).some((value) => search(state.set(v.name, value), rest));
  };
  return search(new Map(), variables);
}

const choices: readonly SolverChoice[] = [
  "z3-wasm",
  ...(["z3", "cvc5"] as const).filter((name) => findOnPath(name) !== undefined),
];

describe.each(choices)("%s", (choice) => {
  let open: Promise<Solver> | undefined;
  const solver = (): Promise<Solver> => {
    open ??= openSolver(choice);
    return open;
  };
  afterAll(async () => (await open)?.close());

  const cases = choice === "z3-wasm" ? 150 : 25;

  test.each([
    ["scalars", SCALARS],
    ["files", FILES],
  ] as const)(
    "agrees with exhaustive evaluation: %s",
    async (_, shape) => {
      const answers = { sat: 0, unsat: 0, unknown: 0 };
      for (let seed = 0; seed < cases; seed++) {
        const terms = new RandomTerms(seed, shape);
        const assertion = b.and(terms.bool(4), terms.bool(3), terms.bool(3));
        const answer = await (await solver()).solve([assertion], { timeoutMs });
        expect(answer.answer, `seed ${seed}`).toBe(satisfiable(assertion, shape.variables) ? "sat" : "unsat");
        if (answer.answer === "sat") expect(new Evaluator(environmentOf(answer.model)).holds(assertion)).toBe(true);
        answers[answer.answer]++;
      }
      expect(Math.min(answers.sat, answers.unsat)).toBeGreaterThan(cases / 10);
    },
    300_000,
  );

  test.each([64, 8, 2, 1])(
    "no state contradicts an unsat over memories with %i-bit addresses",
    async (address) => {
      const answers = { sat: 0, unsat: 0, unknown: 0 };
      for (let seed = 0; seed < cases / 5; seed++) {
        const terms = new RandomTerms(seed, memoryShape(address));
        const assertions = [terms.bool(3), terms.bool(3), terms.bool(2)];
        const answer = await (await solver()).solve(assertions, { timeoutMs: 2000 });
        answers[answer.answer]++;
        if (answer.answer === "sat") {
          for (const t of assertions)
            expect(new Evaluator(environmentOf(answer.model)).holds(t), `seed ${seed}`).toBe(true);
        } else if (answer.answer === "unsat") {
          const state = refuteByRandom(assertions, b.FALSE, { seed, tries: 20, work: 100_000 });
          expect(state, `seed ${seed}`).toBeUndefined();
        }
      }
      expect(Math.min(answers.sat, answers.unsat)).toBeGreaterThan(cases / 60);
      expect(answers.unknown).toBeLessThan(cases / 20);
    },
    300_000,
  );
});

describe("memory", () => {
  let open: Promise<Solver> | undefined;
  const solve = async (...assertions: readonly Term[]) => {
    open ??= openSolver("auto");
    return (await open).solve(assertions, { timeoutMs });
  };
  afterAll(async () => (await open)?.close());

  const mem = b.variable("mem", memory(64));
  const a = b.variable("a", bits(64));
  const d = b.variable("d", bits(64));
  const v = b.variable("v", bits(64));
  const low = (t: Term, bytes: number): Term => b.extract(t, 8 * bytes - 1, 0);

  test("loads of variables agree where they overlap, at every distance", async () => {
    for (const [n, k] of [
      [8, 8],
      [8, 4],
      [2, 4],
      [1, 8],
    ] as const) {
      for (let distance = -k - 1; distance <= n + 1; distance++) {
        const other = b.add(d, c(64, distance));
        const byte = Math.max(0, distance);
        const overlapping = distance < n && distance + k > 0;
        const first = b.extract(b.load(mem, a, n), 8 * Math.min(byte, n - 1) + 7, 8 * Math.min(byte, n - 1));
        const at = Math.min(Math.max(0, -distance), k - 1);
        const second = b.extract(b.load(mem, other, k), 8 * at + 7, 8 * at);
        const answer = await solve(b.eq(a, d), b.ne(first, second));
        expect(answer.answer, `${n} and ${k} bytes at ${distance}`).toBe(overlapping ? "unsat" : "sat");
      }
    }
  });

  test("a load sees a write through any alias", async () => {
    const written = b.write(mem, a, 8, v);
    expect((await solve(b.eq(a, d), b.ne(b.load(written, d, 8), v))).answer).toBe("unsat");
    expect((await solve(b.eq(b.add(a, c(64, 4)), d), b.ne(b.load(written, d, 2), b.extract(v, 47, 32)))).answer).toBe(
      "unsat",
    );
    expect(
      (
        await solve(
          b.ult(c(64, 16), b.sub(d, a)),
          b.ult(c(64, 16), b.sub(a, d)),
          b.ne(b.load(written, d, 8), b.load(mem, d, 8)),
        )
      ).answer,
    ).toBe("unsat");
    expect((await solve(b.ne(a, d), b.ne(b.load(written, d, 8), b.load(mem, d, 8)))).answer).toBe("sat");
  });

  test("two writes commute unless they overlap", async () => {
    const w = b.variable("w", bits(64));
    const e = b.variable("e", bits(64));
    const one = b.write(b.write(mem, a, 4, low(v, 4)), d, 4, low(w, 4));
    const two = b.write(b.write(mem, d, 4, low(w, 4)), a, 4, low(v, 4));
    const differ = b.ne(b.load(one, e, 8), b.load(two, e, 8));
    const aligned = (t: Term): Term => b.eq(b.extract(t, 1, 0), c(2, 0));
    expect((await solve(aligned(a), aligned(d), b.ne(a, d), differ)).answer).toBe("unsat");
    expect((await solve(b.ne(a, d), differ)).answer).toBe("sat");
  });

  test("addresses wrap", async () => {
    const top = b.sub(c(64, 0), c(64, 4));
    const written = b.write(mem, top, 8, v);
    expect((await solve(b.ne(b.load(written, c(64, 0), 4), b.extract(v, 63, 32)))).answer).toBe("unsat");
    expect(
      (await solve(b.eq(a, top), b.ne(b.load(b.write(mem, a, 8, v), d, 1), b.extract(v, 63, 56)), b.eq(d, c(64, 3))))
        .answer,
    ).toBe("unsat");
  });

  test("permissions are those of bytes, for each kind of access, whatever is written", async () => {
    const may = (access: "load" | "store", at: Term, bytes: number, m = mem): Term =>
      b.accessible(m, access, at, bytes);
    expect((await solve(may("load", a, 8), b.not(may("load", b.add(a, c(64, 4)), 4)))).answer).toBe("unsat");
    expect((await solve(may("load", a, 4), may("load", b.add(a, c(64, 4)), 4), b.not(may("load", a, 8)))).answer).toBe(
      "unsat",
    );
    expect((await solve(may("load", a, 8), b.not(may("load", b.add(a, c(64, 5)), 4)))).answer).toBe("sat");
    expect((await solve(may("load", a, 8), b.not(may("store", a, 8)))).answer).toBe("sat");
    expect((await solve(may("load", a, 8), b.not(may("load", a, 8, b.write(mem, d, 8, v))))).answer).toBe("unsat");
  });

  test("a model denies exactly what it must", async () => {
    const answer = await solve(
      b.accessible(mem, "load", a, 4),
      b.not(b.accessible(mem, "load", a, 5)),
      b.eq(a, c(64, 100)),
    );
    const value = answer.answer === "sat" ? answer.model.get("mem") : undefined;
    if (!(value instanceof MemoryValue)) throw new Error("no memory");
    expect([100n, 101n, 102n, 103n, 104n, 105n].map((at) => value.accessible("load", at, 1))).toEqual([
      true,
      true,
      true,
      true,
      false,
      true,
    ]);
    expect(value.accessible("store", 104n, 1)).toBe(true);
  });
});

describe("products, quotients and functions", () => {
  let open: Promise<Solver> | undefined;
  const hard: string[] = [];
  const solve = async (assertion: Term, ms = timeoutMs) => {
    open ??= openSolver("auto", {
      onQuery: (name, text) => {
        if (name.endsWith("-precise") && /bv(mul|[us]div|[us]rem)/.test(text)) hard.push(name);
      },
    });
    hard.length = 0;
    return (await open).solve([assertion], { timeoutMs: ms });
  };
  afterAll(async () => (await open)?.close());

  const x = b.variable("x", bits(64));
  const y = b.variable("y", bits(64));
  const zero = c(64, 0);
  const product = (s: Term, t: Term): Term => b.extract(b.mul(s, t), 127, 64);
  const mulhu = product(b.zext(x, 128), b.zext(y, 128));
  const negative = (t: Term): Term => b.slt(t, zero);
  const word = (t: Term): Term => b.extract(t, 31, 0);
  const abs = (t: Term): Term => b.ite(negative(t), b.neg(t), t);

  const valid: Readonly<Record<string, Term>> = {
    "mulh from mulhu": b.eq(
      product(b.sext(x, 128), b.sext(y, 128)),
      b.sub(b.sub(mulhu, b.ite(negative(x), y, zero)), b.ite(negative(y), x, zero)),
    ),
    "mulhsu from mulhu": b.eq(product(b.sext(x, 128), b.zext(y, 128)), b.sub(mulhu, b.ite(negative(x), y, zero))),
    "the low half is the same for all signs": b.eq(
      b.mul(x, y),
      b.extract(b.mul(b.sext(x, 128), b.zext(y, 128)), 63, 0),
    ),
    "the low word of a product is the product of low words": b.eq(word(b.mul(x, y)), b.mul(word(x), word(y))),
    "mulh commutes": b.eq(product(b.sext(x, 128), b.sext(y, 128)), product(b.sext(y, 128), b.sext(x, 128))),
    "the product is below both operands shifted": b.or(b.eq(x, zero), b.ult(mulhu, x)),
    "n = q·d + r": b.eq(b.add(b.mul(b.udiv(x, y), y), b.urem(x, y)), x),
    "n = q·d + r, signed": b.eq(b.add(b.mul(b.sdiv(x, y), y), b.srem(x, y)), x),
    "the remainder is less than the divisor": b.or(b.eq(y, zero), b.ult(b.urem(x, y), y)),
    "the remainder from the quotient": b.eq(b.urem(x, y), b.sub(x, b.mul(y, b.udiv(x, y)))),
    "signed division from unsigned": b.eq(
      b.sdiv(x, y),
      b.ite(b.ne(negative(x), negative(y)), b.neg(b.udiv(abs(x), abs(y))), b.udiv(abs(x), abs(y))),
    ),
    "a quotient of words by a wide division": b.or(
      b.eq(word(y), c(32, 0)),
      b.eq(b.zext(b.udiv(word(x), word(y)), 64), b.udiv(b.zext(word(x), 64), b.zext(word(y), 64))),
    ),
    "overflow of the least number": b.eq(b.sdiv(c(64, 1n << 63n), c(64, -1)), c(64, 1n << 63n)),
    "division by a constant": b.ult(b.udiv(x, c(64, 10)), c(64, 1n << 61n)),
    "a division by a constant that a product undoes": b.eq(
      b.add(b.mul(c(64, 7), b.udiv(x, c(64, 7))), b.urem(x, c(64, 7))),
      x,
    ),
  };
  test.each(Object.entries(valid))("valid: %s", async (_, goal) => {
    expect((await solve(b.not(goal))).answer).toBe("unsat");
    // By rewriting and the abstraction alone: the precise question would take for ever.
    expect(hard).toEqual([]);
  });

  const wrong: Readonly<Record<string, Term>> = {
    "mulh is not mulhu": b.eq(product(b.sext(x, 128), b.sext(y, 128)), mulhu),
    "a product need not be zero": b.eq(b.mul(x, y), zero),
    "a quotient may be anything": b.ne(b.udiv(x, y), c(64, 12345)),
    "a remainder may be anything": b.or(b.ult(y, c(64, 1000)), b.ne(b.urem(x, y), c(64, 999))),
    "a signed remainder is negative": b.sle(zero, b.srem(x, y)),
    "a product of given factors": b.implies(
      b.and(b.eq(x, c(64, 12345)), b.eq(y, c(64, 6789))),
      b.eq(b.mul(x, y), zero),
    ),
    "functions differ": b.eq(b.apply("f", bits(64), [x]), b.apply("f", bits(64), [y])),
  };
  test.each(Object.entries(wrong))("wrong: %s", async (_, goal) => {
    const answer = await solve(b.not(goal));
    expect(answer.answer).toBe("sat");
    if (answer.answer === "sat") expect(new Evaluator(environmentOf(answer.model)).holds(goal)).toBe(false);
  });

  test("equal arguments give equal results", async () => {
    const [f, g] = [x, y].map((t) => b.apply("f", bits(64), [t]));
    if (f === undefined || g === undefined) throw new Error("no terms");
    expect((await solve(b.and(b.eq(x, y), b.ne(f, g)))).answer).toBe("unsat");
  });

  test("a model that takes functions for others than the evaluator does is no answer", async () => {
    const f = b.apply("f", bits(64), [x]);
    const answer = await solve(b.and(b.eq(f, c(64, 1)), b.ne(x, zero)));
    expect(answer).toEqual({ answer: "unknown", reason: "the model that z3-wasm gave does not reproduce" });
  });

  test("an abstraction's model is never an answer", async () => {
    // Satisfiable over uninterpreted products, not over real ones: x² is 0, 1 or 4 modulo 8.
    const answer = await solve(
      b.eq(b.extract(b.mul(b.variable("s", bits(8)), b.variable("s", bits(8))), 2, 0), c(3, 5)),
    );
    expect(answer.answer).toBe("unsat");
  });
});

describe("a model", () => {
  test("names every free variable of the assertions, even those that do not matter", async () => {
    const solver = await openSolver("auto");
    const f = b.variable("f", file(4, 8));
    const m = b.variable("m", memory(32));
    const x = b.variable("a name|with \\ bars", bits(8));
    const kept = b.apply("g", bits(8), [b.select(f, c(2, 0)), b.load(m, c(32, 0), 1)]);
    const answer = await solver.solve([b.or(b.eq(x, c(8, 5)), b.eq(kept, x)), b.ult(x, c(8, 6)), b.ult(c(8, 4), x)], {
      timeoutMs,
    });
    expect(answer.answer === "sat" ? [...answer.model.keys()].sort() : []).toEqual(["a name|with \\ bars", "f", "m"]);
    expect(answer.answer === "sat" ? answer.model.get(x.name) : undefined).toBe(5n);
    await solver.close();
  });

  test("of nothing is empty", async () => {
    const solver = await openSolver("auto");
    expect(await solver.solve([], { timeoutMs })).toEqual({ answer: "sat", model: new Map() });
    expect(await solver.solve([b.FALSE], { timeoutMs })).toEqual({ answer: "unsat" });
  });
});
