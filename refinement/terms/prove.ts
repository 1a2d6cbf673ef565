/** Proof by rewriting and case distinction: a small DPLL whose theory is the rewriter. */
import { argument, constant, eq, FALSE, fileSortOf, not, select, TRUE } from "./construct.js";
import { Context, type Fuel } from "./context.js";
import { choiceValues, hasChoice, meets, splittingAtom, subjects } from "./split.js";
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

/**
 * How deep a leaf is looked into once the goal itself offers no case: a case of some term costs 1, a disjunction among the
 * hypotheses 2.
 */
const EFFORT = 20;
/** The share of all splits that one leaf may take. */
const LEAF_SHARE = 0.1;
/** Disjunctions that are tried for one leaf. */
const CLAUSES_TRIED = 2;
const LONGEST_CLAUSE = 4;

/** The budget is used up, or a leaf's share of it. */
class Exhausted extends Error {
  readonly whole: boolean;
  constructor(whole: boolean) {
    super("exhausted");
    this.whole = whole;
  }
}

/** What is to be shown at one point of the search. */
interface Point {
  readonly context: Context;
  readonly goal: Term;
  /** What was assumed on the way. */
  readonly path: readonly Term[];
  /** Effort spent on the leaf above; at 0, leaves that stay open are recorded and the search goes on. */
  readonly spent: number;
  /** The goal of the leaf above, where there is one: it says which hypotheses matter. */
  readonly about: Term | undefined;
}

class Search {
  private splits: number;
  private readonly leaves: number;
  private readonly share: number;
  /** The leaf under consideration may not bring the splits below this. */
  private floor = 0;
  readonly open: OpenGoal[] = [];

  constructor(budget: Required<Budget>) {
    this.splits = budget.splits;
    this.leaves = budget.leaves;
    this.share = Math.max(20, Math.floor(budget.splits * LEAF_SHARE));
  }

  /** Whether the goal holds in the context. Where effort is spent, the first thing that stays open ends the search. */
  prove(point: Point): boolean {
    const { context } = point;
    if (context.contradictory) return true;
    if (context.fuel.left <= 0) throw new Exhausted(true);
    const goal = context.simplify(point.goal);
    if (goal === TRUE) return true;
    if (goal.op === "and") return this.all(goal.args, point, (part) => this.prove({ ...point, goal: part }));
    if (goal.op === "or") return this.disjunction({ ...point, goal });
    const atom = splittingAtom(goal);
    if (atom === undefined) return this.leaf({ ...point, goal });
    return this.byCases({ ...point, goal }, firstCase(context, atom), 0);
  }

  /** Whether `holds` of all; where leaves are recorded, every one is looked at even so. */
  private all(parts: readonly Term[], point: Point, holds: (part: Term) => boolean): boolean {
    let every = true;
    for (const part of parts) {
      if (holds(part)) continue;
      if (point.spent > 0) return false;
      every = false;
    }
    return every;
  }

  /** The point at which more is assumed. */
  private under(point: Point, literals: readonly Term[], effort = 0): Point {
    this.splits -= 1;
    if (this.splits < 0) throw new Exhausted(true);
    if (this.splits < this.floor) throw new Exhausted(false);
    const context = point.context.copy();
    context.assume(...literals);
    return { ...point, context, path: [...point.path, ...literals], spent: point.spent + effort };
  }

  private byCases(point: Point, atom: Term, effort: number): boolean {
    return this.all([atom, not(atom)], { ...point, spent: point.spent + effort }, (literal) =>
      this.prove(this.under(point, [literal], effort)),
    );
  }

  /** To show a || b: assume the others false and show the one with the most structure. */
  private disjunction(point: Point): boolean {
    const parts = point.goal.args;
    let main = argument(point.goal, 0);
    let most = -1;
    for (const part of parts) {
      const structure = part.op === "and" ? 3 : hasChoice(part) ? 2 : splittingAtom(part) === undefined ? 0 : 1;
      if (structure > most) {
        most = structure;
        main = part;
      }
    }
    return this.prove({ ...this.under(point, parts.filter((part) => part !== main).map(not)), goal: main });
  }

  /** The goal offers no case: its negation may contradict the hypotheses, or a case among them may help. */
  private leaf(point: Point): boolean {
    const denied = this.under(point, [not(point.goal)]);
    if (denied.context.contradictory) return true;
    const inside = { ...denied, goal: FALSE, about: point.about ?? point.goal };
    if (point.spent > 0) return point.spent < EFFORT && this.indirectly(inside);
    if (this.withinShare(() => this.indirectly(inside))) return true;
    if (this.open.length >= this.leaves) throw new Exhausted(true);
    this.open.push({ hypotheses: point.path, goal: point.goal });
    return false;
  }

  private withinShare(attempt: () => boolean): boolean {
    this.floor = this.splits - this.share;
    try {
      return attempt();
    } catch (error) {
      if (error instanceof Exhausted && !error.whole) return false;
      throw error;
    } finally {
      this.floor = 0;
    }
  }

  /** Cases of what was assumed on the way, of what the goal's variables stand for, of the hypotheses. */
  private indirectly(point: Point): boolean {
    const { context, path } = point;
    // What places are known to be apart decides reads in clauses that mention neither place: they have to be asked.
    if (path.some((assumed) => context.reduced(assumed) === FALSE)) return true;
    const atom = pendingAtom(context, path) ?? consequentAtom(context) ?? indexAtom(context, path);
    if (atom !== undefined) return this.byCases(point, atom, 1);
    if (this.clauses(point).some((clause) => this.byClause(point, clause))) return true;
    const related = relatedAtom(context);
    return related !== undefined && this.byCases(point, related, 1);
  }

