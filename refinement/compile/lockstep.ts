/**
 * A machine refinement run concretely at speed: the host steps, the guest, kept beside it, takes the steps that this stands
 * for, and the two are compared whole, all inside WebAssembly. A fast sieve: what it finds, `execute/commute.ts` (the
 * reference) is asked to confirm and to describe.
 */
import { EnvironmentFailure, InternalDefect } from "../errors.js";
import type { ScheduledStep } from "../counterexample.js";
import type { State } from "../execute/state.js";
import type { MachineRefinement } from "../refinement.js";
import type { StateLayout } from "./layout.js";
import type { Instance } from "./instance.js";
import { CHECK, compileLockstep, type LockstepCode, OUTCOME } from "./lockstep-code.js";
import { prepareInterpreter, resetInterpreter } from "./simulator.js";
import { MemoryValue } from "../terms/value.js";

/** What a step is judged by, beyond the comparison of states, which always takes place. */
export interface Checks {
  /** The invariant, well-formedness on both sides, and assumptions that are formulas. */
  readonly invariant: boolean;
  /** Materialization at each point where the host can be interrupted. */
  readonly points: boolean;
}

/** A host step that is to be taken at a certain time: the environment's. */
export interface Appointment {
  /** Fires before host step number `at` (counted from 0 in this run), or as soon after as its guard holds. */
  readonly at: number;
  readonly step: ScheduledStep;
}

export type LockstepReason =
  /** All host steps are done. */
  | "limit"
  /** No host transition is enabled. */
  | "quiescent"
  /** A condition that is assumed does not hold: the obligations say nothing from here on. */
  | "assumption"
  | "violation";

/** The kind of obligation that the last host step broke, and where. */
export interface LockstepViolation {
  readonly kind: "commute" | "invariant" | "progress" | "materialize";
  /** The guest variable that differs, the invariant's conjunct, the point's name, or `enabled`, `rank`. */
  readonly what: string;
}

export interface LockstepOutcome {
  readonly reason: LockstepReason;
  /** Host steps taken, the violating one included. */
  readonly hostSteps: number;
  readonly guestSteps: number;
  /** The host transition taken last. */
  readonly last: string | undefined;
  readonly violation: LockstepViolation | undefined;
}

const compiled = new WeakMap<MachineRefinement, LockstepCode>();

/** Host steps in one call, so that V8 can replace the code by its optimized form. */
const WARM_UP = 5_000;
const CHUNK = 20_000_000;

export class CompiledLockstep {
  readonly refinement: MachineRefinement;
  /** Materialization points that only the reference can check. */
  readonly uncompiledPoints: readonly string[];
  private readonly code: LockstepCode;
  private readonly instance: Instance;
  private readonly auto: WebAssembly.ExportedFunction;
  private warmUp = 50;

  /** Throws `Unsupported` for a refinement that cannot be compiled. */
  constructor(refinement: MachineRefinement) {
    this.refinement = refinement;
    let code = compiled.get(refinement);
    if (code === undefined) {
      code = compileLockstep(refinement);
      compiled.set(refinement, code);
    }
    this.code = code;
    this.uncompiledPoints = code.uncompiledPoints;
    this.instance = code.module.instantiate();
    this.auto = this.instance.function("auto");
    prepareInterpreter(this.instance, code.interpreter, "guest.");
  }

  /** Puts the host into this state and the guest into the one that it stands for. */
  load(hostState: State): void {
    const { instance, code } = this;
    for (const [v, place] of code.host) {
      const value = hostState.get(v.name);
      if (value === undefined) throw new InternalDefect(`the state has no ${v.name}`);
      instance.write(place, value);
    }
    for (const { place, base } of code.memories) {
      const value = hostState.get(base);
      if (!(value instanceof MemoryValue)) throw new InternalDefect(`${base} is not a memory`);
      instance.memory(place).load(value);
    }
    resetInterpreter(instance, code.interpreter, "guest.");
    for (const { log } of code.memories) instance.arena.view().setInt32(log.address, 0, true);
    instance.function("abstract")();
    const differs = Number(instance.function("compare")());
    if (differs !== 0)
      throw new InternalDefect(`the abstraction differs from itself in ${this.guestVariable(differs - 1)}`);
  }

  hostState(): State {
    return this.stateOf(this.code.host);
  }

  guestState(): State {
    return this.stateOf(this.code.guest);
  }

  guestTrapped(): boolean {
    const trap = this.refinement.guest.variables.find((v) => v.implicit && v.name === "trap");
    return trap !== undefined && this.instance.read(this.code.guest.of(trap.name)) !== 0n;
  }

  /** Compares all memory, not just what was written. The name of a guest memory that differs. */
  compareMemories(): string | undefined {
    for (const { name, place, base } of this.code.memories) {
      const basePlace = this.code.host.of(base);
      if (basePlace.kind !== "memory") continue;
      const differences = this.instance.memory(basePlace).value().differences(this.instance.memory(place).value());
      const pending = new Set(this.pendingAddresses(name));
      if (differences.some((address) => !pending.has(address))) return name;
    }
    return undefined;
  }

  /** Takes one scheduled step. `undefined` where its guard does not hold. */
  fire(step: ScheduledStep, checks: Checks = ALL_CHECKS): LockstepOutcome | undefined {
    const outcome = this.run(1, [{ at: 0, step }], checks, true);
    return outcome.hostSteps === 0 && outcome.reason === "quiescent" ? undefined : outcome;
  }

