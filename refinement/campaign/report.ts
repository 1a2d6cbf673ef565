/**
 * What a campaign came to: the document of `check --json`, and beside it the counterexamples themselves.
 */
import type { Counterexample, Explanation } from "../counterexample.js";
import type { Missing } from "../emulator.js";
import { unreachable } from "../errors.js";
import type { Method, Summary, Verdict, VerdictName } from "../verdict.js";
import { summarize } from "../verdict.js";
import type { Spent } from "./spent.js";

export interface ObligationReport {
  readonly name: string;
  readonly verdict: VerdictName;
  readonly method: Method;
  /** What settled it: `rewrite`, `random`, a solver's name, `states`, `cases`; or what could not: `timeout`, `budget`, … */
  readonly by: string;
  readonly ms: number;
  /** States explored or cases tested. */
  readonly count?: number;
  readonly seed?: number;
  readonly cached?: true;
  /** Of `unknown`, `unsupported` and `vacuous`: why. */
  readonly reason?: string;
  /** Of a test: what was executed, and what never. Of a proof for open operands: which. */
  readonly coverage?: string;
  /** Of a proof for open operands: in how many ways the translator goes about it. */
  readonly paths?: number;
  /** Where the counterexample was saved. */
  readonly counterexample?: string;
  /** Of `refuted`: the findings, examined before, that explain it wholly; without it, it is new. */
  readonly known?: Explanation;
}

export interface RefinementReport {
  readonly name: string;
  readonly title: string;
  readonly kind: string;
  readonly file: string;
  readonly fault?: string;
  readonly verdict: Summary;
  /** What is not installed and would be needed; there are no obligations then. */
  readonly skipped?: readonly Missing[];
  readonly obligations: readonly ObligationReport[];
  readonly assumptions: readonly string[];
  /** Milliseconds of all threads together, by phase; what came from the cache took none. */
  readonly spent?: Spent;
}

export interface Report {
  readonly version: 1;
  readonly verdict: Summary;
  readonly seconds: number;
  readonly seed: number;
  /** Stopped before the end by the user. */
  readonly interrupted?: true;
  readonly refinements: readonly RefinementReport[];
}

/** Something found: a counterexample belongs to the obligation `name` as `method` judged it. */
export interface Finding {
  readonly refinement: string;
  readonly obligation: string;
  readonly method: Method;
  readonly counterexample: Counterexample;
}

/** A verdict on one obligation, as a task delivers it. Plain data: it crosses threads and lies in the cache. */
export interface Settled {
  readonly obligation: string;
  readonly method: Method;
  readonly verdict: Verdict;
  /** Further counterexamples of other causes. */
  readonly more: readonly Counterexample[];
  readonly ms: number;
  /** Of a test: what was executed, and what never. Of a proof for open operands: which. */
  readonly coverage?: string;
  /** Of a proof for open operands: in how many ways the translator goes about it. */
  readonly paths?: number;
}

export function obligationReport(settled: Settled, cached: boolean): ObligationReport {
  const { obligation, method, verdict, ms, coverage, paths } = settled;
  const common = { name: obligation, verdict: verdict.verdict, method };
  const covers = { ...(coverage === undefined ? {} : { coverage }), ...(paths === undefined ? {} : { paths }) };
  const rest = { ms: Math.round(ms), ...(cached ? { cached: true as const } : {}), ...covers };
  switch (verdict.verdict) {
    case "proved":
      return { ...common, by: verdict.by, ...rest };
    case "refuted": {
      const { known } = verdict.counterexample.found;
      return { ...common, by: verdict.by, ...rest, ...(known === undefined ? {} : { known }) };
    }
    case "explored":
      return { ...common, by: "states", ...rest, count: verdict.states };
    case "tested":
      return { ...common, by: "cases", ...rest, count: verdict.cases, seed: verdict.seed };
    case "unknown":
    case "vacuous":
      return { ...common, by: verdict.by, ...rest, reason: verdict.reason };
    case "unsupported":
      return { ...common, by: "none", ...rest, reason: verdict.what };
    default:
      return unreachable(verdict);
  }
}

/** A refinement that was skipped counts only where it was asked for by name. */
export function summarizeRun(refinements: readonly RefinementReport[], named: boolean): Summary {
  const counted = refinements.filter((r) => named || r.skipped === undefined);
  const verdicts = counted.map((r) => r.verdict);
  if (verdicts.includes("refuted")) return "refuted";
  return verdicts.length > 0 && verdicts.every((v) => v === "holds") ? "holds" : "inconclusive";
}

export function summarizeRefinement(obligations: readonly ObligationReport[]): Summary {
  return summarize(obligations.map((o) => o.verdict));
}
