/**
 * A refutation says that the host's code, by the host's definition, is wrong. Where the translator can be run, it must do what that code
 * does: otherwise someone of ours is wrong, who read the code or wrote the definition.
 */
import { stateOfRecord } from "../counterexample-state.js";
import type { Counterexample } from "../counterexample.js";
import { EnvironmentFailure, unreachable } from "../errors.js";
import type { Decode } from "../execute/decoded.js";
import type { Refinement, TranslatorRefinement } from "../refinement.js";
import type { GuestBlock, RealOutcome, Translation, Translator } from "../translation.js";
import { ConcreteBlock } from "../translation/concrete.js";
import { openTranslator } from "../translation/open.js";
import type { Verdict } from "../verdict.js";
import type { Task } from "./executor.js";
import type { Settled } from "./report.js";

type Refuted = Extract<Verdict, { verdict: "refuted" }>;
type Run = NonNullable<Translator["run"]>;

/** What the translator does from the state of a counterexample. */
type Reality =
  /** What the host's code does, in everything that is seen of it. */
  | { readonly kind: "confirmed"; readonly text: string }
  | { readonly kind: "contradicted"; readonly text: string }
  /** It cannot be run from there, or nothing that differs can be seen. */
  | { readonly kind: "unseen"; readonly text: string };

/** Translators that are run to confirm refutations, opened when there is a first one. */
export class RealRuns {
  private readonly translators = new Map<TranslatorRefinement, Promise<Translator | undefined>>();

  /** The refutations with what was seen; one that the translator does not bear out is none. */
  async confirm(
    refinement: Refinement,
    task: Task,
    settled: readonly Settled[],
    signal: AbortSignal,
  ): Promise<readonly Settled[]> {
    if (refinement.form !== "translator" || task.kind !== "block") return settled;
    if (settled.every(({ verdict }) => verdict.verdict !== "refuted")) return settled;
    const translator = await this.translatorOf(refinement);
    const run = translator?.run?.bind(translator);
    if (run === undefined) return settled;
    const { decodeX86 } = await import("../assembly/x86/index.js");
    const result: Settled[] = [];
    for (const s of settled) {
      const { verdict } = s;
      if (verdict.verdict !== "refuted") {
        result.push(s);
        continue;
      }
      const { block, translation } = task;
      const seen = await look(refinement, run, block, translation, verdict.counterexample, decodeX86, signal).catch(
        (error: unknown): Reality => {
          if (error instanceof EnvironmentFailure) return { kind: "unseen", text: error.message };
          throw error;
        },
      );
      result.push({ ...s, verdict: inTheLightOf(seen, verdict) });
    }
    return result;
  }

  async close(): Promise<void> {
    for (const translator of this.translators.values()) await (await translator)?.close();
  }

  private translatorOf(refinement: TranslatorRefinement): Promise<Translator | undefined> {
    const known = this.translators.get(refinement) ?? opened(refinement);
    this.translators.set(refinement, known);
    return known;
  }
}

async function opened(refinement: TranslatorRefinement): Promise<Translator | undefined> {
  const result = await openTranslator(refinement);
  return "translator" in result ? result.translator : undefined;
}

async function look(
  refinement: TranslatorRefinement,
  run: Run,
  block: GuestBlock,
  translation: Translation,
  c: Counterexample,
  decode: Decode,
  signal: AbortSignal,
): Promise<Reality> {
  const state = stateOfRecord(refinement.host, c.state, c.inaccessible);
  if (state.get(refinement.host.decoded?.programCounter ?? "") !== 0n)
    return { kind: "unseen", text: "it begins inside the block" };
  const before = new ConcreteBlock(refinement, block.name, block, translation, decode).guestStart(state);
  if (typeof before === "string") return { kind: "unseen", text: before };
  const region = refinement.regions.find((r) => r.kind === "guest");
  const at = region?.kind === "guest" ? region.at : 0n;
  const denied = c.inaccessible.map(({ address, bytes }) => ({ address: BigInt.asUintN(64, address - at), bytes }));
  const outcome = await run({ pc: block.pc, code: block.code, state: before, denied }, signal);
  return outcome.kind === "impossible" ? { kind: "unseen", text: outcome.reason } : compared(c, outcome);
}

function compared(c: Counterexample, { after, trap }: Extract<RealOutcome, { kind: "ran" }>): Reality {
  const seen: string[] = [];
  let agrees = true;
  for (const { variable, host } of c.differs) {
    if (variable === "trap" && host === "none") {
      agrees &&= trap === undefined;
      seen.push(`trap is ${trap ?? "none"}`);
    }
    const value = after.get(variable);
    if (value === undefined) continue;
    agrees &&= value === BigInt(host);
    seen.push(`${variable} is 0x${value.toString(16)}`);
  }
  if (seen.length === 0) return { kind: "unseen", text: "nothing that differs can be seen" };
  return { kind: agrees ? "confirmed" : "contradicted", text: seen.join(", ") };
}

function inTheLightOf(seen: Reality, verdict: Refuted): Verdict {
  const { counterexample: c, by } = verdict;
  const told = (run: string): Refuted => ({ ...verdict, counterexample: { ...c, found: { ...c.found, run } } });
  switch (seen.kind) {
    case "confirmed":
      return told(`confirmed: ${seen.text}`);
    case "unseen":
      return told(`not confirmed: ${seen.text}`);
    case "contradicted":
      return {
        verdict: "unknown",
        by,
        reason: `run from the state of a refutation, the translator does otherwise (${seen.text}): a defect of the checker`,
      };
    default:
      return unreachable(seen);
  }
}
