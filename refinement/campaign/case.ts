/**
 * One concrete instance of an obligation: what a solver's model or a random draw comes to when it is run.
 */
import type { Obligation } from "../diagram.js";
import { unreachable } from "../errors.js";
import {
  checkGoesOn,
  checkInitial,
  checkInverse,
  checkPoints,
  checkStep,
  outside,
  transitionNamed,
  type Violation,
} from "../execute/commute.js";
import { type Arguments, environment, inputsOf, zeroValue } from "../execute/concrete.js";
import type { State } from "../execute/state.js";
import { wellFormed } from "../execute/well-formed.js";
import type { Machine, Transition } from "../machine.js";
import type { MachineRefinement } from "../refinement.js";
import { Evaluator } from "../terms/evaluate.js";
import { FileValue, type Value } from "../terms/value.js";

/** A host state (a guest state for `inverse`) and the inputs of the host transition, by their own names. */
export interface Case {
  readonly state: State;
  readonly args: Arguments;
}

export type Judgement =
  | { readonly kind: "holds" }
  | { readonly kind: "outside"; readonly because: string }
  | { readonly kind: "violated"; readonly violation: Violation };

/** The machine whose state a case is. */
export function machineOf(refinement: MachineRefinement, obligation: Obligation): Machine {
  return obligation.kind === "inverse" ? refinement.guest : refinement.host;
}

/** The host transition that a case runs, if any. */
export function transitionOf(refinement: MachineRefinement, obligation: Obligation): Transition | undefined {
  switch (obligation.kind) {
    case "invariant":
    case "commute":
    case "progress":
      return obligation.of === undefined ? undefined : transitionNamed(refinement.host, obligation.of);
    case "initial":
    case "materialize":
    case "inverse":
      return undefined;
    default:
      return unreachable(obligation.kind);
  }
}

/** From values by the names of variable terms; what a model leaves out does not matter and is zero. */
export function caseOf(refinement: MachineRefinement, obligation: Obligation, model: ReadonlyMap<string, Value>): Case {
  const machine = machineOf(refinement, obligation);
  const state = new Map(machine.variables.map((v) => [v.name, model.get(v.name) ?? zeroValue(v)]));
  for (const v of machine.variables) {
    let value = state.get(v.name);
    for (const [index, element] of v.fixed) if (value instanceof FileValue) value = value.set(BigInt(index), element);
    if (value !== undefined) state.set(v.name, value);
  }
  const t = transitionOf(refinement, obligation);
  const args = new Map<string, bigint>();
  for (const p of t === undefined ? [] : inputsOf(t)) {
    const value = model.get(p.term.name);
    args.set(p.name, typeof value === "bigint" ? value : 0n);
  }
  return { state, args };
}

/** Runs a case through the guest and the host. */
export function judge(refinement: MachineRefinement, obligation: Obligation, { state, args }: Case): Judgement {
  switch (obligation.kind) {
    case "invariant":
    case "commute":
    case "progress": {
      if (obligation.of === undefined) {
        const because = outside(refinement, new Evaluator(environment(state)));
        if (because !== undefined) return { kind: "outside", because };
        return find(checkGoesOn(refinement, state), obligation);
      }
      const step = { transition: obligation.of, arguments: Object.fromEntries(args) };
      const report = checkStep(refinement, state, step);
      if (!report.applicable) return { kind: "outside", because: report.because ?? "the step does not apply" };
      return find(report.violations, obligation);
    }
    case "initial": {
      const at = new Evaluator(environment(state));
      if (!at.holds(refinement.host.initial) || !wellFormed(refinement.host, state)) {
        return { kind: "outside", because: "the state is not initial" };
      }
      return find(checkInitial(refinement, state), obligation);
    }
    case "materialize": {
      const because = outside(refinement, new Evaluator(environment(state)));
      if (because !== undefined) return { kind: "outside", because };
      return find(checkPoints(refinement, state), obligation);
    }
    case "inverse": {
      if (!wellFormed(refinement.guest, state)) {
        return { kind: "outside", because: "the guest state is not well formed" };
      }
      return find(checkInverse(refinement, state), obligation);
    }
    default:
      return unreachable(obligation.kind);
  }
}

function find(violations: readonly Violation[], obligation: Obligation): Judgement {
  const violation = violations.find((v) => v.obligation === obligation.name);
  return violation === undefined ? { kind: "holds" } : { kind: "violated", violation };
}
