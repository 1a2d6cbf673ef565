/** The saved counterexamples: of each seeded fault at least one, refuted with it and right without. */
import { access, readdir } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { Counterexample } from "../refinement/counterexample.js";
import { readCounterexample } from "../refinement/counterexample-file.js";
import type { Refinement } from "../refinement/refinement.js";
import { replay } from "../refinement/replay.js";
import { loadRefinement } from "../spec/notation/index.js";

/** VMs with seeded faults, but for black boxes, whose cases only run where their programs are installed. */
async function withFaults(): Promise<readonly Refinement[]> {
  const found: Refinement[] = [];
  for (const name of await readdir("impl")) {
    const file = path.join("impl", name, "refinement.yaml");
    const exists = await access(file).then(
      () => true,
      () => false,
    );
    const refinement = exists ? await loadRefinement(file) : undefined;
    if (refinement === undefined || refinement.form === "emulator") continue;
    if (refinement.faults.length > 0) found.push(refinement);
  }
  return found;
}

async function saved(name: string): Promise<readonly Counterexample[]> {
  const folder = path.join("counterexamples", name);
  const files = await readdir(folder);
  return Promise.all(files.map((file) => readCounterexample(path.join(folder, file))));
}

/** A translator plants its faults itself: the machines are the same with and without, and need not be read again. */
async function planted(right: Refinement, fault: string): Promise<Refinement> {
  return right.form === "translator" ? { ...right, fault } : loadRefinement(right.file, { fault });
}

const all = await withFaults();

test("every folder is of a VM with seeded faults, and each of these has one", async () => {
  expect((await readdir("counterexamples")).sort()).toEqual(all.map((r) => r.name).sort());
});

describe.each(all.map((r) => [r.name, r] as const))("%s", async (name, right) => {
  const cases = await saved(name);

  test("each fault has one, and each is of a fault", () => {
    const of = new Set(cases.map((c) => c.fault));
    expect([...of].sort()).toEqual(right.faults.map((f) => f.name).sort());
  });

  test.each(cases.map((c) => [c.fault ?? "", c] as const))("%s", { timeout: 120_000 }, async (fault, c) => {
    expect(c).toMatchObject({ refinement: name, expect: "refuted" });
    expect(await replay(await planted(right, fault), c, {})).toMatchObject({ got: "refuted", ok: true });
    expect(await replay(right, { ...c, fault: undefined, expect: "holds" }, {})).toMatchObject({ got: "holds" });
  });
});
