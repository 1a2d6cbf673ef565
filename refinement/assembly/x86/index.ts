/** x86-64: decoder and encoder by iced-x86, assembler and disassembler on top of them. Import it only where it is needed. */
import type { DecoderLibrary } from "../library.js";
import { assembleX86 } from "./assemble.js";
import { numberPlaces } from "./constants.js";
import { decodeX86 } from "./decode.js";
import { disassembleX86 } from "./disassemble.js";
import { encodeX86 } from "./encode.js";
import { featuresOf } from "./features.js";
import { impliedOperands } from "./names.js";
import { printX86 } from "./print.js";

export { assembleX86 } from "./assemble.js";
export { numberPlaces } from "./constants.js";
export { decodeX86 } from "./decode.js";
export { disassembleX86 } from "./disassemble.js";
export { encodeX86, same } from "./encode.js";
export { printX86 } from "./print.js";

export const library: DecoderLibrary = {
  decode: decodeX86,
  encode: encodeX86,
  print: printX86,
  assemble: assembleX86,
  disassemble: disassembleX86,
  numbers: numberPlaces,
  implied: impliedOperands,
  features: featuresOf,
};
