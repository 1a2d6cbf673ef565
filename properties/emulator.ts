/**
 * Black boxes: an emulator in lockstep with the guest's definition, on real programs (`lockstep/…`) and on random single
 * instructions (`commute/…`). What differs is shrunk and becomes a counterexample, which `replayEmulator` runs again.
 */
import type { Counterexample, Difference } from "../refinement/counterexample.js";
import type { CaseRoom, Emulator, EmulatorCase, EmulatorProgram, Missing, Tracing } from "../refinement/emulator.js";
import { openEmulator, isIdentified } from "../refinement/emulation/open.js";
import { EnvironmentFailure, UserError } from "../refinement/errors.js";
import type { State } from "../refinement/execute/state.js";
import type { EmulatorRefinement } from "../refinement/refinement.js";
import { MemoryValue } from "../refinement/terms/value.js";
import type { Verdict } from "../refinement/verdict.js";
import { type Compared, compareAll, culprits } from "./emulator-compare.js";
import { costOf } from "./emulator-cost.js";
import { counterexampleFrom } from "./emulator-counterexample.js";
import { caseOf, type Draws, type EmulatedGuest, withGuest } from "./emulator-guest.js";
import { runProgram } from "./emulator-programs.js";
import { batches, shrink } from "./emulator-shrink.js";
import { randomAt } from "./random.js";

export interface EmulatorTestOptions {
  /** Cases for each instruction. */
  readonly cases: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** `what` is the obligation; done and total count cases and, as so many cases each, programs. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
  /** Told of each result when it is there. */
  readonly onResult?: (result: EmulatorTestResult) => void;
  /** The obligations to test, by name; all where absent. */
  readonly only?: (obligation: string) => boolean;
  /** As counterexamples carry it; today where absent. */
  readonly date?: string;
}

export interface EmulatorTestResult {
  readonly name: string;
  readonly verdict: Verdict;
  /** Of a program: by instruction, how many steps stood at one. */
  readonly executed?: ReadonlyMap<string, number>;
}

export type EmulatorTest =
  | { readonly results: readonly EmulatorTestResult[]; readonly identity: string }
  | { readonly missing: readonly Missing[] };

/** Of the cases of one instruction, at most so many that end the emulator's process. */
const MOST_DEAR = 6;
const BATCH = 256;
/** Draws for each case that is wanted before an instruction is given up: the others cannot be run in the room. */
const PATIENCE = 50;
/** Failures in a row after which an emulator is given up. */
const PATIENCE_WITH_FAILURES = 3;

/** Of an emulator that compares whole programs only: no case can be run. */
const NO_ROOM: CaseRoom = { memory: MemoryValue.empty(64), code: [], data: [], cost: () => "impossible" };

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
    await withGuest(refinement.guest, emulator.room ?? NO_ROOM, async (guest) => {
      for await (const result of new Session(refinement, guest, emulator, options).results()) {
        results.push(result);
        options.onResult?.(result);
      }
    });
  } catch (error) {
    if (options.signal?.aborted !== true) throw error;
  } finally {
    await emulator.close();
  }
  return { results, identity: emulator.identity };
}

/** What the answers depend on beside the refinement's own files; undefined where the emulator is not installed. */
export async function emulatorIdentity(refinement: EmulatorRefinement): Promise<string | undefined> {
  if (!isIdentified(refinement)) return undefined;
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
    const { room } = emulator;
    if (room === undefined)
      throw new UserError(`${refinement.name} compares whole programs: check ${counterexample.obligation} again`);
    return await withGuest(refinement.guest, room, async (guest) => {
      const again = caseOf(guest, counterexample);
      if (costOf(guest, room, again.state) === "impossible") {
        throw new UserError(
          `${refinement.name} cannot run the case again: it would leave the memory that it keeps for cases`,
        );
      }
      for await (const compared of compareAll(guest, emulator, [again], signal)) return { differs: compared.differs };
      return { differs: [] };
    });
  } finally {
    await emulator.close();
  }
}

