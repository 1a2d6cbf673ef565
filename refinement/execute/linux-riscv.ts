/**
 * What a statically linked C library asks Linux for on RISC-V before and after `main`, beside the calls of linux.ts: answered as
 * Linux does for a process that is alone, has no files but its streams and no threads. Structures are those of the kernel's headers
 * (include/uapi/asm-generic).
 */
import type { EngineMemory } from "./engine.js";

const ERROR = { noEntry: 2, fault: 14, illegalSeek: 29 } as const;
const PROCESS = 1n;
const USER = 1000n;
/** A pipe that its owner may read and write (S_IFIFO | 0600). */
const PIPE_MODE = 0o010600;
const STACK_LIMIT = 8n << 20n;

/** By number: the call's name, for those that are answered here. */
const CALLS: ReadonlyMap<number, Call> = new Map([
  [48, "faccessat"],
  [56, "openat"],
  [57, "close"],
  [62, "lseek"],
  [78, "readlinkat"],
  [79, "newfstatat"],
  [80, "fstat"],
  [96, "set_tid_address"],
  [99, "set_robust_list"],
  [134, "rt_sigaction"],
  [135, "rt_sigprocmask"],
  [160, "uname"],
  [172, "getpid"],
  [174, "getuid"],
  [175, "getuid"],
  [176, "getuid"],
  [177, "getuid"],
  [178, "getpid"],
  [226, "mprotect"],
  [233, "madvise"],
  [261, "prlimit64"],
  [278, "getrandom"],
]);

type Call =
  | "faccessat"
  | "openat"
  | "close"
  | "lseek"
  | "readlinkat"
  | "newfstatat"
  | "fstat"
  | "set_tid_address"
  | "set_robust_list"
  | "rt_sigaction"
  | "rt_sigprocmask"
  | "uname"
  | "getpid"
  | "getuid"
  | "mprotect"
  | "madvise"
  | "prlimit64"
  | "getrandom";

/** A generator whose bytes are the same in every run (SplitMix64). */
export class FixedBytes {
  private state = 0x243f_6a88_85a3_08d3n;

  next(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i += 8) {
      this.state = BigInt.asUintN(64, this.state + 0x9e37_79b9_7f4a_7c15n);
      let z = this.state;
      z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
      z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
      z ^= z >> 31n;
      for (let k = 0; k < 8 && i + k < count; k++) bytes[i + k] = Number((z >> BigInt(8 * k)) & 0xffn);
    }
    return bytes;
  }
}

export class RiscvServices {
  private readonly memory: EngineMemory;
  private readonly width: number;
  private readonly executable: string;
  private readonly argument: (index: number) => bigint;
  private readonly random: FixedBytes;

  /** `executable` is what /proc/self/exe leads to: an absolute path, which glibc relies on. */
  constructor(
    memory: EngineMemory,
    width: number,
    executable: string,
    argument: (index: number) => bigint,
    random: FixedBytes,
  ) {
    this.memory = memory;
    this.width = width;
    this.executable = executable;
    this.argument = argument;
    this.random = random;
  }

  /** The answer, an error negated; undefined for a call that there is not. */
  serve(number: number): bigint | undefined {
    const call = CALLS.get(number);
    const a = this.argument;
    switch (call) {
      case undefined:
        return undefined;
      case "openat":
      case "faccessat":
        return -BigInt(ERROR.noEntry);
      case "lseek":
        return -BigInt(ERROR.illegalSeek);
      case "readlinkat":
        return this.readlink(a(1), a(2), a(3));
      case "newfstatat":
        return this.readString(a(1)) === "" ? this.stat(a(2)) : -BigInt(ERROR.noEntry);
      case "fstat":
        return this.stat(a(1));
      case "set_tid_address":
      case "getpid":
        return PROCESS;
      case "getuid":
        return USER;
      case "uname":
        return this.uname(a(0));
      case "prlimit64":
        return this.limit(a(1), a(3));
      case "getrandom":
        return this.put(a(0), this.random.next(Number(a(1) < 256n ? a(1) : 256n)));
      case "close":
      case "set_robust_list":
      case "rt_sigaction":
      case "rt_sigprocmask":
      case "mprotect":
      case "madvise":
        return 0n;
      default:
        return call satisfies never;
    }
  }

  /** The bytes' number, or EFAULT where they cannot be written. */
  private put(address: bigint, bytes: Uint8Array): bigint {
    for (let i = 0; i < bytes.length; i++)
      if (!this.memory.accessible("store", address + BigInt(i), 1)) return -BigInt(ERROR.fault);
    bytes.forEach((byte, i) => {
      this.memory.writeByte(address + BigInt(i), byte);
    });
    return BigInt(bytes.length);
  }

  /** As `put`, for calls that give 0. */
  private fill(address: bigint, bytes: Uint8Array): bigint {
    const written = this.put(address, bytes);
    return written < 0n ? written : 0n;
  }

  private readString(address: bigint): string | undefined {
    let text = "";
    for (let at = address; text.length < 4096; at++) {
      if (!this.memory.accessible("load", at, 1)) return undefined;
      const byte = this.memory.readByte(at);
      if (byte === 0) return text;
      text += String.fromCharCode(byte);
    }
    return undefined;
  }

  private readlink(path: bigint, buffer: bigint, size: bigint): bigint {
    const of = this.readString(path);
    if (of === undefined) return -BigInt(ERROR.fault);
    if (of !== "/proc/self/exe") return -BigInt(ERROR.noEntry);
    const name = new TextEncoder().encode(this.executable);
    return this.put(buffer, name.subarray(0, Number(size)));
  }

  /** `struct stat` of 128 bytes (of 32-bit systems: 104, which use statx instead), of a pipe. */
  private stat(buffer: bigint): bigint {
    const bytes = new Uint8Array(this.width === 64 ? 128 : 104);
    const view = new DataView(bytes.buffer);
    const [mode, blockSize] = this.width === 64 ? [16, 56] : [16, 48];
    view.setUint32(mode, PIPE_MODE, true);
    view.setUint32(mode + 4, 1, true);
    view.setUint32(blockSize, 4096, true);
    return this.fill(buffer, bytes);
  }

  /** `struct new_utsname`: six fields of 65 bytes. */
  private uname(buffer: bigint): bigint {
    const bytes = new Uint8Array(6 * 65);
    const fields = ["Linux", "localhost", "6.1.0", "#1", `riscv${this.width}`, "(none)"];
    for (const [i, text] of fields.entries()) bytes.set(new TextEncoder().encode(text), 65 * i);
    return this.fill(buffer, bytes);
  }

  /** `struct rlimit64`: the stack's size, and nothing else limited. */
  private limit(resource: bigint, old: bigint): bigint {
    if (old === 0n) return 0n;
    const stack = resource === 3n;
    const view = new DataView(new ArrayBuffer(16));
    view.setBigUint64(0, stack ? STACK_LIMIT : (1n << 64n) - 1n, true);
    view.setBigUint64(8, (1n << 64n) - 1n, true);
    return this.fill(old, new Uint8Array(view.buffer));
  }
}
