/** Which accesses to memory an instruction may do. */
import type { Effect } from "../machine.js";
import type { Access, Term } from "../terms/term.js";

export interface AccessTerm {
  readonly access: Access;
  readonly address: Term;
  readonly bytes: number;
}

const known = new WeakMap<Effect, readonly AccessTerm[]>();

/** Every access to memory that an effect may do, its address over the state before. */
export function accessTerms(effect: Effect): readonly AccessTerm[] {
  let found = known.get(effect);
  if (found === undefined) {
    const list: AccessTerm[] = [];
    const seen = new Set<Term>();
    const visit = (t: Term): void => {
      if (seen.has(t)) return;
      seen.add(t);
      const [, address] = t.args;
      const access =
        t.op === "write" ? "store" : t.op === "load" ? "load" : t.op === "accessible" ? t.access : undefined;
      if (access !== undefined && address !== undefined) list.push({ access, address, bytes: t.bytes });
      for (const arg of t.args) visit(arg);
    };
    for (const r of effect.raises) for (const t of [r.condition, ...r.arguments]) visit(t);
    for (const t of effect.assigns.values()) visit(t);
    found = list;
    known.set(effect, found);
  }
  return found;
}
