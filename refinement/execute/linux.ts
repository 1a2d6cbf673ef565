/**
 * The few Linux system calls that a freestanding program needs, whatever the architecture's convention for them is. Everything else
 * answers ENOSYS.
 */
import type { Permissions } from "../terms/value.js";
import type { Engine, EngineMemory } from "./engine.js";

const PAGE = 4096n;
const ERROR = { badFile: 9, noMemory: 12, fault: 14, invalid: 22, notTerminal: 25, noSystemCall: 38 } as const;

export type SystemCall = "ioctl" | "read" | "write" | "writev" | "exit" | "brk" | "mmap" | "munmap";

/** How a program of some architecture asks the system for something. */
export interface Convention {
  /** Bits of a register. */
  readonly width: number;
  readonly calls: ReadonlyMap<number, SystemCall>;
  number(): number;
  argument(index: number): bigint;
  /** A result, or an error negated. */
  answer(value: bigint): void;
  /** What no other architecture has; the answer, or undefined for a call that it does not serve either. */
  serve?(number: number): bigint | undefined;
}

/**
 * RISC-V (psABI): number in a7, arguments in a0 … a5, result in a0; numbers of `include/uapi/asm-generic/unistd.h`.
 */
export function riscvConvention(engine: Engine, width: number, serve?: Convention["serve"]): Convention {
  return {
    ...(serve === undefined ? {} : { serve }),
    width,
    calls: RISCV_CALLS,
    number: () => Number(BigInt.asUintN(32, engine.element("x", 17))),
    argument: (index) => engine.element("x", 10 + index),
    answer: (value) => engine.setElement("x", 10, BigInt.asUintN(width, value)),
  };
}

const RISCV_CALLS: ReadonlyMap<number, SystemCall> = new Map([
  [29, "ioctl"],
  [63, "read"],
  [64, "write"],
  [66, "writev"],
  [93, "exit"],
  [94, "exit"],
  [214, "brk"],
  [215, "munmap"],
  [222, "mmap"],
]);

/** A range of whole pages, and what it grants. */
export interface Region {
  readonly first: bigint;
  /** The first address after it; a multiple of the page size. */
  end: bigint;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

/** Regions make a process's permissions: by pages, as an operating system grants them. */
export function permissionsOf(regions: readonly Region[]): Permissions {
  return Object.assign(
    (access: "fetch" | "load" | "store", address: bigint): boolean => {
      for (const r of regions) {
        if (address < r.first || address >= r.end) continue;
        switch (access) {
          case "fetch":
            if (r.executable) return true;
            break;
          case "load":
            if (r.readable) return true;
            break;
          case "store":
            if (r.writable) return true;
            break;
        }
      }
      return false;
    },
    { granularity: Number(PAGE) },
  );
}

export function pageUp(address: bigint): bigint {
  return ((address + PAGE - 1n) / PAGE) * PAGE;
}

export function pageDown(address: bigint): bigint {
  return (address / PAGE) * PAGE;
}

export interface Streams {
  readonly stdin: Uint8Array;
  readonly stdout: (bytes: Uint8Array) => void;
  readonly stderr: (bytes: Uint8Array) => void;
}

/** A process: what the system calls change beside the machine's state. */
export class Process {
  private readonly memory: EngineMemory;
  private readonly convention: Convention;
  private readonly streams: Streams;
  private readonly heap: Region;
  private readonly heapStart: bigint;
  private readonly heapLimit: bigint;
  /** Anonymous mappings are handed out downwards from here. */
  private mapTop: bigint;
  private readonly regions: Region[];
  private stdinRead = 0;

  /**
   * `regions` is what the memory's permissions look at; the heap is added to it. `heapLimit` is where the stack's region
   * begins.
   */
  constructor(
    memory: EngineMemory,
    convention: Convention,
    regions: Region[],
    heapStart: bigint,
    heapLimit: bigint,
    streams: Streams,
  ) {
    this.memory = memory;
    this.convention = convention;
    this.streams = streams;
    this.regions = regions;
    this.heapStart = heapStart;
    this.heapLimit = heapLimit;
    this.mapTop = heapLimit;
    this.heap = { first: heapStart, end: heapStart, readable: true, writable: true, executable: false };
    this.brk = heapStart;
    regions.push(this.heap);
  }

