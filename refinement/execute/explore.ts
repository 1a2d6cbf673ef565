/**
 * Breadth-first exploration: every reachable state of a machine small enough to enumerate, every obligation judged on
 * every step, and so the shortest way to whatever goes wrong.
 */
import type { ScheduledStep } from "../counterexample.js";
import { InternalDefect, unreachable } from "../errors.js";
import type { Machine, Transition } from "../machine.js";
import type { MachineRefinement, Named } from "../refinement.js";
import { Evaluator } from "../terms/evaluate.js";
import { FileValue, MemoryValue, type Value } from "../terms/value.js";
import {
  allValues,
  checkGoesOn,
  checkInitial,
  checkPoints,
  checkStep,
  inputCount,
  outside,
  product,
  type Violation,
} from "./commute.js";
import { enabled, environment, inputsOf } from "./concrete.js";
import { variableOf } from "./difference.js";
import { enumerateStates } from "./enumerate.js";
import type { State } from "./state.js";
import { wellFormedTerm } from "./well-formed.js";

/** A violation and the shortest schedule that leads to it: its last step is the one that goes wrong. */
export interface Trail {
  readonly start: State;
  readonly schedule: readonly ScheduledStep[];
  readonly violation: Violation;
}

export interface Exploration {
  readonly states: number;
  /** Obligations that were judged at least once: `commute/T`, not split by guest transition. */
  readonly judged: ReadonlySet<string>;
  /** The shortest of each cause, in order of discovery. */
  readonly trails: readonly Trail[];
  /** Why the exploration is not complete; undefined where it is. */
  readonly incomplete:
    | { readonly by: "states" | "inputs" | "initial" | "interrupted"; readonly reason: string }
    | undefined;
}

export interface ExploreOptions {
  /** States, and initial states tried. */
  readonly limit: number;
  /** States looked at after the first violation: what follows from a mistake can be far more than what is right. */
  readonly aftermath: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (states: number, waiting: number) => void;
  /** Told of the first trail of each cause when it is found. */
  readonly onTrail?: (trail: Trail) => void;
}

/** Inputs of one transition together. */
const MOST_INPUTS = 1 << 12;
const PROGRESS_EVERY = 256;

/** Explores from every initial host state that also satisfies `from`. */
export async function explore(
  refinement: MachineRefinement,
  from: Named | undefined,
  options: ExploreOptions,
): Promise<Exploration> {
  const { host, assumptions } = refinement;
  const faulting = host.variables.find((v) => Object.keys(v.faults).length > 0);
  if (faulting !== undefined) {
    return nothing("inputs", `accesses to \`${faulting.name}\` can fault: which do is not part of the state`);
  }
  const wide = host.transitions.find((t) => inputCount(t) > MOST_INPUTS);
  if (wide !== undefined) return nothing("inputs", `${wide.name} has ${inputCount(wide)} different inputs`);
  const conditions = [host.initial, wellFormedTerm(host), ...(from === undefined ? [] : [from.term])];
  for (const { condition } of assumptions) if (condition !== undefined) conditions.push(condition);
  const initial = enumerateStates(host, conditions, options.limit);
  if ("free" in initial) {
    return nothing("initial", `too many initial states: \`${initial.free}\` is free; fix it under \`explore:\``);
  }
  const explorer = new Explorer(refinement, options);
  explorer.begin(initial);
  return explorer.run();
}

function nothing(by: "inputs" | "initial", reason: string): Exploration {
  return { states: 0, judged: new Set(), trails: [], incomplete: { by, reason } };
}

/** How a state was first reached: which one before, by which step. */
interface Visit {
  readonly key: string;
  readonly from: number;
  readonly step: ScheduledStep | undefined;
}

class Explorer {
  private readonly refinement: MachineRefinement;
  private readonly options: ExploreOptions;
  private readonly codec: Codec;
  private readonly visits: Visit[] = [];
  private readonly seen = new Set<string>();
  private readonly judged = new Set<string>();
  private readonly trails = new Map<string, Trail>();
  private readonly inputs = new Map<Transition, readonly ReadonlyMap<string, bigint>[]>();

  constructor(refinement: MachineRefinement, options: ExploreOptions) {
    this.refinement = refinement;
    this.options = options;
    this.codec = new Codec(refinement.host);
    for (const t of refinement.host.transitions) {
      const ranges = inputsOf(t).map((p) => ({ name: p.name, range: allValues(p) }));
      this.inputs.set(t, [...product(ranges)]);
    }
  }

  begin(initial: readonly State[]): void {
    for (const state of initial) {
      this.judged.add("initial");
      for (const violation of checkInitial(this.refinement, state)) this.report(violation, state, []);
      this.visit(state, -1, undefined);
    }
  }

