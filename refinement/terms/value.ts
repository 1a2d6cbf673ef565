/**
 * Concrete values. A bool is 0n or 1n, a bit vector its unsigned value. Files and memories are immutable:
 * writing gives a new value, so states can be kept and compared.
 */
import type { Access } from "./term.js";

export type Value = bigint | FileValue | MemoryValue;

export class FileValue {
  readonly elements: readonly bigint[];
  constructor(elements: readonly bigint[]) {
    this.elements = elements;
  }

  static filled(count: number, element = 0n): FileValue {
    return new FileValue(new Array<bigint>(count).fill(element));
  }

  get(index: bigint): bigint {
    return this.elements[Number(index)] ?? 0n;
  }

  set(index: bigint, element: bigint): FileValue {
    if (index >= BigInt(this.elements.length)) return this;
    return new FileValue(this.elements.with(Number(index), element));
  }

  equals(other: FileValue): boolean {
    return this.elements.length === other.elements.length && this.elements.every((e, i) => e === other.elements[i]);
  }
}

/**
 * What an environment allows; asked byte by byte. Where all bytes of an aligned block of so many bytes are alike,
 * `granularity` may say so, and a block is asked once.
 */
export type Permissions = ((access: Access, address: bigint) => boolean) & { readonly granularity?: number };

export const ALL_ACCESSIBLE: Permissions = () => true;

const ZERO: (address: bigint) => number = () => 0;

const PAGE_BITS = 12n;
const PAGE_SIZE = 1 << Number(PAGE_BITS);
const PAGE_MASK = BigInt(PAGE_SIZE - 1);

/**
 * Sparse byte memory over a background (what a byte holds before anyone writes it: 0 unless given), with permissions.
 * Pages are copied on write and shared between values.
 */
export class MemoryValue {
  readonly addressWidth: number;
  readonly permissions: Permissions;
  private readonly background: (address: bigint) => number;
  private readonly pages: ReadonlyMap<bigint, Uint8Array>;
  private readonly mask: bigint;

  private constructor(
    addressWidth: number,
    permissions: Permissions,
    background: (address: bigint) => number,
    pages: ReadonlyMap<bigint, Uint8Array>,
  ) {
    this.addressWidth = addressWidth;
    this.permissions = permissions;
    this.background = background;
    this.pages = pages;
    this.mask = (1n << BigInt(addressWidth)) - 1n;
  }

  static empty(
    addressWidth: number,
    permissions: Permissions = ALL_ACCESSIBLE,
    background: (address: bigint) => number = ZERO,
  ): MemoryValue {
    return new MemoryValue(addressWidth, permissions, background, new Map());
  }

  withPermissions(permissions: Permissions): MemoryValue {
    return new MemoryValue(this.addressWidth, permissions, this.background, this.pages);
  }

  readByte(address: bigint): number {
    const a = address & this.mask;
    const page = this.pages.get(a >> PAGE_BITS);
    if (page === undefined) return this.background(a);
    return page[Number(a & PAGE_MASK)] ?? 0;
  }

  /** Little-endian, wrapping at the end of the address space. */
  load(address: bigint, bytes: number): bigint {
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.readByte(address + BigInt(i)));
    return value;
  }

  store(address: bigint, bytes: number, value: bigint): MemoryValue {
    const data = new Uint8Array(bytes);
    for (let i = 0; i < bytes; i++) data[i] = Number((value >> BigInt(8 * i)) & 0xffn);
    return this.storeBytes(address, data);
  }

  storeBytes(address: bigint, data: Uint8Array): MemoryValue {
    const pages = new Map(this.pages);
    const fresh = new Set<bigint>();
    for (let i = 0; i < data.length; i++) {
      const a = (address + BigInt(i)) & this.mask;
      const number = a >> PAGE_BITS;
      let page = pages.get(number);
      if (page === undefined || !fresh.has(number)) {
        page = page === undefined ? this.backgroundPage(number) : page.slice();
        pages.set(number, page);
        fresh.add(number);
      }
      page[Number(a & PAGE_MASK)] = data[i] ?? 0;
    }
    return new MemoryValue(this.addressWidth, this.permissions, this.background, pages);
  }

  /** True where page `number` is known to be all zero: never written, over the default background. */
  isBlank(number: bigint): boolean {
    return this.background === ZERO && !this.pages.has(number);
  }

  /** Copies the 4096 bytes from address `number` · 4096 into `into`. */
  copyPage(number: bigint, into: Uint8Array): void {
    into.set(this.pages.get(number) ?? this.backgroundPage(number));
  }

  /** The memory with other contents of whole pages of 4096 bytes, by number. The arrays must not change afterwards. */
  withPages(contents: Iterable<readonly [bigint, Uint8Array]>): MemoryValue {
    const pages = new Map(this.pages);
    for (const [number, page] of contents) pages.set(number, page);
    return new MemoryValue(this.addressWidth, this.permissions, this.background, pages);
  }

  private backgroundPage(number: bigint): Uint8Array {
    const page = new Uint8Array(PAGE_SIZE);
    if (this.background === ZERO) return page;
    for (let i = 0; i < PAGE_SIZE; i++) page[i] = this.background((number << PAGE_BITS) | BigInt(i));
    return page;
  }

  /** True where every one of `bytes` bytes from `address` (wrapping) grants `access`. */
  accessible(access: Access, address: bigint, bytes: number): boolean {
    for (let i = 0; i < bytes; i++) if (!this.permissions(access, (address + BigInt(i)) & this.mask)) return false;
    return true;
  }

  /** Addresses, ascending, at which the contents of the two memories differ. Backgrounds must be the same function. */
  differences(other: MemoryValue): bigint[] {
    const found: bigint[] = [];
    const numbers = [...new Set([...this.pages.keys(), ...other.pages.keys()])].sort((a, b) => (a < b ? -1 : 1));
    for (const number of numbers) {
      const mine = this.pages.get(number);
      const theirs = other.pages.get(number);
      if (mine === theirs) continue;
      const a = mine ?? this.backgroundPage(number);
      const b = theirs ?? other.backgroundPage(number);
      for (let i = 0; i < PAGE_SIZE; i++) {
        if (a[i] === b[i]) continue;
        const address = (number << PAGE_BITS) | BigInt(i);
        if (address > this.mask) break;
        found.push(address);
      }
    }
    return found;
  }

  equals(other: MemoryValue): boolean {
    return this.differences(other).length === 0;
  }

  /** The bytes that differ from the background, ascending by address. */
  *written(): Generator<readonly [bigint, number]> {
    const numbers = [...this.pages.keys()].sort((a, b) => (a < b ? -1 : 1));
    for (const number of numbers) {
      const page = this.pages.get(number);
      if (page === undefined) continue;
      for (let i = 0; i < PAGE_SIZE; i++) {
        const byte = page[i] ?? 0;
        if (byte === 0 && this.background === ZERO) continue;
        const a = (number << PAGE_BITS) | BigInt(i);
        if (a <= this.mask && byte !== this.background(a)) yield [a, byte];
      }
    }
  }
}

export function valueEquals(a: Value, b: Value): boolean {
  if (typeof a === "bigint") return a === b;
  if (a instanceof FileValue) return b instanceof FileValue && a.equals(b);
  return b instanceof MemoryValue && a.equals(b);
}
