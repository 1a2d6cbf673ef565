/**
 * The little that has to be known of RISC-V words to run them safely: which access memory where, and where jumps go. It is
 * written from the manual's formats, apart from the machine definition that the lockstep is meant to check.
 */

export type Kind = "load" | "store" | "lr" | "sc" | "amo" | "jump" | "branch" | "ecall" | "other";
export type Xlen = 32 | 64;

/** What a word does that the runner must know of. */
export interface Doing {
  readonly kind: Kind;
  /** Where a load or store begins, or a jump or (taken) branch goes. */
  readonly address: bigint | undefined;
}

/** 16-bit instructions have other low bits than 11. */
export function lengthOf(word: number): 2 | 4 {
  return (word & 3) === 3 ? 4 : 2;
}

/** With `floats`, there are F and D. */
export function doing(word: number, pc: bigint, x: readonly bigint[], xlen: Xlen, floats = false): Doing {
  const plain = floats ? asInteger(word) : word;
  const { kind, base, offset } = lengthOf(plain) === 4 ? whole(plain, xlen) : compressed(plain & 0xffff, xlen);
  if (offset === undefined) return { kind, address: undefined };
  const from = base === undefined ? pc : (x[base] ?? 0n);
  const address = BigInt.asUintN(xlen, from + offset);
  return { kind, address: kind === "jump" && base !== undefined ? address & ~1n : address };
}

/** A load or store of a floating-point register as that of an integer register at the same address. */
function asInteger(word: number): number {
  if (lengthOf(word) === 4) {
    const isAccess = (word & 0x5f) === 0x07 && [2, 3].includes(bits(word, 14, 12));
    return isAccess ? (word & ~0x7f) | (word & 0x23) | 0x03 : word;
  }
  // c.fld, c.fsd, c.fldsp, c.fsdsp stand two below c.ld, c.sd, c.ldsp, c.sdsp.
  const isAccess = [0, 2].includes(bits(word, 1, 0)) && [1, 5].includes(bits(word, 15, 13));
  return isAccess ? word | 0x4000 : word;
}

/**
 * What F, D and the Zicsr that they bring have besides moves: computation, conversion, comparison, fused operations; CSRs; values of
 * other sizes. (Volume I, chapters 7, 21 and 22, with the opcodes of chapter 34.)
 */
export function computesFloats(word: number): boolean {
  if (lengthOf(word) === 2) return false;
  const [opcode, operation, rounding] = [word & 0x7f, bits(word, 31, 25), bits(word, 14, 12)];
  switch (opcode) {
    case 0x43:
    case 0x47:
    case 0x4b:
    case 0x4f:
      return true;
    case 0x07:
    case 0x27:
      return rounding !== 2 && rounding !== 3;
    case 0x73:
      return rounding !== 0;
    case 0x53: {
      const signs = (operation === 0x10 || operation === 0x11) && rounding <= 2;
      const moves = [0x70, 0x71, 0x78, 0x79].includes(operation) && rounding === 0 && bits(word, 24, 20) === 0;
      return !signs && !moves;
    }
    default:
      return false;
  }
}

/** `base` is a register, or the pc where it is undefined. */
interface Relative {
  readonly kind: Kind;
  readonly base?: number;
  readonly offset?: bigint;
}

const sext = (value: number, width: number): bigint => BigInt.asIntN(width, BigInt(value));
const bits = (word: number, hi: number, lo: number): number => (word >>> lo) & ((1 << (hi - lo + 1)) - 1);

function whole(word: number, xlen: Xlen): Relative {
  const base = bits(word, 19, 15);
  switch (word & 0x7f) {
    case 0x03:
      return { kind: "load", base, offset: immediateI(word) };
    case 0x23:
      return { kind: "store", base, offset: sext((bits(word, 31, 25) << 5) | bits(word, 11, 7), 12) };
    case 0x2f: {
      const kind = ATOMICS[bits(word, 31, 27)] ?? "amo";
      // Words and doublewords; a load-reserved has no second source.
      const size = bits(word, 14, 12);
      const reserved = (kind === "lr" && bits(word, 24, 20) !== 0) || (size !== 2 && !(size === 3 && xlen === 64));
      return reserved ? { kind: "other" } : { kind, base, offset: 0n };
    }
    case 0x67:
      return { kind: "jump", base, offset: immediateI(word) };
    case 0x6f:
      return { kind: "jump", offset: immediateJ(word) };
    case 0x63:
      return { kind: "branch", offset: immediateB(word) };
    case 0x73:
      return { kind: word === 0x73 ? "ecall" : "other" };
    default:
      return { kind: "other" };
  }
}

