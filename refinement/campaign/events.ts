import type { Missing } from "../emulator.js";
import type { Method } from "../verdict.js";
import type { ObligationReport } from "./report.js";

/** What a campaign tells while it runs. `done` and `total` count obligations, explorations and tests of the whole run. */
export type CampaignEvent =
  | { readonly kind: "planned"; readonly refinements: readonly string[]; readonly done: number; readonly total: number }
  | { readonly kind: "started"; readonly refinement: string; readonly task: string; readonly method: Method }
  /** Within one long task. */
  | {
      readonly kind: "progress";
      readonly refinement: string;
      readonly task: string;
      readonly method: Method;
      readonly part: number;
      readonly of: number;
    }
  | {
      readonly kind: "settled";
      readonly refinement: string;
      readonly obligation: ObligationReport;
      readonly done: number;
      readonly total: number;
    }
  /** A task is over, whether or not it settled anything worth telling. */
  | {
      readonly kind: "ended";
      readonly refinement: string;
      readonly task: string;
      readonly method: Method;
      readonly done: number;
      readonly total: number;
    }
  | { readonly kind: "skipped"; readonly refinement: string; readonly missing: readonly Missing[] }
  | { readonly kind: "warning"; readonly message: string };
