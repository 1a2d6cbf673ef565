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

const VMS = ["tiny-interpreter", "tiny-pipeline", "interpreter", "pipeline"];
const faults = (
  await Promise.all(VMS.map(async (name) => (await vm(name)).faults.map((f) => ({ ...f, vm: name }))))
).flat();
const named = (list: typeof faults) => list.map((f) => [f.vm, f.name] as const);
const ofMaterialization = faults.filter((f) => f.materialization);

describe.each(VMS)("%s", (name) => {
  test("as it is, nothing is found, and everything in it is executed", async () => {
    const refinement = await vm(name);
    const results = await testRefinement(refinement, { seed: 42 });
    expect(results.map((r) => r.verdict.verdict)).toEqual(results.map(() => "tested"));
    for (const { coverage } of results.slice(0, 1)) {
      for (const counts of [coverage.host, coverage.guest, coverage.points]) {
        for (const [what, count] of counts) expect(count, what).toBeGreaterThan(0);
      }
    }
  });
});

describe("seeded faults", () => {
  test.each(VMS)("%s has eight at least, two of them of materialization", (name) => {
    expect(faults.filter((f) => f.vm === name).length).toBeGreaterThanOrEqual(8);
    expect(ofMaterialization.filter((f) => f.vm === name).length).toBeGreaterThanOrEqual(2);
  });

  test.each(named(faults))("%s with %s", async (name, fault) => finds(name, fault));

  test("an interrupt that must come at one moment moves with the program that shrinks", async () => {
    const all = await found(await vm("tiny-pipeline", "interrupt-early"));
    expect(all.length).toBeGreaterThan(2);
    for (const c of all) {
      expect(c.guest?.code).toMatch(/^\S+$/);
      expect(c.schedule.length).toBeLessThan(5);
    }
  });

  test.each(named(ofMaterialization))("%s with %s: every run that nothing interrupts is right", async (name, fault) => {
    const { host, ...rest } = await vm(name, fault);
    const transitions = host.transitions.filter((t) => !t.name.includes("interrupt"));
    expect(transitions.length).toBeLessThan(host.transitions.length);
    const uninterrupted = { ...rest, environment: [], materialize: [], host: { ...host, transitions } };
    const results = await testRefinement(uninterrupted, { seed: 42, cases: 3000 });
    expect(results.map((r) => [r.name, r.verdict.verdict])).toEqual(results.map((r) => [r.name, "tested"]));
    for (const [what, count] of results[0]?.coverage.guest ?? []) expect(count, what).toBeGreaterThan(0);
  });
});
