/** A stream of machine code as lines of assembly. Bytes that are no instruction are data, one at a time. */
import type { DecodedInstruction } from "../../decoded.js";
import { decodeX86, LONGEST } from "./decode.js";
import { encodeWanted, same } from "./encode.js";
import { formsByName } from "./forms.js";
import { Mistake } from "../assemble.js";
import { type Known, parseX86 } from "./parse.js";
import { printX86 } from "./print.js";

export interface DisassembledLine {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** Undefined for data. */
  readonly instruction: DecodedInstruction | undefined;
}

/** `isKnown` says which of the library's instructions there are: the others are data as well, with their name behind it. */
export function disassembleX86(
  bytes: Uint8Array,
  address: bigint,
  isKnown: (instruction: DecodedInstruction) => boolean = () => true,
): DisassembledLine[] {
  const lines: DisassembledLine[] = [];
  for (let at = 0; at < bytes.length; ) {
    const line = lineAt(bytes.subarray(at, at + LONGEST), address + BigInt(at), isKnown);
    lines.push(line);
    at += line.bytes.length;
  }
  return lines;
}

function lineAt(
  bytes: Uint8Array,
  address: bigint,
  isKnown: (instruction: DecodedInstruction) => boolean,
): DisassembledLine {
  const reading = decodeX86(bytes);
  switch (reading.kind) {
    case "undecodable":
    case "truncated":
      return data(bytes.slice(0, 1), address, "");
    case "unsupported":
      return data(bytes.slice(0, reading.length), address, reading.name);
    case "instruction": {
      const { instruction } = reading;
      if (!isKnown(instruction)) return data(instruction.bytes, address, instruction.mnemonic);
      const text = printX86(instruction, address);
      if (!reads(text, instruction, address)) return data(instruction.bytes, address, text);
      return { address, bytes: instruction.bytes, text, instruction };
    }
    default:
      return reading satisfies never;
  }
}

function data(bytes: Uint8Array, address: bigint, comment: string): DisassembledLine {
  const values = Array.from(bytes, (b) => `0x${b.toString(16).padStart(2, "0")}`).join(", ");
  return { address, bytes, text: `db ${values}${comment === "" ? "" : ` # ${comment}`}`, instruction: undefined };
}

const ALL: Known = { has: (name) => formsByName().has(name), names: () => [...formsByName().keys()] };

/** Whether the assembler makes the same instruction of the text, of whatever length. */
function reads(text: string, instruction: DecodedInstruction, address: bigint): boolean {
  try {
    const encoded = encodeWanted(
      parseX86(text, () => undefined, ALL),
      address,
    );
    if (encoded.kind !== "bytes") return false;
    const shift = BigInt(encoded.bytes.length - instruction.length);
    return same(moved(encoded.instruction, shift), instruction);
  } catch (error) {
    if (error instanceof Mistake) return false;
    throw error;
  }
}

/** As if it were `shift` bytes shorter: its targets are told from its end. */
function moved(instruction: DecodedInstruction, shift: bigint): DecodedInstruction {
  return {
    ...instruction,
    operands: instruction.operands.map((o) =>
      o.kind === "target" ? { ...o, displacement: BigInt.asIntN(64, o.displacement + shift) } : o,
    ),
  };
}
