/**
 * A translator's runtime beside the guest's definition: the engine is stopped now and then, and the guest's state that it shows must be one
 * that the definition comes to after the one before, in every variable; a trap must be the definition's next one.
 */
import { Simulator } from "../compile/simulator.js";
import type { Difference, ScheduledStep } from "../counterexample.js";
import { differences, valueIn } from "../execute/difference.js";
import { type Engine, EngineFailure, type RunOutcome } from "../execute/engine.js";
import type { State } from "../execute/state.js";
import type { Machine } from "../machine.js";
import { hex } from "./regions.js";

/** Guest instructions that a step of the engine can stand for, at most, and those that one block can. */
const STEPS = 16;
const BLOCK = 64;
/** So many traps are passed over. */
const MOST_TRAPS = 24;
/** Bytes to the next instruction, or into the one that trapped. */
const BEHIND = 4n;

export interface LockstepOutcome {
  /** Empty where everything was the same. */
  readonly differs: readonly Difference[];
  /** How often the two were compared, and the guest instructions between them. */
  readonly compared: number;
  readonly steps: number;
}

/** What a counterexample's schedule says of the steps between two looks, and the other way round. */
export function slicesOf(schedule: readonly ScheduledStep[]): readonly number[] {
  return schedule.map((step) => Number(step.arguments["steps"] ?? 0n));
}

export function scheduleOf(slices: readonly number[]): readonly ScheduledStep[] {
  return slices.map((steps) => ({ transition: "run", arguments: { steps: BigInt(steps) } }));
}

/**
 * Both run from `start`, the engine for so many steps between two looks at it, to the end of the slices. A trap is passed over, as by a
 * handler that returns behind the instruction.
 */
export function lockstep(guest: Machine, engine: Engine, start: State, slices: Iterable<number>): LockstepOutcome {
  const reference = new Simulator(guest);
  reference.load(start);
  for (const v of guest.variables) {
    const value = start.get(v.name);
    if (value !== undefined) engine.write(v.name, value);
  }
  let [compared, traps] = [0, 0];
  for (const slice of slices) {
    compared++;
    const outcome = ran(engine, slice);
    if (outcome instanceof EngineFailure) {
      const differs = [{ variable: "host", guest: "goes on", host: outcome.message }];
      return { differs, compared, steps: reference.steps };
    }
    const differs =
      outcome.reason === "limit"
        ? follow(guest, reference, engine, outcome)
        : trapped(guest, reference, engine, outcome);
    if (differs.length > 0) return { differs, compared, steps: reference.steps };
    if (outcome.reason === "limit") continue;
    if (++traps === MOST_TRAPS) break;
    for (const one of [reference, engine]) passOver(guest, one);
  }
  return { differs: [], compared, steps: reference.steps };
}

function ran(engine: Engine, steps: number): RunOutcome | EngineFailure {
  try {
    return engine.run(steps);
  } catch (error) {
    if (error instanceof EngineFailure) return error;
    throw error;
  }
}

function passOver(guest: Machine, engine: Engine): void {
  const counter = guest.instructionSet?.programCounter ?? "pc";
  const width = guest.variables.find((v) => v.name === counter)?.sort;
  engine.write("trap", 0n);
  engine.write("trap.value", 0n);
  engine.write(counter, BigInt.asUintN(width?.kind === "bits" ? width.width : 64, engine.scalar(counter) + BEHIND));
}

/** The definition is run to where the engine is: what differs where it comes nearest, or nothing. */
function follow(guest: Machine, reference: Simulator, engine: Engine, { steps }: RunOutcome): readonly Difference[] {
  const counter = guest.instructionSet?.programCounter ?? "pc";
  const pc = engine.scalar(counter);
  const shown = new Map(guest.variables.map((v) => [v.name, engine.read(v.name)]));
  let nearest: readonly Difference[] | undefined;
  for (let left = STEPS * steps + BLOCK; left >= 0; left--) {
    if (reference.scalar(counter) === pc) {
      const differs = differencesOf(guest, reference, shown);
      if (differs.length === 0) return [];
      if (nearest === undefined || differs.length < nearest.length) nearest = differs;
    }
    if (reference.step().reason !== "limit")
      return nearest ?? [{ variable: "trap", guest: trapIn(guest, reference), host: "none" }];
  }
  return nearest ?? [{ variable: counter, guest: hex(reference.scalar(counter)), host: hex(pc) }];
}

/** The definition is run to its next trap. */
function trapped(guest: Machine, reference: Simulator, engine: Engine, { steps }: RunOutcome): readonly Difference[] {
  const shown = new Map(guest.variables.map((v) => [v.name, engine.read(v.name)]));
  for (let left = STEPS * steps + BLOCK; left >= 0; left--) {
    if (reference.step().reason !== "limit") return differencesOf(guest, reference, shown);
  }
  return [{ variable: "trap", guest: "none", host: trapIn(guest, engine) }];
}

/** Memory, which costs most, is looked at where the rest is the same. */
function differencesOf(guest: Machine, reference: Simulator, shown: State): readonly Difference[] {
  const small = guest.variables.filter((v) => v.sort.kind !== "memory");
  const found = compare({ ...guest, variables: small }, reference, shown);
  return found.length > 0 ? found : compare(guest, reference, shown);
}

function compare(guest: Machine, reference: Simulator, shown: State): readonly Difference[] {
  const expected = new Map(guest.variables.map((v) => [v.name, reference.read(v.name)]));
  return differences(guest, expected, new Map(guest.variables.map((v) => [v.name, valueIn(shown, v)])));
}

function trapIn(guest: Machine, engine: Pick<Engine, "scalar">): string {
  const code = engine.scalar("trap");
  return guest.traps.find((t) => BigInt(t.code) === code)?.name ?? "none";
}
