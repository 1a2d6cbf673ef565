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

/** A part of the host's memory; the parts are disjoint, mapped (what the guest can access of its own), and lie below `limit`. */
export type Region = BasedRegion | GuestRegion;

/** Addresses from `base` − `below` up to, not including, `base` + `size`, where `base` is a register's value at the entry. */
export interface BasedRegion {
  readonly kind: "based";
  readonly name: string;
  readonly base: string;
  readonly below: bigint;
  readonly size: bigint;
}

/** The guest's memory: its address a is the host's address a + `at`. */
export interface GuestRegion {
  readonly kind: "guest";
  readonly name: string;
  readonly at: bigint;
}

/** Where the host's machine code comes from. */
export type TranslatorSource =
  /** Absolute path of a module whose default export is a `TranslatorFactory` (translation.ts), and the options that it validates. */
  | { readonly kind: "module"; readonly module: string; readonly options: unknown }
  /** A program that speaks the protocol of docs/formats.md, started in `directory`. */
  | {
      readonly kind: "command";
      readonly command: readonly string[];
      readonly directory: string;
      /** Milliseconds that it may take for one answer. */
      readonly timeoutMs: number;
    };

/** The host is an instruction set, and a program translates the guest's code into its: each translation is validated. */
export interface TranslatorRefinement extends Common {
  readonly form: "translator";
  readonly host: Machine;
  readonly translator: TranslatorSource;
  /**
   * α where the translator says that it holds: a term over host state for each guest scalar and file; for the program counter only
   * where the file gives one. Memories are in `memory`; no trap is pending.
   */
  readonly abstraction: ReadonlyMap<string, Term>;
  /** Each memory of the guest's, by name, and the region that it is. */
  readonly memory: ReadonlyMap<string, string>;
  readonly regions: readonly Region[];
  /** No region reaches this host address; guest memory that would is inaccessible. */
  readonly limit: bigint;
  /** Host variables that have at every exit the value that they had at the entry. */
  readonly preserve: readonly string[];
}

export type Refinement = MachineRefinement | EmulatorRefinement | TranslatorRefinement;
