/**
 * The memory that a case runner's cases run in: a few windows, each between guards that nothing may access. windows.h has the records
 * that the runner is sent.
 */
import type { Range } from "../../refinement/emulator.js";
import { MemoryValue } from "../../refinement/terms/value.js";

export const PAGE = 0x1000n;

export interface Window extends Range {
  /** Bytes before and behind it. */
  readonly guard: bigint;
  readonly write: boolean;
  readonly execute: boolean;
}

const MAX_WINDOWS = 16;

export function windowAt(windows: readonly Window[], address: bigint): Window | undefined {
  return windows.find((w) => address >= w.start && address < w.end);
}

/**
 * The windows with what they hold before anyone writes them: those for code are full of breakpoints, of which the four bytes `stop` are
 * made, and others hold a pattern.
 */
export function roomMemory(windows: readonly Window[], width: number, stop: readonly number[]): MemoryValue {
  const byte = (window: Window, address: bigint): number => {
    if (window.execute) return stop[Number(address & 3n)] ?? 0;
    const word = BigInt.asUintN(64, (address >> 3n) * 0x9e3779b97f4a7c15n) ^ 0x5851f42d4c957f2dn;
    return Number((word >> (8n * (address & 7n))) & 0xffn);
  };
  const contents = (w: Window): Uint8Array =>
    Uint8Array.from({ length: Number(w.end - w.start) }, (_, i) => byte(w, w.start + BigInt(i)));
  return windows.reduce(
    (memory, w) => memory.storeBytes(w.start, contents(w)),
    MemoryValue.empty(width, (access, address) => {
      const window = windowAt(windows, address);
      if (window === undefined) return false;
      return access === "fetch" ? window.execute : access === "store" ? window.write : true;
    }),
  );
}

/** `struct layout`. */
export function encodeWindows(windows: readonly Window[]): Uint8Array {
  const words = new BigUint64Array(1 + 4 * MAX_WINDOWS);
  words[0] = BigInt(windows.length);
  windows.forEach((w, i) => {
    const protection = 1n | (w.write ? 2n : 0n) | (w.execute ? 4n : 0n);
    words.set([w.start, w.end, w.guard, protection], 1 + 4 * i);
  });
  return new Uint8Array(words.buffer);
}
