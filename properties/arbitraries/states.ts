import type { Random } from "fast-check";
import { unreachable } from "../../refinement/errors.js";
import type { FileType, Machine, StateVariable } from "../../refinement/machine.js";
import { FileValue, MemoryValue, type Value } from "../../refinement/terms/value.js";
import { type Anatomy, anatomyOf } from "../anatomy.js";
import { longestLength, shortestLength } from "../../refinement/assembly/index.js";
import { addressOf, capacity } from "../program.js";
import { oneIn, pick } from "../random.js";
import type { Inaccessible, Start } from "../start.js";
import { Drawn } from "./drawn.js";
import { permissions } from "./permissions.js";
import { extremes, values } from "./values.js";

export interface StatesOptions {
  /** Instructions of the program that will lie at the program counter: registers point into it now and then. */
  readonly codeLength?: number;
}

/**
 * Well-formed states of a machine. Registers hold corners, each other's values, and addresses: of a few regions of data
 * (some across a page boundary, some at the ends of the address space) and of the code. The environment may deny bytes.
 */
export function states(machine: Machine, options: StatesOptions = {}): Drawn<Start> {
  return new StatesArbitrary(machine, options.codeLength ?? 0);
}

/** What addresses a case is about. */
interface Layout {
  readonly counter: bigint;
  readonly code: readonly bigint[];
  readonly data: readonly bigint[];
}

/** Bytes filled around each region's base. */
const REGION_BEFORE = 16;
const REGION_BYTES = 48;
const PAGE_BITS = 12;
/** Out of a hundred registers so many repeat an earlier one, */
const REPEATED = 15;
/** and so many hold addresses and other values of the case, beside those that `values` takes of it. */
const POOLED = 25;
/** One start in so many has hardly anything but extremes in its registers. */
const EXTREME_ONE_IN = 3;

class StatesArbitrary extends Drawn<Start> {
  private readonly machine: Machine;
  private readonly anatomy: Anatomy | undefined;
  private readonly codeLength: number;
  private readonly addressWidth: number | undefined;

  constructor(machine: Machine, codeLength: number) {
    super();
    this.machine = machine;
    this.anatomy = anatomyOf(machine);
    this.codeLength = codeLength;
    const widths = machine.variables.flatMap((v) => (v.sort.kind === "memory" ? [v.sort.address] : []));
    this.addressWidth = widths.length === 0 ? undefined : Math.min(...widths);
  }

  override draw(random: Random): Start {
    const layout = this.layout(random);
    const pool = this.pool(random, layout);
    const extreme = oneIn(random, EXTREME_ONE_IN);
    const state = new Map<string, Value>();
    const inaccessible: Inaccessible[] = [];
    for (const v of this.machine.variables) {
      state.set(v.name, this.value(random, v, layout, pool, extreme));
    }
    const data = [...layout.data, ...likelyBases(state)];
    for (const { name, sort } of this.machine.variables) {
      if (sort.kind === "memory")
        inaccessible.push(...permissions({ memory: name, sort, code: layout.code, data }).draw(random));
    }
    return { state, inaccessible };
  }

  private layout(random: Random): Layout {
    const counter = this.counter(random);
    const code: bigint[] = [];
    if (this.anatomy !== undefined) {
      const { isa } = this.anatomy;
      const places = Math.ceil((this.codeLength * longestLength(isa)) / shortestLength(isa));
      for (let i = 0; i <= places; i++) code.push(addressOf(this.anatomy, [], counter, i));
    }
    const width = this.addressWidth;
    const data = width === undefined ? [] : Array.from({ length: random.nextInt(1, 3) }, () => address(random, width));
    return { counter, code, data };
  }

