/** Equality of bit vectors, unsigned and signed order, the idioms of carry, borrow and overflow. */
import {
  and,
  argument,
  bvnot,
  bvxor,
  constant,
  eq,
  extract,
  FALSE,
  ite,
  make,
  ne,
  not,
  or,
  slt,
  TRUE,
  ult,
  widthOf,
} from "../construct.js";
import { isSum, Linear, powerOfTwo } from "../linear.js";
import { maskOf } from "../operators.js";
import { cuts, isPieced, piecesOf, signBit, signedWidth, unsignedWidth } from "../pieces.js";
import { BOOL } from "../sort.js";
import { compareTerms, type Term } from "../term.js";
import type { Rule } from "./rule.js";

/** A rule on `x == k` for a constant k that is not itself asked about a constant. */
function againstConstant(
  name: string,
  law: string,
  apply: (x: Term, k: bigint, width: number) => Term | undefined,
): Rule {
  return {
    name,
    law,
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      return b.op === "const" && a.sort.kind === "bits" ? apply(a, b.value, a.sort.width) : undefined;
    },
  };
}

function isSame(name: string, law: string): Rule {
  return { name, law, apply: (t) => (t.args[0] === t.args[1] ? TRUE : undefined) };
}

/** The inverse of an odd number modulo 2^width, by Newton's iteration. */
function inverse(odd: bigint, width: number): bigint {
  let x = 1n;
  for (let correct = 1; correct < width; correct *= 2) x = BigInt.asUintN(width, x * (2n - odd * x));
  return BigInt.asUintN(width, x);
}

/** Both sides of `a == b` after cancelling: what is added on the left, what on the right; sign and order canonical. */
function balanced(a: Term, b: Term): readonly [Term, Term] {
  const form = Linear.difference(a, b);
  const half = 1n << BigInt(form.width - 1);
  const entries = form.sortedAtoms();
  // Half of 2^width is its own negative and decides nothing.
  const decisive = entries.find(([, c]) => c !== half);
  const flip = (decisive === undefined ? form.constant : decisive[1]) > half;
  const signed = flip ? form.scale(-1n) : form;
  const left = new Linear(form.width);
  const right = new Linear(form.width);
  for (const [atom, c] of signed.atoms) {
    if (c > half) right.add(atom, -c);
    else left.add(atom, c);
  }
  // One atom alone on the left is compared with a constant; otherwise the constant goes right as well.
  right.constant = BigInt.asUintN(form.width, -signed.constant);
  return [left.toTerm(), right.toTerm()];
}

