/** For tests that need QEMU's system emulators and an assembler: a refinement, or a skipped test with what would install them. */
import path from "node:path";
import type { TestContext } from "vitest";
import { findProgram, missing } from "../../../impl/shared/programs.js";
import type { EmulatorRefinement } from "../../../refinement/refinement.js";
import { type Files, loadRefinement } from "../../../spec/notation/index.js";
import { nodeFiles } from "../../../spec/notation/files.js";

export const FOLDER = path.resolve("impl/qemu-system-lockstep");

export async function needQemu(ctx: TestContext, xlen: 32 | 64, files: Files = nodeFiles): Promise<EmulatorRefinement> {
  for (const program of [`qemu-system-riscv${xlen}`, "riscv64-linux-gnu-gcc"]) {
    if ((await findProgram(program)) === undefined) ctx.skip(`${program} is not installed: ${missing(program).remedy}`);
  }
  const refinement = await loadRefinement(path.join(FOLDER, `rv${xlen}.yaml`), { files });
  if (refinement.form !== "emulator") throw new Error("qemu-system-lockstep is a black box");
  return refinement;
}
