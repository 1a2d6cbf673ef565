/**
 * From a failing case to the counterexample that is shown, saved and replayed.
 */
import { bytesOfWord, disassemble } from "../refinement/assembly/index.js";
import type { Code, Counterexample, Difference } from "../refinement/counterexample.js";
import { recordOfState } from "../refinement/counterexample-state.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine } from "../refinement/machine.js";
import type { MachineRefinement } from "../refinement/refinement.js";
import { anatomyOf } from "./anatomy.js";
import { counterIn } from "./begin.js";
import type { Case } from "./case.js";
import { addressesOf, encodeProgram, type Program, readProgram } from "./program.js";
import type { Failure } from "./run.js";
import { deniedIn } from "./start.js";

export interface Found {
  readonly failing: Case;
  readonly failure: Failure;
  /** The state that the case begins with, of the machine that its origin names. */
  readonly origin: State;
  /** The state before the first step: the guest's for `inverse`, else the host's. */
  readonly state: State;
  /** The guest's state before the first step. */
  readonly guest: State;
  readonly seed: number;
  readonly date: string;
}

export function counterexampleOf(refinement: MachineRefinement, found: Found): Counterexample {
  const { failure, failing, state, guest, seed, date } = found;
  const machine = failure.obligation === "inverse" ? refinement.guest : refinement.host;
  const [first] = failure.differs;
  return {
    title: titleOf(failure.obligation, failure.differs),
    refinement: refinement.name,
    obligation: failure.obligation,
    fault: refinement.fault,
    found: { by: "test", solver: undefined, seed, date },
    machines: { guest: refinement.guest.digest, host: refinement.host.digest },
    guest: codeOf(refinement.guest, failing.program, guest),
    host: undefined,
    state: recordOfState(machine, state),
    inaccessible: deniedIn(state, found.origin, failing.start.inaccessible),
    schedule: failure.schedule,
    differs: failure.differs,
    expect: "refuted",
    cause: { obligation: failure.obligation, variable: first?.variable ?? "" },
  };
}

export function titleOf(obligation: string, differs: readonly Difference[]): string {
  const [first, ...more] = differs;
  if (first === undefined) return obligation;
  const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
  return `${obligation}: ${first.variable} is ${first.host}, and ought to be ${first.guest}${others}`;
}

function codeOf(machine: Machine, program: Program, guest: State): Code | undefined {
  const anatomy = anatomyOf(machine);
  if (anatomy === undefined) return undefined;
  const pc = counterIn(guest, anatomy.programCounter.name);
  // Without a program the guest executes what its memory happens to hold.
  const words = encodeProgram(anatomy, program.length > 0 ? program : readProgram(anatomy, guest, 1), pc);
  if (words.length === 0) return undefined;
  const addresses = addressesOf(anatomy, words, pc);
  return {
    code: words.map((word) => Buffer.from(bytesOfWord(anatomy.isa, word)).toString("hex")).join(" "),
    assembly: words.map((word, index) => disassemble(machine, word, addresses[index] ?? pc)),
    pc,
  };
}
