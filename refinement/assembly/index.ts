/**
 * Assembler, disassembler, encoder and decoder, all derived from a machine's definition.
 */
export { type AssembledLine, assemble, assembleProgram, type Program } from "./assemble.js";
export { type Decoded, decode, isWordOf } from "./decode.js";
export { disassemble } from "./disassemble.js";
export { bytesToWord, coveredBits, encode, extractField, fieldsOf, representable, wordToBytes } from "./encoding.js";
export { rangeOf, type Range } from "./numbers.js";
export {
  bytesOfWord,
  codeVariables,
  lengthOfWord,
  longestLength,
  shortestLength,
  widthOfLength,
  wordFrom,
} from "./words.js";
export {
  type Element,
  type Operand,
  signedness,
  type Signedness,
  type Spaced,
  type Syntax,
  syntaxesOf,
  syntaxOf,
} from "./syntax.js";
