/**
 * The guest code that is validated where no program is given: every instruction with operands of every class, alone; and sequences, in
 * which QEMU folds constants and keeps registers across instructions.
 */
import { bytesOfWord, coveredBits, decode, encode } from "../../refinement/assembly/index.js";
import { InternalDefect } from "../../refinement/errors.js";
import type { Field, Instruction, InstructionSet, Machine } from "../../refinement/machine.js";
import { Generator as Random } from "../../refinement/solver/generator.js";
import { constantDifference } from "../../refinement/terms/linear.js";
import type { GuestBlock } from "../../refinement/translation.js";
import { beyondDefinition } from "./beyond.js";

/** Addresses that need 16 to 47 bits, a page before each of its kind's ends. */
const PLACES = [0x1_0000n, 0x7fff_e000n, 0xffff_e000n, 0x12_3456_7000n, 0x4000_0000_0000n - 0x2000n] as const;
const PAGE = 0x1000n;

/** Registers of random sequences: few, so that instructions depend on each other. */
const HANDFUL = [0n, 1n, 2n, 8n, 9n, 10n, 31n] as const;
const MAX_LENGTH = 12;
/** The part of the blocks that are single instructions. */
const SINGLE = 0.6;

/**
 * Roughly `count` blocks: single instructions, all with their first operands, then all with their second, …; then sequences. Of a guest with
 * registers of F and D those besides that its definition lacks, by name.
 */
export function* sweep(machine: Machine, count: number, seed: number): Generator<GuestBlock> {
  const set = machine.instructionSet;
  if (set === undefined) throw new InternalDefect(`${machine.name} has no instructions`);
  const random = new Random(seed);
  if (machine.variables.some((v) => v.name === "f")) {
    for (const [name, word] of beyondDefinition()) yield { name, pc: PLACES[0], code: bytesOfWord(set, word) };
  }
  let left = count;
  for (const block of singles(machine, set, random)) {
    if (left <= count * (1 - SINGLE)) break;
    left--;
    yield block;
  }
  for (let i = 0; left > 0; i++, left--) yield sequence(machine, set, random, i);
}

function* singles(machine: Machine, set: InstructionSet, random: Random): Generator<GuestBlock> {
  const queues = set.instructions.map((instruction) => ({
    instruction,
    words: [...wordsOf(machine, set, instruction)],
  }));
  for (let round = 0; queues.some(({ words }) => round < words.length); round++) {
    for (const [i, { instruction, words }] of queues.entries()) {
      const word = words[round];
      if (word === undefined) continue;
      const page = PLACES[(round + i) % PLACES.length] ?? PLACES[0];
      const pc = page + 4n * BigInt(random.below(256));
      yield { name: `${instruction.name}-${round}`, pc, code: bytesOfWord(set, word) };
    }
  }
}

/** Words of an instruction with registers of every class and immediates at corners, each once. */
function* wordsOf(machine: Machine, set: InstructionSet, instruction: Instruction): Generator<bigint> {
  const { fields } = instruction.encoding;
  const registers = fields.filter((f) => isRegister(set, instruction, f));
  const others = fields.filter((f) => !registers.includes(f));
  const seen = new Set<bigint>();
  for (const numbers of corners(others)) {
    for (const names of classes(registers)) {
      const word = encode(instruction, new Map([...names, ...numbers]));
      if (seen.has(word) || decode(machine, word)?.instruction !== instruction) continue;
      seen.add(word);
      yield word;
    }
  }
}

function isRegister(set: InstructionSet, instruction: Instruction, field: Field): boolean {
  return set.fieldFiles.get(instruction.name)?.has(field.name) === true;
}

/** Distinct; each two the same; all the same; each of them 0; all 0. */
function* classes(fields: readonly Field[]): Generator<[string, bigint][]> {
  const distinct = [10n, 11n, 12n, 13n];
  const assign = (value: (i: number) => bigint): [string, bigint][] =>
    fields.map((f, i) => [f.name, value(i) & coveredBits(f)]);
  const usual = (i: number): bigint => distinct[i % distinct.length] ?? 10n;
  yield assign(usual);
  for (let i = 0; i < fields.length; i++)
    for (let j = i + 1; j < fields.length; j++) yield assign((k) => usual(k === j ? i : k));
  yield assign(() => 10n);
  for (let i = 0; i < fields.length; i++) yield assign((k) => (k === i ? 0n : usual(k)));
  yield assign(() => 0n);
  yield assign((i) => 31n - BigInt(i));
}

/** All fields at the same corner, then each at a corner of its own. */
function* corners(fields: readonly Field[]): Generator<[string, bigint][]> {
  const lists = fields.map(cornersOf);
  const most = Math.max(1, ...lists.map((l) => l.length));
  for (let i = 0; i < most; i++)
    yield fields.map((f, k) => [f.name, lists[k]?.[(i * (k + 1)) % (lists[k]?.length ?? 1)] ?? 0n]);
}

function cornersOf(field: Field): readonly bigint[] {
  const { width } = field;
  const half = 1n << BigInt(width - 1);
  const all = 2n * half - 1n;
  const values = [4n, 0n, 1n, all, half, half - 1n, 8n, all - 3n, all - 1n, 2n, 31n, 32n, 63n, half + 4n];
  const covered = coveredBits(field);
  return [...new Set(values.map((v) => v & all & covered))];
}

/** Up to a dozen instructions with few registers; a jump ends them, or the page. */
function sequence(machine: Machine, set: InstructionSet, random: Random, i: number): GuestBlock {
  const length = 1 + random.below(MAX_LENGTH);
  const pieces: Uint8Array[] = [];
  while (pieces.length < length) {
    const instruction = random.pick(set.instructions);
    if (instruction === undefined) throw new InternalDefect("an instruction set without instructions");
    const word = randomWord(machine, set, instruction, random);
    if (word !== undefined) pieces.push(bytesOfWord(set, word));
    if (word !== undefined && endsBlock(machine, set, instruction)) break;
  }
  const code = Buffer.concat(pieces);
  const page = random.pick(PLACES) ?? PLACES[0];
  return { name: `sequence-${i}`, pc: page + PAGE - BigInt(code.length), code };
}

function randomWord(
  machine: Machine,
  set: InstructionSet,
  instruction: Instruction,
  random: Random,
): bigint | undefined {
  const values = new Map<string, bigint>();
  for (const field of instruction.encoding.fields) {
    const covered = coveredBits(field);
    const register = isRegister(set, instruction, field);
    const value = register
      ? random.pick(HANDFUL)
      : random.chance(0.5)
        ? random.pick(cornersOf(field))
        : random.bits(field.width);
    values.set(field.name, BigInt.asUintN(field.width, value ?? 0n) & covered);
  }
  const word = encode(instruction, values);
  return decode(machine, word)?.instruction === instruction ? word : undefined;
}

/** Whether it always traps, or goes elsewhere than to the next instruction: QEMU's block ends with it. */
function endsBlock(machine: Machine, set: InstructionSet, { effect }: Instruction): boolean {
  if (effect.raises.some((r) => r.condition.op === "const" && r.condition.value === 1n)) return true;
  const pc = machine.variables.find((v) => v.name === set.programCounter)?.term;
  const next = effect.assigns.get(set.programCounter);
  return pc !== undefined && next !== undefined && constantDifference(next, pc) === undefined;
}
