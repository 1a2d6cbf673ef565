/** ~ & | ^: complements at the leaves, sorted arguments, constant masks as slices. */
import {
  and,
  argument,
  bvand,
  bvnot,
  bvor,
  bvxor,
  concat,
  constant,
  eq,
  extract,
  ite,
  lshr,
  make,
  neg,
  not,
  or,
  sext,
  shl,
  widthOf,
  zext,
} from "../construct.js";
import { Linear, powerOfTwo } from "../linear.js";
import { maskOf } from "../operators.js";
import { constantBranches, cuts, isPieced, piecesOf, unsignedWidth } from "../pieces.js";
import { compareTerms, type Term } from "../term.js";
import type { Rule } from "./rule.js";

type Bitwise = "bvand" | "bvor" | "bvxor";

const build: Readonly<Record<Bitwise, (...ts: readonly Term[]) => Term>> = { bvand, bvor, bvxor };

function ones(t: Term): boolean {
  return t.op === "const" && t.value === maskOf(widthOf(t));
}

function zero(t: Term): boolean {
  return t.op === "const" && t.value === 0n;
}

export const bvnotRules: readonly Rule[] = [
  {
    name: "bvnot.bvnot",
    law: "~~a = a",
    apply(t) {
      const a = argument(t, 0);
      return a.op === "bvnot" ? argument(a, 0) : undefined;
    },
  },
  {
    name: "bvnot.inside",
    law: "~(a & b) = ~a | ~b; ~(a | b) = ~a & ~b; ~(a ++ b) = ~a ++ ~b",
    apply(t) {
      const a = argument(t, 0);
      switch (a.op) {
        case "bvand":
          return bvor(...a.args.map(bvnot));
        case "bvor":
          return bvand(...a.args.map(bvnot));
        case "concat":
        case "zext":
          return concat(...piecesOf(a).map(bvnot));
        default:
          return undefined;
      }
    },
  },
  {
    name: "bvnot.xor-constant",
    law: "~(a ^ k) = a ^ ~k for a constant k",
    apply(t) {
      const a = argument(t, 0);
      if (a.op !== "bvxor" || !a.args.some((x) => x.op === "const")) return undefined;
      return bvxor(a, constant(widthOf(t), -1n));
    },
  },
  {
    name: "bvnot.choice",
    law: "~(c ? i : j) = c ? ~i : ~j for constants",
    apply(t) {
      const a = argument(t, 0);
      return constantBranches(a) ? ite(argument(a, 0), bvnot(argument(a, 1)), bvnot(argument(a, 2))) : undefined;
    },
  },
  {
    name: "bvnot.sum",
    law: "~a = −a − 1 for a sum or a multiple",
    apply(t) {
      const a = argument(t, 0);
      if (a.op !== "add" && !(a.op === "mul" && a.args[0]?.op === "const")) return undefined;
      const form = new Linear(widthOf(t));
      form.add(a, -1n);
      form.constant = BigInt.asUintN(form.width, form.constant - 1n);
      return form.toTerm();
    },
  },
];

/** Flat, sorted, the constants folded into one that stands last; `xor` without complements and pairs. */
function canonical(t: Term, op: Bitwise): Term | undefined {
  const width = widthOf(t);
  const unit = op === "bvand" ? maskOf(width) : 0n;
  let fixed = unit;
  const list: Term[] = [];
  const visit = (arg: Term): void => {
    if (arg.op === op) {
      for (const inner of arg.args) visit(inner);
    } else if (arg.op === "const") {
      fixed = op === "bvand" ? fixed & arg.value : op === "bvor" ? fixed | arg.value : fixed ^ arg.value;
    } else if (op === "bvxor" && arg.op === "bvnot") {
      fixed ^= maskOf(width);
      visit(argument(arg, 0));
    } else {
      list.push(arg);
    }
  };
  for (const arg of t.args) visit(arg);
  if ((op === "bvand" && fixed === 0n) || (op === "bvor" && fixed === maskOf(width))) return constant(width, fixed);
  list.sort(compareTerms);
  const kept: Term[] = [];
  for (const arg of list) {
    if (kept[kept.length - 1] !== arg) kept.push(arg);
    else if (op === "bvxor") kept.pop();
  }
  const complement = op === "bvxor" && fixed === maskOf(width);
  if (fixed !== unit && !complement) kept.push(constant(width, fixed));
  const [first] = kept;
  if (first === undefined) return constant(width, fixed);
  if (complement) return bvnot(build[op](...kept));
  if (kept.length === 1) return first;
  if (kept.length === t.args.length && kept.every((arg, i) => arg === t.args[i])) return undefined;
  return make(op, t.sort, kept);
}

/** `a & ~a`, and with a third argument. */
function complement(t: Term, value: bigint): Term | undefined {
  if (!t.args.some((arg) => arg.op === "bvnot")) return undefined;
  const present = new Set(t.args);
  return t.args.some((arg) => arg.op === "bvnot" && present.has(argument(arg, 0)))
    ? constant(widthOf(t), value)
    : undefined;
}

