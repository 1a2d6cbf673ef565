/**
 * Concrete execution of machines by evaluation of their terms: the reference, simple and slow. Whatever is faster
 * (refinement/compile) is checked against it.
 *
 * Arguments are values of a transition's parameters and choices by their own names; what is not named is zero.
 */
import { InternalDefect, unreachable } from "../errors.js";
import type {
  Effect,
  InstructionSet,
  Machine,
  Parameter,
  StateVariable,
  TrapDeclaration,
  Transition,
} from "../machine.js";
import { type Environment, Evaluator } from "../terms/evaluate.js";
import { FileValue, MemoryValue, type Value } from "../terms/value.js";
import type { State } from "./state.js";

export type Arguments = ReadonlyMap<string, bigint>;

export const NO_ARGUMENTS: Arguments = new Map();

/** The values that terms over `state` and over the parameters and choices of `transition` are evaluated with. */
export function environment(state: State, transition?: Transition, args: Arguments = NO_ARGUMENTS): Environment {
  const inputs = new Map<string, bigint>();
  if (transition !== undefined) {
    for (const p of inputsOf(transition)) inputs.set(p.term.name, args.get(p.name) ?? 0n);
  }
  return {
    variable(term) {
      const value = state.get(term.name) ?? inputs.get(term.name);
      if (value === undefined) throw new InternalDefect(`no value is given for \`${term.name}\``);
      return value;
    },
  };
}

/** Everything that comes into a transition from outside: parameters, then choices. */
export function inputsOf(transition: Transition): readonly Parameter[] {
  return [...transition.parameters, ...transition.choices];
}

export function enabled(
  _machine: Machine,
  transition: Transition,
  state: State,
  args: Arguments = NO_ARGUMENTS,
): boolean {
  return new Evaluator(environment(state, transition, args)).holds(transition.guard);
}

/** The state after `transition`, whose guard is not asked. */
export function fire(machine: Machine, transition: Transition, state: State, args: Arguments = NO_ARGUMENTS): State {
  return apply(machine, transition.effect, state, new Evaluator(environment(state, transition, args)));
}

/** The state after `effect`; `at` evaluates terms over the state before. */
export function apply(machine: Machine, effect: Effect, state: State, at: Evaluator): State {
  const next = new Map(state);
  for (const raise of effect.raises) {
    if (!at.holds(raise.condition)) continue;
    const trap = trapNamed(machine, raise.trap);
    next.set("trap", BigInt(trap.code));
    next.set(
      "trap.value",
      packTrap(
        trap,
        raise.arguments.map((a) => at.number(a)),
      ),
    );
    return next;
  }
  for (const [name, term] of effect.assigns) next.set(name, at.value(term));
  return next;
}

export function trapNamed(machine: Machine, name: string): TrapDeclaration {
  const trap = machine.traps.find((t) => t.name === name);
  if (trap === undefined) throw new InternalDefect(`machine ${machine.name} has no trap ${name}`);
  return trap;
}

/** `trap.value`: the arguments side by side, the last one lowest. */
export function packTrap(trap: TrapDeclaration, args: readonly bigint[]): bigint {
  return trap.parameters.reduce((packed, p, i) => (packed << BigInt(widthOf(p))) | (args[i] ?? 0n), 0n);
}

/** The transitions that "any step" ranges over: what the machine does by itself, nothing that needs an argument from outside. */
export function ownTransitions(machine: Machine): readonly Transition[] {
  return machine.transitions.filter((t) => t.parameters.length === 0);
}

/** Those of the machine's own transitions that are enabled; of an ISA found by decoding the fetched word. */
export function enabledTransitions(machine: Machine, state: State): readonly Transition[] {
  const at = new Evaluator(environment(state));
  return candidates(machine, at).filter((t) => at.holds(t.guard));
}

/** One step of whichever of the machine's own transitions is enabled first; undefined where none is. */
export function stepAny(
  machine: Machine,
  state: State,
  choices: Arguments = NO_ARGUMENTS,
): { readonly transition: Transition; readonly state: State } | undefined {
  const transition = enabledTransitions(machine, state)[0];
  if (transition === undefined) return undefined;
  return { transition, state: fire(machine, transition, state, choices) };
}

/** The word that the program counter points at, undefined where it may not be fetched. */
export function fetchedWord(isa: InstructionSet, state: State): bigint | undefined {
  const at = new Evaluator(environment(state));
  return at.holds(isa.fetchable) ? at.number(isa.word) : undefined;
}

function candidates(machine: Machine, at: Evaluator): readonly Transition[] {
  const isa = machine.instructionSet;
  if (isa === undefined) return ownTransitions(machine);
  const word = at.holds(isa.fetchable) ? at.number(isa.word) : undefined;
  return ownTransitions(machine).filter(({ instruction }) => {
    if (instruction === undefined) return true;
    return word !== undefined && (word & instruction.encoding.mask) === instruction.encoding.match;
  });
}

/** Every variable zero, false, the first member; fixed elements at their values; all memory accessible. */
export function zeroState(machine: Machine): State {
  return new Map(machine.variables.map((v) => [v.name, zeroValue(v)]));
}

export function zeroValue(v: StateVariable): Value {
  switch (v.sort.kind) {
    case "bool":
    case "bits":
      return 0n;
    case "file": {
      let value = FileValue.filled(v.sort.count);
      for (const [index, element] of v.fixed) value = value.set(BigInt(index), element);
      return value;
    }
    case "memory":
      return MemoryValue.empty(v.sort.address);
    default:
      return unreachable(v.sort);
  }
}

/** Bits that a scalar parameter takes. */
export function widthOf(p: Pick<Parameter, "type">): number {
  switch (p.type.kind) {
    case "bool":
      return 1;
    case "bits":
      return p.type.width;
    case "enum":
      return Math.max(1, Math.ceil(Math.log2(p.type.members.length)));
    default:
      return unreachable(p.type);
  }
}
