/**
 * Is an obligation about anything? Its antecedent must be possible: a recorded state, a random one or the solver shows
 * that it is, rewriting or the solver that it is not. Neither is `unknown`.
 */
import type { Obligation, Part } from "../diagram.js";
import { witnessByRandom } from "../solver/random.js";
import { FALSE } from "../terms/build.js";
import { ask, type Inquiry } from "./context.js";
import { rewriting } from "./rewriting.js";
import { during } from "./spent.js";

export type Vacuity =
  | { readonly kind: "possible" }
  | { readonly kind: "impossible"; readonly by: string }
  | { readonly kind: "unknown"; readonly by: string; readonly reason: string };

const RANDOM_TRIES = 300;

/** Whether rewriting alone shows that the hypotheses contradict each other. */
export function contradictory(part: Part): boolean {
  return rewriting(part.hypotheses, FALSE).proved;
}

/** Whether some part's hypotheses can hold; `parts` are those that `contradictory` did not already exclude. */
export async function vacuity(
  context: Inquiry,
  obligation: Pick<Obligation, "name">,
  parts: readonly Part[],
): Promise<Vacuity> {
  if (parts.length === 0) return { kind: "impossible", by: "rewrite" };
  for (const part of parts) {
    const options = { seed: context.seed, tries: RANDOM_TRIES };
    const witness = during("trying", () => witnessByRandom(part.hypotheses, options));
    if (witness !== undefined) return { kind: "possible" };
  }
  let undecided: Vacuity | undefined;
  let by = "rewrite";
  for (const part of parts) {
    const answer = await ask(context, obligation, part.hypotheses);
    by = answer.solver;
    if (answer.answer === "sat") return { kind: "possible" };
    if (answer.answer === "unknown") {
      const reason = `whether its antecedent can hold at all: ${answer.reason}`;
      undecided ??= { kind: "unknown", by: answer.solver, reason };
    }
  }
  return undecided ?? { kind: "impossible", by };
}
