/**
 * How far two addresses are apart. Whether a load meets a write, whether two loads overlap, is a question about their
 * distance, asked in many forms: a − b = 3, b − a < 4, (a − b)[31:2] = 0. A solver that sees bits cannot tell that these
 * are about one number. Here each pair of addresses gets one variable for its distance, and every such question becomes
 * one about a few low bits of it and about whether its other bits are a certain constant, which is a variable, too.
 */
import { add, and, bool, constant, eq, extract, FALSE, neg, not, or, rebuild, sub } from "../terms/build.js";
import { argument, widthOf } from "../terms/construct.js";
import { BOOL } from "../terms/sort.js";
import type { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";

/** a − b, for two addresses. */
export interface Distance {
  /** That it is `d`, modulo the size of the address space. */
  is(d: number): Term;
}

/** A fresh variable and what it is. */
export interface Definition {
  readonly variable: Term;
  readonly value: Term;
  /** It need not be told before a model gets it wrong. */
  readonly patient?: boolean;
}

/** Bits of a distance that are compared one by one. */
const LOW = 4;
/** Larger sets of distances are left as they are written. */
const MOST_DISTANCES = 32n;

export class Distances {
  /** In an order in which each is defined by variables of the question and those before. */
  readonly definitions: Definition[] = [];
  private readonly fresh: (name: string, sort: Term["sort"]) => Term;
  /** For each difference: the variable, and whether it is the difference or its negative. */
  private variables = new Map<Term, { readonly variable: Term; readonly sign: bigint }>();
  private readonly near = new Map<string, Term>();
  private readonly memo = new Map<Term, Term>();

  constructor(fresh: (name: string, sort: Term["sort"]) => Term) {
    this.fresh = fresh;
  }

  between(a: Term, b: Term): Distance {
    const width = widthOf(a);
    const { base, offset } = split(sub(a, b));
    if (base === undefined) return { is: (d) => bool(BigInt.asUintN(width, BigInt(d)) === offset) };
    const { difference, sign } = oriented(base);
    if (!this.variables.has(difference)) {
      const distance = this.fresh(`distance!${this.variables.size}`, difference.sort);
      this.variables.set(difference, { variable: distance, sign: 1n });
      this.definitions.push({ variable: distance, value: difference, patient: true });
    }
    return {
      is: (d) => (d === 0 ? eq(a, b) : (this.equals(difference, sign * (BigInt(d) - offset)) ?? FALSE)),
    };
  }

  /** Puts other terms for some in all differences: their variables now stand for what they have become. */
  substitute(substitution: Substitution): void {
    const before = this.variables;
    this.variables = new Map();
    for (const [old, { variable, sign }] of before) {
      const { base } = split(substitution.apply(old));
      if (base === undefined) continue;
      const { difference, sign: turned } = oriented(base);
      if (!this.variables.has(difference)) this.variables.set(difference, { variable, sign: sign * turned });
    }
    for (const [i, definition] of this.definitions.entries()) {
      this.definitions[i] = { ...definition, value: substitution.apply(definition.value) };
    }
  }

  /** `t` with what it asks about distances between these addresses put in terms of their variables. */
  rewrite(t: Term): Term {
    if (this.variables.size === 0 || t.args.length === 0) return t;
    const known = this.memo.get(t);
    if (known !== undefined) return known;
    const question = t.sort === BOOL ? this.question(t) : undefined;
    let result = question ?? t;
    if (question === undefined) {
      const args = t.args.map((arg) => this.rewrite(arg));
      if (args.some((arg, i) => arg !== t.args[i])) result = rebuild(t, args);
    }
    this.memo.set(t, result);
    return result;
  }

  /** That a difference has this value; `undefined` where it has no variable. */
  private equals(difference: Term, value: bigint): Term | undefined {
    const known = this.variables.get(difference);
    if (known === undefined) return undefined;
    const width = widthOf(difference);
    const direct = constant(width, value);
    for (const bits of [3, 2, 1]) {
      const low = extract(difference, Math.min(bits, width) - 1, 0);
      if (low.op === "const" && low !== extract(direct, Math.min(bits, width) - 1, 0)) return FALSE;
    }
    const wanted = constant(width, known.sign * value);
    if (width <= LOW) return eq(known.variable, wanted);
    const low = eq(extract(known.variable, LOW - 1, 0), extract(wanted, LOW - 1, 0));
    return and(this.highIs(known.variable, extract(wanted, width - 1, LOW)), low);
  }

  private highIs(distance: Term, high: Term): Term {
    const key = `${distance.id} ${high.id}`;
    let near = this.near.get(key);
    if (near === undefined) {
      near = this.fresh(`near!${this.near.size}`, BOOL);
      this.near.set(key, near);
      this.definitions.push({ variable: near, value: eq(extract(distance, widthOf(distance) - 1, LOW), high) });
    }
    return near;
  }

  /** Whether `t` says that a distance lies in a small set, and then says so by its variable. */
  private question(t: Term): Term | undefined {
    const found = interval(t);
    if (found === undefined) return undefined;
    const { base, offset } = split(found.term);
    if (base === undefined) return undefined;
    const { difference, sign } = oriented(base);
    const members: Term[] = [];
    for (let i = 0n; i < found.size; i++) {
      const member = this.equals(difference, sign * (found.from + i - offset));
      if (member === undefined) return undefined;
      members.push(member);
    }
    return found.inside ? or(...members) : not(or(...members));
  }
}

/** A sum as what varies in it and the constant; no `base` for a constant. */
export function split(t: Term): { readonly base: Term | undefined; readonly offset: bigint } {
  if (t.op === "const") return { base: undefined, offset: t.value };
  const offset = t.op === "add" ? t.args.find((arg) => arg.op === "const") : undefined;
  if (offset === undefined) return { base: t, offset: 0n };
  return { base: add(...t.args.filter((arg) => arg !== offset)), offset: offset.value };
}

/** One of t and −t, the same for both; and which it is. */
function oriented(t: Term): { readonly difference: Term; readonly sign: bigint } {
  const negated = neg(t);
  return negated.id < t.id ? { difference: negated, sign: -1n } : { difference: t, sign: 1n };
}

/** `t` says that a term's value is one of `size` successive ones from `from` up, or (not `inside`) that it is none of them. */
interface Interval {
  readonly term: Term;
  readonly from: bigint;
  readonly size: bigint;
  readonly inside: boolean;
}

function interval(t: Term): Interval | undefined {
  if (t.op !== "eq" && t.op !== "ult") return undefined;
  const [a, b] = [argument(t, 0), argument(t, 1)];
  if (a.sort.kind !== "bits") return undefined;
  const all = 1n << BigInt(a.sort.width);
  const small = (term: Term, from: bigint, size: bigint, inside: boolean): Interval | undefined =>
    size <= MOST_DISTANCES ? { term, from, size, inside } : undefined;
  if (t.op === "ult") {
    if (b.op === "const") return small(a, 0n, b.value, true) ?? small(a, b.value, all - b.value, false);
    if (a.op === "const") return small(b, a.value + 1n, all - a.value - 1n, true) ?? small(b, 0n, a.value + 1n, false);
    return undefined;
  }
  const [value, other] = a.op === "const" ? [a, b] : [b, a];
  if (value.op !== "const") return undefined;
  if (other.op === "extract" && other.hi === widthOf(argument(other, 0)) - 1) {
    return small(argument(other, 0), value.value << BigInt(other.lo), 1n << BigInt(other.lo), true);
  }
  return small(other, value.value, 1n, true);
}

/** A fresh variable's definition as an equation. */
export function equation(definition: Definition): Term {
  return eq(definition.variable, definition.value);
}
