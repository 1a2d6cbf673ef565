/**
 * From a word to the line of assembly that gives it back.
 */
import { unreachable } from "../errors.js";
import type { Instruction, InstructionSet, Machine } from "../machine.js";
import { type Decoded, decode } from "./decode.js";
import { extractField } from "./encoding.js";
import { formatNumber, formatUnsigned } from "./numbers.js";
import { type Element, type Syntax, syntaxOf } from "./syntax.js";

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
    const digits = Math.ceil((set?.wordWidth ?? 32) / 4);
    return `.word 0x${word.toString(16).padStart(digits, "0")}`;
  }
  return `${syntax.mnemonic} ${operands(syntax, decoded, pc, pcWidth(machine, set))}`.trimEnd();
}

function pcWidth(machine: Machine, set: InstructionSet): number {
  const sort = machine.variables.find((v) => v.name === set.programCounter)?.sort;
  return sort?.kind === "bits" ? sort.width : 64;
}

/** True where every field bit of the word is 0 or shown by an operand. */
function expressible(syntax: Syntax, word: bigint): boolean {
  return syntax.instruction.encoding.fields.every((field) => {
    const value = extractField(field, word);
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
      return element.field.name === field;
    case "slice":
      return (
        element.field.name === field &&
        (value & ((1n << BigInt(element.lo)) - 1n)) === 0n &&
        value >> BigInt(element.hi + 1) === 0n
      );
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
      return element.names[Number(value)] ?? `${element.file}${value}`;
    case "number":
      return formatNumber(value, element.field.width, element.signedness);
    case "slice":
      return formatUnsigned((value >> BigInt(element.lo)) & ((1n << BigInt(element.hi - element.lo + 1)) - 1n));
    case "relative": {
      const offset = element.signedness === "signed" ? BigInt.asIntN(element.field.width, value) : value;
      return `0x${BigInt.asUintN(width, pc + offset).toString(16)}`;
    }
    default:
      return unreachable(element);
  }
}
