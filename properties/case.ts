/**
 * A case of a lockstep campaign: a program, where it starts and how it is scheduled. Everything a run depends on, so
 * that the same case always runs the same, and shrinks part by part.
 */
import { abstract, checkInitial, checkInverse, outside, type Violation } from "../refinement/execute/commute.js";
import { environment } from "../refinement/execute/concrete.js";
import type { State } from "../refinement/execute/state.js";
import type { MachineRefinement } from "../refinement/refinement.js";
import { Evaluator } from "../refinement/terms/evaluate.js";
import type { Drawn } from "./arbitraries/drawn.js";
import { schedules } from "./arbitraries/schedules.js";
import { states } from "./arbitraries/states.js";
import { guestStateOf, hostStateOf, initialHostState } from "./begin.js";
import { CoverageCounter } from "./coverage.js";
import type { Program } from "./program.js";
import { type Failure, type Limits, type Outcome, run } from "./run.js";
import { nextStep, type Schedulable, type Schedule, schedulable } from "./schedule.js";
import type { Start } from "./start.js";

/** `guest`: the run begins in γ of a guest state. `host`: it begins in an initial state of the host. */
export type Origin = "guest" | "host";

export interface Case {
  readonly origin: Origin;
  readonly program: Program;
  /** Of the machine that `origin` names. */
  readonly start: Start;
  readonly schedule: Schedule;
}

/** Where a case begins; nothing where the obligations do not speak about that state. */
export interface Beginning {
  /** The state that the origin's machine begins in. */
  readonly origin: State;
  readonly host: State;
  readonly violations: readonly Violation[];
  readonly usable: boolean;
}

/** Host steps drawn for; a machine that is no instruction set runs no further. */
const SCHEDULE_LENGTH = 32;
/** Host steps allowed for each guest step: interpreters take about ten. */
const HOST_STEPS_PER_GUEST_STEP = 16;

/** Draws, runs and shrinks the cases of one refinement. */
export class Cases {
  readonly refinement: MachineRefinement;
  private readonly schedulable: Schedulable;
  private readonly schedules: Drawn<Schedule>;
  private readonly starts = new Map<string, Drawn<Start>>();

  constructor(refinement: MachineRefinement) {
    this.refinement = refinement;
    this.schedulable = schedulable(refinement);
    this.schedules = schedules({
      maxLength: SCHEDULE_LENGTH,
      environment: this.schedulable.environment.length,
      transitions: this.schedulable.own.length,
      inputs: this.schedulable.mostInputs,
    });
  }

  /** Draws the rest of a case for this program. */
  draw(random: Parameters<Drawn<Start>["draw"]>[0], origin: Origin, program: Program): Case {
    return { origin, program, start: this.startsFor(origin, program).draw(random), schedule: this.schedules.draw(random) };
  }

  private startsFor(origin: Origin, program: Program): Drawn<Start> {
    const key = `${origin} ${program.length}`;
    let starts = this.starts.get(key);
    if (starts === undefined) {
      const machine = origin === "guest" ? this.refinement.guest : this.refinement.host;
      starts = states(machine, { codeLength: program.length });
      this.starts.set(key, starts);
    }
    return starts;
  }

  begin(of: Case): Beginning | undefined {
    if (of.origin === "guest") {
      const guest = guestStateOf(this.refinement, of.program, of.start);
      const host = hostStateOf(this.refinement, guest);
      if (host === undefined) return undefined;
      return { origin: guest, host, violations: checkInverse(this.refinement, guest), usable: this.usable(host) };
    }
    const host = initialHostState(this.refinement, of.program, of.start);
    if (host === undefined) return undefined;
    return { origin: host, host, violations: checkInitial(this.refinement, host), usable: this.usable(host) };
  }

  private usable(host: State): boolean {
    return outside(this.refinement, new Evaluator(environment(host))) === undefined;
  }

  /** Runs a case; undefined where it begins nowhere that the obligations speak about. */
  run(of: Case, coverage: CoverageCounter, limits: Limits = this.limits(of)): Outcome | undefined {
    const beginning = this.begin(of);
    if (beginning === undefined) return undefined;
    if (beginning.violations.length > 0) {
      const failures = beginning.violations.map(({ obligation, differs }): Failure => ({ obligation, differs, schedule: [] }));
      return { failures, uncertain: 0 };
    }
    if (!beginning.usable) return undefined;
    coverage.runs++;
    return run(this.refinement, beginning.host, (state, index) => this.next(of, state, index), limits, coverage);
  }

  private next(of: Case, state: State, index: number): ReturnType<typeof nextStep> {
    return nextStep(this.schedulable, state, of.schedule[index]);
  }

  limits({ program, schedule }: Case): Limits {
    if (this.refinement.guest.instructionSet === undefined) {
      return { hostSteps: schedule.length, guestSteps: Number.MAX_SAFE_INTEGER };
    }
    // Enough to run a program through once and a short loop of it several times.
    const guestSteps = 4 + 2 * program.length;
    return { guestSteps, hostSteps: guestSteps * HOST_STEPS_PER_GUEST_STEP };
  }

  /** Smaller cases, by one part only. */
  *smaller(of: Case, part: "program" | "schedule" | "start", programs: Drawn<Program> | undefined): Iterable<Case> {
    switch (part) {
      case "program":
        for (const program of programs?.smaller(of.program) ?? []) yield { ...of, program };
        return;
      case "schedule":
        for (const schedule of this.schedules.smaller(of.schedule)) yield { ...of, schedule };
        return;
      case "start":
        for (const start of this.startsFor(of.origin, of.program).smaller(of.start)) yield { ...of, start };
        return;
      default:
        part satisfies never;
    }
  }

  /** The guest state that a host state stands for. */
  guestOf(host: State): State {
    return abstract(this.refinement, host);
  }
}
