/**
 * Programs as data: what is drawn and shrunk, and how it becomes words. Jumps name their target by instructions, so that
 * a program keeps its control flow when instructions are taken out and wherever it lies.
 */
import { coveredBits, encode, fieldsOf } from "../refinement/assembly/encoding.js";
import { bytesOfWord, lengthOfWord, longestLength, shortestLength, wordFrom } from "../refinement/assembly/words.js";
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

/**
 * The program counter's value for instruction `index` of a program that starts at `start`; before and behind the program stand
 * instructions of the shortest length.
 */
export function addressOf(anatomy: Anatomy, program: Program, start: bigint, index: number): bigint {
  const width = anatomy.programCounter.sort.kind === "bits" ? anatomy.programCounter.sort.width : 1;
  let distance = (Math.min(index, 0) + Math.max(index - program.length, 0)) * shortestLength(anatomy.isa);
  for (const operation of program.slice(0, Math.max(index, 0))) distance += lengthOf(anatomy, operation);
  return BigInt.asUintN(width, start + BigInt(distance));
}

function lengthOf(anatomy: Anatomy, operation: Operation): number {
  const [only, ...more] = anatomy.isa.parcels.lengths;
  if (only !== undefined && more.length === 0) return only;
  if (operation.kind === "word") return lengthOfWord(anatomy.isa, operation.word);
  return find(anatomy, operation.name)?.instruction.encoding.length ?? shortestLength(anatomy.isa);
}

function find(anatomy: Anatomy, name: string): InstructionAnatomy | undefined {
  return anatomy.instructions.find((i) => i.instruction.name === name);
}

/** Where each word of a program stands, if the first stands at `start`. */
export function addressesOf(anatomy: Anatomy, words: readonly bigint[], start: bigint): readonly bigint[] {
  const width = anatomy.programCounter.sort.kind === "bits" ? anatomy.programCounter.sort.width : 1;
  let next = start;
  return words.map((word) => {
    const here = next;
    next = BigInt.asUintN(width, here + BigInt(lengthOfWord(anatomy.isa, word)));
    return here;
  });
}

/** The words of a program that starts where the program counter is `start`. */
export function encodeProgram(anatomy: Anatomy, program: Program, start: bigint): readonly bigint[] {
  return program.map((operation, index) => {
    if (operation.kind === "word") return operation.word;
    const found = find(anatomy, operation.name);
    if (found === undefined) return 0n;
    return encode(found.instruction, resolved(anatomy, found, operation, program, start, index));
  });
}

function resolved(
  anatomy: Anatomy,
  found: InstructionAnatomy,
  operation: InstructionOperation,
  program: Program,
  start: bigint,
  index: number,
): ReadonlyMap<string, bigint> {
  const { target } = found;
  if (target === undefined || operation.target === undefined) return operation.fields;
  const here = addressOf(anatomy, program, start, index);
  const there = addressOf(anatomy, program, start, index + operation.target);
  const covered = coveredBits(target.field);
  // A field says the distance or the place, counted in bytes, instructions or something between.
  for (const said of [there - here, there, there - here - BigInt(found.instruction.encoding.length)]) {
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
  const addresses = addressesOf(anatomy, words, start).map((at) => valueAt(place.where, anatomy.programCounter, at));
  if (value instanceof FileValue) {
    const { width } = anatomy.isa.parcels;
    const written = words.reduce((file, word, index) => {
      let filled = file;
      for (let i = 0; i < lengthOfWord(anatomy.isa, word); i++) {
        const element = BigInt.asUintN(width, word >> BigInt(i * width));
        filled = filled.set((addresses[index] ?? 0n) + BigInt(i), element);
      }
      return filled;
    }, value);
    return new Map(state).set(into, written);
  }
  return value instanceof MemoryValue
    ? new Map(state).set(into, withWords(value, words, addresses, anatomy.isa))
    : state;
}

/** Words that follow each other are written together: every write copies a page. */
function withWords(
  memory: MemoryValue,
  words: readonly bigint[],
  addresses: readonly bigint[],
  isa: InstructionSet,
): MemoryValue {
  let result = memory;
  for (let from = 0; from < words.length; ) {
    const start = addresses[from] ?? 0n;
    const run = [bytesOfWord(isa, words[from] ?? 0n)];
    let size = run[0]?.length ?? 0;
    while (addresses[from + run.length] === start + BigInt(size)) {
      const bytes = bytesOfWord(isa, words[from + run.length] ?? 0n);
      run.push(bytes);
      size += bytes.length;
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
  const width = programCounter.sort.kind === "bits" ? programCounter.sort.width : 1;
  let at = start;
  return Array.from({ length: Math.min(count, capacity(anatomy)) }, () => {
    const word = wordIn(isa, value, valueAt(place.where, programCounter, at));
    at = BigInt.asUintN(width, at + BigInt(lengthOfWord(isa, word)));
    return operationOf(isa, word);
  });
}

/** The word that stands at a place in memory, or from an element of a file on. */
export function wordIn(isa: InstructionSet, value: FileValue | MemoryValue, where: bigint): bigint {
  if (value instanceof MemoryValue) return wordFrom(isa, value.load(where, longestLength(isa)));
  let word = 0n;
  for (let i = longestLength(isa) - 1; i >= 0; i--)
    word = (word << BigInt(isa.parcels.width)) | value.get(where + BigInt(i));
  return wordFrom(isa, word);
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
  if (sort.kind === "file") return Math.floor(sort.count / longestLength(isa));
  if (sort.kind !== "memory") return 0;
  return sort.address >= 16 ? Number.MAX_SAFE_INTEGER : Math.floor(2 ** sort.address / longestLength(isa));
}