export const eqRules: readonly Rule[] = [
  isSame("eq.same", "(a == a) = true"),
  {
    name: "eq.sort",
    law: "== is commutative; a constant stands right",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (b.op === "const") return undefined;
      return a.op === "const" || compareTerms(a, b) > 0 ? make("eq", BOOL, [b, a]) : undefined;
    },
  },
  againstConstant("eq.bit", "for one bit, (a == 0) = !(a == 1)", (x, k, width) =>
    width === 1 && k === 0n ? not(eq(x, constant(1, 1n))) : undefined,
  ),
  againstConstant("eq.bit-not", "for one bit, (~a == 1) = !(a == 1)", (x, _, width) =>
    width === 1 && x.op === "bvnot" ? not(eq(argument(x, 0), constant(1, 1n))) : undefined,
  ),
  againstConstant(
    "eq.bit-operation",
    "for one bit, (a & b == 1) = (a == 1) && (b == 1), and so for | and ^",
    (x, _, width) => {
      if (width !== 1) return undefined;
      const bitsOf = (): Term[] => x.args.map((arg) => eq(arg, constant(1, 1n)));
      if (x.op === "bvand") return and(...bitsOf());
      if (x.op === "bvor") return or(...bitsOf());
      if (x.op !== "bvxor") return undefined;
      return bitsOf().reduce((a, b) => not(eq(a, b)));
    },
  ),
  againstConstant("eq.bvnot", "(~a == k) = (a == ~k)", (x, k, width) =>
    x.op === "bvnot" ? eq(argument(x, 0), constant(width, ~k)) : undefined,
  ),
  againstConstant("eq.bvxor", "(a ^ j == k) = (a == j ^ k)", (x, k, width) => {
    const j = x.args[x.args.length - 1];
    if (x.op !== "bvxor" || j === undefined || j.op !== "const") return undefined;
    return eq(bvxor(...x.args.slice(0, -1)), constant(width, j.value ^ k));
  }),
  againstConstant("eq.bvxor-zero", "(a ^ b == 0) = (a == b)", (x, k) =>
    x.op === "bvxor" && k === 0n ? eq(argument(x, 0), bvxor(...x.args.slice(1))) : undefined,
  ),
  againstConstant("eq.bvor-zero", "(a | b == 0) = (a == 0) && (b == 0)", (x, k, width) =>
    x.op === "bvor" && k === 0n ? and(...x.args.map((arg) => eq(arg, constant(width, 0n)))) : undefined,
  ),
  againstConstant("eq.bvand-ones", "(a & b == ~0) = (a == ~0) && (b == ~0)", (x, k, width) =>
    x.op === "bvand" && k === maskOf(width) ? and(...x.args.map((arg) => eq(arg, constant(width, -1n)))) : undefined,
  ),
  againstConstant("eq.sext", "(sext(a) == k) = (a == k), or false where k is no sign extension", (x, k, width) => {
    if (x.op !== "sext") return undefined;
    const a = argument(x, 0);
    const narrow = constant(widthOf(a), k);
    return BigInt.asUintN(width, BigInt.asIntN(widthOf(a), narrow.value)) === k ? eq(a, narrow) : FALSE;
  }),
  againstConstant(
    "eq.choice",
    "((c ? j : a) == k) = c || a == k where j = k, !c && a == k where j ≠ k",
    (x, k, width) => {
      if (x.op !== "ite") return undefined;
      const c = argument(x, 0);
      const a = argument(x, 1);
      const b = argument(x, 2);
      const value = constant(width, k);
      if (a.op === "const") return a.value === k ? or(c, eq(b, value)) : and(not(c), eq(b, value));
      if (b.op === "const") return b.value === k ? or(not(c), eq(a, value)) : and(c, eq(a, value));
      return undefined;
    },
  ),
  againstConstant(
    "eq.sum",
    "(a + j == k) = (a == k − j); (c * a == k) = (a == c⁻¹ * k) for an odd c",
    (x, k, width) => {
      if (x.op !== "add" && x.op !== "mul") return undefined;
      const form = Linear.of(x);
      const [single] = form.atoms;
      if (form.atoms.size === 1 && single !== undefined && (single[1] & 1n) === 1n) {
        if (single[0] === x) return undefined;
        return eq(single[0], constant(width, inverse(single[1], width) * (k - form.constant)));
      }
      const [left, right] = balanced(x, constant(width, k));
      return left === x ? undefined : eq(left, right);
    },
  ),
  {
    name: "eq.pieces",
    law: "(a ++ b == c ++ d) = (a == c) && (b == d)",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (a.sort.kind !== "bits") return undefined;
      const cuttable = (x: Term): boolean => isPieced(x) || x.op === "const";
      if (!(isPieced(a) || isPieced(b)) || !cuttable(a) || !cuttable(b)) return undefined;
      const parts: Term[] = [];
      let lo = 0;
      for (const end of cuts([a, b])) {
        parts.push(eq(extract(a, end - 1, lo), extract(b, end - 1, lo)));
        lo = end;
      }
      return and(...parts);
    },
  },
  {
    name: "eq.extended",
    law: "(sext(a) == sext(b)) = (a == b)",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (a.sort.kind !== "bits" || (a.op !== "sext" && b.op !== "sext")) return undefined;
      const width = Math.max(signedWidth(a), signedWidth(b));
      if (width >= a.sort.width) return undefined;
      return eq(extract(a, width - 1, 0), extract(b, width - 1, 0));
    },
  },
  {
    name: "eq.balance",
    law: "(a + b == a + c) = (b == c): what both sides add is cancelled, negative atoms change sides",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      // A concatenation alone is better left in its pieces.
      const sum = (x: Term): boolean => isSum(x) && !isPieced(x);
      if (a.sort.kind !== "bits" || b.op === "const" || !(sum(a) || sum(b))) return undefined;
      const [left, right] = balanced(a, b);
      if ((left === a && right === b) || (left === b && right === a)) return undefined;
      return eq(left, right);
    },
  },
  {
    name: "eq.bvxor-both",
    law: "(a ^ b == a ^ c) = (b == c); (a ^ b == a) = (b == 0); (~a == ~b) = (a == b)",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (a.op === "bvnot" && b.op === "bvnot") return eq(argument(a, 0), argument(b, 0));
      if (a.op !== "bvxor" && b.op !== "bvxor") return undefined;
      const inA = new Set(a.op === "bvxor" ? a.args : [a]);
      if (!(b.op === "bvxor" ? b.args : [b]).some((x) => inA.has(x))) return undefined;
      const both = bvxor(a, b);
      return eq(both, constant(widthOf(both), 0n));
    },
  },
  {
    name: "eq.choices",
    law: "((c ? a : b) == (c ? d : e)) = c ? a == d : b == e; ((c ? a : b) == a) = c || b == a; ((c ? j : b) == k) = !c && b == k for constants j, k",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (a.op === "ite" && b.op === "ite" && a.args[0] === b.args[0])
        return ite(argument(a, 0), eq(argument(a, 1), argument(b, 1)), eq(argument(a, 2), argument(b, 2)));
      for (const [x, y] of [
        [a, b],
        [b, a],
      ] as const) {
        if (x.op !== "ite") continue;
        if (x.args[1] === y) return or(argument(x, 0), eq(argument(x, 2), y));
        if (x.args[2] === y) return or(not(argument(x, 0)), eq(argument(x, 1), y));
        if (y.op !== "const") continue;
        const [c, p, q] = [argument(x, 0), argument(x, 1), argument(x, 2)];
        if (p.op === "const") return and(not(c), eq(q, y));
        if (q.op === "const") return and(c, eq(p, y));
        if (choosesConstant(p) && choosesConstant(q)) return ite(c, eq(p, y), eq(q, y));
      }
      return undefined;
    },
  },
];

