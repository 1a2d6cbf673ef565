/** Random terms, each twice: plain (`intern` only) and in normal form, to be compared by evaluation. */
import * as build from "../../../refinement/terms/build.js";
import { type Environment, zeroValue } from "../../../refinement/terms/evaluate.js";
import { BOOL, bits, type FileSort, file, memory, type Sort } from "../../../refinement/terms/sort.js";
import { type Access, intern, type Op, type Payload, type Term } from "../../../refinement/terms/term.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";

/** mulberry32 */
export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed >>> 0;
  }
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  below(n: number): number {
    return this.next() % n;
  }
  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }
  bits(width: number): bigint {
    const corner = this.below(6);
    const ones = (1n << BigInt(width)) - 1n;
    if (corner === 0) return 0n;
    if (corner === 1) return ones;
    if (corner === 2) return 1n << BigInt(this.below(width));
    if (corner === 3) return ones >> BigInt(this.below(width));
    let value = 0n;
    for (let i = 0; i < width; i += 32) value = (value << 32n) | BigInt(this.next());
    return BigInt.asUintN(width, value);
  }
}

export interface Pair {
  readonly raw: Term;
  readonly built: Term;
}

export function same(t: Term): Pair {
  return { raw: t, built: t };
}

/** The operator on both members: plain on the plain ones, in normal form on the others. */
export function both(op: Op, sort: Sort, args: readonly Pair[], payload: Payload = {}): Pair {
  const plain = intern(
    op,
    sort,
    args.map((a) => a.raw),
    payload,
  );
  return {
    raw: plain,
    built: build.rebuild(
      plain,
      args.map((a) => a.built),
    ),
  };
}

const ACCESSES: readonly Access[] = ["fetch", "load", "store"];

export interface Profile {
  readonly widths: readonly number[];
  readonly memories: boolean;
}

export class TermGenerator {
  readonly random: Random;
  private readonly profile: Profile;
  private readonly pools = new Map<Sort, Pair[]>();
  private readonly fileSorts: readonly FileSort[];
  private readonly memorySort: Sort;
  private bound: Pair[] = [];

  constructor(random: Random, profile: Profile) {
    this.random = random;
    this.profile = profile;
    this.fileSorts = [file(4, random.pick(profile.widths)), file(3, random.pick(profile.widths))];
    this.memorySort = memory(3);
  }

  width(): number {
    return this.random.pick(this.profile.widths);
  }

  /** A fresh term or one that was built before, so that sharing and equal arguments are common. */
  term(sort: Sort, depth: number): Pair {
    const pool = this.pools.get(sort) ?? [];
    if (this.bound.length === 0 && pool.length > 0 && this.random.below(4) === 0) return this.random.pick(pool);
    const pair = depth <= 0 ? this.leaf(sort) : this.compound(sort, depth - 1);
    if (this.bound.length === 0) {
      pool.push(pair);
      this.pools.set(sort, pool);
    }
    return pair;
  }

  private leaf(sort: Sort): Pair {
    const r = this.random;
    if (sort.kind === "bits") {
      const usable = this.bound.filter((b) => b.raw.sort === sort);
      if (usable.length > 0 && r.below(2) === 0) return r.pick(usable);
      if (r.below(3) === 0) return same(build.constant(sort.width, r.bits(sort.width)));
      return same(build.variable(`${r.pick(["a", "b", "c"])}${sort.width}`, sort));
    }
    if (sort.kind === "bool")
      return same(r.below(8) === 0 ? build.bool(r.below(2) === 0) : build.variable(r.pick(["p", "q"]), BOOL));
    if (sort.kind === "file") return same(build.variable(`f${sort.count}.${sort.element}`, sort));
    return same(build.variable("m", sort));
  }

  private compound(sort: Sort, depth: number): Pair {
    switch (sort.kind) {
      case "bool":
        return this.bool(depth);
      case "bits":
        return this.bits(sort.width, depth);
      case "file":
        return this.file(sort, depth);
      case "memory":
        return this.memory(depth);
    }
  }

  private several(sort: Sort, depth: number): Pair[] {
    return Array.from({ length: 2 + this.random.below(2) }, () => this.term(sort, depth));
  }

  private bool(depth: number): Pair {
    const r = this.random;
    const op = r.pick([
      "not",
      "and",
      "or",
      "eq",
      "iff",
      "ite",
      "ult",
      "slt",
      "eq",
      "ult",
      "slt",
      "ule",
      "sle",
      "leaf",
      "accessible",
    ] as const);
    switch (op) {
      case "leaf":
        return this.leaf(BOOL);
      case "not":
        return both("not", BOOL, [this.term(BOOL, depth)]);
      case "and":
      case "or":
        return both(op, BOOL, this.several(BOOL, depth));
      case "iff":
        return both("eq", BOOL, [this.term(BOOL, depth), this.term(BOOL, depth)]);
      case "ite":
        return both("ite", BOOL, [this.term(BOOL, depth), this.term(BOOL, depth), this.term(BOOL, depth)]);
      case "accessible": {
        if (!this.profile.memories) return this.leaf(BOOL);
        const payload = { access: r.pick(ACCESSES), bytes: 1 + r.below(4) };
        return both("accessible", BOOL, [this.term(this.memorySort, depth), this.term(bits(3), depth)], payload);
      }
      default: {
        const width = bits(this.width());
        const pair = both(op === "ule" || op === "sle" ? op : op, BOOL, [
          this.term(width, depth),
          this.term(width, depth),
        ]);
        return pair;
      }
    }
  }