function absorb(t: Term, inner: "bvand" | "bvor"): Term | undefined {
  if (!t.args.some((arg) => arg.op === inner)) return undefined;
  const present = new Set(t.args);
  const kept = t.args.filter((arg) => arg.op !== inner || !arg.args.some((x) => present.has(x)));
  return kept.length === t.args.length ? undefined : t.op === "bvand" ? bvand(...kept) : bvor(...kept);
}

/** More runs of a mask than this stay a mask. */
const MOST_RUNS = 8;

/** Runs of equal bits, high first. */
function runs(
  mask: bigint,
  width: number,
): readonly { readonly hi: number; readonly lo: number; readonly bit: boolean }[] {
  const found: { hi: number; lo: number; bit: boolean }[] = [];
  let hi = width - 1;
  for (let i = width - 1; i >= 0; i--) {
    const bit = ((mask >> BigInt(i)) & 1n) === 1n;
    const next = i > 0 && ((mask >> BigInt(i - 1)) & 1n) === 1n;
    if (i > 0 && bit === next) continue;
    found.push({ hi, lo: i, bit });
    hi = i - 1;
  }
  return found;
}

/** `x & k` keeps the runs of ones of k and clears the others; `x | k` sets them and keeps the others. */
function masked(t: Term): Term | undefined {
  const k = argument(t, t.args.length - 1);
  if (k.op !== "const") return undefined;
  const cut = runs(k.value, widthOf(t));
  if (cut.length > MOST_RUNS) return undefined;
  const keeps = t.op === "bvand";
  const x = keeps ? bvand(...t.args.slice(0, -1)) : bvor(...t.args.slice(0, -1));
  return concat(
    ...cut.map(({ hi, lo, bit }) => (bit === keeps ? extract(x, hi, lo) : constant(hi - lo + 1, bit ? -1n : 0n))),
  );
}

/** Cuts the operation where its arguments have pieces, if each part is then decided by a constant or all are in pieces. */
function piecewise(t: Term): Term | undefined {
  if (!t.args.some(isPieced)) return undefined;
  const at = cuts(t.args);
  if (at.length < 2 || at.length > 2 * MOST_RUNS) return undefined;
  const whole = t.args.every((arg) => isPieced(arg) || arg.op === "const");
  const slices: Term[][] = [];
  let lo = 0;
  for (const end of at) {
    const slice = t.args.map((arg) => extract(arg, end - 1, lo));
    if (!whole && !slice.some((x) => x.op === "const" && (zero(x) || ones(x)))) return undefined;
    slices.push(slice);
    lo = end;
  }
  const op = t.op === "bvand" ? bvand : t.op === "bvor" ? bvor : bvxor;
  return concat(...slices.reverse().map((slice) => op(...slice)));
}

/** One argument is a choice between two constants and all others are constants. */
function choice(t: Term): Term | undefined {
  if (t.args.length !== 2) return undefined;
  const k = argument(t, 1);
  const c = argument(t, 0);
  if (k.op !== "const" || !constantBranches(c)) return undefined;
  const op = t.op === "bvand" ? bvand : t.op === "bvor" ? bvor : bvxor;
  return ite(argument(c, 0), op(argument(c, 1), k), op(argument(c, 2), k));
}

/** A choice between all ones and zero among the arguments. */
function selector(t: Term): Term | undefined {
  for (const arg of t.args) {
    if (!constantBranches(arg)) continue;
    const a = argument(arg, 1);
    const b = argument(arg, 2);
    if (!((ones(a) && zero(b)) || (zero(a) && ones(b)))) continue;
    const rest = t.args.filter((x) => x !== arg);
    const op = t.op === "bvand" ? bvand : bvor;
    const [one] = rest;
    if (one === undefined) continue;
    const other = rest.length === 1 ? one : op(...rest);
    return ite(argument(arg, 0), op(a, other), op(b, other));
  }
  return undefined;
}

/** One bit from a bool: the condition of `c ? 1 : 0`. */
function conditionOf(t: Term): Term | undefined {
  if (widthOf(t) !== 1 || !constantBranches(t)) return undefined;
  const c = argument(t, 0);
  return t.args[1]?.value === 1n ? c : not(c);
}

function flags(t: Term): Term | undefined {
  const conditions: Term[] = [];
  for (const arg of t.args) {
    const c = conditionOf(arg);
    if (c === undefined) return undefined;
    conditions.push(c);
  }
  const [first, ...rest] = conditions;
  if (first === undefined) return undefined;
  const c =
    t.op === "bvand"
      ? and(...conditions)
      : t.op === "bvor"
        ? or(...conditions)
        : rest.reduce((x, y) => not(eq(x, y)), first);
  return ite(c, constant(1, 1n), constant(1, 0n));
}

