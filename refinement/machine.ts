/**
 * A machine: state variables, an initial condition and named transitions. The one interface between what is specified
 * (spec, impl) and what checks it. Nothing here knows whether it looks at an ISA, a pipeline or a kernel's handle table.
 */
import type { Sort } from "./terms/sort.js";
import type { Access, Term } from "./terms/term.js";

/**
 * The type a variable was declared with, after records are flattened: `latch: record { valid: bool, pc: bits(32) }` is the
 * two variables `latch.valid` and `latch.pc`, and a file of records is a file for each field. The sort says how values are
 * represented (an enum as bits(⌈log2 n⌉), a file of bools as a file of bits(1)), the type how they are shown.
 */
export type Type = ScalarType | FileType | MemoryType;
export type ScalarType = BitsType | BoolType | EnumType;

export interface BitsType {
  readonly kind: "bits";
  readonly width: number;
}
export interface BoolType {
  readonly kind: "bool";
}
export interface EnumType {
  readonly kind: "enum";
  /** The declared name, or "" where the enum was written in place. */
  readonly name: string;
  /** Member k is represented by the value k. */
  readonly members: readonly string[];
}
export interface FileType {
  readonly kind: "file";
  readonly count: number;
  readonly element: ScalarType;
}
export interface MemoryType {
  readonly kind: "memory";
  /** Address width in bits. */
  readonly address: number;
}

export interface StateVariable {
  readonly name: string;
  readonly type: Type;
  readonly sort: Sort;
  /** The term that stands for the variable's value in the state before: `var` of this name and sort. */
  readonly term: Term;
  /** Elements that read a constant and swallow writes, as x[0] of RISC-V. */
  readonly fixed: ReadonlyMap<number, bigint>;
  /** For memory: the trap that an inaccessible access raises; an access without one is not checked. */
  readonly faults: Readonly<Partial<Record<Access, string>>>;
  /** `trap` and `trap.value`, which every machine with traps has without declaring them. */
  readonly implicit: boolean;
}

/** A named value from outside a transition: a parameter, an operand field of an instruction, a choice left open. */
export interface Parameter {
  readonly name: string;
  readonly type: ScalarType;
  /** A `var` named `transition(parameter)`, so that no state variable can clash with it. */
  readonly term: Term;
}

/**
 * A trap that the machine can raise. A machine with traps has two more state variables: `trap`, an enum of `none` and the
 * trap names in order of declaration, and `trap.value`, the arguments, last one lowest, zero-extended to the widest trap's
 * total (1 bit if no trap has arguments). While `trap` is not `none` no transition of the machine is enabled: resuming is
 * the environment's business.
 */
export interface TrapDeclaration {
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly type: ScalarType }[];
  /** Value of `trap`: 1, 2, … in order of declaration. */
  readonly code: number;
  /** The architecture's own cause number, where the definition gives one. */
  readonly cause: number | undefined;
}

/** One way in which a transition ends in a trap instead of its assignments. */
export interface Raise {
  readonly condition: Term;
  readonly trap: string;
  readonly arguments: readonly Term[];
}

/**
 * What a transition does, over the state before. If no raise's condition holds, every variable in `assigns` takes its new
 * value and the others keep theirs. Otherwise the first raise whose condition holds decides: nothing but `trap` and
 * `trap.value` changes.
 */
export interface Effect {
  readonly raises: readonly Raise[];
  readonly assigns: ReadonlyMap<string, Term>;
}

export interface Transition {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** Values that the definition leaves open (`choose`). */
  readonly choices: readonly Parameter[];
  /** Includes `trap == none` in a machine with traps. */
  readonly guard: Term;
  readonly effect: Effect;
  /** The instruction that this transition executes, if it is one. */
  readonly instruction: Instruction | undefined;
}

/** Field bits `lo … lo + width − 1` stand at word bits `at … at + width − 1`. */
export interface FieldPiece {
  readonly at: number;
  readonly lo: number;
  readonly width: number;
}

/** An operand of an instruction; bits that no piece covers are 0. */
export interface Field extends Parameter {
  readonly width: number;
  readonly pieces: readonly FieldPiece[];
}

export interface Encoding {
  /** Bits in the instruction word, a multiple of 8 unless the machine fetches from a file. */
  readonly width: number;
  /** A word w is this instruction iff w & mask == match and its fields satisfy `constraint`. */
  readonly mask: bigint;
  readonly match: bigint;
  readonly fields: readonly Field[];
  /** Over the fields' variables: words for which it does not hold are not this instruction (`where`, `except`). */
  readonly constraint?: Term;
}

export interface Instruction {
  readonly name: string;
  readonly encoding: Encoding;
  /** The syntax, as in `addi rd, rs1, imm`; undefined where the block gives none. */
  readonly assembly: string | undefined;
  readonly choices: readonly Parameter[];
  /** Over the state and the fields' own variables; the transition of the same name has the fetched word's bits instead. */
  readonly effect: Effect;
  /** Where the block stands. */
  readonly line: number;
}

export interface InstructionSet {
  /** The variable that `next` assigns. */
  readonly programCounter: string;
  /** The fetched word over the state before, and whether it may be fetched. */
  readonly word: Term;
  readonly fetchable: Term;
  /** Bytes by which the program counter advances; 1 for a machine that fetches from a file. */
  readonly length: number;
  readonly wordWidth: number;
  readonly instructions: readonly Instruction[];
  /** How registers and numbers are written in assembly: file name → element names, e.g. x → zero, ra, sp, … */
  readonly registerNames: ReadonlyMap<string, readonly string[]>;
  /** For each instruction and field: the file that the field indexes, if it is only used so (`rd` → `x`). */
  readonly fieldFiles: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

export interface Machine {
  readonly name: string;
  readonly title: string;
  readonly source: string | undefined;
  /** Path of the file that defines it. */
  readonly file: string;
  /** In order of declaration; `trap` and `trap.value` last. */
  readonly variables: readonly StateVariable[];
  readonly traps: readonly TrapDeclaration[];
  /** What the types say: enums in range, fixed elements at their values. Assumed of every state. */
  readonly wellFormed: Term;
  /** Holds of the initial states, `trap == none` included. */
  readonly initial: Term;
  /** Of an ISA: its instructions by name, then `fetch_fault` and `illegal` where it has them. */
  readonly transitions: readonly Transition[];
  readonly instructionSet: InstructionSet | undefined;
  /** SHA-256 of everything the definition was read from, in hexadecimal: a cache's and a counterexample's key. */
  readonly digest: string;
}

export function variable(machine: Machine, name: string): StateVariable | undefined {
  return machine.variables.find((v) => v.name === name);
}

export function transition(machine: Machine, name: string): Transition | undefined {
  return machine.transitions.find((t) => t.name === name);
}

/** `cache.valid` of element 3 is written as in the notation, `cache[3].valid`; `x` of element 3 is `x[3]`. */
export function elementName(name: string, index: number | bigint | string): string {
  const dot = name.indexOf(".");
  return dot < 0 ? `${name}[${index}]` : `${name.slice(0, dot)}[${index}]${name.slice(dot)}`;
}
