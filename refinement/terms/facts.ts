/**
 * Facts about single terms that are no equations: which bits are known, which values are possible.
 */
import { and, argument, concat, constant, eq, extract, FALSE, load, sub, TRUE, ult, widthOf } from "./construct.js";
import { maskOf } from "./operators.js";
import { isPieced } from "./pieces.js";
import type { Term } from "./term.js";

interface KnownBits {
  readonly mask: bigint;
  readonly value: bigint;
}

/** Possible values: lo ≤ x ≤ hi, and, up to MASKED bits of width, bit x of `set`. */
interface Range {
  readonly lo: bigint;
  readonly hi: bigint;
  readonly set: bigint | undefined;
}

/** Up to this width the possible values are enumerated: register numbers, opcodes, enums. */
const MASKED = 7;

/** What a comparison did to the values of `term`: none is left, exactly one is, or fewer are. */
export interface Narrowed {
  readonly term: Term;
  readonly value: bigint | "none" | undefined;
}

/** `term op constant` or the other way round. */
interface Comparison {
  readonly term: Term;
  readonly bound: bigint;
  /** The order in which term and bound stand. */
  readonly kind: "eq" | "below" | "above";
}

function comparison(atom: Term): Comparison | undefined {
  const [a, b] = atom.args;
  if (a === undefined || b === undefined || a.sort.kind !== "bits") return undefined;
  if (atom.op === "eq") {
    if (b.op !== "const") return undefined;
    // The normal form of t <u 2^n.
    if (b.value === 0n && a.op === "extract" && isTop(a))
      return { term: argument(a, 0), bound: 1n << BigInt(a.lo), kind: "below" };
    return { term: a, bound: b.value, kind: "eq" };
  }
  if (atom.op !== "ult") return undefined;
  if (b.op === "const") return { term: a, bound: b.value, kind: "below" };
  return a.op === "const" ? { term: b, bound: a.value, kind: "above" } : undefined;
}

/** Whether a slice reaches up to the top bit, without being a single bit: that is no comparison but a bit. */
function isTop(slice: Term): boolean {
  return slice.hi > slice.lo && slice.hi === widthOf(argument(slice, 0)) - 1;
}

/** The set of values, as a mask over 2^width of them, for which a comparison holds. */
function satisfying({ bound, kind }: Comparison, width: number): bigint {
  const all = maskOf(2 ** width);
  const below = maskOf(Number(bound));
  if (kind === "eq") return 1n << bound;
  return kind === "below" ? below : all & ~(below | (1n << bound));
}

function exactly(constant: Term): Range {
  const { value } = constant;
  return { lo: value, hi: value, set: widthOf(constant) <= MASKED ? 1n << value : undefined };
}

function union(a: Range, b: Range | undefined): Range | undefined {
  if (b === undefined) return undefined;
  const set = a.set === undefined || b.set === undefined ? undefined : a.set | b.set;
  return { lo: a.lo < b.lo ? a.lo : b.lo, hi: a.hi > b.hi ? a.hi : b.hi, set };
}

/** How facts ask the equations that they stand beside. */
export interface Equations {
  /** The right side of an equation, by its left side. */
  lookUp(t: Term): Term | undefined;
  /** The reduced form of a term. */
  rewrite(t: Term): Term;
}

export class Facts {
  private readonly known: Map<Term, KnownBits>;
  private readonly ranges: Map<Term, Range>;

  constructor(known = new Map<Term, KnownBits>(), ranges = new Map<Term, Range>()) {
    this.known = known;
    this.ranges = ranges;
  }

  copy(): Facts {
    return new Facts(new Map(this.known), new Map(this.ranges));
  }

  /** Records that a slice has this value; gives the whole term's value once every bit is known. */
  slice(slice: Term, value: bigint): bigint | "nothing new" | "some bits" {
    const whole = argument(slice, 0);
    const before = this.known.get(whole) ?? { mask: 0n, value: 0n };
    const mask = maskOf(slice.hi - slice.lo + 1) << BigInt(slice.lo);
    const after = { mask: before.mask | mask, value: (before.value & ~mask) | (value << BigInt(slice.lo)) };
    if (after.mask === before.mask && after.value === before.value) return "nothing new";
    this.known.set(whole, after);
    return after.mask === maskOf(widthOf(whole)) ? after.value : "some bits";
  }

