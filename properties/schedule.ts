/**
 * What decides where a host leaves its next step open, as data that shrinks, and the step that comes of it in a state.
 */
import type { ScheduledStep } from "../refinement/counterexample.js";
import { type Arguments, enabled, enabledTransitions, inputsOf, widthOf } from "../refinement/execute/concrete.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine, Parameter, Transition } from "../refinement/machine.js";
import type { MachineRefinement } from "../refinement/refinement.js";

/** For one host step. Numbers are taken modulo what they range over. */
export interface Decision {
  /** The environment's transition that fires now, or as soon after as it is enabled. */
  readonly event: number | undefined;
  /** The host's transition to try first; the others follow in order. */
  readonly pick: number;
  /** For parameters and choices, in order. */
  readonly values: readonly bigint[];
}

export type Schedule = readonly Decision[];

const DEFAULT: Decision = { event: undefined, pick: 0, values: [] };

/** A host's transitions, by who schedules them. */
export interface Schedulable {
  readonly host: Machine;
  readonly own: readonly Transition[];
  readonly environment: readonly Transition[];
  readonly mostInputs: number;
}

export function schedulable(refinement: MachineRefinement): Schedulable {
  const { host, environment } = refinement;
  const isEvent = (t: Transition): boolean => environment.includes(t.name);
  return {
    host,
    own: host.transitions.filter((t) => !isEvent(t)),
    environment: host.transitions.filter(isEvent),
    mostInputs: Math.max(0, ...host.transitions.map((t) => inputsOf(t).length)),
  };
}

/** Combinations of arguments with more bits than this are not tried one after the other. */
const ENUMERATED_BITS = 6;

/** A step of the environment's, and the first host step before which it is due. */
export interface Event {
  readonly at: number;
  readonly step: ScheduledStep;
}

/** In order of time; each waits for those before it. */
export function eventsOf(of: Schedulable, schedule: Schedule): readonly Event[] {
  return schedule.flatMap((decision, at) => {
    if (decision.event === undefined || of.environment.length === 0) return [];
    const t = of.environment[decision.event % of.environment.length];
    return t === undefined
      ? []
      : [{ at, step: { transition: t.name, arguments: Object.fromEntries(drawnArguments(t, decision)) } }];
  });
}

/** Follows a schedule through one run. */
export class Scheduler {
  private readonly of: Schedulable;
  private readonly schedule: Schedule;
  private readonly events: readonly Event[];
  private served = 0;

  constructor(of: Schedulable, schedule: Schedule) {
    this.of = of;
    this.schedule = schedule;
    this.events = eventsOf(of, schedule);
  }

  /** The host step number `index`, an enabled transition with arguments; undefined where none is. */
  next(state: State, index: number): ScheduledStep | undefined {
    const event = this.events[this.served];
    if (event !== undefined && event.at <= index) {
      const t = this.of.environment.find((e) => e.name === event.step.transition);
      if (t !== undefined && enabled(this.of.host, t, state, new Map(Object.entries(event.step.arguments)))) {
        this.served++;
        return event.step;
      }
    }
    const decision = this.schedule[index] ?? DEFAULT;
    for (const t of candidates(this.of, state, decision)) {
      const step = stepOf(this.of.host, t, state, decision);
      if (step !== undefined) return step;
    }
    return undefined;
  }
}

function candidates(of: Schedulable, state: State, decision: Decision): readonly Transition[] {
  // An instruction set has many transitions, and decoding finds the one that matters.
  const own =
    of.host.instructionSet === undefined
      ? of.own
      : enabledTransitions(of.host, state).filter((t) => of.own.includes(t));
  const first = own.length === 0 ? 0 : decision.pick % own.length;
  return [...own.slice(first), ...own.slice(0, first)];
}

function stepOf(host: Machine, t: Transition, state: State, decision: Decision): ScheduledStep | undefined {
  for (const args of argumentsFor(t, decision)) {
    if (enabled(host, t, state, args)) return { transition: t.name, arguments: Object.fromEntries(args) };
  }
  return undefined;
}

/** The decision's own values first, then the combinations after them if they are few, then zero. */
function* argumentsFor(t: Transition, decision: Decision): Generator<Arguments> {
  const inputs = inputsOf(t);
  const drawn = drawnArguments(t, decision);
  yield drawn;
  if (inputs.length === 0) return;
  const bits = inputs.reduce((sum, p) => sum + widthOf(p), 0);
  if (bits > ENUMERATED_BITS) {
    yield new Map(inputs.map((p) => [p.name, 0n]));
    return;
  }
  for (let offset = 1n; offset < 1n << BigInt(bits); offset++) {
    let rest = offset;
    const args = new Map<string, bigint>();
    for (const p of inputs) {
      const width = BigInt(widthOf(p));
      args.set(p.name, inRange(p, (drawn.get(p.name) ?? 0n) + (rest & ((1n << width) - 1n))));
      rest >>= width;
    }
    yield args;
  }
}

function drawnArguments(t: Transition, decision: Decision): Arguments {
  return new Map(inputsOf(t).map((p, i) => [p.name, inRange(p, decision.values[i] ?? 0n)]));
}

function inRange(p: Parameter, value: bigint): bigint {
  const count = p.type.kind === "enum" ? BigInt(p.type.members.length) : 1n << BigInt(widthOf(p));
  return value % count;
}
