import { boundVariable } from "./construct.js";
import type { Term } from "./term.js";

/** The free variables of a term or of several, in order of first occurrence. */
export function freeVariables(terms: Term | readonly Term[]): ReadonlySet<Term> {
  const found = new Set<Term>();
  const roots: readonly Term[] = "op" in terms ? [terms] : terms;
  const seen = new Set<Term>();
  for (const root of roots) collect(root, seen, found);
  return found;
}

function collect(t: Term, seen: Set<Term>, found: Set<Term>): void {
  if (seen.has(t)) return;
  seen.add(t);
  if (t.op === "var") {
    found.add(t);
  } else if (t.op === "lambda") {
    const bound = boundVariable(t);
    for (const v of freeVariables(t.args)) if (v !== bound) found.add(v);
  } else {
    for (const arg of t.args) collect(arg, seen, found);
  }
}

/** The number of distinct terms in a term or in several together. */
export function size(terms: Term | readonly Term[]): number {
  const seen = new Set<Term>();
  const stack: Term[] = "op" in terms ? [terms] : [...terms];
  for (let t = stack.pop(); t !== undefined; t = stack.pop()) {
    if (seen.has(t)) continue;
    seen.add(t);
    stack.push(...t.args);
  }
  return seen.size;
}

/** Whether `part` occurs in `t`. */
export function occurs(part: Term, t: Term): boolean {
  const seen = new Set<Term>();
  const stack: Term[] = [t];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (at === part) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    stack.push(...at.args);
  }
  return false;
}
