/**
 * Programs as data: what is drawn and shrunk, and how it becomes words. Jumps name their target by instructions, so that
 * a program keeps its control flow when instructions are taken out and wherever it lies.
 */
import { coveredBits, encode } from "../refinement/assembly/encoding.js";
import type { State } from "../refinement/execute/state.js";
import { FileValue, MemoryValue } from "../refinement/terms/value.js";
import { type Anatomy, type InstructionAnatomy, valueAt } from "./anatomy.js";

export type Operation = InstructionOperation | WordOperation;

export interface InstructionOperation {
  readonly kind: "instruction";
  readonly name: string;
  /** By field; the target's field is overridden where `target` is given and can be encoded. */
  readonly fields: ReadonlyMap<string, bigint>;
  /** Where control goes if it is transferred: so many instructions further (negative: back). */
  readonly target: number | undefined;
}

/** Any word at all, mostly one that is no instruction. */
export interface WordOperation {
  readonly kind: "word";
  readonly word: bigint;
}

export type Program = readonly Operation[];

/** The program counter's value for instruction `index` of a program that starts at `start`. */
export function addressOf(anatomy: Anatomy, start: bigint, index: number): bigint {
  const width = anatomy.programCounter.sort.kind === "bits" ? anatomy.programCounter.sort.width : 1;
  return BigInt.asUintN(width, start + BigInt(index * anatomy.isa.length));
}

/** The words of a program that starts where the program counter is `start`. */
export function encodeProgram(anatomy: Anatomy, program: Program, start: bigint): readonly bigint[] {
  return program.map((operation, index) => {
    if (operation.kind === "word") return operation.word;
    const found = anatomy.instructions.find((i) => i.instruction.name === operation.name);
    if (found === undefined) return 0n;
    return encode(found.instruction, resolved(anatomy, found, operation, start, index));
  });
}

function resolved(
  anatomy: Anatomy,
  found: InstructionAnatomy,
  operation: InstructionOperation,
  start: bigint,
  index: number,
): ReadonlyMap<string, bigint> {
  const { target } = found;
  if (target === undefined || operation.target === undefined) return operation.fields;
  const here = addressOf(anatomy, start, index);
  const there = addressOf(anatomy, start, index + operation.target);
  const covered = coveredBits(target.field);
  // A field says the distance or the place, counted in bytes, instructions or something between.
  for (const said of [there - here, there, there - here - BigInt(anatomy.isa.length)]) {
    for (const shift of [0n, 1n, 2n, 3n]) {
      const operand = BigInt.asUintN(target.field.width, said >> shift);
      if ((operand & ~covered) !== 0n) continue;
      if (valueAt(target.address, anatomy.programCounter, here, target.field, operand) === there) {
        return new Map(operation.fields).set(target.field.name, operand);
      }
    }
  }
  return operation.fields;
}

/** The state with the words of a program written where it fetches them, in the variable `into` (by default its own). */
export function writeProgram(
  anatomy: Anatomy,
  state: State,
  words: readonly bigint[],
  start: bigint,
  into: string | undefined = anatomy.place?.variable.name,
): State {
  const { place } = anatomy;
  if (place === undefined || into === undefined) return state;
  let value = state.get(into);
  words.forEach((word, index) => {
    const where = valueAt(place.where, anatomy.programCounter, addressOf(anatomy, start, index));
    if (value instanceof MemoryValue) value = value.store(where, Math.ceil(anatomy.isa.wordWidth / 8), word);
    else if (value instanceof FileValue) value = value.set(where, word);
  });
  return value === undefined ? state : new Map(state).set(into, value);
}

/** How many instructions fit before the program would overwrite itself. */
export function capacity(anatomy: Anatomy): number {
  const { place, isa } = anatomy;
  if (place === undefined) return 0;
  const { sort } = place.variable;
  if (sort.kind === "file") return sort.count;
  if (sort.kind !== "memory") return 0;
  return sort.address >= 16 ? Number.MAX_SAFE_INTEGER : Math.floor(2 ** sort.address / isa.length);
}
