/**
 * Instruction words and their fields: pure bit moving, in both directions.
 */
import { InternalDefect } from "../errors.js";
import type { Field, FieldPiece, Instruction } from "../machine.js";

const ones = (width: number): bigint => (1n << BigInt(width)) - 1n;

/** The bits of a field that stand somewhere in the word; the others are 0 in every value it can have. */
export function coveredBits(field: Field): bigint {
  return field.pieces.reduce((bits, piece) => bits | (ones(piece.width) << BigInt(piece.lo)), 0n);
}

function scatter(value: bigint, pieces: readonly FieldPiece[]): bigint {
  return pieces.reduce((w, p) => w | (((value >> BigInt(p.lo)) & ones(p.width)) << BigInt(p.at)), 0n);
}

/** The value of a field in a word: its pieces gathered. */
export function extractField(field: Field, word: bigint): bigint {
  return field.pieces.reduce((v, p) => v | (((word >> BigInt(p.at)) & ones(p.width)) << BigInt(p.lo)), 0n);
}

/** The values of all fields of an instruction in a word, which must be one of it. */
export function fieldsOf(instruction: Instruction, word: bigint): ReadonlyMap<string, bigint> {
  return new Map(instruction.encoding.fields.map((field) => [field.name, extractField(field, word)]));
}

/** True where a word of the instruction can hold this value (unsigned, of the field's width) in this field. */
export function representable(field: Field, value: bigint): boolean {
  return value >= 0n && (value & ~coveredBits(field)) === 0n;
}

/**
 * The word of an instruction with these field values (unsigned); a field that is not given is 0.
 * A value that the field cannot hold, and a name that is no field, are defects of the caller.
 */
export function encode(instruction: Instruction, values: ReadonlyMap<string, bigint>): bigint {
  let word = instruction.encoding.match;
  for (const field of instruction.encoding.fields) {
    const value = values.get(field.name) ?? 0n;
    if (!representable(field, value)) {
      throw new InternalDefect(`${instruction.name}: field ${field.name} cannot hold ${value}`);
    }
    word |= scatter(value, field.pieces);
  }
  for (const name of values.keys()) {
    if (!instruction.encoding.fields.some((f) => f.name === name)) {
      throw new InternalDefect(`${instruction.name} has no field ${name}`);
    }
  }
  return word;
}

/** A word of `width` bits in memory order, little-endian; a width that is no multiple of 8 is padded with zero bits. */
export function wordToBytes(word: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(width / 8));
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number((word >> BigInt(8 * i)) & 0xffn);
  return bytes;
}

export function bytesToWord(bytes: Uint8Array): bigint {
  return bytes.reduceRight((word, byte) => (word << 8n) | BigInt(byte), 0n);
}
