/** Sums and products as linear forms, division and shifts by constants. */
import {
  add,
  and,
  argument,
  bvand,
  bvxor,
  concat,
  constant,
  eq,
  extract,
  ite,
  make,
  mul,
  neg,
  sext,
  widthOf,
  zext,
} from "../construct.js";
import { isSum, Linear, powerOfTwo } from "../linear.js";
import { constantBranches, cuts, isPieced, piecesOf, signBit, signedWidth, unsignedWidth } from "../pieces.js";
import { compareTerms, type Term } from "../term.js";
import type { Rule } from "./rule.js";

function sameList(a: readonly Term[], b: readonly Term[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}

export const addRules: readonly Rule[] = [
  {
    name: "add.bit",
    law: "on one bit a + b = a ^ b",
    apply: (t) => (widthOf(t) === 1 ? bvxor(...t.args) : undefined),
  },
  {
    name: "add.linear",
    law: "Σ c·a + k has one form: atoms sorted, each once, with a coefficient that is not 0, the constant last",
    apply(t) {
      const width = widthOf(t);
      const form = new Linear(width);
      for (const arg of t.args) form.add(arg, 1n);
      const parts = form.parts();
      if (sameList(parts, t.args)) return undefined;
      return parts.length === 1 ? parts[0] : make("add", t.sort, parts);
    },
  },
  {
    name: "add.disjoint",
    law: "a + b = a | b where no bit is set in both: (a ++ 0) + zext(b) = a ++ b",
    apply(t) {
      if (!t.args.every((arg) => isPieced(arg) || arg.op === "const")) return undefined;
      const at = cuts(t.args);
      const slices: Term[] = [];
      let lo = 0;
      for (const end of at) {
        let slice: Term | undefined;
        for (const arg of t.args) {
          const part = extract(arg, end - 1, lo);
          if (part.op === "const" && part.value === 0n) continue;
          if (slice !== undefined) return undefined;
          slice = part;
        }
        slices.push(slice ?? constant(end - lo, 0n));
        lo = end;
      }
      return concat(...slices.reverse());
    },
  },
  {
    name: "add.choice",
    law: "(c ? i : j) + k = c ? i + k : j + k for constants",
    apply(t) {
      const c = argument(t, 0);
      const k = argument(t, 1);
      if (t.args.length !== 2 || k.op !== "const" || !constantBranches(c)) return undefined;
      return ite(argument(c, 0), add(argument(c, 1), k), add(argument(c, 2), k));
    },
  },
];

export const mulRules: readonly Rule[] = [
  {
    name: "mul.bit",
    law: "on one bit a * b = a & b",
    apply: (t) => (widthOf(t) === 1 ? bvand(...t.args) : undefined),
  },
  {
    name: "mul.sort",
    law: "* is associative and commutative; constant factors fold into one, which stands first; a * 0 = 0; a * 1 = a",
    apply(t) {
      const width = widthOf(t);
      let factor = 1n;
      const list: Term[] = [];
      const visit = (arg: Term): void => {
        if (arg.op === "const") {
          factor = BigInt.asUintN(width, factor * arg.value);
        } else if (arg.op === "mul") {
          for (const inner of arg.args) visit(inner);
        } else if (isPieced(arg) && isSum(arg)) {
          // 2^n · a: the power of two belongs to the constant factor.
          const form = Linear.of(arg);
          const [entry] = form.atoms;
          if (form.atoms.size === 1 && form.constant === 0n && entry !== undefined && entry[0] !== arg) {
            factor = BigInt.asUintN(width, factor * entry[1]);
            visit(entry[0]);
          } else {
            list.push(arg);
          }
        } else {
          list.push(arg);
        }
      };
      for (const arg of t.args) visit(arg);
      if (factor === 0n) return constant(width, 0n);
      list.sort(compareTerms);
      if (factor !== 1n || list.length === 0) list.unshift(constant(width, factor));
      if (list.length === 1) return list[0];
      return sameList(list, t.args) ? undefined : make("mul", t.sort, list);
    },
  },
  {
    name: "mul.constant",
    law: "k * (a + b) = k * a + k * b; k * ~a = −k * a − k; 2^n * a = a ++ 0",
    apply(t) {
      const k = argument(t, 0);
      if (k.op !== "const" || t.args.length !== 2) return undefined;
      const a = argument(t, 1);
      if (isSum(a)) return Linear.of(a).scale(k.value).toTerm();
      const shift = powerOfTwo(k.value);
      return shift === undefined ? undefined : concat(extract(a, widthOf(t) - 1 - shift, 0), constant(shift, 0n));
    },
  },
  {
    name: "mul.power",
    law: "2^n * a * b = (a * b) ++ 0, of which the top n bits are gone",
    apply(t) {
      const k = argument(t, 0);
      if (k.op !== "const" || t.args.length < 3) return undefined;
      const shift = powerOfTwo(k.value);
      if (shift === undefined) return undefined;
      const product = mul(...t.args.slice(1));
      return concat(extract(product, widthOf(t) - 1 - shift, 0), constant(shift, 0n));
    },
  },
  {
    name: "mul.choice",
    law: "k * (c ? i : j) = c ? k * i : k * j for constants",
    apply(t) {
      const k = argument(t, 0);
      const c = argument(t, 1);
      if (t.args.length !== 2 || k.op !== "const" || !constantBranches(c)) return undefined;
      return ite(argument(c, 0), mul(k, argument(c, 1)), mul(k, argument(c, 2)));
    },
  },
];

/** 0 divided by anything but 0. */
function ofNothing(op: string, symbol: string): Rule {
  return {
    name: `${op}.zero`,
    law: `0 ${symbol} b = 0, but ~0 for b = 0`,
    apply(t) {
      const b = argument(t, 1);
      if (ofZero(t) === undefined) return undefined;
      const zero = constant(widthOf(t), 0n);
      return ite(eq(b, zero), constant(widthOf(t), -1n), zero);
    },
  };
}

function divisor(t: Term): bigint | undefined {
  const b = argument(t, 1);
  return b.op === "const" ? b.value : undefined;
}

export const udivRules: readonly Rule[] = [
  ofNothing("udiv", "/u"),
  {
    name: "udiv.power",
    law: "a /u 2^n = zext(a[:n]); a /u 0 = ~0",
    apply(t) {
      const k = divisor(t);
      const width = widthOf(t);
      if (k === 0n) return constant(width, -1n);
      const shift = k === undefined ? undefined : powerOfTwo(k);
      if (shift === undefined) return undefined;
      return zext(extract(argument(t, 0), width - 1, shift), width);
    },
  },
  {
    name: "udiv.narrow",
    law: "zext(a) /u zext(b) = zext(a /u b), but ~0 for b = 0",
    apply(t) {
      const narrow = narrowDivision(t);
      if (narrow === undefined) return undefined;
      const b = argument(t, 1);
      const zero = eq(extract(b, unsignedWidth(b) - 1, 0), constant(unsignedWidth(b), 0n));
      return ite(zero, constant(widthOf(t), -1n), narrow);
    },
  },
];

export const uremRules: readonly Rule[] = [
  { name: "urem.zero", law: "0 %u b = 0", apply: ofZero },
  {
    name: "urem.power",
    law: "a %u 2^n = zext(a[n−1:0]); a %u 0 = a",
    apply(t) {
      const k = divisor(t);
      const width = widthOf(t);
      if (k === 0n) return argument(t, 0);
      const shift = k === undefined ? undefined : powerOfTwo(k);
      if (shift === undefined) return undefined;
      return shift === 0 ? constant(width, 0n) : zext(extract(argument(t, 0), shift - 1, 0), width);
    },
  },
  {
    name: "urem.narrow",
    law: "zext(a) %u zext(b) = zext(a %u b)",
    apply: narrowDivision,
  },
];

/** On the bits that the operands have; right for a divisor that is not 0. */
function narrowDivision(t: Term): Term | undefined {
  const a = argument(t, 0);
  const b = argument(t, 1);
  if (b.op === "const" && b.value === 0n) return undefined;
  const width = Math.max(unsignedWidth(a), unsignedWidth(b));
  if (width >= widthOf(t)) return undefined;
  const x = extract(a, width - 1, 0);
  return zext(make(t.op, x.sort, [x, extract(b, width - 1, 0)]), widthOf(t));
}

export const sdivRules: readonly Rule[] = [
  ofNothing("sdiv", "/s"),
  {
    name: "sdiv.one",
    law: "a /s 1 = a, on more than one bit",
    apply: (t) => (divisor(t) === 1n && widthOf(t) > 1 ? argument(t, 0) : undefined),
  },
  {
    name: "sdiv.minus-one",
    law: "a /s −1 = −a",
    apply: (t) => (divisor(t) === (1n << BigInt(widthOf(t))) - 1n ? neg(argument(t, 0)) : undefined),
  },
  {
    // The quotient of numbers of n bits lies between −2^(n−1) and 2^(n−1), and is the latter in one case alone.
    name: "sdiv.narrow",
    law: "sext(a) /s sext(b) = sext(a /s b), but 2^(n−1) for a = −2^(n−1) and b = −1, where n > 1",
    apply(t) {
      const operands = narrowOperands(t);
      if (operands === undefined) return undefined;
      const [a, b, n] = operands;
      const least = constant(n, 1n << BigInt(n - 1));
      const overflows = and(eq(a, least), eq(b, constant(n, -1n)));
      return ite(overflows, constant(widthOf(t), least.value), sext(make("sdiv", a.sort, [a, b]), widthOf(t)));
    },
  },
];

/** The operands of a signed division as far as they are more than signs, and their width; undefined where that is no less. */
function narrowOperands(t: Term): readonly [Term, Term, number] | undefined {
  const a = argument(t, 0);
  const b = argument(t, 1);
  const n = Math.max(2, signedWidth(a), signedWidth(b));
  return n < widthOf(t) ? [extract(a, n - 1, 0), extract(b, n - 1, 0), n] : undefined;
}

export const sremRules: readonly Rule[] = [
  { name: "srem.zero", law: "0 %s b = 0", apply: ofZero },
  {
    name: "srem.one",
    law: "a %s 1 = a %s −1 = 0; a %s 0 = a",
    apply(t) {
      const k = divisor(t);
      const width = widthOf(t);
      if (k === 0n) return argument(t, 0);
      return k === 1n || k === (1n << BigInt(width)) - 1n ? constant(width, 0n) : undefined;
    },
  },
  {
    name: "srem.narrow",
    law: "sext(a) %s sext(b) = sext(a %s b)",
    apply(t) {
      const operands = narrowOperands(t);
      if (operands === undefined) return undefined;
      const [a, b] = operands;
      return sext(make("srem", a.sort, [a, b]), widthOf(t));
    },
  },
];

/** The shift amount where it is constant, the width standing for anything beyond. */
function amount(t: Term): number | undefined {
  const b = argument(t, 1);
  if (b.op !== "const") return undefined;
  const width = widthOf(t);
  return b.value >= BigInt(width) ? width : Number(b.value);
}

function ofZero(t: Term): Term | undefined {
  const a = argument(t, 0);
  return a.op === "const" && a.value === 0n ? a : undefined;
}

export const shlRules: readonly Rule[] = [
  {
    name: "shl.constant",
    law: "a << n = a ++ 0, without a's top n bits; 0 from the width on",
    apply(t) {
      const n = amount(t);
      if (n === undefined) return undefined;
      const width = widthOf(t);
      if (n === 0) return argument(t, 0);
      if (n === width) return constant(width, 0n);
      return concat(extract(argument(t, 0), width - 1 - n, 0), constant(n, 0n));
    },
  },
  { name: "shl.zero", law: "0 << n = 0", apply: ofZero },
];

export const lshrRules: readonly Rule[] = [
  {
    name: "lshr.constant",
    law: "a >>u n = zext(a[:n]); 0 from the width on",
    apply(t) {
      const n = amount(t);
      if (n === undefined) return undefined;
      const width = widthOf(t);
      return n === width ? constant(width, 0n) : zext(extract(argument(t, 0), width - 1, n), width);
    },
  },
  { name: "lshr.zero", law: "0 >>u n = 0", apply: ofZero },
  {
    name: "lshr.narrow",
    law: "zext(a) >>u zext(n) = zext(a >>u n), where n is no wider than a",
    apply: (t) => narrowShift(t, unsignedWidth(argument(t, 0)), zext),
  },
];

export const ashrRules: readonly Rule[] = [
  {
    name: "ashr.constant",
    law: "a >>s n = sext(a[:n]); copies of the top bit from the width on",
    apply(t) {
      const n = amount(t);
      if (n === undefined) return undefined;
      const width = widthOf(t);
      return sext(n === width ? signBit(argument(t, 0)) : extract(argument(t, 0), width - 1, n), width);
    },
  },
  {
    name: "ashr.zero",
    law: "0 >>s n = 0; ~0 >>s n = ~0",
    apply(t) {
      const a = argument(t, 0);
      if (a.op !== "const") return undefined;
      return a.value === 0n || a.value === (1n << BigInt(widthOf(t))) - 1n ? a : undefined;
    },
  },
  {
    name: "ashr.positive",
    law: "zext(a) >>s n = zext(a) >>u n; k >>s n = k >>u n for a constant k that is not negative",
    apply(t) {
      const top = piecesOf(argument(t, 0))[0];
      if (top === undefined || top.op !== "const") return undefined;
      return top.value >> BigInt(widthOf(top) - 1) === 0n ? make("lshr", t.sort, t.args) : undefined;
    },
  },
  {
    name: "ashr.narrow",
    law: "sext(a) >>s zext(n) = sext(a >>s n), where n is no wider than a",
    apply(t) {
      const a = argument(t, 0);
      return a.op === "sext" ? narrowShift(t, widthOf(argument(a, 0)), sext) : undefined;
    },
  },
];

/** A shift to the right done on the low bits that determine the value, if the amount fits into as many. */
function narrowShift(t: Term, width: number, extend: (t: Term, width: number) => Term): Term | undefined {
  const a = argument(t, 0);
  const n = argument(t, 1);
  const narrow = Math.max(width, unsignedWidth(n));
  if (narrow >= widthOf(t)) return undefined;
  const x = extract(a, narrow - 1, 0);
  return extend(make(t.op, x.sort, [x, extract(n, narrow - 1, 0)]), widthOf(t));
}
