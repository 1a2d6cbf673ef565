/** Proof by rewriting and case distinction: a small DPLL whose theory is the rewriter. */
import { argument, FALSE, not, TRUE } from "./construct.js";
import { Context } from "./context.js";
import { hasChoice, splittingAtom } from "./split.js";
import type { Term } from "./term.js";
import { freeVariables } from "./variables.js";

export interface Budget {
  /** Case distinctions. */
  readonly splits: number;
  /** Terms visited, in all. */
  readonly visits?: number;
  /** More open leaves than this, and the goal is given back whole. */
  readonly leaves?: number;
}

export const DEFAULT_BUDGET: Required<Budget> = { splits: 2000, visits: 3_000_000, leaves: 24 };

/** A goal that rewriting did not settle: what remains to be shown, under all of these hypotheses. */
export interface OpenGoal {
  readonly hypotheses: readonly Term[];
  readonly goal: Term;
}

export type RewritingProof =
  | { readonly proved: true }
  | {
      readonly proved: false;
      /** Together they imply the goal asked for; if one of them is false, so is the goal. */
      readonly open: readonly OpenGoal[];
    };

/** Disjunctions among the hypotheses that are split on one path, once the goal itself offers no case. */
const CLAUSE_DEPTH = 3;
/** Disjunctions that are tried for one leaf. */
const CLAUSES_TRIED = 6;
const LONGEST_CLAUSE = 4;

class Exhausted extends Error {}

class Search {
  private splits: number;
  private readonly leaves: number;
  private readonly focus: readonly Term[];
  readonly open: OpenGoal[] = [];

  constructor(budget: Required<Budget>, focus: readonly Term[]) {
    this.focus = focus;
    this.splits = budget.splits;
    this.leaves = budget.leaves;
  }

  /**
   * Whether the goal holds in the context. `path` lists what was assumed on the way. `depth` counts the disjunctions split
   * so far: at 0 a leaf that stays open is recorded and the search goes on, below it the first one ends the search.
   */
  prove(context: Context, goal: Term, path: readonly Term[], depth: number): boolean {
    if (context.contradictory) return true;
    if (context.fuel.left <= 0) throw new Exhausted();
    const g = context.simplify(goal);
    if (g === TRUE) return true;
    const open = this.openFocus(context);
    if (open !== undefined) return this.byCases(context, open, g, path, depth);
    if (g.op === "and") return this.all(g.args, depth, (part) => this.prove(context, part, path, depth));
    if (g.op === "or") return this.disjunction(context, g, path, depth);
    const atom = splittingAtom(g);
    if (atom === undefined) return this.leaf(context, g, path, depth);
    return this.byCases(context, atom, g, path, depth);
  }

  private openFocus(context: Context): Term | undefined {
    for (const term of this.focus) {
      for (const definition of context.definitionsOf(term)) {
        const atom = hasChoice(definition) ? splittingAtom(definition) : undefined;
        if (atom !== undefined) return atom;
      }
    }
    return undefined;
  }

  private byCases(context: Context, atom: Term, goal: Term, path: readonly Term[], depth: number): boolean {
    return this.all([atom, not(atom)], depth, (literal) => {
      this.spend();
      const inside = context.copy();
      inside.assume(literal);
      return this.prove(inside, goal, [...path, literal], depth);
    });
  }

  /** Whether `holds` of all; where leaves are recorded, every one is looked at even so. */
  private all(parts: readonly Term[], depth: number, holds: (part: Term) => boolean): boolean {
    let every = true;
    for (const part of parts) {
      if (holds(part)) continue;
      if (depth > 0) return false;
      every = false;
    }
    return every;
  }

  private spend(): void {
    this.splits -= 1;
    if (this.splits < 0) throw new Exhausted();
  }

  /** To show a || b: assume the others false and show the one with the most structure. */
  private disjunction(context: Context, goal: Term, path: readonly Term[], depth: number): boolean {
    let main = argument(goal, 0);
    let most = -1;
    for (const part of goal.args) {
      const structure = hasChoice(part) ? 3 : part.op === "and" ? 2 : splittingAtom(part) === undefined ? 0 : 1;
      if (structure > most) {
        most = structure;
        main = part;
      }
    }
    this.spend();
    const denied = goal.args.filter((part) => part !== main).map(not);
    const inside = context.copy();
    inside.assume(...denied);
    return this.prove(inside, main, [...path, ...denied], depth);
  }

