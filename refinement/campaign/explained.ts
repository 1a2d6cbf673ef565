/**
 * Whether a refuted obligation is a finding that was examined before, and nothing else. A finding is told by a guest that departs from the
 * architecture just as the host does: an obligation that is proved of that guest, for all states, is wrong in this way alone. What is
 * refuted of it as well, or not decided, is not explained, whatever the block's name and whatever its counterexample looks like.
 */
import type { Explanation } from "../counterexample.js";
import type { Machine } from "../machine.js";
import type { Known, Refinement, TranslatorRefinement } from "../refinement.js";
import type { GuestBlock, Translation } from "../translation.js";
import { type BlockObligation, blockObligations } from "../translation/obligations.js";
import { BlockConfirmation, type HostTools } from "./block-confirm.js";
import { type Confirm, settleObligations } from "./blocks.js";
import type { Inquiry } from "./context.js";
import type { Settled } from "./report.js";

/** Queries' worth of time, for a block: that it is refuted is known by then, and must not be lost. */
const PATIENCE_QUERIES = 6;

/** `guestOf`: the known guest with some of its findings. */
export async function explained(
  refinement: Refinement,
  guestOf: (known: Known, findings: readonly string[]) => Promise<Machine>,
  block: GuestBlock,
  translation: Translation,
  tools: HostTools,
  inquiry: Inquiry,
  settled: readonly Settled[],
): Promise<readonly Settled[]> {
  if (refinement.form !== "translator" || refinement.known === undefined) return settled;
  const { known } = refinement;
  const refutations = new Map(
    settled.flatMap(({ obligation, verdict }) =>
      verdict.verdict === "refuted" ? [[obligation, verdict.counterexample] as const] : [],
    ),
  );
  if (refutations.size === 0) return settled;
  const refuted = [...refutations.keys()];
  const until = performance.now() + PATIENCE_QUERIES * inquiry.timeoutMs;
  const limited: Inquiry = {
    ...inquiry,
    get timeoutMs() {
      return Math.max(1, Math.min(inquiry.timeoutMs, Math.round(until - performance.now())));
    },
  };
  const undecided = new Set<string>();
  const provedOf = async (findings: readonly string[], names: Iterable<string>): Promise<ReadonlySet<string>> => {
    const as = asKnown(refinement, known, await guestOf(known, findings));
    const wanted = new Set(names);
    const obligations = (): readonly BlockObligation[] =>
      blockObligations(as, block.name, block, translation, tools.decode).filter((o) => wanted.has(o.name));
    const confirmation = new BlockConfirmation(as, block, translation, tools, inquiry);
    const confirm: Confirm = async (name, at, model, how) => {
      const counterexample = refutations.get(name);
      const judged = confirmation.judge(name, at, model, how);
      if (judged.kind !== "violated") return judged;
      // What the known guest does not explain is told as it was found.
      return { kind: "refuted", counterexample: counterexample ?? judged.counterexample() };
    };
    const again = await settleObligations(block.name, obligations, limited, confirm);
    for (const { obligation, verdict } of again) if (verdict.verdict === "unknown") undecided.add(obligation);
    return new Set(again.filter((s) => s.verdict.verdict === "proved").map((s) => s.obligation));
  };
  const all = [...known.findings.keys()];
  const by = new Map<string, readonly string[]>();
  for (const finding of all) {
    const left = refuted.filter((name) => !by.has(name));
    if (left.length === 0) break;
    for (const name of await provedOf([finding], left)) by.set(name, [finding]);
  }
  // Where no finding is enough by itself: all of them, and then without those that it does not take.
  const rest = refuted.filter((name) => !by.has(name));
  if (rest.length > 0) for (const name of await provedOf(all, rest)) by.set(name, all);
  for (const [name, findings] of by) {
    let needed = findings;
    for (const finding of findings.length > 1 ? findings : []) {
      const fewer = needed.filter((f) => f !== finding);
      if ((await provedOf(fewer, [name])).has(name)) needed = fewer;
    }
    by.set(name, needed);
  }
  return settled.map((s) => {
    const findings = by.get(s.obligation);
    if (findings !== undefined) return withKnown(s, { findings, see: known.see });
    return undecided.has(s.obligation) ? withKnown(s, "undecided") : s;
  });
}

function asKnown(refinement: TranslatorRefinement, known: Known, guest: Machine): TranslatorRefinement {
  const views = new Map(
    [...refinement.views].map(([name, view]) => [
      name,
      { ...view, abstraction: new Map([...view.abstraction, ...known.abstraction]) },
    ]),
  );
  return { ...refinement, guest, views, abstraction: new Map([...refinement.abstraction, ...known.abstraction]) };
}

function withKnown(s: Settled, known: Explanation): Settled {
  const { verdict } = s;
  if (verdict.verdict !== "refuted") return s;
  const { counterexample: c } = verdict;
  return { ...s, verdict: { ...verdict, counterexample: { ...c, found: { ...c.found, known } } } };
}