const constantChoices = new WeakMap<Term, boolean>();

/** A tree of `ite` with nothing but constants at its leaves, as decoders are. */
function choosesConstant(t: Term): boolean {
  if (t.op === "const") return true;
  if (t.op !== "ite") return false;
  let known = constantChoices.get(t);
  if (known === undefined) {
    known = choosesConstant(argument(t, 1)) && choosesConstant(argument(t, 2));
    constantChoices.set(t, known);
  }
  return known;
}

/**
 * Equal ways to ask whether p + … carries. With r = p − q: p <u q, p <u r, ~q <u r and ~r <u q are the same question
 * ("does q + r carry?"), of which the cheapest to compute is the normal form.
 */
function carry(t: Term): Term | undefined {
  const p = argument(t, 0);
  const q = argument(t, 1);
  if (p.op !== "add" && q.op !== "add" && !(isSum(p) && isSum(q))) return undefined;
  const one = Linear.of(p);
  const two = Linear.of(q);
  const r = Linear.difference(p, q);
  // A constant apart is how bounds checks are written; there is nothing to gain.
  const candidates: readonly (readonly [Linear, Linear])[] = [
    [one, two],
    [one, r],
    [complement(two), r],
    [complement(r), two],
  ];
  let best = candidates[0];
  if (best === undefined) return undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  let bestPair: readonly [Term, Term] | undefined;
  for (const pair of candidates) {
    const cost = costOf(pair[0]) + costOf(pair[1]);
    if (cost > bestCost) continue;
    const terms: readonly [Term, Term] = [pair[0].toTerm(), pair[1].toTerm()];
    if (cost === bestCost && bestPair !== undefined && before(bestPair, terms)) continue;
    best = pair;
    bestCost = cost;
    bestPair = terms;
  }
  if (bestPair === undefined || (bestPair[0] === p && bestPair[1] === q)) return undefined;
  return ult(bestPair[0], bestPair[1]);
}

function before(a: readonly [Term, Term], b: readonly [Term, Term]): boolean {
  return (compareTerms(a[0], b[0]) || compareTerms(a[1], b[1])) <= 0;
}

function costOf(form: Linear): number {
  return form.cost;
}

function complement(form: Linear): Linear {
  const negative = form.scale(-1n);
  negative.constant = BigInt.asUintN(form.width, negative.constant - 1n);
  return negative;
}

/** Leading pieces that both sides share. */
function sharedTop(a: Term, b: Term): number {
  const p = piecesOf(a);
  const q = piecesOf(b);
  let width = 0;
  for (let i = 0; i < p.length && i < q.length && p[i] === q[i]; i++) width += widthOf(argumentOf(p, i));
  return width;
}

function sharedBottom(a: Term, b: Term): number {
  const p = piecesOf(a);
  const q = piecesOf(b);
  let width = 0;
  for (let i = 1; i <= p.length && i <= q.length && p[p.length - i] === q[q.length - i]; i++)
    width += widthOf(argumentOf(p, p.length - i));
  return width;
}

