/**
 * Black boxes: an emulator in lockstep with the guest's definition, on real programs (`lockstep/…`) and on random single
 * instructions (`commute/…`). What differs is shrunk and becomes a counterexample, which `replayEmulator` runs again.
 */
import path from "node:path";
import { pathToFileURL } from "node:url";
import { existsSync } from "node:fs";
import type { Counterexample, Difference } from "../refinement/counterexample.js";
import type { Emulator, EmulatorFactory, EmulatorProgram, Missing } from "../refinement/emulator.js";
import { UserError } from "../refinement/errors.js";
import type { State } from "../refinement/execute/state.js";
import type { EmulatorRefinement } from "../refinement/refinement.js";
import type { Verdict } from "../refinement/verdict.js";
import { Cases, type DrawnCase, type Subject, subjects } from "./emulator-cases.js";
import { type Compared, compareAll, culprits } from "./emulator-compare.js";
import { caseOf, counterexampleFrom } from "./emulator-counterexample.js";
import { runProgram } from "./emulator-programs.js";
import { batches, shrink } from "./emulator-shrink.js";
import { transplants } from "./emulator-transplant.js";
import { randomAt } from "./random.js";

export interface EmulatorTestOptions {
  /** Cases for each instruction. */
  readonly cases: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** `what` is the obligation; done and total count cases and, as so many cases each, programs. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
  /** The obligations to test, by name; all where absent. */
  readonly only?: (obligation: string) => boolean;
  /** As counterexamples carry it; today where absent. */
  readonly date?: string;
}

export interface EmulatorTestResult {
  readonly name: string;
  readonly verdict: Verdict;
}

export type EmulatorTest =
  | { readonly results: readonly EmulatorTestResult[]; readonly identity: string }
  | { readonly missing: readonly Missing[] };

/** Of the cases of one instruction, at most so many that end the emulator's process. */
const MOST_DEAR = 6;
const BATCH = 256;
/** Draws for each case that is wanted before an instruction is given up: the others cannot be run in the room. */
const PATIENCE = 50;

/** All obligations, those about single instructions first. If it is aborted, those that were settled until then. */
export async function testEmulator(
  refinement: EmulatorRefinement,
  options: EmulatorTestOptions,
): Promise<EmulatorTest> {
  const opened = await openEmulator(refinement);
  if ("missing" in opened) return opened;
  const { emulator } = opened;
  const results: EmulatorTestResult[] = [];
  try {
    for await (const result of new Session(refinement, emulator, options).results()) results.push(result);
  } catch (error) {
    if (options.signal?.aborted !== true) throw error;
  } finally {
    await emulator.close();
  }
  return { results, identity: emulator.identity };
}

/** What the answers depend on beside the refinement's own files; undefined where the emulator is not installed. */
export async function emulatorIdentity(refinement: EmulatorRefinement): Promise<string | undefined> {
  const opened = await openEmulator(refinement);
  if ("missing" in opened) return undefined;
  await opened.emulator.close();
  return opened.emulator.identity;
}

export type EmulatorReplay = { readonly differs: readonly Difference[] } | { readonly missing: readonly Missing[] };

/** Runs a counterexample's instruction again; no difference means that it holds now. */
export async function replayEmulator(
  refinement: EmulatorRefinement,
  counterexample: Counterexample,
  signal: AbortSignal = new AbortController().signal,
): Promise<EmulatorReplay> {
  const opened = await openEmulator(refinement);
  if ("missing" in opened) return opened;
  const { emulator } = opened;
  try {
    const { guest } = refinement;
    const again = caseOf(guest, new Cases(guest, emulator.room), counterexample);
    if (emulator.room.cost(again.state) === "impossible") {
      throw new UserError(
        `${refinement.name} cannot run the case again: it would leave the memory that it keeps for cases`,
      );
    }
    for await (const compared of compareAll(guest, emulator, [again], signal)) return { differs: compared.differs };
    return { differs: [] };
  } finally {
    await emulator.close();
  }
}

async function openEmulator(
  refinement: EmulatorRefinement,
): Promise<{ readonly emulator: Emulator } | { readonly missing: readonly Missing[] }> {
  const loaded: unknown = await import(pathToFileURL(compiledPath(refinement.module)).href);
  const factory = typeof loaded === "object" && loaded !== null && "default" in loaded ? loaded.default : undefined;
  if (!isFactory(factory)) throw new UserError(`${refinement.module}: its default export is no EmulatorFactory`);
  return factory(refinement.guest, refinement.options, path.dirname(refinement.file));
}

function isFactory(value: unknown): value is EmulatorFactory {
  return typeof value === "function";
}

/** A TypeScript module runs as it is under vitest; otherwise what it was compiled to. */
function compiledPath(module: string): string {
  if (!module.endsWith(".ts") || import.meta.url.endsWith(".ts")) return module;
  const javascript = module.replace(/\.ts$/, ".js");
  if (existsSync(javascript)) return javascript;
  for (let root = path.dirname(module); ; root = path.dirname(root)) {
    const compiled = path.join(root, "dist", path.relative(root, javascript));
    if (existsSync(compiled)) return compiled;
    if (path.dirname(root) === root) throw new UserError(`${module} has not been compiled (npm run build)`);
  }
}

class Session {
  private readonly refinement: EmulatorRefinement;
  private readonly emulator: Emulator;
  private readonly options: EmulatorTestOptions;
  private readonly signal: AbortSignal;
  private readonly cases: Cases;
  private readonly subjects: ReadonlyMap<string, Subject>;
  private done = 0;
  private total = 0;

