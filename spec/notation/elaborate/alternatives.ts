/**
 * Alternatives: `if`, `match`, `c ? a : b`, the right side of `&&`. Each is run on a layer of the store of its own; then the
 * layers and values are joined, from the last alternative to the first. An alternative that ends in a raise drops out: its
 * raise is on record, and what it assigned does not count.
 */
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import type { Span } from "../syntax/ast.js";
import { coerce } from "./coerce.js";
import type { Assigned, Context } from "./context.js";
import { Store, join } from "./store.js";
import type { NType } from "./types.js";
import { NONE, type TypedValue, type Val, WRONG } from "./value.js";

export interface Alternative {
  /** Taken if this holds and none before it does; the last one's is not looked at. */
  readonly condition: Term;
  /** What holds on this path besides what held before. */
  readonly path: readonly Term[];
  /** Where its value stands. */
  readonly span: Span;
  /** Its value has no type of its own: it is run after those that have. */
  readonly flexible: boolean;
  run(hint: NType | undefined): Val;
}

interface Outcome {
  readonly store: Store;
  readonly dead: boolean;
  readonly assigned: Assigned;
  readonly value: Val;
}

/** Runs all, joins their effects, and gives the joined value (none if they give none, or if none is wanted). */
export function alternatives(
  cx: Context,
  list: readonly Alternative[],
  hint: NType | undefined,
  wanted: boolean,
  what: string,
): Val {
  const base = { store: cx.store, conditions: cx.conditions, dead: cx.dead, assigned: cx.assigned };
  const outcomes: (Outcome | undefined)[] = list.map(() => undefined);
  let type = hint;
  const run = (alternative: Alternative, i: number): void => {
    cx.store = new Store(base.store);
    cx.conditions = [...base.conditions, ...alternative.path];
    cx.dead = base.dead;
    cx.assigned = base.assigned;
    const value = alternative.run(type);
    if (type === undefined && value.kind === "typed") type = value.type;
    outcomes[i] = { store: cx.store, dead: cx.dead, assigned: cx.assigned, value };
  };
  for (const [i, a] of list.entries()) if (!wanted || !a.flexible) run(a, i);
  for (const [i, a] of list.entries()) if (wanted && a.flexible) run(a, i);
  cx.store = base.store;
  cx.conditions = base.conditions;
  const values = wanted ? unify(cx, list, outcomes, type, what) : undefined;
  let joined: Outcome | undefined;
  for (let i = list.length - 1; i >= 0; i--) {
    const outcome = outcomes[i];
    const alternative = list[i];
    if (outcome === undefined || alternative === undefined) continue;
    const next: Outcome = { ...outcome, value: values === undefined ? NONE : (values[i] ?? WRONG) };
    joined = joined === undefined ? next : joinOutcomes(base.store, alternative.condition, next, joined);
  }
  if (joined === undefined) return NONE;
  cx.store.absorb(joined.store);
  cx.dead = joined.dead;
  cx.assigned = joined.assigned;
  return joined.value;
}

/** All values as one type; integers alone stay an integer only if they are all the same. */
function unify(
  cx: Context,
  list: readonly Alternative[],
  outcomes: readonly (Outcome | undefined)[],
  type: NType | undefined,
  what: string,
): readonly Val[] {
  const values = outcomes.map((o) => o?.value ?? WRONG);
  if (type === undefined) {
    const [first] = values;
    if (values.every((v) => v.kind === "none")) return values;
    if (first?.kind === "int" && values.every((v) => v.kind === "int" && v.value === first.value)) return values;
    if (values.every((v) => v.kind === "truth"))
      return values.map((v) => (v.kind === "truth" ? boolValue(v.value) : v));
    const open = list.find((_, i) => values[i]?.kind === "int");
    if (open !== undefined && !values.some((v) => v.kind === "wrong"))
      cx.report(
        "E_CONTEXT",
        open.span,
        `the width of \`${cx.text(open.span)}\` is open here: write it with its width, as in 32'd1`,
      );
    return values.map(() => WRONG);
  }
  const wanted = type;
  return values.map((value, i) => {
    const span = list[i]?.span ?? { start: 0, end: 0 };
    return outcomes[i]?.dead && value.kind === "none" ? value : (coerce(cx, value, wanted, span, what) ?? WRONG);
  });
}

function boolValue(value: boolean): TypedValue {
  return { kind: "typed", type: { kind: "bool" }, terms: [build.bool(value)] };
}

function joinOutcomes(base: Store, condition: Term, a: Outcome, b: Outcome): Outcome {
  if (a.dead && !b.dead) return b;
  if (b.dead && !a.dead) return a;
  const store = new Store(base);
  for (const key of new Set([...a.store.changes.keys(), ...b.store.changes.keys()])) {
    const then = a.store.get(key);
    const otherwise = b.store.get(key);
    // A cell that only one branch knows is a local of that branch, and gone.
    if (then === undefined || otherwise === undefined) continue;
    store.set(key, join(condition, then, otherwise));
  }
  const assigned: Assigned =
    a.assigned === b.assigned ? a.assigned : { condition, taken: a.assigned, otherwise: b.assigned };
  return { store, dead: a.dead && b.dead, assigned, value: joinValues(condition, a.value, b.value) };
}

function joinValues(condition: Term, a: Val, b: Val): Val {
  if (a.kind === "wrong" || b.kind === "wrong") return WRONG;
  if (a.kind !== "typed" || b.kind !== "typed") return a;
  const terms = a.terms.map((term, i) => {
    const other = b.terms[i];
    return other === undefined ? term : join(condition, term, other);
  });
  return { kind: "typed", type: a.type, terms };
}
