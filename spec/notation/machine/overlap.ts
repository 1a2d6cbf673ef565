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
export const MAX_BITS = 14;

/** Of encodings of different widths, the shorter one looks at the low bits of the longer one's words. */
export function overlap(a: Encoded, b: Encoded): Overlap {
  if ((a.mask & b.mask & (a.match ^ b.match)) !== 0n) return undefined;
  const fixed = a.mask | b.mask;
  return wordWith(
    [...constrained(a), ...constrained(b)],
    fixed,
    a.match | b.match,
    (word) => satisfies(a, word) && satisfies(b, word),
  );
}

/** A word of the encoding for which `wrong` holds, which looks at `positions` only. */
export function wordOf(encoding: Encoded, positions: Iterable<number>, wrong: (word: bigint) => boolean): Overlap {
  const { mask, match } = encoding;
  return wordWith(
    [...positions, ...constrained(encoding)],
    mask,
    match,
    (word) => satisfies(encoding, word) && wrong(word),
  );
}

/** A word with `match` under `mask` for which `holds` does; all bits at `positions` are tried, the others are 0. */
function wordWith(positions: Iterable<number>, mask: bigint, match: bigint, holds: (word: bigint) => boolean): Overlap {
  const free = [...new Set(positions)].filter((position) => ((mask >> BigInt(position)) & 1n) === 0n);
  if (free.length > MAX_BITS) return "undecided";
  for (const word of combinations(free, match)) if (holds(word)) return { word };
  return undefined;
}

/** `base` with the bits at `positions` set in all ways. */
export function* combinations(positions: readonly number[], base: bigint): Generator<bigint> {
  for (let choice = 0; choice < 1 << positions.length; choice++) {
    let word = base;
    positions.forEach((position, i) => {
      if ((choice >> i) & 1) word |= 1n << BigInt(position);
    });
    yield word;
  }
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
