/**
 * A campaign: the obligations of some refinements, discharged cheapest first on as many threads as are given, answered
 * from the cache where that is possible, and reported in the same order whatever happened when.
 */
import type { Counterexample } from "../counterexample.js";
import { causeKey, writeCounterexample } from "../counterexample-file.js";
import { type Diagnostic, unreachable, UserError } from "../errors.js";
import type { Refinement } from "../refinement.js";
import { openSolver } from "../solver/solver.js";
import { type Spent, sum } from "./spent.js";
import type { Verdict } from "../verdict.js";
import { Cache } from "./cache.js";
import { type Crew, OwnThread, Workers } from "./crew.js";
import type { CampaignEvent } from "./events.js";
import { loadByNotation, type Reply, type Settings, type Task } from "./executor.js";
import type { CampaignOptions } from "./options.js";
import { selected } from "./options.js";
import { type Keys, type Planned, plan } from "./plan.js";
import { RealRuns } from "./real-runs.js";
import {
  type Finding,
  obligationReport,
  type ObligationReport,
  type RefinementReport,
  type Report,
  type Settled,
  summarizeRefinement,
  summarizeRun,
} from "./report.js";

export interface Outcome {
  /** The document of `check --json`. */
  readonly report: Report;
  /** The counterexamples in it, in the same order. */
  readonly findings: readonly Finding[];
}

/**
 * Checks the refinements in `files`. Throws a UserError that names everything wrong with any of them before anything is
 * checked; whatever goes wrong later is a verdict or a warning.
 */
export async function runCampaign(
  files: readonly string[],
  options: CampaignOptions,
  listener: (event: CampaignEvent) => void = () => undefined,
): Promise<Outcome> {
  const began = performance.now();
  await (await openSolver(options.solver)).close();
  const campaign = new Campaign(await loadAll(files, options), options, listener);
  await campaign.run();
  return campaign.outcome((performance.now() - began) / 1000);
}

/** With the milliseconds that each took. */
async function loadAll(files: readonly string[], options: CampaignOptions): Promise<ReadonlyMap<Refinement, number>> {
  const load = options.load ?? loadByNotation;
  const refinements = new Map<Refinement, number>();
  const diagnostics: Diagnostic[] = [];
  const messages: string[] = [];
  for (const file of files) {
    try {
      const began = performance.now();
      const refinement = await load(file, options.fault);
      refinements.set(refinement, performance.now() - began);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      diagnostics.push(...error.diagnostics);
      messages.push(error.message);
    }
  }
  if (messages.length > 0) throw new UserError(messages.join("\n"), diagnostics);
  return refinements;
}

/** How a task ended. */
type Ending =
  | { readonly kind: "settled"; readonly settled: readonly Settled[]; readonly cached: boolean; readonly spent?: Spent }
  | Extract<Reply, { kind: "missing" }>;

/** A proof that takes this many times the limit of a query, and then some, is given up. */
const PROOF_LIMIT_QUERIES = 12;
const PROOF_LIMIT_MS = 60_000;

/** Processor time that this thread spends on tasks before workers are started: about what it takes to start one. */
const HEAD_START_MS = 1000;

/** Exploring and testing keep a thread busy for seconds, proving one obligation or block hardly ever. */
function isShort({ kind }: Task): boolean {
  return kind === "prove" || kind === "block" || kind === "open";
}

/** Closes the crew when the work is done, whatever became of it. */
async function using(crew: Crew, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await crew.close();
  }
}

class Campaign {
  private readonly refinements: readonly Refinement[];
  private readonly loaded: ReadonlyMap<Refinement, number>;
  private readonly options: CampaignOptions;
  private readonly listener: (event: CampaignEvent) => void;
  private readonly cache: Cache | undefined;
  private readonly endings = new Map<Planned, Ending>();
  /** What is known of tasks that were cut off. */
  private readonly partial = new Map<Planned, readonly Settled[]>();
  private readonly budget = new AbortController();
  private readonly stop: AbortSignal;
  private readonly real = new RealRuns();
  private planned: readonly Planned[] = [];
  private done = 0;

