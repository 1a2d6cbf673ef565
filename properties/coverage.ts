/**
 * What a campaign has executed: the report can say what it never did.
 */
import type { MachineRefinement } from "../refinement/refinement.js";
import type { StepReport } from "../refinement/execute/commute.js";

export interface Coverage {
  /** Runs that began in a state which the obligations speak about. */
  readonly runs: number;
  readonly hostSteps: number;
  readonly guestSteps: number;
  /** Host steps that stood for no guest step and had to lower the rank. */
  readonly stutters: number;
  /** How often the reference executed each host transition; all of them are named. What ran at speed is not in it. */
  readonly host: ReadonlyMap<string, number>;
  /** The same of the guest's transitions. */
  readonly guest: ReadonlyMap<string, number>;
  /** The same of the materialization points: how often the host was interrupted there. */
  readonly points: ReadonlyMap<string, number>;
}

export class CoverageCounter implements Coverage {
  runs = 0;
  hostSteps = 0;
  guestSteps = 0;
  stutters = 0;
  readonly host: Map<string, number>;
  readonly guest: Map<string, number>;
  readonly points: Map<string, number>;

  constructor(refinement: MachineRefinement) {
    this.host = new Map(refinement.host.transitions.map((t) => [t.name, 0]));
    this.guest = new Map(refinement.guest.transitions.map((t) => [t.name, 0]));
    this.points = new Map(refinement.materialize.map((p) => [p.name, 0]));
  }

  step(transition: string, report: Pick<StepReport, "guestSteps">, stutters: boolean): void {
    this.hostSteps++;
    this.guestSteps += report.guestSteps.length;
    if (stutters) this.stutters++;
    count(this.host, transition);
    for (const step of report.guestSteps) count(this.guest, step.transition);
  }

  /** A run in compiled code, which only counts. */
  atSpeed({ hostSteps, guestSteps }: { readonly hostSteps: number; readonly guestSteps: number }): void {
    this.runs++;
    this.hostSteps += hostSteps;
    this.guestSteps += guestSteps;
  }

  interrupted(point: string): void {
    count(this.points, point);
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** The names that were never executed, in order of declaration. */
export function never(counts: ReadonlyMap<string, number>): readonly string[] {
  return [...counts].filter(([, n]) => n === 0).map(([name]) => name);
}
