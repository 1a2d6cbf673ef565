/** Bodies to effects, blocks to transitions. */
import type { Effect, Parameter, Raise, ScalarType, Transition } from "../../../refinement/machine.js";
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import type { Diagnostics } from "../diagnostics.js";
import { coerce } from "../elaborate/coerce.js";
import type { Assigned, Budget, Context } from "../elaborate/context.js";
import { newContext } from "../elaborate/elaborator.js";
import { typeOf } from "../elaborate/declarations.js";
import type { Binding, FieldUse } from "../elaborate/scope.js";
import { Store, join } from "../elaborate/store.js";
import { BOOL_TYPE, type NType, isScalar, scalarSort, scalarWidth, typeToString } from "../elaborate/types.js";
import { WRONG, integer } from "../elaborate/value.js";
import { PURE, type World } from "../elaborate/world.js";
import type { BlockEntry, TransitionEntry } from "../read/definition.js";
import { assigns } from "./assigns.js";
import { guarded } from "./guarded.js";
import { type Handler, handled } from "./handler.js";

export interface Elaboration {
  readonly world: World;
  readonly diagnostics: Diagnostics;
  readonly budget: Budget;
  readonly handler: Handler | undefined;
  /** Operand fields of all instructions, for a hint where one is missing. */
  readonly fields?: ReadonlySet<string>;
}

/** A name that a body sees besides those of the machine. */
export type Given = GivenTerms | GivenBinding;

/** One that is no value of a type: a width, a place. */
export interface GivenBinding {
  readonly name: string;
  readonly binding: Binding;
}

export interface GivenTerms {
  readonly name: string;
  readonly type: NType;
  /** One for each leaf of the type; undefined for a name whose declaration is in error. */
  readonly terms: readonly Term[] | undefined;
  readonly what: string;
  readonly use?: FieldUse;
}

export function contextFor(
  { world, diagnostics, budget, fields }: Elaboration,
  entry: BlockEntry,
  given: readonly Given[],
  permissions = PURE,
  store?: Store,
): Context {
  const cx = newContext(world, diagnostics, entry.unit, permissions, {
    budget,
    ...(store === undefined ? {} : { store }),
  });
  cx.fields = fields;
  define(cx, given);
  return cx;
}

function define(cx: Context, given: readonly Given[]): void {
  for (const one of given) {
    if ("binding" in one) {
      cx.scope.define(one.name, one.binding);
      continue;
    }
    const { name, type, terms, what, use } = one;
    cx.scope.define(name, {
      kind: "value",
      value: terms === undefined ? WRONG : { kind: "typed", type, terms },
      what,
      ...(use === undefined ? {} : { use }),
    });
  }
}

/** A condition on the state before. */
export function conditionOf(
  elaboration: Elaboration,
  entry: BlockEntry | undefined,
  given: readonly Given[],
  what: string,
  store?: Store,
): Term {
  if (entry === undefined) return build.TRUE;
  const found = guarded(elaboration.diagnostics, entry.place, () => {
    const cx = contextFor(elaboration, entry, given, PURE, store);
    const value = cx.evaluateBlock(entry.block, BOOL_TYPE);
    const last = entry.block.statements.at(-1);
    return coerce(cx, value, BOOL_TYPE, last?.span ?? entry.block.span, what)?.terms[0];
  });
  return found ?? build.TRUE;
}

/** What `next` does where the body has not assigned the program counter. */
export interface Next {
  readonly entry: BlockEntry;
  readonly programCounter: string;
  /** Names that it sees besides those of the machine. */
  readonly given?: readonly Given[];
  /** What every instruction does besides. */
  readonly retire: BlockEntry | undefined;
}

/** An instruction's body knows how many addresses the instruction takes, and what comes after it. */
export interface Instructing {
  /** Undefined where it is among what the body is given. */
  readonly length: number | undefined;
  readonly next: Next | undefined;
}

export interface Body {
  readonly effect: Effect;
  readonly choices: readonly Parameter[];
}

export const NOTHING: Body = { effect: { raises: [], assigns: new Map() }, choices: [] };

/** The effect of a body, `owner` being the transition's or instruction's name. */
export function effectOf(
  elaboration: Elaboration,
  entry: BlockEntry | undefined,
  owner: string,
  given: readonly Given[],
  instructing?: Instructing,
): Body {
  if (entry === undefined) return NOTHING;
  const choices: Parameter[] = [];
  const found = guarded(elaboration.diagnostics, entry.place, () => {
    const { world, diagnostics, budget, fields } = elaboration;
    const permissions = { assign: true, raise: true, choices: { owner, list: choices } };
    const next = instructing?.next;
    const cx = newContext(world, diagnostics, entry.unit, permissions, { budget, tracked: next?.programCounter });
    cx.fields = fields;
    define(cx, given);
    if (instructing?.length !== undefined) defineLength(cx, instructing.length);
    cx.execute(entry.block);
    if (next !== undefined && !cx.dead) {
      advance(elaboration, cx, next, instructing?.length);
      if (next.retire !== undefined) retire(elaboration, cx, next.retire);
    }
    return { effect: handled(elaboration, { raises: mergeRaises(cx.raises), assigns: assigns(cx) }), choices };
  });
  return found ?? NOTHING;
}