  constructor(refinement: EmulatorRefinement, emulator: Emulator, options: EmulatorTestOptions) {
    this.refinement = refinement;
    this.emulator = emulator;
    this.options = options;
    this.signal = options.signal ?? new AbortController().signal;
    this.cases = new Cases(refinement.guest, emulator.room);
    this.subjects = subjects(refinement.guest);
  }

  async *results(): AsyncGenerator<EmulatorTestResult> {
    const { only = (): boolean => true, cases } = this.options;
    const commuting = [...this.subjects].filter(([name]) => only(`commute/${name}`));
    const programs = (await this.emulator.programs()).filter((p) => only(`lockstep/${p.name}`));
    this.total = cases * (commuting.length + programs.length);
    let finished = 0;
    const settled = (name: string, verdict: Verdict): EmulatorTestResult => {
      finished += cases;
      this.progress(finished - this.done, name);
      return { name, verdict };
    };
    for (const [name, subject] of commuting) {
      const obligation = `commute/${name}`;
      yield settled(obligation, await this.commute(obligation, subject));
    }
    for (const program of programs) {
      const obligation = `lockstep/${program.name}`;
      yield settled(obligation, await this.lockstep(obligation, program));
    }
  }

  private progress(cases: number, what: string): void {
    this.done += cases;
    this.options.onProgress?.(this.done, this.total, what);
  }

  private async commute(obligation: string, subject: Subject): Promise<Verdict> {
    const { guest } = this.refinement;
    const { seed } = this.options;
    let count = 0;
    let astray = 0;
    for (const batch of batches(this.drawn(subject), BATCH)) {
      for await (const compared of compareAll(guest, this.emulator, batch, this.signal)) {
        count++;
        if (`commute/${compared.transition}` !== obligation) astray++;
        if (compared.differs.length > 0) return this.refuted(obligation, compared);
      }
      this.progress(batch.length, obligation);
    }
    if (count === astray) {
      const reason =
        count === 0
          ? "no case of it can be run in the emulator's room"
          : "the definition takes none of the cases for it";
      return { verdict: "vacuous", by: "cases", reason };
    }
    return { verdict: "tested", cases: count, seed };
  }

  /** As many cases as are wanted, dear ones last. */
  private *drawn(subject: Subject): Generator<DrawnCase> {
    const { cases, seed } = this.options;
    const index = [...this.subjects.values()].indexOf(subject);
    const dear: DrawnCase[] = [];
    let cheap = 0;
    for (let draw = 0; draw < cases * PATIENCE && cheap + dear.length < cases; draw++) {
      const drawn = this.cases.draw(randomAt(seed, index, draw), subject);
      const cost = this.emulator.room.cost(drawn.state);
      if (cost === "cheap") {
        cheap++;
        yield drawn;
      } else if (cost === "dear" && dear.length < MOST_DEAR) {
        dear.push(drawn);
      }
    }
    yield* dear;
  }

  private async refuted(obligation: string, found: Compared): Promise<Verdict> {
    const least = await shrink(this.refinement.guest, this.emulator, this.cases, found, this.signal);
    return this.verdict(obligation, least.of.state, least.differs);
  }

  private verdict(obligation: string, state: State, differs: readonly Difference[]): Verdict {
    const { refinement, emulator, options } = this;
    const date = options.date ?? new Date().toISOString().slice(0, 10);
    const around = { refinement, obligation, seed: options.seed, date, identity: emulator.identity };
    return { verdict: "refuted", by: "cases", counterexample: counterexampleFrom(around, state, differs) };
  }

  private async lockstep(obligation: string, program: EmulatorProgram): Promise<Verdict> {
    const { guest } = this.refinement;
    const report = (): void => this.progress(0, obligation);
    const { steps, failure } = await runProgram(guest, this.emulator, program, this.signal, report);
    if (failure === undefined) return { verdict: "tested", cases: steps, seed: this.options.seed };
    const alone = (await this.alone(failure.state, failure.differs)) ?? (await this.wrongStore());
    if (alone !== undefined) return this.refuted(obligation, alone);
    return this.verdict(obligation, failure.state, failure.differs);
  }

  /**
   * A step that goes right by itself: the memory that it read, or that was compared at the program's end, had been written wrongly
   * before. A random case of a store that goes wrong.
   */
  private async wrongStore(): Promise<Compared | undefined> {
    const { guest } = this.refinement;
    const memories = guest.variables.filter((v) => v.sort.kind === "memory").map((v) => v.name);
    for (const subject of this.subjects.values()) {
      if (subject.kind !== "instruction" || !memories.some((m) => subject.instruction.effect.assigns.has(m))) continue;
      for await (const compared of compareAll(guest, this.emulator, [...this.drawn(subject)], this.signal)) {
        const guilty = culprits(compared.differs);
        if (memories.some((m) => guilty.has(m))) return compared;
      }
    }
    return undefined;
  }

  /** The step of a program that goes wrong, as a case in the emulator's room that goes wrong in the same variable. */
  private async alone(state: State, differs: readonly Difference[]): Promise<Compared | undefined> {
    const { guest } = this.refinement;
    const { room } = this.emulator;
    const candidates = [...transplants(guest, room, this.cases, state)].filter(
      (c) => room.cost(c.state) !== "impossible",
    );
    const guilty = culprits(differs);
    for await (const compared of compareAll(guest, this.emulator, candidates, this.signal)) {
      if ([...culprits(compared.differs)].some((v) => guilty.has(v))) return compared;
    }
    return undefined;
  }
}
