/**
 * An effect by cases. A big effect, as that of a load through page tables, is small where nothing unusual happens; but what its
 * parts share is computed for all of them, usual or not. Divided by the conditions that make the most difference, what belongs
 * to a case is computed in that case alone. Dividing is always sound: `t` is `c ? t[c := true] : t[c := false]`.
 */
import type { Effect } from "../machine.js";
import * as t from "../terms/build.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import { size } from "../terms/variables.js";

type Divisible = NonNullable<Effect["cases"]>;
type Assigns = ReadonlyMap<string, Term>;
export type Cases =
  | { readonly kind: "assigns"; readonly assigns: Assigns }
  | { readonly kind: "choice"; readonly condition: Term; readonly taken: Cases; readonly otherwise: Cases };

/** Terms; smaller effects are not worth it. */
const SMALL = 100;
/** A condition is worth it if one of its cases has at most this share of the terms. */
const WORTH = 0.8;
const DEPTH = 4;
/** So many conditions are tried, those first that most choices ask. */
const TRIED = 10;

const known = new WeakMap<Divisible, Cases>();

export function divided(cases: Divisible): Cases {
  let found = known.get(cases);
  if (found === undefined) {
    found = divide(cases, DEPTH);
    known.set(cases, found);
  }
  return found;
}

function divide({ condition, taken, otherwise }: Divisible, depth: number): Cases {
  if (condition === t.TRUE) return { kind: "assigns", assigns: taken };
  if (condition === t.FALSE) return { kind: "assigns", assigns: otherwise };
  const terms = [condition, ...taken.values(), ...otherwise.values()];
  const total = size(terms);
  const found = depth === 0 || total < SMALL ? undefined : best(condition, terms, total);
  if (found === undefined) {
    return {
      kind: "choice",
      condition,
      taken: { kind: "assigns", assigns: taken },
      otherwise: { kind: "assigns", assigns: otherwise },
    };
  }
  const by = (value: Term): Cases => {
    const substitution = new Substitution(new Map([[found, value]]));
    const each = (assigns: Assigns): Assigns => new Map([...assigns].map(([n, term]) => [n, substitution.apply(term)]));
    return divide(
      { condition: substitution.apply(condition), taken: each(taken), otherwise: each(otherwise) },
      depth - 1,
    );
  };
  return { kind: "choice", condition: found, taken: by(t.TRUE), otherwise: by(t.FALSE) };
}

/** What a choice asks, or a conjunction needs. */
function conditionsOf(term: Term): readonly Term[] {
  if (term.op === "ite") return term.args.slice(0, 1);
  return term.op === "and" || term.op === "or" ? term.args : [];
}

/** The condition whose smaller case is the smallest; undefined where none makes a difference. */
export function best(raised: Term, terms: readonly Term[], total: number): Term | undefined {
  const counts = new Map<Term, number>();
  const seen = new Set<Term>(terms);
  for (const term of seen) {
    for (const arg of term.args) seen.add(arg);
    for (const asked of conditionsOf(term)) {
      const condition = asked.op === "not" ? (asked.args[0] ?? asked) : asked;
      if (condition !== raised) counts.set(condition, (counts.get(condition) ?? 0) + 1);
    }
  }
  const candidates = [...counts].sort((a, b) => b[1] - a[1] || a[0].id - b[0].id).slice(0, TRIED);
  let least = total * WORTH;
  let found: Term | undefined;
  for (const [condition] of candidates) {
    for (const value of [true, false]) {
      const left = sizeWhere(terms, condition, value);
      if (left >= least) continue;
      least = left;
      found = condition;
    }
  }
  return found;
}

/** About how many terms are left of `terms` where `condition` has this value: counted without building any. */
function sizeWhere(terms: readonly Term[], condition: Term, value: boolean): number {
  const known = new Map<Term, boolean | undefined>([[condition, value]]);
  const decided = (term: Term): boolean | undefined => {
    if (term.sort.kind !== "bool") return undefined;
    if (!known.has(term)) known.set(term, compute(term));
    return known.get(term);
  };
  const compute = (term: Term): boolean | undefined => {
    const [a, b, c] = term.args;
    switch (term.op) {
      case "const":
        return term.value !== 0n;
      case "not": {
        const inner = a === undefined ? undefined : decided(a);
        return inner === undefined ? undefined : !inner;
      }
      case "and":
      case "or": {
        const absorbing = term.op === "or";
        const values = term.args.map(decided);
        if (values.includes(absorbing)) return absorbing;
        return values.includes(undefined) ? undefined : !absorbing;
      }
      case "ite": {
        const chosen = a === undefined ? undefined : decided(a);
        const branch = chosen === undefined ? undefined : chosen ? b : c;
        return branch === undefined ? undefined : decided(branch);
      }
      default:
        return undefined;
    }
  };
  const seen = new Set<Term>();
  const stack = [...terms];
  for (let term = stack.pop(); term !== undefined; term = stack.pop()) {
    if (seen.has(term) || decided(term) !== undefined) continue;
    const [asked, taken, otherwise] = term.args;
    const chosen = term.op === "ite" && asked !== undefined ? decided(asked) : undefined;
    if (chosen === undefined || taken === undefined || otherwise === undefined) {
      seen.add(term);
      stack.push(...term.args);
    } else {
      stack.push(chosen ? taken : otherwise);
    }
  }
  return seen.size;
}
