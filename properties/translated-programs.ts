/** Programs on a translator's runtime, stopped at random, in lockstep with the guest's definition. */
import { assembleProgram } from "../refinement/assembly/index.js";
import { bytesOfWord } from "../refinement/assembly/words.js";
import type { Counterexample } from "../refinement/counterexample.js";
import { recordOfState } from "../refinement/counterexample-state.js";
import { zeroState } from "../refinement/execute/concrete.js";
import type { Engine } from "../refinement/execute/engine.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine } from "../refinement/machine.js";
import type { TranslatorRefinement } from "../refinement/refinement.js";
import { MemoryValue } from "../refinement/terms/value.js";
import { guestText } from "../refinement/translation/listing.js";
import { lockstep, type LockstepOutcome, scheduleOf } from "../refinement/translation/lockstep.js";
import { anatomyOf } from "./anatomy.js";
import { programs } from "./arbitraries/programs.js";
import { titleOf } from "./counterexample.js";
import { encodeProgram } from "./program.js";
import type { Verdict } from "../refinement/verdict.js";
import { randomAt } from "./random.js";
import { running, type Start } from "./start.js";
import { guestStart, PC } from "./translated-start.js";
import type { TranslatorTestOptions, TranslatorTestResult } from "./translator.js";

/** A program that begins at `pc` of its state. */
export interface GuestProgram {
  /** Of the obligation: `lockstep/NAME`. */
  readonly name: string;
  readonly pc: bigint;
  readonly code: Uint8Array;
  readonly start: Start;
}

/** How often a program is stopped before it is let alone, and steps between two stops. */
const STOPS = 120;
const LONGEST_SLICE = 150;
/** Steps in which a program that is let alone is done, or does not end. */
const WHOLE = 20_000;
/** Instructions of a random program. */
const LONGEST = 24;
/** Where their randomness branches off. */
const PROGRAMS = 1;
/** Runs spent on doing with fewer stops. */
const SHRINKS = 10;
/** Runs of one program: one that nothing interrupts, the others with stops at random. */
const RUNS = 3;

/** Those that are told to show the seeded fault. All memory is accessible, all registers are 0. */
export function plantedPrograms({ guest, faults, fault }: TranslatorRefinement): readonly GuestProgram[] {
  const described = faults.find((f) => f.name === fault);
  return (described?.programs ?? []).map((text, i) => {
    const { bytes } = assembleProgram(guest, text, PC, `a program of the fault ${fault}`);
    const counter = guest.instructionSet?.programCounter ?? "pc";
    const memory = guest.variables.find((v) => v.sort.kind === "memory")?.name ?? "mem";
    const state: State = new Map([
      ...zeroState(guest),
      [counter, PC],
      [memory, MemoryValue.empty(64).storeBytes(PC, bytes)],
    ]);
    const name = i === 0 ? `${fault}` : `${fault}-${i + 1}`;
    return { name, pc: PC, code: bytes, start: { state, inaccessible: [] } };
  });
}

/** Programs with jumps among their instructions, that may store into themselves. */
export function randomPrograms(guest: Machine, seed: number, count: number): readonly GuestProgram[] {
  const anatomy = anatomyOf(guest);
  if (anatomy === undefined) return [];
  const arbitrary = programs(guest, { maxLength: LONGEST });
  return Array.from({ length: count }, (_, i) => {
    const random = randomAt(seed, PROGRAMS, i);
    const program = arbitrary.draw(random);
    const words = encodeProgram(anatomy, program, PC);
    const code = Uint8Array.from(words.flatMap((word) => [...bytesOfWord(anatomy.isa, word)]));
    return { name: `random-${i + 1}`, pc: PC, code, start: guestStart(random, guest, code, program.length) };
  });
}

export async function testPrograms(
  refinement: TranslatorRefinement,
  engines: () => Engine,
  cases: readonly GuestProgram[],
  options: TranslatorTestOptions,
): Promise<readonly TranslatorTestResult[]> {
  const results: TranslatorTestResult[] = [];
  let [compared, steps] = [0, 0];
  for (const [n, program] of cases.entries()) {
    for (let run = 0; run < RUNS; run++) {
      if (options.signal?.aborted === true) return results;
      await new Promise((resolve) => setImmediate(resolve));
      const slices = run === 0 ? [WHOLE] : slicesAt(options.seed, n, run);
      const outcome = lockstep(refinement.guest, engines(), running(program.start), slices);
      compared += outcome.compared;
      steps += outcome.steps;
      if (outcome.differs.length === 0) continue;
      const shown = smaller(refinement, engines, program, slices.slice(0, outcome.compared), outcome);
      const counterexample = counterexampleOf(refinement, program, shown, options);
      const found = {
        name: counterexample.obligation,
        verdict: { verdict: "refuted", by: "cases", counterexample },
      } as const;
      results.push(found);
      options.onResult?.(found);
      break;
    }
    options.onProgress?.(n + 1, cases.length);
  }
  if (results.length > 0 || cases.length === 0) return results;
  const coverage = `${steps.toLocaleString("en-US")} guest steps, looked at ${compared.toLocaleString("en-US")} times`;
  const verdict: Verdict = { verdict: "tested", cases: RUNS * cases.length, seed: options.seed };
  return [{ name: "lockstep/*", verdict, coverage }];
}

function slicesAt(seed: number, program: number, run: number): readonly number[] {
  const random = randomAt(seed, program, run);
  const slices = Array.from({ length: STOPS }, () => random.nextInt(1, random.nextInt(1, LONGEST_SLICE)));
  return [...slices, WHOLE];
}

interface Shown {
  readonly slices: readonly number[];
  readonly outcome: LockstepOutcome;
}

/** Of the stops before the last one as few as will do. */
function smaller(
  { guest }: TranslatorRefinement,
  engines: () => Engine,
  { start }: GuestProgram,
  slices: readonly number[],
  outcome: LockstepOutcome,
): Shown {
  const variable = outcome.differs[0]?.variable;
  let best: Shown = { slices, outcome };
  let left = SHRINKS;
  for (let chunk = slices.length >> 1; chunk > 0; chunk >>= 1) {
    for (let at = 0; at + chunk < best.slices.length && left > 0; ) {
      left--;
      const merged = best.slices.slice(at, at + chunk + 1).reduce((sum, n) => sum + n, 0);
      const fewer = [...best.slices.slice(0, at), merged, ...best.slices.slice(at + chunk + 1)];
      const again = lockstep(guest, engines(), running(start), fewer);
      if (again.differs[0]?.variable === variable) best = { slices: fewer.slice(0, again.compared), outcome: again };
      else at += chunk;
    }
  }
  return best;
}

function counterexampleOf(
  refinement: TranslatorRefinement,
  { name, pc, code, start }: GuestProgram,
  { slices, outcome: { differs } }: Shown,
  { seed, date }: TranslatorTestOptions,
): Counterexample {
  const obligation = `lockstep/${name}`;
  return {
    title: titleOf(obligation, differs),
    refinement: refinement.name,
    obligation,
    fault: refinement.fault,
    found: { by: "test", solver: undefined, seed, date },
    machines: { guest: refinement.guest.digest, host: refinement.host.digest },
    guest: guestText(refinement.guest, { pc, code }),
    host: undefined,
    state: recordOfState(refinement.guest, start.state),
    inaccessible: start.inaccessible,
    schedule: scheduleOf(slices),
    differs,
    expect: "refuted",
    cause: { obligation, variable: differs[0]?.variable ?? "" },
  };
}
