/** Of emulators, for tests: what they are opened with, and what they show. */
import type { Counterexample } from "../refinement/counterexample.js";
import type { Seen } from "../refinement/emulator.js";
import type { EmulatorRefinement } from "../refinement/refinement.js";
import type { State } from "../refinement/execute/state.js";

/** The options that the refinement's module takes. */
export function moduleOptions({ name, emulator }: EmulatorRefinement): unknown {
  if (emulator.kind !== "module") throw new Error(`${name} has no module`);
  return emulator.options;
}

/** A counterexample of an emulator's, as a file would have it. */
export function caseOf(
  { name, guest }: EmulatorRefinement,
  found: Pick<Counterexample, "title" | "cause" | "state" | "inaccessible">,
): Counterexample {
  return {
    ...found,
    refinement: name,
    obligation: found.cause.obligation,
    fault: undefined,
    found: { by: "test", solver: undefined, seed: 1, date: "2026-11-27" },
    machines: { guest: guest.digest, host: "" },
    guest: undefined,
    host: undefined,
    schedule: [],
    differs: [],
    expect: "refuted",
  };
}

/** The one state that an emulator shows. */
export function stateOf(seen: Seen): State {
  if ("either" in seen || "unsupported" in seen) throw new Error("the emulator does not show one state");
  return seen;
}
