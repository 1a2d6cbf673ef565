import { boundVariable, rebuild } from "./construct.js";
import type { Term } from "./term.js";

/**
 * A simultaneous substitution of terms for terms, with a memo that serves any number of terms. What is put in is not
 * substituted again; the rest is rebuilt in normal form.
 */
export class Substitution {
  private readonly map: ReadonlyMap<Term, Term>;
  private readonly memo = new Map<Term, Term>();

  /** Each replacement has the sort of what it replaces. */
  constructor(map: ReadonlyMap<Term, Term>) {
    this.map = map;
  }

  apply(t: Term): Term {
    const replacement = this.map.get(t);
    if (replacement !== undefined) return replacement;
    if (t.args.length === 0) return t;
    const known = this.memo.get(t);
    if (known !== undefined) return known;
    const result = t.op === "lambda" ? this.under(t) : this.inside(t);
    this.memo.set(t, result);
    return result;
  }

  private inside(t: Term): Term {
    let changed = false;
    const args: Term[] = [];
    for (const arg of t.args) {
      const replaced = this.apply(arg);
      if (replaced !== arg) changed = true;
      args.push(replaced);
    }
    return changed ? rebuild(t, args) : t;
  }

  /** A bound variable hides a free one of the same name. */
  private under(lambda: Term): Term {
    const bound = boundVariable(lambda);
    if (!this.map.has(bound)) return this.inside(lambda);
    const visible = new Map(this.map);
    visible.delete(bound);
    return new Substitution(visible).inside(lambda);
  }
}

/** `t` with each key of `map` replaced, all at once. */
export function substitute(t: Term, map: ReadonlyMap<Term, Term>): Term {
  return map.size === 0 ? t : new Substitution(map).apply(t);
}