  /**
   * Takes up to `maxHostSteps` host steps: the appointments when they are due, else the first transition without parameters
   * that is enabled and not the environment's.
   */
  runAuto(
    maxHostSteps: number,
    appointments: readonly Appointment[] = [],
    checks: Checks = ALL_CHECKS,
  ): LockstepOutcome {
    return this.run(maxHostSteps, appointments, checks, false);
  }

  private run(
    maxHostSteps: number,
    appointments: readonly Appointment[],
    checks: Checks,
    onlyAppointed: boolean,
  ): LockstepOutcome {
    const { control } = this.code;
    const view = this.instance.arena.view();
    this.schedule(appointments);
    view.setInt32(
      control.checks,
      (checks.invariant ? CHECK.invariant : 0) |
        (checks.points ? CHECK.points : 0) |
        (onlyAppointed ? CHECK.onlyAppointed : 0),
      true,
    );
    view.setBigInt64(control.hostSteps, 0n, true);
    view.setBigInt64(control.guestSteps, 0n, true);
    view.setInt32(control.last, -1, true);
    let done = 0;
    for (;;) {
      const chunk = Math.min(maxHostSteps - done, this.warmUp > 0 ? WARM_UP : CHUNK);
      if (chunk === WARM_UP) this.warmUp--;
      const outcome = this.call(BigInt(done + chunk));
      done = Number(this.instance.arena.view().getBigInt64(control.hostSteps, true));
      if (outcome !== OUTCOME.limit || done >= maxHostSteps) return this.describe(outcome, done);
    }
  }

  private call(limit: bigint): number {
    try {
      return Number(this.auto(limit));
    } catch (error) {
      if (error instanceof EnvironmentFailure) throw error;
      throw new InternalDefect(`the compiled lockstep of ${this.refinement.name} broke down`, { cause: error });
    }
  }

  private describe(outcome: number, hostSteps: number): LockstepOutcome {
    const { control } = this.code;
    const view = this.instance.arena.view();
    const detail = view.getInt32(control.detail, true);
    const last = this.refinement.host.transitions[view.getInt32(control.last, true)]?.name;
    const guestSteps = Number(view.getBigInt64(control.guestSteps, true));
    const result = (reason: LockstepReason, violation?: LockstepViolation): LockstepOutcome => ({
      reason,
      hostSteps,
      guestSteps,
      last,
      violation,
    });
    const violation = (kind: LockstepViolation["kind"], what: string): LockstepOutcome =>
      result("violation", { kind, what });
    switch (outcome) {
      case OUTCOME.limit:
        return result("limit");
      case OUTCOME.quiescent:
        return result("quiescent");
      case OUTCOME.commute:
        return violation("commute", this.guestVariable(detail));
      case OUTCOME.blocked:
        return violation("commute", "enabled");
      case OUTCOME.progress:
        return violation("progress", "rank");
      case OUTCOME.invariant: {
        const conjunct = this.code.conjuncts[detail];
        if (conjunct?.kind === "assumption") return result("assumption");
        return violation("invariant", conjunct?.name ?? "");
      }
      case OUTCOME.materialize:
        return violation("materialize", this.code.points[detail] ?? "");
      default:
        throw new InternalDefect(`the lockstep came back with ${outcome}`);
    }
  }

  private guestVariable(index: number): string {
    return this.refinement.guest.variables[index]?.name ?? "";
  }

  /** Writes the appointments where the code finds them. */
  private schedule(appointments: readonly Appointment[]): void {
    const { schedule, entrySize, capacity } = this.code;
    if (appointments.length > capacity) throw new InternalDefect(`more than ${capacity} appointments`);
    const { host } = this.refinement;
    const view = this.instance.arena.view();
    view.setInt32(schedule, appointments.length, true);
    view.setInt32(schedule + 4, 0, true);
    const sorted = [...appointments].sort((a, b) => a.at - b.at);
    sorted.forEach(({ at, step }, i) => {
      const entry = schedule + 8 + i * entrySize;
      const index = host.transitions.findIndex((x) => x.name === step.transition);
      const inputs = this.code.inputs[index];
      if (inputs === undefined) throw new InternalDefect(`machine ${host.name} has no transition ${step.transition}`);
      view.setBigInt64(entry, BigInt(at), true);
      view.setInt32(entry + 8, index, true);
      for (const { name, place } of inputs.cells) {
        const address = entry + 16 + (place.address - inputs.address);
        this.instance.writeLimbs(address, place.limbs, step.arguments[name] ?? 0n);
      }
    });
  }

  private stateOf(layout: StateLayout): State {
    return new Map([...layout].map(([v, place]) => [v.name, this.instance.read(place)]));
  }

  /** Bytes that the abstraction itself writes in the present state: the log holds them after a comparison. */
  private *pendingAddresses(name: string): Generator<bigint> {
    const memory = this.code.memories.find((m) => m.name === name);
    if (memory === undefined) return;
    const view = this.instance.arena.view();
    const count = view.getInt32(memory.log.address, true);
    for (let i = 0; i < count; i++) {
      const entry = memory.log.address + 8 + 16 * i;
      const address = view.getBigUint64(entry, true);
      for (let k = 0n; k < BigInt(view.getInt32(entry + 8, true)); k++) {
        yield BigInt.asUintN(memory.place.width, address + k);
      }
    }
  }
}

const ALL_CHECKS: Checks = { invariant: true, points: true };
