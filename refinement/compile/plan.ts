/**
 * Where to compute what: a term used more than once is computed once, into a local, in the innermost place that all its
 * uses share; a choice with an expensive branch evaluates only the branch it takes; what does not depend on a loop's
 * variable is computed before the loop. Terms are total and without side effects, so computing one early is always sound.
 */
import { InternalDefect } from "../errors.js";
import type { Term } from "../terms/term.js";

/** A stretch of code that runs as a whole: the body of a function, a branch, a loop's body. */
export class Scope {
  readonly parent: Scope | undefined;
  readonly depth: number;
  /** The variable of the loop whose body this is. */
  readonly loop: Term | undefined;

  constructor(parent: Scope | undefined, loop?: Term) {
    this.parent = parent;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
    this.loop = loop;
  }

  isWithin(other: Scope): boolean {
    let at: Scope | undefined = this;
    while (at !== undefined && at.depth > other.depth) at = at.parent;
    return at === other;
  }
}

function meet(a: Scope, b: Scope): Scope {
  let x: Scope | undefined = a;
  let y: Scope | undefined = b;
  while (x !== y && x !== undefined && y !== undefined) {
    if (x.depth >= y.depth) x = x.parent;
    else y = y.parent;
  }
  if (x === undefined || x !== y) throw new InternalDefect("two scopes of different functions");
  return x;
}

/** How a term's arguments are evaluated. */
export type Shape =
  | { readonly kind: "strict" }
  /** Evaluates `taken` or `otherwise` in a scope of its own. */
  | { readonly kind: "choice"; readonly taken: Scope; readonly otherwise: Scope }
  /** `and`, `or`: the first ones at once, each later one only if it still matters, within the one before. */
  | {
      readonly kind: "chain";
      readonly first: readonly Term[];
      readonly later: readonly { readonly term: Term; readonly scope: Scope }[];
    };

const STRICT: Shape = { kind: "strict" };
/** A branch that costs more is worth a jump. */
const LAZY = 12;
const LIMIT = 1_000_000;

interface Use {
  count: number;
  readonly scopes: Scope[];
}

export class Plan {
  readonly root = new Scope(undefined);
  private readonly uses = new Map<Term, Use>();
  private readonly homes = new Map<Term, Scope>();
  private readonly shapes = new Map<Term, Shape>();
  private readonly hoisted = new Map<Scope, Term[]>();
  private readonly costs = new Map<Term, number>();
  private readonly loopsOf = new Map<Term, ReadonlySet<Term>>();
  private readonly isLeaf: (term: Term) => boolean;
  private finished = false;

  /** Leaves are terms whose value is at hand (a variable in its place, an operand of a predecoded instruction). */
  constructor(isLeaf: (term: Term) => boolean) {
    this.isLeaf = isLeaf;
  }

  child(parent: Scope, loop?: Term): Scope {
    return new Scope(parent, loop);
  }

  /** Announces that `term` will be asked for in `scope`. */
  use(term: Term, scope: Scope): void {
    if (this.finished) throw new InternalDefect("a use comes after the plan");
    this.note(term, scope);
  }

  private note(term: Term, scope: Scope): void {
    if (this.trivial(term)) return;
    const use = this.uses.get(term);
    if (use === undefined) this.uses.set(term, { count: 1, scopes: [scope] });
    else {
      use.count++;
      if (!use.scopes.includes(scope)) use.scopes.push(scope);
    }
  }

  /** A term that is cheaper to compute again than to keep. */
  trivial(term: Term): boolean {
    return term.op === "const" || term.op === "var" || this.isLeaf(term);
  }

  finish(): void {
    this.finished = true;
    const order = this.reachable();
    for (const term of order) {
      const use = this.uses.get(term);
      if (use === undefined) continue;
      let home = use.scopes.reduce(meet);
      const mine = this.loopVariables(term);
      for (let at: Scope | undefined = home; at !== undefined; at = at.parent) {
        if (at.loop === undefined) continue;
        if (mine.has(at.loop)) break;
        if (at.parent !== undefined) home = at.parent;
      }
      this.homes.set(term, home);
      this.spread(term, home);
    }
    for (const term of [...order].reverse()) {
      const home = this.homes.get(term);
      const use = this.uses.get(term);
      if (home === undefined || use === undefined) continue;
      for (const scope of use.scopes) {
        let at = scope;
        while (at !== home && at.parent !== undefined && at.parent !== home) at = at.parent;
        if (at === home) continue;
        const list = this.hoisted.get(at);
        if (list === undefined) this.hoisted.set(at, [term]);
        else if (list.at(-1) !== term) list.push(term);
      }
    }
  }

