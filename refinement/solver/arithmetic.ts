/**
 * Products and quotients of two unknowns are never given to a solver at first: each becomes a variable, one for every pair
 * of operands, whatever width, sign and order they are multiplied in, together with lemmas that hold of it. What follows
 * from the lemmas is true of the real operators; a model may not be, and then says at which operands to be more precise.
 */
import {
  add,
  and,
  bvand,
  concat,
  constant,
  eq,
  extract,
  FALSE,
  implies,
  ite,
  lshr,
  mul,
  ne,
  neg,
  not,
  or,
  rebuild,
  sub,
  ule,
  ult,
  variable,
  zext,
} from "../terms/build.js";
import { argument, widthOf } from "../terms/construct.js";
import { Evaluator, environmentOf, zeroValue } from "../terms/evaluate.js";
import { maskOf } from "../terms/operators.js";
import { bits } from "../terms/sort.js";
import type { Term } from "../terms/term.js";
import type { Value } from "../terms/value.js";

/** x · y in full: `value` has the widths of both operands together. */
interface Product {
  readonly x: Term;
  readonly y: Term;
  readonly value: Term;
}

/** Unsigned quotient and remainder of one width, as SMT-LIB defines them at 0. */
interface Quotient {
  readonly n: Term;
  readonly d: Term;
  readonly q: Term;
  readonly r: Term;
}

/** An operand seen as a narrower number: its value is that of `core`, read as signed or unsigned. */
interface Operand {
  readonly core: Term;
  readonly signed: boolean;
}

export class Abstraction {
  /** That products and quotients of equal operands are equal. */
  readonly agreements: Term[] = [];
  /** What else is true of the abstract variables. */
  readonly lemmas: Term[] = [];
  private readonly memo = new Map<Term, Term>();
  private readonly products = new Map<string, Product>();
  private readonly quotients = new Map<string, Quotient>();
  private readonly signed = new Set<string>();
  private readonly names: Set<string>;

  /** Of terms over bools and bit vectors, whose variables are `variables`. */
  constructor(variables: Iterable<Term>) {
    this.names = new Set([...variables].map((v) => v.name));
  }

  /** `t` with its products and quotients abstracted; lemmas about them are added to `lemmas`. */

  /** Whether nothing had to be abstracted, so that a model is one of the original assertions. */
  get exact(): boolean {
    return this.products.size === 0 && this.quotients.size === 0;
  }

  /** For every product and quotient that the model has wrong: what is true of it at the model's value of one operand. */
  corrections(values: ReadonlyMap<string, Value>): Term[] {
    const evaluator = new Evaluator(environmentOf(values, (v) => zeroValue(v.sort)));
    const learned: Term[] = [];
    for (const { x, y, value } of this.products.values()) {
      const a = evaluator.number(x);
      const b = evaluator.number(y);
      if (a * b === evaluator.number(value)) continue;
      const width = widthOf(value);
      learned.push(implies(eq(x, constant(widthOf(x), a)), eq(value, mul(constant(width, a), zext(y, width)))));
      learned.push(implies(eq(y, constant(widthOf(y), b)), eq(value, mul(constant(width, b), zext(x, width)))));
    }
    for (const quotient of this.quotients.values()) {
      const n = evaluator.number(quotient.n);
      const d = evaluator.number(quotient.d);
      if (d === 0n || (n / d === evaluator.number(quotient.q) && n % d === evaluator.number(quotient.r))) continue;
      const divisor = constant(widthOf(quotient.d), d);
      learned.push(implies(eq(quotient.d, divisor), and(...divisionByConstant(quotient, d))));
    }
    return learned;
  }

  /** `t` with its products and quotients abstracted; lemmas about them are added to `lemmas`. */
  apply(t: Term): Term {
    if (t.args.length === 0) return t;
    const known = this.memo.get(t);
    if (known !== undefined) return known;
    const args = t.args.map((arg) => this.apply(arg));
    const result = this.operator(t, args);
    this.memo.set(t, result);
    return result;
  }

  private operator(t: Term, args: readonly Term[]): Term {
    const a = args[0];
    const b = args[1];
    if (t.op === "mul") {
      const factors = args.filter((arg) => arg.op !== "const");
      if (factors.length >= 2) {
        const product = byId(factors).reduce((x, y) => this.multiply(x, y));
        return mul(...args.filter((arg) => arg.op === "const"), product);
      }
    } else if (a !== undefined && b !== undefined) {
      switch (t.op) {
        case "udiv":
          return this.divide(a, b).q;
        case "urem":
          return this.divide(a, b).r;
        case "sdiv":
          return this.divideSigned(a, b).q;
        case "srem":
          return this.divideSigned(a, b).r;
        default:
          break;
      }
    }
    return args.every((arg, i) => arg === t.args[i]) ? t : rebuild(t, args);
  }

