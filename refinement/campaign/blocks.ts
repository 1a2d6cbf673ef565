/**
 * Validates the translation of one block: its obligations proved or refuted.
 */
import { goalTerm, type Obligation } from "../diagram.js";
import { UserError } from "../errors.js";
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
import { equalities } from "./equalities.js";
import { provedUnlessVacuous, unlessFailing, whole } from "./parts.js";
import { type PartOutcome, provePart } from "./prove.js";
import type { Settled } from "./report.js";
import { rewriting } from "./rewriting.js";
import { contradictory } from "./vacuity.js";

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
    const verdict = await unlessFailing(verdictOn(obligation, inquiry, confirm));
    const now = performance.now();
    result.push(settled(obligation.name, verdict, now - since));
    since = now;
  }
  return withIdle(result, new Set(obligations.filter((o) => o.idle).map((o) => o.name))) ?? withNevers(result);
}

const IDLE: Verdict = {
  verdict: "vacuous",
  by: "rewrite",
  reason: "the code is only ever left for an interrupt: the guest executes nothing",
};

/** Where nothing can come about but an interrupt, what holds there is no proof of the block; undefined where something else can. */
function withIdle(all: readonly Settled[], idle: ReadonlySet<string>): readonly Settled[] | undefined {
  const works = all.some(
    ({ obligation, verdict }) =>
      verdict.verdict !== (idle.has(obligation) ? "proved" : "vacuous") && !isNever(obligation),
  );
  if (idle.size === 0 || works) return undefined;
  return all.map((s) => (idle.has(s.obligation) ? { ...s, verdict: IDLE } : s));
}

async function verdictOn(obligation: BlockObligation, inquiry: Inquiry, confirm: Confirm): Promise<Verdict> {
  const possible = obligation.parts().filter((part) => !contradictory(part));
  const found = await whole(outcomesOf(obligation, possible, inquiry, confirm), "rewrite");
  if (found.kind === "refuted") return found.verdict;
  if (obligation.unsupported !== undefined) return { verdict: "unsupported", what: obligation.unsupported };
  if (obligation.unknown !== undefined) return { verdict: "unknown", by: "execution", reason: obligation.unknown };
  if (found.kind === "undecided") return found.verdict;
  // That nothing goes wrong by itself holds all the more where it cannot come to that.
  if (isNever(obligation.name)) return { verdict: "proved", by: found.by };
  return provedUnlessVacuous(inquiry, obligation, possible.map(withAll), found.by);
}

async function* outcomesOf(
  obligation: BlockObligation,
  possible: readonly BlockPart[],
  inquiry: Inquiry,
  confirm: Confirm,
): AsyncGenerator<PartOutcome> {
  const limitMs = PATIENCE_QUERIES * inquiry.timeoutMs;
  const began = performance.now();
  // The shortest way to something wrong first.
  const shortest = possible.toSorted((a, b) => a.hypotheses.length - b.hypotheses.length);
  for (const [i, part] of shortest.entries()) {
    if (performance.now() - began > limitMs) {
      const reason = `${i} of its ${possible.length} parts took more than ${Math.round(limitMs / 1000)} s`;
      yield { kind: "unknown", by: "time", reason };
      return;
    }
    const proving: Proving = {
      ...inquiry,
      equal: (o, terms) => equalities(inquiry, o, terms),
      confirm: (o: Pick<Obligation, "name">, _, model, how) => confirm(o.name, part.start, model, how),
    };
    // With all that is known, which is more than most goals need.
    if (part.further.length > 0 && provedByRewriting(part)) continue;
    yield await provePart(proving, obligation, withAll(part), undefined);
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
