/** Reasoning under hypotheses by rewriting alone. */
import { Context } from "./context.js";
import type { Term } from "./term.js";

export { type Budget, DEFAULT_BUDGET, type OpenGoal, proveByRewriting, type RewritingProof } from "./prove.js";

/** A set of hypotheses with what follows from them; it never changes, `with` gives a larger one. */
export class Assumptions {
  private readonly context: Context;

  private constructor(context: Context) {
    this.context = context;
  }

  static of(hypotheses: readonly Term[]): Assumptions {
    const context = Context.empty();
    context.assume(...hypotheses);
    return new Assumptions(context);
  }

  /** The hypotheses exclude each other: everything follows. `false` says nothing. */
  get contradictory(): boolean {
    return this.context.contradictory;
  }

  /** A term equal to `t` wherever the hypotheses hold. */
  simplify(t: Term): Term {
    return this.context.simplify(t);
  }

  /** These hypotheses and one more. */
  with(hypothesis: Term): Assumptions {
    const context = this.context.copy();
    context.assume(hypothesis);
    return new Assumptions(context);
  }
}