  /** Records that a comparison with a constant holds, or that it does not. `undefined` where it says nothing new. */
  compare(atom: Term, holds: boolean): Narrowed | undefined {
    const found = comparison(atom);
    if (found === undefined) return undefined;
    const { term, bound, kind } = found;
    const width = widthOf(term);
    const before = this.ranges.get(term) ?? {
      lo: 0n,
      hi: maskOf(width),
      set: width <= MASKED ? maskOf(2 ** width) : undefined,
    };
    let { lo, hi, set } = before;
    if (set !== undefined) {
      const good = satisfying(found, width);
      set &= holds ? good : ~good;
      if (set === 0n) return { term, value: "none" };
      lo = BigInt((set & -set).toString(2).length - 1);
      hi = BigInt(set.toString(2).length - 1);
    } else {
      const least = kind === "above" ? bound + 1n : bound;
      const most = kind === "below" ? bound - 1n : bound;
      if (kind === "eq") {
        if (holds) return undefined;
        if (lo === bound) lo += 1n;
        if (hi === bound) hi -= 1n;
      } else if ((kind === "above") === holds) {
        // term > bound, or not term < bound
        const from = kind === "above" ? least : bound;
        if (from > lo) lo = from;
      } else {
        const to = kind === "below" ? most : bound;
        if (to < hi) hi = to;
      }
      if (lo > hi) return { term, value: "none" };
    }
    if (lo === before.lo && hi === before.hi && set === before.set) return undefined;
    this.ranges.set(term, { lo, hi, set });
    return { term, value: lo === hi ? lo : undefined };
  }

  /** What the facts and the equations make of a term whose arguments are reduced. */
  decide(t: Term, equations: Equations): Term | undefined {
    switch (t.op) {
      case "extract":
        return this.knownSlice(t);
      case "eq":
        return this.comparedWithConstant(t) ?? this.cutAtKnownBits(t);
      case "ult":
        return this.comparedWithConstant(t) ?? orderFrom(t, equations);
      case "load":
        return this.loadBeside(t, equations);
      default:
        return undefined;
    }
  }

  private knownSlice(t: Term): Term | undefined {
    const whole = argument(t, 0);
    const known = this.known.get(whole);
    if (known === undefined) return undefined;
    const mask = (known.mask >> BigInt(t.lo)) & maskOf(t.hi - t.lo + 1);
    if (mask === 0n) return undefined;
    return concat(...this.runs(whole, known, t.hi, t.lo));
  }

  /** Bits hi … lo of `whole`, high first: constants where they are known, slices elsewhere. */
  private runs(whole: Term, known: KnownBits, hi: number, lo: number): Term[] {
    const parts: Term[] = [];
    const isKnown = (i: number): boolean => ((known.mask >> BigInt(i)) & 1n) === 1n;
    let top = hi;
    for (let i = hi; i >= lo; i--) {
      if (i > lo && isKnown(i - 1) === isKnown(i)) continue;
      parts.push(isKnown(i) ? constant(top - i + 1, known.value >> BigInt(i)) : extract(whole, top, i));
      top = i - 1;
    }
    return parts;
  }

  private comparedWithConstant(t: Term): Term | undefined {
    const found = comparison(t);
    if (found === undefined) return undefined;
    const range = this.rangeOf(found.term);
    if (range === undefined) return undefined;
    const { bound, kind } = found;
    if (range.set !== undefined) {
      const good = satisfying(found, widthOf(found.term));
      if ((range.set & good) === 0n) return FALSE;
      return (range.set & ~good) === 0n ? TRUE : undefined;
    }
    if (kind === "eq") return bound < range.lo || bound > range.hi ? FALSE : undefined;
    if (kind === "below") return range.hi < bound ? TRUE : range.lo >= bound ? FALSE : undefined;
    return range.lo > bound ? TRUE : range.hi <= bound ? FALSE : undefined;
  }