  constructor(
    loaded: ReadonlyMap<Refinement, number>,
    options: CampaignOptions,
    listener: (event: CampaignEvent) => void,
  ) {
    this.loaded = loaded;
    this.refinements = [...loaded.keys()];
    this.options = options;
    this.listener = listener;
    const warn = (message: string): void => listener({ kind: "warning", message });
    this.cache = options.cacheDir === undefined ? undefined : new Cache(options.cacheDir, warn);
    this.stop = AbortSignal.any([this.budget.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  }

  async run(): Promise<void> {
    const { budgetMs } = this.options;
    const timer = budgetMs === undefined ? undefined : setTimeout(() => this.budget.abort(), budgetMs);
    try {
      this.planned = (await this.plans()).flat();
      for (const planned of this.planned) await this.recall(planned);
      const names = this.refinements.map((r) => r.name);
      this.listener({ kind: "planned", refinements: names, done: this.done, total: this.planned.length });
      for (const [planned, ending] of this.endings) this.tell(planned, ending);
      await this.discharge(this.planned.filter((p) => !this.endings.has(p)));
    } finally {
      clearTimeout(timer);
      await this.real.close();
    }
  }

  /** So many at a time as there are hands: a plan may start a translator, and waits for it. */
  private async plans(): Promise<readonly (readonly Planned[])[]> {
    const plans: (readonly Planned[])[] = [];
    const waiting = [...this.refinements.entries()];
    const take = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [i, refinement] = next;
        plans[i] = await plan(refinement, this.options);
      }
    };
    await Promise.all(Array.from({ length: this.options.jobs }, take));
    return plans;
  }

  private async recall(planned: Planned): Promise<void> {
    const { answer } = planned;
    if (answer !== undefined) {
      this.endings.set(planned, answer.kind === "settled" ? { ...answer, cached: false } : answer);
      this.done++;
      return;
    }
    if (this.cache === undefined || planned.keys === undefined || this.options.smt2Dir !== undefined) return;
    const { always, solver, seed } = planned.keys;
    const settled = (await this.cache.get(always)) ?? (await this.cache.get(solver)) ?? (await this.cache.get(seed));
    if (settled === undefined) return;
    this.endings.set(planned, { kind: "settled", settled, cached: true });
    this.done++;
  }

  private async discharge(open: readonly Planned[]): Promise<void> {
    if (open.length === 0) return;
    const queue = [...open].sort((a, b) => a.cost - b.cost);
    await this.begin(queue);
    if (queue.length === 0 || this.stop.aborted) return;
    const crew = this.crew(Math.min(this.options.jobs, queue.length));
    await using(crew, async () => {
      const hands = Array.from({ length: crew.size }, () => this.work(queue, crew, () => true));
      await Promise.all(hands);
    });
  }

  /** Workers have to load all that is loaded here: what takes no longer than that is carried out in this thread. */
  private async begin(queue: Planned[]): Promise<void> {
    if (this.options.crew !== undefined || this.options.jobs === 1) return;
    const own = this.crew(1);
    const began = process.cpuUsage();
    const hasTime = (): boolean => {
      const { user, system } = process.cpuUsage(began);
      return (user + system) / 1000 < HEAD_START_MS;
    };
    await using(own, () => this.work(queue, own, ({ task }) => isShort(task) && hasTime()));
  }

  /** Carries out the first task of the queue, and so on, for as long as the first is `wanted`. */
  private async work(queue: Planned[], crew: Crew, wanted: (next: Planned) => boolean): Promise<void> {
    for (let next = queue[0]; next !== undefined && wanted(next); next = queue[0]) {
      queue.shift();
      // Rewriting does not yield: let an interruption be heard between tasks.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.stop.aborted) return;
      await this.carryOut(next, crew);
    }
  }

  private crew(size: number): Crew {
    if (this.options.crew !== undefined) return this.options.crew;
    return size > 1 ? new Workers(size) : new OwnThread((file, fault) => this.refinementIn(file, fault));
  }

  /** In this thread what is loaded already need not be read again. */
  private async refinementIn(file: string, fault: string | undefined): Promise<Refinement> {
    const load = this.options.load ?? loadByNotation;
    return this.refinements.find((r) => r.file === file && r.fault === fault) ?? load(file, fault);
  }

