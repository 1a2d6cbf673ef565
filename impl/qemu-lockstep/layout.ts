/**
 * The memory that cases run in: a few windows, apart from the case runner's own image and from QEMU's memory (for a 64-bit
 * guest, guest addresses are host addresses), each between guards that nothing may access. They lie where addresses turn over.
 */
import type { MemoryValue } from "../../refinement/terms/value.js";
import { PAGE, roomMemory, type Window, windowAt } from "../shared/windows.js";
import type { Xlen } from "./words.js";

/** What the windows are for: code of 32-bit words, or with 16-bit ones among them. */
export interface Purpose {
  readonly xlen: Xlen;
  readonly compressed: boolean;
}

/** Beyond every branch and jump of a direct distance. */
const CODE_GUARD = 0x200000n;
const DATA_GUARD = 0x10000n;

const code = (start: bigint): Window => ({
  start,
  end: start + 2n * PAGE,
  guard: CODE_GUARD,
  write: true,
  execute: true,
});
const data = (start: bigint, write: boolean): Window => ({
  start,
  end: start + 2n * PAGE,
  guard: DATA_GUARD,
  write,
  execute: false,
});

const WINDOWS: Readonly<Record<Xlen, readonly Window[]>> = {
  64: [
    code(0x1000_0000n),
    code(0x8000_0000n - PAGE),
    code(0x1_0000_0000n - PAGE),
    code(0x4000_0000_0000n - PAGE),
    data(0x2000_0000n, true),
    data(0x1_8000_0000n - PAGE, true),
    data(0x2aaa_aaaa_a000n, true),
    data(0x3000_0000n, false),
  ],
  32: [
    code(0x1000_0000n),
    code(0x8000_0000n - PAGE),
    code(0xa000_0000n),
    data(0x2000_0000n, true),
    data(0x9000_0000n - PAGE, true),
    data(0x3000_0000n, false),
  ],
};

/** The runner's image is linked here; its stack and QEMU's own memory lie elsewhere. */
export const RUNNER_BASE: Readonly<Record<Xlen, bigint>> = { 64: 0x3c_0000_0000n, 32: 0x3800_0000n };

const EBREAK = [0x73, 0x00, 0x10, 0x00];
const C_EBREAK = [0x02, 0x90, 0x02, 0x90];

export class Layout {
  readonly xlen: Xlen;
  readonly windows: readonly Window[];
  /** The windows with their contents. */
  readonly memory: MemoryValue;
  /** What code windows are full of, so that whatever comes after a case stops: c.ebreak, or ebreak where there is no C. */
  private readonly stop: readonly number[];

  constructor({ xlen, compressed }: Purpose) {
    this.xlen = xlen;
    this.windows = WINDOWS[xlen];
    this.stop = compressed ? C_EBREAK : EBREAK;
    this.memory = roomMemory(this.windows, xlen, this.stop);
  }

  windowAt(address: bigint): Window | undefined {
    return windowAt(this.windows, address);
  }

  /** Whether what stands at an address of a case's memory stops it. */
  stops(memory: MemoryValue, address: bigint): boolean {
    const bytes = this.stop === C_EBREAK ? 2 : 4;
    if (!this.memory.accessible("fetch", address, bytes)) return true;
    return this.stop.slice(0, bytes).every((byte, i) => memory.readByte(address + BigInt(i)) === byte);
  }

  /**
   * Where nothing at all can be mapped: the first page, and everything beyond the 47 bits that a Linux process has.
   * An access elsewhere outside the windows' neighbourhood could touch the emulator itself.
   */
  isUnmappable(address: bigint): boolean {
    return address < PAGE || (this.xlen === 64 && address >= 1n << 47n);
  }

  /** Eight bytes from here are all in a window, in its guards or where nothing can be mapped. */
  isConfined(address: bigint): boolean {
    if (this.windows.some((w) => address >= w.start - w.guard && address + 8n <= w.end + w.guard)) return true;
    return this.isUnmappable(address) && this.isUnmappable(BigInt.asUintN(this.xlen, address + 7n));
  }
}
