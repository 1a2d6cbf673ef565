/** For tests that need bpf(2): the refinement and its emulator, or a skipped test with what would permit it. */
import path from "node:path";
import type { TestContext } from "vitest";
import factory from "../../../impl/ebpf-linux/emulator.js";
import type { Emulator } from "../../../refinement/emulator.js";
import type { EmulatorRefinement } from "../../../refinement/refinement.js";
import { loadRefinement } from "../../../spec/notation/index.js";
import { moduleOptions } from "../../emulation.js";

export const FOLDER = path.resolve("impl/ebpf-linux");

async function load(): Promise<EmulatorRefinement> {
  const refinement = await loadRefinement(path.join(FOLDER, "refinement.yaml"));
  if (refinement.form !== "emulator") throw new Error("ebpf-linux is a black box");
  return refinement;
}
export const refinement = await load();

export function open(): ReturnType<typeof factory> {
  return factory(refinement.guest, moduleOptions(refinement), FOLDER);
}

/** The caller closes it. */
export async function needKernel(ctx: TestContext): Promise<Emulator> {
  const opened = await open();
  if ("emulator" in opened) return opened.emulator;
  return ctx.skip(opened.missing.map((m) => `${m.program} is missing: ${m.remedy}`).join("; "));
}