class Session<C extends EmulatorCase> {
  private readonly refinement: EmulatorRefinement;
  private readonly guest: EmulatedGuest<C>;
  private readonly emulator: Emulator;
  private readonly room: CaseRoom;
  private readonly options: EmulatorTestOptions;
  private readonly signal: AbortSignal;
  private done = 0;
  private total = 0;
  private failures = 0;

  constructor(
    refinement: EmulatorRefinement,
    guest: EmulatedGuest<C>,
    emulator: Emulator,
    options: EmulatorTestOptions,
  ) {
    this.refinement = refinement;
    this.guest = guest;
    this.emulator = emulator;
    this.room = emulator.room ?? NO_ROOM;
    this.options = options;
    this.signal = options.signal ?? new AbortController().signal;
  }

  async *results(): AsyncGenerator<EmulatorTestResult> {
    const { only = (): boolean => true, cases } = this.options;
    const isRun = (name: string): boolean => only(`commute/${name}`) && this.emulator.exempt?.has(name) !== true;
    const commuting = this.emulator.room === undefined ? [] : this.guest.subjects.filter(isRun);
    const { tracing } = this.emulator;
    const programs = ((await tracing?.programs()) ?? []).filter((p) => only(`lockstep/${p.name}`));
    this.total = cases * (commuting.length + programs.length);
    let finished = 0;
    const settled = (result: EmulatorTestResult): EmulatorTestResult => {
      finished += cases;
      this.progress(finished - this.done, result.name);
      return result;
    };
    for (const subject of commuting) {
      const name = `commute/${subject}`;
      yield settled({ name, verdict: await this.patiently(() => this.commute(name, subject)) });
    }
    if (tracing === undefined) return;
    for (const program of programs) yield settled(await this.lockstep(`lockstep/${program.name}`, program, tracing));
  }

  /** What the emulator fails at is unknown, and the next obligation's turn comes; after some failures in a row it is not asked again. */
  private async patiently(settle: () => Promise<Verdict>): Promise<Verdict> {
    if (this.failures >= PATIENCE_WITH_FAILURES) {
      const reason = `not asked: it has failed ${PATIENCE_WITH_FAILURES} times in a row`;
      return { verdict: "unknown", by: "emulator", reason };
    }
    try {
      const verdict = await settle();
      this.failures = 0;
      return verdict;
    } catch (error) {
      if (!(error instanceof EnvironmentFailure) || this.signal.aborted) throw error;
      this.failures++;
      return { verdict: "unknown", by: "emulator", reason: error.message };
    }
  }

  private progress(cases: number, what: string): void {
    this.done += cases;
    this.options.onProgress?.(this.done, this.total, what);
  }

  private async commute(obligation: string, subject: string): Promise<Verdict> {
    const { seed } = this.options;
    let count = 0;
    let astray = 0;
    let unsupported: string | undefined;
    for (const batch of batches(this.drawn(subject), BATCH)) {
      for await (const compared of compareAll(this.guest, this.emulator, batch, this.signal)) {
        unsupported ??= compared.unsupported;
        if (compared.unsupported !== undefined) continue;
        count++;
        if (`commute/${compared.transition}` !== obligation) astray++;
        if (compared.differs.length > 0) return this.refuted(obligation, compared);
      }
      this.progress(batch.length, obligation);
    }
    if (unsupported !== undefined) return { verdict: "unsupported", what: unsupported };
    if (count > astray) return { verdict: "tested", cases: count, seed };
    const lacking = count === 0 ? this.lacking(subject) : undefined;
    if (lacking !== undefined) return { verdict: "unsupported", what: `not validated here: ${lacking}` };
    const reason =
      count === 0 ? "no case of it can be run in the emulator's room" : "the definition takes none of the cases for it";
    return { verdict: "vacuous", by: "cases", reason };
  }

