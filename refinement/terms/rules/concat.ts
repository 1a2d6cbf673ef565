/** Concatenation, slices and extensions. */
import {
  argument,
  bvand,
  bvnot,
  bvor,
  bvxor,
  concat,
  constant,
  extract,
  ite,
  load,
  make,
  mul,
  sext,
  shl,
  sub,
  widthOf,
  zext,
} from "../construct.js";
import { constantDifference } from "../linear.js";
import { maskOf } from "../operators.js";
import { constantBranches, isPieced, piecesOf, signBit, signedWidth, unsignedWidth } from "../pieces.js";
import { bits } from "../sort.js";
import type { Term } from "../term.js";
import type { Rule } from "./rule.js";

/** The single term that `high ++ low` is, if there is one, with the name of the rule that says so. */
type Fusion = (high: Term, low: Term) => Term | undefined;

const fuseConstants: Fusion = (high, low) =>
  high.op === "const" && low.op === "const"
    ? constant(widthOf(high) + widthOf(low), (high.value << BigInt(widthOf(low))) | low.value)
    : undefined;

const fuseSlices: Fusion = (high, low) => {
  if (high.op !== "extract") return undefined;
  const whole = argument(high, 0);
  const width = widthOf(low);
  if (high.lo < width || extract(whole, high.lo - 1, high.lo - width) !== low) return undefined;
  return extract(whole, high.hi, high.lo - width);
};

const fuseSign: Fusion = (high, low) => {
  const copies = high.op === "sext" ? argument(high, 0) : high;
  if (widthOf(copies) !== 1 || copies.op === "const" || low.op === "const" || signBit(low) !== copies) return undefined;
  return sext(low, widthOf(high) + widthOf(low));
};

const fuseChoice: Fusion = (high, low) => {
  if (high.op === "ite" && low.op === "ite" && high.args[0] === low.args[0])
    return ite(
      argument(high, 0),
      concat(argument(high, 1), argument(low, 1)),
      concat(argument(high, 2), argument(low, 2)),
    );
  if (high.op === "const" && constantBranches(low))
    return ite(argument(low, 0), concat(high, argument(low, 1)), concat(high, argument(low, 2)));
  if (low.op === "const" && constantBranches(high))
    return ite(argument(high, 0), concat(argument(high, 1), low), concat(argument(high, 2), low));
  return undefined;
};

const fuseLoads: Fusion = (high, low) => {
  if (high.op !== "load" || low.op !== "load" || high.args[0] !== low.args[0]) return undefined;
  const distance = constantDifference(argument(high, 1), argument(low, 1));
  if (distance !== BigInt(low.bytes)) return undefined;
  return load(argument(low, 0), argument(low, 1), low.bytes + high.bytes);
};

/** Bitwise operators whose arguments fuse pairwise into something that is no concatenation. */
const fuseBitwise: Fusion = (high, low) => {
  if (high.op !== low.op || high.args.length !== low.args.length) return undefined;
  if (high.op === "bvnot") {
    const whole = fuse(argument(high, 0), argument(low, 0));
    return whole === undefined || isPieced(whole) ? undefined : bvnot(whole);
  }
  if (high.op !== "bvand" && high.op !== "bvor" && high.op !== "bvxor") return undefined;
  const wholes: Term[] = [];
  const left = [...low.args];
  for (const x of high.args) {
    let found: Term | undefined;
    for (let i = 0; i < left.length && found === undefined; i++) {
      const y = left[i];
      const whole = y === undefined ? undefined : fuse(x, y);
      if (whole === undefined || isPieced(whole)) continue;
      found = whole;
      left.splice(i, 1);
    }
    if (found === undefined) return undefined;
    wholes.push(found);
  }
  return high.op === "bvand" ? bvand(...wholes) : high.op === "bvor" ? bvor(...wholes) : bvxor(...wholes);
};

const fuseExtended: Fusion = (high, low) => {
  if (high.op !== "sext") return undefined;
  const whole = fuse(argument(high, 0), low);
  return whole === undefined || isPieced(whole) ? undefined : sext(whole, widthOf(high) + widthOf(low));
};

/** `t` as x ^ k. */
function flipped(t: Term): readonly [Term, bigint] {
  const last = t.args[t.args.length - 1];
  if (t.op === "bvnot") return [argument(t, 0), maskOf(widthOf(t))];
  if (t.op === "bvxor" && last?.op === "const") return [bvxor(...t.args.slice(0, -1)), last.value];
  return [t, 0n];
}

const fuseFlipped: Fusion = (high, low) => {
  const [x, j] = flipped(high);
  const [y, k] = flipped(low);
  if (x === high && y === low) return undefined;
  const whole = fuse(x, y);
  if (whole === undefined || isPieced(whole)) return undefined;
  return bvxor(whole, constant(widthOf(whole), (j << BigInt(widthOf(low))) | k));
};

