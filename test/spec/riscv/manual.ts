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

const BITS: Readonly<Record<number, readonly string[]>> = {
  5: ["", "clmul", "clmulr", "clmulh", "min", "minu", "max", "maxu"],
  7: ["", "", "", "", "", "czero.eqz", "", "czero.nez"],
  16: ["", "", "sh1add", "", "sh2add", "", "sh3add", ""],
  20: ["", "bset", "", "", "", "", "", ""],
  32: ["", "", "", "", "xnor", "", "orn", "andn"],
  36: ["", "bclr", "", "", "", "bext", "", ""],
  48: ["", "rol", "", "", "", "ror", "", ""],
  52: ["", "binv", "", "", "", "", "", ""],
};
const BITS_32: Readonly<Record<number, readonly string[]>> = {
  4: ["add.uw", "", "", "", "", "", "", ""],
  16: ["", "", "sh1add.uw", "", "sh2add.uw", "", "sh3add.uw", ""],
  48: ["", "rolw", "", "", "", "rorw", "", ""],
};
const UNARY: Readonly<Record<number, string>> = {
  1536: "clz",
  1537: "ctz",
  1538: "cpop",
  1540: "sext.b",
  1541: "sext.h",
};
const ATOMICS: Readonly<Record<number, string>> = {
  0: "amoadd",
  1: "amoswap",
  2: "lr",
  3: "sc",
  4: "amoxor",
  8: "amoor",
  12: "amoand",
  16: "amomin",
  20: "amomax",
  24: "amominu",
  28: "amomaxu",
};

/** A 32-bit word with A, Zifencei, Zba, Zbb, Zbc, Zbs and Zicond as well (chapters 6, 12, 14 and 28). */
export function manualDecodeAll(word: number, xlen: Xlen): string | undefined {
  return manualDecode(word, xlen) ?? extension(word, xlen === 64);
}

function extension(word: number, wide: boolean): string | undefined {
  const funct3 = (word >>> 12) & 7;
  const funct7 = word >>> 25;
  const funct12 = word >>> 20;
  const shamt = wide ? funct7 & ~1 : funct7;
  switch (word & 0x7f) {
    case 0x0f:
      return funct3 === 1 ? "fence.i" : undefined;
    case 0x2f: {
      const size = funct3 === 2 ? "w" : funct3 === 3 && wide ? "d" : undefined;
      const name = ATOMICS[word >>> 27];
      const registers = name !== "lr" || ((word >>> 20) & 31) === 0;
      return size === undefined || name === undefined || !registers ? undefined : `${name}.${size}`;
    }
    case 0x33:
      return BITS[funct7]?.[funct3] || (!wide && funct12 === 0x080 && funct3 === 4 ? "zext.h" : undefined);
    case 0x3b:
      if (!wide) return undefined;
      return BITS_32[funct7]?.[funct3] || (funct12 === 0x080 && funct3 === 4 ? "zext.h" : undefined);
    case 0x13:
      if (funct3 === 1) return UNARY[funct12] ?? { 20: "bseti", 36: "bclri", 52: "binvi" }[shamt];
      if (funct3 !== 5) return undefined;
      if (funct12 === 0x287) return "orc.b";
      if (funct12 === (wide ? 0x6b8 : 0x698)) return "rev8";
      return { 36: "bexti", 48: "rori" }[shamt];
    case 0x1b:
      if (!wide) return undefined;
      if (funct3 === 5) return funct7 === 0x30 ? "roriw" : undefined;
      if (funct3 !== 1) return undefined;
      if (shamt === 0x04) return "slli.uw";
      return { 1536: "clzw", 1537: "ctzw", 1538: "cpopw" }[funct12];
    default:
      return undefined;
  }
}

/** With the loads, stores, moves and sign injections of F and D (chapters 21 and 22). */
export function manualDecodeFloats(word: number, xlen: Xlen): string | undefined {
  return manualDecodeAll(word, xlen) ?? float(word);
}

function float(word: number): string | undefined {
  const funct3 = (word >>> 12) & 7;
  switch (word & 0x7f) {
    case 0x07:
      return { 2: "flw", 3: "fld" }[funct3];
    case 0x27:
      return { 2: "fsw", 3: "fsd" }[funct3];
    case 0x53: {
      const size = { 0: "s", 1: "d" }[(word >>> 25) & 3];
      if (size === undefined) return undefined;
      const operation = word >>> 27;
      const sign = { 0: "fsgnj", 1: "fsgnjn", 2: "fsgnjx" }[funct3];
      if (operation === 4) return sign === undefined ? undefined : `${sign}.${size}`;
      const integer = size === "s" ? "w" : "d";
      if (funct3 !== 0 || ((word >>> 20) & 31) !== 0) return undefined;
      return { 28: `fmv.x.${integer}`, 30: `fmv.${integer}.x` }[operation];
    }
    default:
      return undefined;
  }
}
