/**
 * A refinement: why a host machine keeps the promise of a guest machine. Data only; `diagram.ts` makes obligations of it.
 */
import type { Machine } from "./machine.js";
import type { Term } from "./terms/term.js";

/** `any` is one step of the guest, whichever transition is enabled: for an ISA, fetch, decode, execute. */
export type GuestStep =
  | { readonly kind: "any"; readonly choices: ReadonlyMap<string, Term> }
  | {
      readonly kind: "transition";
      readonly transition: string;
      /** One for each parameter of the guest transition, over the host state before and the host transition's parameters. */
      readonly arguments: readonly Term[];
      readonly choices: ReadonlyMap<string, Term>;
    };

/** Under `condition` (over the host state before and the host transition's parameters) the host step stands for `steps`. */
export interface StepCase {
  readonly condition: Term;
  readonly steps: readonly GuestStep[];
  /** The step is the environment's doing (an interrupt's arrival): it stutters, but no rank has to fall. Printed as an assumption. */
  readonly environment: boolean;
}

export interface Named {
  readonly name: string;
  readonly term: Term;
}

/** A point at which something outside can see the guest state. */
export interface MaterializationPoint {
  readonly name: string;
  /** The host states in which the host can be interrupted here. */
  readonly at: Term;
  /** μ: new values of the host variables that it changes, over the host state before. */
  readonly by: ReadonlyMap<string, Term>;
  /** Must hold after μ; `true` where the file names none. */
  readonly precise: Term;
  /** Where the environment finds each guest variable after μ, over the host state after μ. Defaults to the abstraction. */
  readonly view: ReadonlyMap<string, Term>;
  /** The guest steps that materialization itself completes, by cases; usually none. */
  readonly steps: readonly StepCase[];
}

/** A seeded fault: a mistake that real implementers have made. */
export interface Fault {
  readonly name: string;
  /** One sentence: what is wrong. */
  readonly title: string;
  /** Where the mistake is known from. */
  readonly source: string | undefined;
  /** The obligation (a glob) and guest variable that must be found guilty. */
  readonly obligation: string;
  readonly variable: string | undefined;
  /** Every uninterrupted run is right. */
  readonly materialization: boolean;
}

export interface Assumption {
  readonly text: string;
  /** Over host state; `undefined` where the sentence is not a formula. */
  readonly condition: Term | undefined;
}

interface Common {
  readonly name: string;
  readonly title: string;
  readonly kind: string;
  readonly file: string;
  readonly guest: Machine;
  readonly assumptions: readonly Assumption[];
  readonly faults: readonly Fault[];
  /** The seeded fault that this refinement was loaded with. */
  readonly fault: string | undefined;
  /** Guest feature → host feature, for `explain`. */
  readonly mapping: readonly { readonly guest: string; readonly host: string }[];
}

/** Guest and host are both machine definitions. */
export interface MachineRefinement extends Common {
  readonly form: "machine";
  readonly host: Machine;
  /** α: a term of each guest variable's sort over host state (a file is usually a `lambda`). `trap` and `trap.value` included. */
  readonly abstraction: ReadonlyMap<string, Term>;
  /** Conjuncts of I. */
  readonly invariant: readonly Named[];
  /** For each host transition, cases in order: the first whose condition holds applies; the last one's is `true`. */
  readonly steps: ReadonlyMap<string, readonly StepCase[]>;
  /** ρ, a bit vector over host state, compared unsigned; `undefined` where no transition stutters. */
  readonly rank: Term | undefined;
  readonly materialize: readonly MaterializationPoint[];
  /** γ: a term of each host variable's sort over guest state. */
  readonly concretize: ReadonlyMap<string, Term> | undefined;
  /** Extra conditions on initial host states for exploration, by name: each is explored whole. */
  readonly explore: readonly Named[];
  /** Host transitions that the environment schedules at any time in tests (interrupts), rather than the host itself. */
  readonly environment: readonly string[];
}

/** The host is a program that cannot show its code: it is run in lockstep with the guest's definition. */
export interface EmulatorRefinement extends Common {
  readonly form: "emulator";
  /** Absolute path of the module whose default export is an `EmulatorFactory` (emulator.ts). */
  readonly module: string;
  /** The options of the file's `emulator:` entry, validated by the module. */
  readonly options: unknown;
}

export type Refinement = MachineRefinement | EmulatorRefinement;
