/**
 * What the variables of a question are worth while it is searched at random. A value is drawn when it is first read, so
 * that the variables, elements and bytes which nobody reads never get one: they are zero in the model, and accessible.
 */
import type { FileSort, MemorySort } from "../terms/sort.js";
import type { Access, Term } from "../terms/term.js";
import { FileValue, MemoryValue, type Value } from "../terms/value.js";
import type { Corners } from "./corners.js";
import type { Generator } from "./generator.js";

/** One in so many bytes denies an access. */
const DENIED_OF = 40;

/** A place that holds a number of `width` bits, with a way to change it. */
export interface Place {
  readonly width: number;
  read(): bigint;
  /** False where the place must keep what it has. */
  write(value: bigint): boolean;
}

export class ScalarLeaf implements Place {
  readonly width: number;
  private readonly corners: Corners;
  private value: bigint | undefined;

  constructor(width: number, corners: Corners) {
    this.width = width;
    this.corners = corners;
  }

  reset(): void {
    this.value = undefined;
  }

  read(): bigint {
    this.value ??= this.corners.draw(this.width);
    return this.value;
  }

  write(value: bigint): boolean {
    this.value = value;
    this.corners.remember(this.width, value);
    return true;
  }

  get model(): bigint {
    return this.value ?? 0n;
  }

  /** What this leaf can be simplified by: the places that have a value. */
  places(): Place[] {
    return this.value === undefined ? [] : [this];
  }
}

export class FileLeaf {
  readonly sort: FileSort;
  private readonly corners: Corners;
  /** Elements that the question fixes. */
  private readonly pinned = new Map<number, bigint>();
  private elements: (bigint | undefined)[] = [];

  constructor(sort: FileSort, corners: Corners) {
    this.sort = sort;
    this.corners = corners;
  }

  pin(index: number, value: bigint): boolean {
    const known = this.pinned.get(index);
    if (known !== undefined) return known === value;
    this.pinned.set(index, value);
    return true;
  }

  reset(): void {
    this.elements = [];
  }

  read(index: number): bigint {
    if (index >= this.sort.count) return 0n;
    const pinned = this.pinned.get(index);
    if (pinned !== undefined) return pinned;
    let element = this.elements[index];
    if (element === undefined) {
      element = this.corners.draw(this.sort.element);
      this.elements[index] = element;
    }
    return element;
  }

  write(index: number, value: bigint): boolean {
    if (index >= this.sort.count || this.pinned.has(index)) return false;
    this.elements[index] = value;
    this.corners.remember(this.sort.element, value);
    return true;
  }

  /** An index whose element is `value` already. */
  find(value: bigint): number | undefined {
    for (const [index, pinned] of this.pinned) if (pinned === value) return index;
    const index = this.elements.indexOf(value);
    return index < 0 ? undefined : index;
  }

  get model(): FileValue {
    const elements = [...Array(this.sort.count).keys()].map((i) => this.pinned.get(i) ?? this.elements[i] ?? 0n);
    return new FileValue(elements);
  }

  places(): Place[] {
    return [...this.elements.keys()]
      .filter((i) => this.elements[i] !== undefined)
      .map((i) => ({
        width: this.sort.element,
        read: () => this.read(i),
        write: (value) => this.write(i, value),
      }));
  }
}

export class MemoryLeaf {
  readonly width: number;
  private readonly corners: Corners;
  private readonly generator: Generator;
  private readonly bytes = new Map<bigint, number>();
  private readonly granted: Readonly<Record<Access, Map<bigint, boolean>>> = {
    fetch: new Map(),
    load: new Map(),
    store: new Map(),
  };

  constructor(sort: MemorySort, corners: Corners, generator: Generator) {
    this.width = sort.address;
    this.corners = corners;
    this.generator = generator;
  }

  reset(): void {
    this.bytes.clear();
    for (const access of ["fetch", "load", "store"] as const) this.granted[access].clear();
  }