function fuse(high: Term, low: Term): Term | undefined {
  for (const fusion of FUSIONS) {
    const whole = fusion(high, low);
    if (whole !== undefined) return whole;
  }
  return undefined;
}

const FUSIONS: readonly Fusion[] = [
  fuseConstants,
  fuseSlices,
  fuseSign,
  fuseChoice,
  fuseLoads,
  fuseBitwise,
  fuseExtended,
  fuseFlipped,
];

function fusing(name: string, law: string, fusion: Fusion): Rule {
  return {
    name,
    law,
    apply(t) {
      for (let i = t.args.length - 2; i >= 0; i--) {
        const whole = fusion(argument(t, i), argument(t, i + 1));
        if (whole !== undefined) return concat(...t.args.slice(0, i), whole, ...t.args.slice(i + 2));
      }
      return undefined;
    },
  };
}

export const concatRules: readonly Rule[] = [
  {
    name: "concat.flatten",
    law: "++ is associative; zext(a) is zeros ++ a",
    apply(t) {
      let pieced = false;
      for (const arg of t.args) if (isPieced(arg)) pieced = true;
      return pieced ? concat(...t.args.flatMap(piecesOf)) : undefined;
    },
  },
  fusing("concat.constants", "k ++ j is one constant", fuseConstants),
  fusing("concat.slices", "a[i:m+1] ++ a[m:j] = a[i:j]", fuseSlices),
  fusing("concat.sign", "s ++ a = sext(a) where every bit of s is the top bit of a", fuseSign),
  fusing(
    "concat.choice",
    "(c ? a : b) ++ (c ? d : e) = c ? a ++ d : b ++ e; k ++ (c ? i : j) = c ? k ++ i : k ++ j for constants",
    fuseChoice,
  ),
  fusing("concat.loads", "m[a + n, k] ++ m[a, n] = m[a, n + k]", fuseLoads),
  fusing("concat.bitwise", "(a[i:m+1] & b[i:m+1]) ++ (a[m:j] & b[m:j]) = (a & b)[i:j], and so for | ^ ~", fuseBitwise),
  fusing("concat.extended", "sext(a[i:m+1]) ++ a[m:j] = sext(a[i:j])", fuseExtended),
  fusing("concat.flipped", "(a[i:m+1] ^ k) ++ (a[m:j] ^ l) = a[i:j] ^ (k ++ l) for constants", fuseFlipped),
  {
    name: "concat.zeros",
    law: "0 ++ a = zext(a)",
    apply(t) {
      const first = argument(t, 0);
      if (first.op !== "const" || first.value !== 0n) return undefined;
      return make("zext", t.sort, [concat(...t.args.slice(1))]);
    },
  },
];