  private async carryOut(planned: Planned, crew: Crew): Promise<void> {
    const { refinement, method, about } = planned;
    this.listener({ kind: "started", refinement: refinement.name, task: about, method });
    const ending = await this.attempt(planned, crew, 2);
    if (ending === undefined) return;
    this.endings.set(planned, ending);
    this.done++;
    await this.remember(planned, ending);
    this.tell(planned, ending);
  }

  private tell(planned: Planned, ending: Ending): void {
    const { refinement, about, method } = planned;
    this.announce(planned, ending);
    const [done, total] = [this.done, this.planned.length];
    this.listener({ kind: "ended", refinement: refinement.name, task: about, method, done, total });
  }

  /** Undefined where the run was stopped. A task whose worker died is given to another one once. */
  private async attempt(planned: Planned, crew: Crew, attempts: number): Promise<Ending | undefined> {
    const { refinement, task, method, about } = planned;
    const { timeoutMs } = this.options;
    const limit = new AbortController();
    const limitMs = PROOF_LIMIT_QUERIES * timeoutMs + PROOF_LIMIT_MS;
    const timer = method === "prove" ? setTimeout(() => limit.abort(), limitMs) : undefined;
    const request = { file: refinement.file, fault: refinement.fault, task, settings: this.settings() };
    const began = performance.now();
    try {
      this.partial.delete(planned);
      const reply = await crew.run(
        request,
        AbortSignal.any([this.stop, limit.signal]),
        (part, of) => this.listener({ kind: "progress", refinement: refinement.name, task: about, method, part, of }),
        (settled) => this.partial.set(planned, [...(this.partial.get(planned) ?? []), settled]),
      );
      if (this.stop.aborted && interrupted(reply, planned)) {
        if (reply.kind === "settled" && method !== "prove") this.partial.set(planned, reply.settled);
        return undefined;
      }
      switch (reply.kind) {
        case "settled": {
          const settled = await this.real.confirm(refinement, task, reply.settled, this.stop);
          return { ...reply, settled, cached: false };
        }
        case "missing":
          return reply;
        case "failed":
          return this.cutOff(planned, reply.by, reply.reason, performance.now() - began);
        default:
          return unreachable(reply);
      }
    } catch (error) {
      if (this.stop.aborted) return undefined;
      if (error instanceof UserError) throw error;
      if (limit.signal.aborted) {
        return this.cutOff(
          planned,
          "timeout",
          `no answer within ${Math.round(limitMs / 1000)} s`,
          performance.now() - began,
        );
      }
      if (attempts > 1) return this.attempt(planned, crew, attempts - 1);
      const message = error instanceof Error ? error.message : String(error);
      return this.cutOff(
        planned,
        /memory|heap/i.test(message) ? "memory" : "worker",
        message,
        performance.now() - began,
      );
    } finally {
      clearTimeout(timer);
    }
  }

  private settings(): Settings {
    const { seed, cases, timeoutMs, memoryMb, solver, smt2Dir, date, testers } = this.options;
    return { seed, cases, timeoutMs, memoryMb, solver, smt2Dir, date, testers };
  }

  private async remember({ keys }: Planned, ending: Ending): Promise<void> {
    if (this.cache === undefined || keys === undefined || ending.kind !== "settled" || ending.settled.length === 0)
      return;
    if (!ending.settled.every((s) => isSettled(s.verdict))) return;
    await this.cache.put(keys[dependence(ending.settled)], ending.settled);
  }

  private announce(planned: Planned, ending: Ending): void {
    const refinement = planned.refinement.name;
    if (ending.kind === "missing") {
      this.listener({ kind: "skipped", refinement, missing: ending.missing });
      return;
    }
    for (const settled of ending.settled) {
      // Whether a piece that cannot arise matters is known only when all of its like are settled.
      if (planned.refinement.form === "machine" && isPiece(settled) && settled.verdict.verdict === "vacuous") continue;
      const obligation = obligationReport(settled, ending.cached);
      this.listener({ kind: "settled", refinement, obligation, done: this.done, total: this.planned.length });
    }
  }

