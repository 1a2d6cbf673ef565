/**
 * Which values are states at all: what the types say, and that `trap.value` holds the arguments of `trap` and nothing else.
 */
import type { Machine } from "../machine.js";
import { and, constant, eq, extract, implies, TRUE } from "../terms/build.js";
import type { Term } from "../terms/term.js";
import { Evaluator } from "../terms/evaluate.js";
import { environment, widthOf } from "./concrete.js";
import type { State } from "./state.js";

const known = new WeakMap<Machine, Term>();

/** Over the machine's own variables; assumed of every state, and kept by every transition. */
export function wellFormedTerm(machine: Machine): Term {
  let term = known.get(machine);
  if (term === undefined) {
    term = and(machine.wellFormed, properTrap(machine));
    known.set(machine, term);
  }
  return term;
}

export function wellFormed(machine: Machine, state: State): boolean {
  return new Evaluator(environment(state)).holds(wellFormedTerm(machine));
}

function properTrap(machine: Machine): Term {
  const trap = machine.variables.find((v) => v.implicit && v.name === "trap");
  const value = machine.variables.find((v) => v.implicit && v.name === "trap.value");
  if (trap?.sort.kind !== "bits" || value?.sort.kind !== "bits") return TRUE;
  const codeWidth = trap.sort.width;
  const valueWidth = value.sort.width;
  const proper = (code: number, used: number): Term => {
    if (used >= valueWidth) return TRUE;
    const unused = extract(value.term, valueWidth - 1, used);
    return implies(eq(trap.term, constant(codeWidth, BigInt(code))), eq(unused, constant(valueWidth - used, 0n)));
  };
  const traps = machine.traps.map((t) =>
    proper(
      t.code,
      t.parameters.reduce((sum, p) => sum + widthOf(p), 0),
    ),
  );
  return and(proper(0, 0), ...traps);
}
