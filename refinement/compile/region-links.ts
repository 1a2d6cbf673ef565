/** Where an interpreter and regions of hot code, compiled on their own (regions.ts), meet. */
import type { DefinedFunction } from "./defined.js";
import { NORMAL } from "./decode-cache.js";
import type { Fetching } from "./fetching.js";
import type { Support } from "./support.js";
import type { FunctionBuilder, Label } from "./wasm.js";

/**
 * A record whose handler is `handler`
 * stands for a call of the function number `slot` of the table with the argument beside it; `run` falls back to the handler
 * that the record had before where the region does not advance.
 */
export interface RegionLinks {
  readonly handler: number;
  /** Offset in a record: number in the table (i32), argument (i32), the program counter that it is for (i64). */
  readonly slot: number;
  /** Offset in a record of the handler that the region replaces. */
  readonly normal: number;
  /** Steps left (i64), passed to the region and back. */
  readonly remaining: number;
  /** Set (i32) when code of a region was written: it must be left after the instruction at hand. */
  readonly stale: number;
  /** Addresses from which (i64) and below which (i64) there is code of regions. */
  readonly bounds: number;
  /** How far an address is shifted before it chooses a record. */
  readonly shift: number;
  readonly fetching: Fetching;
  /** Functions that regions call. */
  readonly defined: ReadonlyMap<string, DefinedFunction>;
  /** Address of the number (i64) of times that remembered values were forgotten. */
  readonly generation: number;
  /** Addresses of a cell (i64) for each region, by its number in the table. */
  readonly verified: number;
}

/** Regions at a time. */
export const MOST_REGIONS = 256;

/** Runs the region that the record stands for; the program counter is where the region says. */
export function emitEnterRegion(
  code: FunctionBuilder,
  support: Support,
  links: RegionLinks,
  at: {
    readonly record: number;
    readonly handler: number;
    readonly remaining: number;
    readonly reload: () => void;
    readonly pushProgramCounter: () => void;
    readonly again: Label;
    readonly next: Label;
    readonly trapped: () => void;
  },
): void {
  const { record, remaining } = at;
  const before = code.local("i64");
  const trapped = code.local("i32");
  const asBefore = (): void => {
    code.get(record);
    code.memory("i32.load", NORMAL);
    code.set(at.handler);
    code.br(at.again);
  };
  if (!links.fetching.isDirect) {
    code.get(record);
    code.memory("i64.load", links.slot + 8);
    at.pushProgramCounter();
    code.emit("i64.ne");
    code.if(asBefore);
  }
  // The step that was counted for this record is the region's to count.
  code.get(remaining);
  code.i64(1n);
  code.emit("i64.add");
  code.set(before);
  code.i32(0);
  code.get(before);
  code.memory("i64.store", links.remaining);
  code.i32(0);
  code.i32(0);
  code.memory("i32.store", links.stale);
  code.get(record);
  code.memory("i32.load", links.slot + 4);
  code.get(record);
  code.memory("i32.load", links.slot);
  code.callIndirect(support.module.indirect(["i32"], ["i32"]));
  code.set(trapped);
  at.reload();
  code.i32(0);
  code.memory("i64.load", links.remaining);
  code.set(remaining);
  code.get(trapped);
  code.if(() => at.trapped());
  code.get(remaining);
  code.get(before);
  code.emit("i64.eq");
  code.if(() => {
    code.get(before);
    code.i64(1n);
    code.emit("i64.sub");
    code.set(remaining);
    asBefore();
  });
  code.br(at.next);
}

/** Tells of a store to what may be code of a region: `bytes` from `address` on (both local), where `bounds` takes them in. */
export function emitCodeWritten(
  code: FunctionBuilder,
  support: Support,
  bounds: number,
  address: number,
  bytes: number,
): void {
  code.get(address);
  code.get(bytes);
  code.emit("i64.extend_i32_u", "i64.add");
  code.i32(0);
  code.memory("i64.load", bounds);
  code.emit("i64.gt_u");
  code.get(address);
  code.i32(0);
  code.memory("i64.load", bounds + 8);
  code.emit("i64.lt_u", "i32.and");
  code.if(() => {
    code.get(address);
    code.get(bytes);
    code.call(support.imports.codeWritten);
  });
}
