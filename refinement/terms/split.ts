/** Which case to distinguish next in a goal. */
import { argument, load } from "./construct.js";
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

/** A read without the writes before it: what is read, whatever has been put there. */
function plainRead(read: Term): Term {
  let memory = argument(read, 0);
  while (memory.op === "write" || memory.op === "ite") memory = argument(memory, memory.op === "ite" ? 2 : 0);
  return load(memory, argument(read, 1), read.bytes);
}

function addValue(value: Term, found: Set<Term>): void {
  if (value.op === "const") return;
  found.add(value);
  if (value.op === "extract") addValue(argument(value, 0), found);
  if (value.op === "load") found.add(plainRead(value));
}

const valuesOf = new Map<Term, ReadonlySet<Term>>();

/** The values, constants aside, between which the bit-vector choices in `t` choose; a slice stands for its whole as well. */
export function choiceValues(t: Term): ReadonlySet<Term> {
  const known = valuesOf.get(t);
  if (known !== undefined) return known;
  const found = new Set<Term>();
  const seen = new Set<Term>();
  const stack: Term[] = [t];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (seen.has(at) || at.op === "lambda") continue;
    seen.add(at);
    stack.push(...at.args);
    if (at.op !== "ite" || at.sort.kind !== "bits") continue;
    for (const value of at.args.slice(1)) if (value.op !== "ite") addValue(value, found);
  }
  if (valuesOf.size > 20_000) valuesOf.clear();
  valuesOf.set(t, found);
  return found;
}

/** The variables and reads that a literal is about. */
export function subjects(literal: Term): ReadonlySet<Term> {
  const found = new Set<Term>();
  const visit = (t: Term): void => {
    if (t.op === "lambda") return;
    if (t.sort.kind === "bits" && (t.op === "var" || t.op === "select" || t.op === "load" || t.op === "extract"))
      addValue(t, found);
    if (t.op !== "select" && t.op !== "load") for (const arg of t.args) visit(arg);
  };
  visit(literal);
  return found;
}

export function meets(a: ReadonlySet<Term>, b: ReadonlySet<Term>): boolean {
  for (const t of a) if (b.has(t)) return true;
  return false;
}