  async outcome(seconds: number): Promise<Outcome> {
    const findings: Finding[] = [];
    const refinements: RefinementReport[] = [];
    for (const refinement of this.refinements) refinements.push(await this.reportOf(refinement, findings));
    const interrupted = this.options.signal?.aborted === true;
    return {
      report: {
        version: 1,
        verdict: summarizeRun(refinements, this.options.named),
        seconds: Math.round(seconds * 1000) / 1000,
        seed: this.options.seed,
        ...(interrupted ? { interrupted: true as const } : {}),
        refinements,
      },
      findings,
    };
  }

  private async reportOf(refinement: Refinement, findings: Finding[]): Promise<RefinementReport> {
    const { name, title, kind, file, fault, assumptions } = refinement;
    const common = { name, title, kind, file, ...(fault === undefined ? {} : { fault }) };
    const taken = assumptions.map((a) => a.text);
    const planned = this.planned.filter((p) => p.refinement === refinement);
    const missing = planned.map((p) => this.endings.get(p)).find((e) => e?.kind === "missing");
    if (missing?.kind === "missing") {
      return { ...common, verdict: "inconclusive", skipped: missing.missing, obligations: [], assumptions: taken };
    }
    const all = planned.flatMap((p) => this.settledOf(p));
    const reported = refinement.form === "machine" ? withoutIdlePieces(all) : all;
    const saved = await this.save(reported.flatMap(({ settled }) => counterexamplesOf(settled)));
    const obligations: ObligationReport[] = [];
    for (const { settled, cached } of reported) {
      const found = counterexamplesOf(settled);
      for (const c of found) {
        findings.push({ refinement: name, obligation: settled.obligation, method: settled.method, counterexample: c });
      }
      const [file] = found.flatMap((c) => saved.get(causeKey(c)) ?? []);
      obligations.push({
        ...obligationReport(settled, cached),
        ...(file === undefined ? {} : { counterexample: file }),
      });
    }
    const spent = this.spentOn(refinement, planned);
    return {
      ...common,
      verdict: summarizeRefinement(obligations),
      obligations,
      assumptions: taken,
      ...(spent === undefined ? {} : { spent }),
    };
  }

  private spentOn(refinement: Refinement, planned: readonly Planned[]): Spent | undefined {
    const onTasks = planned.flatMap((p): Spent[] => {
      const ending = this.endings.get(p);
      return [p.spent ?? {}, ending?.kind === "settled" ? (ending.spent ?? {}) : {}];
    });
    const spent = sum([{ reading: this.loaded.get(refinement) ?? 0 }, ...onTasks]);
    return spent === undefined
      ? undefined
      : Object.fromEntries(Object.entries(spent).map(([phase, ms]) => [phase, Math.round(ms)]));
  }

  /** What was found until then; where that does not say so itself, the rest of the task is unknown. */
  private cutOff(planned: Planned, by: string, reason: string, ms: number): Extract<Ending, { kind: "settled" }> {
    const { only } = this.options;
    const found = united(this.partial.get(planned) ?? []).filter((s) => selected(only, s.obligation));
    const tells = !isPartwise(planned) && found.some((s) => !isSettled(s.verdict));
    const rest = tells ? [] : failed(planned, by, reason, ms);
    return { kind: "settled", settled: [...found, ...rest], cached: false };
  }

  private settledOf(planned: Planned): readonly Reported[] {
    const ending = this.endings.get(planned);
    if (ending === undefined) {
      const user = this.options.signal?.aborted === true;
      const [by, reason] = user
        ? ["interrupted", "interrupted"]
        : ["budget", "the budget of the run was used up before"];
      return this.cutOff(planned, by, reason, 0).settled.map((settled) => ({ settled, cached: false }));
    }
    if (ending.kind === "missing") return [];
    const { only } = this.options;
    return (
      ending.settled
        // What is said of a block as a whole is said of each of its obligations.
        .filter((s) => planned.task.kind === "prove" || s.obligation === planned.about || selected(only, s.obligation))
        .map((settled) => ({ settled, cached: ending.cached }))
    );
  }

