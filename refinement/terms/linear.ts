/**
 * Linear forms modulo 2^width: Σ coefficient · atom + constant. Sums, differences and products with a constant have one
 * such form each, and equal forms become the same term.
 */
import { argument, concat, constant, extract, make, mul, widthOf, zext } from "./construct.js";
import { piecesOf, widenLow } from "./pieces.js";
import { bits } from "./sort.js";
import { compareTerms, type Term } from "./term.js";

export class Linear {
  readonly width: number;
  /** Coefficients, none 0. */
  readonly atoms = new Map<Term, bigint>();
  constant = 0n;

  constructor(width: number) {
    this.width = width;
  }

  static of(t: Term): Linear {
    const form = new Linear(widthOf(t));
    form.add(t, 1n);
    return form;
  }

  /** a − b */
  static difference(a: Term, b: Term): Linear {
    const form = Linear.of(a);
    form.add(b, -1n);
    return form;
  }

  /** Adds `coefficient · t`. */
  add(t: Term, coefficient: bigint): void {
    switch (t.op) {
      case "const":
        this.constant = BigInt.asUintN(this.width, this.constant + coefficient * t.value);
        return;
      case "add":
        for (const arg of t.args) this.add(arg, coefficient);
        return;
      case "mul": {
        const first = argument(t, 0);
        if (first.op !== "const") break;
        const second = argument(t, 1);
        this.addAtom(t.args.length === 2 ? second : mul(...t.args.slice(1)), coefficient * first.value);
        return;
      }
      case "bvnot":
        this.add(argument(t, 0), -coefficient);
        this.constant = BigInt.asUintN(this.width, this.constant - coefficient);
        return;
      case "concat":
      case "zext":
        if (this.addShifted(t, coefficient)) return;
        break;
      default:
        break;
    }
    this.addAtom(t, coefficient);
  }

  /** `high ++ k` with a constant k of n bits is 2^n · high + k, and only the low bits of `high` matter. */
  private addShifted(t: Term, coefficient: bigint): boolean {
    const pieces = piecesOf(t);
    const last = pieces[pieces.length - 1];
    if (last === undefined || last.op !== "const") return false;
    const shift = widthOf(last);
    const factor = coefficient << BigInt(shift);
    if (t.op === "zext") {
      this.addAtom(zext(extract(t, this.width - 1, shift), this.width), factor);
    } else {
      const high = Linear.of(extract(t, this.width - 1, shift));
      for (const [atom, c] of high.atoms) this.addAtom(widenLow(atom, this.width, zext), factor * c);
      this.constant = BigInt.asUintN(this.width, this.constant + factor * high.constant);
    }
    this.constant = BigInt.asUintN(this.width, this.constant + coefficient * last.value);
    return true;
  }

  private addAtom(atom: Term, coefficient: bigint): void {
    const sum = BigInt.asUintN(this.width, (this.atoms.get(atom) ?? 0n) + coefficient);
    if (sum === 0n) this.atoms.delete(atom);
    else this.atoms.set(atom, sum);
  }

  /** Multiplies by a constant. */
  scale(factor: bigint): Linear {
    const form = new Linear(this.width);
    for (const [atom, c] of this.atoms) form.addAtom(atom, c * factor);
    form.constant = BigInt.asUintN(this.width, this.constant * factor);
    return form;
  }

  /** The value if no atom is left. */
  get value(): bigint | undefined {
    return this.atoms.size === 0 ? this.constant : undefined;
  }

  /** How much there is to compute: an atom counts 2, a negative or multiple one 3, a constant 1. */
  get cost(): number {
    let cost = this.constant === 0n ? 0 : 1;
    for (const c of this.atoms.values()) cost += c === 1n ? 2 : 3;
    return cost;
  }

  sortedAtoms(): readonly (readonly [Term, bigint])[] {
    const entries = [...this.atoms];
    return entries.length < 2 ? entries : entries.sort((a, b) => compareTerms(a[0], b[0]));
  }

  /** The normal form of the sum. */
  toTerm(): Term {
    const parts = this.parts();
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : make("add", bits(this.width), parts);
  }

  /** The summands of the normal form in order, or the one term that needs no sum. */
  parts(): readonly Term[] {
    const { width } = this;
    if (this.atoms.size === 0) return [constant(width, this.constant)];
    if (this.atoms.size === 1) {
      for (const [atom, c] of this.atoms) {
        const single = this.single(atom, c);
        if (single !== undefined) return [single];
      }
    }
    const parts = this.sortedAtoms().map(([atom, c]) => scaled(atom, c, width));
    if (this.constant !== 0n) parts.push(constant(width, this.constant));
    return parts;
  }

  /** A sum of one atom that has a form without a sum: x, ~x, x << k. */
  private single(atom: Term, c: bigint): Term | undefined {
    if (c === 1n) return this.constant === 0n ? atom : undefined;
    const ones = (1n << BigInt(this.width)) - 1n;
    if (c === ones && this.constant === ones) return make("bvnot", atom.sort, [atom]);
    const shift = powerOfTwo(c);
    if (shift === undefined || this.constant >= c) return undefined;
    return concat(extract(atom, this.width - 1 - shift, 0), constant(shift, this.constant));
  }
}

function scaled(atom: Term, c: bigint, width: number): Term {
  if (c === 1n) return atom;
  const factors = atom.op === "mul" ? atom.args : [atom];
  return make("mul", bits(width), [constant(width, c), ...factors]);
}

/** k where the value is 2^k. */
export function powerOfTwo(value: bigint): number | undefined {
  if (value <= 0n || (value & (value - 1n)) !== 0n) return undefined;
  return value.toString(2).length - 1;
}

/** a − b if it is the same for all values of the variables: how far apart two addresses are. */
export function constantDifference(a: Term, b: Term): bigint | undefined {
  if (a === b) return 0n;
  if (a.op === "const" && b.op === "const") return BigInt.asUintN(widthOf(a), a.value - b.value);
  if (!isSum(a) && !isSum(b)) return undefined;
  return Linear.difference(a, b).value;
}

/** Whether the linear form of `t` is anything but `t` itself. */
export function isSum(t: Term): boolean {
  switch (t.op) {
    case "add":
    case "bvnot":
      return true;
    case "mul":
      return t.args[0]?.op === "const";
    case "concat":
    case "zext": {
      const pieces = piecesOf(t);
      return pieces[pieces.length - 1]?.op === "const";
    }
    default:
      return false;
  }
}
