/**
 * The seven verdicts of an obligation. Only the first three are good news.
 */
import type { Counterexample } from "./counterexample.js";
import { unreachable } from "./errors.js";

export type Verdict =
  | { readonly verdict: "proved"; readonly by: string }
  | { readonly verdict: "explored"; readonly states: number }
  | { readonly verdict: "tested"; readonly cases: number; readonly seed: number }
  | { readonly verdict: "refuted"; readonly by: string; readonly counterexample: Counterexample }
  | { readonly verdict: "unknown"; readonly by: string; readonly reason: string }
  | { readonly verdict: "unsupported"; readonly what: string }
  | { readonly verdict: "vacuous"; readonly by: string; readonly reason: string };

export type VerdictName = Verdict["verdict"];
export type Method = "prove" | "test" | "explore";

/** What a whole refinement, or a whole run, comes to. */
export type Summary = "holds" | "refuted" | "inconclusive";

export function isGood(verdict: VerdictName): boolean {
  switch (verdict) {
    case "proved":
    case "explored":
    case "tested":
      return true;
    case "refuted":
    case "unknown":
    case "unsupported":
    case "vacuous":
      return false;
    default:
      return unreachable(verdict);
  }
}

/** Nothing holds by absence: no verdicts at all are inconclusive. */
export function summarize(verdicts: readonly VerdictName[]): Summary {
  if (verdicts.includes("refuted")) return "refuted";
  return verdicts.length > 0 && verdicts.every(isGood) ? "holds" : "inconclusive";
}

/** 0 every obligation holds, 1 refuted, 3 neither. (2 is wrong use, 130 an interruption.) */
export function exitCode(summary: Summary): 0 | 1 | 3 {
  switch (summary) {
    case "holds":
      return 0;
    case "refuted":
      return 1;
    case "inconclusive":
      return 3;
    default:
      return unreachable(summary);
  }
}
