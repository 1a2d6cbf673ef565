/** Which case to distinguish next in a goal. */
import { argument } from "./construct.js";
import { BOOL } from "./sort.js";
import type { Term } from "./term.js";

const containsChoice = new Map<Term, boolean>();

/** Whether an `ite` stands in `t`, outside lambdas. */
export function hasChoice(t: Term): boolean {
  if (t.op === "ite") return true;
  if (t.args.length === 0 || t.op === "lambda") return false;
  const known = containsChoice.get(t);
  if (known !== undefined) return known;
  const found = t.args.some(hasChoice);
  if (containsChoice.size > 200_000) containsChoice.clear();
  containsChoice.set(t, found);
  return found;
}

/**
 * The atom to split a goal on: one that decides an outermost `ite`, or else one of the goal's own Boolean structure. Of
 * several at hand the one that occurs most. Nothing under a `lambda` is looked at: what is bound there has no value here.
 */
export function splittingAtom(goal: Term): Term | undefined {
  const weights = new Map<Term, number>();
  const seen = new Set<Term>();
  let level: Term[] = [goal];
  let weight = 1;
  while (level.length > 0) {
    const next: Term[] = [];
    for (const t of level) {
      if (seen.has(t) || t.op === "lambda") continue;
      seen.add(t);
      if (t.op === "ite") atoms(argument(t, 0), weight, weights);
      else if (t.sort === BOOL && isConnective(t)) for (const arg of t.args) atoms(arg, weight, weights);
      for (const arg of t.args) next.push(arg);
    }
    level = next;
    weight *= 0.6;
  }
  let best: Term | undefined;
  let most = 0;
  for (const [atom, w] of weights) {
    if (w > most) {
      best = atom;
      most = w;
    }
  }
  return best;
}

function isConnective(t: Term): boolean {
  return t.op === "and" || t.op === "or" || t.op === "not" || (t.op === "eq" && t.args[0]?.sort === BOOL);
}

/** Adds `weight` to the atoms of a condition that have no choice inside them; those inside come first. */
function atoms(condition: Term, weight: number, weights: Map<Term, number>): void {
  if (condition.op === "const") return;
  if (isConnective(condition)) {
    for (const arg of condition.args) atoms(arg, weight, weights);
  } else if (!hasChoice(condition)) {
    weights.set(condition, (weights.get(condition) ?? 0) + weight * promise(condition));
  }
}

/** How much a case tells: flags decide whole clauses of the hypotheses, then what a field is equal to, then the rest. */
function promise(atom: Term): number {
  if (atom.op === "var") return 16;
  if (atom.op === "eq" && atom.args[1]?.op === "const") return 4;
  return 1;
}
