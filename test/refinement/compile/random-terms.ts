/**
 * Random terms and values for comparing the compiler with the evaluator. Deterministic: a seed decides everything.
 */
import * as t from "../../../refinement/terms/build.js";
import { BOOL, bits, file, memory } from "../../../refinement/terms/sort.js";
import { intern, type Op, type Term } from "../../../refinement/terms/term.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";

export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed >>> 0;
  }
  /** 0 … 2^32 − 1 (xorshift with a Weyl sequence). */
  next(): number {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let x = this.state;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  }
  below(n: number): number {
    return this.next() % n;
  }
  chance(of: number): boolean {
    return this.below(of) === 0;
  }
  pick<T>(from: readonly T[]): T {
    const item = from[this.below(from.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }
  bits(width: number): bigint {
    let value = 0n;
    for (let i = 0; i < width; i += 32) value = (value << 32n) | BigInt(this.next());
    return BigInt.asUintN(width, value);
  }
  /** Biased to corners: small, all ones, the sign's boundary, single bits. */
  corner(width: number): bigint {
    const w = BigInt(width);
    switch (this.below(8)) {
      case 0:
        return 0n;
      case 1:
        return BigInt.asUintN(width, BigInt(this.below(5)));
      case 2:
        return BigInt.asUintN(width, -1n - BigInt(this.below(3)));
      case 3:
        return BigInt.asUintN(width, (1n << (w - 1n)) - BigInt(this.below(3)) + 1n);
      case 4:
        return 1n << BigInt(this.below(width));
      case 5:
        return BigInt.asUintN(width, BigInt(width) + BigInt(this.below(3)) - 1n);
      default:
        return this.bits(width);
    }
  }
}

const FILE = file(5, 70);
const SMALL = file(8, 64);
const MEMORY = memory(64);
const NARROW = memory(6);

/** Builds terms of any sort over a fixed set of variables. `raw` interns without simplifying, so that every operator stays. */
export class TermMaker {
  private readonly random: Random;
  private readonly raw: boolean;
  private readonly pool = new Map<string, Term[]>();

  constructor(random: Random, raw: boolean) {
    this.random = random;
    this.raw = raw;
  }

  private make(op: Op, sort: Term["sort"], args: readonly Term[], built: () => Term, payload = {}): Term {
    return this.raw ? intern(op, sort, args, payload) : built();
  }

  /** A bit vector; terms are reused, so that graphs are shared. */
  bits(width: number, depth: number): Term {
    const key = `bits ${width}`;
    const known = this.pool.get(key) ?? [];
    if (known.length > 0 && this.random.chance(4)) return this.random.pick(known);
    const term = this.freshBits(width, depth);
    this.pool.set(key, [...known, term]);
    return term;
  }

  private freshBits(width: number, depth: number): Term {
    const r = this.random;
    const sort = bits(width);
    if (depth <= 0)
      return r.chance(3) ? t.constant(width, r.corner(width)) : t.variable(`v${width}_${r.below(3)}`, sort);
    const d = depth - 1;
    const a = (): Term => this.bits(width, d);
    const many = (): Term[] => Array.from({ length: 2 + r.below(2) }, a);
    const nary = (op: Op, f: (...ts: readonly Term[]) => Term): Term => {
      const args = many();
      return this.make(op, sort, args, () => f(...args));
    };
    const binary = (op: Op, f: (x: Term, y: Term) => Term): Term => {
      const [x, y] = [a(), a()];
      return this.make(op, sort, [x, y], () => f(x, y));
    };
    switch (r.below(20)) {
      case 0: {
        const x = a();
        return this.make("bvnot", sort, [x], () => t.bvnot(x));
      }
      case 1:
        return nary("bvand", t.bvand);
      case 2:
        return nary("bvor", t.bvor);
      case 3:
        return nary("bvxor", t.bvxor);
      case 4:
      case 5:
        return nary("add", t.add);
      case 6:
        return nary("mul", t.mul);
      case 7:
        return binary("udiv", t.udiv);
      case 8:
        return binary("urem", t.urem);
      case 9:
        return binary("sdiv", t.sdiv);
      case 10:
        return binary("srem", t.srem);
      case 11:
        return binary("shl", t.shl);
      case 12:
        return binary("lshr", t.lshr);
      case 13:
        return binary("ashr", t.ashr);
      case 14: {
        if (width < 2) return a();
        const low = 1 + r.below(width - 1);
        const args = [this.bits(width - low, d), this.bits(low, d)];
        return this.make("concat", sort, args, () => t.concat(...args));
      }
      case 15: {
        const from = width + r.below(70);
        const x = this.bits(from, d);
        const lo = r.below(from - width + 1);
        const hi = lo + width - 1;
        if (from === width) return x;
        return this.make("extract", sort, [x], () => t.extract(x, hi, lo), { hi, lo });
      }
      case 16: {
        if (width < 2) return a();
        const x = this.bits(1 + r.below(width - 1), d);
        return r.chance(2)
          ? this.make("zext", sort, [x], () => t.zext(x, width))
          : this.make("sext", sort, [x], () => t.sext(x, width));
      }
      case 17: {
        const [c, x, y] = [this.bool(d), a(), a()];
        return this.make("ite", sort, [c, x, y], () => t.ite(c, x, y));
      }
      case 18: {
        if (width % 8 === 0) {
          const [m, space] = this.memory(d);
          const bytes = width / 8;
          const address = this.bits(space, d);
          return this.make("load", sort, [m, address], () => t.load(m, address, bytes), { bytes });
        }
        if (width === 70 || width === 64) {
          const f = this.file(width, d);
          const index = this.bits(3, d);
          return this.make("select", sort, [f, index], () => t.select(f, index));
        }
        return this.apply(sort, d);
      }
      default:
        return this.random.chance(4) ? this.apply(sort, d) : t.variable(`v${width}_${r.below(3)}`, sort);
    }
  }

  private apply(sort: Term["sort"], d: number): Term {
    const args = [this.bits(1 + this.random.below(130), d), this.bool(d)];
    return t.apply(`f${this.random.below(2)}`, sort, args);
  }

  bool(depth: number): Term {
    const r = this.random;
    if (depth <= 0) return r.chance(4) ? t.bool(r.chance(2)) : t.variable(`b${r.below(3)}`, BOOL);
    const d = depth - 1;
    const width = 1 + r.below(130);
    const compare = (op: Op, f: (x: Term, y: Term) => Term): Term => {
      const [x, y] = [this.bits(width, d), this.bits(width, d)];
      return this.make(op, BOOL, [x, y], () => f(x, y));
    };
    const many = (op: Op, f: (...ts: readonly Term[]) => Term): Term => {
      const args = Array.from({ length: 2 + r.below(3) }, () => this.bool(d));
      return this.make(op, BOOL, args, () => f(...args));
    };
    switch (r.below(10)) {
      case 0: {
        const x = this.bool(d);
        return this.make("not", BOOL, [x], () => t.not(x));
      }
      case 1:
        return many("and", t.and);
      case 2:
        return many("or", t.or);
      case 3:
        return compare("eq", t.eq);
      case 4:
        return compare("ult", t.ult);
      case 5:
        return compare("ule", t.ule);
      case 6:
        return compare("slt", t.slt);
      case 7:
        return compare("sle", t.sle);
      case 8: {
        const [m, space] = this.memory(d);
        const address = this.bits(space, d);
        const access = r.pick(["fetch", "load", "store"] as const);
        const bytes = 1 + r.below(9);
        return this.make("accessible", BOOL, [m, address], () => t.accessible(m, access, address, bytes), {
          bytes,
          access,
        });
      }
      default: {
        const [c, x, y] = [this.bool(d), this.bool(d), this.bool(d)];
        return this.make("ite", BOOL, [c, x, y], () => t.ite(c, x, y));
      }
    }
  }

  file(element: 64 | 70, depth: number): Term {
    const r = this.random;
    const sort = element === 70 ? FILE : SMALL;
    if (depth <= 0 || r.chance(4)) return t.variable(`file${element}`, sort);
    const d = depth - 1;
    switch (r.below(4)) {
      case 0: {
        const [c, x, y] = [this.bool(d), this.file(element, d), this.file(element, d)];
        return this.make("ite", sort, [c, x, y], () => t.ite(c, x, y));
      }
      case 1: {
        const body = this.bits(element, d);
        const from = this.file(element, d);
        return t.lambda(sort, (i) => t.bvxor(body, t.select(from, i), t.zext(i, element)));
      }
      default: {
        const [f, i, v] = [this.file(element, d), this.bits(3, d), this.bits(element, d)];
        return this.make("store", sort, [f, i, v], () => t.store(f, i, v));
      }
    }
  }

  /** A memory and its address width. Chains stay on one variable. */
  memory(depth: number): readonly [Term, number] {
    const r = this.random;
    const sort = r.chance(3) ? NARROW : MEMORY;
    const base = t.variable(`mem${sort.address}`, sort);
    const extend = (m: Term, d: number): Term => {
      if (d <= 0 || r.chance(3)) return m;
      const bytes = 1 + r.below(9);
      const [a, v] = [this.bits(sort.address, d - 1), this.bits(8 * bytes, d - 1)];
      const written = this.make("write", sort, [m, a, v], () => t.write(m, a, bytes, v), { bytes });
      if (!r.chance(3)) return extend(written, d - 1);
      const [c, x, y] = [this.bool(d - 1), extend(written, d - 1), extend(m, d - 1)];
      return this.make("ite", sort, [c, x, y], () => t.ite(c, x, y));
    };
    return [extend(base, depth - 1), sort.address];
  }
}

/** A value of a variable's sort; memory has denied bytes scattered and pages that hold data. */
export function randomValue(random: Random, variable: Term): Value {
  switch (variable.sort.kind) {
    case "bool":
      return BigInt(random.below(2));
    case "bits":
      return random.corner(variable.sort.width);
    case "file": {
      const { count, element } = variable.sort;
      return new FileValue(Array.from({ length: count }, () => random.corner(element)));
    }
    case "memory": {
      const salt = BigInt(random.below(1000));
      const width = variable.sort.address;
      let value = MemoryValue.empty(
        width,
        random.chance(2) ? undefined : (access, a) => (a * 7n + salt) % (access === "load" ? 5n : 11n) !== 0n,
        (a) => Number((a * 167n + salt) & 0xffn),
      );
      for (let i = 0; i < 4; i++) value = value.store(random.corner(width), 8, random.bits(64));
      return value;
    }
  }
}