function argumentOf(list: readonly Term[], i: number): Term {
  const t = list[i];
  return t === undefined ? FALSE : t;
}

export const ultRules: readonly Rule[] = [
  {
    name: "ult.bounds",
    law: "a <u a = a <u 0 = ~0 <u a = false; 0 <u a = (a != 0); a <u 1 = (a == 0); a <u ~0 = (a != ~0)",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (a === b) return FALSE;
      const most = maskOf(widthOf(a));
      if (b.op === "const") {
        if (b.value === 0n) return FALSE;
        if (b.value === 1n) return eq(a, constant(widthOf(a), 0n));
        if (b.value === most) return ne(a, b);
      }
      if (a.op === "const") {
        if (a.value === most) return FALSE;
        if (a.value === 0n) return ne(b, a);
        if (a.value === most - 1n) return eq(b, constant(widthOf(b), -1n));
      }
      return undefined;
    },
  },
  {
    name: "ult.bit",
    law: "for one bit, a <u b = (a == 0) && (b == 1)",
    apply(t) {
      const a = argument(t, 0);
      if (widthOf(a) !== 1) return undefined;
      return and(eq(a, constant(1, 0n)), eq(argument(t, 1), constant(1, 1n)));
    },
  },
  {
    name: "ult.power",
    law: "a <u 2^n = (a[:n] == 0); 2^n − 1 <u a = (a[:n] != 0)",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      const width = widthOf(a);
      if (b.op === "const") {
        const n = powerOfTwo(b.value);
        if (n !== undefined) return eq(extract(a, width - 1, n), constant(width - n, 0n));
      }
      if (a.op === "const") {
        const n = powerOfTwo(a.value + 1n);
        if (n !== undefined && n < width) return ne(extract(b, width - 1, n), constant(width - n, 0n));
      }
      return undefined;
    },
  },
  {
    name: "ult.narrow",
    law: "zext(a) <u zext(b) = a <u b; sext(a) <u sext(b) = a <u b; against constants likewise",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      const width = widthOf(a);
      const ua = unsignedWidth(a);
      const ub = unsignedWidth(b);
      // A constant that the narrow side cannot reach decides.
      if (b.op === "const" && ub > ua) return TRUE;
      if (a.op === "const" && ua > ub) return FALSE;
      const narrow = Math.min(Math.max(ua, ub), Math.max(signedWidth(a), signedWidth(b)));
      if (narrow >= width) return undefined;
      return ult(extract(a, narrow - 1, 0), extract(b, narrow - 1, 0));
    },
  },
  {
    name: "ult.pieces",
    law: "(a ++ b) <u (a ++ c) = b <u c; (b ++ a) <u (c ++ a) = b <u c; constant high parts that differ decide",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (!isPieced(a) && !isPieced(b)) return undefined;
      const width = widthOf(a);
      const high = piecesOf(a)[0];
      const other = piecesOf(b)[0];
      if (high?.op === "const" && other?.op === "const") {
        const n = Math.min(widthOf(high), widthOf(other));
        const x = extract(a, width - 1, width - n);
        const y = extract(b, width - 1, width - n);
        if (x.value !== y.value) return x.value < y.value ? TRUE : FALSE;
        return ult(extract(a, width - n - 1, 0), extract(b, width - n - 1, 0));
      }
      const top = sharedTop(a, b);
      if (top > 0) return ult(extract(a, width - top - 1, 0), extract(b, width - top - 1, 0));
      const bottom = sharedBottom(a, b);
      return bottom > 0 ? ult(extract(a, width - 1, bottom), extract(b, width - 1, bottom)) : undefined;
    },
  },
  {
    name: "ult.bvnot",
    law: "~a <u ~b = b <u a; ~a <u k = ~k <u a; k <u ~a = a <u ~k",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if ((a.op === "bvnot" && (b.op === "bvnot" || b.op === "const")) || (a.op === "const" && b.op === "bvnot"))
        return ult(bvnot(b), bvnot(a));
      return undefined;
    },
  },
  {
    name: "ult.carry",
    law: "with r = p − q: p <u q = p <u r = ~q <u r = ~r <u q, so that a + b <u a = ~a <u b and a <u a − b = a <u b",
    apply: carry,
  },
  {
    name: "ult.carry-order",
    law: "~a <u b = ~b <u a where b is no sum",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (a.op !== "bvnot" || isSum(b) || compareTerms(argument(a, 0), b) <= 0) return undefined;
      return make("ult", BOOL, [bvnot(b), argument(a, 0)]);
    },
  },
  {
    name: "ult.choice",
    law: "(c ? i : j) <u k = c ? i <u k : j <u k for constants",
    apply: (t) => choice(t, ult),
  },
];