  async run(): Promise<Exploration> {
    let end = Number.POSITIVE_INFINITY;
    for (let at = 0; at < this.visits.length; at++) {
      if (this.visits.length > this.options.limit)
        return this.result("states", `more than ${this.options.limit} states`);
      if (at >= end)
        return this.result("states", `ended ${this.options.aftermath} states after the first counterexample`);
      if (at % PROGRESS_EVERY === 0) {
        this.options.onProgress?.(at, this.visits.length - at);
        await new Promise((resolve) => setImmediate(resolve));
        if (this.options.signal?.aborted === true) return this.result("interrupted", `interrupted after ${at} states`);
      }
      this.expand(at);
      if (this.trails.size > 0) end = Math.min(end, at + 1 + this.options.aftermath);
    }
    return this.result(undefined, "");
  }

  private expand(index: number): void {
    const { refinement } = this;
    const state = this.codec.decode(this.visitAt(index).key);
    const at = new Evaluator(environment(state));
    // A state outside I was reported by the step that led to it; what follows from it says nothing more.
    if (outside(refinement, at) !== undefined) return;
    for (const point of refinement.materialize) if (at.holds(point.at)) this.judged.add(`materialize/${point.name}`);
    for (const violation of [...checkPoints(refinement, state), ...checkGoesOn(refinement, state)]) {
      this.report(violation, ...this.wayTo(index));
    }
    for (const t of refinement.host.transitions) {
      for (const args of this.inputs.get(t) ?? []) {
        if (!enabled(refinement.host, t, state, args)) continue;
        const step = { transition: t.name, arguments: Object.fromEntries(args) };
        const report = checkStep(refinement, state, step);
        for (const name of report.obligations) this.judged.add(familyOf(name));
        if (report.guestSteps.length > 0) this.judged.add("progress");
        for (const violation of report.violations) {
          const [start, schedule] = this.wayTo(index);
          this.report(violation, start, [...schedule, step]);
        }
        this.visit(report.next, index, step);
      }
    }
  }

  private visit(state: State, from: number, step: ScheduledStep | undefined): void {
    const key = this.codec.encode(state);
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.visits.push({ key, from, step });
  }

  private visitAt(index: number): Visit {
    const visit = this.visits[index];
    if (visit === undefined) throw new InternalDefect(`state ${index} was not visited`);
    return visit;
  }

  private wayTo(index: number): readonly [State, ScheduledStep[]] {
    const schedule: ScheduledStep[] = [];
    let visit = this.visitAt(index);
    while (visit.step !== undefined) {
      schedule.unshift(visit.step);
      visit = this.visitAt(visit.from);
    }
    return [this.codec.decode(visit.key), schedule];
  }

  /** Breadth first, the first of a cause is a shortest one. */
  private report(violation: Violation, start: State, schedule: readonly ScheduledStep[]): void {
    const cause = `${violation.obligation} ${variableOf(violation.differs[0]?.variable ?? "")}`;
    if (this.trails.has(cause)) return;
    const trail = { start, schedule, violation };
    this.trails.set(cause, trail);
    this.options.onTrail?.(trail);
  }

  private result(by: "states" | "interrupted" | undefined, reason: string): Exploration {
    return {
      states: this.visits.length,
      judged: this.judged,
      trails: [...this.trails.values()],
      incomplete: by === undefined ? undefined : { by, reason },
    };
  }
}

/** `commute/T/addi` → `commute/T`: exploration does not split by guest transition. */
export function familyOf(obligation: string): string {
  return obligation.split("/").slice(0, 2).join("/");
}

/** States as short strings, and back. */
class Codec {
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  encode(state: State): string {
    let key = "";
    for (const v of this.machine.variables) key += `${text(state.get(v.name))};`;
    return key;
  }

  decode(key: string): State {
    const parts = key.split(";");
    return new Map(
      this.machine.variables.map((v, i): [string, Value] => {
        const part = parts[i] ?? "";
        switch (v.sort.kind) {
          case "bool":
          case "bits":
            return [v.name, number(part)];
          case "file":
            return [v.name, new FileValue(part.split(",").map(number))];
          case "memory":
            return [v.name, memory(v.sort.address, part)];
          default:
            return unreachable(v.sort);
        }
      }),
    );
  }
}

function text(value: Value | undefined): string {
  if (value === undefined) throw new InternalDefect("a state lacks a variable");
  if (typeof value === "bigint") return value.toString(36);
  if (value instanceof FileValue) return value.elements.map((e) => e.toString(36)).join(",");
  return [...value.written()].map(([address, byte]) => `${address.toString(36)}:${byte.toString(36)}`).join(",");
}

const digits = new Map<string, bigint>();

function number(part: string): bigint {
  let value = digits.get(part);
  if (value === undefined) {
    value = [...part].reduce((sum, digit) => sum * 36n + BigInt(Number.parseInt(digit, 36)), 0n);
    if (part.length <= 3) digits.set(part, value);
  }
  return value;
}

function memory(address: number, part: string): MemoryValue {
  const bytes = part === "" ? [] : part.split(",").map((entry) => entry.split(":").map(number));
  return bytes.reduce((m, [at, byte]) => m.store(at ?? 0n, 1, byte ?? 0n), MemoryValue.empty(address));
}
