/** Our own translator proved for all operands from nothing, on two threads: how long, how much of it by rewriting alone, and an obligation's time. */
import path from "node:path";
import { packageRoot } from "../cli/package.js";
import { runCampaign } from "../refinement/campaign/campaign.js";
import { defaultOptions } from "../refinement/campaign/options.js";
import type { ObligationReport } from "../refinement/campaign/report.js";
import { isGood } from "../refinement/verdict.js";
import type { Row } from "./row.js";

const THREADS = 2;

export default async function translator(): Promise<readonly Row[]> {
  const file = path.join(packageRoot(), "impl/translator/refinement.yaml");
  const { report } = await runCampaign([file], { ...defaultOptions(), jobs: THREADS });
  const obligations = report.refinements.flatMap((r) => r.obligations);
  const bad = obligations.filter((o) => !isGood(o.verdict));
  if (bad.length > 0)
    throw new Error(`${bad.length} obligations do not hold: ${bad[0]?.name}: ${bad[0]?.reason ?? bad[0]?.verdict}`);
  const rewritten = obligations.filter((o) => o.by === "rewrite");
  const solved = obligations.filter((o) => o.by !== "rewrite");
  const all = median(obligations);
  const solver = median(solved);
  return [
    { name: `translator: every operand, ${THREADS} threads, cold`, value: report.seconds, unit: "s" },
    {
      name: "translator: proved by rewriting alone",
      value: rewritten.length,
      unit: "obligations",
      baseline: { name: "all", value: obligations.length },
      ratio: rewritten.length / obligations.length,
    },
    {
      name: "translator: an obligation, median",
      value: all,
      unit: "ms",
      ...(solved.length === 0 ? {} : { baseline: { name: "those that need the solver", value: solver } }),
      ...(solved.length === 0 || all === 0 ? {} : { ratio: solver / all }),
    },
  ];
}

function median(obligations: readonly ObligationReport[]): number {
  const times = obligations.map((o) => o.ms).sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)] ?? 0;
}
