/**
 * Black boxes: an emulator that is run in lockstep with the guest machine's definition. An implementation's module
 * (`emulator: { module: … }` in a refinement file) exports an `EmulatorFactory` as default.
 */
import type { Machine } from "./machine.js";
import type { State } from "./execute/state.js";
import type { MemoryValue, Value } from "./terms/value.js";

/** A program that is needed and absent, and what would install it. */
export interface Missing {
  readonly program: string;
  readonly remedy: string;
}

/**
 * The scalar guest state an emulator shows before an instruction: every variable but memory and the trap, by name. Other names
 * are what its own `Pacing` looks at.
 */
export type Snapshot = State;

/** What is seen of a program's run, in order: the state before each instruction, then what memory holds at its end. */
export type TraceEvent =
  | { readonly kind: "state"; readonly state: Snapshot }
  | { readonly kind: "memory"; readonly address: bigint; readonly bytes: Uint8Array };

export interface EmulatorProgram {
  readonly name: string;
  /** Path of an ELF file. */
  readonly elf: string;
}

/** Bytes that a case's memory holds instead of those of the room. */
export interface Patch {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** One instruction from a given state, whose memory is the room's with `patches` (the instruction among them). */
export interface EmulatorCase {
  readonly state: State;
  readonly patches: readonly Patch[];
}

export interface Range {
  readonly start: bigint;
  /** The first address behind it. */
  readonly end: bigint;
}

/** Where an emulator can run single instructions, and on what memory. */
export interface CaseRoom {
  /** Contents and permissions that every case starts from. */
  readonly memory: MemoryValue;
  /** Where instructions may stand. */
  readonly code: readonly Range[];
  /** Where loads and stores, or loads alone, succeed. */
  readonly data: readonly Range[];
  /**
   * Whether it can run this case. `dear` cases cost as much as some thousand others; an `impossible` one would leave the
   * room (an access to the emulator's own memory, a system call that does something) or never end.
   */
  cost(state: State): "cheap" | "dear" | "impossible";
  /** What the host lacks to run this case's instruction, where that is why it is impossible. */
  lacks?(state: State): string | undefined;
  /** Variables that have one value in every case. */
  readonly fixed?: ReadonlyMap<string, Value>;
  /** Of a room that knows no instructions: what the step touches and raises, by the guest's definition, decides. */
  readonly confined?: Confinement;
}

export interface Confinement {
  /** A case is impossible if it touches memory elsewhere. */
  readonly within: readonly Range[];
  /** A case is impossible if it raises one of these traps. */
  readonly without: ReadonlySet<string>;
}

/** What an emulator shows of a step. */
export type Seen =
  /** A variable that it cannot show is absent. */
  | State
  /** One of these: what it shows stands for several states, as a signal does for several traps. */
  | { readonly either: readonly State[] }
  /** It says itself that it cannot do what the case asks. */
  | { readonly unsupported: string };

/**
 * How a definition keeps step that takes its own traps and interrupts. Its transitions that are no instruction and no trap of
 * fetching happen between what the emulator shows.
 */
export interface Pacing {
  /** What the environment makes of the state, so that the next one shown can be: signals, time. Only what changes. */
  inputs(state: State, shown: Snapshot): State;
  /** Whether the program has come to its end. */
  ended(state: State): boolean;
}

/** Whole programs under an emulator that shows the state between instructions. */
export interface Tracing {
  /** Real programs to run in lockstep. Builds them if need be. */
  programs(): Promise<readonly EmulatorProgram[]>;
  /** What memory holds and grants when the program begins. */
  memoryOf(program: EmulatorProgram): Promise<MemoryValue>;
  trace(program: EmulatorProgram, signal: AbortSignal): AsyncIterable<TraceEvent>;
  /**
   * What the environment makes of a trap of a program (a system call): the state in which the guest goes on, for which it may
   * look at what the emulator shows next; `undefined` where the program ends, or should never have trapped.
   */
  resume(trapped: State, next: Snapshot): State | undefined;
  /** Of a machine that takes its own traps and interrupts. */
  readonly pacing?: Pacing;
}

export interface Emulator {
  /** Absent where only single instructions are compared. */
  readonly tracing?: Tracing;
  /** Absent where only whole programs are compared. */
  readonly room: CaseRoom | undefined;
  /** Transitions of the guest that it cannot show at all, by name, and why: there is no obligation for them. */
  readonly exempt?: ReadonlyMap<string, string>;
  /**
   * Runs cases in order; each answer is the guest state after one step, trap included; memory is the case's with what the
   * instruction wrote. Throws an EnvironmentFailure where the emulator fails at a case; it can be asked again.
   */
  execute(cases: readonly EmulatorCase[], signal: AbortSignal): AsyncIterable<Seen>;
  /** Everything an answer depends on, for the cache and the report: the program's version, the host's features. */
  readonly identity: string;
  close(): Promise<void>;
}

export type EmulatorFactory = (
  guest: Machine,
  options: unknown,
  directory: string,
) => Promise<{ readonly emulator: Emulator } | { readonly missing: readonly Missing[] }>;
