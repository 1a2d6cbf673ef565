/**
 * Hypotheses that say outright what a variable is. Putting the definition in the variable's place makes them hold in every
 * state, and takes them from what a search has to establish.
 */
import { FALSE, not, TRUE } from "../terms/build.js";
import { argument } from "../terms/construct.js";
import type { Term } from "../terms/term.js";
import { freeVariables } from "../terms/variables.js";

export interface Definitions {
  /** Scalar variables and what they are; no variable depends on itself, by whatever detour. */
  readonly definitions: ReadonlyMap<Term, Term>;
  /** Elements of file variables that are constants. */
  readonly elements: readonly { readonly file: Term; readonly index: number; readonly value: bigint }[];
  /** The conjuncts of the hypotheses that are neither. */
  readonly rest: readonly Term[];
}

export function definitionsIn(hypotheses: readonly Term[]): Definitions {
  const definitions = new Map<Term, Term>();
  /** For each defined variable, what it depends on in the end. */
  const reach = new Map<Term, ReadonlySet<Term>>();
  const elements: { file: Term; index: number; value: bigint }[] = [];
  const rest: Term[] = [];

  const define = (v: Term, t: Term): boolean => {
    if (v.op !== "var" || definitions.has(v)) return false;
    const direct = freeVariables(t);
    const all = new Set<Term>(direct);
    for (const w of direct) for (const further of reach.get(w) ?? []) all.add(further);
    if (all.has(v)) return false;
    definitions.set(v, t);
    reach.set(v, all);
    // What was defined by v depends on what v depends on.
    for (const [w, found] of reach) if (found.has(v)) reach.set(w, new Set([...found, ...all]));
    return true;
  };
  const pin = (read: Term, value: Term): boolean => {
    if (read.op !== "select" || value.op !== "const") return false;
    const [file, index] = [argument(read, 0), argument(read, 1)];
    if (file.op !== "var" || file.sort.kind !== "file" || index.op !== "const") return false;
    if (index.value >= BigInt(file.sort.count)) return false;
    elements.push({ file, index: Number(index.value), value: value.value });
    return true;
  };

  for (const t of conjuncts(hypotheses)) {
    if (t === TRUE) continue;
    const settled =
      define(t, TRUE) ||
      (t.op === "not" && define(argument(t, 0), FALSE)) ||
      (t.op === "eq" && equality(argument(t, 0), argument(t, 1)));
    if (!settled) rest.push(t);
  }
  return { definitions, elements, rest };

  function equality(a: Term, b: Term): boolean {
    return define(a, b) || define(b, a) || pin(a, b) || pin(b, a);
  }
}

/** The hypotheses with `and` taken apart, also under a negated `or`. */
function conjuncts(hypotheses: readonly Term[]): Term[] {
  const found: Term[] = [];
  const stack = hypotheses.toReversed();
  for (let t = stack.pop(); t !== undefined; t = stack.pop()) {
    const inner = t.op === "not" ? argument(t, 0) : t;
    if (t.op === "and") stack.push(...t.args.toReversed());
    else if (t.op === "not" && inner.op === "or") stack.push(...inner.args.map(not).toReversed());
    else found.push(t);
  }
  return found;
}
