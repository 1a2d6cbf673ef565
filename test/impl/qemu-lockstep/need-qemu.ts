/** For tests that need QEMU and a compiler for its guests: the refinement, or a skipped test with what would install them. */
import path from "node:path";
import type { TestContext } from "vitest";
import { findProgram, missing } from "../../../impl/qemu-lockstep/toolchain.js";
import type { EmulatorRefinement } from "../../../refinement/refinement.js";
import { loadRefinement } from "../../../spec/notation/index.js";

export const FOLDER = path.resolve("impl/qemu-lockstep");

let loaded: Promise<EmulatorRefinement> | undefined;

export async function needQemu(ctx: TestContext): Promise<EmulatorRefinement> {
  for (const program of ["qemu-riscv64", "riscv64-linux-gnu-gcc"]) {
    if ((await findProgram(program)) === undefined) ctx.skip(`${program} is not installed: ${missing(program).remedy}`);
  }
  loaded ??= load();
  return loaded;
}

async function load(): Promise<EmulatorRefinement> {
  const refinement = await loadRefinement(path.join(FOLDER, "refinement.yaml"));
  if (refinement.form !== "emulator") throw new Error("qemu-lockstep is a black box");
  return refinement;
}