/** A comparison of a choice between constants with a constant. */
function choice(t: Term, compare: (a: Term, b: Term) => Term): Term | undefined {
  const a = argument(t, 0);
  const b = argument(t, 1);
  if (a.op === "ite" && b.op === "const" && a.args[1]?.op === "const" && a.args[2]?.op === "const")
    return ite(argument(a, 0), compare(argument(a, 1), b), compare(argument(a, 2), b));
  if (b.op === "ite" && a.op === "const" && b.args[1]?.op === "const" && b.args[2]?.op === "const")
    return ite(argument(b, 0), compare(a, argument(b, 1)), compare(a, argument(b, 2)));
  return undefined;
}

export const sltRules: readonly Rule[] = [
  {
    name: "slt.bounds",
    law: "a <s a = a <s min = max <s a = false; min <s a = (a != min); a <s max = (a != max)",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (a === b) return FALSE;
      const min = 1n << BigInt(widthOf(a) - 1);
      const max = min - 1n;
      if (b.op === "const") {
        if (b.value === min) return FALSE;
        if (b.value === max) return ne(a, b);
      }
      if (a.op === "const") {
        if (a.value === max) return FALSE;
        if (a.value === min) return ne(b, a);
      }
      return undefined;
    },
  },
  {
    name: "slt.sign",
    law: "a <s 0 = (a's top bit is 1); −1 <s a = (a's top bit is 0)",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (b.op === "const" && b.value === 0n) return eq(signBit(a), constant(1, 1n));
      if (a.op === "const" && a.value === maskOf(widthOf(a))) return eq(signBit(b), constant(1, 0n));
      return undefined;
    },
  },
  {
    name: "slt.positive",
    law: "0 <s a = (a's top bit is 0) && (a != 0); a <s 1 = (a's top bit is 1) || (a == 0), on more than one bit",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      const width = widthOf(a);
      const zero = constant(width, 0n);
      if (a === zero) return and(eq(signBit(b), constant(1, 0n)), ne(b, zero));
      if (b.op === "const" && b.value === 1n && width > 1) return or(eq(signBit(a), constant(1, 1n)), eq(a, zero));
      return undefined;
    },
  },
  {
    name: "slt.bit",
    law: "for one bit, a <s b = b <u a",
    apply: (t) => (widthOf(argument(t, 0)) === 1 ? ult(argument(t, 1), argument(t, 0)) : undefined),
  },
  {
    name: "slt.narrow",
    law: "sext(a) <s sext(b) = a <s b; against constants likewise",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      const sa = signedWidth(a);
      const sb = signedWidth(b);
      // A constant that the narrow side cannot reach decides by its sign.
      if (b.op === "const" && sb > sa) return signBit(b).value === 0n ? TRUE : FALSE;
      if (a.op === "const" && sa > sb) return signBit(a).value === 1n ? TRUE : FALSE;
      const narrow = Math.max(sa, sb);
      if (narrow >= widthOf(a)) return undefined;
      return slt(extract(a, narrow - 1, 0), extract(b, narrow - 1, 0));
    },
  },
  {
    name: "slt.known-sign",
    law: "a <s b = a <u b where both have the same known top bit; decided where the known top bits differ",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      const x = signBit(a);
      const y = signBit(b);
      if (x === y) return widthOf(a) > 1 ? ult(extract(a, widthOf(a) - 2, 0), extract(b, widthOf(b) - 2, 0)) : FALSE;
      if (x.op !== "const" || y.op !== "const") return undefined;
      return x.value === 1n ? TRUE : FALSE;
    },
  },
  {
    name: "slt.bvnot",
    law: "~a <s ~b = b <s a; ~a <s k = ~k <s a; k <s ~a = a <s ~k",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if ((a.op === "bvnot" && (b.op === "bvnot" || b.op === "const")) || (a.op === "const" && b.op === "bvnot"))
        return slt(bvnot(b), bvnot(a));
      return undefined;
    },
  },
  {
    name: "slt.choice",
    law: "(c ? i : j) <s k = c ? i <s k : j <s k for constants",
    apply: (t) => choice(t, slt),
  },
];
