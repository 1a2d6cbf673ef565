/**
 * The libraries that decode what no bit pattern can carry, behind one interface. Each is loaded when a machine that names it is first
 * worked with, and never before.
 */
import type { DecodedInstruction } from "../decoded.js";
import { InternalDefect } from "../errors.js";
import type { DecodedInstructionSet } from "../machine.js";
import type { Program } from "./assemble.js";
import type { NumberPlace } from "./x86/constants.js";
import type { DisassembledLine } from "./x86/disassemble.js";
import type { Reading } from "./x86/decode.js";
import type { Encodable } from "./x86/encode.js";

import type { ImpliedOperands } from "./x86/names.js";

export type { DisassembledLine, Encodable, ImpliedOperands, NumberPlace, Reading };

export interface DecoderLibrary {
  /** The instruction that these bytes, of which there are at most `DecodedInstructionSet.most`, begin with. */
  decode(bytes: Uint8Array): Reading;
  /** The shortest bytes of an instruction; undefined where there are none. */
  encode(instruction: Encodable): Uint8Array | undefined;
  /** As the assembler reads it. */
  print(instruction: DecodedInstruction, address: bigint): string;
  /** As `assembleProgram`; `isKnown` says of which of the library's mnemonics the machine has instructions. */
  assemble(text: string, origin: bigint, isKnown: (mnemonic: string) => boolean, file: string): Program;
  disassemble(
    bytes: Uint8Array,
    address: bigint,
    isKnown: (instruction: DecodedInstruction) => boolean,
  ): readonly DisassembledLine[];
  /** Where the numbers of an instruction stand in its bytes: those of a target count as immediates. */
  numbers(bytes: Uint8Array): readonly NumberPlace[];
  /** The operands that an instruction has by itself, of those that have such. */
  implied(mnemonic: string): ImpliedOperands | undefined;
  /** Features that a processor must have for it, by the names that Linux has for them; empty where every one has it. */
  features(instruction: DecodedInstruction): readonly string[];
}

export async function decoderLibrary({ decoder }: DecodedInstructionSet): Promise<DecoderLibrary> {
  if (decoder === "iced-x86") return (await import("./x86/index.js")).library;
  throw new InternalDefect(`no decoder library \`${decoder}\` is connected`);
}