  /** Of each cause the smallest, whichever method found it. Gives the files by cause. */
  private async save(found: Settled["more"]): Promise<ReadonlyMap<string, string>> {
    const { saveDir } = this.options;
    const files = new Map<string, string>();
    if (saveDir === undefined) return files;
    const smallest = new Map<string, Counterexample>();
    for (const c of found) {
      const known = smallest.get(causeKey(c));
      if (known === undefined || isSmaller(c, known)) smallest.set(causeKey(c), c);
    }
    for (const [cause, c] of smallest) {
      try {
        files.set(cause, await writeCounterexample(saveDir, c));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.listener({ kind: "warning", message: `a counterexample could not be saved: ${why}` });
        return files;
      }
    }
    return files;
  }
}

interface Reported {
  readonly settled: Settled;
  readonly cached: boolean;
}

/** `commute/T/g`: the part of `commute/T` in which the guest takes its transition g. */
function isPiece({ obligation, method }: Settled): boolean {
  return method === "prove" && /^commute\/[^/]+\/./.test(obligation);
}

/**
 * A piece that cannot arise is no obligation, as long as another host transition takes that guest transition: a store
 * unit does not add. A guest transition that no host transition takes is left in, as vacuous everywhere.
 */
function withoutIdlePieces(all: readonly Reported[]): readonly Reported[] {
  const step = (s: Settled): string => s.obligation.split("/").slice(2).join("/");
  const arising = new Set(
    all
      .filter(({ settled }) => isPiece(settled) && settled.verdict.verdict !== "vacuous")
      .map(({ settled }) => step(settled)),
  );
  return all.filter(
    ({ settled }) => !(isPiece(settled) && settled.verdict.verdict === "vacuous" && arising.has(step(settled))),
  );
}

function isSmaller(a: Counterexample, b: Counterexample): boolean {
  const longer = a.schedule.length - b.schedule.length;
  return longer < 0 || (longer === 0 && Object.keys(a.state).length < Object.keys(b.state).length);
}

function counterexamplesOf({ verdict, more }: Settled): Settled["more"] {
  return verdict.verdict === "refuted" ? [verdict.counterexample, ...more] : [];
}

function failed(planned: Planned, by: string, reason: string, ms: number): readonly Settled[] {
  const { method, about, refinement } = planned;
  const family = method === "test" && refinement.form === "translator" ? "lockstep/*" : "commute/*";
  const obligation = about === "*" ? family : about;
  return [{ obligation, method, verdict: { verdict: "unknown", by, reason }, more: [], ms }];
}

/** Whether the answer to a task that was stopped is not a whole one. A test that settles one obligation after another says what it has, which may look whole. */
function interrupted(reply: Reply, planned: Planned): boolean {
  if (reply.kind !== "settled") return reply.kind === "failed";
  return isPartwise(planned) || reply.settled.some((s) => s.verdict.verdict === "unknown");
}

function isPartwise({ refinement, task }: Planned): boolean {
  return refinement.form !== "machine" && task.kind === "test";
}

/** One for each obligation: the first, with the counterexamples of the others. */
function united(all: readonly Settled[]): readonly Settled[] {
  const byName = new Map<string, Settled>();
  for (const s of all) {
    const first = byName.get(s.obligation);
    byName.set(s.obligation, first === undefined ? s : { ...first, more: [...first.more, ...counterexamplesOf(s)] });
  }
  return [...byName.values()];
}

function isSettled(verdict: Verdict): boolean {
  return verdict.verdict !== "unknown";
}

/** What had a part in the answers: a search for a counterexample depends on the seed even where it finds one by solver. */
function dependence(settled: readonly Settled[]): keyof Keys {
  const levels = settled.map(({ verdict }): keyof Keys => {
    switch (verdict.verdict) {
      case "proved":
      case "vacuous":
        return verdict.by === "rewrite" || verdict.by === "states" ? "always" : "solver";
      case "explored":
      case "unsupported":
        return "always";
      case "refuted":
        return verdict.by === "states" ? "always" : "seed";
      case "tested":
      case "unknown":
        return "seed";
      default:
        return unreachable(verdict);
    }
  });
  return levels.includes("seed") ? "seed" : levels.includes("solver") ? "solver" : "always";
}
