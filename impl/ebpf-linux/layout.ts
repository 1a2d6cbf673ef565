/**
 * The memory that cases run in, as the guest sees it. The kernel's programs see other addresses: the base register of an access
 * is set so that it meets the kernel's window, and told as what it stands for.
 */
import type { Range } from "../../refinement/emulator.js";
import { MemoryValue } from "../../refinement/terms/value.js";

const PAGE = 0x1000n;

export const CODE: readonly Range[] = [
  { start: 0x1_0000n, end: 0x1_0000n + PAGE },
  { start: 0x1_0000_0000n - PAGE, end: 0x1_0000_0000n + PAGE },
];

/** Where addresses turn over, and at the end of all. */
export const DATA: readonly Range[] = [
  { start: 0x2000_0000n, end: 0x2000_0000n + PAGE },
  { start: 0x8000_0000n - PAGE, end: 0x8000_0000n + PAGE },
  { start: 0x7fff_ffff_ffff_f000n, end: 0x8000_0000_0000_1000n },
  { start: 0xffff_ffff_ffff_e000n, end: 0xffff_ffff_ffff_f000n },
];

const within = (ranges: readonly Range[], address: bigint): boolean =>
  ranges.some((r) => address >= r.start && address < r.end);

export function isData(address: bigint, bytes: number): boolean {
  return within(DATA, address) && within(DATA, BigInt.asUintN(64, address + BigInt(bytes - 1)));
}

/** What a byte of data holds before anyone writes it. */
function background(address: bigint): number {
  const word = BigInt.asUintN(64, (address >> 3n) * 0x9e3779b97f4a7c15n) ^ 0x5851f42d4c957f2dn;
  return Number((word >> (8n * (address & 7n))) & 0xffn);
}

export const ROOM_MEMORY = DATA.reduce(
  (memory, { start, end }) =>
    memory.storeBytes(
      start,
      Uint8Array.from({ length: Number(end - start) }, (_, i) => background(start + BigInt(i))),
    ),
  MemoryValue.empty(64, (access, address) => within(access === "fetch" ? CODE : DATA, address)),
);
