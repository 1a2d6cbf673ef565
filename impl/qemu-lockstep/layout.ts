/**
 * The memory that cases run in: a few windows, apart from the case runner's own image and from QEMU's memory (guest addresses
 * are host addresses), each between guards that nothing may access. They lie where addresses turn over.
 */
import type { Range } from "../../refinement/emulator.js";
import { MemoryValue } from "../../refinement/terms/value.js";

export const PAGE = 0x1000n;

export interface Window extends Range {
  readonly guard: bigint;
  readonly read: true;
  readonly write: boolean;
  readonly execute: boolean;
}

/** Beyond every branch and jump of a direct distance. */
const CODE_GUARD = 0x200000n;
const DATA_GUARD = 0x10000n;

const code = (start: bigint): Window => ({
  start,
  end: start + 2n * PAGE,
  guard: CODE_GUARD,
  read: true,
  write: true,
  execute: true,
});
const data = (start: bigint, write: boolean): Window => ({
  start,
  end: start + 2n * PAGE,
  guard: DATA_GUARD,
  read: true,
  write,
  execute: false,
});

export const WINDOWS: readonly Window[] = [
  code(0x1000_0000n),
  code(0x8000_0000n - PAGE),
  code(0x1_0000_0000n - PAGE),
  code(0x4000_0000_0000n - PAGE),
  data(0x2000_0000n, true),
  data(0x1_8000_0000n - PAGE, true),
  data(0x2aaa_aaaa_a000n, true),
  data(0x3000_0000n, false),
];

/** The runner's image is linked here; its stack and QEMU's own memory lie elsewhere. */
export const RUNNER_BASE = 0x3c_0000_0000n;

export function windowAt(address: bigint): Window | undefined {
  return WINDOWS.find((w) => address >= w.start && address < w.end);
}

const EBREAKS = [0x73, 0x00, 0x10, 0x00];

/** What a byte holds before anyone writes it: code windows are full of `ebreak`, others hold a pattern. */
export function background(address: bigint): number {
  const window = windowAt(address);
  if (window === undefined) return 0;
  if (window.execute) return EBREAKS[Number(address & 3n)] ?? 0;
  const word = BigInt.asUintN(64, (address >> 3n) * 0x9e3779b97f4a7c15n) ^ 0x5851f42d4c957f2dn;
  return Number((word >> (8n * (address & 7n))) & 0xffn);
}

/** The windows with their contents. */
export const ROOM_MEMORY = WINDOWS.reduce(
  (memory, w) =>
    memory.storeBytes(
      w.start,
      Uint8Array.from({ length: Number(w.end - w.start) }, (_, i) => background(w.start + BigInt(i))),
    ),
  MemoryValue.empty(64, (access, address) => {
    const window = windowAt(address);
    if (window === undefined) return false;
    return access === "fetch" ? window.execute : access === "store" ? window.write : true;
  }),
);

/**
 * Where nothing at all can be mapped: the first page, and everything beyond the 47 bits that a Linux process has.
 * An access elsewhere outside the windows' neighbourhood could touch the emulator itself.
 */
export function isUnmappable(address: bigint): boolean {
  return address < PAGE || address >= 1n << 47n;
}

/** Inside a window or its guards, with room for the longest access. */
export function isConfined(address: bigint): boolean {
  return WINDOWS.some((w) => address >= w.start - w.guard && address + 8n <= w.end + w.guard);
}
