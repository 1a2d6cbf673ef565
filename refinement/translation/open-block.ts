/**
 * Guest code for all values of its operands: immediates are variables, constrained by the encoding; registers are so by classes, in each
 * of which it is said which of them are the same, and which are fixed.
 */
import { coveredBits, encode } from "../assembly/encoding.js";
import { bytesOfWord } from "../assembly/words.js";
import { InternalDefect, unreachable } from "../errors.js";
import type { Effect, Field, Instruction, InstructionSet, Machine } from "../machine.js";
import { add, concat, constant, eq, extract, not, variable, zext } from "../terms/build.js";
import { Evaluator } from "../terms/evaluate.js";
import { bits } from "../terms/sort.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import type { OpenInstruction, TranslationRequest } from "../translation.js";
import { environment, type Values } from "./paths.js";

/** Plain data. */
export interface OpenBlock {
  /** Unique among a translator's blocks, as a `GuestBlock`'s. */
  readonly name: string;
  /** Wherever the guest's program counter can point; or below 2^30 alone, or from 2^33 to 2^62. */
  readonly place: "any" | "low" | "high";
  readonly instructions: readonly ClassedInstruction[];
  /** The letters of registers in the upper half of their file, the others being in the lower; absent where all may be anywhere. */
  readonly upper?: readonly string[] | undefined;
}

export interface ClassedInstruction {
  readonly name: string;
  /** Of each field that names a register: which, by number; or a letter, equal ones for the same register and for no fixed one. */
  readonly registers: Readonly<Record<string, string | number>>;
}

/** A block with a term for everything that is open in it. */
export interface OpenCode {
  readonly pc: Term;
  readonly instructions: readonly OpenInstruction[];
  /** What holds of the variables. */
  readonly given: readonly Term[];
  /** All of them, and those for registers' numbers. */
  readonly variables: readonly Term[];
  readonly registers: readonly Term[];
}

export function openCode(guest: Machine, block: OpenBlock): OpenCode {
  return new Opening(guest, block).code();
}

class Opening {
  private readonly set: InstructionSet;
  private readonly block: OpenBlock;
  private readonly immediates: Term[] = [];
  /** By letter: the variable for the field, and the number of the register that the value 0 names. */
  private readonly letters = new Map<string, { readonly field: Term; readonly first: number }>();
  private readonly given: Term[] = [];

  constructor(guest: Machine, block: OpenBlock) {
    if (guest.instructionSet === undefined) throw new InternalDefect(`${guest.name} has no encodings`);
    this.set = guest.instructionSet;
    this.block = block;
  }

  code(): OpenCode {
    const pc = this.place();
    const instructions = this.block.instructions.map((i, n) => this.instruction(i, n));
    const registers = [...this.letters.values()].map((r) => r.field);
    this.apart();
    return {
      pc,
      instructions,
      given: this.given,
      variables: [...this.immediates, ...registers],
      registers,
    };
  }

  /** Aligned to 2 bytes, as an instruction's address always is. */
  private place(): Term {
    const even = (width: number): Term => zext(concat(this.open("pc", width), constant(1, 0n)), 64);
    switch (this.block.place) {
      case "any":
        return even(63);
      case "low":
        return even(29);
      case "high":
        return add(even(61), constant(64, 1n << 33n));
      default:
        return unreachable(this.block.place);
    }
  }

  private open(name: string, width: number): Term {
    const v = variable(`operand.${name}`, bits(width));
    this.immediates.push(v);
    return v;
  }

  private instruction({ name, registers }: ClassedInstruction, n: number): OpenInstruction {
    const instruction = instructionNamed(this.set, name);
    const files = this.set.fieldFiles.get(name);
    const fields = new Map<string, Term>();
    const suffix = this.block.instructions.length === 1 ? "" : `${n + 1}`;
    for (const field of instruction.encoding.fields) {
      const first = files?.get(field.name)?.first;
      const register = registers[field.name];
      if (first === undefined || register === undefined)
        fields.set(
          field.name,
          spread(field, (width) => this.open(`${field.name}${suffix}`, width)),
        );
      else fields.set(field.name, this.register(field, register, first));
    }
    const { constraint } = instruction.encoding;
    if (constraint !== undefined) {
      const values = new Map(instruction.encoding.fields.map((f) => [f.term, fields.get(f.name) ?? f.term]));
      this.given.push(new Substitution(values).apply(constraint));
    }
    return { instruction, fields };
  }

