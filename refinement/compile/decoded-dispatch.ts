/**
 * The WebAssembly around the regions of a machine whose instructions a library decodes: from each region to the next, as long as their
 * records are found.
 */
import { emitRecordAddress, HANDLER, TAG } from "./decode-cache.js";
import { emitCodeWritten } from "./region-links.js";
import { type Layout, StateLayout } from "./layout.js";
import type { Machine } from "../machine.js";
import { InternalDefect } from "../errors.js";
import { CompiledModule } from "./instance.js";
import type { RegionHost } from "./region-code.js";
import { Support } from "./support.js";

const ENTRIES = 16384;
/** Of a record, in bytes: as `Regions` lays them out, but for the handler, which is always the same. */
const RECORD = 32;
const SLOT = 16;
const LINKED = 1;

/** What `run` gives. */
export const DISPATCH = { left: 0, trapped: 1 } as const;

export interface Dispatch {
  readonly module: CompiledModule;
  readonly host: RegionHost;
  /** Addresses from which (i64) and below which (i64) there is code of regions. */
  readonly bounds: number;
}

/** Cells of the state, records, `run` and `invalidate`. */
export function emitDispatch(machine: Machine, layout: Layout): Dispatch {
  const isa = machine.decoded;
  if (isa === undefined) throw new InternalDefect(`${machine.name} has no decoder`);
  const support = new Support(layout);
  const state = new StateLayout(layout, machine);
  const pc = state.of(isa.programCounter);
  const codeMemory = state.of(isa.memory);
  if (pc.kind !== "scalar" || codeMemory.kind !== "memory")
    throw new InternalDefect(`${machine.name} fetches from something else than a memory`);
  const host: RegionHost = {
    machine,
    programCounter: isa.programCounter,
    state,
    layout,
    scratch: support.scratch,
    links: {
      handler: LINKED,
      slot: SLOT,
      remaining: layout.allocate(8),
      stale: layout.allocate(8),
      shift: 0,
    },
    cache: { address: layout.allocate(ENTRIES * RECORD, RECORD), entries: ENTRIES, recordSize: RECORD },
    defined: new Map(),
    pc: pc.address,
    codeMemory,
  };
  const bounds = layout.allocate(16);
  emitRun(support, host);
  emitInvalidate(support, bounds);
  return { module: new CompiledModule(support), host, bounds };
}

/** () → `DISPATCH`: runs regions until one traps, makes no progress, was written to, or leads where none is known. */
function emitRun(support: Support, { links, cache, pc }: RegionHost): void {
  const code = support.module.function([], ["i32"], "run");
  const record = code.local("i32");
  const before = code.local("i64");
  const address = code.local("i64");
  code.block((out) => {
    code.loop((again) => {
      code.i32(0);
      code.memory("i64.load", pc);
      code.tee(address);
      emitRecordAddress(code, cache, links.shift);
      code.tee(record);
      code.memory("i64.load", TAG);
      code.get(address);
      code.emit("i64.ne");
      code.get(record);
      code.memory("i32.load", HANDLER);
      code.i32(LINKED);
      code.emit("i32.ne", "i32.or");
      code.brIf(out);
      code.i32(0);
      code.memory("i64.load", links.remaining);
      code.set(before);
      code.get(record);
      code.memory("i32.load", links.slot + 4);
      code.get(record);
      code.memory("i32.load", links.slot);
      code.callIndirect(support.module.indirect(["i32"], ["i32"]));
      code.if(() => {
        code.i32(DISPATCH.trapped);
        code.emit("return");
      });
      code.i32(0);
      code.memory("i64.load", links.remaining);
      code.get(before);
      code.emit("i64.eq");
      code.i32(0);
      code.memory("i32.load", links.stale);
      code.emit("i32.or", "i32.eqz");
      code.brIf(again);
    });
  });
  code.i32(DISPATCH.left);
}

/** (address, bytes): tells of a store to what may be code of a region. */
function emitInvalidate(support: Support, bounds: number): void {
  const code = support.module.function(["i64", "i32"], [], "invalidate");
  const [address, bytes] = [0, 1];
  emitCodeWritten(code, support, bounds, address, bytes);
}

/** Lets a record stand for a block of a region. */
export function link(view: DataView, { cache, links }: RegionHost, pc: bigint, slot: number, block: number): void {
  const record = recordOf(cache, pc);
  view.setBigUint64(record + TAG, pc, true);
  view.setInt32(record + HANDLER, LINKED, true);
  view.setInt32(record + links.slot, slot, true);
  view.setInt32(record + links.slot + 4, block, true);
}

export function isLinked(view: DataView, { cache }: RegionHost, pc: bigint): boolean {
  const record = recordOf(cache, pc);
  return view.getBigUint64(record + TAG, true) === pc && view.getInt32(record + HANDLER, true) === LINKED;
}

export function unlink(view: DataView, host: RegionHost, pc: bigint): void {
  if (isLinked(view, host, pc)) view.setInt32(recordOf(host.cache, pc) + HANDLER, 0, true);
}

function recordOf(cache: RegionHost["cache"], pc: bigint): number {
  return cache.address + Number(pc & BigInt(cache.entries - 1)) * cache.recordSize;
}
