/**
 * The symbolic store: variable → term, layered so that a branch writes into a layer of its own, and the join of two layers.
 */
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";

export class Store {
  private readonly parent: Store | undefined;
  readonly changes = new Map<string, Term>();

  constructor(parent?: Store) {
    this.parent = parent;
  }

  get(key: string): Term | undefined {
    return this.changes.get(key) ?? this.parent?.get(key);
  }

  set(key: string, term: Term): void {
    this.changes.set(key, term);
  }

  /** Takes over what a branch on top of this store has changed. */
  absorb(branch: Store): void {
    for (const [key, term] of branch.changes) this.changes.set(key, term);
  }
}

interface Update {
  readonly index: Term;
  readonly bytes: number;
  readonly value: Term;
}

/** A file or memory as a base under updates, the oldest first. */
function updates(term: Term): { readonly bases: readonly Term[]; readonly updates: readonly Update[] } {
  const bases = [term];
  const list: Update[] = [];
  let t = term;
  while (t.op === "store" || t.op === "write") {
    const [base, index, value] = t.args;
    if (base === undefined || index === undefined || value === undefined) break;
    list.unshift({ index, bytes: t.bytes, value });
    bases.unshift(base);
    t = base;
  }
  return { bases, updates: list };
}

function read(container: Term, { index, bytes }: Update): Term {
  return container.sort.kind === "memory" ? build.load(container, index, bytes) : build.select(container, index);
}

function update(container: Term, { index, bytes }: Update, value: Term): Term {
  return container.sort.kind === "memory"
    ? build.write(container, index, bytes, value)
    : build.store(container, index, value);
}

/**
 * What a variable holds after `if c { … } else { … }`. For files and memories an update in one branch becomes an update
 * whose value is chosen, `x[i] := c ? v : x[i]`, and one update in both at the same place has the choice of both values:
 * reads over it then compare the index once, and no file is copied. Only where the branches write different places is the
 * choice between whole files.
 */
export function join(condition: Term, then: Term, otherwise: Term): Term {
  if (then === otherwise) return then;
  if (then.sort.kind !== "file" && then.sort.kind !== "memory") return build.ite(condition, then, otherwise);
  const a = updates(then);
  const b = updates(otherwise);
  // The longest common base.
  let common = 0;
  while (common < a.bases.length && common < b.bases.length && a.bases[common] === b.bases[common]) common++;
  const base = a.bases[common - 1];
  if (base === undefined) return build.ite(condition, then, otherwise);
  const onlyA = a.updates.slice(common - 1);
  const onlyB = b.updates.slice(common - 1);
  let result = base;
  if (onlyA.length > 0 && onlyB.length > 0) {
    const matching =
      onlyA.length === onlyB.length &&
      onlyA.every((u, i) => u.index === onlyB[i]?.index && u.bytes === onlyB[i]?.bytes);
    if (!matching) return build.ite(condition, then, otherwise);
    onlyA.forEach((u, i) => {
      result = update(result, u, build.ite(condition, u.value, onlyB[i]?.value ?? u.value));
    });
    return result;
  }
  for (const u of onlyA) result = update(result, u, build.ite(condition, u.value, read(result, u)));
  for (const u of onlyB) result = update(result, u, build.ite(condition, read(result, u), u.value));
  return result;
}
