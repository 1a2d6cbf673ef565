/**
 * A refinement: why a host machine keeps the promise of a guest machine. Data only; `diagram.ts` makes obligations of it.
 */
import type { Effect, Machine, Parameter } from "./machine.js";
import type { Access, Term } from "./terms/term.js";

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
  /** Of a translator: the guest code that shows it, each a block in assembly. */
  readonly blocks: readonly string[];
  /** Of a translator with a runtime: guest programs, in assembly, that show it when they run. */
  readonly programs: readonly string[];
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
  readonly emulator: EmulatorSource;
}

/** What runs the guest's instructions. */
export type EmulatorSource =
  /** Absolute path of a module whose default export is an `EmulatorFactory` (emulator.ts), and the options that it validates. */
  | { readonly kind: "module"; readonly module: string; readonly options: unknown }
  /** A program that speaks the step protocol of docs/formats.md. */
  | { readonly kind: "command"; readonly program: ProgramSource; readonly room: RoomSource }
  /** A stub that speaks the GDB remote protocol. */
  | ({ readonly kind: "gdb"; readonly room: RoomSource } & StubSource);

/** A program of the user's, started in `directory`. */
export interface ProgramSource {
  readonly command: readonly string[];
  readonly directory: string;
  /** Milliseconds that it may take for one answer. */
  readonly timeoutMs: number;
}

export interface StubSource {
  /** `host:port`, or the path of a socket; undefined where the command's placeholder says where it listens. */
  readonly address: string | undefined;
  /** Starts the stub; undefined where it runs already. */
  readonly command: readonly string[] | undefined;
  readonly directory: string;
  /** Milliseconds that it may take for one answer. */
  readonly timeoutMs: number;
  /** A name of `ARCHITECTURES` (refinement/gdb.ts). */
  readonly architecture: string;
  /** For each guest variable, or element of a file, a register of the stub's; besides those that the architecture has. */
  readonly registers: ReadonlyMap<string, RegisterBits>;
  /** What a stop with a signal stands for: one of these traps. */
  readonly signals: ReadonlyMap<string, readonly string[]>;
}

/** Bits `high` to `low` of a register of a stub's, by its name; all of them where none are given. */
export interface RegisterBits {
  readonly register: string;
  readonly bits: { readonly high: number; readonly low: number } | undefined;
}

/** Where and what cases of an emulator can be that has no module of its own. */
export interface RoomSource {
  /** Disjoint. */
  readonly parts: readonly RoomPart[];
  /** Traps that the emulator cannot show: no case raises one. */
  readonly avoid: readonly string[];
  /** Guest variables that it neither takes nor shows: they are zero before each case, and not compared. */
  readonly hidden: readonly string[];
  /** Transitions of the guest for which there is no obligation, and why. */
  readonly exempt: ReadonlyMap<string, string>;
}

/** Guest addresses from `start` up to, not including, `end`. */
export interface RoomPart {
  readonly start: bigint;
  readonly end: bigint;
  readonly access: readonly Access[];
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
  /** The host's register that holds `at` wherever a translation is entered, if one does; it is preserved. */
  readonly register: string | undefined;
  /** Whether there may be memory that can be stored to and not loaded from. */
  readonly writeOnly: boolean;
}

/** What holds at some of a translation's places, where that is not what the refinement says of the entry: behind a prologue. */
export interface View {
  /** α there, whole. */
  readonly abstraction: ReadonlyMap<string, Term>;
  /** The guest's variables, and elements (`r[0]`), that anyone still looks at; `undefined`: all. */
  readonly seen: ReadonlySet<string> | undefined;
  /** What host registers held at the entry, over the host state here; what is left out holds it still. */
  readonly entry: ReadonlyMap<string, Term>;
  /** What holds besides, over the host state here. */
  readonly invariant: Term;
}

/** A host function that translated code may call: what happens from its entry to behind its return, its program counter included. */
export interface Helper {
  readonly name: string;
  /** What is left open: whatever the function leaves in registers that it does not preserve. */
  readonly choices: readonly Parameter[];
  /** Over the host state at its entry, and the choices. */
  readonly effect: Effect;
}

/** Where the host's machine code comes from. */
export type TranslatorSource =
  /** Absolute path of a module whose default export is a `TranslatorFactory` (translation.ts), and the options that it validates. */
  | { readonly kind: "module"; readonly module: string; readonly options: unknown }
  /** A program that speaks the protocol of docs/formats.md. */
  | ({
      readonly kind: "command";
      /** Whether it translates a whole program at a time: all of an executable segment of an ELF file. */
      readonly wholePrograms: boolean;
    } & ProgramSource);

/**
 * Where the host is known not to keep the promise: findings that were examined one by one, each told exactly by a guest that does as the
 * host does. What is refuted of the guest and proved of that one is wrong in no other way.
 */
export interface Known {
  /** The file of that guest's definition, and a digest of the whole with all the findings. */
  readonly guest: string;
  readonly digest: string;
  /** By finding, the parameter that has the guest do so. */
  readonly findings: ReadonlyMap<string, string>;
  /** α of the state that this guest has besides. */
  readonly abstraction: ReadonlyMap<string, Term>;
  /** Where a reader finds them. */
  readonly see: string;
}

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
  /** By name, for points, faults and exits that say so. */
  readonly views: ReadonlyMap<string, View>;
  /** Each memory of the guest's, by name, and the region that it is. */
  readonly memory: ReadonlyMap<string, string>;
  readonly regions: readonly Region[];
  /** No region reaches this host address; guest memory that would is inaccessible. */
  readonly limit: bigint;
  /** By the names that translations call them. */
  readonly helpers: ReadonlyMap<string, Helper>;
  /** Host variables that have at every exit the value that they had at the entry. */
  readonly preserve: readonly string[];
  /**
   * Over the host state where a block is entered or cut: whether an interrupt is requested. Only then may it be left for one with nothing
   * executed. `undefined` where the file does not say.
   */
  readonly request: Term | undefined;
  readonly known: Known | undefined;
}

export type Refinement = MachineRefinement | EmulatorRefinement | TranslatorRefinement;
