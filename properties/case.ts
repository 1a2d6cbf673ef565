/**
 * A case of a lockstep campaign: a program, where it starts and how it is scheduled. Everything a run depends on, so
 * that the same case always runs the same, and shrinks part by part.
 */
import { withPermissions } from "../refinement/counterexample-state.js";
import { abstract, checkInitial, checkInverse, outside, type Violation } from "../refinement/execute/commute.js";
import { environment } from "../refinement/execute/concrete.js";
import type { State } from "../refinement/execute/state.js";
import type { MachineRefinement } from "../refinement/refinement.js";
import { Evaluator } from "../refinement/terms/evaluate.js";
import type { Drawn } from "./arbitraries/drawn.js";
import { schedules } from "./arbitraries/schedules.js";
import { states } from "./arbitraries/states.js";
import { anatomyOf } from "./anatomy.js";
import { counterIn, hostStateOf, initialHostState, stateWithProgram } from "./begin.js";
import type { CoverageCounter } from "./coverage.js";
import { type Program, readProgram, writeProgram } from "./program.js";
import { type Failure, type Limits, type Outcome, run } from "./run.js";
import { type Schedulable, type Schedule, Scheduler, schedulable } from "./schedule.js";
import { Sieve, type Sieved } from "./sieve.js";
import { deniedIn, type Start } from "./start.js";

/** `guest`: the run begins in γ of a guest state. `host`: it begins in an initial state of the host. */
export type Origin = "guest" | "host";

export interface Case {
  readonly origin: Origin;
  readonly program: Program;
  /** Of the machine that `origin` names. */
  readonly start: Start;
  readonly schedule: Schedule;
}

export interface Beginning {
  /** The state that the origin's machine begins in. */
  readonly origin: State;
  readonly host: State;
}

/** Host steps drawn for; a machine that is no instruction set runs no further. */
const SCHEDULE_LENGTH = 32;
/** How many of the last states of a failing run may become beginnings, and of how many instructions. */
const LATER = 48;
const MOST_LATER = 5;
/** An instruction that goes takes up to so many host steps with it. */
const MOST_EARLIER = 10;
/** Host steps allowed for each guest step: interpreters take about ten. */
const HOST_STEPS_PER_GUEST_STEP = 16;

/** What of a case is made smaller; `time` is a shorter program and what the schedule does the earlier for it. */
export type Part = "program" | "time" | "schedule" | "start";
export const PARTS: readonly Part[] = ["program", "time", "schedule", "start"];

/** Draws, runs and shrinks the cases of one refinement. */
export class Cases {
  readonly refinement: MachineRefinement;
  private readonly schedulable: Schedulable;
  private readonly schedules: Drawn<Schedule>;
  private readonly siever: Sieve | undefined;
  private readonly starts = new Map<string, Drawn<Start>>();

  constructor(refinement: MachineRefinement) {
    this.refinement = refinement;
    this.schedulable = schedulable(refinement);
    this.siever = Sieve.of(refinement, this.schedulable);
    this.schedules = schedules({
      maxLength: SCHEDULE_LENGTH,
      environment: this.schedulable.environment.length,
      transitions: this.schedulable.own.length,
      inputs: this.schedulable.mostInputs,
      bounds: refinement.guest.instructionSet === undefined,
    });
  }