  /** What the host lacks to run a case of the subject. */
  private lacking(subject: string): string | undefined {
    for (let n = 0; n < PATIENCE; n++) {
      const drawn = this.guest.draw(subject, this.draws(subject), n);
      const lacks = drawn === undefined ? undefined : this.room.lacks?.(drawn.state);
      if (lacks !== undefined) return lacks;
    }
    return undefined;
  }

  private draws(subject: string): Draws {
    const index = this.guest.subjects.indexOf(subject);
    return (...path) => randomAt(this.options.seed, index, ...path);
  }

  /** As many cases as are wanted, dear ones last. */
  private *drawn(subject: string): Generator<C> {
    const { cases } = this.options;
    const draws = this.draws(subject);
    const dear: C[] = [];
    let cheap = 0;
    for (let n = 0; n < cases * PATIENCE && cheap + dear.length < cases; n++) {
      const drawn = this.guest.draw(subject, draws, n);
      if (drawn === undefined) continue;
      const cost = costOf(this.guest, this.room, drawn.state);
      if (cost === "cheap") {
        cheap++;
        yield drawn;
      } else if (cost === "dear" && dear.length < MOST_DEAR) {
        dear.push(drawn);
      }
    }
    yield* dear;
  }

  private async refuted(obligation: string, found: Compared<C>): Promise<Verdict> {
    const least = await shrink(this.guest, this.emulator, found, this.signal);
    return this.verdict(obligation, least.of.state, least.differs);
  }

  private verdict(obligation: string, state: State, differs: readonly Difference[]): Verdict {
    const { refinement, emulator, options } = this;
    const date = options.date ?? new Date().toISOString().slice(0, 10);
    const around = { refinement, obligation, seed: options.seed, date, identity: emulator.identity };
    return { verdict: "refuted", by: "cases", counterexample: counterexampleFrom(around, this.guest, state, differs) };
  }

  private async lockstep(name: string, program: EmulatorProgram, tracing: Tracing): Promise<EmulatorTestResult> {
    const { guest } = this.refinement;
    const report = (): void => this.progress(0, name);
    const { steps, failure, executed } = await runProgram(guest, tracing, program, this.signal, report);
    if (failure === undefined)
      return { name, verdict: { verdict: "tested", cases: steps, seed: this.options.seed }, executed };
    const roomless = this.emulator.room === undefined;
    const alone = roomless
      ? undefined
      : ((await this.alone(failure.state, failure.differs)) ?? (await this.wrongStore()));
    if (alone !== undefined) return { name, verdict: await this.refuted(name, alone), executed };
    return { name, verdict: this.verdict(name, failure.state, failure.differs), executed };
  }

  /**
   * A step that goes right by itself: the memory that it read, or that was compared at the program's end, had been written wrongly
   * before. A random case of a store that goes wrong.
   */
  private async wrongStore(): Promise<Compared<C> | undefined> {
    const { guest } = this.refinement;
    const memories = guest.variables.filter((v) => v.sort.kind === "memory").map((v) => v.name);
    for (const subject of this.guest.subjects) {
      if (!this.guest.stores(subject)) continue;
      for await (const compared of compareAll(this.guest, this.emulator, [...this.drawn(subject)], this.signal)) {
        const guilty = culprits(compared.differs);
        if (memories.some((m) => guilty.has(m))) return compared;
      }
    }
    return undefined;
  }

  /** The step of a program that goes wrong, as a case in the emulator's room that goes wrong in the same variable. */
  private async alone(state: State, differs: readonly Difference[]): Promise<Compared<C> | undefined> {
    const candidates = [...this.guest.transplants(state)].filter(
      (c) => costOf(this.guest, this.room, c.state) !== "impossible",
    );
    const guilty = culprits(differs);
    for await (const compared of compareAll(this.guest, this.emulator, candidates, this.signal)) {
      if ([...culprits(compared.differs)].some((v) => guilty.has(v))) return compared;
    }
    return undefined;
  }
}
