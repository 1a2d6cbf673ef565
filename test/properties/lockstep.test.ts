import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { testRefinement, type TestResult } from "../../properties/lockstep.js";
import { matches } from "../../refinement/campaign/options.js";
import type { Counterexample } from "../../refinement/counterexample.js";
import { writeCounterexample } from "../../refinement/counterexample-file.js";
import { variableOf } from "../../refinement/execute/difference.js";
import { replayFile } from "../../refinement/replay.js";
import { toy } from "./toys.js";

const SEED = 42;
const DATE = "2026-11-22";

function refuted(results: readonly TestResult[]): readonly Counterexample[] {
  return results.flatMap(({ verdict }) => (verdict.verdict === "refuted" ? [verdict.counterexample] : []));
}

function instructions(c: Counterexample): number {
  return c.guest === undefined ? 0 : c.guest.code.split(" ").length;
}

describe("a right host", () => {
  test.each(["toy", "counter"])("%s passes, and everything in it was executed", async (name) => {
    const results = await testRefinement(await toy(name), { seed: SEED, cases: 800 });
    expect(results.map((r) => [r.name, r.verdict.verdict])).toEqual(
      [
        "initial",
        ...(name === "toy" ? ["inverse"] : []),
        "invariant/*",
        "commute/*",
        "progress/*",
        ...(name === "toy" ? ["materialize/*"] : []),
      ].map((family) => [family, "tested"]),
    );
    for (const { coverage } of results) {
      for (const counts of [coverage.host, coverage.guest, coverage.points]) {
        for (const [what, count] of counts) expect(count, what).toBeGreaterThan(0);
      }
    }
  });

  test("the verdict says how many cases really ran, and the seed", async () => {
    const results = await testRefinement(await toy("toy"), { seed: 7, cases: 100 });
    for (const { verdict, coverage } of results) {
      if (verdict.verdict !== "tested") throw new Error(verdict.verdict);
      expect(verdict.seed).toBe(7);
      expect(verdict.cases).toBeGreaterThan(0);
      expect(coverage.runs).toBeLessThanOrEqual(100);
    }
  });
});

const faults = [
  ["toy", "add-wrong"],
  ["toy", "stale"],
  ["toy", "fault-address"],
  ["toy", "illegal-runs"],
  ["toy", "interrupt-next"],
  ["toy", "livelock"],
  ["toy", "boundary-wrong"],
  ["counter", "borrow-four"],
  ["counter", "most-forgets"],
] as const;

describe.each(faults)("%s with %s", (name, fault) => {
  test("is found, small, for the right reason, and replays from its file", async () => {
    const refinement = await toy(name, fault);
    const declared = refinement.faults.find((f) => f.name === fault);
    if (declared === undefined) throw new Error(`no fault ${fault}`);
    const found = refuted(await testRefinement(refinement, { seed: SEED, cases: 4000, date: DATE }));
    const expected = found.filter(
      (c) =>
        matches(declared.obligation, c.obligation) && matches(declared.variable ?? "*", variableOf(c.cause.variable)),
    );
    expect(expected, found.map((c) => c.obligation).join(" ")).not.toEqual([]);
    const causes = found.map((c) => `${c.obligation} ${variableOf(c.cause.variable)}`);
    expect(new Set(causes).size).toBe(causes.length);
    expect(causes.length).toBeLessThanOrEqual(5);

    const folder = await mkdtemp(join(tmpdir(), "commute-"));
    try {
      for (const c of found) {
        expect(instructions(c)).toBeLessThan(6);
        expect(c.schedule.length).toBeLessThan(16);
        const file = await writeCounterexample(folder, c);
        const again = await replayFile(file, { load: (which, seeded) => toy(which, seeded) });
        expect(again).toMatchObject({ expect: "refuted", got: "refuted", ok: true });
        const mended = await replayFile(file, { load: (which) => toy(which) });
        expect(mended).toMatchObject({ got: "holds", ok: false });
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("what is found", () => {
  test.each([
    ["toy", "illegal-runs"],
    ["toy", "interrupt-next"],
    ["counter", "most-forgets"],
  ])("is exactly the same with the same seed: %s with %s", async (name, fault) => {
    const once = await testRefinement(await toy(name, fault), { seed: SEED, cases: 1500, date: DATE });
    const twice = await testRefinement(await toy(name, fault), { seed: SEED, cases: 1500, date: DATE });
    expect(refuted(once)).not.toEqual([]);
    expect(twice).toEqual(once);
    const otherwise = await testRefinement(await toy(name, fault), { seed: SEED + 1, cases: 1500, date: DATE });
    expect(otherwise.map((r) => r.coverage)).not.toEqual(once.map((r) => r.coverage));
  });

  test("a fault of materialization shows through interrupts only", async () => {
    const broken = await toy("toy", "interrupt-next");
    const found = refuted(await testRefinement(broken, { seed: SEED, cases: 2000 }));
    expect([...new Set(found.map((c) => c.obligation))]).toEqual(["materialize/interrupt"]);
    for (const c of found) expect(c.schedule.some((s) => s.transition === "interrupt")).toBe(true);
    const quiet = { ...broken, environment: [], steps: broken.steps, host: without(broken, "interrupt") };
    const results = await testRefinement(quiet, { seed: SEED, cases: 2000 });
    expect(refuted(results)).toEqual([]);
    expect(results.find((r) => r.name === "materialize/*")?.verdict.verdict).toBe("vacuous");
  });
});

function without({ host }: Awaited<ReturnType<typeof toy>>, name: string): typeof host {
  return { ...host, transitions: host.transitions.filter((t) => t.name !== name) };
}

describe("nothing tested is not success", () => {
  test("a host that never moves", async () => {
    const right = await toy("toy");
    const results = await testRefinement(
      { ...right, host: { ...right.host, transitions: [] } },
      { seed: SEED, cases: 50 },
    );
    const of = (name: string): string | undefined => results.find((r) => r.name === name)?.verdict.verdict;
    expect([of("commute/*"), of("invariant/*"), of("materialize/*")]).toEqual(["vacuous", "vacuous", "vacuous"]);
    expect(refuted(results).map((c) => c.obligation)).toEqual(["progress"]);
  });

  test("a host that only stutters", async () => {
    const right = await toy("toy");
    const results = await testRefinement({ ...right, host: without(right, "execute") }, { seed: SEED, cases: 50 });
    expect(results.find((r) => r.name === "commute/*")?.verdict.verdict).toBe("tested"); // fetch faults are guest steps too
    const stuttering = { ...right, host: without({ ...right, host: without(right, "execute") }, "fetch_stop") };
    const none = await testRefinement(stuttering, { seed: SEED, cases: 50 });
    expect(none.find((r) => r.name === "commute/*")?.verdict).toMatchObject({ verdict: "vacuous" });
  });

  test("no case at all", async () => {
    const results = await testRefinement(await toy("toy"), { seed: SEED, cases: 0 });
    for (const { verdict } of results) expect(verdict.verdict).toBe("vacuous");
  });
});

test("an interruption ends the run and is no verdict", async () => {
  const controller = new AbortController();
  let told = 0;
  const results = await testRefinement(await toy("toy"), {
    seed: SEED,
    cases: 1_000_000,
    signal: controller.signal,
    onProgress: (done, total) => {
      told++;
      expect(done).toBeLessThanOrEqual(total);
      controller.abort();
    },
  });
  expect(told).toBeGreaterThan(0);
  for (const { verdict } of results) expect(verdict.verdict).toBe("unknown");
});
