/** The verdict on an obligation, of what comes of its parts. */
import type { Obligation, Part } from "../diagram.js";
import { EnvironmentFailure, unreachable } from "../errors.js";
import type { Verdict } from "../verdict.js";
import type { Inquiry } from "./context.js";
import type { PartOutcome } from "./prove.js";
import { vacuity } from "./vacuity.js";

export type Whole =
  | { readonly kind: "refuted"; readonly verdict: Verdict }
  | { readonly kind: "undecided"; readonly verdict: Verdict }
  | { readonly kind: "proved"; readonly by: string };

/** Parts are asked for until one is refuted. `by` is what the proof rests on already. */
export async function whole(outcomes: AsyncIterable<PartOutcome>, by: string): Promise<Whole> {
  let strongest = by;
  let undecided: Verdict | undefined;
  for await (const outcome of outcomes) {
    switch (outcome.kind) {
      case "refuted":
        return {
          kind: "refuted",
          verdict: { verdict: "refuted", by: outcome.by, counterexample: outcome.counterexample },
        };
      case "unknown":
        undecided ??= { verdict: "unknown", by: outcome.by, reason: outcome.reason };
        break;
      case "proved":
        if (outcome.by !== "rewrite") strongest = outcome.by;
        break;
      default:
        return unreachable(outcome);
    }
  }
  return undecided === undefined ? { kind: "proved", by: strongest } : { kind: "undecided", verdict: undecided };
}

/** Of what is proved: whether it is about anything. */
export async function provedUnlessVacuous(
  inquiry: Inquiry,
  obligation: Pick<Obligation, "name">,
  parts: readonly Part[],
  by: string,
): Promise<Verdict> {
  const about = await vacuity(inquiry, obligation, parts);
  switch (about.kind) {
    case "possible":
      return { verdict: "proved", by };
    case "impossible":
      return { verdict: "vacuous", by: about.by, reason: "its antecedent can never hold" };
    case "unknown":
      return { verdict: "unknown", by: about.by, reason: about.reason };
    default:
      return unreachable(about);
  }
}

/** A solver that fails leaves the obligation open. */
export async function unlessFailing(verdict: Promise<Verdict>): Promise<Verdict> {
  try {
    return await verdict;
  } catch (error) {
    if (error instanceof EnvironmentFailure) return { verdict: "unknown", by: error.what, reason: error.message };
    throw error;
  }
}
