/**
 * The guest's memory within the host's. Pages that blocks have been translated from are closed to the host's stores: such a store faults, and
 * is carried out from outside, where it is noticed.
 */
import type { PagedMemory } from "../../../refinement/compile/paged.js";
import type { EngineMemory } from "../../../refinement/execute/engine.js";
import type { Access } from "../../../refinement/terms/term.js";
import { MemoryValue, type Permissions } from "../../../refinement/terms/value.js";
import { GUEST_END, PAGE, pageOf } from "./layout.js";

export class GuestMemory implements EngineMemory {
  private readonly host: PagedMemory;
  private readonly written: (address: bigint) => void;
  /** What was loaded, with the guest's permissions. */
  private loaded: MemoryValue = MemoryValue.empty(64);
  private readonly closed = new Set<bigint>();

  /** `written` is told of each byte that is written from outside the host. */
  constructor(host: PagedMemory, written: (address: bigint) => void) {
    this.host = host;
    this.written = written;
  }

  load(value: MemoryValue): void {
    this.loaded = value;
    this.closed.clear();
  }

  get permissions(): Permissions {
    return this.loaded.permissions;
  }

  /** What the host may do at a guest's address. */
  hostMay(access: Access, address: bigint): boolean {
    if (access === "fetch" || (access === "store" && this.closed.has(pageOf(address)))) return false;
    return this.loaded.permissions(access, address);
  }

  close(first: bigint, end: bigint): void {
    for (let page = pageOf(first); page * PAGE < end; page++) this.change(page, true);
  }

  open(page: bigint): void {
    this.change(page, false);
  }

  private change(page: bigint, closed: boolean): void {
    if (this.closed.has(page) === closed) return;
    if (closed) this.closed.add(page);
    else this.closed.delete(page);
    this.host.reconsider(page * PAGE);
  }

  accessible(access: Access, address: bigint, bytes: number): boolean {
    for (let i = 0n; i < BigInt(bytes); i++) {
      const at = BigInt.asUintN(64, address + i);
      if (at >= GUEST_END || !this.loaded.permissions(access, at)) return false;
    }
    return true;
  }

  read(address: bigint, bytes: number): bigint {
    return this.host.read(address, bytes);
  }

  readByte(address: bigint): number {
    return this.host.readByte(address);
  }

  write(address: bigint, bytes: number, value: bigint): void {
    for (let i = 0; i < bytes; i++) this.writeByte(address + BigInt(i), Number((value >> BigInt(8 * i)) & 0xffn));
  }

  writeByte(address: bigint, byte: number): void {
    const at = BigInt.asUintN(64, address);
    this.host.writeByte(at, byte);
    if (this.closed.has(pageOf(at))) this.written(at);
  }

  /** The contents now. */
  value(): MemoryValue {
    const pages: (readonly [bigint, Uint8Array])[] = [];
    for (const number of this.host.dirtyPages()) {
      if (number * PAGE >= GUEST_END) continue;
      pages.push([
        number,
        Uint8Array.from({ length: Number(PAGE) }, (_, i) => this.host.readByte(number * PAGE + BigInt(i))),
      ]);
    }
    return this.loaded.withPages(pages);
  }
}
