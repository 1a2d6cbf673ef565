/** Of emulators, for tests: what they are opened with, and what they show. */
import type { Seen } from "../refinement/emulator.js";
import type { EmulatorRefinement } from "../refinement/refinement.js";
import type { State } from "../refinement/execute/state.js";

/** The options that the refinement's module takes. */
export function moduleOptions({ name, emulator }: EmulatorRefinement): unknown {
  if (emulator.kind !== "module") throw new Error(`${name} has no module`);
  return emulator.options;
}

/** The one state that an emulator shows. */
export function stateOf(seen: Seen): State {
  if ("either" in seen || "unsupported" in seen) throw new Error("the emulator does not show one state");
  return seen;
}
