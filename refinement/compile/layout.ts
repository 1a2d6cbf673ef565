/**
 * Where state lives in linear memory. A scalar takes one 64-bit limb for every 64 bits, least significant first, and is
 * kept zero-extended; a bool is a limb of 0 or 1. A file is its elements one after another, padded with zeros to as many
 * as its index can name, so that a read out of range gives 0 without a check. A byte memory is a direct-mapped table of
 * its resident pages (`paged.ts`), which code looks an address up in before it asks JavaScript.
 */
import { InternalDefect } from "../errors.js";
import type { Machine, StateVariable } from "../machine.js";
import type { Sort } from "../terms/sort.js";
import { Unsupported } from "./unsupported.js";

export interface ScalarPlace {
  readonly kind: "scalar";
  /** Of the lowest limb. */
  readonly address: number;
  readonly limbs: number;
}

export interface FilePlace {
  readonly kind: "file";
  readonly address: number;
  readonly count: number;
  /** Limbs of an element. */
  readonly limbs: number;
  /** Elements including the padding: 2^(index width). */
  readonly capacity: number;
}

export interface MemoryPlace {
  readonly kind: "memory";
  /** Which of the instance's memories: the first argument of the slow paths. */
  readonly number: number;
  /** Width of an address in bits, at most 64. */
  readonly width: number;
  /** Bytes in a page: 4096, or the whole address space where that is smaller. */
  readonly pageSize: number;
  /** Address of a word (i32) with what every byte of the memory grants. */
  readonly open: number;
  /** Address of the table of `ENTRIES` entries of `ENTRY_SIZE` bytes. */
  readonly table: number;
}

export type Place = ScalarPlace | FilePlace | MemoryPlace;

export const PAGE_BITS = 12;
export const ENTRIES = 1024;
/** An entry: page number (i64, −1 when empty), address of the page in linear memory (i32), flags (i32). */
export const ENTRY_SIZE = 16;
export const ENTRY_POINTER = 8;
export const ENTRY_FLAGS = 12;

/** The page (or the memory) grants the access at every byte. */
export const GRANTS = { fetch: 1, load: 2, store: 4 } as const;
/** Written before, so a store needs no bookkeeping. */
export const DIRTY = 8;
/** Instructions of the page may be predecoded: a store must drop them. */
export const CODE = 16;

export function limbsOf(width: number): number {
  return Math.ceil(width / 64);
}

/** Linear memory handed out from the bottom; everything above `end` is for pages. */
export class Layout {
  private top: number;
  private readonly memories: MemoryPlace[] = [];

  constructor(start = 64) {
    this.top = start;
  }

  get end(): number {
    return this.top;
  }

  /** The byte memories placed so far, by number. */
  get memoryPlaces(): readonly MemoryPlace[] {
    return this.memories;
  }

  allocate(bytes: number, align = 8): number {
    this.top = Math.ceil(this.top / align) * align;
    const address = this.top;
    this.top += bytes;
    return address;
  }

  scalar(width: number): ScalarPlace {
    const limbs = limbsOf(width);
    return { kind: "scalar", address: this.allocate(8 * limbs), limbs };
  }

  place(sort: Sort): Place {
    switch (sort.kind) {
      case "bool":
        return this.scalar(1);
      case "bits":
        return this.scalar(sort.width);
      case "file": {
        const limbs = limbsOf(sort.element);
        const capacity = 2 ** sort.index;
        const address = this.allocate(8 * limbs * capacity);
        return { kind: "file", address, count: sort.count, limbs, capacity };
      }
      case "memory": {
        const place: MemoryPlace = {
          kind: "memory",
          number: this.memories.length,
          width: sort.address,
          pageSize: sort.address < PAGE_BITS ? 2 ** sort.address : 2 ** PAGE_BITS,
          open: this.allocate(8),
          table: this.allocate(ENTRIES * ENTRY_SIZE, ENTRY_SIZE),
        };
        this.memories.push(place);
        return place;
      }
      default:
        throw new InternalDefect("a sort without a place");
    }
  }
}

/** The layout of a module that shares the memory of one already at work: there is nothing to hand out. */
export class SealedLayout extends Layout {
  override allocate(): number {
    throw new Unsupported("lambda", "the code needs memory of its own");
  }
}

/** The places of a machine's variables. */
export class StateLayout {
  readonly machine: Machine;
  private readonly places = new Map<string, Place>();

  constructor(layout: Layout, machine: Machine) {
    this.machine = machine;
    // Scalars and files first, side by side, so that a state is compact; tables of memories behind them.
    for (const memory of [false, true]) {
      for (const v of machine.variables) {
        if ((v.sort.kind === "memory") === memory) this.places.set(v.name, layout.place(v.sort));
      }
    }
  }

  of(name: string): Place {
    const place = this.places.get(name);
    if (place === undefined) throw new InternalDefect(`machine ${this.machine.name} has no variable ${name}`);
    return place;
  }

  *[Symbol.iterator](): Generator<readonly [StateVariable, Place]> {
    for (const v of this.machine.variables) yield [v, this.of(v.name)];
  }
}
