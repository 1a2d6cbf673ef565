/** Proof by rewriting as the campaign uses it: quick at first, thorough before the solver is asked. */
import { type Budget, DEFAULT_BUDGET, proveByRewriting, type RewritingProof } from "../terms/assume.js";
import type { Term } from "../terms/term.js";
import { during } from "./spent.js";

export const QUICK: Budget = DEFAULT_BUDGET;
/** A few seconds at most: no longer than a solver would take. */
export const THOROUGH: Budget = { splits: 30_000, visits: 20_000_000, leaves: 48 };

export function rewriting(hypotheses: readonly Term[], goal: Term, budget: Budget = QUICK): RewritingProof {
  try {
    return during("rewriting", () => proveByRewriting(hypotheses, goal, budget));
  } catch (error) {
    // Terms nested too deep for the stack: what rewriting cannot do is left to the solver.
    if (error instanceof RangeError) return { proved: false, open: [{ hypotheses, goal }] };
    throw error;
  }
}
