import type { Random } from "fast-check";
import { pick } from "../random.js";
import type { Decision, Schedule } from "../schedule.js";
import { Drawn } from "./drawn.js";
import { values } from "./values.js";

export interface SchedulesOptions {
  /** Host steps for which a decision is drawn; later ones take the first transition with arguments zero. */
  readonly maxLength: number;
  /** How many transitions the environment may fire at any time: interrupts. */
  readonly environment: number;
  /** How many transitions the host has by itself. */
  readonly transitions: number;
  /** The most inputs (parameters and choices) of one transition. */
  readonly inputs: number;
  /** A run is as long as its schedule: one that decides nothing is not empty then. */
  readonly bounds?: boolean;
}

/**
 * Schedules of host steps: which of several transitions goes next, with which arguments, and when the environment
 * interrupts (never, rarely, often, nearly always). A host that leaves nothing open gets the empty schedule, unless `bounds`.
 */
export function schedules(options: SchedulesOptions): Drawn<Schedule> {
  return new SchedulesArbitrary(options);
}

const RAW = values({ kind: "bits", width: 64 });
const FEW = values({ kind: "bits", width: 3 });

class SchedulesArbitrary extends Drawn<Schedule> {
  private readonly options: SchedulesOptions;

  constructor(options: SchedulesOptions) {
    super();
    this.options = options;
  }

  override draw(random: Random): Schedule {
    const { maxLength, environment, transitions, inputs, bounds } = this.options;
    if (bounds !== true && transitions <= 1 && inputs === 0 && environment === 0) return [];
    const length = random.nextInt(0, maxLength);
    const rate = environment === 0 ? 0 : pick(random, [0, 3, 15, 60]);
    return Array.from({ length }, () => this.decision(random, rate));
  }

  private decision(random: Random, rate: number): Decision {
    const { environment, transitions, inputs } = this.options;
    const interrupted = random.nextInt(0, 99) < rate;
    return {
      event: interrupted ? random.nextInt(0, environment - 1) : undefined,
      pick: random.nextInt(0, Math.max(0, transitions - 1)),
      values: Array.from({ length: inputs }, () => (random.nextInt(0, 1) === 0 ? FEW : RAW).draw(random)),
    };
  }

  override *smaller(value: Schedule): Iterable<Schedule> {
    for (let chunk = value.length; chunk > 0; chunk >>= 1) {
      for (let at = 0; at < value.length; at += chunk) yield value.toSpliced(at, chunk);
    }
    for (const [at, decision] of value.entries()) {
      if (decision.event !== undefined) {
        yield value.with(at, { ...decision, event: undefined });
        if (decision.event > 0) yield value.with(at, { ...decision, event: 0 });
      }
      if (decision.pick > 0) yield value.with(at, { ...decision, pick: 0 });
      if (decision.pick > 1) yield value.with(at, { ...decision, pick: decision.pick - 1 });
      for (const [i, drawn] of decision.values.entries()) {
        for (const smaller of RAW.smaller(drawn)) {
          yield value.with(at, { ...decision, values: decision.values.with(i, smaller) });
        }
      }
    }
  }

  override size(value: Schedule): bigint {
    return value.reduce((size, d) => {
      const event = d.event === undefined ? 0n : BigInt(d.event) + 1n;
      return d.values.reduce((sum, v) => sum + v, size + 1n + event + BigInt(d.pick));
    }, 0n);
  }
}
