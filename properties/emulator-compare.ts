/**
 * One case through the guest's definition and the emulator, and the comparison of every variable that the emulator shows.
 */
import type { Difference } from "../refinement/counterexample.js";
import type { Emulator, EmulatorCase, Seen } from "../refinement/emulator.js";
import { InternalDefect } from "../refinement/errors.js";
import { differences } from "../refinement/execute/difference.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine } from "../refinement/machine.js";
import { variableOf } from "../refinement/execute/difference.js";
import type { EmulatedGuest } from "./emulator-guest.js";

export interface Compared<C extends EmulatorCase> {
  readonly of: C;
  /** The guest's transition; undefined where the definition is stuck. */
  readonly transition: string | undefined;
  readonly differs: readonly Difference[];
  /** What the emulator says that it cannot do. */
  readonly unsupported: string | undefined;
}

/** Differences between the state that the definition has and what the emulator shows; variables that it does not show agree. */
export function differsFrom(guest: Machine, expected: State, shown: State): Difference[] {
  return differences(guest, expected, new Map([...expected, ...shown]));
}

/** Cases and what came of them, in order. A definition that is stuck is expected to have changed nothing. */
export async function* compareAll<C extends EmulatorCase>(
  guest: EmulatedGuest<C>,
  emulator: Emulator,
  cases: readonly C[],
  signal: AbortSignal,
): AsyncGenerator<Compared<C>> {
  let index = 0;
  for await (const shown of emulator.execute(cases, signal)) {
    const of = cases[index++];
    if (of === undefined) return;
    yield compared(guest, of, shown);
  }
}

/** Of several states that the emulator may be in, the one that agrees; the first where none does. */
function compared<C extends EmulatorCase>(guest: EmulatedGuest<C>, of: C, seen: Seen): Compared<C> {
  if ("unsupported" in seen) {
    const expected = guest.step(of.state, of.state);
    return { of, transition: expected?.transition, differs: [], unsupported: seen.unsupported };
  }
  const all = ("either" in seen ? seen.either : [seen]).map((shown): Compared<C> => {
    const expected = guest.step(of.state, shown);
    const differs = differsFrom(guest.machine, expected?.state ?? of.state, shown);
    return { of, transition: expected?.transition, differs, unsupported: undefined };
  });
  const found = all.find((c) => c.differs.length === 0) ?? all[0];
  if (found === undefined) throw new InternalDefect("an emulator is in no state");
  return found;
}

/** Variables in which the two differ: what tells one bug from another. */
export function culprits(differs: readonly Difference[]): ReadonlySet<string> {
  return new Set(differs.map((d) => variableOf(d.variable)));
}
