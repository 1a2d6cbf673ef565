/** The state of an elaboration: where it stands, what it may do, what it has done so far. */
import type { Raise } from "../../../refinement/machine.js";
import { FALSE, and } from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import type { Code, Diagnostics } from "../diagnostics.js";
import type { Block, Expression, Span } from "../syntax/ast.js";
import { Scope } from "./scope.js";
import { Store } from "./store.js";
import { type NType, leaves } from "./types.js";
import { type Val, WRONG } from "./value.js";
import type { Permissions, Unit, World } from "./world.js";

/** More steps than this mean a definition that explodes when its functions are inlined and its loops unrolled. */
export const MAX_STEPS = 300_000;
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
  | { readonly condition: Term; readonly taken: Assigned; readonly otherwise: Assigned };

export interface ContextOptions {
  /** The state to start from; the state before unless given. */
  readonly store?: Store;
  readonly tracked?: string | undefined;
  readonly budget?: Budget;
  readonly parent?: Context;
}

/** The elaborator's parts, which call each other: an expression holds blocks, and a block holds expressions. */
export interface Elaborator {
  expression(cx: Context, node: Expression, hint: NType | undefined): Val;
  blockValue(cx: Context, block: Block, hint: NType | undefined): Val;
  block(cx: Context, block: Block): void;
}

export class Context {
  private readonly elaborator: Elaborator;
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
  /** Names of operand fields of all instructions, in the body of one. */
  fields: ReadonlySet<string> | undefined = undefined;
  readonly typesInProgress: Set<string>;
  readonly constantsInProgress: Set<string>;
  private cells = 0;

  constructor(
    elaborator: Elaborator,
    world: World,
    diagnostics: Diagnostics,
    unit: Unit,
    permissions: Permissions,
    options: ContextOptions = {},
  ) {
    this.elaborator = elaborator;
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

  /** What an expression is worth; `hint` is the type that its place wants, for what has no type of its own. */
  evaluate(node: Expression, hint: NType | undefined): Val {
    return this.elaborator.expression(this, node, hint);
  }

  /** Runs a block whose last line is its value. */
  evaluateBlock(block: Block, hint: NType | undefined): Val {
    return this.elaborator.blockValue(this, block, hint);
  }

  /** Runs a block in a scope of its own. */
  execute(block: Block): void {
    this.elaborator.block(this, block);
  }

  /** A context for a declaration in another string, over the same world and budget. */
  declared(unit: Unit, permissions: Permissions): Context {
    return new Context(this.elaborator, this.world, this.diagnostics, unit, permissions, {
      budget: this.budget,
      parent: this,
    });
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
    this.diagnostics.reportOnce(code, this.unit.source.place(span.start), message);
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

  /** Runs `body` and forgets what it did: only its result, a type, is wanted. */
  probe<T>(body: () => T): T {
    const { store, conditions, dead, raises, assigned } = this;
    const choices = this.permissions.choices?.list.length ?? 0;
    this.store = new Store(store);
    this.raises = [];
    try {
      return body();
    } finally {
      this.store = store;
      this.conditions = conditions;
      this.dead = dead;
      this.raises = raises;
      this.assigned = assigned;
      this.permissions.choices?.list.splice(choices);
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
  for (const declaration of world.state.values()) for (const [key, term] of declaration.terms) store.set(key, term);
  return store;
}
