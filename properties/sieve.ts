/**
 * Runs cases at speed, compiled, to find those that the reference should look at. It answers only whether something is
 * wrong: what that is, and every verdict, comes from the reference.
 */
import { CompiledLockstep } from "../refinement/compile/lockstep.js";
import { Unsupported } from "../refinement/compile/unsupported.js";
import { checkGoesOn } from "../refinement/execute/commute.js";
import { inputsOf } from "../refinement/execute/concrete.js";
import type { State } from "../refinement/execute/state.js";
import type { MachineRefinement } from "../refinement/refinement.js";
import { eventsOf, type Schedulable, type Schedule } from "./schedule.js";

export interface Sieved {
  /** What seems wrong at the last of the host steps: equal for what is likely one bug. */
  readonly suspicion: string | undefined;
  readonly hostSteps: number;
  readonly guestSteps: number;
}

/** Compiled code knows no schedule of more events than this. */
const MOST_EVENTS = 256;

export class Sieve {
  private readonly lockstep: CompiledLockstep;
  private readonly schedulable: Schedulable;

  private constructor(lockstep: CompiledLockstep, schedulable: Schedulable) {
    this.lockstep = lockstep;
    this.schedulable = schedulable;
  }

  /**
   * Undefined where compiled code cannot do what the reference does: a host that takes arguments from the schedule, and
   * terms that cannot be compiled.
   */
  static of(refinement: MachineRefinement, schedulable: Schedulable): Sieve | undefined {
    if (schedulable.own.some((t) => inputsOf(t).length > 0)) return undefined;
    try {
      return new Sieve(new CompiledLockstep(refinement), schedulable);
    } catch (error) {
      if (error instanceof Unsupported) return undefined;
      throw error;
    }
  }

  /** From a host state in which the invariant holds. Of several enabled transitions the first is taken, as by default. */
  run(host: State, schedule: Schedule, mostHostSteps: number): Sieved {
    this.lockstep.load(host);
    const events = eventsOf(this.schedulable, schedule).slice(0, MOST_EVENTS);
    const { reason, violation, last, hostSteps, guestSteps } = this.lockstep.runAuto(mostHostSteps, events);
    const suspicion =
      violation !== undefined
        ? `${violation.kind}/${last} ${violation.what}`
        : reason === "quiescent" && this.isStuck()
          ? "progress enabled"
          : undefined;
    return { suspicion, hostSteps, guestSteps };
  }
  /** No host step is enabled; where a trap is pending, no guest step is either. */
  private isStuck(): boolean {
    const { lockstep } = this;
    return !lockstep.guestTrapped() && checkGoesOn(lockstep.refinement, lockstep.hostState()).length > 0;
  }
}