/** All arguments are sign extensions from the same width. */
function extended(t: Term): Term | undefined {
  const first = argument(t, 0);
  if (first.op !== "sext") return undefined;
  const width = widthOf(argument(first, 0));
  if (!t.args.every((arg) => arg.op === "sext" && widthOf(argument(arg, 0)) === width)) return undefined;
  const op = t.op === "bvand" ? bvand : t.op === "bvor" ? bvor : bvxor;
  return sext(op(...t.args.map((arg) => argument(arg, 0))), widthOf(t));
}

/**
 * A rotation by n says of its other shift that it is by w − n, or by −n in as few bits as n has: for n = 0 that is w or 0, and of
 * nothing and a, either leaves a.
 */
function rotation(t: Term): Term | undefined {
  const width = widthOf(t);
  const few = powerOfTwo(BigInt(width));
  if (few === undefined || few === 0) return undefined;
  for (const one of t.args) {
    if (!isShift(one)) continue;
    const n = argument(one, 1);
    if (unsignedWidth(n) > few) continue;
    const other = t.args.find(
      (x) => isShift(x) && x.op !== one.op && x.args[0] === one.args[0] && complements(n, argument(x, 1)),
    );
    if (other === undefined) continue;
    const back = zext(neg(extract(n, few - 1, 0)), width);
    const shifted = other.op === "shl" ? shl(argument(other, 0), back) : lshr(argument(other, 0), back);
    return bvor(...t.args.map((x) => (x === other ? shifted : x)));
  }
  return undefined;
}

function isShift(t: Term): boolean {
  return t.op === "shl" || t.op === "lshr";
}

/** Whether m is w − n for amounts m and n of w bits: computed in fewer bits, perhaps, that w fits in. */
function complements(n: Term, m: Term): boolean {
  const width = widthOf(n);
  const narrow = unsignedWidth(m);
  if (narrow < width.toString(2).length || narrow < unsignedWidth(n)) return false;
  const sum = Linear.of(extract(m, narrow - 1, 0));
  sum.add(extract(n, narrow - 1, 0), 1n);
  return sum.value === BigInt(width);
}

function common(op: Bitwise, symbol: string): readonly Rule[] {
  return [
    {
      name: `${op}.piecewise`,
      law: `(a ++ b) ${symbol} (c ++ d) = (a ${symbol} c) ++ (b ${symbol} d)`,
      apply: piecewise,
    },
    {
      name: `${op}.choice`,
      law: `(c ? i : j) ${symbol} k = c ? i ${symbol} k : j ${symbol} k for constants`,
      apply: choice,
    },
    {
      name: `${op}.flags`,
      law: `(c ? 1 : 0) ${symbol} (d ? 1 : 0) is one bit of the bools' operation`,
      apply: flags,
    },
    {
      name: `${op}.sext`,
      law: `sext(a) ${symbol} sext(b) = sext(a ${symbol} b)`,
      apply: extended,
    },
  ];
}

export const bvandRules: readonly Rule[] = [
  {
    name: "bvand.sort",
    law: "& is associative, commutative and idempotent; a & ~0 = a; a & 0 = 0",
    apply: (t) => canonical(t, "bvand"),
  },
  { name: "bvand.complement", law: "a & ~a = 0", apply: (t) => complement(t, 0n) },
  { name: "bvand.absorb", law: "a & (a | b) = a", apply: (t) => absorb(t, "bvor") },
  {
    name: "bvand.selector",
    law: "(c ? ~0 : 0) & a = c ? a : 0",
    apply: selector,
  },
  ...common("bvand", "&"),
  { name: "bvand.mask", law: "a & k keeps the runs of ones of the constant k: slices of a and zeros", apply: masked },
];

export const bvorRules: readonly Rule[] = [
  {
    name: "bvor.sort",
    law: "| is associative, commutative and idempotent; a | 0 = a; a | ~0 = ~0",
    apply: (t) => canonical(t, "bvor"),
  },
  { name: "bvor.complement", law: "a | ~a = ~0", apply: (t) => complement(t, -1n) },
  { name: "bvor.absorb", law: "a | (a & b) = a", apply: (t) => absorb(t, "bvand") },
  {
    name: "bvor.selector",
    law: "(c ? ~0 : 0) | a = c ? ~0 : a",
    apply: selector,
  },
  ...common("bvor", "|"),
  {
    name: "bvor.rotation",
    law: "(a << n) | (a >>u w − n) = (a << n) | (a >>u −n), and so to the right, for w = 2^k bits and n, −n of k bits",
    apply: rotation,
  },
  { name: "bvor.mask", law: "a | k sets the runs of ones of the constant k: ones and slices of a", apply: masked },
];

export const bvxorRules: readonly Rule[] = [
  {
    name: "bvxor.sort",
    law: "^ is associative and commutative; a ^ a = 0; a ^ 0 = a; ~a ^ b = ~(a ^ b)",
    apply: (t) => canonical(t, "bvxor"),
  },
  ...common("bvxor", "^"),
];
