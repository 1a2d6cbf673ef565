/**
 * Where a run starts: a state whose memories grant everything, and what the environment denies, as data.
 */
import type { Counterexample } from "../refinement/counterexample.js";
import type { State } from "../refinement/execute/state.js";
import { withPermissions } from "../refinement/counterexample-state.js";

/** Bytes of a memory to which the environment denies an access. */
export type Inaccessible = Counterexample["inaccessible"][number];

export interface Start {
  readonly state: State;
  readonly inaccessible: readonly Inaccessible[];
}

/** The state with its permissions, ready to run. */
export function running(start: Start): State {
  return withPermissions(start.state, start.inaccessible);
}
