/** What it costs to run a case, whether the room says so itself or the guest's definition does. */
import type { CaseRoom } from "../refinement/emulator.js";
import type { State } from "../refinement/execute/state.js";
import type { EmulatedGuest } from "./emulator-guest.js";
import { recording } from "./emulator-step.js";

type Stepper = Pick<EmulatedGuest<never>, "machine" | "step">;

export function costOf(guest: Stepper, room: CaseRoom, state: State): ReturnType<CaseRoom["cost"]> {
  const cost = room.cost(state);
  const { confined } = room;
  if (cost === "impossible" || confined === undefined) return cost;
  const touched = recording(state, (watched) => guest.step(watched, watched));
  for (const address of [...touched.granted.keys(), ...touched.denied.keys()])
    if (!confined.within.some((range) => address >= range.start && address < range.end)) return "impossible";
  const code = touched.stepped?.state.get("trap");
  const trap = guest.machine.traps.find((t) => BigInt(t.code) === code);
  if (trap !== undefined && confined.without.has(trap.name)) return "impossible";
  return cost;
}
