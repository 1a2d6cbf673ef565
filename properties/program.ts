/**
 * Programs as data: what is drawn and shrunk, and how it becomes words. Jumps name their target by instructions, so that
 * a program keeps its control flow when instructions are taken out and wherever it lies.
 */
import { coveredBits, encode, fieldsOf, wordToBytes } from "../refinement/assembly/encoding.js";
import type { State } from "../refinement/execute/state.js";
import type { InstructionSet } from "../refinement/machine.js";
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
  const value = into === undefined ? undefined : state.get(into);
  if (place === undefined || into === undefined || value === undefined || words.length === 0) return state;
  const addresses = words.map((_, index) =>
    valueAt(place.where, anatomy.programCounter, addressOf(anatomy, start, index)),
  );
  if (value instanceof FileValue) {
    const written = words.reduce((file, word, index) => file.set(addresses[index] ?? 0n, word), value);
    return new Map(state).set(into, written);
  }
  return value instanceof MemoryValue
    ? new Map(state).set(into, withWords(value, words, addresses, anatomy.isa.wordWidth))
    : state;
}

/** Words that follow each other are written together: every write copies a page. */
function withWords(
  memory: MemoryValue,
  words: readonly bigint[],
  addresses: readonly bigint[],
  width: number,
): MemoryValue {
  let result = memory;
  for (let from = 0; from < words.length; ) {
    const start = addresses[from] ?? 0n;
    const run = [wordToBytes(words[from] ?? 0n, width)];
    const size = run[0]?.length ?? 0;
    while (addresses[from + run.length] === start + BigInt(size * run.length)) {
      run.push(wordToBytes(words[from + run.length] ?? 0n, width));
    }
    result = result.storeBytes(start, Buffer.concat(run));
    from += run.length;
  }
  return result;
}

/** The `count` instructions that lie where the program counter points. */
export function readProgram(anatomy: Anatomy, state: State, count: number): Program {
  const { place, programCounter, isa } = anatomy;
  const start = state.get(programCounter.name);
  const value = place === undefined ? undefined : state.get(place.variable.name);
  if (place === undefined || typeof start !== "bigint" || value === undefined || typeof value === "bigint") return [];
  return Array.from({ length: Math.min(count, capacity(anatomy)) }, (_, index) => {
    const where = valueAt(place.where, programCounter, addressOf(anatomy, start, index));
    const word = value instanceof FileValue ? value.get(where) : value.load(where, Math.ceil(isa.wordWidth / 8));
    return operationOf(isa, word);
  });
}

function operationOf(isa: InstructionSet, word: bigint): Operation {
  const instruction = isa.instructions.find((i) => (word & i.encoding.mask) === i.encoding.match);
  if (instruction === undefined) return { kind: "word", word };
  const fields = fieldsOf(instruction, word);
  return encode(instruction, fields) === word
    ? { kind: "instruction", name: instruction.name, fields, target: undefined }
    : { kind: "word", word };
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
