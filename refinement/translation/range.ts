/** Between which bounds the value of a term lies, as far as its shape tells: sums of extended fields and constants. */
import type { Term } from "../terms/term.js";

/** Signed: lo ≤ value ≤ hi. */
export interface Range {
  readonly lo: bigint;
  readonly hi: bigint;
}

/** Of a term of bits, taken as a signed number. */
export function rangeOf(t: Term): Range {
  const width = widthOf(t);
  const whole = signedRange(width);
  const range = shapeRange(t, width);
  // Beyond that the value wraps, and nothing is known.
  return range === undefined || range.lo < whole.lo || range.hi > whole.hi ? whole : range;
}

function shapeRange(t: Term, width: number): Range | undefined {
  const [first, ...rest] = t.args;
  if (t.op === "const") return { lo: BigInt.asIntN(width, t.value), hi: BigInt.asIntN(width, t.value) };
  if (first === undefined) return undefined;
  switch (t.op) {
    case "add":
      return t.args.map(rangeOf).reduce((a, b) => ({ lo: a.lo + b.lo, hi: a.hi + b.hi }));
    case "zext":
      return unsignedRange(first);
    case "sext":
      return rangeOf(first);
    case "concat": {
      // high ++ low is high · 2^n + low; zeros on top leave the rest unsigned.
      let range = first.op === "const" && first.value === 0n ? { lo: 0n, hi: 0n } : rangeOf(first);
      for (const part of rest) {
        const factor = 1n << BigInt(widthOf(part));
        const { lo, hi } = unsignedRange(part);
        range = { lo: range.lo * factor + lo, hi: range.hi * factor + hi };
      }
      return range;
    }
    default:
      return undefined;
  }
}

function unsignedRange(t: Term): Range {
  if (t.op === "const") return { lo: t.value, hi: t.value };
  if (t.op === "concat") {
    return t.args.reduce(
      (range, part) => {
        const factor = 1n << BigInt(widthOf(part));
        const { lo, hi } = unsignedRange(part);
        return { lo: range.lo * factor + lo, hi: range.hi * factor + hi };
      },
      { lo: 0n, hi: 0n },
    );
  }
  return { lo: 0n, hi: (1n << BigInt(widthOf(t))) - 1n };
}

function signedRange(width: number): Range {
  const half = 1n << BigInt(width - 1);
  return { lo: -half, hi: half - 1n };
}

function widthOf(t: Term): number {
  return t.sort.kind === "bits" ? t.sort.width : 0;
}
