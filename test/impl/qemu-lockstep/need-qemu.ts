/** For tests that need QEMU and a compiler for its guests: the refinement, or a skipped test with what would install them. */
import path from "node:path";
import type { TestContext } from "vitest";
import { findProgram, missing } from "../../../impl/shared/programs.js";
import type { EmulatorRefinement } from "../../../refinement/refinement.js";
import { loadRefinement } from "../../../spec/notation/index.js";

export const FOLDER = path.resolve("impl/qemu-lockstep");

const loaded = new Map<string, Promise<EmulatorRefinement>>();

/** By the name of the file, of which there is one for each guest. */
export async function needQemu(ctx: TestContext, name = "refinement"): Promise<EmulatorRefinement> {
  for (const program of [name.includes("rv32") ? "qemu-riscv32" : "qemu-riscv64", "riscv64-linux-gnu-gcc"]) {
    if ((await findProgram(program)) === undefined) ctx.skip(`${program} is not installed: ${missing(program).remedy}`);
  }
  const refinement = loaded.get(name) ?? load(name);
  loaded.set(name, refinement);
  return refinement;
}

async function load(name: string): Promise<EmulatorRefinement> {
  const refinement = await loadRefinement(path.join(FOLDER, `${name}.yaml`));
  if (refinement.form !== "emulator") throw new Error("qemu-lockstep is a black box");
  return refinement;
}
