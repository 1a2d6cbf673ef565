/**
 * The usual case of a step: no trap, nothing changed that other instructions of a region rely on, memory where it is wanted.
 * A region contains this case alone, with a test whether it is the one at hand; the interpreter executes all others. Which
 * case is taken for the usual one is a matter of speed, never of meaning.
 */
import type { Effect, Machine } from "../machine.js";
import * as t from "../terms/build.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import { size } from "../terms/variables.js";
import { best } from "./split.js";

type Assigns = ReadonlyMap<string, Term>;
type Divisible = NonNullable<Effect["cases"]>;

export interface Usual {
  /** Over the state before: where it holds, the step is none of the usual ones. */
  readonly unless: Term;
  readonly assigns: Assigns;
}

/** Conditions that tell the usual case from the others. */
const MOST_CONDITIONS = 12;

const known = new WeakMap<Divisible, Usual>();

/**
 * The usual case of an effect with its constants put in. `relied` are the names of variables that keep their values in it.
 * Undefined where there is no such case.
 */
export function usualOf(
  machine: Machine,
  effect: Effect,
  constants: Substitution,
  relied: ReadonlySet<string>,
): Usual | undefined {
  const found = effect.cases === undefined ? { unless: t.FALSE, assigns: effect.assigns } : general(effect.cases);
  let usual = put(found, constants);
  if (usual.unless === t.TRUE && effect.cases !== undefined) {
    // The constants exclude what is usual of other operands, as the number of a control register does.
    const { condition, otherwise } = effect.cases;
    usual = smallest(put({ unless: condition, assigns: otherwise }, constants));
  }
  const kept = keeping(machine, withMemory(usual), relied);
  return kept.unless === t.TRUE ? undefined : kept;
}

function general(cases: Divisible): Usual {
  let usual = known.get(cases);
  if (usual === undefined) {
    usual = smallest({ unless: cases.condition, assigns: cases.otherwise });
    known.set(cases, usual);
  }
  return usual;
}

function put({ unless, assigns }: Usual, constants: Substitution): Usual {
  return {
    unless: constants.apply(unless),
    assigns: new Map([...assigns].map(([name, term]) => [name, constants.apply(term)])),
  };
}

/** Of the conditions that make the most difference one after another, the side with fewer terms that does not end in a trap. */
function smallest(of: Usual): Usual {
  let usual = of;
  const unless: Term[] = [];
  for (let n = 0; n < MOST_CONDITIONS && usual.unless !== t.TRUE; n++) {
    const terms = [usual.unless, ...usual.assigns.values()];
    const found = best(usual.unless, terms, size(terms));
    if (found === undefined) break;
    const [holds, fails] = [put(usual, only(found, t.TRUE)), put(usual, only(found, t.FALSE))];
    const takes = fails.unless === t.TRUE || (holds.unless !== t.TRUE && sizeOf(holds) <= sizeOf(fails));
    unless.push(takes ? t.not(found) : found);
    usual = takes ? holds : fails;
  }
  return { unless: t.or(usual.unless, ...unless), assigns: usual.assigns };
}

function only(condition: Term, value: Term): Substitution {
  return new Substitution(new Map([[condition, value]]));
}

function sizeOf({ unless, assigns }: Usual): number {
  return size([unless, ...assigns.values()]);
}

/** Memory is accessible wherever that is asked. */
function withMemory({ unless, assigns }: Usual): Usual {
  const asked = new Set<Term>([unless, ...assigns.values()]);
  for (const term of asked) for (const arg of term.args) asked.add(arg);
  const questions = [...asked].filter((term) => term.op === "accessible");
  if (questions.length === 0) return { unless, assigns };
  const granted = new Substitution(new Map(questions.map((q) => [q, t.TRUE])));
  const usual = put({ unless, assigns }, granted);
  return { unless: t.or(usual.unless, ...questions.map((q) => t.not(q))), assigns: usual.assigns };
}

function keeping(machine: Machine, { unless, assigns }: Usual, relied: ReadonlySet<string>): Usual {
  const conditions = [unless];
  const left = new Map(assigns);
  for (const v of machine.variables) {
    const value = left.get(v.name);
    if (value === undefined) continue;
    if (value === v.term) left.delete(v.name);
    if (!relied.has(v.name)) continue;
    conditions.push(changes(value, v.term));
    left.delete(v.name);
  }
  return { unless: t.or(t.FALSE, ...conditions), assigns: left };
}

/** Whether the choices in `value` lead to anything but `before`. */
function changes(value: Term, before: Term): Term {
  if (value === before) return t.FALSE;
  const [condition, taken, otherwise] = value.args;
  if (value.op !== "ite" || condition === undefined || taken === undefined || otherwise === undefined) return t.TRUE;
  return t.ite(condition, changes(taken, before), changes(otherwise, before));
}
