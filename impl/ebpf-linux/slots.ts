/**
 * The little that has to be known of eBPF's words to run them in the kernel: fields, which words access memory where, which go
 * elsewhere. It is written from RFC 9669, apart from the machine definition that is to be checked.
 */

/** A basic instruction, RFC 9669 §3.1; `offset` and `imm` are signed. */
export interface Slot {
  readonly opcode: number;
  readonly dst: number;
  readonly src: number;
  readonly offset: number;
  readonly imm: number;
}

export function readSlot(word: bigint): Slot {
  return {
    opcode: Number(word & 0xffn),
    dst: Number((word >> 8n) & 0xfn),
    src: Number((word >> 12n) & 0xfn),
    offset: Number(BigInt.asIntN(16, word >> 16n)),
    imm: Number(BigInt.asIntN(32, word >> 32n)),
  };
}

export function wordOf({ opcode, dst, src, offset, imm }: Slot): bigint {
  const low = BigInt(opcode) | (BigInt(dst) << 8n) | (BigInt(src) << 12n) | (BigInt.asUintN(16, BigInt(offset)) << 16n);
  return low | (BigInt.asUintN(32, BigInt(imm)) << 32n);
}

const slot = (opcode: number, dst: number, src: number, offset: number, imm: number): bigint =>
  wordOf({ opcode, dst, src, offset, imm });

/** The instructions of which the programs around a case are made. */
export const make = {
  /** `*(u64 *)(base + offset) = src` */
  store: (base: number, offset: number, src: number): bigint => slot(0x7b, base, src, offset, 0),
  /** `dst = *(u64 *)(base + offset)` */
  load: (dst: number, base: number, offset: number): bigint => slot(0x79, dst, base, offset, 0),
  /** `*(u64 *)(base + offset) = value` */
  storeNumber: (base: number, offset: number, value: number): bigint => slot(0x7a, base, 0, offset, value),
  set: (dst: number, value: number): bigint => slot(0xb7, dst, 0, 0, value),
  copy: (dst: number, src: number): bigint => slot(0xbf, dst, src, 0, 0),
  add: (dst: number, value: number): bigint => slot(0x07, dst, 0, 0, value),
  goto: (offset: number): bigint => slot(0x05, 0, 0, offset, 0),
  /** `if dst != 0 goto offset` */
  gotoUnlessZero: (dst: number, offset: number): bigint => slot(0x55, dst, 0, offset, 0),
  /** What Linux 6.6 brought: `r0 = (s8)r0`, `r0 s/= r0`, `gotol +0`. */
  recent: (): readonly bigint[] => [slot(0xbf, 0, 0, 8, 0), slot(0x3f, 0, 0, 1, 0), slot(0x06, 0, 0, 0, 0)],
  call: (offset: number): bigint => slot(0x85, 0, 1, 0, offset),
  exit: (): bigint => slot(0x95, 0, 0, 0, 0),
  /** The address of a byte of an array map's value: two slots. */
  mapValue: (dst: number, map: number, at: number): readonly bigint[] => [
    slot(0x18, dst, 2, 0, map),
    BigInt(at) << 32n,
  ],
} as const;

export const FRAME_POINTER = 10;
const LD = 0;
const LDX = 1;
const ST = 2;
const ALU = 4;
const JMP = 5;
const JMP32 = 6;
const ALU64 = 7;
const MEM = 3;
const MEMSX = 4;
const ATOMIC = 6;
const CALL = 8;
const EXIT = 9;
const ATOMIC_CMPXCHG = 0xf1;

const classOf = (s: Slot): number => s.opcode & 7;
const modeOf = (s: Slot): number => s.opcode >> 5;
const codeOf = (s: Slot): number => s.opcode >> 4;
const isX = (s: Slot): boolean => (s.opcode & 8) !== 0;

export interface Access {
  /** The register that the address is relative to, by the offset. */
  readonly base: number;
  readonly bytes: number;
  readonly atomic: boolean;
  /** Registers whose values the access sees, beside the base. */
  readonly sees: readonly number[];
}

/** Of a load or store; undefined for other words. */
export function accessOf(s: Slot): Access | undefined {
  const kind = classOf(s);
  const mode = modeOf(s);
  if (kind < LDX || kind >= ALU) return undefined;
  const bytes = [4, 2, 1, 8][(s.opcode >> 3) & 3] ?? 0;
  const atomic = mode === ATOMIC;
  if (kind === LDX) return mode === MEM || mode === MEMSX ? { base: s.src, bytes, atomic: false, sees: [] } : undefined;
  if (mode !== MEM && !atomic) return undefined;
  const sees = kind === ST ? [] : atomic && s.imm === ATOMIC_CMPXCHG ? [s.src, 0] : [s.src];
  return { base: s.dst, bytes, atomic, sees };
}

/** Registers whose values the instruction computes with or compares; not those that it only copies. */
export function operandsOf(s: Slot): readonly number[] {
  switch (classOf(s)) {
    case ALU:
    case ALU64: {
      const moves = codeOf(s) === 0xb;
      if (moves && isX(s)) return classOf(s) === ALU64 && s.offset === 0 ? [] : [s.src];
      return [...(moves ? [] : [s.dst]), ...(isX(s) && codeOf(s) !== 0xd ? [s.src] : [])];
    }
    case JMP:
    case JMP32:
      return isBranch(s) ? [s.dst, ...(isX(s) ? [s.src] : [])] : [];
    default:
      return [];
  }
}

/** Slots from the next instruction to where a jump or taken branch goes; undefined for other words. */
export function distanceOf(s: Slot): number | undefined {
  if (s.opcode === 0x06) return s.imm;
  return isJump(s) ? s.offset : undefined;
}

/** Codes that are no jump count as well: the kernel looks at the distance before it looks at the code. */
const isJump = (s: Slot): boolean =>
  (classOf(s) === JMP || classOf(s) === JMP32) && codeOf(s) !== CALL && codeOf(s) !== EXIT;
export const isBranch = (s: Slot): boolean => isJump(s) && codeOf(s) !== 0;
export const isLocalCall = (s: Slot): boolean => s.opcode === 0x85 && s.src === 1;
export const isCall = (s: Slot): boolean => s.opcode === 0x85;
export const isExit = (s: Slot): boolean => s.opcode === 0x95;
/** Packet access with a reserved field that is not zero: the kernel looks no further than at the mode. */
export function isMaimedPacketAccess(s: Slot): boolean {
  if (classOf(s) !== LD || (modeOf(s) !== 1 && modeOf(s) !== 2)) return false;
  return s.dst !== 0 || s.offset !== 0 || s.src > (modeOf(s) === 1 ? 0 : FRAME_POINTER);
}
export const isWide = (s: Slot): boolean => s.opcode === 0x18;

/** Wide instructions that need a map, which the kernel looks for first; and those whose second slot it takes for a jump. */
export function isRefusedWide(s: Slot, second: bigint): boolean {
  return isWide(s) && ((s.src >= 1 && s.src <= 6) || isJump(readSlot(second)));
}