  private clauses({ context, path, about }: Point): readonly Term[] {
    for (const assumed of path) {
      const clause = context.reduced(assumed);
      if (clause.op === "or") return [clause];
    }
    return about === undefined ? [] : relevantClauses(context, about);
  }

  private byClause(point: Point, clause: Term): boolean {
    const denied: Term[] = [];
    for (const part of clause.args) {
      const inside = this.under(point, [...denied, part], 2);
      if (!this.prove(inside)) return false;
      denied.push(not(part));
    }
    return true;
  }
}

/** A case that something assumed on the way still leaves open. */
function pendingAtom(context: Context, path: readonly Term[]): Term | undefined {
  for (const assumed of path) {
    if (!hasChoice(assumed)) continue;
    const reduced = context.reduced(assumed);
    const atom = hasChoice(reduced) ? splittingAtom(reduced) : undefined;
    if (atom !== undefined) return atom;
  }
  return undefined;
}

/** A case of what something is about that was assumed or followed on the way; what came last comes first. */
function consequentAtom(context: Context): Term | undefined {
  for (const literal of context.trail.toReversed()) {
    const atom = undecidedCase(context, literal);
    if (atom !== undefined) return atom;
  }
  return undefined;
}

/**
 * The case to look at before `atom`: where the atom is about a term of which the hypotheses say that it is one thing or
 * another (the word that was fetched: from memory, or what a store on its way has put there), which of them it is.
 */
function firstCase(context: Context, atom: Term): Term {
  let first = atom;
  for (let i = 0; i < 4; i++) {
    const next = undecidedCase(context, first);
    if (next === undefined || next === first) break;
    first = next;
  }
  return first;
}

/** A case of a hypothesis that chooses between values, one of which is what `literal` is about. */
function undecidedCase(context: Context, literal: Term): Term | undefined {
  const about = subjects(literal);
  if (about.size === 0) return undefined;
  for (const [left, right] of context.undecided) {
    if (!about.has(right) && !meets(choiceValues(left), about)) continue;
    const atom = splittingAtom(left);
    if (atom !== undefined) return atom;
  }
  return undefined;
}

/** A case of a hypothesis that turns on what was assumed or followed on the way, whatever it chooses between. */
function relatedAtom(context: Context): Term | undefined {
  const about = new Set(context.trail.flatMap((literal) => [...subjects(literal)]));
  if (about.size === 0) return undefined;
  for (const [left] of context.undecided) {
    const atom = splittingAtom(left);
    if (atom !== undefined && meets(subjects(atom), about)) return atom;
  }
  return undefined;
}

/** Files up to this size are looked at element by element. */
const FEW_ELEMENTS = 8;

/** A value of an index into a small file of which the hypotheses know single elements. */
function indexAtom(context: Context, terms: readonly Term[]): Term | undefined {
  const seen = new Set<Term>();
  const stack: Term[] = [...terms];
  for (let t = stack.pop(); t !== undefined; t = stack.pop()) {
    if (seen.has(t) || t.op === "lambda") continue;
    seen.add(t);
    stack.push(...t.args);
    if (t.op !== "select") continue;
    const file = argument(t, 0);
    const { count, index: width } = fileSortOf(file);
    if (count > FEW_ELEMENTS) continue;
    const index = context.simplify(argument(t, 1));
    if (index.op === "const") continue;
    for (let i = 0; i < count; i++) {
      const atom = context.simplify(eq(index, constant(width, BigInt(i))));
      if (atom.op !== "const" && context.mentions(select(file, constant(width, BigInt(i)))))
        return atom.op === "eq" ? atom : splittingAtom(atom);
    }
  }
  return undefined;
}

/** The shortest disjunctions among the hypotheses that share a variable with the goal; all, where there is no goal. */
function relevantClauses(context: Context, about: Term): readonly Term[] {
  const wanted = freeVariables(about);
  const found: Term[] = [];
  for (const clause of context.openClauses) {
    if (clause.args.length > LONGEST_CLAUSE) continue;
    if (wanted.size === 0) found.push(clause);
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
  context.settle();
  cached = { hypotheses: [...hypotheses], context };
  return context;
}

/**
 * Tries to show that the hypotheses imply the goal: simplifies it under them and distinguishes cases until each is `true`.
 * Sound, not complete: what remains is given back for a solver.
 */
export function proveByRewriting(
  hypotheses: readonly Term[],
  goal: Term,
  budget: Budget = DEFAULT_BUDGET,
): RewritingProof {
  const limits = { ...DEFAULT_BUDGET, ...budget };
  const fuel = { left: limits.visits };
  const search = new Search(limits);
  try {
    search.prove({ ...aim(hypotheses, goal, fuel), path: [], spent: 0, about: undefined });
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

/**
 * A goal that cannot hold offers no cases: the hypotheses have to contradict each other. The last of them that has cases,
 * mostly the way that one side takes where the other has taken its own, is then what the others have to deny.
 */
function aim(hypotheses: readonly Term[], goal: Term, fuel: Fuel): Pick<Point, "context" | "goal"> {
  const context = contextOf(hypotheses).copy(fuel);
  const last = context.simplify(goal) === FALSE ? hypotheses.findLastIndex(hasChoice) : -1;
  const denied = hypotheses[last];
  if (denied === undefined) return { context, goal };
  return { context: contextOf(hypotheses.filter((_, i) => i !== last)).copy(fuel), goal: not(denied) };
}
