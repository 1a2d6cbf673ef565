/** How long instructions are, as their first parcel says. */
import type { Parcels } from "../../../refinement/machine.js";
import { evaluate } from "../../../refinement/terms/evaluate.js";
import type { Term } from "../../../refinement/terms/term.js";
import { type Encoded, MAX_BITS, type Overlap, combinations, wordOf } from "./overlap.js";

/** Width of the term that gives a length. */
export const LENGTH_BITS = 16;

/** The bits of `variable` that a term looks at. */
function bitsUsed(term: Term, variable: Term): readonly number[] {
  const used = new Set<number>();
  const seen = new Set<Term>();
  const mark = (hi: number, lo: number): void => {
    for (let bit = lo; bit <= hi; bit++) used.add(bit);
  };
  const visit = (t: Term): void => {
    if (seen.has(t)) return;
    seen.add(t);
    if (t === variable) mark(variable.sort.kind === "bits" ? variable.sort.width - 1 : 0, 0);
    else if (t.op === "extract" && t.args[0] === variable) mark(t.hi, t.lo);
    else for (const arg of t.args) visit(arg);
  };
  visit(term);
  return [...used];
}

function lengthOf(length: Term, first: Term, word: bigint): number {
  const width = first.sort.kind === "bits" ? first.sort.width : 1;
  return Number(evaluate(length, { variable: () => BigInt.asUintN(width, word) }));
}

/** All values that a length over the parcel `first` takes, ascending; undefined where too many bits decide. */
export function lengthsOf(length: Term, first: Term): readonly number[] | undefined {
  const used = bitsUsed(length, first);
  if (used.length > MAX_BITS) return undefined;
  const found = new Set<number>();
  for (const word of combinations(used, 0n)) found.add(lengthOf(length, first, word));
  return [...found].sort((a, b) => a - b);
}

/** A word of the encoding whose first parcel says another length than the encoding has. */
export function misfit(encoding: Encoded, { first, instructionLength, lengths }: Parcels): Overlap {
  if (lengths.length === 1) return undefined;
  const wrong = (word: bigint): boolean => lengthOf(instructionLength, first, word) !== encoding.length;
  const open = bitsUsed(instructionLength, first).filter((bit) => ((encoding.mask >> BigInt(bit)) & 1n) === 0n);
  if (open.length === 0) return wrong(encoding.match) ? { word: encoding.match } : undefined;
  return wordOf(encoding, open, wrong);
}
