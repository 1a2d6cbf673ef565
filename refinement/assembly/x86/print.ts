/** Instructions in Intel's syntax, as GNU's tools and this folder's assembler read it. */
import type { DecodedInstruction, MemoryOperand, Operand } from "../../decoded.js";
import { isString, writtenName } from "./names.js";
import { name } from "./registers.js";

const SIZES: Readonly<Record<number, string>> = { 8: "byte", 16: "word", 32: "dword", 64: "qword", 128: "xmmword" };

/** The line of assembly for an instruction that stands at `address`. */
export function printX86(instruction: DecodedInstruction, address: bigint): string {
  const { mnemonic, operandSize, addressSize } = instruction;
  const written = writtenName(mnemonic, operandSize, addressSize);
  const next = address + BigInt(instruction.length);
  const operands = isString(mnemonic) ? "" : instruction.operands.map((o) => operand(o, instruction, next)).join(", ");
  return [...prefixes(instruction), written, operands].filter((part) => part !== "").join(" ");
}

function prefixes(instruction: DecodedInstruction): string[] {
  const { mnemonic, operands, operandSize, addressSize } = instruction;
  const found: string[] = [];
  const place = operands.find((o) => o.kind === "memory");
  const source = operands.find((o) => o.kind === "memory" && o.base === 6);
  const implicit = isString(mnemonic) || place === undefined || (place.base === undefined && place.index === undefined);
  if (addressSize === 32 && implicit && mnemonic !== "jrcxz") found.push("addr32");
  if (isString(mnemonic) && source?.kind === "memory" && source.segment !== "none") found.push(source.segment);
  if (
    UNTOLD[mnemonic] !== undefined &&
    operandSize !== UNTOLD[mnemonic] &&
    operands.every((o) => o.kind === "immediate")
  )
    found.push(operandSize === 16 ? "data16" : "rex.w");
  if (instruction.prefixes.lock) found.push("lock");
  if (instruction.prefixes.rep !== "none") found.push(instruction.prefixes.rep);
  return found;
}

/** Operand sizes that no operand tells, where no prefix says otherwise. */
const UNTOLD: Readonly<Record<string, number>> = { push: 64, enter: 64, leave: 64, nop: 32 };

function operand(of: Operand, instruction: DecodedInstruction, next: bigint): string {
  switch (of.kind) {
    case "register":
      return name(of);
    case "immediate":
      return number(of.value, of.width);
    case "target":
      return hexadecimal(BigInt.asUintN(64, next + of.displacement));
    case "memory":
      return memory(of, instruction);
    default:
      return of satisfies never;
  }
}

/** Small numbers in decimal, small negative ones with their sign, others in hexadecimal. */
function number(value: bigint, width: number): string {
  const signed = BigInt.asIntN(width, value);
  if (width > 8 && signed < 0n && signed >= -0x80n) return `-${hexadecimal(-signed)}`;
  return value < 10n ? `${value}` : hexadecimal(value);
}

function hexadecimal(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function memory(of: MemoryOperand, { mnemonic, operandSize }: DecodedInstruction): string {
  const width = of.width === 0 && mnemonic === "nop" ? operandSize : of.width;
  const size = SIZES[width];
  const override = of.segment === "none" ? "" : `${of.segment}:`;
  return `${size === undefined ? "" : `${size} ptr `}${override}[${address(of)}]`;
}

function address({ base, index, scale, displacement, addressSize }: MemoryOperand): string {
  const register = (i: number): string =>
    name({ kind: "register", file: "gpr", index: i, width: addressSize, high: false });
  const parts: string[] = [];
  if (base === "rip") parts.push(addressSize === 64 ? "rip" : "eip");
  else if (base !== undefined) parts.push(register(base));
  // Without a base the scale tells an index from a base.
  if (index !== undefined)
    parts.push(scale === 1 && base !== undefined ? register(index) : `${register(index)}*${scale}`);
  const sum = parts.join("+");
  if (sum === "") return hexadecimal(BigInt.asUintN(addressSize, displacement));
  if (displacement === 0n && (base !== undefined || index === undefined)) return base === "rip" ? `${sum}+0` : sum;
  return displacement < 0n
    ? `${sum}-${hexadecimal(-displacement)}`
    : displacement === 0n
      ? sum
      : `${sum}+${hexadecimal(displacement)}`;
}
