/**
 * Where a run starts: a state whose memories grant everything, and what the environment denies, as data.
 */
import type { Counterexample } from "../refinement/counterexample.js";
import type { State } from "../refinement/execute/state.js";
import { MemoryValue } from "../refinement/terms/value.js";
import { withPermissions } from "../refinement/counterexample-state.js";

/** Bytes of a memory to which the environment denies an access. */
export type Inaccessible = Counterexample["inaccessible"][number];

export interface Start {
  readonly state: State;
  readonly inaccessible: readonly Inaccessible[];
}

/**
 * What is denied in `state`, whose memories come from those of `origin`: a machine that hands a memory on hands on its
 * permissions.
 */
export function deniedIn(state: State, origin: State, denied: readonly Inaccessible[]): readonly Inaccessible[] {
  return [...state].flatMap(([name, value]) => {
    if (!(value instanceof MemoryValue)) return [];
    return denied.flatMap((one) => {
      const source = origin.get(one.memory);
      const same = source instanceof MemoryValue && source.permissions === value.permissions;
      return same ? [{ ...one, memory: name }] : [];
    });
  });
}

/** The state with its permissions, ready to run. */
export function running(start: Start): State {
  return withPermissions(start.state, start.inaccessible);
}