  /** The goal offers no case: its negation may contradict the hypotheses, or a disjunction among them may help. */
  private leaf(context: Context, goal: Term, path: readonly Term[], depth: number): boolean {
    const atom = pendingAtom(context, path);
    if (atom !== undefined) return this.byCases(context, atom, goal, path, depth);
    const denied = context.copy();
    denied.assume(not(goal));
    if (denied.contradictory) return true;
    if (depth < CLAUSE_DEPTH) {
      for (const clause of relevantClauses(denied, goal))
        if (this.byClause(denied, clause, goal, path, depth)) return true;
    }
    if (depth > 0) return false;
    if (this.open.length >= this.leaves) throw new Exhausted();
    this.open.push({ hypotheses: path, goal });
    return false;
  }

  private byClause(context: Context, clause: Term, goal: Term, path: readonly Term[], depth: number): boolean {
    const rest = context.copy();
    for (const part of clause.args) {
      this.spend();
      const inside = rest.copy();
      inside.assume(part);
      if (!this.prove(inside, goal, path, depth + 1)) return false;
      rest.assume(not(part));
      if (rest.contradictory) return true;
    }
    return true;
  }
}

/** A case that something assumed on the way still leaves open. */
function pendingAtom(context: Context, path: readonly Term[]): Term | undefined {
  for (const assumed of path) {
    if (!hasChoice(assumed)) continue;
    const atom = splittingAtom(context.reduced(assumed));
    if (atom !== undefined) return atom;
  }
  return undefined;
}

/** The shortest disjunctions among the hypotheses that share a variable with the goal; all, where nothing but a contradiction would do. */
function relevantClauses(context: Context, goal: Term): readonly Term[] {
  const wanted = freeVariables(goal);
  const found: Term[] = [];
  for (const clause of context.openClauses) {
    if (clause.args.length > LONGEST_CLAUSE) continue;
    if (goal === FALSE) found.push(clause);
    for (const v of freeVariables(clause)) {
      if (!wanted.has(v)) continue;
      found.push(clause);
      break;
    }
  }
  return found.sort((a, b) => a.args.length - b.args.length).slice(0, CLAUSES_TRIED);
}

let cached: { readonly hypotheses: readonly Term[]; readonly context: Context } | undefined;

/** The context of a list of hypotheses; goals under the same list come one after the other. */
function contextOf(hypotheses: readonly Term[]): Context {
  const last = cached;
  if (
    last !== undefined &&
    last.hypotheses.length === hypotheses.length &&
    last.hypotheses.every((h, i) => h === hypotheses[i])
  )
    return last.context;
  const context = Context.empty();
  context.assume(...hypotheses);
  cached = { hypotheses: [...hypotheses], context };
  return context;
}

/**
 * Tries to show that the hypotheses imply the goal: simplifies it under them and distinguishes cases until each is `true`.
 * Sound, not complete: what remains is given back for a solver. The cases in what the variables in `focus` are
 * equal to are distinguished first, whether the goal shows them or not: the word that was fetched, say, on which all else depends.
 */
export function proveByRewriting(
  hypotheses: readonly Term[],
  goal: Term,
  budget: Budget = DEFAULT_BUDGET,
  focus: readonly Term[] = [],
): RewritingProof {
  const limits = { ...DEFAULT_BUDGET, ...budget };
  const base = contextOf(hypotheses);
  const context = base.copy({ left: limits.visits });
  const search = new Search(limits, focus);
  try {
    search.prove(context, goal, [], 0);
  } catch (error) {
    if (!(error instanceof Exhausted)) throw error;
    return { proved: false, open: [{ hypotheses: [...hypotheses], goal }] };
  }
  if (search.open.length === 0) return { proved: true };
  return {
    proved: false,
    open: search.open.map((leaf) => ({ hypotheses: [...hypotheses, ...leaf.hypotheses], goal: leaf.goal })),
  };
}
