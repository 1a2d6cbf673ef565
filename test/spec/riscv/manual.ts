/**
 * The encodings of RV32I, RV64I and M once more, as sums of the opcode tables of the manual (chapters 2, 4 and 13): an account
 * that is independent of the machine definitions, for telling which words are instructions.
 */
export type Xlen = 32 | 64;

const BRANCHES: Readonly<Record<number, string>> = { 0: "beq", 1: "bne", 4: "blt", 5: "bge", 6: "bltu", 7: "bgeu" };
const LOADS: Readonly<Record<number, string>> = { 0: "lb", 1: "lh", 2: "lw", 4: "lbu", 5: "lhu" };
const LOADS_64: Readonly<Record<number, string>> = { ...LOADS, 3: "ld", 6: "lwu" };
const STORES: Readonly<Record<number, string>> = { 0: "sb", 1: "sh", 2: "sw" };
const STORES_64: Readonly<Record<number, string>> = { ...STORES, 3: "sd" };
const IMMEDIATES: Readonly<Record<number, string>> = {
  0: "addi",
  2: "slti",
  3: "sltiu",
  4: "xori",
  6: "ori",
  7: "andi",
};
const OPERATIONS: Readonly<Record<number, readonly string[]>> = {
  0: ["add", "sll", "slt", "sltu", "xor", "srl", "or", "and"],
  1: ["mul", "mulh", "mulhsu", "mulhu", "div", "divu", "rem", "remu"],
  32: ["sub", "", "", "", "", "sra", "", ""],
};
const OPERATIONS_32: Readonly<Record<number, readonly string[]>> = {
  0: ["addw", "sllw", "", "", "", "srlw", "", ""],
  1: ["mulw", "", "", "", "divw", "divuw", "remw", "remuw"],
  32: ["subw", "", "", "", "", "sraw", "", ""],
};

/** The instruction that the manual says a word is; undefined for one that it reserves or leaves to other extensions. */
export function manualDecode(word: number, xlen: Xlen): string | undefined {
  const opcode = word & 0x7f;
  const funct3 = (word >>> 12) & 7;
  const funct7 = word >>> 25;
  const wide = xlen === 64;
  switch (opcode) {
    case 0x37:
      return "lui";
    case 0x17:
      return "auipc";
    case 0x6f:
      return "jal";
    case 0x67:
      return funct3 === 0 ? "jalr" : undefined;
    case 0x63:
      return BRANCHES[funct3];
    case 0x03:
      return (wide ? LOADS_64 : LOADS)[funct3];
    case 0x23:
      return (wide ? STORES_64 : STORES)[funct3];
    case 0x13:
      return shift(funct3, wide ? funct7 & ~1 : funct7, "") ?? IMMEDIATES[funct3];
    case 0x1b:
      return wide ? (funct3 === 0 ? "addiw" : shift(funct3, funct7, "w")) : undefined;
    case 0x33:
      return OPERATIONS[funct7]?.[funct3] || undefined;
    case 0x3b:
      return wide ? OPERATIONS_32[funct7]?.[funct3] || undefined : undefined;
    case 0x0f:
      return funct3 === 0 ? "fence" : undefined;
    case 0x73:
      return word === 0x73 ? "ecall" : word === 0x00100073 ? "ebreak" : undefined;
    default:
      return undefined;
  }
}

function shift(funct3: number, funct7: number, suffix: string): string | undefined {
  if (funct3 === 1 && funct7 === 0x00) return `slli${suffix}`;
  if (funct3 === 5 && funct7 === 0x00) return `srli${suffix}`;
  return funct3 === 5 && funct7 === 0x20 ? `srai${suffix}` : undefined;
}
