/**
 * Assembler, disassembler, encoder and decoder, all derived from a machine's definition.
 */
export { assemble, assembleProgram, type Program } from "./assemble.js";
export { decode, isWordOf } from "./decode.js";
export { disassemble } from "./disassemble.js";
export { bytesToWord, coveredBits, encode, extractField, representable, wordToBytes } from "./encoding.js";
export {
  bytesOfWord,
  codeVariables,
  lengthOfWord,
  longestLength,
  shortestLength,
  widthOfLength,
  wordFrom,
} from "./words.js";
export { syntaxesOf } from "./syntax.js";
