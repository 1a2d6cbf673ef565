/**
 * One step of the guest's definition, to compare an emulator's with.
 */
import { decode } from "../refinement/assembly/index.js";
import { InternalDefect } from "../refinement/errors.js";
import { enabled, enabledTransitions, environment, fire } from "../refinement/execute/concrete.js";
import type { State } from "../refinement/execute/state.js";
import { type Machine, transition } from "../refinement/machine.js";
import { Evaluator } from "../refinement/terms/evaluate.js";
import type { Access } from "../refinement/terms/term.js";
import { MemoryValue, type Value } from "../refinement/terms/value.js";
import { agreeing } from "./emulator-choices.js";

export interface Stepped {
  /** Name of the transition. */
  readonly transition: string;
  readonly state: State;
}

/** Undefined where no transition is enabled. What the definition leaves open is chosen as the emulator shows it, if that is given. */
export function stepGuest(guest: Machine, state: State, shown?: State): Stepped | undefined {
  const isa = guest.instructionSet;
  if (isa === undefined) throw new InternalDefect(`${guest.name} is no instruction set`);
  const at = new Evaluator(environment(state));
  const decoded = at.holds(isa.fetchable) ? decode(guest, at.number(isa.word)) : undefined;
  const likely = decoded === undefined ? undefined : transition(guest, decoded.instruction.name);
  const next = likely !== undefined && enabled(guest, likely, state) ? likely : enabledTransitions(guest, state)[0];
  if (next === undefined) return undefined;
  const after =
    shown === undefined
      ? fire(guest, next, state)
      : agreeing(guest, next.choices, (choices) => fire(guest, next, state, choices), shown);
  return { transition: next.name, state: after };
}

export interface Touched {
  readonly stepped: Stepped | undefined;
  /** Addresses of bytes that the step read or asked permission for, by the last access that was asked for. */
  readonly granted: ReadonlyMap<bigint, Access>;
  readonly denied: ReadonlyMap<bigint, Access>;
}

/** The step once more, with an account of the memory that it touches. */
export function stepRecording(guest: Machine, state: State): Touched {
  return recording(state, (watched) => stepGuest(guest, watched));
}

/** A step with an account of the memory that it touches. */
export function recording(state: State, step: (watched: State) => Stepped | undefined): Touched {
  const granted = new Map<bigint, Access>();
  const denied = new Map<bigint, Access>();
  const watched = new Map<string, Value>();
  for (const [name, value] of state) {
    if (!(value instanceof MemoryValue)) continue;
    const { permissions } = value;
    const watch = (access: Access, address: bigint): boolean => {
      const allowed = permissions(access, address);
      (allowed ? granted : denied).set(address, access);
      return allowed;
    };
    watched.set(name, value.withPermissions(watch));
  }
  return { stepped: step(new Map([...state, ...watched])), granted, denied };
}
