/**
 * What the compiler asks of scalar terms.
 */
import { InternalDefect, unreachable } from "../errors.js";
import type { Term } from "../terms/term.js";

export function scalarWidth(term: Term): number {
  switch (term.sort.kind) {
    case "bits":
      return term.sort.width;
    case "bool":
      return 1;
    case "file":
    case "memory":
      throw new InternalDefect(`a ${term.sort.kind} where a scalar is wanted`);
    default:
      return unreachable(term.sort);
  }
}

export function isWide(term: Term): boolean {
  return scalarWidth(term) > 64;
}

export function argument(term: Term, i: number): Term {
  const arg = term.args[i];
  if (arg === undefined) throw new InternalDefect(`${term.op} has no argument ${i}`);
  return arg;
}
