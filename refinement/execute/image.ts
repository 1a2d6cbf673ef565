/** A program's memory when it begins: its segments, and the stack as the kernel leaves it. */
import { UserError } from "../errors.js";
import { MemoryValue } from "../terms/value.js";
import { type Elf, elfError } from "./elf.js";
import { pageDown, pageUp, permissionsOf, type Region } from "./linux.js";
import type { EngineMemory } from "./engine.js";

/** Where bytes given in hexadecimal are loaded. */
export const HEX_ORIGIN = 0x10000n;
export const STACK_SIZE = 8n << 20n;

export interface Image {
  /** What the memory's permissions look at: it may be added to. */
  readonly regions: Region[];
  readonly memory: MemoryValue;
  /** Behind all segments. */
  readonly heapStart: bigint;
  /** Where the stack's region begins. */
  readonly heapLimit: bigint;
}

/** That the program begins where there is code. */
export function checkEntry(elf: Elf, file: string): void {
  const inCode = elf.segments.some((s) => s.executable && elf.entry >= s.address && elf.entry < s.address + s.size);
  if (!inCode) throw elfError(file, `entry point 0x${elf.entry.toString(16)} is in no executable segment`);
}

/** `top` is the first address behind the stack, in an address space of `bits` bits. */
export function imageOf(elf: Elf, file: string, top: bigint, bits: number): Image {
  checkEntry(elf, file);
  const stack: Region = { first: top - STACK_SIZE, end: top, readable: true, writable: true, executable: false };
  const regions: Region[] = elf.segments.map((s) => ({
    first: pageDown(s.address),
    end: pageUp(s.address + s.size),
    readable: s.readable,
    writable: s.writable,
    executable: s.executable,
  }));
  const heapStart = regions.map((r) => r.end).sort((a, b) => (a < b ? 1 : -1))[0] ?? 0n;
  if (regions.some((r) => r.first < stack.end && stack.first < r.end)) {
    throw elfError(
      file,
      `a segment lies where the stack is, between 0x${stack.first.toString(16)} and 0x${top.toString(16)}`,
    );
  }
  regions.push(stack);
  const memory = MemoryValue.empty(bits, permissionsOf(regions)).withPages(pagesOf(elf));
  return { regions, memory, heapStart, heapLimit: stack.first > heapStart ? stack.first : 1n << BigInt(bits) };
}

/** The contents of all segments, page by page. */
export function pagesOf(elf: Elf): Map<bigint, Uint8Array> {
  const pages = new Map<bigint, Uint8Array>();
  for (const segment of elf.segments) {
    for (let done = 0; done < segment.data.length; ) {
      const address = segment.address + BigInt(done);
      const number = address >> 12n;
      let page = pages.get(number);
      if (page === undefined) {
        page = new Uint8Array(4096);
        pages.set(number, page);
      }
      const offset = Number(address & 0xfffn);
      const part = segment.data.subarray(done, done + 4096 - offset);
      page.set(part, offset);
      done += part.length;
    }
  }
  return pages;
}

/** An entry of the auxiliary vector: its type, and its value, or bytes that it points to. */
export type Auxiliary = readonly [type: number, value: bigint | Uint8Array];

/** Arguments, empty environment and auxiliary vector, as the kernel leaves them. The stack pointer. */
export function initialStack(
  memory: EngineMemory,
  top: bigint,
  word: bigint,
  args: readonly string[],
  auxiliary: readonly Auxiliary[] = [],
): bigint {
  let at = top - 16n;
  const put = (bytes: Uint8Array): bigint => {
    at -= BigInt(bytes.length);
    bytes.forEach((byte, i) => {
      memory.writeByte(at + BigInt(i), byte);
    });
    return at;
  };
  const addresses = args.map((text) => put(new TextEncoder().encode(`${text}\0`)));
  const vector = auxiliary.flatMap(([type, value]) => [BigInt(type), typeof value === "bigint" ? value : put(value)]);
  // argc, argv, null, no environment: null, auxiliary vector, at its end AT_NULL and its value.
  const words = [BigInt(args.length), ...addresses, 0n, 0n, ...vector, 0n, 0n];
  const sp = ((at - word * BigInt(words.length)) / 16n) * 16n;
  words.forEach((value, i) => {
    memory.write(sp + word * BigInt(i), Number(word), value);
  });
  return sp;
}

/** Instruction bytes in hexadecimal, spaces as you like. */
export function bytesOfHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "").replace(/^0x/i, "");
  const bad = /[^0-9a-f]/i.exec(digits);
  if (bad !== null)
    throw new UserError(`\`${bad[0]}\` is no hexadecimal digit; give bytes in memory order, as in 93021000`);
  if (digits === "" || digits.length % 2 !== 0) {
    throw new UserError(
      `${digits.length} hexadecimal digits are not whole bytes; give two for each byte, in memory order`,
    );
  }
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/**
 * The memory between the symbols `begin_signature` and `end_signature`, a 32-bit word a line. Throws `UserError` for a program without
 * these symbols.
 */
export function signatureOf(memory: EngineMemory, elf: Elf | undefined, file: string): string {
  const [first, end] = [elf?.symbols.get("begin_signature"), elf?.symbols.get("end_signature")];
  if (first === undefined || end === undefined || end < first || (end - first) % 4n !== 0n || end - first > 1n << 24n) {
    throw new UserError(
      `${file}: --signature needs the symbols begin_signature and end_signature, whole 32-bit words apart`,
    );
  }
  const lines: string[] = [];
  for (let at = first; at < end; at += 4n) lines.push(memory.read(at, 4).toString(16).padStart(8, "0"));
  return lines.map((line) => `${line}\n`).join("");
}
