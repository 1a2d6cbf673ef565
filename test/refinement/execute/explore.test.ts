import { describe, expect, it } from "vitest";
import { enumerateStates } from "../../../refinement/execute/enumerate.js";
import { explore } from "../../../refinement/execute/explore.js";
import { and, constant, eq, load, select, TRUE, ult } from "../../../refinement/terms/build.js";
import { FileValue, MemoryValue } from "../../../refinement/terms/value.js";
import { BOOLEAN, machine, state, word } from "../diagram/by-hand.js";
import { type Break, counter } from "../diagram/counter.js";

const limit = 1 << 16;

describe("enumerating states", () => {
  const f = { kind: "file", count: 3, element: word(2) } as const;
  const m = { kind: "memory", address: 1 } as const;
  const small = machine("small", {
    state: { a: word(3), b: BOOLEAN, f, m, e: { kind: "enum", name: "", members: ["x", "y", "z"] } },
    fixed: { f: { 0: 2n } },
    transitions: {},
  });
  const fixed = [
    eq(select(state("f", f), constant(2, 1n)), constant(2, 3n)),
    eq(load(state("m", m), constant(1, 0n), 2), constant(16, 0x1234n)),
  ];

  it("tries everything that is not fixed", () => {
    const states = enumerateStates(small, [small.wellFormed, ...fixed], limit);
    if ("free" in states) throw new Error(`too many: ${states.free}`);
    expect(states.length).toBe(8 * 2 * 4 * 3);
    for (const s of states) {
      const file = s.get("f");
      expect(file instanceof FileValue && file.elements.slice(0, 2)).toEqual([2n, 3n]);
      const memory = s.get("m");
      expect(memory instanceof MemoryValue && memory.load(0n, 2)).toBe(0x1234n);
    }
  });

  it("heeds conditions that are no equalities", () => {
    const below = ult(state("a", word(3)), constant(3, 3n));
    const states = enumerateStates(small, [small.wellFormed, ...fixed, and(below, state("b", BOOLEAN))], limit);
    expect("free" in states ? states.free : states.length).toBe(3 * 4 * 3);
  });

  it("names what is free where that is too much", () => {
    const wide = machine("wide", { state: { w: word(32) }, transitions: {} });
    expect(enumerateStates(wide, [TRUE], limit)).toEqual({ free: "w" });
    const bytes = { kind: "memory", address: 4 } as const;
    const bytesFree = enumerateStates(machine("bytes", { state: { m: bytes }, transitions: {} }), [], 1000);
    expect(bytesFree).toHaveProperty("free");
  });
});

describe("exploration", () => {
  const from = (low: bigint, high: bigint) => ({
    name: "start",
    term: and(
      ...(["next", "tval"] as const).map((v) =>
        eq(state(v, word(v === "next" ? 2 : 4)), constant(v === "next" ? 2 : 4, 0n)),
      ),
      eq(state("carry", BOOLEAN), eq(constant(1, 0n), constant(1, 1n))),
      eq(state("low", word(2)), constant(2, low)),
      eq(state("high", word(2)), constant(2, high)),
    ),
  });

  it("visits every reachable state and nothing else", async () => {
    const found = await explore(counter(), from(0n, 0n), { limit, aftermath: limit });
    // Sixteen counts, ready or not, and the stopped state; next and carry keep what the last commit left.
    expect(found).toMatchObject({ states: 33, trails: [], incomplete: undefined });
    expect([...found.judged].sort()).toEqual([
      "commute/commit",
      "commute/prepare",
      "initial",
      "invariant/commit",
      "invariant/prepare",
      "materialize/interrupt",
      "progress",
      "progress/prepare",
    ]);
  });

  const shortest: readonly [Break, string, number][] = [
    ["invariant", "invariant/prepare", 5],
    ["commute", "commute/commit/tick", 8],
    ["trap", "commute/commit/tick", 30],
    ["progress", "progress/prepare", 1],
    ["stuck", "progress", 5],
    ["materialize", "materialize/interrupt", 0],
    ["enabled", "commute/commit/enabled", 34],
  ];
  it.each(shortest)("finds the shortest way to a fault in %s", async (broken, obligation, length) => {
    const found = await explore(counter(broken), from(0n, 0n), { limit, aftermath: limit });
    const trail = found.trails.find((t) => t.violation.obligation === obligation);
    expect(trail?.schedule.length ?? found.trails.map((t) => t.violation.obligation)).toBe(length);
  });

  it("goes on for a while after a violation, for other causes", async () => {
    const whole = await explore(counter("materialize"), from(0n, 0n), { limit, aftermath: limit });
    expect(whole.incomplete).toBeUndefined();
    const soon = await explore(counter("materialize"), from(0n, 0n), { limit, aftermath: 1 });
    expect(soon.trails).toEqual(whole.trails.slice(0, 1));
    expect(soon.incomplete).toMatchObject({ by: "states", reason: expect.stringContaining("first counterexample") });
    const right = await explore(counter(), from(0n, 0n), { limit, aftermath: 0 });
    expect(right.incomplete).toBeUndefined();
  });

  it("says when it is not complete", async () => {
    const few = await explore(counter(), from(0n, 0n), { limit: 10, aftermath: limit });
    expect(few.incomplete?.by).toBe("states");
    const stopped = new AbortController();
    stopped.abort();
    const none = await explore(counter(), from(0n, 0n), { limit, aftermath: limit, signal: stopped.signal });
    expect(none.incomplete?.by).toBe("interrupted");
  });
});