  /**
   * s · t modulo 2^m by the full product of the unsigned cores x (k bits) and y (l bits): a signed x is worth
   * x − x[k−1]·2^k, so that s·t = x·y − x[k−1]·2^k·y − y[l−1]·2^l·x + x[k−1]·y[l−1]·2^(k+l).
   */
  private multiply(s: Term, t: Term): Term {
    const width = widthOf(s);
    const minus = negations(s, t);
    if (minus !== undefined) {
      const value = this.multiply(minus.s, minus.t);
      return ite(minus.negative, neg(value), value);
    }
    const { core: x, signed: xSigned } = operand(s);
    const { core: y, signed: ySigned } = operand(t);
    const k = widthOf(x);
    const l = widthOf(y);
    let value = resize(this.product(x, y), width);
    if (xSigned) value = subtractAt(value, k, negativeBit(x), y);
    if (ySigned) value = subtractAt(value, l, negativeBit(y), x);
    if (xSigned && ySigned && k + l < width) {
      value = subtractAt(value, k + l, and(negativeBit(x), negativeBit(y)), constant(width, -1n));
    }
    return value;
  }

  private product(s: Term, t: Term): Term {
    if (s.op === "const" || t.op === "const") {
      const width = widthOf(s) + widthOf(t);
      return mul(zext(s, width), zext(t, width));
    }
    const [x, y] = pair(s, t);
    const key = `${x.id} ${y.id}`;
    const known = this.products.get(key);
    if (known !== undefined) return known.value;
    const value = this.fresh("product", widthOf(x) + widthOf(y));
    const product: Product = { x, y, value };
    this.lemmas.push(...productLemmas(product));
    for (const other of this.products.values()) this.agreements.push(...productsAgree(product, other));
    this.products.set(key, product);
    this.lemmas.push(...this.lowBits(product));
    return value;
  }

  /** Where an operand is ±u, the product's low bits are those of ±(u times the other). */
  private lowBits({ x, y, value }: Product): Term[] {
    const minus = negations(x, y);
    if (minus === undefined) return [];
    const low = Math.min(widthOf(x), widthOf(y));
    const plain = extract(this.product(minus.s, minus.t), low - 1, 0);
    return [eq(extract(value, low - 1, 0), ite(minus.negative, neg(plain), plain))];
  }

  /** Quotient and remainder at the width of `n`, by those of the narrowest unsigned numbers that the operands are. */
  private divide(n: Term, d: Term): { readonly q: Term; readonly r: Term } {
    const width = widthOf(n);
    const narrow = Math.max(unsignedWidth(n), unsignedWidth(d));
    if (n.op === "const" && d.op === "const")
      return { q: rebuildDivision("udiv", n, d), r: rebuildDivision("urem", n, d) };
    if (narrow === width) return this.quotient(n, d);
    const { q, r } = this.quotient(extract(n, narrow - 1, 0), extract(d, narrow - 1, 0));
    return {
      q: ite(eq(d, constant(width, 0n)), constant(width, -1n), zext(q, width)),
      r: zext(r, width),
    };
  }

  /** The remainder has the sign of `n`, the quotient that of `n` times that of `d`; at 0 as SMT-LIB defines it, too. */
  private divideSigned(n: Term, d: Term): { readonly q: Term; readonly r: Term } {
    const [a, b] = [this.magnitude(n), this.magnitude(d)];
    const unsigned = this.divide(a.magnitude, b.magnitude);
    const q = ite(ne(a.negative, b.negative), neg(unsigned.q), unsigned.q);
    const r = ite(a.negative, neg(unsigned.r), unsigned.r);
    const key = `${n.id} ${d.id}`;
    if (!this.signed.has(key)) {
      this.signed.add(key);
      this.lemmas.push(eq(add(d.op === "const" ? mul(q, d) : this.multiply(q, d), r), n));
    }
    return { q, r };
  }

  private quotient(n: Term, d: Term): Quotient {
    const key = `${n.id} ${d.id}`;
    const known = this.quotients.get(key);
    if (known !== undefined) return known;
    const width = widthOf(n);
    const quotient: Quotient = { n, d, q: this.fresh("quotient", width), r: this.fresh("remainder", width) };
    for (const other of this.quotients.values()) this.agreements.push(...quotientsAgree(quotient, other));
    this.quotients.set(key, quotient);
    if (d.op === "const") {
      this.lemmas.push(...divisionByConstant(quotient, d.value));
    } else {
      this.lemmas.push(...quotientLemmas(quotient, this.product(quotient.q, d)));
    }
    return quotient;
  }