export const extractRules: readonly Rule[] = [
  {
    name: "extract.extract",
    law: "a[i:j][k:l] = a[j+k:j+l]",
    apply(t) {
      const a = argument(t, 0);
      return a.op === "extract" ? extract(argument(a, 0), a.lo + t.hi, a.lo + t.lo) : undefined;
    },
  },
  {
    name: "extract.pieces",
    law: "a slice of a ++ b is the slices of the pieces that it meets",
    apply(t) {
      const a = argument(t, 0);
      if (!isPieced(a)) return undefined;
      const parts: Term[] = [];
      let top = widthOf(a);
      for (const piece of piecesOf(a)) {
        const bottom = top - widthOf(piece);
        const hi = Math.min(t.hi, top - 1);
        const lo = Math.max(t.lo, bottom);
        if (lo <= hi) parts.push(extract(piece, hi - bottom, lo - bottom));
        top = bottom;
      }
      return concat(...parts);
    },
  },
  {
    name: "extract.sext",
    law: "a slice of sext(a) is a slice of a, a slice of a sign-extended, or copies of a's top bit",
    apply(t) {
      const a = argument(t, 0);
      if (a.op !== "sext") return undefined;
      const inner = argument(a, 0);
      const width = widthOf(inner);
      if (t.hi < width) return extract(inner, t.hi, t.lo);
      return sext(extract(inner, width - 1, Math.min(t.lo, width - 1)), t.hi - t.lo + 1);
    },
  },
  {
    name: "extract.choice",
    law: "(c ? a : b)[i:j] = c ? a[i:j] : b[i:j]",
    apply(t) {
      const a = argument(t, 0);
      if (a.op !== "ite") return undefined;
      return ite(argument(a, 0), extract(argument(a, 1), t.hi, t.lo), extract(argument(a, 2), t.hi, t.lo));
    },
  },
  {
    name: "extract.bitwise",
    law: "(a & b)[i:j] = a[i:j] & b[i:j], and so for | ^ ~",
    apply(t) {
      const a = argument(t, 0);
      if (a.op !== "bvnot" && a.op !== "bvand" && a.op !== "bvor" && a.op !== "bvxor") return undefined;
      return rebuildNarrow(a, t.hi, t.lo);
    },
  },
  {
    name: "extract.sum",
    law: "(a + b)[i:0] = a[i:0] + b[i:0]; (a + b)[i:j] = (a[i:0] + b[i:0])[i:j]; and so for *",
    apply(t) {
      const a = argument(t, 0);
      if ((a.op !== "add" && a.op !== "mul") || t.hi === widthOf(a) - 1) return undefined;
      return extract(rebuildNarrow(a, t.hi, 0), t.hi, t.lo);
    },
  },
  {
    // sext(b) is zext(sext(b)[j−1:0]) less 2^j where it is negative.
    name: "extract.signed-product",
    law: "(a * sext(b))[i:j] = (a * zext(sext(b)[j−1:0]))[i:j] − (a[i−j:0] & sext(b's top bit)), where b has at most j bits",
    apply(t) {
      const product = argument(t, 0);
      if (product.op !== "mul" || product.args.length !== 2 || t.lo === 0) return undefined;
      const signed = product.args.findIndex(
        (x) => x.op !== "const" && signedWidth(x) <= t.lo && unsignedWidth(x) > t.lo,
      );
      const b = product.args[signed];
      if (b === undefined) return undefined;
      const a = argument(product, 1 - signed);
      const unsigned = mul(a, zext(extract(b, t.lo - 1, 0), widthOf(product)));
      const negative = sext(signBit(b), widthOf(t));
      return sub(extract(unsigned, t.hi, t.lo), bvand(extract(a, t.hi - t.lo, 0), negative));
    },
  },
  {
    name: "extract.shl",
    law: "(a << zext(n))[i:0] = a[i:0] << zext(n)",
    apply(t) {
      const a = argument(t, 0);
      if (a.op !== "shl" || t.hi === widthOf(a) - 1) return undefined;
      const amount = argument(a, 1);
      if (unsignedWidth(amount) > t.hi + 1) return undefined;
      const low = shl(extract(argument(a, 0), t.hi, 0), extract(amount, t.hi, 0));
      return extract(low, t.hi, t.lo);
    },
  },
];

function rebuildNarrow(t: Term, hi: number, lo: number): Term {
  const sort = bits(hi - lo + 1);
  const args = t.args.map((arg) => extract(arg, hi, lo));
  return make(t.op, sort, args);
}

export const zextRules: readonly Rule[] = [
  {
    name: "zext.zext",
    law: "zext(zext(a)) = zext(a)",
    apply(t) {
      const a = argument(t, 0);
      return a.op === "zext" ? zext(argument(a, 0), widthOf(t)) : undefined;
    },
  },
  {
    name: "zext.constant",
    law: "zext(k ++ a) = zext(k) ++ a",
    apply(t) {
      const a = argument(t, 0);
      if (a.op !== "concat") return undefined;
      const [first, ...rest] = a.args;
      if (first === undefined || first.op !== "const") return undefined;
      return concat(zext(first, widthOf(first) + widthOf(t) - widthOf(a)), ...rest);
    },
  },
  {
    name: "zext.choice",
    law: "zext(c ? i : j) = c ? zext(i) : zext(j) for constants",
    apply(t) {
      const a = argument(t, 0);
      if (!constantBranches(a)) return undefined;
      return ite(argument(a, 0), zext(argument(a, 1), widthOf(t)), zext(argument(a, 2), widthOf(t)));
    },
  },
];

export const sextRules: readonly Rule[] = [
  {
    name: "sext.sext",
    law: "sext(sext(a)) = sext(a)",
    apply(t) {
      const a = argument(t, 0);
      return a.op === "sext" ? sext(argument(a, 0), widthOf(t)) : undefined;
    },
  },
  {
    name: "sext.pieces",
    law: "sext(a ++ b) = sext(a) ++ b; sext(zext(a)) = zext(a)",
    apply(t) {
      const a = argument(t, 0);
      if (!isPieced(a)) return undefined;
      const [first, ...rest] = piecesOf(a);
      if (first === undefined) return undefined;
      return concat(sext(first, widthOf(first) + widthOf(t) - widthOf(a)), ...rest);
    },
  },
  {
    name: "sext.choice",
    law: "sext(c ? i : j) = c ? sext(i) : sext(j) for constants",
    apply(t) {
      const a = argument(t, 0);
      if (!constantBranches(a)) return undefined;
      return ite(argument(a, 0), sext(argument(a, 1), widthOf(t)), sext(argument(a, 2), widthOf(t)));
    },
  },
  {
    name: "sext.bvnot",
    law: "sext(~a) = ~sext(a)",
    apply(t) {
      const a = argument(t, 0);
      return a.op === "bvnot" ? bvnot(sext(argument(a, 0), widthOf(t))) : undefined;
    },
  },
];