  load(address: bigint, bytes: number): bigint {
    let value = 0n;
    let drawn: bigint | undefined;
    for (let i = bytes - 1; i >= 0; i--) {
      const at = this.wrap(address + BigInt(i));
      let byte = this.bytes.get(at);
      if (byte === undefined) {
        drawn ??= this.corners.draw(8 * bytes);
        byte = Number((drawn >> BigInt(8 * i)) & 0xffn);
        this.bytes.set(at, byte);
      }
      value = (value << 8n) | BigInt(byte);
    }
    return value;
  }

  store(address: bigint, bytes: number, value: bigint): void {
    for (let i = 0; i < bytes; i++) {
      this.bytes.set(this.wrap(address + BigInt(i)), Number((value >> BigInt(8 * i)) & 0xffn));
    }
  }

  accessible(access: Access, address: bigint, bytes: number): boolean {
    let all = true;
    let fresh: boolean | undefined;
    for (let i = 0; i < bytes; i++) {
      const at = this.wrap(address + BigInt(i));
      let grant = this.granted[access].get(at);
      if (grant === undefined) {
        // Neighbours usually share their page's fate.
        fresh ??= this.generator.below(DENIED_OF) !== 0;
        grant = fresh;
        this.granted[access].set(at, grant);
      }
      if (!grant) all = false;
    }
    return all;
  }

  grant(access: Access, address: bigint, bytes: number, granted: boolean): void {
    if (granted) for (let i = 0; i < bytes; i++) this.granted[access].set(this.wrap(address + BigInt(i)), true);
    else this.granted[access].set(this.wrap(address + BigInt(this.generator.below(bytes))), false);
  }

  get model(): MemoryValue {
    const denied = new Map<Access, ReadonlySet<bigint>>();
    for (const access of ["fetch", "load", "store"] as const) {
      denied.set(access, new Set([...this.granted[access]].filter(([, granted]) => !granted).map(([at]) => at)));
    }
    let memory = MemoryValue.empty(this.width, (access, address) => denied.get(access)?.has(address) !== true);
    for (const [at, byte] of this.bytes) if (byte !== 0) memory = memory.store(at, 1, BigInt(byte));
    return memory;
  }

  places(): Place[] {
    const bytes = [...this.bytes.keys()].map(
      (at): Place => ({
        width: 8,
        read: () => BigInt(this.bytes.get(at) ?? 0),
        write: (value) => {
          this.bytes.set(at, Number(value));
          return true;
        },
      }),
    );
    const denials = (["fetch", "load", "store"] as const).flatMap((access) =>
      [...this.granted[access].keys()].map(
        (at): Place => ({
          width: 1,
          // The simplest, 0, is to grant.
          read: () => (this.granted[access].get(at) === false ? 1n : 0n),
          write: (value) => {
            this.granted[access].set(at, value === 0n);
            return true;
          },
        }),
      ),
    );
    return [...denials, ...bytes];
  }

  private wrap(address: bigint): bigint {
    return BigInt.asUintN(this.width, address);
  }
}

export type Leaf = ScalarLeaf | FileLeaf | MemoryLeaf;

/** One leaf for each variable, made when it is first asked for. */
export class Assignment {
  private readonly corners: Corners;
  private readonly generator: Generator;
  private readonly leaves = new Map<Term, Leaf>();

  constructor(corners: Corners, generator: Generator) {
    this.corners = corners;
    this.generator = generator;
  }

  leaf(v: Term): Leaf {
    let leaf = this.leaves.get(v);
    if (leaf === undefined) {
      leaf = this.make(v);
      this.leaves.set(v, leaf);
    }
    return leaf;
  }

  reset(): void {
    this.corners.reset();
    for (const leaf of this.leaves.values()) leaf.reset();
  }

  value(v: Term): Value {
    return this.leaf(v).model;
  }

  places(): Place[] {
    return [...this.leaves.values()].flatMap((leaf) => leaf.places());
  }

  private make(v: Term): Leaf {
    switch (v.sort.kind) {
      case "bool":
        return new ScalarLeaf(1, this.corners);
      case "bits":
        return new ScalarLeaf(v.sort.width, this.corners);
      case "file":
        return new FileLeaf(v.sort, this.corners);
      case "memory":
        return new MemoryLeaf(v.sort, this.corners, this.generator);
    }
  }
}
