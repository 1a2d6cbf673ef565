/**
 * The sorts of terms. Sorts are interned: two equal sorts are the same object, so `===` compares them.
 */
export type Sort = BoolSort | BitsSort | FileSort | MemorySort;

export interface BoolSort {
  readonly kind: "bool";
}

/** A bit vector of `width` ≥ 1 bits. */
export interface BitsSort {
  readonly kind: "bits";
  readonly width: number;
}

/**
 * An indexed file of `count` elements (registers, latches, cache entries). Its index is a bit vector of `index` bits,
 * the fewest that can name every element; a read beyond `count` gives 0 and a write there vanishes.
 */
export interface FileSort {
  readonly kind: "file";
  readonly count: number;
  /** Width of an index in bits: max(1, ⌈log2 count⌉). */
  readonly index: number;
  /** Width of an element in bits. */
  readonly element: number;
}

/** Byte-addressed little-endian memory with `address`-bit addresses; address arithmetic wraps modulo 2^address. */
export interface MemorySort {
  readonly kind: "memory";
  readonly address: number;
}

export const BOOL: BoolSort = { kind: "bool" };

const bitsSorts = new Map<number, BitsSort>();
const fileSorts = new Map<string, FileSort>();
const memorySorts = new Map<number, MemorySort>();

export function bits(width: number): BitsSort {
  let sort = bitsSorts.get(width);
  if (sort === undefined) {
    if (!Number.isInteger(width) || width < 1) throw new RangeError(`a bit vector has at least 1 bit, not ${width}`);
    sort = { kind: "bits", width };
    bitsSorts.set(width, sort);
  }
  return sort;
}

export function indexWidth(count: number): number {
  return Math.max(1, Math.ceil(Math.log2(count)));
}

export function file(count: number, element: number): FileSort {
  const key = `${count}/${element}`;
  let sort = fileSorts.get(key);
  if (sort === undefined) {
    if (!Number.isInteger(count) || count < 1) throw new RangeError(`a file has at least 1 element, not ${count}`);
    sort = { kind: "file", count, index: indexWidth(count), element };
    fileSorts.set(key, sort);
  }
  return sort;
}

export function memory(address: number): MemorySort {
  let sort = memorySorts.get(address);
  if (sort === undefined) {
    sort = { kind: "memory", address };
    memorySorts.set(address, sort);
  }
  return sort;
}

export function sortToString(sort: Sort): string {
  switch (sort.kind) {
    case "bool":
      return "bool";
    case "bits":
      return `bits(${sort.width})`;
    case "file":
      return `bits(${sort.element})[${sort.count}]`;
    case "memory":
      return `bytes(${sort.address})`;
    default:
      return unreachable(sort);
  }
}

function unreachable(sort: never): never {
  throw new TypeError(`not a sort: ${String(sort)}`);
}