  private register(field: Field, register: string | number, first: number): Term {
    if (typeof register === "number") return constant(field.width, BigInt(register - first));
    const known = this.letters.get(register);
    if (known === undefined) {
      const v = variable(`operand.${register}`, bits(field.width));
      this.letters.set(register, { field: v, first });
      return v;
    }
    if (known.first !== first || known.field.sort !== bits(field.width))
      throw new InternalDefect(`fields that name registers differently are said to name the same`);
    return known.field;
  }

  /** Registers with different letters differ, from each other and from those that are fixed. */
  private apart(): void {
    const fixed = new Set(this.block.instructions.flatMap((i) => fixedRegisters(this.set, i)));
    const seen: Term[] = [];
    const { upper } = this.block;
    for (const [letter, { field, first }] of this.letters) {
      const width = field.sort.kind === "bits" ? field.sort.width : 0;
      if (upper !== undefined)
        this.given.push(eq(extract(field, width - 1, width - 1), constant(1, upper.includes(letter) ? 1n : 0n)));
      for (const number of fixed)
        if (number >= first && number - first < 2 ** width)
          this.given.push(not(eq(field, constant(width, BigInt(number - first)))));
      for (const other of seen) if (other.sort === field.sort) this.given.push(not(eq(field, other)));
      seen.push(field);
    }
  }
}

export function instructionNamed({ instructions }: InstructionSet, name: string): Instruction {
  const found = instructions.find((i) => i.name === name);
  if (found === undefined) throw new InternalDefect(`there is no instruction \`${name}\``);
  return found;
}

/** A variable's bits, lowest first, where the encoding carries the field's; the others are zero. */
function spread(field: Field, open: (width: number) => Term): Term {
  const covered = coveredBits(field);
  const width = covered.toString(2).replaceAll("0", "").length;
  if (width === 0) return constant(field.width, 0n);
  const v = open(width);
  const parts: Term[] = [];
  let taken = 0;
  for (let bit = 0; bit < field.width; bit++) {
    const carried = ((covered >> BigInt(bit)) & 1n) === 1n;
    parts.unshift(carried ? extract(v, taken, taken) : constant(1, 0n));
    if (carried) taken++;
  }
  return concat(...parts);
}

/** The numbers of registers that the instruction names by itself, of those that its class fixes, and of those that are constant. */
export function fixedRegisters(set: InstructionSet, { name, registers }: ClassedInstruction): readonly number[] {
  const instruction = instructionNamed(set, name);
  const told = Object.values(registers).filter((r) => typeof r === "number");
  return [...new Set([0, ...namedElements(instruction.effect), ...told])];
}

/** The constant elements of files that an effect reads or writes. */
function namedElements(effect: Effect): readonly number[] {
  const found = new Set<number>();
  const seen = new Set<Term>();
  const visit = (t: Term): void => {
    if (seen.has(t)) return;
    seen.add(t);
    const [, index] = t.args;
    if ((t.op === "select" || t.op === "store") && index?.op === "const") found.add(Number(index.value));
    for (const arg of t.args) visit(arg);
  };
  for (const r of effect.raises) for (const t of [r.condition, ...r.arguments]) visit(t);
  for (const t of effect.assigns.values()) visit(t);
  return [...found];
}

/** The code with these values. */
export function closedBlock(set: InstructionSet, { pc, instructions }: OpenCode, values: Values): TranslationRequest {
  const at = new Evaluator(environment(values));
  const words = instructions.map(({ instruction, fields }) => {
    const numbers = new Map([...fields].map(([name, term]) => [name, at.number(term)]));
    return bytesOfWord(set, encode(instruction, numbers));
  });
  return { pc: at.number(pc), code: Uint8Array.from(words.flatMap((w) => [...w])) };
}

/** The code with registers that have these numbers. */
export function withRegisters(code: OpenCode, values: Values): { readonly code: OpenCode; readonly put: Substitution } {
  const put = new Substitution(
    new Map(code.registers.map((v) => [v, constant(v.sort.kind === "bits" ? v.sort.width : 0, values.get(v) ?? 0n)])),
  );
  const instructions = code.instructions.map(({ instruction, fields }) => ({
    instruction,
    fields: new Map([...fields].map(([name, term]) => [name, put.apply(term)])),
  }));
  return { code: { ...code, instructions, given: code.given.map((t) => put.apply(t)) }, put };
}
