/** If-then-else, of any sort. */
import {
  and,
  argument,
  bvnot,
  concat,
  constant,
  eq,
  extract,
  FALSE,
  ite,
  not,
  or,
  store,
  TRUE,
  widthOf,
  write,
} from "../construct.js";
import { isPieced, piecesOf } from "../pieces.js";
import { BOOL } from "../sort.js";
import type { Term } from "../term.js";
import type { Rule } from "./rule.js";

const ONE = constant(1, 1n);

/** Bits at the top, or at the bottom, that both sides have as the same piece. */
function shared(a: readonly Term[], b: readonly Term[], fromTop: boolean): number {
  let i = 0;
  let j = 0;
  let width = 0;
  while (i < a.length && j < b.length) {
    const x = a[fromTop ? i : a.length - 1 - i];
    const y = b[fromTop ? j : b.length - 1 - j];
    if (x === undefined || y === undefined) break;
    if (x === y) {
      width += widthOf(x);
    } else {
      if (x.op === "const" && y.op === "const") width += sharedBits(x, y, fromTop);
      break;
    }
    i++;
    j++;
  }
  return width;
}

function sharedBits(x: Term, y: Term, fromTop: boolean): number {
  const p = x.value.toString(2).padStart(widthOf(x), "0");
  const q = y.value.toString(2).padStart(widthOf(y), "0");
  const most = Math.min(p.length, q.length);
  let n = 0;
  while (n < most && (fromTop ? p[n] === q[n] : p[p.length - 1 - n] === q[q.length - 1 - n])) n++;
  return n;
}

export const iteRules: readonly Rule[] = [
  {
    name: "ite.decided",
    law: "true ? a : b = a; false ? a : b = b; c ? a : a = a",
    apply(t) {
      const c = argument(t, 0);
      const a = argument(t, 1);
      const b = argument(t, 2);
      if (c === TRUE || a === b) return a;
      return c === FALSE ? b : undefined;
    },
  },
  {
    name: "ite.not",
    law: "!c ? a : b = c ? b : a",
    apply(t) {
      const c = argument(t, 0);
      return c.op === "not" ? ite(argument(c, 0), argument(t, 2), argument(t, 1)) : undefined;
    },
  },
  {
    name: "ite.bool",
    law: "c ? true : b = c || b; c ? false : b = !c && b; c ? a : true = !c || a; c ? a : false = c && a; c ? a : !a = (c == a)",
    apply(t) {
      if (t.sort !== BOOL) return undefined;
      const c = argument(t, 0);
      const a = argument(t, 1);
      const b = argument(t, 2);
      if (a === TRUE || a === c) return or(c, b);
      if (a === FALSE || a === not(c)) return and(not(c), b);
      if (b === TRUE || b === not(c)) return or(not(c), a);
      if (b === FALSE || b === c) return and(c, a);
      return b === not(a) ? eq(c, a) : undefined;
    },
  },
  {
    name: "ite.bit",
    law: "for one bit x: x == 1 ? 1 : 0 = x; x == 1 ? 0 : 1 = ~x",
    apply(t) {
      const c = argument(t, 0);
      if (c.op !== "eq" || t.sort !== ONE.sort || c.args[1] !== ONE) return undefined;
      const a = argument(t, 1);
      const b = argument(t, 2);
      if (a.op !== "const" || b.op !== "const") return undefined;
      return a.value === 1n ? argument(c, 0) : bvnot(argument(c, 0));
    },
  },
  {
    name: "ite.same-condition",
    law: "c ? (c ? a : b) : d = c ? a : d; c ? a : (c ? b : d) = c ? a : d",
    apply(t) {
      const c = argument(t, 0);
      const a = argument(t, 1);
      const b = argument(t, 2);
      if (a.op === "ite" && a.args[0] === c) return ite(c, argument(a, 1), b);
      if (b.op === "ite" && b.args[0] === c) return ite(c, a, argument(b, 2));
      return undefined;
    },
  },
  {
    name: "ite.equal",
    law: "x == y ? x : y = y; x == y ? y : x = x",
    apply(t) {
      const c = argument(t, 0);
      if (c.op !== "eq") return undefined;
      const a = argument(t, 1);
      const b = argument(t, 2);
      const x = argument(c, 0);
      const y = argument(c, 1);
      return (x === a && y === b) || (x === b && y === a) ? b : undefined;
    },
  },
  {
    name: "ite.join",
    law: "c ? (d ? a : b) : b = c && d ? a : b, and the three like it",
    apply(t) {
      const c = argument(t, 0);
      const a = argument(t, 1);
      const b = argument(t, 2);
      if (a.op === "ite") {
        if (a.args[2] === b) return ite(and(c, argument(a, 0)), argument(a, 1), b);
        if (a.args[1] === b) return ite(and(c, not(argument(a, 0))), argument(a, 2), b);
      }
      if (b.op === "ite") {
        if (b.args[1] === a) return ite(or(c, argument(b, 0)), a, argument(b, 2));
        if (b.args[2] === a) return ite(or(c, not(argument(b, 0))), a, argument(b, 1));
      }
      return undefined;
    },
  },
  {
    name: "ite.pieces",
    law: "c ? (x ++ a) : (x ++ b) = x ++ (c ? a : b), and the same with x below",
    apply(t) {
      const a = argument(t, 1);
      const b = argument(t, 2);
      if (t.sort.kind !== "bits" || !(isPieced(a) || isPieced(b))) return undefined;
      const c = argument(t, 0);
      const width = widthOf(t);
      const high = shared(piecesOf(a), piecesOf(b), true);
      const low = shared(piecesOf(a), piecesOf(b), false);
      if (high === 0 && low === 0) return undefined;
      const parts: Term[] = [];
      if (high > 0) parts.push(extract(a, width - 1, width - high));
      parts.push(ite(c, extract(a, width - 1 - high, low), extract(b, width - 1 - high, low)));
      if (low > 0) parts.push(extract(a, low - 1, 0));
      return concat(...parts);
    },
  },
  {
    name: "ite.update",
    law: "c ? f{[i] = a} : f{[i] = b} = f{[i] = c ? a : b}, for files and for memories",
    apply(t) {
      const a = argument(t, 1);
      const b = argument(t, 2);
      if (a.op !== b.op || (a.op !== "store" && a.op !== "write")) return undefined;
      if (a.args[0] !== b.args[0] || a.args[1] !== b.args[1] || a.bytes !== b.bytes) return undefined;
      const value = ite(argument(t, 0), argument(a, 2), argument(b, 2));
      if (a.op === "store") return store(argument(a, 0), argument(a, 1), value);
      return write(argument(a, 0), argument(a, 1), a.bytes, value);
    },
  },
];
