import { unreachable } from "../../refinement/errors.js";
import type { Summary, VerdictName } from "../../refinement/verdict.js";
import type { Colors } from "./output.js";

/** Green for good news only. */
export function colorOf(colors: Colors, verdict: VerdictName | Summary | "skipped"): (text: string) => string {
  switch (verdict) {
    case "proved":
    case "explored":
    case "tested":
    case "holds":
      return colors.green;
    case "refuted":
      return colors.red;
    case "unknown":
    case "unsupported":
    case "vacuous":
    case "inconclusive":
    case "skipped":
      return colors.yellow;
    default:
      return unreachable(verdict);
  }
}
