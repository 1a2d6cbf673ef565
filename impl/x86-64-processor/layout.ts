/**
 * The memory that cases run in: a few windows, apart from the case runner's own image and stack, each between guards that nothing may
 * access. They lie where addresses turn over.
 */
import type { Range } from "../../refinement/emulator.js";
import { MemoryValue } from "../../refinement/terms/value.js";

export const PAGE = 0x1000n;

export interface Window extends Range {
  readonly guard: bigint;
  readonly write: boolean;
  readonly execute: boolean;
}

const GUARD = 0x10000n;

const window = (start: bigint, write: boolean, execute: boolean): Window => ({
  start,
  end: start + 2n * PAGE,
  guard: GUARD,
  write,
  execute,
});

export const WINDOWS: readonly Window[] = [
  window(0x1000_0000n, true, true),
  window(0x8000_0000n - PAGE, true, true),
  window(0x1_0000_0000n - PAGE, true, true),
  window(0x4000_0000_0000n - PAGE, true, true),
  window(0x2000_0000n, true, false),
  window(0x1_8000_0000n - PAGE, true, false),
  window(0x2aaa_aaaa_a000n, true, false),
  window(0x3000_0000n, false, false),
];

export function windowAt(address: bigint): Window | undefined {
  return WINDOWS.find((w) => address >= w.start && address < w.end);
}

/** `int3`. */
export const BREAKPOINT = 0xcc;

/** What a byte holds before anyone writes it: code windows are full of `int3`, others hold a pattern. */
export function background(address: bigint): number {
  const found = windowAt(address);
  if (found === undefined) return 0;
  if (found.execute) return BREAKPOINT;
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
    const found = windowAt(address);
    if (found === undefined) return false;
    return access === "fetch" ? found.execute : access === "store" ? found.write : true;
  }),
);

/** The first address that no user process has: half of the 48 bits, less a page (arch/x86/include/asm/page_64_types.h). */
export const USER_END = (1n << 47n) - PAGE;

/** Below it nothing can be mapped (vm.mmap_min_addr). */
const LOWEST = PAGE;

/** Where nothing at all can be mapped. An access elsewhere outside the windows' neighbourhood could touch the case runner itself. */
export function isUnmappable(address: bigint): boolean {
  return address < LOWEST || address >= USER_END;
}

/** Beyond it the kernel may have put the case runner, its stack and its libraries. */
const MAPPED_FROM = 0x5000_0000_0000n;

/** Where the case runner is not. */
export function isConfined(address: bigint): boolean {
  return address < MAPPED_FROM || isUnmappable(address);
}
