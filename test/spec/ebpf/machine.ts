/** eBPF's machine, loaded once, and random words of its instructions. */
import path from "node:path";
import { coveredBits, decode, encode } from "../../../refinement/assembly/index.js";
import type { Instruction, InstructionSet } from "../../../refinement/machine.js";
import { loadMachine } from "../../../spec/notation/index.js";

export const ebpf = await loadMachine(path.resolve("spec/ebpf/ebpf.yaml"));

function setOf(): InstructionSet {
  if (ebpf.instructionSet === undefined) throw new Error("eBPF is an instruction set");
  return ebpf.instructionSet;
}
export const set = setOf();

/** Random words of an instruction, every register that it can have among them; fields are corners now and then. */
export function randomWords(instruction: Instruction, count: number, random: () => number): bigint[] {
  const words: bigint[] = [];
  while (words.length < count) {
    const values = instruction.encoding.fields.map((field) => {
      const corner = random() % 8;
      const any = (BigInt(random()) << 32n) | BigInt(random());
      const value = corner === 0 ? 0n : corner === 1 ? ~0n : corner === 2 ? any & 0xfn : any;
      return [field.name, (field.width === 4 ? any % 11n : value) & coveredBits(field)] as const;
    });
    const word = encode(instruction, new Map(values));
    if (decode(ebpf, word)?.instruction === instruction) words.push(word);
  }
  return words;
}