  /** Draws the rest of a case for this program. */
  draw(random: Parameters<Drawn<Start>["draw"]>[0], origin: Origin, program: Program): Case {
    return {
      origin,
      program,
      start: this.startsFor(origin, program).draw(random),
      schedule: this.schedules.draw(random),
    };
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

  /** Undefined where the refinement has no state to begin in. */
  begin(of: Case): Beginning | undefined {
    if (of.origin === "host") {
      const host = initialHostState(this.refinement, of.program, of.start);
      return host === undefined ? undefined : { origin: host, host };
    }
    const guest = stateWithProgram(this.refinement.guest, of.program, of.start);
    const host = hostStateOf(this.refinement, guest);
    return host === undefined ? undefined : { origin: guest, host };
  }

  /** What is wrong with the beginning itself. */
  private wrong(of: Case, { origin, host }: Beginning): readonly Violation[] {
    return of.origin === "guest" ? checkInverse(this.refinement, origin) : checkInitial(this.refinement, host);
  }

  /** The obligations speak about runs from there. */
  private usable({ host }: Beginning): boolean {
    return outside(this.refinement, new Evaluator(environment(host))) === undefined;
  }

  /** Runs a case; undefined where it begins nowhere that the obligations speak about. */
  run(of: Case, coverage: CoverageCounter, limits: Limits = this.limits(of)): Outcome | undefined {
    const beginning = this.begin(of);
    if (beginning === undefined) return undefined;
    const wrong = this.wrong(of, beginning);
    if (wrong.length > 0) {
      const failures = wrong.map(({ obligation, differs }): Failure => ({ obligation, differs, schedule: [] }));
      return { failures, uncertain: 0, states: [] };
    }
    if (!this.usable(beginning)) return undefined;
    coverage.runs++;
    const scheduler = new Scheduler(this.schedulable, of.schedule);
    return run(this.refinement, beginning.host, (state, index) => scheduler.next(state, index), limits, coverage);
  }

  get atSpeed(): boolean {
    return this.siever !== undefined;
  }

  /**
   * Runs a case at speed, if it can be: how it went, and whether the reference should look at it. The beginning is checked
   * no further than it takes to run from there.
   */
  sieve(of: Case, mostHostSteps: number = this.limits(of).hostSteps): Sieved | "elsewhere" | undefined {
    const { siever } = this;
    if (siever === undefined) return undefined;
    const beginning = this.begin(of);
    if (beginning === undefined || !this.usable(beginning)) return "elsewhere";
    return siever.run(beginning.host, of.schedule, mostHostSteps);
  }

  limits({ program, schedule }: Case): Limits {
    if (this.refinement.guest.instructionSet === undefined) {
      return { hostSteps: schedule.length, guestSteps: Number.MAX_SAFE_INTEGER };
    }
    // Enough to run a program through once and a short loop of it several times.
    const guestSteps = 4 + 2 * program.length;
    return { guestSteps, hostSteps: guestSteps * HOST_STEPS_PER_GUEST_STEP };
  }

  /**
   * Cases that begin later in a failing run: in γ of the guest state that one of its last host states stands for, with the
   * instructions that lie there as their program. The latest first.
   */
  later(failing: Case, failure: Failure, states: readonly State[]): readonly Case[] {
    const { start, schedule } = failing;
    const anatomy = anatomyOf(this.refinement.guest);
    const beginning = this.begin(failing);
    if (this.refinement.concretize === undefined || anatomy === undefined || beginning === undefined) return [];
    return states
      .slice(-LATER)
      .flatMap((state, i, all): readonly Case[] => {
        const guest = this.guestOf(state);
        if ((guest.get("trap") ?? 0n) !== 0n) return [];
        const index = states.length - all.length + i;
        const steps = Math.min(MOST_LATER, failure.schedule.length - index);
        const program = readProgram(anatomy, guest, steps);
        const inaccessible = deniedIn(guest, beginning.origin, start.inaccessible);
        // What the program writes again is no part of the state, so that it can shrink.
        const counter = counterIn(guest, anatomy.programCounter.name);
        const without = writeProgram(
          anatomy,
          guest,
          program.map(() => 0n),
          counter,
        );
        const later = { state: withPermissions(without, []), inaccessible };
        return [{ origin: "guest", program, start: later, schedule: schedule.slice(index) }];
      })
      .reverse();
  }

  /** Smaller cases, by one part only. */
  *smaller(of: Case, part: Part, programs: Drawn<Program> | undefined): Iterable<Case> {
    switch (part) {
      case "program":
        for (const program of programs?.smaller(of.program) ?? []) yield { ...of, program };
        return;
      case "time":
        yield* earlier(of, programs);
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

/** An interrupt that has to come at the right moment comes too late for a program without some of its instructions. */
function* earlier(of: Case, programs: Drawn<Program> | undefined): Iterable<Case> {
  const first = of.schedule.findIndex((decision) => decision.event !== undefined);
  for (const program of first < 1 ? [] : (programs?.smaller(of.program) ?? [])) {
    const gone = of.program.length - program.length;
    for (let steps = 1; steps <= Math.min(first, gone * MOST_EARLIER); steps++) {
      yield { ...of, program, schedule: of.schedule.slice(steps) };
    }
  }
}
