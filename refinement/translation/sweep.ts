/**
 * Which blocks of the guest's to validate where the translator does not say: every instruction with operands of every class, some
 * sequences; or the blocks of a program.
 */
import { readFile } from "node:fs/promises";
import { assembleProgram } from "../assembly/assemble.js";
import { decode } from "../assembly/decode.js";
import { disassemble } from "../assembly/disassemble.js";
import { coveredBits, encode } from "../assembly/encoding.js";
import { bytesOfWord } from "../assembly/words.js";
import { UserError } from "../errors.js";
import { readElf } from "../execute/elf.js";
import { targetOf } from "../execute/target.js";
import type { Field, Instruction, InstructionSet, Machine } from "../machine.js";
import { Generator } from "../solver/generator.js";
import type { Fault } from "../refinement.js";
import type { BlockOptions, GuestBlock } from "../translation.js";
import { GuestBytes, GuestExecution, wordAt } from "./guest.js";

/** Where the blocks of a sweep stand. */
const SWEEP_PC = 0x1_0000n;
/** Of a program's blocks: longer ones are cut. */
const LONGEST_BLOCK = 32;
const LONGEST_SEQUENCE = 4;

/** Registers by number: all different, then the ways in which they can be one, and the ones that may be fixed. */
const CLASSES: readonly (readonly number[])[] = [
  [10, 11, 12, 13],
  [0, 11, 12, 13],
  [10, 10, 12, 13],
  [10, 11, 10, 13],
  [10, 11, 11, 13],
  [10, 10, 10, 10],
  [10, 0, 12, 13],
  [10, 11, 0, 13],
  [10, 0, 0, 0],
  [0, 0, 0, 0],
];

/** Of `width` bits: 1, the most negative and the greatest signed, all ones, zero. */
function corners(width: number): readonly bigint[] {
  const top = 1n << BigInt(width - 1);
  const all = [1n, top, top - 1n, 2n * top - 1n, 0n].map((n) => BigInt.asUintN(width, n));
  return [...new Set(all)];
}

/** `whole`: an executable segment of the program is one block. */
export async function blocksOf(guest: Machine, options: BlockOptions, whole: boolean): Promise<readonly GuestBlock[]> {
  const set = guest.instructionSet;
  if (set === undefined) throw new UserError(`${guest.name} has no encodings to make blocks of`);
  if (options.elf !== undefined) return programBlocks(guest, set, options.elf, whole);
  const singles = interleaved(set.instructions.map((i) => singleBlocks(guest, set, i)));
  const sequences = sequenceBlocks(guest, set, options);
  // Most are single instructions: where few are wanted, each has its turn with its plainest operands first.
  const few = singles.slice(0, Math.max(1, options.count - Math.ceil(options.count / 5)));
  return unique([...few, ...sequences]);
}

/** The blocks that show a seeded fault, named by their assembly. Throws a UserError where that is none of the guest's. */
export function showing(guest: Machine, { name, blocks }: Fault): readonly GuestBlock[] {
  return blocks.map((text) => {
    const code = assembleProgram(guest, text, SWEEP_PC, `a block of the fault ${name}`).bytes;
    return { name: text, pc: SWEEP_PC, code };
  });
}

function singleBlocks(guest: Machine, set: InstructionSet, instruction: Instruction): readonly GuestBlock[] {
  const { fields } = instruction.encoding;
  const files = set.fieldFiles.get(instruction.name);
  const registers = fields.filter((f) => files?.has(f.name) === true);
  const numbers = fields.filter((f) => files?.has(f.name) !== true);
  const blocks: GuestBlock[] = [];
  const seen = new Set<bigint>();
  const most = Math.max(1, ...numbers.map((f) => corners(carried(f)).length));
  for (const registerClass of CLASSES) {
    for (let k = 0; k < most; k++) {
      const values = new Map<string, bigint>();
      for (const [i, f] of registers.entries()) values.set(f.name, BigInt(registerClass[i] ?? 10) & mask(f.width));
      for (const f of numbers) {
        const range = corners(carried(f));
        // Bits that no piece of the encoding covers are zero.
        values.set(f.name, spread(f, range[k % range.length] ?? 0n));
      }
      const word = encode(instruction, values);
      if (seen.has(word) || decode(guest, word)?.instruction !== instruction) continue;
      seen.add(word);
      blocks.push(blockOf(guest, set, instruction, word));
    }
  }
  return blocks;
}