  private bits(width: number, depth: number): Pair {
    const r = this.random;
    const sort = bits(width);
    const op = r.pick([
      "bvnot",
      "bvand",
      "bvor",
      "bvxor",
      "add",
      "add",
      "mul",
      "udiv",
      "urem",
      "sdiv",
      "srem",
      "shl",
      "lshr",
      "ashr",
      "concat",
      "concat",
      "extract",
      "extract",
      "zext",
      "sext",
      "ite",
      "ite",
      "select",
      "load",
      "apply",
      "leaf",
      "neg",
    ] as const);
    switch (op) {
      case "leaf":
        return this.leaf(sort);
      case "bvnot":
        return both("bvnot", sort, [this.term(sort, depth)]);
      case "bvand":
      case "bvor":
      case "bvxor":
      case "add":
      case "mul":
        return both(op, sort, this.several(sort, depth));
      case "neg":
        return both("mul", sort, [same(build.constant(width, -1n)), this.term(sort, depth)]);
      case "udiv":
      case "urem":
      case "sdiv":
      case "srem":
      case "shl":
      case "lshr":
      case "ashr":
        return both(op, sort, [this.term(sort, depth), this.term(sort, depth)]);
      case "concat": {
        if (width === 1) return this.leaf(sort);
        const high = 1 + r.below(width - 1);
        return both("concat", sort, [this.term(bits(high), depth), this.term(bits(width - high), depth)]);
      }
      case "extract": {
        const wide = width + 1 + r.below(3);
        const lo = r.below(wide - width + 1);
        return both("extract", sort, [this.term(bits(wide), depth)], { hi: lo + width - 1, lo });
      }
      case "zext":
      case "sext":
        if (width === 1) return this.leaf(sort);
        return both(op, sort, [this.term(bits(1 + r.below(width - 1)), depth)]);
      case "ite":
        return both("ite", sort, [this.term(BOOL, depth), this.term(sort, depth), this.term(sort, depth)]);
      case "select": {
        const sorts = this.fileSorts.filter((s) => s.element === width);
        if (sorts.length === 0) return this.leaf(sort);
        const chosen = r.pick(sorts);
        return both("select", sort, [this.term(chosen, depth), this.term(bits(chosen.index), depth)]);
      }
      case "load":
        if (width % 8 !== 0 || !this.profile.memories) return this.leaf(sort);
        return both("load", sort, [this.term(this.memorySort, depth), this.term(bits(3), depth)], { bytes: width / 8 });
      case "apply":
        return both("apply", sort, [this.term(bits(2), depth)], { name: "g" });
    }
  }

  private file(sort: FileSort, depth: number): Pair {
    const r = this.random;
    switch (r.below(5)) {
      case 0:
        return this.leaf(sort);
      case 1:
        return both("ite", sort, [this.term(BOOL, depth), this.term(sort, depth), this.term(sort, depth)]);
      case 2: {
        if (this.bound.length > 0) return this.leaf(sort);
        const index = same(build.variable("%0", bits(sort.index)));
        this.bound = [index];
        const body = this.term(bits(sort.element), depth);
        this.bound = [];
        return both("lambda", sort, [body], { name: "%0" });
      }
      default:
        return both("store", sort, [
          this.term(sort, depth),
          this.term(bits(sort.index), depth),
          this.term(bits(sort.element), depth),
        ]);
    }
  }

  private memory(depth: number): Pair {
    const r = this.random;
    const sort = this.memorySort;
    if (r.below(4) === 0)
      return both("ite", sort, [this.term(BOOL, depth), this.term(sort, depth), this.term(sort, depth)]);
    const bytes = r.pick([1, 2, 4]);
    return both("write", sort, [this.term(sort, depth), this.term(bits(3), depth), this.term(bits(8 * bytes), depth)], {
      bytes,
    });
  }
}

/** A random value of a sort. */
export function randomValue(sort: Sort, random: Random): Value {
  switch (sort.kind) {
    case "bool":
      return BigInt(random.below(2));
    case "bits":
      return random.bits(sort.width);
    case "file":
      return new FileValue(Array.from({ length: sort.count }, () => random.bits(sort.element)));
    case "memory": {
      const seed = random.next();
      return MemoryValue.empty(
        sort.address,
        (access, address) => (new Random(seed ^ Number(address & 0xffffffn) ^ access.length).next() & 3) !== 0,
        (address) => new Random(seed + Number(address & 0xffffffn) * 7919).next() & 255,
      );
    }
  }
}

/** Random values for whatever variable is asked about, the same on every question. */
export function randomEnvironment(random: Random): Environment {
  const values = new Map<Term, Value>();
  return {
    variable(t) {
      let value = values.get(t);
      if (value === undefined) {
        value = random.below(12) === 0 ? zeroValue(t.sort) : randomValue(t.sort, random);
        values.set(t, value);
      }
      return value;
    },
  };
}
