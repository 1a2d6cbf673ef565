/**
 * What the compiler cannot compile. Never a verdict: the caller falls back to the reference evaluator.
 */
export class Unsupported extends Error {
  /** The operator, or the construct, that has no compiled form. */
  readonly operator: string;
  constructor(operator: string, why: string) {
    super(`${operator}: ${why}`);
    this.name = "Unsupported";
    this.operator = operator;
  }
}
