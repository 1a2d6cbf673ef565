/**
 * The host's memory, region by region: every access of the code is shown to lie in one of them, and each region is a memory of its
 * own, addressed from its base, so that what is written in one cannot change another.
 */
import { InternalDefect } from "../errors.js";
import type { Machine, StateVariable } from "../machine.js";
import type { BasedRegion, GuestRegion, Region, View } from "../refinement.js";
import type { DataBytes } from "../translation.js";
import { accessible, constant, FALSE, implies, ite, load, sub, TRUE, variable, write } from "../terms/build.js";
import { rebuild } from "../terms/construct.js";
import { constantDifference } from "../terms/linear.js";
import type { Access, Term } from "../terms/term.js";
import { freeVariables } from "../terms/variables.js";
import type { AddressRange } from "./interval.js";
import { atEntry } from "./start.js";

/** A memory for each region, by name. */
export type Memories = ReadonlyMap<string, Term>;

/** A host state: a term for each variable but memory, and the memories. */
export interface HostState {
  readonly scalars: ReadonlyMap<string, Term>;
  readonly memories: Memories;
}

/** An access that is not shown to lie in one region. */
export class Unplaced extends Error {
  /** Certainly in none, or perhaps in more than one. */
  readonly certain: boolean;
  constructor(certain: boolean, message: string) {
    super(message);
    this.certain = certain;
  }
}

/** Where an access lies. */
type Place =
  | { readonly kind: "based"; readonly region: BasedRegion; readonly offset: bigint }
  | { readonly kind: "guest"; readonly region: GuestRegion; readonly address: Term }
  | { readonly kind: "data"; readonly bytes: Uint8Array; readonly offset: number };

/** An access of the host's to memory. */
export interface HostAccess {
  readonly place: Place;
  readonly access: Access;
  /** The host's address. */
  readonly address: Term;
  readonly bytes: number;
}

export class Layout {
  readonly memory: StateVariable;
  readonly regions: readonly Region[];
  readonly limit: bigint;
  readonly width: number;
  private readonly host: Machine;
  private readonly data: readonly DataBytes[];
  private readonly view: View;

  /** `data`: what is constant in the host's memory, the code included. `view`: of the place where the host's variables are what they are. */
  constructor(host: Machine, regions: readonly Region[], limit: bigint, data: readonly DataBytes[], view: View) {
    const memory = host.variables.find((v) => v.sort.kind === "memory");
    if (memory?.sort.kind !== "memory") throw new InternalDefect(`${host.name} has no memory`);
    this.host = host;
    this.memory = memory;
    this.width = memory.sort.address;
    this.regions = regions;
    this.limit = limit;
    this.data = data;
    this.view = view;
  }

  /** The memories before anything is executed. */
  initial(): Memories {
    return new Map(this.regions.map((r) => [r.name, variable(memoryName(r.name), this.memory.sort)]));
  }

  place(access: Access, address: Term, bytes: number): Place {
    let outside: string | undefined;
    for (const region of this.regions) {
      if (region.kind !== "based") continue;
      const distance = constantDifference(address, this.baseOf(region));
      if (distance === undefined) continue;
      const offset = BigInt.asIntN(this.width, distance);
      if (offset >= -region.below && offset + BigInt(bytes) <= region.size) return { kind: "based", region, offset };
      outside ??= `${access}s ${bytes} bytes at ${region.base}${signed(offset)}, outside the region \`${region.name}\``;
    }
    if (outside !== undefined) throw new Unplaced(true, outside);
    const item = address.op === "const" ? this.dataAt(address.value, bytes) : undefined;
    if (item !== undefined && address.op === "const") {
      if (access === "store") throw new Unplaced(true, `stores into its own code or data at ${hex(address.value)}`);
      return { kind: "data", bytes: item.bytes, offset: Number(address.value - item.address) };
    }
    if (address.op === "const" && this.overlapsData(address.value, bytes))
      throw new Unplaced(
        true,
        `${access}s ${bytes} bytes at ${hex(address.value)}, across the end of its code or data`,
      );
    const free = freeVariables(address);
    const based = this.regions.find(
      (r) => r.kind === "based" && [...freeVariables(this.baseOf(r))].some((v) => free.has(v)),
    );
    if (based !== undefined)
      throw new Unplaced(
        false,
        `${access}s ${bytes} bytes at an address that depends on where the region \`${based.name}\` lies and is not shown to lie in it`,
      );
    const guest = this.regions.find((r) => r.kind === "guest");
    if (guest?.kind !== "guest")
      throw new Unplaced(true, `${access}s ${bytes} bytes at an address that lies in no region`);
    return { kind: "guest", region: guest, address: sub(address, constant(this.width, guest.at)) };
  }

  /** The host addresses that an access in its place can have. */
  range({ place, address, bytes }: HostAccess): AddressRange | undefined {
    switch (place.kind) {
      case "based": {
        const { region, offset } = place;
        return { address, lo: region.below + offset, hi: this.limit - region.size + offset };
      }
      case "guest":
        return { address, lo: 0n, hi: this.limit - BigInt(bytes) };
      case "data":
        return undefined;
    }
  }

  /** That the guest can access what the host does; undefined of an access to a region of the host's own. */
  granted({ place, access, bytes }: HostAccess): Term | undefined {
    if (place.kind !== "guest") return undefined;
    return accessible(this.guestMemory(place.region), access, place.address, bytes);
  }

  /** What the region says of a load: that it is granted where a store is. */
  readable({ place, access, bytes }: HostAccess): Term {
    if (place.kind !== "guest" || access !== "load" || place.region.writeOnly) return TRUE;
    const memory = this.guestMemory(place.region);
    return implies(accessible(memory, "store", place.address, bytes), accessible(memory, "load", place.address, bytes));
  }

