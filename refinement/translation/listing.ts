/** Guest and host code as a counterexample shows it. */
import { disassemble } from "../assembly/disassemble.js";
import type { Code } from "../counterexample.js";
import type { Machine } from "../machine.js";
import type { HostCode, TranslationRequest } from "../translation.js";
import { wordAt } from "./guest.js";

/** Assembly of some bytes at an address, instruction by instruction. */
export type Disassemble = (
  bytes: Uint8Array,
  address: bigint,
) => readonly { readonly bytes: Uint8Array; readonly text: string }[];

export function guestText(machine: Machine, { pc, code }: TranslationRequest): Code {
  const set = machine.instructionSet;
  const words: string[] = [];
  const assembly: string[] = [];
  for (let at = 0; set !== undefined && at < code.length; ) {
    const { word, size } = wordAt(set, code, at);
    words.push(Buffer.from(code.subarray(at, at + size)).toString("hex"));
    assembly.push(disassemble(machine, word, pc + BigInt(at)));
    at += size;
  }
  return { code: words.join(" "), assembly, pc };
}

export function hostText({ address, code }: HostCode, disassembler: Disassemble): Code {
  const lines = disassembler(code, address);
  return {
    code: lines.map((l) => Buffer.from(l.bytes).toString("hex")).join(" "),
    assembly: lines.map((l) => l.text),
    pc: address,
  };
}
