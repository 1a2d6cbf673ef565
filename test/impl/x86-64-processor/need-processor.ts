/** For tests that need an x86-64 processor with Linux and a compiler for it: the refinement, or a skipped test with the reason. */
import path from "node:path";
import type { TestContext } from "vitest";
import factory from "../../../impl/x86-64-processor/emulator.js";
import type { CaseRoom, Emulator } from "../../../refinement/emulator.js";
import type { Machine } from "../../../refinement/machine.js";
import type { EmulatorRefinement } from "../../../refinement/refinement.js";
import { loadRefinement } from "../../../spec/notation/index.js";

export const FOLDER = path.resolve("impl/x86-64-processor");

let loaded: Promise<EmulatorRefinement> | undefined;

async function load(): Promise<EmulatorRefinement> {
  const refinement = await loadRefinement(path.join(FOLDER, "refinement.yaml"));
  if (refinement.form !== "emulator") throw new Error("x86-64-processor is a black box");
  return refinement;
}

export async function needProcessor(ctx: TestContext): Promise<EmulatorRefinement> {
  loaded ??= load();
  const refinement = await loaded;
  await (await openProcessor(ctx, refinement.guest)).close();
  return refinement;
}

export async function openProcessor(ctx: TestContext, guest: Machine): Promise<Emulator & { readonly room: CaseRoom }> {
  const opened = await factory(guest, {}, FOLDER);
  if ("missing" in opened) return ctx.skip(opened.missing.map((m) => `${m.program} is absent: ${m.remedy}`).join("; "));
  const { emulator } = opened;
  if (!hasRoom(emulator)) throw new Error("a processor runs single instructions");
  return emulator;
}

function hasRoom(emulator: Emulator): emulator is Emulator & { readonly room: CaseRoom } {
  return emulator.room !== undefined;
}
