/**
 * A machine: state variables, an initial condition and named transitions. The one interface between what is specified
 * (spec, impl) and what checks it. Nothing here knows whether it looks at an ISA, a pipeline or a kernel's handle table.
 */
import type { DecodedInstruction, Segment } from "./decoded.js";
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
  /** The same assignments by cases, where a trap that the machine takes itself divides them: what a compiler wants. */
  readonly cases?: {
    readonly condition: Term;
    readonly taken: ReadonlyMap<string, Term>;
    readonly otherwise: ReadonlyMap<string, Term>;
  };
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
  /** Bits of the instruction, a multiple of 8 unless the machine fetches from a file. */
  readonly width: number;
  /** Addresses that the instruction takes: bytes, or elements of the file that it is fetched from. */
  readonly length: number;
  /** A word is this instruction iff its low bits w have w & mask == match and the fields satisfy `constraint`. */
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
  /** The instruction that it stands for, as a compressed one does, and that one's operands over the fields of this one. */
  readonly expands: { readonly instruction: string; readonly operands: ReadonlyMap<string, Term> } | undefined;
  /** Where the block stands. */
  readonly line: number;
}

/** How instructions are fetched: in parcels, of which the first says how many there are. */
export interface Parcels {
  /** Bits of a parcel, and the addresses that it takes. */
  readonly width: number;
  readonly length: number;
  /** The variable that stands for the first parcel in `instructionLength`. */
  readonly first: Term;
  /** The addresses that the instruction takes which begins with the parcel `first`. */
  readonly instructionLength: Term;
  /** All lengths that there are, ascending. */
  readonly lengths: readonly number[];
}

/** The file that an operand field indexes, and the element that its value 0 names. */
export interface FieldFile {
  readonly file: string;
  readonly first: number;
}

export interface InstructionSet {
  /** The variable that `next` assigns. */
  readonly programCounter: string;
  /**
   * The fetched word over the state before, as wide as the longest instruction: a shorter one stands in its low bits, below
   * zeros. And whether it may be fetched.
   */
  readonly word: Term;
  readonly fetchable: Term;
  /** Whether the machine fetches at all in this state, besides that no trap is pending. */
  readonly ready: Term;
  readonly wordWidth: number;
  readonly parcels: Parcels;
  readonly instructions: readonly Instruction[];
  /** How registers and numbers are written in assembly: file name → element names, e.g. x → zero, ra, sp, … */
  readonly registerNames: ReadonlyMap<string, readonly string[]>;
  /** How the values of operand fields are spelled in assembly, where they have names of their own. */
  readonly spelling: ReadonlyMap<string, readonly string[]>;
  /** For each instruction and field: the file that the field indexes, if it is only used so (`rd` → `x`). */
  readonly fieldFiles: ReadonlyMap<string, ReadonlyMap<string, FieldFile>>;
}

/** A block of an instruction set that a library decodes: one meaning for all widths and places of its operands. */
export interface DecodedBlock {
  /** Unique; several blocks may share a mnemonic, and differ in number or kind of their operands. */
  readonly name: string;
  readonly mnemonic: string;
  readonly operands: readonly OperandPattern[];
  /** Widths of the operands whose pattern gives none: they are all of one. */
  readonly widths: readonly number[];
  /** Where the block stands. */
  readonly line: number;
}

export type OperandKind = "register" | "memory" | "immediate" | "address" | "target";

export interface OperandPattern {
  readonly name: string;
  /** `address`: memory whose address alone is used. */
  readonly kinds: readonly OperandKind[];
  readonly widths: readonly number[] | undefined;
}

/** What a block does to operands of one form: kinds, widths, registers; numbers in the code (immediates and the like) are open. */
export interface DecodedForm {
  readonly kind: "form";
  readonly block: DecodedBlock;
  /** What the code's numbers are: `length`, immediates, displacements. */
  readonly parameters: readonly Parameter[];
  readonly choices: readonly Parameter[];
  /** Over the state before, the parameters and the choices. */
  readonly effect: Effect;
  /** The parameters' values in an instruction of this form, in order. */
  values(instruction: DecodedInstruction): readonly bigint[];
}

/** No block of the machine is for such an instruction. */
export interface UnsupportedForm {
  readonly kind: "unsupported";
  readonly reason: string;
}

/** An instruction set whose encoding no bit pattern can carry: a library decodes, and the machine executes. */
export interface DecodedInstructionSet {
  /** The library's name. */
  readonly decoder: string;
  /** The variable that `next` assigns. */
  readonly programCounter: string;
  /** The memory that instructions are fetched from, the address of the next one over the state before, and its greatest length. */
  readonly memory: string;
  readonly address: Term;
  readonly most: number;
  /** The trap of bytes that are no instruction, and of those that are a longer one than may be; else they are like the others. */
  readonly illegal: string | undefined;
  readonly overlong: string | undefined;
  /** The variables behind the decoder's register numbers. */
  readonly registers: readonly string[];
  /** The variables that hold the bases of the segments that have one. */
  readonly segments: ReadonlyMap<Segment, string>;
  readonly blocks: readonly DecodedBlock[];
  /** The same object for every instruction of the same form. */
  form(instruction: DecodedInstruction): DecodedForm | UnsupportedForm;
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
  /** Of a machine whose instructions a library decodes; they are none of its transitions. */
  readonly decoded?: DecodedInstructionSet | undefined;
  /** SHA-256 of everything the definition was read from, in hexadecimal: a cache's and a counterexample's key. */
  readonly digest: string;
}

/**
 * Of an `assembly` line: with braces, it is a template in which only what stands in braces is an operand. Braces that do no more than
 * end the mnemonic are a spelling's: `amoadd.w{ordering} rd, rs2, (rs1)`.
 */
export function isAssemblyTemplate(assembly: string): boolean {
  return assembly.includes("{") && !/^\s*[^\s{}]+\{[^{}]*\}(\s[^{}]*)?$/.test(assembly);
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
