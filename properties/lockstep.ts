/**
 * Testing a refinement: random programs, states and schedules, host beside guest, every variable compared at every step.
 * The obligations are those of the diagram; only the states are fewer.
 */
import fc from "fast-check";
import type { Counterexample } from "../refinement/counterexample.js";
import { InternalDefect } from "../refinement/errors.js";
import { mustProgress } from "../refinement/execute/commute.js";
import { variableOf } from "../refinement/execute/difference.js";
import type { State } from "../refinement/execute/state.js";
import type { MachineRefinement } from "../refinement/refinement.js";
import { size } from "../refinement/terms/variables.js";
import type { Verdict } from "../refinement/verdict.js";
import type { Drawn } from "./arbitraries/drawn.js";
import { programs } from "./arbitraries/programs.js";
import { type Case, Cases, type Origin, PARTS } from "./case.js";
import { counterexampleOf } from "./counterexample.js";
import { type Coverage, CoverageCounter } from "./coverage.js";
import type { Program } from "./program.js";
import { randomAt } from "./random.js";
import { type Failure, FINE, type Limits, type Outcome } from "./run.js";
import { type Budget, smallest } from "./shrink.js";

export interface TestOptions {
  /** Runs: a program from one state each. By default as many as take a few seconds, see `defaultCases`. */
  readonly cases?: number | undefined;
  /** A 32-bit integer. The same seed gives the same results, whatever else runs. */
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  /** The date that counterexamples carry, as in 2026-11-22; today by default. */
  readonly date?: string | undefined;
  /** Told now and then how many of the cases have run. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Told of each counterexample when it is found, and made small. */
  readonly onFound?: ((counterexample: Counterexample) => void) | undefined;
}

export interface TestResult {
  /** A family, `commute/*`, or the one obligation that is refuted. Two causes can refute the same obligation. */
  readonly name: string;
  readonly verdict: Verdict;
  /** Of the whole campaign; the same for each of its results. */
  readonly coverage: Coverage;
}

type Family = "initial" | "inverse" | "invariant" | "commute" | "progress" | "materialize";

/** Starts drawn for one program. */
const STARTS = 8;
/** Different causes are looked for until so many are found; so many of them of one host transition and variable. */
const MOST_CAUSES = 5;
const MOST_ALIKE = 2;
/** So often the reference looks at what compiled code suspects of being the same. */
const MOST_SUSPICIONS = 30;
/** Runs spent on making one failing case small. */
const SHRINKS = 1500;
/** Every so many starts one is an initial state of the host, where γ gives the others. */
const INITIAL_EVERY = 4;
/** Tries without success after which initial states are given up on. */
const INITIAL_TRIES = 40;
const YIELD_MS = 50;
/** Cases where they run at speed, and how many of them the reference runs, whatever compiled code would say. */
const SIEVED_CASES = 8000;
const REFERENCE_RUNS = 240;

export async function testRefinement(refinement: MachineRefinement, options: TestOptions): Promise<TestResult[]> {
  const campaign = new Campaign(refinement, options);
  await campaign.run();
  return campaign.results();
}

/** So many cases that a few seconds do: what cannot be run at speed gets fewer, the more there is to evaluate. */
function defaultCases(refinement: MachineRefinement, atSpeed: boolean): number {
  if (atSpeed) return SIEVED_CASES;
  const terms = [
    ...refinement.abstraction.values(),
    ...refinement.invariant.map((i) => i.term),
    ...refinement.host.transitions.flatMap((t) => [t.guard, ...t.effect.assigns.values()]),
  ];
  return Math.round(Math.min(1500, Math.max(200, 1_000_000 / (100 + size(terms)))));
}

/** Thrown to end fast-check's run: enough causes found, or the user interrupted. */
class Enough extends Error {}

class Campaign {
  private readonly refinement: MachineRefinement;
  private readonly seed: number;
  private readonly total: number;
  private readonly date: string;
  private readonly signal: AbortSignal | undefined;
  private readonly onProgress: ((done: number, total: number) => void) | undefined;
  private readonly onFound: TestOptions["onFound"];
  private readonly cases: Cases;
  private readonly programs: Drawn<Program> | undefined;
  private readonly coverage: CoverageCounter;
  private readonly found = new Map<string, Counterexample>();
  private readonly suspicions = new Map<string, number>();
  private readonly begun: Record<Origin, number> = { guest: 0, host: 0 };
  private readonly referenceEvery: number;
  /** The guest has choices: what looks wrong with one of them may be right with another. */
  private readonly leavesOpen: boolean;
  private drawn = 0;
  private initialTries = 0;
  private uncertain = 0;
  private yielded = performance.now();

  constructor(refinement: MachineRefinement, options: TestOptions) {
    this.refinement = refinement;
    this.seed = options.seed | 0;
    this.date = options.date ?? new Date().toISOString().slice(0, 10);
    this.signal = options.signal;
    this.onProgress = options.onProgress;
    this.onFound = options.onFound;
    this.cases = new Cases(refinement);
    this.total = options.cases ?? defaultCases(refinement, this.cases.atSpeed);
    this.programs = refinement.guest.instructionSet === undefined ? undefined : programs(refinement.guest);
    this.coverage = new CoverageCounter(refinement);
    this.referenceEvery = Math.max(1, Math.floor(this.total / REFERENCE_RUNS));
    this.leavesOpen = refinement.guest.transitions.some((t) => t.choices.length > 0);
  }