  /** Where the program begins: mostly an ordinary place; else across a page boundary, at 0, or so that it wraps. */
  private counter(random: Random): bigint {
    const { anatomy } = this;
    if (anatomy === undefined || anatomy.programCounter.sort.kind !== "bits") return 0n;
    const { width } = anatomy.programCounter.sort;
    const step = BigInt(shortestLength(anatomy.isa));
    const count = capacity(anatomy);
    if (anatomy.place?.variable.sort.kind === "file" || width <= PAGE_BITS) {
      const last = Math.max(0, count - this.codeLength - 1);
      return oneIn(random, 2) ? 0n : BigInt(random.nextInt(0, last)) * step;
    }
    const inside = BigInt(random.nextInt(0, this.codeLength)) * step;
    const end = 1n << BigInt(width);
    const chance = random.nextInt(0, 99);
    if (chance < 45) return 0x1000n;
    if (chance < 60) return 0x3000n - inside;
    if (chance < 70) return 0n;
    if (chance < 80) return BigInt.asUintN(width, end - inside);
    if (chance < 98) return (random.nextBigInt(0n, end - 1n) / step) * step;
    return random.nextBigInt(0n, end - 1n);
  }

  private pool(random: Random, { code, data }: Layout): readonly bigint[] {
    const pool: bigint[] = [];
    for (const base of data) pool.push(base, base, base + BigInt(random.nextInt(-4, 8)));
    for (let i = 0; i < 2; i++) pool.push(pick(random, code) ?? 0n);
    const width = this.anatomy?.programCounter.sort.kind === "bits" ? this.anatomy.programCounter.sort.width : 8;
    const some = values({ kind: "bits", width });
    for (let i = 0; i < 2; i++) pool.push(some.draw(random));
    return pool;
  }

  private value(random: Random, v: StateVariable, layout: Layout, pool: readonly bigint[], extreme: boolean): Value {
    if (v.implicit) return 0n;
    if (v === this.anatomy?.programCounter) return layout.counter;
    switch (v.type.kind) {
      case "bits":
      case "bool":
      case "enum":
        return values(v.type, pool).draw(random);
      case "file":
        return file(random, v, v.type, pool, extreme);
      case "memory":
        return filled(random, v.type.address, layout.data, pool);
      default:
        return unreachable(v.type);
    }
  }

  override *smaller({ state, inaccessible }: Start): Iterable<Start> {
    for (const fewer of this.smallerPermissions(inaccessible)) yield { state, inaccessible: fewer };
    for (const v of this.machine.variables) {
      const value = state.get(v.name);
      if (value === undefined) continue;
      for (const smaller of smallerValues(v, value)) yield { state: new Map(state).set(v.name, smaller), inaccessible };
    }
  }

  private *smallerPermissions(inaccessible: readonly Inaccessible[]): Iterable<readonly Inaccessible[]> {
    if (inaccessible.length === 0) return;
    yield [];
    const { memory } = inaccessible[0] ?? { memory: "" };
    const around = { memory, sort: { kind: "memory", address: 1 } as const, code: [], data: [] };
    yield* permissions(around).smaller(inaccessible);
  }

  override size({ state, inaccessible }: Start): bigint {
    let size = inaccessible.reduce((sum, one) => sum + one.bytes, 0n);
    for (const value of state.values()) {
      if (typeof value === "bigint") size += value;
      else if (value instanceof FileValue) for (const element of value.elements) size += element;
      else for (const [, byte] of value.written()) size += BigInt(byte);
    }
    return size;
  }
}

function file(random: Random, v: StateVariable, type: FileType, pool: readonly bigint[], extreme: boolean): FileValue {
  const element = values(type.element, pool);
  const width = type.element.kind === "bits" ? type.element.width : 0;
  const fitting = pool.filter((value) => value >= 0n && value >> BigInt(width) === 0n);
  const corners = extreme && width > 1 ? extremes(width) : [];
  const elements: bigint[] = [];
  for (let i = 0; i < type.count; i++) {
    const chance = random.nextInt(0, 99);
    const likely =
      chance < REPEATED ? elements : corners.length > 0 ? corners : chance < REPEATED + POOLED ? fitting : [];
    elements.push(v.fixed.get(i) ?? pick(random, likely) ?? element.draw(random));
  }
  return new FileValue(elements);
}

