/**
 * From a violation to a counterexample that is readable on its own.
 */
import { disassemble } from "../assembly/disassemble.js";
import { bytesOfWord } from "../assembly/words.js";
import type { Code, Counterexample } from "../counterexample.js";
import { recordOfState } from "../counterexample-state.js";
import type { Obligation } from "../diagram.js";
import { abstract, type Violation } from "../execute/commute.js";
import { environment } from "../execute/concrete.js";
import type { State } from "../execute/state.js";
import type { Machine } from "../machine.js";
import type { MachineRefinement } from "../refinement.js";
import { Evaluator } from "../terms/evaluate.js";
import { machineOf, transitionOf } from "./case.js";
import type { Shrunk } from "./shrink.js";

export interface Found {
  readonly by: string;
  readonly solver: string | undefined;
  readonly seed: number | undefined;
  readonly date: string;
}

export function describe(
  refinement: MachineRefinement,
  obligation: Obligation,
  shrunk: Shrunk,
  found: Found,
): Counterexample {
  const { state, args } = shrunk.case;
  const { violation } = shrunk;
  const guestState = obligation.kind === "inverse" ? state : abstract(refinement, state);
  const guest = codeAt(refinement.guest, guestState);
  const step = transitionOf(refinement, obligation);
  return {
    title: titleOf(violation, obligation.kind === "commute" ? guest?.assembly[0] : undefined),
    refinement: refinement.name,
    obligation: violation.obligation,
    fault: refinement.fault,
    found,
    machines: { guest: refinement.guest.digest, host: refinement.host.digest },
    guest,
    host: obligation.kind === "inverse" ? undefined : codeAt(refinement.host, state),
    state: recordOfState(machineOf(refinement, obligation), state),
    inaccessible: shrunk.inaccessible,
    schedule: step === undefined ? [] : [{ transition: step.name, arguments: Object.fromEntries(args) }],
    differs: violation.differs,
    expect: "refuted",
    cause: { obligation: violation.obligation, variable: violation.differs[0]?.variable ?? "" },
  };
}

/** The instruction at the program counter of an ISA's state; undefined where there is none to fetch. */
export function codeAt(machine: Machine, state: State): Code | undefined {
  const isa = machine.instructionSet;
  const pc = isa === undefined ? undefined : state.get(isa.programCounter);
  if (isa === undefined || typeof pc !== "bigint") return undefined;
  const at = new Evaluator(environment(state));
  if (!at.holds(isa.fetchable)) return undefined;
  const word = at.number(isa.word);
  const code = Buffer.from(bytesOfWord(isa, word)).toString("hex");
  return { code, assembly: [disassemble(machine, word, pc)], pc };
}

/** One line: where, and what differs first. `assembly` is the guest instruction concerned, if there is one. */
export function titleOf(violation: Violation, assembly: string | undefined): string {
  const [kind, of] = violation.obligation.split("/");
  const first = violation.differs[0];
  if (first === undefined) return violation.obligation;
  const { variable, guest: expected, host: got } = first;
  const more = violation.differs.length > 1 ? ` (and ${violation.differs.length - 1} more)` : "";
  const step = assembly === undefined ? `${of}` : `${of} with \`${assembly}\``;
  switch (`${kind} ${variable}`) {
    case "initial initial":
      return "an initial host state stands for a guest state that is not initial";
    case "commute enabled":
      return `${step}: the host steps where the guest cannot`;
    case "materialize precise":
      return `at ${of} the state is not precise`;
    case "progress enabled":
      return "the host is stuck where the guest can go on";
    case "progress rank":
      return `${of} stutters and the rank does not fall: it is ${got}, not ${expected}`;
  }
  switch (kind) {
    case "initial":
      return `an initial host state breaks the invariant ${variable}${more}`;
    case "invariant":
      return `${of} breaks the invariant ${variable}${more}`;
    case "materialize":
      return `at ${of} ${variable} is seen as ${got}, not ${expected}${more}`;
    case "inverse":
      return `what γ makes of a guest state does not stand for it: ${variable} is ${got}, not ${expected}${more}`;
    default:
      return `${step}: ${variable} is ${expected} on the guest and ${got} on the host${more}`;
  }
}
