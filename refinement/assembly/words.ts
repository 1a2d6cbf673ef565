/**
 * Words of an instruction set whose instructions may be of several lengths. A shorter one stands in the low bits of a word.
 */
import type { InstructionSet } from "../machine.js";
import { evaluate } from "../terms/evaluate.js";
import type { Term } from "../terms/term.js";
import { freeVariables } from "../terms/variables.js";
import { wordToBytes } from "./encoding.js";

/** Addresses that the instruction takes which begins with the low bits of `word`, be it defined or not. */
export function lengthOfWord({ parcels }: InstructionSet, word: bigint): number {
  const { lengths, instructionLength, width } = parcels;
  const [only, ...more] = lengths;
  if (only !== undefined && more.length === 0) return only;
  const parcel = BigInt.asUintN(width, word);
  return Number(evaluate(instructionLength, { variable: () => parcel }));
}

/** Bits of an instruction of `length` addresses. */
export function widthOfLength({ parcels }: InstructionSet, length: number): number {
  return (length / parcels.length) * parcels.width;
}

/** `bits`, read where an instruction stands, without what comes after the instruction. */
export function wordFrom(set: InstructionSet, bits: bigint): bigint {
  return BigInt.asUintN(widthOfLength(set, lengthOfWord(set, bits)), bits);
}

/** The bytes of a word in memory order, as many as its length says. */
export function bytesOfWord(set: InstructionSet, word: bigint): Uint8Array {
  return wordToBytes(word, widthOfLength(set, lengthOfWord(set, word)));
}

/** The memories and files that words are fetched from. */
export function codeVariables({ word }: InstructionSet): readonly Term[] {
  return [...freeVariables(word)].filter((v) => v.sort.kind === "file" || v.sort.kind === "memory");
}

/** The addresses that the shortest and the longest instruction take. */
export function shortestLength({ parcels }: InstructionSet): number {
  return parcels.lengths[0] ?? parcels.length;
}
export function longestLength({ parcels }: InstructionSet): number {
  return parcels.lengths.at(-1) ?? parcels.length;
}
