/**
 * Guest programs made without a compiler: a signal handler that does the work, entered for the first time by an `ebreak`, in an address
 * space that holds given pages beside it. They are assembled with RV64I's definition; system calls are those of RISC-V Linux.
 */
import { assemble } from "../../refinement/assembly/index.js";
import type { Machine } from "../../refinement/machine.js";
import { writeElf } from "./elf.js";

export const PAGE = 0x1000n;
/** Where Linux lets every program map (vm.mmap_min_addr), and where QEMU itself may lie. */
const LOWEST = 0x1_0000n;
const HIGHEST = 0x5000_0000_0000n;

/** Of the handler; the data lie a page behind it, then the table. */
const BASES = [0x3c_0000_0000n, 0x3a_0000_0000n] as const;
const RESERVED = 0x1000_0000n;

const SIGNALS = [4, 5, 7, 11, 26]; // SIGILL, SIGTRAP, SIGBUS, SIGSEGV, SIGVTALRM
export const SIGVTALRM = 26;
/** In the kernel's `struct ucontext`, which a handler finds in a2: the pc, then x1 … x31. */
export const INTERRUPTED_PC = 176;
const START = 0x400n;
const DATA = PAGE;

/** Offsets in the data; the first ones are the handler's own. */
export const CURSOR = 8;
const ALTERNATE_STACK = 16;
const ACTION = 40;
const TIMER = 64;
export const REGISTERS = 0x400;
const MAPS = 0x800;
/** Pages, and what is allowed there, for handlers that set it. Beyond the bits of `mprotect` is one that says that there is an entry. */
export const PROTECTIONS = 0xe80;
const STACK = 0x4000n;
const STACK_SIZE = 0x1_0000n;
const TABLE = 0x2_0000n;
/** In the data, free up to the table. */
export const BUFFER = 0x1_4000;

/** At most so many separate ranges of pages. */
export const MAX_RANGES = 100;

export interface Piece {
  readonly address: bigint;
  /** An even number. */
  readonly bytes: Uint8Array;
}

/** How the program ends that cannot map the pages of its pieces. */
export const CANNOT_MAP = 3;

const ENTRY = 8n;

/** Of a page, what its program may do there: 1 to read, 2 to write. */
export interface Protection {
  readonly page: bigint;
  readonly allowed: bigint;
}

/** Whether the guest can have something there; lower down the system may refuse. */
export function canHold(address: bigint, length: number, lowest = LOWEST): boolean {
  return address >= lowest && address + BigInt(length) + PAGE <= HIGHEST && baseFor(address) !== undefined;
}

/** Where the program can lie that has something at `address`: out of reach of every direct jump. */
export function baseFor(address: bigint): bigint | undefined {
  return BASES.find((base) => address < base - RESERVED || address >= base + RESERVED);
}

/** The pages that a piece lies in. */
export function pagesOf({ address, bytes }: Piece): { readonly start: bigint; readonly end: bigint } {
  const end = address + BigInt(bytes.length);
  return { start: address - (address % PAGE), end: ((end + PAGE - 1n) / PAGE) * PAGE };
}

function rangesOf(pieces: readonly Piece[]): { readonly start: bigint; readonly end: bigint }[] {
  const sorted = pieces.map(pagesOf).sort((a, b) => (a.start < b.start ? -1 : 1));
  const merged: { start: bigint; end: bigint }[] = [];
  for (const { start, end } of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = end > last.end ? end : last.end;
    else merged.push({ start, end });
  }
  return merged;
}

/**
 * An ELF file. The handler, in assembly, finds its data a page behind its first byte, a signal's number in a0, and in its data at
 * `CURSOR` the table: of each piece its length, its address and its bytes, padded to 8; a length of 0 ends it.
 */
