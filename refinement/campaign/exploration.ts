/**
 * Exploration as verdicts: every obligation of a refinement, judged on every reachable state.
 */
import type { Counterexample } from "../counterexample.js";
import { recordOfState } from "../counterexample-state.js";
import { explore, type Exploration, familyOf, type Trail } from "../execute/explore.js";
import { abstract, mustProgress, stepCases } from "../execute/commute.js";
import type { MachineRefinement } from "../refinement.js";
import type { Verdict } from "../verdict.js";
import { codeAt, titleOf } from "./describe.js";
import type { Settled } from "./report.js";

export interface ExplorationOptions {
  readonly limit: number;
  readonly aftermath: number;
  readonly date: string;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((states: number, waiting: number) => void) | undefined;
  readonly onFound: ((settled: Settled) => void) | undefined;
}

/** The obligations that exploration judges, not split by guest transition; `inverse` is not about reachable states. */
export function explorable(refinement: MachineRefinement): readonly string[] {
  const { guest, host } = refinement;
  const stutters = host.transitions.filter((t) => stepCases(refinement, t.name).some(mustProgress));
  return [
    "initial",
    ...host.transitions.map((t) => `invariant/${t.name}`),
    ...host.transitions.map((t) => `commute/${t.name}`),
    ...(refinement.rank === undefined ? [] : stutters.map((t) => `progress/${t.name}`)),
    ...(guest.transitions.length === 0 ? [] : ["progress"]),
    ...refinement.materialize.map((point) => `materialize/${point.name}`),
  ];
}

/** Explores from each of the refinement's named sets of initial states, or from all initial states if it names none. */
export async function exploreRefinement(
  refinement: MachineRefinement,
  options: ExplorationOptions,
): Promise<readonly Settled[]> {
  const began = performance.now();
  const explorations: Exploration[] = [];
  for (const from of refinement.explore.length === 0 ? [undefined] : refinement.explore) {
    explorations.push(
      await explore(refinement, from, {
        limit: options.limit,
        aftermath: options.aftermath,
        signal: options.signal,
        ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
        onTrail: (trail) => {
          const verdict: Verdict = {
            verdict: "refuted",
            by: "states",
            counterexample: counterexample(refinement, trail, options.date),
          };
          const obligation = familyOf(trail.violation.obligation);
          options.onFound?.({ obligation, method: "explore", verdict, more: [], ms: performance.now() - began });
        },
      }),
    );
  }
  const names = explorable(refinement);
  const ms = (performance.now() - began) / names.length;
  return names.map((obligation) => {
    const trails = explorations.flatMap((e) => e.trails).filter((t) => familyOf(t.violation.obligation) === obligation);
    const [first, ...more] = distinct(trails).map((trail) => counterexample(refinement, trail, options.date));
    const verdict: Verdict =
      first === undefined
        ? unrefuted(obligation, explorations)
        : { verdict: "refuted", by: "states", counterexample: first };
    return { obligation, method: "explore", verdict, more, ms };
  });
}

function unrefuted(obligation: string, explorations: readonly Exploration[]): Verdict {
  const incomplete = explorations.find((e) => e.incomplete !== undefined)?.incomplete;
  const states = explorations.reduce((sum, e) => sum + e.states, 0);
  if (incomplete !== undefined) {
    const { by, reason } = incomplete;
    return by === "states" || by === "interrupted"
      ? { verdict: "unknown", by, reason }
      : { verdict: "unsupported", what: reason };
  }
  if (!explorations.some((e) => e.judged.has(obligation))) {
    return { verdict: "vacuous", by: "states", reason: `it never applies in the ${states} reachable states` };
  }
  return { verdict: "explored", states };
}

/** One of each cause, over all explorations. */
function distinct(trails: readonly Trail[]): readonly Trail[] {
  const causes = new Map<string, Trail>();
  for (const trail of trails) {
    const cause = `${trail.violation.obligation} ${trail.violation.differs[0]?.variable}`;
    const known = causes.get(cause);
    if (known === undefined || trail.schedule.length < known.schedule.length) causes.set(cause, trail);
  }
  return [...causes.values()];
}

function counterexample(
  refinement: MachineRefinement,
  { start, schedule, violation }: Trail,
  date: string,
): Counterexample {
  const guest = codeAt(refinement.guest, abstract(refinement, start));
  return {
    title: titleOf(violation, undefined),
    refinement: refinement.name,
    obligation: violation.obligation,
    fault: refinement.fault,
    found: { by: "explore", solver: undefined, seed: undefined, date },
    machines: { guest: refinement.guest.digest, host: refinement.host.digest },
    guest,
    host: undefined,
    state: recordOfState(refinement.host, start),
    inaccessible: [],
    schedule,
    differs: violation.differs,
    expect: "refuted",
    cause: { obligation: violation.obligation, variable: violation.differs[0]?.variable ?? "" },
  };
}
