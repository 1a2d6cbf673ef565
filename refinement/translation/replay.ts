/** A saved counterexample of a translator's: its block is translated anew and run from its state, or its program runs again. */
import type { Counterexample } from "../counterexample.js";
import { stateOfRecord } from "../counterexample-state.js";
import { EnvironmentFailure, UserError } from "../errors.js";
import type { Violation } from "../execute/commute.js";
import type { Decode } from "../execute/decoded.js";
import type { TranslatorRefinement } from "../refinement.js";
import type { Value } from "../terms/value.js";
import type { Translation, TranslationRequest } from "../translation.js";
import { Code } from "./code.js";
import { WHIMS } from "./block-run.js";
import { ConcreteBlock } from "./concrete.js";
import { lockstep, slicesOf } from "./lockstep.js";
import { enginesOf, openTranslator } from "./open.js";
import { hex } from "./regions.js";
import type { Start } from "./start.js";
import { problemOf } from "./well-formed.js";

/** What it breaks now; a translation that is not to be had is an EnvironmentFailure. */
export async function replayBlock(
  refinement: TranslatorRefinement,
  c: Counterexample,
  decode: Decode,
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly Violation[]> {
  const [, name = ""] = /^[a-z]+\/(.*)\/[^/]*$/.exec(c.obligation) ?? [];
  if (c.guest === undefined || name === "")
    throw new UserError("a translator's counterexample needs `guest`, with the code and the pc of its block");
  const digits = c.guest.code.replaceAll(/\s+/g, "");
  if (!/^([0-9a-fA-F]{2})+$/.test(digits)) throw new UserError("`guest.code` is not bytes in hexadecimal");
  const block: TranslationRequest = { pc: c.guest.pc, code: Uint8Array.from(Buffer.from(digits, "hex")) };
  const translation = await translated(refinement, block, signal);
  const problem = problemOf(block, translation, new Code(refinement, translation, decode), refinement);
  if (problem !== undefined) throw new EnvironmentFailure(refinement.name, problem);
  const state = stateOfRecord(refinement.host, c.state, c.inaccessible);
  const concrete = new ConcreteBlock(refinement, name, block, translation, decode);
  const start = startOf(concrete.starts, state.get(refinement.host.decoded?.programCounter ?? ""));
  for (const whim of WHIMS) {
    const judgement = concrete.judge(state, start, whim);
    if (judgement.kind === "outside") throw new UserError(`the case is no longer possible: ${judgement.because}`);
    if (judgement.violations.length > 0) return judgement.violations;
  }
  return [];
}

/** A program on the translator's runtime, in lockstep once more. */
export async function replayProgram(
  refinement: TranslatorRefinement,
  { obligation, state, inaccessible, schedule }: Counterexample,
  decode: Decode,
): Promise<readonly Violation[]> {
  const engines = await enginesOf(refinement, decode);
  if (engines === undefined) throw new UserError(`${refinement.name} has no runtime to run a program on`);
  const start = stateOfRecord(refinement.guest, state, inaccessible);
  const { differs } = lockstep(refinement.guest, engines(), start, slicesOf(schedule));
  return differs.length === 0 ? [] : [{ obligation, differs, certain: true }];
}

/** A state that names no host address is one at the entry. */
function startOf(starts: readonly Start[], value: Value | undefined): Start {
  const address = typeof value === "bigint" ? value : 0n;
  const start = address === 0n ? starts[0] : starts.find((s) => s.address === address);
  if (start === undefined) throw new UserError(`the translation has no point at ${hex(address)} any more`);
  return start;
}

async function translated(
  refinement: TranslatorRefinement,
  block: TranslationRequest,
  signal: AbortSignal,
): Promise<Translation> {
  const opened = await openTranslator(refinement);
  if ("missing" in opened) {
    const missing = opened.missing.map((m) => `${m.program} is not installed: ${m.remedy}`);
    throw new EnvironmentFailure(refinement.name, missing.join("; "));
  }
  try {
    for await (const answer of opened.translator.translate([block], signal)) {
      if (answer.kind === "translated") return answer.translation;
      const why = answer.kind === "unsupported" ? `unsupported: ${answer.what}` : answer.reason;
      throw new EnvironmentFailure(refinement.name, why);
    }
    throw new EnvironmentFailure(refinement.name, "the translator gave no answer");
  } finally {
    await opened.translator.close();
  }
}
