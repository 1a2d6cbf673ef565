/**
 * A byte memory's pages in linear memory. Pages become resident when they are first touched, from the `MemoryValue` that
 * was loaded; the table in linear memory finds them again, and what it does not settle comes here. Nothing is copied back
 * until somebody asks for the value.
 */
import type { Access } from "../terms/term.js";
import { ALL_ACCESSIBLE, MemoryValue } from "../terms/value.js";
import type { Arena } from "./arena.js";
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

const PAGE_SIZE = 2 ** PAGE_BITS;
const OFFSET = BigInt(PAGE_SIZE - 1);
const ACCESSES = ["fetch", "load", "store"] as const;
/** After so many single questions a page's permissions are asked as a whole. */
const PATIENCE = 64;
/** How many pages that were read once are remembered. */
const RECENT = 256;

interface Page {
  readonly number: bigint;
  readonly pointer: number;
  flags: number;
  /** Questions answered for this page, by access; negative once the whole page has been asked. */
  readonly asked: Record<Access, number>;
}

export class PagedMemory {
  readonly place: MemoryPlace;
  private readonly arena: Arena;
  private readonly pages = new Map<bigint, Page>();
  /** Entries of the table that may be in use. */
  private readonly used = new Set<number>();
  /** Page numbers read lately without being resident, direct-mapped. */
  private readonly recent: bigint[] = new Array<bigint>(RECENT).fill(-1n);
  private readonly mask: bigint;
  private source: MemoryValue;
  /** Drops predecoded instructions; set by the owner of the code. */
  invalidate: ((address: bigint, bytes: number) => void) | undefined;

  constructor(arena: Arena, place: MemoryPlace) {
    this.arena = arena;
    this.place = place;
    this.mask = (1n << BigInt(place.width)) - 1n;
    this.source = MemoryValue.empty(place.width);
    arena.bytes().fill(0xff, place.table, place.table + ENTRIES * ENTRY_SIZE);
    this.open();
  }

  private open(): void {
    const all = GRANTS.fetch | GRANTS.load | GRANTS.store;
    this.arena.view().setInt32(this.place.open, this.source.permissions === ALL_ACCESSIBLE ? all : 0, true);
  }

  /** Replaces contents and permissions. */
  load(value: MemoryValue): void {
    const view = this.arena.view();
    for (const entry of this.used) view.setBigInt64(this.place.table + entry * ENTRY_SIZE, -1n, true);
    this.used.clear();
    for (const page of this.pages.values()) this.arena.freePage(page.pointer);
    this.pages.clear();
    this.recent.fill(-1n);
    this.source = value;
    this.open();
  }

  /** The contents now, with the permissions that were loaded. */
  value(): MemoryValue {
    const bytes = this.arena.bytes();
    const changed: (readonly [bigint, Uint8Array])[] = [];
    for (const page of this.pages.values()) {
      if ((page.flags & DIRTY) !== 0) changed.push([page.number, bytes.slice(page.pointer, page.pointer + PAGE_SIZE)]);
    }
    if (changed.length === 0) return this.source;
    changed.sort(([a], [b]) => (a < b ? -1 : 1));
    return this.source.withPages(changed);
  }

  /** Pages written since `load`, by number. */
  *dirtyPages(): Generator<bigint> {
    for (const page of this.pages.values()) if ((page.flags & DIRTY) !== 0) yield page.number;
  }

  private page(address: bigint): Page {
    const number = address >> BigInt(PAGE_BITS);
    let page = this.pages.get(number);
    if (page === undefined) {
      const pointer = this.arena.takePage();
      this.source.copyPage(number, this.arena.bytes().subarray(pointer, pointer + PAGE_SIZE));
      const open = this.source.permissions === ALL_ACCESSIBLE;
      const asked = open ? -1 : 0;
      page = {
        number,
        pointer,
        flags: open ? GRANTS.fetch | GRANTS.load | GRANTS.store : 0,
        asked: { fetch: asked, load: asked, store: asked },
      };
      this.pages.set(number, page);
    }
    return page;
  }

  /**
   * The page to read from, if it is resident or has been asked for before. Generated code computes some loads before it
   * knows whether they are wanted, so the first read of a page may be at any address and is no reason to keep the page.
   */
  private readable(address: bigint): Page | undefined {
    const number = address >> BigInt(PAGE_BITS);
    const known = this.pages.get(number);
    if (known !== undefined) return known;
    const slot = Number(number & BigInt(RECENT - 1));
    if (this.recent[slot] === number) return this.page(address);
    this.recent[slot] = number;
    return undefined;
  }