/** How many bits of a field the encoding carries. */
function carried(field: Field): number {
  return coveredBits(field).toString(2).replaceAll("0", "").length;
}

/** The bits of `value` put, lowest first, where the encoding carries the field's. */
function spread(field: Field, value: bigint): bigint {
  const covered = coveredBits(field);
  let spread = 0n;
  let taken = 0n;
  for (let bit = 0n; bit < BigInt(field.width); bit++) {
    if (((covered >> bit) & 1n) === 0n) continue;
    spread |= ((value >> taken) & 1n) << bit;
    taken++;
  }
  return spread;
}

function mask(width: number): bigint {
  return (1n << BigInt(width)) - 1n;
}

/** Instructions in a row, of which all but the last go on to the next. */
function sequenceBlocks(guest: Machine, set: InstructionSet, { count, seed }: BlockOptions): readonly GuestBlock[] {
  const generator = new Generator(seed);
  const plain = set.instructions.flatMap((i) => singleBlocks(guest, set, i).filter((b) => goesOn(guest, b)));
  const blocks: GuestBlock[] = [];
  for (let n = 0; plain.length > 0 && n < Math.floor(count / 5); n++) {
    const length = 2 + generator.below(LONGEST_SEQUENCE - 1);
    const parts = Array.from({ length }, () => plain[generator.below(plain.length)]);
    const code = Buffer.concat(parts.map((p) => p?.code ?? new Uint8Array()));
    blocks.push({ name: `sequence ${n + 1}`, pc: SWEEP_PC, code: Uint8Array.from(code) });
  }
  return blocks;
}

/** Whether the block's one instruction always goes on to the next, unless it traps. */
function goesOn(guest: Machine, block: GuestBlock): boolean {
  const code = new GuestBytes(guest, block);
  const execution = new GuestExecution(code, code.start, stateOf(guest));
  const next = execution.step(execution.start)?.next ?? [];
  const behind = block.pc + BigInt(block.code.length);
  return (
    next.length === 1 && next[0]?.node.programCounter.op === "const" && next[0].node.programCounter.value === behind
  );
}

function stateOf(guest: Machine): ReadonlyMap<string, Machine["variables"][number]["term"]> {
  return new Map(guest.variables.map((v) => [v.name, v.term]));
}

/** Named by its assembly; where that cannot express the word, by the word. */
function blockOf(guest: Machine, set: InstructionSet, { name }: Instruction, word: bigint): GuestBlock {
  const text = disassemble(guest, word, SWEEP_PC);
  return {
    name: text.startsWith(".") ? `${name} 0x${word.toString(16)}` : text,
    pc: SWEEP_PC,
    code: bytesOfWord(set, word),
  };
}

/** The first of each, then the second of each, … */
function interleaved<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const longest = Math.max(0, ...lists.map((l) => l.length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((l) => l.slice(i, i + 1))).flat();
}

function unique(blocks: readonly GuestBlock[]): readonly GuestBlock[] {
  const counts = new Map<string, number>();
  return blocks.map((b) => {
    const n = (counts.get(b.name) ?? 0) + 1;
    counts.set(b.name, n);
    return n === 1 ? b : { ...b, name: `${b.name} #${n}` };
  });
}

/** The executable segments from one control transfer to the next; what is no instruction is passed over. */
async function programBlocks(
  guest: Machine,
  set: InstructionSet,
  file: string,
  whole: boolean,
): Promise<readonly GuestBlock[]> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new UserError(`${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  const blocks: GuestBlock[] = [];
  for (const { address, data, executable } of readElf(bytes, file, targetOf(guest)).segments) {
    if (!executable) continue;
    let start = 0;
    let count = 0;
    const end = (at: number): void => {
      const pc = address + BigInt(start);
      if (at > start) blocks.push({ name: `0x${pc.toString(16)}`, pc, code: data.slice(start, at) });
      start = at;
      count = 0;
    };
    for (let at = 0; at < data.length; ) {
      const { word, size } = wordAt(set, data, at);
      if (at + size > data.length || decode(guest, word) === undefined) {
        end(at);
        at += set.parcels.width / 8;
        start = at;
        continue;
      }
      count++;
      const one = { name: "", pc: address + BigInt(at), code: data.slice(at, at + size) };
      at += size;
      if (!whole && (count >= LONGEST_BLOCK || !goesOn(guest, one))) end(at);
    }
    end(data.length);
  }
  return blocks;
}
