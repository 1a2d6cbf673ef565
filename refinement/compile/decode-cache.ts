/**
 * Records of predecoded instructions: where they are, how one is found by an instruction's address, filled, and emptied again when its
 * bytes are written.
 */
import { shortestLength } from "../assembly/index.js";
import type { InstructionSet } from "../machine.js";
import { emitProbe } from "./access.js";
import { CODE } from "./layout.js";
import type { Source } from "./source.js";
import type { Support } from "./support.js";
import type { FunctionBuilder } from "./wasm.js";

export interface DecodeCache {
  readonly address: number;
  readonly entries: number;
  readonly recordSize: number;
  /** Number (i32) of records filled since the last reset, then their addresses, at most `LISTED`. */
  readonly list: number;
}

const ENTRIES = 16384;
export const LISTED = 1024;
/** Offsets in a record: the address it is for (i64), the handler's number (i32). */
export const TAG = 0;
export const HANDLER = 8;
/** … and of the handler that a region replaces. */
export const NORMAL = 12;
export const OPERANDS = 16;
/** Number of no handler, in an empty record. */
export const NO_HANDLER = -1;

/** Records, and one more at the end for words that cannot be remembered. */
export function allocateCache(layout: Support["layout"], recordSize: number, isRemembered: boolean): DecodeCache {
  const entries = isRemembered ? ENTRIES : 0;
  const list = layout.allocate(4 + 4 * LISTED);
  const address = layout.allocate((entries + 1) * recordSize, recordSize);
  return { address, entries, recordSize, list };
}

/** Tags the record, lists it for `reset`, and has stores to the word's bytes watched. */
export function emitRemember(
  code: FunctionBuilder,
  support: Support,
  key: number,
  record: number,
  source: Source,
  cache: DecodeCache,
): void {
  code.get(record);
  code.get(key);
  code.memory("i64.store", TAG);
  const count = code.local("i32");
  code.i32(0);
  code.memory("i32.load", cache.list);
  code.tee(count);
  code.i32(LISTED);
  code.emit("i32.lt_u");
  code.if(() => {
    code.get(count);
    code.i32(2);
    code.emit("i32.shl");
    code.get(record);
    code.memory("i32.store", cache.list + 4);
  });
  code.i32(0);
  code.get(count);
  code.i32(1);
  code.emit("i32.add");
  code.memory("i32.store", cache.list);
  const { memory } = source;
  if (memory === undefined) return;
  const probe = emitProbe(code, memory, key, source.bytes);
  code.get(probe.pointer);
  code.emit("i32.eqz", "i32.eqz");
  code.get(probe.flags);
  code.i32(Math.log2(CODE));
  code.emit("i32.shr_u", "i32.and", "i32.eqz");
  code.if(() => {
    code.i32(memory.number);
    code.get(key);
    code.i32(source.bytes);
    code.call(support.imports.markCode);
  });
}

/** Empties the records that `bytes` from `address` on (both local) belong to. */
export function emitForgetRecords(
  code: FunctionBuilder,
  source: Source,
  cache: DecodeCache,
  shift: number,
  address: number,
  bytes: number,
): void {
  const at = code.local("i64");
  const left = code.local("i32");
  const record = code.local("i32");
  const width = source.memory?.width ?? 64;
  code.get(address);
  code.i64(BigInt(source.bytes - 1));
  code.emit("i64.sub");
  code.set(at);
  code.get(bytes);
  code.i32(source.bytes - 1);
  code.emit("i32.add");
  code.set(left);
  code.loop((again) => {
    if (width < 64) {
      code.get(at);
      code.i64((1n << BigInt(width)) - 1n);
      code.emit("i64.and");
      code.set(at);
    }
    code.get(at);
    emitRecordAddress(code, cache, shift);
    code.tee(record);
    code.memory("i64.load", TAG);
    code.get(at);
    code.emit("i64.eq");
    code.if(() => {
      code.get(record);
      code.i64(-1n);
      code.memory("i64.store", TAG);
      code.get(record);
      code.i32(NO_HANDLER);
      code.memory("i32.store", HANDLER);
    });
    code.get(at);
    code.i64(1n);
    code.emit("i64.add");
    code.set(at);
    code.get(left);
    code.i32(1);
    code.emit("i32.sub");
    code.tee(left);
    code.brIf(again);
  });
}

/** Replaces an address of an instruction (i64) on the stack by that of its record. */
export function emitRecordAddress(
  code: FunctionBuilder,
  cache: Pick<DecodeCache, "address" | "entries" | "recordSize">,
  shift: number,
): void {
  const size = Math.log2(cache.recordSize);
  if (shift < size) {
    code.emit("i32.wrap_i64");
    code.i32(size - shift);
    code.emit("i32.shl");
  } else {
    code.i64(BigInt(shift - size));
    code.emit("i64.shr_u", "i32.wrap_i64");
  }
  code.i32((cache.entries - 1) * cache.recordSize);
  code.emit("i32.and");
  code.i32(cache.address);
  code.emit("i32.add");
}

/** How far addresses are shifted before they choose a record: instructions that are all aligned need not share. */
export function shiftOf(isa: InstructionSet | undefined): number {
  if (isa === undefined) return 0;
  return Math.max(0, Math.floor(Math.log2(shortestLength(isa))));
}
