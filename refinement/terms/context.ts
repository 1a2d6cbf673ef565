/**
 * What follows from a list of hypotheses by rewriting alone.
 *
 * The hypotheses become oriented ground equations l → r that are kept reduced against each other (ground completion):
 * a variable that is equated goes, an atom that holds becomes `true`, a slice that is known becomes a constant. What is
 * not a literal stays as a clause and is simplified by every new equation until it is one (unit propagation).
 */
import { argument, constant, eq, FALSE, ite, ne, not, or, rebuild, TRUE, ult, widthOf } from "./construct.js";
import { type Equations, Facts } from "./facts.js";
import { Linear } from "./linear.js";
import { BOOL } from "./sort.js";
import { hasChoice } from "./split.js";
import { compareTerms, type Op, type Term } from "./term.js";
import { size } from "./variables.js";

/** Terms visited so far: what a proof is allowed to spend is counted in these, so that it is the same on every machine. */
export interface Fuel {
  left: number;
}

/** What taking up hypotheses may cost; hardly any do. */
export function ample(): Fuel {
  return { left: 4_000_000 };
}

/** Rewriting may feed itself; beyond this nesting a term stays as it is. */
const DEEPEST = 60;
/** Consequences drawn from one hypothesis at most, before those of each further one are added. */
const MOST_CONSEQUENCES = 2000;
/** An equation that comes back more often than this is going round in a circle. */
const MOST_TIMES = 3;

const subtermSets = new Map<Term, ReadonlySet<Term>>();

/** Every term inside `t`, itself included. */
function subterms(t: Term): ReadonlySet<Term> {
  let set = subtermSets.get(t);
  if (set === undefined) {
    const found = new Set<Term>();
    const stack: Term[] = [t];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (found.has(at)) continue;
      found.add(at);
      for (const arg of at.args) stack.push(arg);
    }
    set = found;
    if (subtermSets.size > 20_000) subtermSets.clear();
    subtermSets.set(t, set);
  }
  return set;
}

const COMPOUND: ReadonlySet<Op> = new Set(["and", "or", "not", "ite", "const"]);

/** Whether a bool says something that no other bools inside it say. */
function isAtom(t: Term): boolean {
  return !COMPOUND.has(t.op) && !(t.op === "eq" && t.args[0]?.sort === BOOL);
}

/** How willingly a term is replaced by what it equals: variables first, then reads, then anything. */
function rank(t: Term): number {
  switch (t.op) {
    case "var":
      return 0;
    case "load":
    case "select":
    case "apply":
    case "accessible":
      return 1;
    case "extract":
      return 2;
    default:
      return 3;
  }
}

export class Context {
  readonly fuel: Fuel;
  private readonly rules: Map<Term, Term>;
  private readonly clauses: Set<Term>;
  private readonly facts: Facts;
  private memo = new Map<Term, Term>();
  private depth = 0;
  private readonly equations: Equations = {
    lookUp: (t) => this.rules.get(t),
    rewrite: (t) => this.again(undefined, t),
  };
  contradictory = false;
  /** Left sides of the equations that came in since the context was empty or `settle` was called, in order. */
  readonly trail: Term[] = [];

  private constructor(fuel: Fuel, rules: Map<Term, Term>, clauses: Set<Term>, facts: Facts) {
    this.fuel = fuel;
    this.rules = rules;
    this.clauses = clauses;
    this.facts = facts;
  }

  static empty(fuel: Fuel = ample()): Context {
    return new Context(fuel, new Map(), new Set(), new Facts());
  }

  /** A copy that draws on another supply and can be added to without harm to this one. */
  copy(fuel: Fuel = this.fuel): Context {
    const copied = new Context(fuel, new Map(this.rules), new Set(this.clauses), this.facts.copy());
    copied.contradictory = this.contradictory;
    copied.trail.push(...this.trail);
    return copied;
  }

  /** Begins a new trail. */
  settle(): void {
    this.trail.length = 0;
  }

  /** Disjunctions of which it is not known which part holds. */
  get openClauses(): Iterable<Term> {
    return this.clauses;
  }

  /** A term equal to `t` wherever the hypotheses hold. */
  simplify(t: Term): Term {
    return this.rewrite(t);
  }

