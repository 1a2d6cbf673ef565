/** The machines that the assembly tests use, loaded once, and words of them. */
import path from "node:path";
import { coveredBits, encode, isWordOf } from "../../../refinement/assembly/index.js";
import type { Instruction, InstructionSet, Machine } from "../../../refinement/machine.js";
import { loadMachine } from "../../../spec/notation/index.js";

export const rv32 = await loadMachine(path.resolve("spec/riscv/rv32im.yaml"));
export const rv64 = await loadMachine(path.resolve("spec/riscv/rv64im.yaml"));
export const tiny = await loadMachine(path.resolve("spec/tiny/tiny.yaml"));

export function setOf(machine: Machine): InstructionSet {
  if (machine.instructionSet === undefined) throw new Error(`${machine.name} has no instruction set`);
  return machine.instructionSet;
}

export function instructionOf(machine: Machine, name: string): Instruction {
  const found = setOf(machine).instructions.find((i) => i.name === name);
  if (found === undefined) throw new Error(`${machine.name} has no ${name}`);
  return found;
}

/** A generator of numbers below 2^32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state ^ (state >>> 16)) >>> 0;
  };
}

/** A word of the instruction with random field values, now and then all zeros or ones. */
export function randomWord(instruction: Instruction, random: () => number): bigint {
  for (;;) {
    const word = anyWord(instruction, random);
    if (isWordOf(instruction, word)) return word;
  }
}

function anyWord(instruction: Instruction, random: () => number): bigint {
  const values = instruction.encoding.fields.map((field) => {
    const choice = random() % 8;
    const value = choice === 0 ? 0n : choice === 1 ? ~0n : (BigInt(random()) << 32n) | BigInt(random());
    return [field.name, value & coveredBits(field)] as const;
  });
  return encode(instruction, new Map(values));
}