  /** |t| as an unsigned number of t's width, and whether t is negative. The magnitude of a narrow number is narrow. */
  private magnitude(t: Term): { readonly negative: Term; readonly magnitude: Term } {
    const { core, signed } = operand(t);
    const width = widthOf(t);
    if (widthOf(core) < width && !signed) return { negative: FALSE, magnitude: t };
    const negative = negativeBit(core);
    return { negative, magnitude: zext(ite(negative, neg(core), core), width) };
  }

  private fresh(stem: string, width: number): Term {
    let name = `${stem}!${this.products.size + this.quotients.size}`;
    while (this.names.has(name)) name += "!";
    this.names.add(name);
    return variable(name, bits(width));
  }
}

function byId(terms: readonly Term[]): Term[] {
  return [...terms].sort((s, t) => s.id - t.id);
}

/** The wider first, then the older: one order for each pair. */
function pair(s: Term, t: Term): readonly [Term, Term] {
  const swap = widthOf(s) < widthOf(t) || (widthOf(s) === widthOf(t) && s.id > t.id);
  return swap ? [t, s] : [s, t];
}

function negativeBit(t: Term): Term {
  const sign = widthOf(t) - 1;
  return eq(extract(t, sign, sign), constant(1, 1n));
}

/** value − 2^at · (condition ? amount : 0): leaves the bits below `at` alone. */
function subtractAt(value: Term, at: number, condition: Term, amount: Term): Term {
  const width = widthOf(value);
  const high = ite(condition, resize(amount, width - at), constant(width - at, 0n));
  return concat(sub(extract(value, width - 1, at), high), extract(value, at - 1, 0));
}

/** t · 2^by, in `width` bits. */
function shifted(t: Term, by: number, width: number): Term {
  return resize(concat(t, constant(by, 0n)), width);
}

/** Modulo 2^width, or zero-extended. */
function resize(t: Term, width: number): Term {
  return widthOf(t) > width ? extract(t, width - 1, 0) : zext(t, width);
}

/** s and t without the signs that are visibly put before them, and whether their product then changes its sign. */
function negations(s: Term, t: Term): { readonly negative: Term; readonly s: Term; readonly t: Term } | undefined {
  const [a, b] = [negation(s), negation(t)];
  if (a === undefined && b === undefined) return undefined;
  const negative = ne(a?.negative ?? FALSE, b?.negative ?? FALSE);
  return { negative, s: a?.plain ?? s, t: b?.plain ?? t };
}

/** `c ? −u : u` */
function negation(t: Term): { readonly negative: Term; readonly plain: Term } | undefined {
  if (t.op !== "ite") return undefined;
  const [c, a, b] = [argument(t, 0), argument(t, 1), argument(t, 2)];
  if (neg(b) !== a) return undefined;
  return a.id < b.id ? { negative: not(c), plain: a } : { negative: c, plain: b };
}

function operand(t: Term): Operand {
  if (t.op === "sext") return { core: argument(t, 0), signed: true };
  const width = unsignedWidth(t);
  return { core: width === widthOf(t) ? t : extract(t, width - 1, 0), signed: false };
}

/** The number of low bits above which `t` is visibly zero; looks through a few if-then-elses. */
function unsignedWidth(t: Term, depth = 3): number {
  const width = widthOf(t);
  switch (t.op) {
    case "const":
      return Math.max(1, t.value.toString(2).length);
    case "zext":
      return unsignedWidth(argument(t, 0), depth);
    case "concat": {
      const high = argument(t, 0);
      if (high.op !== "const" || high.value !== 0n) return width;
      return width - widthOf(high);
    }
    case "ite":
      if (depth === 0) return width;
      return Math.max(unsignedWidth(argument(t, 1), depth - 1), unsignedWidth(argument(t, 2), depth - 1));
    default:
      return width;
  }
}

function rebuildDivision(op: "udiv" | "urem", n: Term, d: Term): Term {
  const zero = d.value === 0n;
  const value = op === "udiv" ? (zero ? maskOf(widthOf(n)) : n.value / d.value) : zero ? n.value : n.value % d.value;
  return constant(widthOf(n), value);
}