  private guestMemory(region: GuestRegion): Term {
    return variable(memoryName(region.name), this.memory.sort);
  }

  /** Term for the region's memory: bytes of the guest by the guest's address, of the others by the distance from the base. */
  inRegion(place: Exclude<Place, { kind: "data" }>): Term {
    return place.kind === "based" ? constant(this.width, place.offset) : place.address;
  }

  private baseOf(region: BasedRegion): Term {
    const v = this.host.variables.find((candidate) => candidate.name === region.base);
    if (v === undefined) throw new InternalDefect(`${this.host.name} has no ${region.base}`);
    return atEntry(this.view, v);
  }

  private overlapsData(address: bigint, bytes: number): boolean {
    return this.data.some((d) => address < d.address + BigInt(d.bytes.length) && address + BigInt(bytes) > d.address);
  }

  private dataAt(address: bigint, bytes: number): DataBytes | undefined {
    return this.data.find((d) => address >= d.address && address + BigInt(bytes) <= d.address + BigInt(d.bytes.length));
  }
}

export function memoryName(region: string): string {
  return `memory.${region}`;
}

/** Reads terms over the host's variables in one state, memory by regions; tells every access that it meets. */
export class RegionReader {
  private readonly layout: Layout;
  private readonly state: HostState;
  private readonly given: ReadonlyMap<Term, Term>;
  private readonly onAccess: (access: HostAccess) => void;
  private readonly scalars = new Map<Term, Term>();
  private readonly memories = new Map<Term, Memories>();

  /** `given`: what stands for other terms than the host's variables, as the numbers of an instruction. */
  constructor(
    layout: Layout,
    variables: readonly StateVariable[],
    state: HostState,
    given: ReadonlyMap<Term, Term> = new Map(),
    onAccess: (access: HostAccess) => void = () => undefined,
  ) {
    this.layout = layout;
    this.state = state;
    this.onAccess = onAccess;
    const map = new Map(given);
    for (const v of variables) {
      const value = state.scalars.get(v.name);
      if (value !== undefined) map.set(v.term, value);
    }
    this.given = map;
  }

  /** A scalar or a file. Throws `Unplaced`. */
  read(t: Term): Term {
    const replacement = this.given.get(t);
    if (replacement !== undefined) return replacement;
    if (t.args.length === 0) return t;
    let result = this.scalars.get(t);
    if (result === undefined) {
      result = this.compute(t);
      this.scalars.set(t, result);
    }
    return result;
  }

  /** The host's memory. Throws `Unplaced`. */
  readMemory(t: Term): Memories {
    if (t === this.layout.memory.term) return this.state.memories;
    let result = this.memories.get(t);
    if (result === undefined) {
      result = this.computeMemory(t);
      this.memories.set(t, result);
    }
    return result;
  }

  private compute(t: Term): Term {
    const [memory, at] = t.args;
    if (t.op === "load" && memory !== undefined && at !== undefined) {
      const place = this.access("load", this.read(at), t.bytes);
      if (place.kind === "data") return constantBytes(place.bytes, place.offset, t.bytes);
      return load(memoryOf(this.readMemory(memory), place.region), this.layout.inRegion(place), t.bytes);
    }
    if (t.op === "accessible" && memory !== undefined && at !== undefined) {
      const place = this.access(t.access, this.read(at), t.bytes);
      if (place.kind !== "guest") return TRUE;
      return accessible(
        memoryOf(this.readMemory(memory), place.region),
        t.access,
        this.layout.inRegion(place),
        t.bytes,
      );
    }
    const args = t.args.map((arg) => {
      if (arg.sort.kind === "memory") throw new InternalDefect(`${t.op} of the host's memory`);
      return this.read(arg);
    });
    return args.every((arg, i) => arg === t.args[i]) ? t : rebuild(t, args);
  }

  private computeMemory(t: Term): Memories {
    const [first, second, third] = t.args;
    if (first === undefined || second === undefined || third === undefined)
      throw new InternalDefect(`${t.op} of the host's memory`);
    if (t.op === "ite") {
      const condition = this.read(first);
      if (condition === TRUE) return this.readMemory(second);
      if (condition === FALSE) return this.readMemory(third);
      const [yes, no] = [this.readMemory(second), this.readMemory(third)];
      return new Map([...yes].map(([name, m]) => [name, ite(condition, m, no.get(name) ?? m)]));
    }
    if (t.op !== "write") throw new InternalDefect(`${t.op} of the host's memory`);
    const before = this.readMemory(first);
    const place = this.access("store", this.read(second), t.bytes);
    if (place.kind === "data") throw new InternalDefect("constant bytes are no place to store");
    const { region } = place;
    const after = write(memoryOf(before, region), this.layout.inRegion(place), t.bytes, this.read(third));
    return new Map(before).set(region.name, after);
  }

  private access(access: Access, address: Term, bytes: number): Place {
    const place = this.layout.place(access, address, bytes);
    this.onAccess({ place, access, address, bytes });
    return place;
  }
}

function memoryOf(memories: Memories, region: Region): Term {
  const memory = memories.get(region.name);
  if (memory === undefined) throw new InternalDefect(`there is no region ${region.name}`);
  return memory;
}

function constantBytes(data: Uint8Array, offset: number, bytes: number): Term {
  let value = 0n;
  for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(data[offset + i] ?? 0);
  return constant(8 * bytes, value);
}

function signed(offset: bigint): string {
  return offset < 0n ? ` - ${-offset}` : ` + ${offset}`;
}

export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
