import { describe, expect, test } from "vitest";
import { testRefinement } from "../../properties/lockstep.js";
import { matches } from "../../refinement/campaign/options.js";
import type { Counterexample } from "../../refinement/counterexample.js";
import { variableOf } from "../../refinement/execute/difference.js";
import { replay } from "../../refinement/replay.js";
import type { MachineRefinement } from "../../refinement/refinement.js";
import { loadRefinement } from "../../spec/notation/index.js";

async function vm(name: string, fault?: string): Promise<MachineRefinement> {
  const refinement = await loadRefinement(`impl/${name}/refinement.yaml`, fault === undefined ? {} : { fault });
  if (refinement.form !== "machine") throw new Error(`${name} is a black box`);
  return refinement;
}

async function found(refinement: MachineRefinement): Promise<readonly Counterexample[]> {
  const results = await testRefinement(refinement, { seed: 42 });
  return results.flatMap(({ verdict }) => (verdict.verdict === "refuted" ? [verdict.counterexample] : []));
}

/** Testing alone finds each of these, and describes it in a few instructions that replay. */
async function finds(name: string, fault: string): Promise<void> {
  const refinement = await vm(name, fault);
  const declared = refinement.faults.find((f) => f.name === fault);
  if (declared === undefined) throw new Error(`${name} has no fault ${fault}`);
  const all = await found(refinement);
  const right = all.filter(
    (c) =>
      matches(declared.obligation, c.obligation) && matches(declared.variable ?? "*", variableOf(c.cause.variable)),
  );
  expect(right, all.map((c) => `${c.obligation} ${c.cause.variable}`).join(", ")).not.toEqual([]);
  for (const c of all) {
    expect(c.guest?.code.split(" ").length ?? 0).toBeLessThan(6);
    expect(await replay(refinement, c, {})).toMatchObject({ got: "refuted", ok: true });
  }
}

const tiny = ["tiny-interpreter", "tiny-pipeline"];
const faults = await Promise.all(tiny.map(async (name) => (await vm(name)).faults.map((f) => [name, f.name] as const)));

describe.each(["tiny-interpreter", "tiny-pipeline", "interpreter", "pipeline"])("%s", (name) => {
  test("as it is, nothing is found, and everything in it is executed", async () => {
    const refinement = await vm(name);
    const results = await testRefinement(refinement, { seed: 42 });
    expect(results.map((r) => r.verdict.verdict)).toEqual(results.map(() => "tested"));
    for (const { coverage } of results.slice(0, 1)) {
      expect(coverage.stuck).toBe(0);
      for (const counts of [coverage.host, coverage.guest, coverage.points]) {
        for (const [what, count] of counts) expect(count, what).toBeGreaterThan(0);
      }
    }
  });
});

test.each(faults.flat())("%s with %s", async (name, fault) => finds(name, fault));

// The rarest of the faults: an interrupt at the right moment, one pair of operands, a store into the instruction behind it.
test.each([
  ["interpreter", "divide-overflow"],
  ["interpreter", "stale-straddle"],
  ["interpreter", "unwind-four"],
  ["pipeline", "interrupt-early"],
  ["pipeline", "stale-fetch-from-mem"],
  ["pipeline", "forward-oldest"],
])("%s with %s", async (name, fault) => finds(name, fault));