  async run(): Promise<void> {
    const property = fc.asyncProperty(
      this.programs ?? fc.constant<Program>([]),
      fc.integer(),
      async (program, seed) => {
        for (let i = 0; i < STARTS && this.drawn < this.total; i++) {
          await this.pause();
          if (this.signal?.aborted === true) throw new Enough();
          await this.one(program, seed, i);
        }
      },
    );
    const numRuns = Math.ceil(this.total / STARTS);
    const details = await fc.check(property, { seed: this.seed, numRuns, endOnFailure: true });
    if (
      details.errorInstance !== undefined &&
      details.errorInstance !== null &&
      !(details.errorInstance instanceof Enough)
    ) {
      throw details.errorInstance;
    }
    this.onProgress?.(this.drawn, this.total);
  }

  /** Lets the thread answer, and says how far it is. */
  private async pause(): Promise<void> {
    if (performance.now() - this.yielded < YIELD_MS) return;
    this.onProgress?.(this.drawn, this.total);
    await new Promise((resolve) => setImmediate(resolve));
    this.yielded = performance.now();
  }

  private async one(program: Program, seed: number, index: number): Promise<void> {
    const number = this.drawn++;
    const drawn = this.cases.draw(randomAt(seed, index), this.originOf(number), program);
    const outcome = number % this.referenceEvery === 0 ? this.byReference(drawn) : this.bySieve(drawn);
    if (outcome === undefined) return;
    this.begun[drawn.origin]++;
    this.uncertain += outcome.uncertain;
    for (const failure of outcome.failures) {
      if (!this.isNew(failure)) continue;
      const key = causeOf(failure);
      const counterexample = await this.shrunk(drawn, failure, outcome.states);
      this.found.set(key, counterexample);
      this.onFound?.(counterexample);
    }
    if (this.found.size >= MOST_CAUSES) throw new Enough();
  }

  private byReference(drawn: Case, limits?: Limits): Outcome | undefined {
    return this.cases.run(drawn, this.coverage, limits);
  }

  /** At speed; the reference sees only what looks wrong. */
  private bySieve(drawn: Case): Outcome | undefined {
    const sieved = this.cases.sieve(drawn);
    if (sieved === undefined) return this.byReference(drawn);
    if (sieved === "elsewhere") return undefined;
    if (sieved.suspicion === undefined || !this.worthwhile(sieved.suspicion)) {
      this.coverage.atSpeed(sieved);
      return FINE;
    }
    const outcome = this.byReference(drawn, { hostSteps: sieved.hostSteps, guestSteps: Number.MAX_SAFE_INTEGER });
    if (outcome === undefined || (outcome.failures.length === 0 && outcome.uncertain === 0 && !this.leavesOpen)) {
      throw new InternalDefect(
        `the compiled lockstep of ${this.refinement.name} finds a fault that the reference does not: case ${this.drawn - 1} of seed ${this.seed}`,
      );
    }
    return outcome;
  }

  /** A suspicion that has come up often, and been explained, is followed no further. */
  private worthwhile(suspicion: string): boolean {
    const before = this.suspicions.get(suspicion) ?? 0;
    this.suspicions.set(suspicion, before + 1);
    return before < MOST_SUSPICIONS;
  }

  private originOf(number: number): Origin {
    if (this.refinement.concretize === undefined) return "host";
    // Out of step with the starts of one program, and with what the reference runs.
    if (number % INITIAL_EVERY !== INITIAL_EVERY - 1) return "guest";
    this.initialTries++;
    return this.begun.host === 0 && this.initialTries > INITIAL_TRIES ? "guest" : "host";
  }

  private isNew(failure: Failure): boolean {
    if (this.found.has(causeOf(failure))) return false;
    const kind = kindOf(failure);
    return [...this.found.values()].filter((c) => kindOf(c) === kind).length < MOST_ALIKE;
  }

  private async shrunk(failing: Case, failure: Failure, states: readonly State[]): Promise<Counterexample> {
    const key = causeOf(failure);
    const budget: Budget = { left: SHRINKS };
    // A smaller case goes wrong no later.
    let limits: Limits = { hostSteps: failure.schedule.length, guestSteps: Number.MAX_SAFE_INTEGER };
    const again = (candidate: Case): Failure | undefined => {
      // That the host is stuck shows when it is to take one more step.
      const sieved = failure.schedule.length === 0 ? undefined : this.cases.sieve(candidate, limits.hostSteps + 1);
      if (sieved === "elsewhere" || (sieved !== undefined && sieved.suspicion === undefined)) return undefined;
      return this.cases
        .run(candidate, new CoverageCounter(this.refinement), limits)
        ?.failures.find((f) => causeOf(f) === key);
    };
    let best = this.cases.later(failing, failure, states).find((c) => again(c) !== undefined) ?? failing;
    limits = { ...limits, hostSteps: again(best)?.schedule.length ?? limits.hostSteps };
    for (let before: Case | undefined; before !== best; ) {
      before = best;
      for (const part of PARTS) {
        const { programs } = this;
        if ((part === "program" || part === "time") && programs === undefined) continue;
        const smaller = (c: Case): Iterable<Case> =>
          this.signal?.aborted === true ? [] : this.cases.smaller(c, part, programs);
        best = await smallest(
          best,
          smaller,
          (c) => again(c) !== undefined,
          budget,
          () => this.pause(),
        );
        limits = { ...limits, hostSteps: again(best)?.schedule.length ?? limits.hostSteps };
      }
    }
    return this.describe(best, again(best) ?? failure);
  }

