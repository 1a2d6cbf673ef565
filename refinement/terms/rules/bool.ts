/** Bool: negation normal form, sorted conjunctions and disjunctions. */
import { and, argument, eq, FALSE, ite, make, not, or, TRUE, widthOf } from "../construct.js";
import { BOOL } from "../sort.js";
import { compareTerms, intern, type Term } from "../term.js";
import type { Rule } from "./rule.js";

export const notRules: readonly Rule[] = [
  {
    name: "not.not",
    law: "!!a = a",
    apply(t) {
      const a = argument(t, 0);
      return a.op === "not" ? argument(a, 0) : undefined;
    },
  },
  {
    name: "not.and",
    law: "!(a && b) = !a || !b",
    apply(t) {
      const a = argument(t, 0);
      return a.op === "and" ? or(...a.args.map(not)) : undefined;
    },
  },
  {
    name: "not.or",
    law: "!(a || b) = !a && !b",
    apply(t) {
      const a = argument(t, 0);
      return a.op === "or" ? and(...a.args.map(not)) : undefined;
    },
  },
  {
    name: "not.ite",
    law: "!(c ? a : b) = c ? !a : !b",
    apply(t) {
      const a = argument(t, 0);
      return a.op === "ite" ? ite(argument(a, 0), not(argument(a, 1)), not(argument(a, 2))) : undefined;
    },
  },
];

/** Flattens, sorts and removes duplicates and units; `undefined` where the list is as it should be. */
function canonical(t: Term, unit: Term, zero: Term): Term | undefined {
  let flat = true;
  for (const arg of t.args) if (arg.op === t.op || arg === unit || arg === zero) flat = false;
  const list: Term[] = [];
  if (flat) {
    list.push(...t.args);
  } else {
    for (const arg of t.args) {
      if (arg === zero) return zero;
      if (arg.op === t.op) list.push(...arg.args);
      else if (arg !== unit) list.push(arg);
    }
  }
  list.sort(compareTerms);
  const distinct = list.filter((arg, i) => arg !== list[i - 1]);
  const first = distinct[0];
  if (first === undefined) return unit;
  if (distinct.length === 1) return first;
  if (flat && distinct.length === t.args.length && distinct.every((arg, i) => arg === t.args[i])) return undefined;
  return make(t.op, BOOL, distinct);
}

function hasComplement(t: Term): boolean {
  let negations = false;
  for (const arg of t.args) if (arg.op === "not") negations = true;
  if (!negations) return false;
  const present = new Set(t.args);
  return t.args.some((arg) => arg.op === "not" && present.has(argument(arg, 0)));
}

/** In `outer` of `inner`s: drops an `inner` that contains an argument of `outer`, and from the others what is decided. */
function absorb(t: Term, inner: "and" | "or"): Term | undefined {
  if (!t.args.some((arg) => arg.op === inner)) return undefined;
  const literals = new Set(t.args);
  const kept: Term[] = [];
  let changed = false;
  for (const arg of t.args) {
    if (arg.op !== inner) {
      kept.push(arg);
    } else if (arg.args.some((x) => literals.has(x))) {
      changed = true;
    } else {
      const open = arg.args.filter((x) => !literals.has(not(x)));
      if (open.length === arg.args.length) {
        kept.push(arg);
      } else {
        changed = true;
        kept.push(inner === "or" ? or(...open) : and(...open));
      }
    }
  }
  if (!changed) return undefined;
  return t.op === "and" ? and(...kept) : or(...kept);
}

/** The constant side of an equality of a bit vector with a constant, and the other side. */
function constantEquality(t: Term): readonly [Term, Term] | undefined {
  if (t.op !== "eq") return undefined;
  const [a, b] = t.args;
  if (a === undefined || b === undefined || b.op !== "const" || b.sort === BOOL) return undefined;
  return [a, b];
}

/**
 * Among literals that a conjunction asserts (`positive` reads an argument as asserted, `negative` as denied): the values
 * that equalities give. `undefined` if there is nothing to gain, "clash" if two values contradict.
 */
function valueClash(t: Term, positive: (x: Term) => Term, denied: (x: Term) => boolean): Term[] | "clash" | undefined {
  let values: Map<Term, Term> | undefined;
  for (const arg of t.args) {
    if (denied(arg)) continue;
    const equality = constantEquality(positive(arg));
    if (equality === undefined) continue;
    values ??= new Map();
    const [x, k] = equality;
    const known = values.get(x);
    if (known !== undefined && known !== k) return "clash";
    values.set(x, k);
  }
  if (values === undefined) return undefined;
  const known = values;
  const kept = t.args.filter((arg) => {
    if (!denied(arg)) return true;
    const equality = constantEquality(positive(arg));
    if (equality === undefined) return true;
    const value = known.get(equality[0]);
    return value === undefined || value === equality[1];
  });
  return kept.length === t.args.length ? undefined : kept;
}

const inside = (x: Term): Term => (x.op === "not" ? argument(x, 0) : x);

export const andRules: readonly Rule[] = [
  {
    name: "and.sort",
    law: "&& is associative, commutative and idempotent; a && true = a; a && false = false",
    apply: (t) => canonical(t, TRUE, FALSE),
  },
  {
    name: "and.complement",
    law: "a && !a = false",
    apply: (t) => (hasComplement(t) ? FALSE : undefined),
  },
  {
    name: "and.absorb",
    law: "a && (a || b) = a; a && (!a || b) = a && b",
    apply: (t) => absorb(t, "or"),
  },
  {
    name: "and.values",
    law: "x == j && x == k = false; x == j && x != k = (x == j), for constants j ≠ k",
    apply(t) {
      const kept = valueClash(t, inside, (x) => x.op === "not");
      return kept === undefined ? undefined : kept === "clash" ? FALSE : and(...kept);
    },
  },
  {
    // What setg, setle and their unsigned kin of x86-64 ask.
    name: "and.strict",
    law: "!(a < b) && !(a == b) = b < a, signed and unsigned",
    apply(t) {
      const found = orderAndEquality(t.args.map(not));
      return found === undefined ? undefined : and(...found.others.map(not), not(found.weak));
    },
  },
];