  /** What holds but leaves cases open: left and right sides of equations, those of bools included. */
  get undecided(): Iterable<readonly [Term, Term]> {
    return [...this.rules].filter(([left]) => hasChoice(left));
  }

  /** Whether an equation or a clause mentions the term. */
  mentions(t: Term): boolean {
    for (const [left, right] of this.rules) if (subterms(left).has(t) || subterms(right).has(t)) return true;
    return false;
  }

  /** What has become of a hypothesis: its parts are simplified, that it holds is not used. */
  reduced(hypothesis: Term): Term {
    if (hypothesis.op === "not") return not(this.reduced(argument(hypothesis, 0)));
    return rebuild(
      hypothesis,
      hypothesis.args.map((arg) => this.rewrite(arg)),
    );
  }

  /** Adds hypotheses and draws the consequences. */
  assume(...hypotheses: readonly Term[]): void {
    const queue: Term[] = [...hypotheses].reverse();
    // Equations may chase each other for ever; what is dropped then is only not known.
    let left = MOST_CONSEQUENCES + 20 * hypotheses.length;
    const times = new Map<Term, number>();
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (this.contradictory || this.fuel.left <= 0 || left <= 0) return;
      left -= 1;
      if (next.op === "eq") {
        const time = (times.get(next) ?? 0) + 1;
        times.set(next, time);
        if (time > MOST_TIMES) {
          this.rules.set(next, TRUE);
          this.memo.clear();
          continue;
        }
      }
      const changed = new Set<Term>();
      this.literal(next, queue, changed);
      if (changed.size > 0) this.reduce(changed, queue);
    }
  }

  // Completion

  /** Takes out the equations and clauses that mention what changed; those that are no longer reduced are assumed again. */
  private reduce(changed: ReadonlySet<Term>, queue: Term[]): void {
    const touched = (t: Term): boolean => {
      const inside = subterms(t);
      for (const key of changed) if (inside.has(key)) return true;
      return false;
    };
    const out: (readonly [Term, Term])[] = [];
    for (const entry of this.rules) {
      const [left, right] = entry;
      if (changed.has(left)) continue;
      if (touched(left) || touched(right)) out.push(entry);
    }
    // All at once: a left side must not be rewritten by its own equation, nor by one that is itself out of date.
    for (const [left] of out) this.rules.delete(left);
    if (out.length > 0) this.memo.clear();
    for (const [left, right] of out) {
      if (this.clauses.has(left)) {
        this.clauses.delete(left);
        queue.push(left);
        continue;
      }
      const below = left.args.map((arg) => this.rewrite(arg));
      const newLeft = below.every((arg, i) => arg === left.args[i]) ? left : rebuild(left, below);
      const newRight = this.rewrite(right);
      if (newLeft === left && newRight === right) this.rules.set(left, right);
      else queue.push(left.sort === BOOL && right === TRUE ? newLeft : eq(newLeft, newRight));
    }
    if (out.length > 0) this.memo.clear();
  }

  private define(left: Term, right: Term, changed: Set<Term>): void {
    this.rules.set(left, right);
    this.trail.push(left);
    this.memo.clear();
    changed.add(left);
  }

  private literal(hypothesis: Term, queue: Term[], changed: Set<Term>): void {
    const h = this.rewrite(hypothesis);
    if (h === TRUE) return;
    if (h === FALSE) {
      this.contradictory = true;
      return;
    }
    switch (h.op) {
      case "and":
        queue.push(...h.args);
        return;
      case "or":
        this.clauses.add(h);
        this.rules.set(h, TRUE);
        this.memo.clear();
        changed.add(not(h));
        return;
      case "ite": {
        const c = argument(h, 0);
        queue.push(or(not(c), argument(h, 1)), or(c, argument(h, 2)));
        return;
      }
      case "not":
        this.denied(argument(h, 0), queue, changed);
        return;
      case "eq":
        this.equation(argument(h, 0), argument(h, 1), h, queue, changed);
        return;
      default:
        this.define(h, TRUE, changed);
        if (h.op === "ult") this.ordered(h, queue, changed);
        return;
    }
  }

  private denied(atom: Term, queue: Term[], changed: Set<Term>): void {
    if (atom.op === "eq" && atom.args[0]?.sort === BOOL) {
      // p != q is p == !q, whose normal form is this again.
      this.equivalence(argument(atom, 0), not(argument(atom, 1)), not(atom), queue, changed);
      return;
    }
    if (atom.op === "eq" && widthOf(argument(atom, 0)) === 1 && atom.args[1]?.op === "const") {
      const other = constant(1, 1n - argument(atom, 1).value);
      this.equation(argument(atom, 0), other, atom, queue, changed);
      return;
    }
    if (atom.op === "eq" && this.unordered(argument(atom, 0), argument(atom, 1))) {
      this.contradictory = true;
      return;
    }
    this.define(atom, FALSE, changed);
    if (atom.op === "eq" || atom.op === "ult") this.narrow(atom, false, queue, changed);
  }

  /** Neither of two numbers is below the other: they are equal. */
  private unordered(a: Term, b: Term): boolean {
    if (a.sort.kind !== "bits" || a.op === "const" || b.op === "const") return false;
    return this.rules.get(ult(a, b)) === FALSE && this.rules.get(ult(b, a)) === FALSE;
  }

  /** a <u b also says that a is not b. */
  private ordered(atom: Term, queue: Term[], changed: Set<Term>): void {
    const a = argument(atom, 0);
    const b = argument(atom, 1);
    this.narrow(atom, true, queue, changed);
    if (a.op !== "const" && b.op !== "const") queue.push(ne(a, b), not(ult(b, a)));
  }

  /** A comparison with a constant narrows the values that the other side can have. */
  private narrow(atom: Term, holds: boolean, queue: Term[], changed: Set<Term>): void {
    const narrowed = this.facts.compare(atom, holds);
    if (narrowed === undefined) return;
    if (narrowed.value === "none") {
      this.contradictory = true;
    } else {
      changed.add(narrowed.term);
      this.memo.clear();
      if (narrowed.value !== undefined) this.fix(narrowed.term, narrowed.value, queue, changed);
    }
  }

  /** A term has one value left. The facts know already, so the equation would be decided before it said anything. */
  private fix(t: Term, value: bigint, queue: Term[], changed: Set<Term>): void {
    const h = eq(t, constant(widthOf(t), value));
    if (h.op === "eq" && h.args[1]?.op === "const") this.equation(argument(h, 0), argument(h, 1), h, queue, changed);
    else queue.push(h);
  }

  private equation(a: Term, b: Term, atom: Term, queue: Term[], changed: Set<Term>): void {
    if (a.sort === BOOL) {
      this.equivalence(a, b, atom, queue, changed);
      return;
    }
    if (b.op === "const") {
      this.define(a, b, changed);
      if (a.op === "extract") {
        const whole = argument(a, 0);
        const known = this.facts.slice(a, b.value);
        if (known !== "nothing new") changed.add(whole);
        if (typeof known === "bigint") this.fix(whole, known, queue, changed);
        // The slice that a comparison with a power of two is; one bit is none.
        if (widthOf(a) > 1) this.narrow(atom, true, queue, changed);
      }
      if (a.op !== "add") return;
    }
    const solved = solve(a, b);
    if (solved !== undefined) {
      if (b.op === "const") {
        this.rules.delete(a);
        changed.delete(a);
      }
      this.define(solved[0], solved[1], changed);
      return;
    }
    if (b.op === "const") return;
    const [left, right] = orient(a, b);
    this.define(left, right, changed);
  }

  /** p == q on bools: `p` is rewritten to `q` where it is an atom, else there are two clauses. `whole` says so. */
  private equivalence(p: Term, q: Term, whole: Term, queue: Term[], changed: Set<Term>): void {
    const sides: readonly (readonly [Term, Term])[] = [
      [p, q],
      [q, p],
    ];
    for (const [x, y] of rank(p) <= rank(q) ? sides : sides.toReversed()) {
      // A negated atom is as good: !x == y is x == !y.
      const [atom, value] = x.op === "not" ? [argument(x, 0), not(y)] : [x, y];
      if (!isAtom(atom) || subterms(value).has(atom)) continue;
      this.define(atom, value, changed);
      return;
    }
    const [atom, value] = whole.op === "not" ? [argument(whole, 0), FALSE] : [whole, TRUE];
    this.define(atom, value, changed);
    queue.push(or(not(p), q), or(p, not(q)));
  }

  // Rewriting

  private rewrite(t: Term): Term {
    if (t.op === "const") return t;
    const known = this.memo.get(t);
    if (known !== undefined) return known;
    this.fuel.left -= 1;
    if (this.depth > DEEPEST || this.fuel.left <= 0) return t;
    const result = this.step(t);
    this.memo.set(t, result);
    return result;
  }

  /** A disjunction that says no more than a clause holds; a conjunction that denies one does not. */
  private decidedByClause(t: Term): Term | undefined {
    if (t.op !== "or" && t.op !== "and") return undefined;
    for (const clause of this.clauses) {
      if (clause === t || clause.args.length > t.args.length) continue;
      if (t.op === "or" && clause.args.every((part) => t.args.includes(part))) return TRUE;
      if (t.op === "and" && clause.args.every((part) => t.args.includes(not(part)))) return FALSE;
    }
    return undefined;
  }

  private again(from: Term | undefined, to: Term): Term {
    if (from === to) return to;
    this.depth += 1;
    const result = this.rewrite(to);
    this.depth -= 1;
    return result;
  }

  private step(t: Term): Term {
    const right = this.rules.get(t);
    if (right !== undefined) return this.again(t, right);
    if (t.op === "var") return t;
    if (t.op === "ite") {
      // A decided condition saves the other branch.
      const c = this.rewrite(argument(t, 0));
      if (c === TRUE) return this.rewrite(argument(t, 1));
      if (c === FALSE) return this.rewrite(argument(t, 2));
      const a = this.rewrite(argument(t, 1));
      const b = this.rewrite(argument(t, 2));
      return c === t.args[0] && a === t.args[1] && b === t.args[2] ? t : this.again(t, ite(c, a, b));
    }
    let changed = false;
    const args: Term[] = [];
    for (const arg of t.args) {
      const rewritten = this.rewrite(arg);
      if (rewritten !== arg) changed = true;
      args.push(rewritten);
    }
    if (changed) {
      const rebuilt = rebuild(t, args);
      if (rebuilt !== t) return this.again(t, rebuilt);
    }
    const derived = this.decidedByClause(t) ?? this.facts.decide(t, this.equations);
    return derived === undefined ? t : this.again(t, derived);
  }
}