  private describe(failing: Case, failure: Failure): Counterexample {
    const beginning = this.cases.begin(failing);
    if (beginning === undefined) throw new Enough();
    const { origin, host } = beginning;
    const guest = failing.origin === "guest" ? origin : this.cases.guestOf(host);
    const state = failure.obligation === "inverse" ? guest : host;
    return counterexampleOf(this.refinement, {
      failing,
      failure,
      origin,
      state,
      guest,
      seed: this.seed,
      date: this.date,
    });
  }

  results(): TestResult[] {
    const found = [...this.found.values()];
    const refuted = found.map((counterexample) =>
      this.result(counterexample.obligation, { verdict: "refuted", by: "cases", counterexample }),
    );
    const families = this.families().filter((family) => !found.some((c) => familyOf(c.obligation) === family));
    return [...refuted, ...families.map((family) => this.result(nameOf(family), this.verdict(family)))];
  }

  private result(name: string, verdict: Verdict): TestResult {
    return { name, verdict, coverage: this.coverage };
  }

  private families(): readonly Family[] {
    const { refinement } = this;
    return [
      ...(this.begun.host > 0 ? (["initial"] as const) : []),
      ...(refinement.concretize === undefined ? [] : (["inverse"] as const)),
      "invariant",
      "commute",
      ...(refinement.guest.transitions.length > 0 ? (["progress"] as const) : []),
      ...(refinement.materialize.length > 0 ? (["materialize"] as const) : []),
    ];
  }

  private get stutters(): boolean {
    return [...this.refinement.steps.values()].flat().some(mustProgress);
  }

  private verdict(family: Family): Verdict {
    if (this.signal?.aborted === true)
      return { verdict: "unknown", by: "cases", reason: `interrupted after ${this.drawn} of ${this.total} cases` };
    const missing = this.missing(family);
    if (missing !== undefined) return { verdict: "vacuous", by: "cases", reason: missing };
    if (family === "progress" && this.stutters && this.refinement.rank === undefined) {
      return { verdict: "unsupported", what: "a host step can stutter and the refinement gives no rank" };
    }
    if (family === "commute" && this.uncertain > 0) {
      const reason = `the guest leaves more open than can be tried, at ${this.uncertain} steps that did not commute`;
      return { verdict: "unknown", by: "cases", reason };
    }
    const cases = family === "initial" ? this.begun.host : family === "inverse" ? this.begun.guest : this.coverage.runs;
    return { verdict: "tested", cases, seed: this.seed };
  }

  /** Why nothing was tested. */
  private missing(family: Family): string | undefined {
    const { coverage } = this;
    if (coverage.runs === 0 && family !== "inverse")
      return `none of ${this.drawn} drawn states satisfies the invariant`;
    switch (family) {
      case "initial":
        return undefined;
      case "inverse":
        return this.begun.guest === 0 ? "no state of the guest was drawn" : undefined;
      case "invariant":
        return coverage.hostSteps === 0 ? "no step of the host was executed" : undefined;
      case "commute":
        return coverage.guestSteps === 0 ? "no step of the guest was executed" : undefined;
      case "progress":
        if (this.stutters && coverage.stutters === 0) return "no stuttering step was executed";
        return coverage.guestSteps === 0 ? "no step of the guest was executed" : undefined;
      case "materialize":
        return [...coverage.points.values()].every((n) => n === 0)
          ? "the host was never where it can be interrupted"
          : undefined;
      default:
        return family satisfies never;
    }
  }
}

/** What tells one bug from another: the obligation and the variable, whichever element of it. */
function causeOf({ obligation, differs }: Pick<Failure, "obligation" | "differs">): string {
  return `${obligation} ${variableOf(differs[0]?.variable ?? "")}`;
}

/** A bug in forwarding shows at every instruction: those are of one kind. */
function kindOf({ obligation, differs }: Pick<Failure, "obligation" | "differs">): string {
  return `${obligation.split("/").slice(0, 2).join("/")} ${variableOf(differs[0]?.variable ?? "")}`;
}

const FAMILIES: readonly Family[] = ["initial", "inverse", "invariant", "commute", "progress", "materialize"];

function familyOf(obligation: string): Family | undefined {
  const [head] = obligation.split("/");
  return FAMILIES.find((family) => family === head);
}

function nameOf(family: Family): string {
  return family === "initial" || family === "inverse" ? family : `${family}/*`;
}
