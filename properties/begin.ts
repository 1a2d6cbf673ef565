/**
 * The host state in which a run begins: γ of a guest state, or an initial state of the host, with the program in place.
 */
import { abstract, concretize } from "../refinement/execute/commute.js";
import { environment } from "../refinement/execute/concrete.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine } from "../refinement/machine.js";
import type { MachineRefinement } from "../refinement/refinement.js";
import { Evaluator } from "../refinement/terms/evaluate.js";
import type { Term } from "../refinement/terms/term.js";
import { FileValue } from "../refinement/terms/value.js";
import { freeVariables } from "../refinement/terms/variables.js";
import { type Anatomy, anatomyOf, valueAt } from "./anatomy.js";
import { addressesOf, encodeProgram, type Program, wordIn, writeProgram } from "./program.js";
import { running, type Start } from "./start.js";

/** γ(a), where the refinement gives γ. */
export function hostStateOf(refinement: MachineRefinement, guest: State): State | undefined {
  return refinement.concretize === undefined ? undefined : concretize(refinement, refinement.concretize, guest);
}

/** A state of an instruction set with a program where its program counter points; of another machine, the state. */
export function stateWithProgram(machine: Machine, program: Program, beginning: Start): State {
  const state = running(beginning);
  const anatomy = anatomyOf(machine);
  if (anatomy === undefined) return state;
  const start = counterIn(state, anatomy.programCounter.name);
  return writeProgram(anatomy, state, encodeProgram(anatomy, program, start), start);
}

/** Where the program starts. */
export function counterIn(state: State, programCounter: string): bigint {
  const value = state.get(programCounter);
  return typeof value === "bigint" ? value : 0n;
}

/**
 * An initial state of the host: `start`, changed where the initial condition demands it, with the program where the guest
 * that it stands for will fetch it. Undefined where the condition cannot be met by assigning to variables, or where the
 * program does not end up in place.
 */
export function initialHostState(refinement: MachineRefinement, program: Program, start: Start): State | undefined {
  const { guest, host } = refinement;
  const initial = satisfy(host, running(start));
  const anatomy = anatomyOf(guest);
  if (initial === undefined || anatomy === undefined || program.length === 0) return initial;
  const { place } = anatomy;
  if (place === undefined) return initial;
  const at = counterIn(abstract(refinement, initial), anatomy.programCounter.name);
  const words = encodeProgram(anatomy, program, at);
  for (const name of standsFor(refinement, place.variable.name)) {
    const placed = writeProgram(anatomy, initial, words, at, name);
    const seen = abstract(refinement, placed).get(place.variable.name);
    const intended = writeProgram(anatomy, abstract(refinement, initial), words, at).get(place.variable.name);
    const same = addressesOf(anatomy, words, at).every((address) => {
      const where = valueAt(place.where, anatomy.programCounter, address);
      return wordAt(anatomy, seen, where) === wordAt(anatomy, intended, where);
    });
    if (same && isInitial(host, placed)) return placed;
  }
  return undefined;
}

function wordAt(anatomy: Anatomy, value: ReturnType<State["get"]>, where: bigint): bigint | undefined {
  return value === undefined || typeof value === "bigint" ? undefined : wordIn(anatomy.isa, value, where);
}

/** Host variables that the abstraction of a guest variable reads and that have its sort. */
function standsFor(refinement: MachineRefinement, guestVariable: string): readonly string[] {
  const term = refinement.abstraction.get(guestVariable);
  const free = term === undefined ? new Set<Term>() : freeVariables(term);
  return refinement.host.variables.filter((v) => free.has(v.term) && v.sort === term?.sort).map((v) => v.name);
}

function isInitial(machine: Machine, state: State): boolean {
  const at = new Evaluator(environment(state));
  return at.holds(machine.initial) && at.holds(machine.wellFormed);
}

/** Each round may undo what an earlier one met; initial conditions that need more rounds are none that people write. */
const ROUNDS = 8;

/** A state that meets the machine's initial condition, made from `state` by assignments. */
function satisfy(machine: Machine, state: State): State | undefined {
  let current = state;
  for (let round = 0; round < ROUNDS; round++) {
    if (isInitial(machine, current)) return current;
    for (const conjunct of conjuncts(machine.initial)) current = meet(current, conjunct);
  }
  return isInitial(machine, current) ? current : undefined;
}

function conjuncts(term: Term): readonly Term[] {
  return term.op === "and" ? term.args.flatMap(conjuncts) : [term];
}

/** The state in which `conjunct` holds, if an assignment makes it so. */
function meet(state: State, conjunct: Term): State {
  const at = new Evaluator(environment(state));
  if (at.holds(conjunct)) return state;
  const [a, b] = conjunct.args;
  switch (conjunct.op) {
    case "var":
      return new Map(state).set(conjunct.name, 1n);
    case "not":
      if (a?.op === "or") return a.args.reduce(deny, state);
      return a === undefined ? state : deny(state, a);
    case "eq":
      if (a === undefined || b === undefined) return state;
      return assign(state, a, at.number(b)) ?? assign(state, b, at.number(a)) ?? state;
    case "ult":
    case "ule":
      return (a === undefined ? undefined : assign(state, a, 0n)) ?? state;
    case "or":
      return conjunct.args.reduce((s, t) => (holds(s, conjunct) ? s : meet(s, t)), state);
    default:
      return state;
  }
}

function deny(state: State, term: Term): State {
  return holds(state, term) && term.op === "var" ? new Map(state).set(term.name, 0n) : state;
}

function holds(state: State, term: Term): boolean {
  return new Evaluator(environment(state)).holds(term);
}

/** The state in which the place that `term` names has this value; undefined where it names none. */
function assign(state: State, term: Term, value: bigint): State | undefined {
  if (term.op === "var") return new Map(state).set(term.name, value);
  const [file, index] = term.args;
  if (term.op !== "select" || file?.op !== "var" || index === undefined) return undefined;
  const before = state.get(file.name);
  if (!(before instanceof FileValue)) return undefined;
  const at = new Evaluator(environment(state)).number(index);
  return new Map(state).set(file.name, before.set(at, value));
}
