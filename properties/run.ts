/**
 * One run of a host beside its guest: the diagram is checked at every step, the materialization points in every state.
 */
import type { Difference, ScheduledStep } from "../refinement/counterexample.js";
import { checkGoesOn, checkPoints, checkStep, type Violation } from "../refinement/execute/commute.js";
import { environment } from "../refinement/execute/concrete.js";
import type { State } from "../refinement/execute/state.js";
import type { MachineRefinement } from "../refinement/refinement.js";
import { Evaluator } from "../refinement/terms/evaluate.js";
import type { CoverageCounter } from "./coverage.js";

/** What a run that went wrong is a witness of. */
export interface Failure {
  readonly obligation: string;
  readonly differs: readonly Difference[];
  /** The host steps up to the one that breaks the obligation, or up to the state that does. */
  readonly schedule: readonly ScheduledStep[];
}

export interface Limits {
  readonly hostSteps: number;
  readonly guestSteps: number;
}

export interface Outcome {
  /** The host states in which the run was, the first one included; kept only where something went wrong. */
  readonly states: readonly State[];
  readonly failures: readonly Failure[];
  /** Violations that another of the guest's open choices might remove. */
  readonly uncertain: number;
}

/** Runs from `state` until something goes wrong, a limit is reached or `next` knows no step. */
export function run(
  refinement: MachineRefinement,
  state: State,
  next: (state: State, index: number) => ScheduledStep | undefined,
  limits: Limits,
  coverage: CoverageCounter,
): Outcome {
  const schedule: ScheduledStep[] = [];
  const states: State[] = [];
  let current = state;
  let guestSteps = 0;
  for (let index = 0; ; index++) {
    states.push(current);
    const seen = points(refinement, current, coverage);
    if (seen.length > 0) return outcome(seen, schedule, states);
    if (index >= limits.hostSteps || guestSteps >= limits.guestSteps) break;
    const step = next(current, index);
    if (step === undefined) break;
    const report = checkStep(refinement, current, step);
    if (!report.applicable) return FINE;
    coverage.step(step.transition, report, stutters(refinement, current, step, report.guestSteps.length));
    schedule.push(step);
    if (report.violations.length > 0) return outcome(report.violations, schedule, states);
    guestSteps += report.guestSteps.length;
    current = report.next;
  }
  return outcome(checkGoesOn(refinement, current), schedule, states);
}

export const FINE: Outcome = { failures: [], uncertain: 0, states: [] };

function outcome(
  violations: readonly Violation[],
  schedule: readonly ScheduledStep[],
  states: readonly State[],
): Outcome {
  const certain = violations.filter((v) => v.certain);
  return {
    failures: certain.map(({ obligation, differs }) => ({ obligation, differs, schedule: [...schedule] })),
    uncertain: violations.length - certain.length,
    states,
  };
}

function points(refinement: MachineRefinement, state: State, coverage: CoverageCounter): readonly Violation[] {
  if (refinement.materialize.length === 0) return [];
  const at = new Evaluator(environment(state));
  for (const point of refinement.materialize) if (at.holds(point.at)) coverage.interrupted(point.name);
  return checkPoints(refinement, state);
}

function stutters(refinement: MachineRefinement, state: State, step: ScheduledStep, guestSteps: number): boolean {
  if (guestSteps > 0) return false;
  const transition = refinement.host.transitions.find((t) => t.name === step.transition);
  const at = new Evaluator(environment(state, transition, new Map(Object.entries(step.arguments))));
  const chosen = refinement.steps.get(step.transition)?.find((c) => at.holds(c.condition));
  return chosen !== undefined && !chosen.environment;
}