/** Contents of the registers that `operands` prefers. */
function likelyBases(state: ReadonlyMap<string, Value>): readonly bigint[] {
  return [...state.values()].flatMap((value) => (value instanceof FileValue ? value.elements.slice(0, 4) : []));
}

function address(random: Random, width: number): bigint {
  const end = 1n << BigInt(width);
  if (width <= PAGE_BITS) return BigInt(random.nextInt(0, Number(end) - 1));
  const within = BigInt(random.nextInt(-8, 8));
  switch (random.nextInt(0, 5)) {
    case 0:
      return 0x8000n; // a plain aligned place
    case 1:
      return 0x8000n + within; // across a page boundary
    case 2:
      return BigInt.asUintN(width, within); // around 0: wraps
    case 3:
      return (end >> 1n) + within; // around the sign boundary
    case 4:
      return random.nextBigInt(0n, end - 1n) & ~7n;
    default:
      return 0x4000n + BigInt(8 * random.nextInt(0, 8));
  }
}

function filled(random: Random, width: number, bases: readonly bigint[], pool: readonly bigint[]): MemoryValue {
  const words = values({ kind: "bits", width: 32 }, pool);
  let memory = MemoryValue.empty(width);
  for (const base of bases) {
    const data = new Uint8Array(Math.min(REGION_BYTES, 2 ** Math.min(width, 10)));
    for (let at = 0; at < data.length; at += 4) {
      const word = words.draw(random);
      for (let i = 0; i < 4 && at + i < data.length; i++) data[at + i] = Number((word >> BigInt(8 * i)) & 0xffn);
    }
    memory = memory.storeBytes(BigInt.asUintN(width, base - BigInt(REGION_BEFORE)), data);
  }
  return memory;
}

function* smallerValues(v: StateVariable, value: Value): Iterable<Value> {
  if (value instanceof FileValue) {
    yield* smallerFiles(v, value);
  } else if (value instanceof MemoryValue) {
    yield* smallerMemories(value);
  } else if (v.type.kind !== "file" && v.type.kind !== "memory") {
    yield* values(v.type).smaller(value);
  }
}

function* smallerFiles(v: StateVariable, value: FileValue): Iterable<FileValue> {
  if (v.type.kind !== "file") return;
  const count = value.elements.length;
  const isZero = (index: number): boolean =>
    (v.fixed.get(index) ?? value.elements[index] ?? 0n) === (v.fixed.get(index) ?? 0n);
  for (let chunk = count; chunk > 0; chunk >>= 1) {
    for (let from = 0; from < count; from += chunk) {
      const zeroed = value.elements.map((e, i) => (i >= from && i < from + chunk ? (v.fixed.get(i) ?? 0n) : e));
      if (zeroed.some((e, i) => e !== value.elements[i])) yield new FileValue(zeroed);
    }
  }
  const element = values(v.type.element);
  for (let i = 0; i < count; i++) {
    if (isZero(i)) continue;
    for (const smaller of element.smaller(value.elements[i] ?? 0n)) yield value.set(BigInt(i), smaller);
  }
}

function* smallerMemories(value: MemoryValue): Iterable<MemoryValue> {
  const written = [...value.written()].map(([address]) => address);
  for (let chunk = written.length; chunk > 0; chunk >>= 1) {
    for (let from = 0; from < written.length; from += chunk) {
      yield zeroed(value, written.slice(from, from + chunk));
    }
  }
}

/** Neighbours are written together: every write copies a page. */
function zeroed(memory: MemoryValue, addresses: readonly bigint[]): MemoryValue {
  let result = memory;
  for (let from = 0; from < addresses.length; ) {
    const start = addresses[from] ?? 0n;
    let length = 1;
    while (addresses[from + length] === start + BigInt(length)) length++;
    result = result.storeBytes(start, new Uint8Array(length));
    from += length;
  }
  return result;
}