export function guestProgram(
  rv64i: Machine,
  handler: string,
  pieces: readonly Piece[],
  registers: readonly bigint[] = [],
  protections: readonly Protection[] = [],
): Uint8Array {
  const base = baseFor(pieces[0]?.address ?? 0n) ?? BASES[0];
  const code = new Uint8Array(Number(PAGE));
  code.set(assemble(rv64i, handler, base));
  code.set(assemble(rv64i, STARTUP, base + START), Number(START));
  const data = dataOf(base, pieces, registers, protections);
  return writeElf(base + START, [
    { address: base, data: code, writable: false, executable: true },
    { address: base + DATA, data, size: Number(TABLE - DATA), writable: true, executable: false },
    { address: base + TABLE, data: tableOf(pieces), writable: false, executable: false },
  ]);
}

function dataOf(
  base: bigint,
  pieces: readonly Piece[],
  registers: readonly bigint[],
  protections: readonly Protection[],
): Uint8Array {
  const bytes = new Uint8Array(Number(PAGE));
  const view = new DataView(bytes.buffer);
  const put = (at: number, values: readonly bigint[]): void => {
    for (const [i, value] of values.entries()) view.setBigUint64(at + 8 * i, value, true);
  };
  put(CURSOR, [base + TABLE]);
  put(ALTERNATE_STACK, [base + STACK, 0n, STACK_SIZE]);
  const siginfoOnstackNodefer = 4n | 0x0800_0000n | 0x4000_0000n;
  put(ACTION, [base, siginfoOnstackNodefer, 0n]);
  put(TIMER, [0n, 4_000n, 0n, 4_000n]); // every 4 ms of processor time
  put(REGISTERS, registers);
  put(
    PROTECTIONS,
    protections.flatMap(({ page, allowed }) => [page, ENTRY | allowed]),
  );
  put(
    MAPS,
    rangesOf(pieces).flatMap(({ start, end }) => [start, end - start]),
  );
  return bytes;
}

function tableOf(pieces: readonly Piece[]): Uint8Array {
  const entries = pieces.map(({ address, bytes }) => {
    const entry = new Uint8Array(16 + Math.ceil(bytes.length / 8) * 8);
    const view = new DataView(entry.buffer);
    view.setBigUint64(0, BigInt(bytes.length), true);
    view.setBigUint64(8, address, true);
    entry.set(bytes, 16);
    return entry;
  });
  return Buffer.concat([...entries, new Uint8Array(8)]);
}

/** Puts the piece at t1 in the table, t2 bytes long, in its place, whose address stays in t6; t1 is behind it then. */
export const PLACE = `
        ld    t6, 8(t1)
        addi  t1, t1, 16
        add   t3, t6, zero
        add   t4, t1, t2
copy:   lhu   t5, 0(t1)
        sh    t5, 0(t3)
        addi  t1, t1, 2
        addi  t3, t3, 2
        bne   t1, t4, copy
        addi  t1, t1, 7
        andi  t1, t1, -8
`;

const STARTUP = `
        auipc s0, 1
        addi  s0, s0, ${-Number(START)}
        addi  a0, s0, ${ALTERNATE_STACK}
        addi  a1, zero, 0
        addi  a7, zero, 132           # sigaltstack
        ecall
${SIGNALS.map(
  (signal) => `
        addi  a0, zero, ${signal}
        addi  a1, s0, ${ACTION}
        addi  a2, zero, 0
        addi  a3, zero, 8
        addi  a7, zero, 134           # rt_sigaction
        ecall`,
).join("")}
        addi  s1, s0, ${MAPS / 2}
        addi  s1, s1, ${MAPS / 2}
map:    ld    a0, 0(s1)
        ld    a1, 8(s1)
        addi  s1, s1, 16
        beq   a1, zero, mapped
        addi  a2, zero, 7             # readable, writable, executable
        addi  a3, zero, 0x32          # private, fixed, anonymous
        addi  a4, zero, -1
        addi  a5, zero, 0
        addi  a7, zero, 222           # mmap
        add   s2, a0, zero
        ecall
        beq   a0, s2, map
        addi  a0, zero, ${CANNOT_MAP}
        addi  a7, zero, 94
        ecall
mapped: addi  a0, zero, 1             # virtual time
        addi  a1, s0, ${TIMER}
        addi  a2, zero, 0
        addi  a7, zero, 103           # setitimer
        ecall
        ebreak
`;
