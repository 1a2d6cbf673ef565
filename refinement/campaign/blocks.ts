/**
 * Validates the translation of one block: its obligations proved or refuted.
 */
import { goalTerm, type Obligation } from "../diagram.js";
import { EnvironmentFailure, UserError } from "../errors.js";
import type { TranslatorRefinement } from "../refinement.js";
import type { Value } from "../terms/value.js";
import type { GuestBlock, Translation } from "../translation.js";
import { Code } from "../translation/code.js";
import { type BlockObligation, type BlockPart, blockObligations } from "../translation/obligations.js";
import { problemOf } from "../translation/well-formed.js";
import type { Verdict } from "../verdict.js";
import { BlockConfirmation, type HostTools } from "./block-confirm.js";
import type { Confirmation } from "./confirm.js";
import type { Inquiry, Proving } from "./context.js";
import { provePart } from "./prove.js";
import type { Settled } from "./report.js";
import { rewriting } from "./rewriting.js";
import { contradictory, vacuity } from "./vacuity.js";

/** An obligation may take as long as so many queries. */
const PATIENCE_QUERIES = 6;

/** Every obligation of the block. A translation that is not as it must be is one `unknown`. */
export async function validateBlock(
  refinement: TranslatorRefinement,
  block: GuestBlock,
  translation: Translation,
  tools: HostTools,
  inquiry: Inquiry,
): Promise<readonly Settled[]> {
  const code = new Code(refinement, translation, tools.decode);
  const problem = problemOf(block, translation, code, refinement);
  if (problem !== undefined) return [unusable(block.name, problem, 0)];
  const confirmation = new BlockConfirmation(refinement, block, translation, tools, inquiry);
  return settleObligations(
    block.name,
    () => blockObligations(refinement, block.name, block, translation, tools.decode),
    inquiry,
    async (obligation, at, model, by) => confirmation.confirm(obligation, at, model, by),
  );
}

/** What cannot be validated at all. */
export function unusable(name: string, reason: string, ms: number): Settled {
  return settled(`commute/${name}`, { verdict: "unknown", by: "translator", reason }, ms);
}

/** Runs what a model says: `at` is the host address where its state stands. */
export type Confirm = (
  obligation: string,
  at: bigint,
  model: ReadonlyMap<string, Value>,
  by: string,
) => Promise<Confirmation>;

/** What executing the block took is told with its first obligation. */
export async function settleObligations(
  name: string,
  execute: () => readonly BlockObligation[],
  inquiry: Inquiry,
  confirm: Confirm,
): Promise<readonly Settled[]> {
  let since = performance.now();
  let obligations: readonly BlockObligation[];
  try {
    obligations = execute();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const verdict: Verdict = { verdict: "unsupported", what: error.message };
    return [settled(`commute/${name}`, verdict, performance.now() - since)];
  }
  const result: Settled[] = [];
  for (const obligation of obligations) {
    const verdict = await verdictOn(obligation, inquiry, confirm).catch((error: unknown): Verdict => {
      if (error instanceof EnvironmentFailure) return { verdict: "unknown", by: error.what, reason: error.message };
      throw error;
    });
    const now = performance.now();
    result.push(settled(obligation.name, verdict, now - since));
    since = now;
  }
  return withNevers(result);
}

async function verdictOn(obligation: BlockObligation, inquiry: Inquiry, confirm: Confirm): Promise<Verdict> {
  const possible = obligation.parts().filter((part) => !contradictory(part));
  let by = "rewrite";
  let undecided: Verdict | undefined;
  const limitMs = PATIENCE_QUERIES * inquiry.timeoutMs;
  const began = performance.now();
  // The shortest way to something wrong first.
  const shortest = possible.toSorted((a, b) => a.hypotheses.length - b.hypotheses.length);
  for (const [i, part] of shortest.entries()) {
    if (performance.now() - began > limitMs) {
      const reason = `${i} of its ${possible.length} parts took more than ${Math.round(limitMs / 1000)} s`;
      undecided ??= { verdict: "unknown", by: "time", reason };
      break;
    }
    const proving: Proving = {
      ...inquiry,
      confirm: (o: Pick<Obligation, "name">, _, model, how) => confirm(o.name, part.start, model, how),
    };
    // With all that is known, which is more than most goals need.
    if (part.further.length > 0 && provedByRewriting(part)) continue;
    const outcome = await provePart(proving, obligation, withAll(part), undefined);
    switch (outcome.kind) {
      case "refuted":
        return { verdict: "refuted", by: outcome.by, counterexample: outcome.counterexample };
      case "unknown":
        undecided ??= { verdict: "unknown", by: outcome.by, reason: outcome.reason };
        break;
      case "proved":
        if (outcome.by !== "rewrite") by = outcome.by;
        break;
    }
  }
  if (obligation.unsupported !== undefined) return { verdict: "unsupported", what: obligation.unsupported };
  if (obligation.unknown !== undefined) return { verdict: "unknown", by: "execution", reason: obligation.unknown };
  if (undecided !== undefined) return undecided;
  // That nothing goes wrong by itself holds all the more where it cannot come to that.
  if (isNever(obligation.name)) return { verdict: "proved", by };
  const about = await vacuity(inquiry, obligation, possible.map(withAll));
  switch (about.kind) {
    case "possible":
      return { verdict: "proved", by };
    case "impossible":
      return { verdict: "vacuous", by: about.by, reason: "its antecedent can never hold" };
    case "unknown":
      return { verdict: "unknown", by: about.by, reason: about.reason };
  }
}

function withAll(part: BlockPart): BlockPart {
  return { ...part, hypotheses: [...part.hypotheses, ...part.further], further: [] };
}

function provedByRewriting({ hypotheses, goals }: BlockPart): boolean {
  return goals.every((goal) => rewriting(hypotheses, goalTerm(goal)).proved);
}

/** All that it says is that it does not come to this. */
function isNever(obligation: string): boolean {
  return /\/host\+[0-9a-f]+$/.test(obligation);
}

/**
 * Of a fault or an exit that cannot come about another theorem holds: that it cannot. It is told by that name, so that nobody takes it
 * for a proof of what would hold there. Where nothing of the block can come about, all of it stays vacuous.
 */
function withNevers(all: readonly Settled[]): readonly Settled[] {
  if (all.every(({ obligation, verdict }) => verdict.verdict === "vacuous" || isNever(obligation))) return all;
  return all.map((s) => {
    const { obligation, verdict } = s;
    if (verdict.verdict !== "vacuous") return s;
    return { ...s, obligation: `${obligation}/never`, verdict: { verdict: "proved", by: verdict.by } };
  });
}

function settled(obligation: string, verdict: Verdict, ms: number): Settled {
  return { obligation, method: "prove", verdict, more: [], ms };
}
