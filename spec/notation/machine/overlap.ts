/** Two instructions that one word is both of. */
import type { Field } from "../../../refinement/machine.js";
import { evaluate } from "../../../refinement/terms/evaluate.js";
import type { Term } from "../../../refinement/terms/term.js";
import { freeVariables } from "../../../refinement/terms/variables.js";
import { type Layout, fieldOfNumber } from "./encoding.js";

export interface Encoded extends Layout {
  readonly constraint: Term | undefined;
}

/** A word of both, `undecided` if their constraints look at too many bits to try all, or undefined if there is none. */
export type Overlap = { readonly word: bigint } | "undecided" | undefined;

/** As many bits are tried in all combinations. */
const MAX_BITS = 14;

export function overlap(a: Encoded, b: Encoded): Overlap {
  if (a.width !== b.width || (a.mask & b.mask & (a.match ^ b.match)) !== 0n) return undefined;
  const fixed = a.mask | b.mask;
  const base = a.match | b.match;
  const free: bigint[] = [];
  for (const position of new Set([...constrained(a), ...constrained(b)]))
    if (((fixed >> BigInt(position)) & 1n) === 0n) free.push(BigInt(position));
  if (free.length > MAX_BITS) return "undecided";
  for (let choice = 0; choice < 1 << free.length; choice++) {
    let word = base;
    free.forEach((position, i) => {
      if ((choice >> i) & 1) word |= 1n << position;
    });
    if (satisfies(a, word) && satisfies(b, word)) return { word };
  }
  return undefined;
}

/** Positions in the word of the bits that the constraint looks at. */
function constrained({ constraint, fields }: Encoded): number[] {
  if (constraint === undefined) return [];
  const used = freeVariables(constraint);
  return fields
    .filter((f) => used.has(f.term))
    .flatMap((f) => f.pieces.flatMap((p) => Array.from({ length: p.width }, (_, i) => p.at + i)));
}

function satisfies({ constraint, fields }: Encoded, word: bigint): boolean {
  if (constraint === undefined) return true;
  const byTerm = new Map<Term, Field>(fields.map((f) => [f.term, f]));
  const value = evaluate(constraint, {
    variable: (term) => {
      const field = byTerm.get(term);
      return field === undefined ? 0n : fieldOfNumber(field, word);
    },
  });
  return value === 1n;
}
