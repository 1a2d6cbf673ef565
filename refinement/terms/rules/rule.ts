import type { Term } from "../term.js";

/**
 * A rewriting rule of one operator.
 *
 * `apply` gets a plain term of that operator whose arguments are in normal form and gives an equal term in normal form, or
 * `undefined` where the rule does not fit. Every rule is checked against `law`'s meaning on all values at small widths and
 * by solver at large ones (test/refinement/terms/rules.test.ts), so each needs an example there that makes it fire.
 */
export interface Rule {
  /** `operator.what`, unique. */
  readonly name: string;
  /** The equation, in the notation, with its side conditions. */
  readonly law: string;
  readonly apply: (t: Term) => Term | undefined;
}
