/** The state of an elaboration: where it stands, what it may do, what it has done so far. */
import type { Raise } from "../../../refinement/machine.js";
import { FALSE, and } from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import type { Code, Diagnostics } from "../diagnostics.js";
import type { Span } from "../syntax/ast.js";
import { Scope } from "./scope.js";
import { Store } from "./store.js";
import { type NType, leaves } from "./types.js";
import { type Val, WRONG } from "./value.js";
import type { Permissions, Unit, World } from "./world.js";

/** More steps than this mean a definition that explodes when its functions are inlined and its loops unrolled. */
export const MAX_STEPS = 2_000_000;
/** Function calls nest at most this deep. */
export const MAX_CALLS = 100;
/** A loop is unrolled at most this often. */
export const MAX_UNROLL = 4096;

/** Thrown when the budget is used up, and turned into a diagnostic where the elaboration began. */
export class TooLarge extends Error {}

export interface Budget {
  steps: number;
}

/** The program counter's fate on the paths so far: not assigned, assigned a value, or one or the other by a condition. */
export type Assigned =
  | undefined
  | { readonly value: Term }
  | { readonly condition: Term; readonly then: Assigned; readonly otherwise: Assigned };

export class Context {
  readonly world: World;
  readonly diagnostics: Diagnostics;
  readonly permissions: Permissions;
  readonly budget: Budget;
  unit: Unit;
  scope: Scope;
  store: Store;
  /** The conditions under which the current statement is executed; all hold. */
  conditions: readonly Term[] = [];
  /** Every path so far ends in a raise. */
  dead = false;
  raises: Raise[] = [];
  /** The state variable whose assignments are tracked for `next`. */
  readonly tracked: string | undefined;
  assigned: Assigned = undefined;
  depth = 0;
  /** State has no value here: in a constant, a width. */
  withoutState = false;
  readonly typesInProgress: Set<string>;
  readonly constantsInProgress: Set<string>;
  private cells = 0;

  constructor(
    world: World,
    diagnostics: Diagnostics,
    unit: Unit,
    permissions: Permissions,
    options: { store?: Store; tracked?: string | undefined; budget?: Budget; parent?: Context } = {},
  ) {
    this.world = world;
    this.diagnostics = diagnostics;
    this.unit = unit;
    this.permissions = permissions;
    this.budget = options.budget ?? { steps: 0 };
    this.typesInProgress = options.parent?.typesInProgress ?? new Set();
    this.constantsInProgress = options.parent?.constantsInProgress ?? new Set();
    this.tracked = options.tracked;
    this.scope = new Scope();
    this.store = options.store ?? stateStore(world);
  }

  step(): void {
    if (++this.budget.steps > MAX_STEPS) throw new TooLarge();
  }

  /** Reports a mistake at a place of the current string, and gives the value that silences what follows. */
  wrong(code: Code, span: Span, message: string): Val {
    this.report(code, span, message);
    return WRONG;
  }

  report(code: Code, span: Span, message: string): void {
    this.diagnostics.report(code, this.unit.source.place(span.start), message);
  }

  /** The text of a part of the current string, on one line and not too long. */
  text(span: Span): string {
    const text = this.unit.source.text.slice(span.start, span.end).replaceAll(/\s+/g, " ").trim();
    return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
  }

  raise(condition: Term, trap: string, args: readonly Term[]): void {
    if (this.dead) return;
    const under = and(...this.conditions, condition);
    if (under !== FALSE) this.raises.push({ condition: under, trap, arguments: args });
  }

  /** Runs `body` in a scope of its own. */
  scoped<T>(body: () => T): T {
    const scope = this.scope;
    this.scope = new Scope(scope);
    try {
      return body();
    } finally {
      this.scope = scope;
    }
  }

  /** Runs `body` in another string and scope: the body of a function. */
  inUnit<T>(unit: Unit, scope: Scope, body: () => T): T {
    const saved = { unit: this.unit, scope: this.scope };
    this.unit = unit;
    this.scope = scope;
    this.depth++;
    try {
      return body();
    } finally {
      this.unit = saved.unit;
      this.scope = saved.scope;
      this.depth--;
    }
  }

  /** A new cell for a `var`, holding `terms`. */
  cell(type: NType, terms: readonly Term[]): string {
    const key = `%${this.cells++}`;
    leaves(type).forEach((leaf, i) => {
      const term = terms[i];
      if (term !== undefined) this.store.set(key + leaf.path, term);
    });
    return key;
  }
}

/** A store in which every state variable has the value of the state before. */
export function stateStore(world: World): Store {
  const store = new Store();
  for (const declaration of world.state.values())
    for (const [key, term] of declaration.terms) store.set(key, term);
  return store;
}