  /** Terms to have in locals before `scope` is entered, arguments first. */
  before(scope: Scope): readonly Term[] {
    return this.hoisted.get(scope) ?? [];
  }

  /** True where the value is wanted again later. */
  shared(term: Term): boolean {
    const use = this.uses.get(term);
    return use !== undefined && (use.count > 1 || use.scopes[0] !== this.homes.get(term));
  }

  shape(term: Term): Shape {
    return this.shapes.get(term) ?? STRICT;
  }

  /** All terms that the announced uses reach, each after those that use it. */
  private reachable(): Term[] {
    const found = new Set<Term>();
    const stack = [...this.uses.keys()];
    for (let term = stack.pop(); term !== undefined; term = stack.pop()) {
      if (found.has(term) || this.trivial(term)) continue;
      found.add(term);
      stack.push(...term.args.filter(isScalar));
    }
    return [...found].sort((a, b) => b.id - a.id);
  }

  /** Notes the uses that `term`, computed in `home`, makes of its arguments. */
  private spread(term: Term, home: Scope): void {
    const [a, b, c] = term.args;
    if (term.op === "ite" && a !== undefined && b !== undefined && c !== undefined) {
      this.note(a, home);
      const narrow = term.sort.kind === "bool" || (term.sort.kind === "bits" && term.sort.width <= 64);
      if (narrow && Math.max(this.cost(b), this.cost(c)) > LAZY) {
        const shape = { kind: "choice", taken: this.child(home), otherwise: this.child(home) } as const;
        this.shapes.set(term, shape);
        this.note(b, shape.taken);
        this.note(c, shape.otherwise);
      } else {
        this.note(b, home);
        this.note(c, home);
      }
      return;
    }
    if (term.op === "and" || term.op === "or") {
      const cheap = term.args.filter((arg) => this.cost(arg) <= LAZY);
      const dear = term.args
        .filter((arg) => this.cost(arg) > LAZY)
        .sort((x, y) => this.cost(x) - this.cost(y) || x.id - y.id);
      if (dear.length > 0) {
        const first = cheap.length > 0 ? cheap : dear.splice(0, 1);
        let scope = home;
        const later = dear.map((arg) => {
          scope = this.child(scope);
          return { term: arg, scope };
        });
        this.shapes.set(term, { kind: "chain", first, later });
        for (const arg of first) this.note(arg, home);
        for (const arg of later) this.note(arg.term, arg.scope);
        return;
      }
    }
    for (const arg of term.args) if (isScalar(arg)) this.note(arg, home);
  }

  /** Instructions that the term takes, roughly, if nothing is shared. */
  cost(term: Term): number {
    if (this.trivial(term)) return term.op === "const" ? 0 : 1;
    const known = this.costs.get(term);
    if (known !== undefined) return known;
    let cost = ownCost(term);
    for (const arg of term.args) if (isScalar(arg)) cost += this.cost(arg);
    cost = Math.min(cost, LIMIT);
    this.costs.set(term, cost);
    return cost;
  }

  private loopVariables(term: Term): ReadonlySet<Term> {
    if (term.op === "var") return new Set([term]);
    if (this.isLeaf(term) || term.args.length === 0) return NONE;
    const known = this.loopsOf.get(term);
    if (known !== undefined) return known;
    let result: Set<Term> | undefined;
    for (const arg of term.args) {
      for (const v of this.loopVariables(arg)) {
        if (!v.name.startsWith("%loop")) continue;
        result ??= new Set();
        result.add(v);
      }
    }
    this.loopsOf.set(term, result ?? NONE);
    return result ?? NONE;
  }
}

const NONE: ReadonlySet<Term> = new Set();

function isScalar(term: Term): boolean {
  return term.sort.kind === "bool" || term.sort.kind === "bits";
}

function ownCost(term: Term): number {
  switch (term.op) {
    case "udiv":
    case "urem":
    case "sdiv":
    case "srem":
      return 25;
    case "load":
    case "accessible":
      return 15;
    case "apply":
      return 50;
    case "select":
      return 3;
    case "mul":
      return 3;
    default:
      return 1;
  }
}