  private brk: bigint;

  /** Carries out the call that the registers ask for. An exit code, where the process is over. */
  systemCall(): number | undefined {
    const { convention } = this;
    const a = (i: number): bigint => convention.argument(i);
    const number = convention.number();
    const call = convention.calls.get(number);
    switch (call) {
      case "exit":
        return Number(a(0) & 0xffn);
      case "write":
        convention.answer(this.write(a(0), a(1), a(2)));
        return undefined;
      case "writev":
        convention.answer(this.writeAll(a(0), a(1), a(2)));
        return undefined;
      case "read":
        convention.answer(this.read(a(0), a(1), a(2)));
        return undefined;
      case "brk":
        convention.answer(this.moveBreak(a(0)));
        return undefined;
      case "mmap":
        convention.answer(this.map(a(0), a(1), a(3)));
        return undefined;
      case "munmap":
        convention.answer(0n);
        return undefined;
      case "ioctl":
        convention.answer(-BigInt(ERROR.notTerminal));
        return undefined;
      case undefined:
        convention.answer(convention.serve?.(number) ?? -BigInt(ERROR.noSystemCall));
        return undefined;
      default:
        return call satisfies never;
    }
  }

  private accessible(access: "load" | "store", address: bigint, length: bigint): boolean {
    for (let at = address; at < address + length; at = pageDown(at) + PAGE)
      if (!this.memory.accessible(access, at, 1)) return false;
    return true;
  }

  private write(fd: bigint, address: bigint, length: bigint): bigint {
    if (fd !== 1n && fd !== 2n) return -BigInt(ERROR.badFile);
    const count = length < 0x7fff_f000n ? length : 0x7fff_f000n;
    if (!this.accessible("load", address, count)) return -BigInt(ERROR.fault);
    const bytes = Uint8Array.from({ length: Number(count) }, (_, i) => this.memory.readByte(address + BigInt(i)));
    (fd === 1n ? this.streams.stdout : this.streams.stderr)(bytes);
    return count;
  }

  /** `count` buffers, each an address and a length, one after the other. */
  private writeAll(fd: bigint, buffers: bigint, count: bigint): bigint {
    const word = this.convention.width / 8;
    if (count > 1024n) return -BigInt(ERROR.invalid);
    if (!this.accessible("load", buffers, count * BigInt(2 * word))) return -BigInt(ERROR.fault);
    let total = 0n;
    for (let i = 0n; i < count; i++) {
      const at = buffers + i * BigInt(2 * word);
      const written = this.write(fd, this.memory.read(at, word), this.memory.read(at + BigInt(word), word));
      if (written < 0n) return total > 0n ? total : written;
      total += written;
    }
    return total;
  }

  private read(fd: bigint, address: bigint, length: bigint): bigint {
    if (fd !== 0n) return -BigInt(ERROR.badFile);
    const left = this.streams.stdin.length - this.stdinRead;
    const count = length < BigInt(left) ? Number(length) : left;
    if (!this.accessible("store", address, BigInt(count))) return -BigInt(ERROR.fault);
    for (let i = 0; i < count; i++)
      this.memory.writeByte(address + BigInt(i), this.streams.stdin[this.stdinRead + i] ?? 0);
    this.stdinRead += count;
    return BigInt(count);
  }

  /** The new break, or the old one where it cannot be had; a lower break keeps its pages. */
  private moveBreak(wanted: bigint): bigint {
    if (wanted >= this.heapStart && pageUp(wanted) <= this.mapTop) {
      this.brk = wanted;
      if (pageUp(wanted) > this.heap.end) this.heap.end = pageUp(wanted);
    }
    return this.brk;
  }

  /** Anonymous memory at an address of our choice. */
  private map(address: bigint, length: bigint, flags: bigint): bigint {
    const [fixed, anonymous] = [0x10n, 0x20n];
    if (length === 0n || (flags & fixed) !== 0n || (flags & anonymous) === 0n || address !== 0n)
      return -BigInt(ERROR.invalid);
    const first = this.mapTop - pageUp(length);
    if (first < this.heap.end || first > this.heapLimit) return -BigInt(ERROR.noMemory);
    this.mapTop = first;
    this.regions.push({ first, end: first + pageUp(length), readable: true, writable: true, executable: false });
    return first;
  }
}