/** What is true of p = x · y, x of k and y of l bits, p of k + l. */
function productLemmas({ x, y, value: p }: Product): Term[] {
  const width = widthOf(p);
  const k = widthOf(x);
  const l = widthOf(y);
  const isZero = (t: Term): Term => eq(t, constant(widthOf(t), 0n));
  const found: Term[] = [
    // x·y = 0 exactly where x = 0 or y = 0.
    eq(isZero(p), or(isZero(x), isZero(y))),
    // Odd exactly where both are.
    eq(extract(p, 0, 0), bvand(extract(x, 0, 0), extract(y, 0, 0))),
    // x·y < 2^k·y and x·y < 2^l·x, but for zeros.
    or(isZero(y), ult(extract(p, width - 1, k), y)),
    or(isZero(x), ult(extract(p, width - 1, l), x)),
    // x·y ≥ x and ≥ y, but for zeros.
    or(isZero(y), ule(zext(x, width), p)),
    or(isZero(x), ule(zext(y, width), p)),
  ];
  for (const [s, t] of [
    [x, y],
    [y, x],
  ] as const) {
    const n = widthOf(s);
    const other = zext(t, width);
    found.push(implies(eq(s, constant(n, 1n)), eq(p, other)));
    // (2^n − 1)·t = (t − 1)·2^n + (2^n − t)
    if (widthOf(t) <= n) {
      const parts = concat(sub(t, constant(widthOf(t), 1n)), neg(zext(t, n)));
      found.push(implies(and(eq(s, constant(n, -1n)), not(isZero(t))), eq(p, parts)));
    }
    if (n > 1) {
      found.push(implies(eq(s, constant(n, 2n)), eq(p, shifted(t, 1, width))));
      // The least signed number is 2^(n−1).
      const least = constant(n, 1n << BigInt(n - 1));
      found.push(implies(eq(s, least), eq(p, shifted(t, n - 1, width))));
    }
  }
  return found;
}

/** Multiplication is a function; and its low bits depend on its operands' low bits alone. */
function productsAgree(a: Product, b: Product): Term[] {
  const found: Term[] = [];
  if (widthOf(a.x) === widthOf(b.x) && widthOf(a.y) === widthOf(b.y)) {
    found.push(implies(and(eq(a.x, b.x), eq(a.y, b.y)), eq(a.value, b.value)));
    if (widthOf(a.x) === widthOf(a.y)) found.push(implies(and(eq(a.x, b.y), eq(a.y, b.x)), eq(a.value, b.value)));
  }
  for (const [s, t] of [
    [b.x, b.y],
    [b.y, b.x],
  ] as const) {
    const low = Math.min(commonLow(a.x, s), commonLow(a.y, t));
    if (low > 0) found.push(eq(extract(a.value, low - 1, 0), extract(b.value, low - 1, 0)));
  }
  return found;
}

/** How many low bits of two terms are visibly the same: the width of the narrower if it is the other's low part, else 0. */
function commonLow(s: Term, t: Term): number {
  const width = Math.min(widthOf(s), widthOf(t));
  return extract(s, width - 1, 0) === extract(t, width - 1, 0) ? width : 0;
}

/** What is true of q = n / d and r = n mod d, with p = q · d in full width. */
function quotientLemmas({ n, d, q, r }: Quotient, p: Term): Term[] {
  const width = widthOf(n);
  const zero = constant(width, 0n);
  const one = constant(width, 1n);
  const defined = ne(d, zero);
  const top = negativeBit(d);
  return [
    implies(not(defined), and(eq(q, constant(width, -1n)), eq(r, n))),
    implies(defined, and(ult(r, d), ule(q, n))),
    // n = q·d + r, even for d = 0; otherwise q·d does not overflow.
    implies(defined, eq(extract(p, 2 * width - 1, width), zero)),
    eq(add(extract(p, width - 1, 0), r), n),
    implies(defined, ule(extract(p, width - 1, 0), n)),
    ule(r, n),
    implies(eq(d, one), and(eq(q, n), eq(r, zero))),
    implies(ult(n, d), and(eq(q, zero), eq(r, n))),
    implies(and(defined, eq(n, d)), and(eq(q, one), eq(r, zero))),
    implies(and(defined, ule(d, n)), ne(q, zero)),
    // A divisor of at least half the range goes in at most once.
    implies(and(top, ule(d, n)), and(eq(q, one), eq(r, sub(n, d)))),
    // q ≤ n / 2 for any divisor of at least 2.
    implies(ult(one, d), ule(q, lshr(n, one))),
  ];
}

/** The whole truth about division by the constant c > 0: q·c ≤ n without overflow, and what is left is less than c. */
function divisionByConstant({ n, q, r }: Quotient, c: bigint): Term[] {
  const width = widthOf(n);
  if (c === 0n) return [eq(q, constant(width, -1n)), eq(r, n)];
  const product = mul(constant(width, c), q);
  return [
    ule(q, constant(width, maskOf(width) / c)),
    ule(product, n),
    eq(r, sub(n, product)),
    ult(r, constant(width, c)),
  ];
}

/** Division is a function. */
function quotientsAgree(a: Quotient, b: Quotient): Term[] {
  if (widthOf(a.n) !== widthOf(b.n)) return [];
  return [implies(and(eq(a.n, b.n), eq(a.d, b.d)), and(eq(a.q, b.q), eq(a.r, b.r)))];
}
