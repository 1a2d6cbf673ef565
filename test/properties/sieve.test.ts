import { describe, expect, test } from "vitest";
import { programs } from "../../properties/arbitraries/programs.js";
import { Cases } from "../../properties/case.js";
import { CoverageCounter } from "../../properties/coverage.js";
import { randomAt } from "../../properties/random.js";
import { Sieve } from "../../properties/sieve.js";
import { schedulable } from "../../properties/schedule.js";
import type { MachineRefinement } from "../../refinement/refinement.js";
import { loadRefinement } from "../../spec/notation/index.js";
import { toy } from "./toys.js";

async function vm(name: string, fault?: string): Promise<MachineRefinement> {
  const refinement = await loadRefinement(`impl/${name}/refinement.yaml`, fault === undefined ? {} : { fault });
  if (refinement.form !== "machine") throw new Error(`${name} is a black box`);
  return refinement;
}

describe("what runs at speed agrees with the reference", () => {
  test.each([
    ["toy", () => toy("toy"), false],
    ["toy, wrong", () => toy("toy", "illegal-runs"), true],
    ["toy, livelocked", () => toy("toy", "livelock"), true],
    ["toy, imprecise", () => toy("toy", "interrupt-next"), true],
    ["toy, stale", () => toy("toy", "stale"), true],
    ["tiny-pipeline", () => vm("tiny-pipeline"), false],
    ["tiny-pipeline, wrong", () => vm("tiny-pipeline", "no-forward-register"), true],
    ["interpreter, wrong", () => vm("interpreter", "stale-code"), true],
    ["pipeline, wrong", () => vm("pipeline", "no-squash"), true],
  ])("%s", async (_, load, wrong) => {
    const refinement = await load();
    const cases = new Cases(refinement);
    expect(cases.atSpeed).toBe(true);
    let suspicions = 0;
    for (let i = 0; i < 60; i++) {
      const drawn = cases.draw(
        randomAt(i, 1),
        i % 4 === 0 ? "host" : "guest",
        programs(refinement.guest).draw(randomAt(i)),
      );
      const sieved = cases.sieve(drawn, 60);
      const coverage = new CoverageCounter(refinement);
      const outcome = cases.run(drawn, coverage, { hostSteps: 60, guestSteps: Number.MAX_SAFE_INTEGER });
      if (sieved === undefined || sieved === "elsewhere" || outcome === undefined) {
        expect([sieved, outcome]).toEqual(["elsewhere", undefined]);
        continue;
      }
      // At speed nobody looks at the materialization points of the first state.
      if (outcome.failures.length > 0 && outcome.failures[0]?.schedule.length === 0) continue;
      expect(sieved.suspicion !== undefined, `case ${i}: ${sieved.suspicion}`).toBe(outcome.failures.length > 0);
      if (sieved.suspicion === undefined)
        expect([sieved.hostSteps, sieved.guestSteps]).toEqual([coverage.hostSteps, coverage.guestSteps]);
      else {
        suspicions++;
        expect(sieved.hostSteps).toBe(coverage.hostSteps);
      }
    }
    expect(suspicions > 0).toBe(wrong);
  });
});

test("a host that takes arguments from the schedule is left to the reference", async () => {
  const counter = await toy("counter");
  expect(Sieve.of(counter, schedulable(counter))).toBeUndefined();
  expect(new Cases(counter).atSpeed).toBe(false);
});