export const orRules: readonly Rule[] = [
  {
    name: "or.sort",
    law: "|| is associative, commutative and idempotent; a || false = a; a || true = true",
    apply: (t) => canonical(t, FALSE, TRUE),
  },
  {
    name: "or.complement",
    law: "a || !a = true",
    apply: (t) => (hasComplement(t) ? TRUE : undefined),
  },
  {
    name: "or.absorb",
    law: "a || (a && b) = a; a || (!a && b) = a || b",
    apply: (t) => absorb(t, "and"),
  },
  {
    name: "or.values",
    law: "x != j || x != k = true; x != j || x == k = (x != j), for constants j ≠ k",
    apply(t) {
      const kept = valueClash(t, inside, (x) => x.op !== "not");
      return kept === undefined ? undefined : kept === "clash" ? TRUE : or(...kept);
    },
  },
  {
    name: "or.weak",
    law: "a < b || a == b = !(b < a), signed and unsigned",
    apply(t) {
      const found = orderAndEquality(t.args);
      return found === undefined ? undefined : or(...found.others, found.weak);
    },
  },
  {
    name: "or.resolve",
    law: "(a && b) || (!a && b) = b",
    apply(t) {
      if (t.args.length !== 2) return undefined;
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (a.op !== "and" || b.op !== "and" || a.args.length !== b.args.length) return undefined;
      const inB = new Set(b.args);
      const differing = a.args.filter((x) => !inB.has(x));
      const [x] = differing;
      if (differing.length !== 1 || x === undefined || !inB.has(not(x))) return undefined;
      return and(...a.args.filter((y) => y !== x));
    },
  },
];

/** Of a < b and a == b among the terms of a disjunction: what both say together, and the others. */
function orderAndEquality(
  terms: readonly Term[],
): { readonly weak: Term; readonly others: readonly Term[] } | undefined {
  for (const less of terms) {
    if (less.op !== "slt" && less.op !== "ult") continue;
    const [a, b] = [argument(less, 0), argument(less, 1)];
    const same = eq(a, b);
    if (same.op !== "eq" || !terms.includes(same)) continue;
    return { weak: not(make(less.op, BOOL, [b, a])), others: terms.filter((x) => x !== less && x !== same) };
  }
  return undefined;
}

/** Equality of two bools. */
export const iffRules: readonly Rule[] = [
  {
    name: "eq.bool-constant",
    law: "(a == true) = a; (a == false) = !a",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (a.sort !== BOOL) return undefined;
      if (a === TRUE) return b;
      if (b === TRUE) return a;
      if (a === FALSE) return not(b);
      if (b === FALSE) return not(a);
      return undefined;
    },
  },
  {
    name: "eq.bool-bits",
    law: "for bits a, b: ((a == 1) == (b == 1)) = (a == b)",
    apply(t) {
      const a = constantEquality(argument(t, 0));
      const b = constantEquality(argument(t, 1));
      if (a === undefined || b === undefined || widthOf(a[0]) !== 1 || widthOf(b[0]) !== 1) return undefined;
      return eq(a[0], b[0]);
    },
  },
  {
    name: "eq.bool-not",
    law: "(!a == b) = !(a == b)",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (a.sort !== BOOL) return undefined;
      if (a === not(b)) return FALSE;
      if (a.op === "not") return not(eq(argument(a, 0), b));
      if (b.op === "not") return not(eq(a, argument(b, 0)));
      return undefined;
    },
  },
  {
    name: "eq.bool-chain",
    law: "== is associative and commutative on bools; ((a == b) == a) = b",
    apply(t) {
      const a = argument(t, 0);
      const b = argument(t, 1);
      if (a.sort !== BOOL || !(isIff(a) || isIff(b))) return undefined;
      const leaves: Term[] = [];
      let holds = collectIff(t, leaves);
      leaves.sort(compareTerms);
      const odd: Term[] = [];
      for (const leaf of leaves) {
        if (odd[odd.length - 1] === leaf) odd.pop();
        else odd.push(leaf);
      }
      // Each == between the odd ones brings a negation of its own.
      if (odd.length % 2 === 0 && odd.length > 0) holds = !holds;
      let chain: Term | undefined;
      for (const leaf of odd) chain = chain === undefined ? leaf : intern("eq", BOOL, [chain, leaf].sort(compareTerms));
      if (chain === undefined) return holds ? TRUE : FALSE;
      if (chain === t) return holds ? not(t) : undefined;
      const normal = odd.length === 1 ? chain : make("eq", BOOL, chain.args);
      return holds ? not(normal) : normal;
    },
  },
];

function isIff(t: Term): boolean {
  return t.op === "eq" && t.args[0]?.sort === BOOL;
}

/** The leaves of a chain of ==; whether the chain is true where all of them are false. */
function collectIff(t: Term, leaves: Term[]): boolean {
  if (t.op === "not") return !collectIff(argument(t, 0), leaves);
  if (isIff(t)) return collectIff(argument(t, 0), leaves) === collectIff(argument(t, 1), leaves);
  leaves.push(t);
  return false;
}
