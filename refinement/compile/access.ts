/**
 * Byte memory in generated code: the address is looked up in the table of resident pages; what the table does not settle
 * (a page not resident, an access across two pages, a permission that differs within the page) is asked of JavaScript.
 */
import { unreachable } from "../errors.js";
import type { Access } from "../terms/term.js";
import {
  CODE,
  DIRTY,
  ENTRIES,
  ENTRY_FLAGS,
  ENTRY_POINTER,
  ENTRY_SIZE,
  GRANTS,
  type MemoryPlace,
  PAGE_BITS,
} from "./layout.js";
import type { Callee, Support } from "./support.js";
import type { FunctionBuilder } from "./wasm.js";

/** Locals with the outcome of a look-up: where the bytes are in linear memory (0: not settled), and the entry's flags. */
export interface Probe {
  readonly pointer: number;
  readonly flags: number;
}

const ACCESS_NUMBER = { fetch: 0, load: 1, store: 2 } as const;

/** How many of the low bits of an entry's offset in the table an address shifted down has below it. */
const ENTRY_SHIFT = Math.log2(ENTRY_SIZE);

/** Looks up `bytes` bytes from the address in the i64 local `address`. */
export function emitProbe(code: FunctionBuilder, place: MemoryPlace, address: number, bytes: number): Probe {
  const probe = { pointer: code.local("i32"), flags: code.local("i32") };
  const entry = code.local("i32");
  const offset = code.local("i32");
  code.get(address);
  code.i64(BigInt(PAGE_BITS - ENTRY_SHIFT));
  code.emit("i64.shr_u", "i32.wrap_i64");
  code.i32((ENTRIES - 1) * ENTRY_SIZE);
  code.emit("i32.and");
  code.tee(entry);
  code.memory("i32.load", place.table + ENTRY_FLAGS);
  code.set(probe.flags);
  code.get(entry);
  code.memory("i32.load", place.table + ENTRY_POINTER);
  code.get(address);
  code.emit("i32.wrap_i64");
  code.i32(2 ** PAGE_BITS - 1);
  code.emit("i32.and");
  code.tee(offset);
  code.emit("i32.add");
  code.i32(0);
  code.get(entry);
  code.memory("i64.load", place.table);
  code.get(address);
  code.i64(BigInt(PAGE_BITS));
  code.emit("i64.shr_u", "i64.eq");
  if (bytes > place.pageSize) {
    code.i32(0);
    code.emit("i32.and");
  } else if (bytes > 1) {
    code.get(offset);
    code.i32(place.pageSize - bytes);
    code.emit("i32.le_u", "i32.and");
  }
  code.emit("select");
  code.set(probe.pointer);
  return probe;
}

/** Pushes whether all the bytes grant `access` (i32). */
export function emitAccessible(
  code: FunctionBuilder,
  support: Support,
  place: MemoryPlace,
  probe: Probe,
  access: Access,
  address: number,
  bytes: number,
): void {
  code.get(probe.pointer);
  code.emit("i32.eqz", "i32.eqz");
  code.get(probe.flags);
  const bit = Math.log2(GRANTS[access]);
  if (bit > 0) {
    code.i32(bit);
    code.emit("i32.shr_u");
  }
  code.emit("i32.and");
  code.if(
    () => code.i32(1),
    () => {
      code.i32(0);
      code.memory("i32.load", place.open);
      code.i32(GRANTS[access]);
      code.emit("i32.and");
      code.if(
        () => code.i32(1),
        () => {
          code.i32(place.number);
          code.i32(ACCESS_NUMBER[access]);
          code.get(address);
          code.i32(bytes);
          code.call(support.imports.accessible);
        },
        "i32",
      );
    },
    "i32",
  );
}

/** Pushes the value of 1, 2, 4 or 8 bytes. */
export function emitLoad(
  code: FunctionBuilder,
  support: Support,
  place: MemoryPlace,
  probe: Probe,
  address: number,
  bytes: 1 | 2 | 4 | 8,
): void {
  code.get(probe.pointer);
  code.if(
    () => {
      code.get(probe.pointer);
      code.memory(loadInstruction(bytes));
    },
    () => {
      code.i32(place.number);
      code.get(address);
      code.i32(bytes);
      code.call(support.imports.load);
    },
    "i64",
  );
}

/**
 * Writes the i64 local `value`. `invalidate(address, bytes)` drops predecoded instructions where the page may hold some;
 * without it the machine has none in this memory.
 */
export function emitStore(
  code: FunctionBuilder,
  support: Support,
  place: MemoryPlace,
  address: number,
  bytes: 1 | 2 | 4 | 8,
  value: number,
  invalidate: Callee | undefined,
): void {
  const probe = emitProbe(code, place, address, bytes);
  code.get(probe.pointer);
  code.emit("i32.eqz", "i32.eqz");
  code.get(probe.flags);
  code.i32(Math.log2(DIRTY));
  code.emit("i32.shr_u", "i32.and");
  code.if(
    () => {
      code.get(probe.pointer);
      code.get(value);
      code.memory(storeInstruction(bytes));
      if (invalidate === undefined) return;
      code.get(probe.flags);
      code.i32(CODE);
      code.emit("i32.and");
      code.if(() => {
        code.get(address);
        code.i32(bytes);
        code.call(invalidate);
      });
    },
    () => {
      code.i32(place.number);
      code.get(address);
      code.i32(bytes);
      code.get(value);
      code.call(support.imports.store);
    },
  );
}

function loadInstruction(bytes: 1 | 2 | 4 | 8): "i64.load8_u" | "i64.load16_u" | "i64.load32_u" | "i64.load" {
  switch (bytes) {
    case 1:
      return "i64.load8_u";
    case 2:
      return "i64.load16_u";
    case 4:
      return "i64.load32_u";
    case 8:
      return "i64.load";
    default:
      return unreachable(bytes);
  }
}

function storeInstruction(bytes: 1 | 2 | 4 | 8): "i64.store8" | "i64.store16" | "i64.store32" | "i64.store" {
  switch (bytes) {
    case 1:
      return "i64.store8";
    case 2:
      return "i64.store16";
    case 4:
      return "i64.store32";
    case 8:
      return "i64.store";
    default:
      return unreachable(bytes);
  }
}