/**
 * x from a linear equation in which the variable x has the coefficient ±1 and stands nowhere else. Of several variables
 * always the last by name, so that two equations do not undo each other.
 */
function solve(a: Term, b: Term): readonly [Term, Term] | undefined {
  if (a.op !== "add" && b.op !== "add") return undefined;
  const form = Linear.difference(a, b);
  const minusOne = (1n << BigInt(form.width)) - 1n;
  let found: readonly [Term, bigint] | undefined;
  for (const entry of form.atoms) {
    const [atom, c] = entry;
    if (atom.op !== "var" || (c !== 1n && c !== minusOne)) continue;
    if (found !== undefined && compareTerms(found[0], atom) > 0) continue;
    if ([...form.atoms.keys()].some((other) => other !== atom && subterms(other).has(atom))) continue;
    found = entry;
  }
  if (found === undefined) return undefined;
  // ±x + rest = 0, so x = ∓rest.
  const [x, c] = found;
  const rest = c === 1n ? form.scale(-1n) : form;
  rest.add(x, 1n);
  return [x, rest.toTerm()];
}

/** Which side is replaced by which. */
function orient(a: Term, b: Term): readonly [Term, Term] {
  // A term in which cases are open goes, whatever stands on the other side: once they are decided it comes back smaller.
  if (hasChoice(a) !== hasChoice(b)) {
    const [open, closed] = hasChoice(a) ? [a, b] : [b, a];
    return subterms(closed).has(open) ? [closed, open] : [open, closed];
  }
  const [low, high] = rank(a) < rank(b) || (rank(a) === rank(b) && prefer(a, b)) ? [a, b] : [b, a];
  return subterms(high).has(low) ? [high, low] : [low, high];
}

/** Of two terms of one rank, the bigger is replaced. */
function prefer(a: Term, b: Term): boolean {
  const difference = size(a) - size(b);
  return difference !== 0 ? difference > 0 : compareTerms(a, b) > 0;
}
