/** The saved counterexamples: one for each seeded fault, refuted with it and right without. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { readCounterexample } from "../refinement/counterexample-file.js";
import type { Refinement } from "../refinement/refinement.js";
import { replay } from "../refinement/replay.js";
import { loadRefinement } from "../spec/notation/index.js";

const ROOT = path.resolve("counterexamples");

/** A translator plants its faults itself: the machines are the same with and without, and need not be read again. */
async function planted(right: Refinement, fault: string): Promise<Refinement> {
  return right.form === "translator" ? { ...right, fault } : loadRefinement(right.file, { fault });
}

describe.each(await readdir(ROOT))("%s", async (name) => {
  const right = await loadRefinement(`impl/${name}/refinement.yaml`);

  test("every seeded fault has one", async () => {
    const files = await readdir(path.join(ROOT, name));
    expect(files.sort()).toEqual(right.faults.map((f) => `${f.name}.yaml`).sort());
  });

  test.each(right.faults.map((f) => f.name))("%s", { timeout: 120_000 }, async (fault) => {
    const c = await readCounterexample(path.join(ROOT, name, `${fault}.yaml`));
    expect(c).toMatchObject({ refinement: name, fault, expect: "refuted" });
    expect(await replay(await planted(right, fault), c, {})).toMatchObject({ got: "refuted", ok: true });
    expect(await replay(right, { ...c, fault: undefined, expect: "holds" }, {})).toMatchObject({ got: "holds" });
  });
});
