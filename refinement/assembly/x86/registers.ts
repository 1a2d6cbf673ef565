/** General-purpose registers: their names, and their numbers in iced. */
import { Register } from "iced-x86";
import type { RegisterOperand } from "../../decoded.js";

type Width = RegisterOperand["width"];

/** First register of each width in iced's numbering; the sixteen follow in the encoding's order. */
const FIRST: Readonly<Record<16 | 32 | 64, Register>> = { 16: Register.AX, 32: Register.EAX, 64: Register.RAX };

/** By number in iced. */
const operands = new Map<Register, RegisterOperand>();
const names = new Map<string, RegisterOperand>();
const numbers = new Map<string, Register>();

function add(register: Register, index: number, width: Width, high: boolean): void {
  const operand: RegisterOperand = { kind: "register", file: "gpr", index, width, high };
  operands.set(register, operand);
  numbers.set(key(operand), register);
  names.set(name(operand), operand);
}

function key({ index, width, high }: RegisterOperand): string {
  return `${width} ${index} ${high}`;
}

const WORDS = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];

/** As Intel writes it: al, ah, spl, r8b, ax, r8w, eax, r8d, rax, r8. */
export function name({ index, width, high }: RegisterOperand): string {
  const word = WORDS[index];
  if (word === undefined) return `r${index}${{ 8: "b", 16: "w", 32: "d", 64: "" }[width]}`;
  switch (width) {
    case 8:
      if (high) return `${word[0]}h`;
      return index < 4 ? `${word[0]}l` : `${word}l`;
    case 16:
      return word;
    case 32:
      return `e${word}`;
    case 64:
      return `r${word}`;
  }
}

for (let index = 0; index < 16; index++) {
  for (const width of [16, 32, 64] as const) add(FIRST[width] + index, index, width, false);
  // al … bl, then ah … bh, then spl … r15b.
  add(index < 4 ? Register.AL + index : Register.SPL + index - 4, index, 8, false);
  if (index < 4) add(Register.AH + index, index, 8, true);
}

/** Undefined for what is no general-purpose register. */
export function operandOf(register: Register): RegisterOperand | undefined {
  return operands.get(register);
}

export function numberOf(operand: RegisterOperand): Register {
  return numbers.get(key(operand)) ?? Register.None;
}

/** The register that assembly calls so, in lower case; `r8l` … `r15l` are AMD's names of r8b … r15b. */
export function named(text: string): RegisterOperand | undefined {
  return names.get(text) ?? names.get(text.replace(/^(r\d+)l$/, "$1b"));
}