  /** What is recorded of a term, or known of all the values that it chooses from. */
  private rangeOf(term: Term, seen = new Map<Term, Range | undefined>()): Range | undefined {
    const recorded = this.ranges.get(term);
    if (recorded !== undefined) return recorded;
    if (term.op === "const") return exactly(term);
    if (term.op !== "ite") return undefined;
    if (seen.has(term)) return seen.get(term);
    const yes = this.rangeOf(argument(term, 1), seen);
    const range = yes === undefined ? undefined : union(yes, this.rangeOf(argument(term, 2), seen));
    seen.set(term, range);
    return range;
  }

  /** x == k where some bits of x are known is a question about the others; so is x == a ++ b. */
  private cutAtKnownBits(t: Term): Term | undefined {
    const a = argument(t, 0);
    const b = argument(t, 1);
    for (const [x, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const known = this.known.get(x);
      if (known === undefined || !(other.op === "const" || isPieced(other))) continue;
      const parts: Term[] = [];
      let top = widthOf(x) - 1;
      for (const part of this.runs(x, known, top, 0)) {
        const lo = top - widthOf(part) + 1;
        parts.push(eq(part, extract(other, top, lo)));
        top = lo - 1;
      }
      return and(...parts);
    }
    return undefined;
  }

  /** A read past a write to another place: they are known not to overlap. */
  private loadBeside(t: Term, equations: Equations): Term | undefined {
    const memory = argument(t, 0);
    if (memory.op !== "write") return undefined;
    if (!this.disjoint(t, memory, equations) && !alignedApart(t, memory, equations)) return undefined;
    return load(argument(memory, 0), argument(t, 1), t.bytes);
  }

  /** Neither range of bytes begins within the other: the distances, either way, are known not to be below the sizes. */
  private disjoint(read: Term, written: Term, equations: Equations): boolean {
    const a = argument(read, 1);
    const b = argument(written, 1);
    const width = widthOf(a);
    if (width < 32 && Math.max(read.bytes, written.bytes) >= 2 ** width) return false;
    const there = equations.rewrite(sub(a, b));
    const back = equations.rewrite(sub(b, a));
    const least = (distance: Term, opposite: Term): bigint => {
      if (distance.op === "const") return distance.value;
      const lo = this.ranges.get(distance)?.lo ?? 0n;
      // −x is at least 2^width − max x, unless x can be 0.
      const other = this.ranges.get(opposite);
      const negated = other === undefined || other.lo === 0n ? 0n : (1n << BigInt(width)) - other.hi;
      return lo > negated ? lo : negated;
    };
    const beyond = (distance: Term, opposite: Term, bytes: number): boolean =>
      least(distance, opposite) >= BigInt(bytes) ||
      equations.rewrite(ult(distance, constant(width, BigInt(bytes)))) === FALSE;
    return beyond(there, back, written.bytes) && beyond(back, there, read.bytes);
  }
}

/** Both are aligned to the larger size, a power of two, and are not the same. */
function alignedApart(read: Term, written: Term, equations: Equations): boolean {
  const a = argument(read, 1);
  const b = argument(written, 1);
  const low = Math.log2(Math.max(read.bytes, written.bytes));
  const width = widthOf(a);
  if (!Number.isInteger(low) || low >= width) return false;
  if (low > 0 && !(aligned(a, low, equations) && aligned(b, low, equations))) return false;
  const cut = read.bytes === written.bytes ? 0 : low;
  return equations.rewrite(eq(extract(a, width - 1, cut), extract(b, width - 1, cut))) === FALSE;
}

function aligned(address: Term, low: number, equations: Equations): boolean {
  const bits = equations.rewrite(extract(address, low - 1, 0));
  return bits.op === "const" && bits.value === 0n;
}

/** a <u b from a != b and !(b <u a). */
function orderFrom(t: Term, equations: Equations): Term | undefined {
  const a = argument(t, 0);
  const b = argument(t, 1);
  if (a.op === "const" || b.op === "const") return undefined;
  const differ = equations.lookUp(eq(a, b)) === FALSE;
  return differ && equations.lookUp(ult(b, a)) === FALSE ? TRUE : undefined;
}