  private enter(page: Page): void {
    const entry = Number(page.number & BigInt(ENTRIES - 1));
    this.used.add(entry);
    const at = this.place.table + entry * ENTRY_SIZE;
    const view = this.arena.view();
    view.setBigInt64(at, BigInt.asIntN(64, page.number), true);
    view.setInt32(at + ENTRY_POINTER, page.pointer, true);
    view.setInt32(at + ENTRY_FLAGS, page.flags, true);
  }

  private inOnePage(address: bigint, bytes: number): boolean {
    return Number(address & OFFSET) + bytes <= this.place.pageSize;
  }

  /** Little-endian, wrapping at the end of the address space; any number of bytes. */
  read(address: bigint, bytes: number): bigint {
    const from = address & this.mask;
    if (!this.inOnePage(from, bytes)) {
      let value = 0n;
      for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.readByte(from + BigInt(i)));
      return value;
    }
    const page = this.readable(from);
    if (page === undefined) return this.source.isBlank(from >> BigInt(PAGE_BITS)) ? 0n : this.source.load(from, bytes);
    this.enter(page);
    const at = page.pointer + Number(from & OFFSET);
    const view = this.arena.view();
    switch (bytes) {
      case 1:
        return BigInt(view.getUint8(at));
      case 2:
        return BigInt(view.getUint16(at, true));
      case 4:
        return BigInt(view.getUint32(at, true));
      case 8:
        return view.getBigUint64(at, true);
      default: {
        let value = 0n;
        for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(at + i));
        return value;
      }
    }
  }

  readByte(address: bigint): number {
    const from = address & this.mask;
    const page = this.readable(from);
    if (page === undefined) return this.source.readByte(from);
    this.enter(page);
    return this.arena.bytes()[page.pointer + Number(from & OFFSET)] ?? 0;
  }

  write(address: bigint, bytes: number, value: bigint): void {
    for (let i = 0; i < bytes; i++) this.writeByte(address + BigInt(i), Number((value >> BigInt(8 * i)) & 0xffn));
  }

  writeByte(address: bigint, byte: number): void {
    const to = address & this.mask;
    const page = this.page(to);
    page.flags |= DIRTY;
    this.enter(page);
    this.arena.bytes()[page.pointer + Number(to & OFFSET)] = byte;
    if ((page.flags & CODE) !== 0) this.invalidate?.(to, 1);
  }

  accessible(access: Access, address: bigint, bytes: number): boolean {
    const { permissions } = this.source;
    const from = address & this.mask;
    if (permissions !== ALL_ACCESSIBLE) {
      const step = permissions.granularity ?? 1;
      // One byte of each block, beginning with the first byte asked for.
      for (let at = from, end = from + BigInt(bytes); at < end; at = (at / BigInt(step) + 1n) * BigInt(step)) {
        if (!permissions(access, at & this.mask)) return false;
      }
    }
    const page = this.pages.get(from >> BigInt(PAGE_BITS));
    if (page !== undefined && this.inOnePage(from, bytes)) this.learn(access, page);
    return true;
  }

  /** The access at hand is granted: learns whether all of the page grants it. */
  private learn(access: Access, page: Page): void {
    const { permissions } = this.source;
    const granularity = permissions.granularity ?? 1;
    if (page.asked[access] >= 0) {
      const first = page.number << BigInt(PAGE_BITS);
      if (granularity % this.place.pageSize === 0) {
        page.asked[access] = -1;
        page.flags |= GRANTS[access];
      } else if (++page.asked[access] > PATIENCE) {
        page.asked[access] = -1;
        let all = true;
        for (let i = 0; all && i < this.place.pageSize; i += granularity) all = permissions(access, first + BigInt(i));
        if (all) page.flags |= GRANTS[access];
      }
    }
    this.enter(page);
  }

  /** The permissions of the page at `address` are no longer what they were: they are asked for again. */
  reconsider(address: bigint): void {
    const page = this.pages.get((address & this.mask) >> BigInt(PAGE_BITS));
    if (page === undefined) return;
    page.flags &= ~(GRANTS.fetch | GRANTS.load | GRANTS.store);
    for (const access of ACCESSES) page.asked[access] = 0;
    this.enter(page);
  }

  /** From now on a store to these bytes drops predecoded instructions. */
  markCode(address: bigint, bytes: number): void {
    for (const at of [address & this.mask, (address + BigInt(bytes - 1)) & this.mask]) {
      const page = this.page(at);
      page.flags |= CODE;
      this.enter(page);
    }
  }

  /** Permissions as loaded. */
  static accessName(number: number): Access {
    return ACCESSES[number] ?? "load";
  }
}