const ATOMICS: Readonly<Record<number, Kind>> = { 2: "lr", 3: "sc" };

const immediateI = (word: number): bigint => sext(bits(word, 31, 20), 12);
const immediateB = (word: number): bigint =>
  sext(
    (bits(word, 31, 31) << 12) | (bits(word, 7, 7) << 11) | (bits(word, 30, 25) << 5) | (bits(word, 11, 8) << 1),
    13,
  );
const immediateJ = (word: number): bigint =>
  sext(
    (bits(word, 31, 31) << 20) | (bits(word, 19, 12) << 12) | (bits(word, 20, 20) << 11) | (bits(word, 30, 21) << 1),
    21,
  );

/** Quadrant and funct3 of the formats CL, CS, CI, CSS, CJ, CB and CR. */
function compressed(word: number, xlen: Xlen): Relative {
  const base = 8 + bits(word, 9, 7);
  const words = BigInt((bits(word, 5, 5) << 6) | (bits(word, 12, 10) << 3) | (bits(word, 6, 6) << 2));
  const doubles = BigInt((bits(word, 6, 5) << 6) | (bits(word, 12, 10) << 3));
  const wide = xlen === 64;
  switch ((bits(word, 1, 0) << 3) | bits(word, 15, 13)) {
    case 0o02:
      return { kind: "load", base, offset: words };
    case 0o03:
      return wide ? { kind: "load", base, offset: doubles } : { kind: "other" };
    case 0o06:
      return { kind: "store", base, offset: words };
    case 0o07:
      return wide ? { kind: "store", base, offset: doubles } : { kind: "other" };
    case 0o11:
      return wide ? { kind: "other" } : { kind: "jump", offset: immediateCJ(word) };
    case 0o15:
      return { kind: "jump", offset: immediateCJ(word) };
    case 0o16:
    case 0o17:
      return { kind: "branch", offset: immediateCB(word) };
    case 0o22:
      return {
        kind: "load",
        base: 2,
        offset: BigInt((bits(word, 3, 2) << 6) | (bits(word, 12, 12) << 5) | (bits(word, 6, 4) << 2)),
      };
    case 0o23:
      if (!wide) return { kind: "other" };
      return {
        kind: "load",
        base: 2,
        offset: BigInt((bits(word, 4, 2) << 6) | (bits(word, 12, 12) << 5) | (bits(word, 6, 5) << 3)),
      };
    case 0o24:
      return bits(word, 6, 2) === 0 && bits(word, 11, 7) !== 0
        ? { kind: "jump", base: bits(word, 11, 7), offset: 0n }
        : { kind: "other" };
    case 0o26:
      return { kind: "store", base: 2, offset: BigInt((bits(word, 8, 7) << 6) | (bits(word, 12, 9) << 2)) };
    case 0o27:
      if (!wide) return { kind: "other" };
      return { kind: "store", base: 2, offset: BigInt((bits(word, 9, 7) << 6) | (bits(word, 12, 10) << 3)) };
    default:
      return { kind: "other" };
  }
}

const immediateCJ = (word: number): bigint =>
  sext(
    (bits(word, 12, 12) << 11) |
      (bits(word, 8, 8) << 10) |
      (bits(word, 10, 9) << 8) |
      (bits(word, 6, 6) << 7) |
      (bits(word, 7, 7) << 6) |
      (bits(word, 2, 2) << 5) |
      (bits(word, 11, 11) << 4) |
      (bits(word, 5, 3) << 1),
    12,
  );
const immediateCB = (word: number): bigint =>
  sext(
    (bits(word, 12, 12) << 8) |
      (bits(word, 6, 5) << 6) |
      (bits(word, 2, 2) << 5) |
      (bits(word, 11, 10) << 3) |
      (bits(word, 4, 3) << 1),
    9,
  );

/**
 * Zicond's instructions as those of the vendor extension XVentanaCondOps, which do the same in another encoding: vt.maskc is
 * czero.eqz and vt.maskcn czero.nez (VTx-family custom instructions, version 1.0).
 */
export function asVentana(word: number): number {
  if ((word & 0xfe00_507f) >>> 0 !== 0x0e00_5033) return word;
  return ((word & 0x01ff_8f80) | ((word & 0x2000) === 0 ? 0x6000 : 0x7000) | 0x7b) >>> 0;
}

export function isVentana(word: number): boolean {
  return (word & 0xfe00_607f) >>> 0 === 0x0000_607b;
}

export function isZicond(word: number): boolean {
  return asVentana(word) !== word;
}
