/**
 * What testing an emulator needs of its guest, whether its instructions have encodings or a library decodes them: obligations, cases of
 * each, and what the definition makes of a case.
 */
import type { Random } from "fast-check";
import type { Counterexample } from "../refinement/counterexample.js";
import { stateOfRecord } from "../refinement/counterexample-state.js";
import type { CaseRoom, EmulatorCase, Patch } from "../refinement/emulator.js";
import { UserError } from "../refinement/errors.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine } from "../refinement/machine.js";
import { MemoryValue } from "../refinement/terms/value.js";
import { Cases, type DrawnCase, type Subject, subjects } from "./emulator-cases.js";
import { codeOf, wordOf } from "./emulator-counterexample.js";
import { DecodedGuest } from "./emulator-decoded.js";
import { type Stepped, stepGuest } from "./emulator-step.js";
import { transplants } from "./emulator-transplant.js";

/** A source of randomness for each path of numbers: the same in every run. */
export type Draws = (...path: readonly number[]) => Random;

export interface EmulatedGuest<C extends EmulatorCase> {
  readonly machine: Machine;
  /** The obligations about single instructions, without their `commute/`. */
  readonly subjects: readonly string[];
  /** The n-th case of a subject; undefined where this draw makes none. */
  draw(subject: string, draws: Draws, n: number): C | undefined;
  /** Cases that are simpler in one respect, boldest first. */
  smaller(c: C): Iterable<C>;
  /** Whether cases of the subject write memory. */
  stores(subject: string): boolean;
  /**
   * One step of the definition; undefined where it is stuck. Of what it leaves open, it takes what `shown`, the state that the
   * emulator shows after the step, agrees with, as far as there is such a choice.
   */
  step(state: State, shown: State): Stepped | undefined;
  /** The instruction at the state's program counter. */
  code(state: State): Counterexample["guest"];
  /** The case that starts in the state of a counterexample; `data` is its memory but for the instruction. */
  caseIn(state: State, pc: bigint, data: readonly Patch[]): C;
  /** A program's step as a case in the emulator's room: the same instruction and registers, elsewhere. */
  transplants(state: State): Iterable<C>;
  /** The variable that holds the program counter. */
  readonly programCounter: string;
}

/** Calls `use` with the guest, whose cases are of one type or another. */
export async function withGuest<R>(
  machine: Machine,
  room: CaseRoom,
  use: <C extends EmulatorCase>(guest: EmulatedGuest<C>) => Promise<R>,
): Promise<R> {
  if (machine.decoded !== undefined) return use(await DecodedGuest.open(machine, room));
  return use(new EncodedGuest(machine, room));
}

class EncodedGuest implements EmulatedGuest<DrawnCase> {
  readonly machine: Machine;
  readonly programCounter: string;
  private readonly room: CaseRoom;
  private readonly cases: Cases;
  private readonly all: ReadonlyMap<string, Subject>;

  constructor(machine: Machine, room: CaseRoom) {
    if (machine.instructionSet === undefined) {
      throw new UserError(`${machine.name} is no instruction set that an emulator can run a case of`);
    }
    this.machine = machine;
    this.programCounter = machine.instructionSet.programCounter;
    this.room = room;
    this.cases = new Cases(machine, room);
    this.all = subjects(machine);
  }

  get subjects(): readonly string[] {
    return [...this.all.keys()];
  }

  draw(subject: string, draws: Draws, n: number): DrawnCase | undefined {
    const of = this.all.get(subject);
    return of === undefined ? undefined : this.cases.draw(draws(n), of);
  }

  smaller(c: DrawnCase): Iterable<DrawnCase> {
    return this.cases.smaller(c);
  }

  stores(subject: string): boolean {
    const of = this.all.get(subject);
    const memories = this.machine.variables.filter((v) => v.sort.kind === "memory");
    return of?.kind === "instruction" && memories.some((m) => of.instruction.effect.assigns.has(m.name));
  }

  step(state: State, shown?: State): Stepped | undefined {
    return stepGuest(this.machine, state, shown);
  }

  code(state: State): Counterexample["guest"] {
    return codeOf(this.machine, state);
  }

  caseIn(state: State, pc: bigint, data: readonly Patch[]): DrawnCase {
    const registers = new Map(
      [...state].filter(([name, v]) => name !== this.programCounter && !(v instanceof MemoryValue)),
    );
    return this.cases.assemble(pc, wordOf(this.machine, state), registers, data);
  }

  transplants(state: State): Iterable<DrawnCase> {
    return transplants(this.machine, this.room, this.cases, state);
  }
}

/** The case that a counterexample describes, in the emulator's room. */
export function caseOf<C extends EmulatorCase>(guest: EmulatedGuest<C>, counterexample: Counterexample): C {
  const state = stateOfRecord(guest.machine, counterexample.state, counterexample.inaccessible);
  const pc = state.get(guest.programCounter);
  if (typeof pc !== "bigint") throw new UserError(`the counterexample has no ${guest.programCounter}`);
  const data = Object.entries(counterexample.state).flatMap(([key, value]) => {
    const address = /\[(0x[0-9a-fA-F]+|\d+)\]$/.exec(key)?.[1];
    if (typeof value !== "string" || address === undefined || BigInt(address) === pc) return [];
    return [{ address: BigInt(address), bytes: new Uint8Array(Buffer.from(value, "hex")) }];
  });
  return guest.caseIn(state, pc, data);
}
