/**
 * From a word to the line of assembly that gives it back.
 */
import { unreachable } from "../errors.js";
import type { Instruction, InstructionSet, Machine } from "../machine.js";
import { type Decoded, decode } from "./decode.js";
import { extractField, wordToBytes } from "./encoding.js";
import { asSigned, formatNumber, formatUnsigned, sliceOf, valueOfSlice } from "./numbers.js";
import { type Element, type Syntax, syntaxOf } from "./syntax.js";
import { lengthOfWord, widthOfLength } from "./words.js";

const syntaxes = new WeakMap<Instruction, Syntax | undefined>();

function cachedSyntax(set: InstructionSet, instruction: Instruction): Syntax | undefined {
  if (!syntaxes.has(instruction)) syntaxes.set(instruction, syntaxOf(set, instruction));
  return syntaxes.get(instruction);
}

/**
 * The assembly of a word at address `pc`. A word that is no instruction, or one with a bit that the syntax cannot express
 * (RISC-V's fence with a reserved rd), is `.word 0x…`: whatever is printed assembles to the same word at the same address.
 */
export function disassemble(machine: Machine, word: bigint, pc: bigint): string {
  const set = machine.instructionSet;
  const decoded = decode(machine, word);
  const syntax = set === undefined || decoded === undefined ? undefined : cachedSyntax(set, decoded.instruction);
  if (set === undefined || decoded === undefined || syntax === undefined || !expressible(syntax, word)) {
    return data(set, word);
  }
  return `${mnemonicOf(syntax, decoded)} ${operands(syntax, decoded, pc, pcWidth(machine, set))}`.trim();
}

/** A word that is no instruction, in parcels where it is shorter than `.word`. */
function data(set: InstructionSet | undefined, word: bigint): string {
  const width = set === undefined ? 32 : widthOfLength(set, lengthOfWord(set, word));
  const directive = set === undefined || width === set.wordWidth ? ".word" : DIRECTIVES.get(width / 8);
  if (directive === undefined) {
    const bytes = [...wordToBytes(word, width)].map((byte) => `0x${byte.toString(16).padStart(2, "0")}`);
    return `.byte ${bytes.join(", ")}`;
  }
  return `${directive} 0x${word.toString(16).padStart(Math.ceil(width / 4), "0")}`;
}

/** Bytes to the directive for as many. */
const DIRECTIVES: ReadonlyMap<number, string> = new Map([
  [1, ".byte"],
  [2, ".half"],
  [8, ".dword"],
]);

function pcWidth(machine: Machine, set: InstructionSet): number {
  const sort = machine.variables.find((v) => v.name === set.programCounter)?.sort;
  return sort?.kind === "bits" ? sort.width : 64;
}

function mnemonicOf({ mnemonic, suffix }: Syntax, { fields }: Decoded): string {
  return suffix === undefined ? mnemonic : mnemonic + (suffix.names[Number(fields.get(suffix.field.name) ?? 0n)] ?? "");
}

/** True where every field bit of the word is 0 or shown by an operand. */
function expressible(syntax: Syntax, word: bigint): boolean {
  return syntax.instruction.encoding.fields.every((field) => {
    const value = extractField(field, word);
    if (syntax.suffix?.field.name === field.name) return true;
    return syntax.elements.some(({ element }) => shows(element, field.name, value)) || value === 0n;
  });
}

function shows(element: Element, field: string, value: bigint): boolean {
  switch (element.kind) {
    case "punctuation":
      return false;
    case "register":
      return element.field.name === field && (element.names.length === 0 || value < BigInt(element.names.length));
    case "number":
    case "relative":
    case "offset":
    case "displacement":
      return element.field.name === field;
    case "slice":
      return element.field.name === field && valueOfSlice(element, sliceOf(element, value)) === value;
    default:
      return unreachable(element);
  }
}

function operands(syntax: Syntax, decoded: Decoded, pc: bigint, width: number): string {
  return syntax.elements
    .map(({ element, space }, i) => (space && i > 0 ? " " : "") + render(element, decoded, pc, width))
    .join("");
}

function render(element: Element, decoded: Decoded, pc: bigint, width: number): string {
  if (element.kind === "punctuation") return element.text;
  const value = decoded.fields.get(element.field.name) ?? 0n;
  switch (element.kind) {
    case "register":
      return element.names[Number(value)] ?? `${element.file}${BigInt(element.first) + value}`;
    case "number":
      return formatNumber(value, element.field.width, element.signedness);
    case "slice":
      return formatUnsigned(sliceOf(element, value));
    case "relative": {
      const offset = element.signedness === "signed" ? BigInt.asIntN(element.field.width, value) : value;
      return `0x${BigInt.asUintN(width, pc + offset).toString(16)}`;
    }
    case "offset":
      return withSign(asSigned(value, element.field.width), " ");
    case "displacement":
      return element.prefix + withSign(asSigned(value, element.field.width), "");
    default:
      return unreachable(element);
  }
}

function withSign(value: bigint, blank: string): string {
  return value < 0n ? `-${blank}${-value}` : `+${blank}${value}`;
}