/** The same raise twice in a row is one with either condition; a condition that was decided before decides nothing more. */
function mergeRaises(raises: readonly Raise[]): readonly Raise[] {
  const merged: Raise[] = [];
  const decided = new Set<Term>();
  for (const raise of raises) {
    if (decided.has(raise.condition)) continue;
    decided.add(raise.condition);
    const last = merged.at(-1);
    const same = last?.trap === raise.trap && last.arguments.every((a, i) => a === raise.arguments[i]);
    if (last !== undefined && same)
      merged[merged.length - 1] = { ...last, condition: build.or(last.condition, raise.condition) };
    else merged.push(raise);
  }
  return merged;
}

/** `length` is the instruction's, unless a field is called so. */
function defineLength(cx: Context, length: number): void {
  cx.scope.define("length", { kind: "value", value: integer(BigInt(length)), what: "the instruction's length" });
}

/** Runs `next` on the paths on which the body has not assigned the program counter. */
function advance(
  { world, diagnostics, budget }: Elaboration,
  cx: Context,
  next: Next,
  length: number | undefined,
): void {
  const { assigned } = cx;
  if (assigned !== undefined && "value" in assigned) return;
  const store = new Store(cx.store);
  const inner = newContext(
    world,
    diagnostics,
    next.entry.unit,
    { assign: true, raise: false, choices: undefined },
    { budget, store },
  );
  const before = world.state.get(next.programCounter)?.terms.get(next.programCounter);
  if (before !== undefined) store.set(next.programCounter, before);
  define(inner, next.given ?? []);
  if (length !== undefined) defineLength(inner, length);
  inner.execute(next.entry.block);
  for (const [key, value] of inner.store.changes) {
    const old = cx.store.get(key);
    if (old === undefined) continue;
    const joined = key === next.programCounter ? resolve(assigned, value) : join(wasAssigned(assigned), old, value);
    cx.store.set(key, joined);
  }
}

/** Runs `retire` on the state that the body leaves. */
function retire({ world, diagnostics, budget }: Elaboration, cx: Context, entry: BlockEntry): void {
  const inner = newContext(
    world,
    diagnostics,
    entry.unit,
    { assign: true, raise: false, choices: undefined },
    { budget, store: cx.store },
  );
  inner.execute(entry.block);
}

function resolve(assigned: Assigned, otherwise: Term): Term {
  if (assigned === undefined) return otherwise;
  if ("value" in assigned) return assigned.value;
  return join(assigned.condition, resolve(assigned.taken, otherwise), resolve(assigned.otherwise, otherwise));
}

function wasAssigned(assigned: Assigned): Term {
  if (assigned === undefined) return build.FALSE;
  if ("value" in assigned) return build.TRUE;
  return build.ite(assigned.condition, wasAssigned(assigned.taken), wasAssigned(assigned.otherwise));
}

/** No trap is pending; true in a machine without traps. */
export function untrapped(world: World): Term {
  const code = world.state.get("trap")?.terms.get("trap");
  if (code?.sort.kind !== "bits") return build.TRUE;
  return build.eq(code, build.constant(code.sort.width, 0n));
}

/** A value of the type, whatever its bits: an enum has no more values than members. */
export function inRange(type: ScalarType, term: Term): Term {
  if (type.kind !== "enum" || type.members.length === 2 ** scalarWidth(type)) return build.TRUE;
  return build.ule(term, build.constant(scalarWidth(type), BigInt(type.members.length - 1)));
}

export function namedTransition(elaboration: Elaboration, entry: TransitionEntry): Transition {
  const parameters: Parameter[] = [];
  const cx = newContext(elaboration.world, elaboration.diagnostics, entry.unit, PURE, { budget: elaboration.budget });
  for (const { name, type } of entry.signature.parameters) {
    const found = typeOf(cx, type);
    if (found === undefined) continue;
    if (parameters.some((p) => p.name === name.name))
      cx.report("E_DUPLICATE", name.span, `the parameter \`${name.name}\` stands twice`);
    if (!isScalar(found))
      cx.report("E_TYPE", type.span, `a transition's parameter is bits, bool or an enum, not ${typeToString(found)}`);
    else
      parameters.push({
        name: name.name,
        type: found,
        term: build.variable(`${entry.name}(${name.name})`, scalarSort(found)),
      });
  }
  if (entry.signature.result !== undefined)
    cx.report(
      "E_STRUCTURE",
      entry.signature.result.span,
      "a transition gives no value; remove the type behind its name",
    );
  const given = parameters.map((p) => ({ name: p.name, type: p.type, terms: [p.term], what: "a parameter" }));
  const guard = conditionOf(elaboration, entry.guard, given, `the guard of \`${entry.name}\``);
  const { effect, choices } = effectOf(elaboration, entry.effect, entry.name, given);
  const ranges = parameters.map((p) => inRange(p.type, p.term));
  return {
    name: entry.name,
    parameters,
    choices,
    guard: build.and(untrapped(elaboration.world), ...ranges, guard),
    effect,
    instruction: undefined,
  };
}
