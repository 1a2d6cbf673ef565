/**
 * Symbolic execution of machines: states whose values are terms over some other variables, moved on by substitution.
 */
import { InternalDefect } from "../errors.js";
import type { Effect, Machine, Transition } from "../machine.js";
import { constant, ite, or, zext, concat, boolToBits } from "../terms/build.js";
import { Substitution } from "../terms/substitute.js";
import type { Sort } from "../terms/sort.js";
import type { Term } from "../terms/term.js";
import { inputsOf, trapNamed } from "./concrete.js";

/** A term for each variable of a machine, by name. */
export type SymbolicState = ReadonlyMap<string, Term>;

/** Reads terms over a machine's variables in one symbolic state; remembers what it has read. */
export type Reader = (term: Term) => Term;

/** Every variable stands for itself. */
export function anyState(machine: Machine): SymbolicState {
  return new Map(machine.variables.map((v) => [v.name, v.term]));
}

/** Reads in `state`, with `inputs` for the terms of parameters and choices, and for any other term that is known to equal one. */
export function reader(machine: Machine, state: SymbolicState, inputs: ReadonlyMap<Term, Term> = new Map()): Reader {
  const map = new Map(inputs);
  for (const v of machine.variables) {
    const value = termOf(state, v.name);
    if (value !== v.term && !map.has(v.term)) map.set(v.term, value);
  }
  if (map.size === 0) return (term) => term;
  const substitution = new Substitution(map);
  return (term) => substitution.apply(term);
}

/**
 * What `transition` makes of `state`; `args` are its parameters and choices by name, `known` terms over the machine's
 * variables that are to be read as others. The guard is not asked.
 */
export function nextState(
  machine: Machine,
  transition: Transition,
  state: SymbolicState,
  args: ReadonlyMap<string, Term> = new Map(),
  known: ReadonlyMap<Term, Term> = new Map(),
): SymbolicState {
  const inputs = new Map<Term, Term>(known);
  for (const p of inputsOf(transition)) {
    const arg = args.get(p.name);
    if (arg !== undefined) inputs.set(p.term, arg);
  }
  return applyEffect(machine, transition.effect, reader(machine, state, inputs));
}

/** The state after `effect`, its raises merged in: a raise changes `trap` and `trap.value` and nothing else. */
function applyEffect(machine: Machine, effect: Effect, read: Reader): SymbolicState {
  const raises = effect.raises.map((r) => ({
    condition: read(r.condition),
    trap: trapNamed(machine, r.trap),
    arguments: r.arguments.map(read),
  }));
  const raised = or(...raises.map((r) => r.condition));
  const next = new Map<string, Term>();
  for (const v of machine.variables) {
    const before = read(v.term);
    const assigned = effect.assigns.get(v.name);
    let after = assigned === undefined ? before : read(assigned);
    if (v.name === "trap") {
      after = raises.reduceRight((rest, r) => ite(r.condition, constantOf(v.sort, r.trap.code), rest), after);
    } else if (v.name === "trap.value") {
      after = raises.reduceRight((rest, r) => ite(r.condition, pack(r.arguments, v.sort), rest), after);
    } else {
      after = ite(raised, before, after);
    }
    next.set(v.name, after);
  }
  return next;
}

/** Arguments of a trap side by side, the last one lowest, zero-extended to `trap.value`. */
function pack(args: readonly Term[], sort: Sort): Term {
  const bits = args.map((a) => (a.sort.kind === "bool" ? boolToBits(a) : a));
  return bits.length === 0 ? constantOf(sort, 0) : zext(concat(...bits), widthOf(sort));
}

function constantOf(sort: Sort, value: number): Term {
  return constant(widthOf(sort), BigInt(value));
}

function widthOf(sort: Sort): number {
  if (sort.kind !== "bits") throw new InternalDefect("trap and trap.value are bits");
  return sort.width;
}

export function termOf(state: SymbolicState, name: string): Term {
  const term = state.get(name);
  if (term === undefined) throw new InternalDefect(`no term is given for \`${name}\``);
  return term;
}
