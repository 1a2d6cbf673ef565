/**
 * Numbers that a translator computes with. One that it knows is a big integer. Where its answer for every value of a number at once is
 * wanted, the number is open: a term, and whatever is decided of it is decided by whoever asked (paths.ts).
 */
import { add, constant, extract, sext, zext } from "../terms/build.js";
import { type Environment, evaluate } from "../terms/evaluate.js";
import type { Term } from "../terms/term.js";
import { InternalDefect } from "../errors.js";
import type { Range } from "./range.js";

/** Modulo 2^64. */
export type Quantity = bigint | Open;

/** Answers what a translation depends on: always the same for the same condition, and so that all answers can hold together. */
export interface Decisions {
  /** Whether a term of 64 bits, taken as a signed number, lies in a range; which is to say, whether it equals `narrow`. */
  within(term: Term, range: Range, narrow: Term): boolean;
}

/** A number that is not known, of 64 bits. */
export class Open {
  readonly term: Term;
  readonly decisions: Decisions;

  constructor(term: Term, decisions: Decisions) {
    this.term = term;
    this.decisions = decisions;
  }
}

/** What a term of 64 bits stands for. */
export function quantity(term: Term, decisions: Decisions): Quantity {
  return term.op === "const" ? term.value : new Open(term, decisions);
}

export function sum(a: Quantity, b: Quantity): Quantity {
  if (typeof a === "bigint" && typeof b === "bigint") return a + b;
  return quantity(add(termOf(a), termOf(b)), decisionsOf(a, b));
}

/** The low `width` bits, extended by their sign. */
export function signExtended(q: Quantity, width: number): Quantity {
  if (typeof q === "bigint") return BigInt.asIntN(width, q);
  return quantity(sext(extract(q.term, width - 1, 0), 64), q.decisions);
}

/** Whether the number is that of its low `width` bits, extended by their sign. */
export function fitsSigned(q: Quantity, width: number): boolean {
  if (typeof q === "bigint") return BigInt.asIntN(width, q) === BigInt.asIntN(64, q);
  const half = 1n << BigInt(width - 1);
  return q.decisions.within(q.term, { lo: -half, hi: half - 1n }, sext(extract(q.term, width - 1, 0), 64));
}

/** The same, extended by zeros. */
export function fitsUnsigned(q: Quantity, width: number): boolean {
  if (typeof q === "bigint") return BigInt.asUintN(width, q) === BigInt.asUintN(64, q);
  return q.decisions.within(
    q.term,
    { lo: 0n, hi: (1n << BigInt(width)) - 1n },
    zext(extract(q.term, width - 1, 0), 64),
  );
}

export function equals(q: Quantity, value: bigint): boolean {
  if (typeof q === "bigint") return BigInt.asUintN(64, q - value) === 0n;
  const wanted = BigInt.asIntN(64, value);
  return q.decisions.within(q.term, { lo: wanted, hi: wanted }, constant(64, value));
}

export function termOf(q: Quantity): Term {
  return typeof q === "bigint" ? constant(64, BigInt.asUintN(64, q)) : q.term;
}

/** The number in one of the cases that it is open for. */
export function valueIn(q: Quantity, values: Environment): bigint {
  if (typeof q === "bigint") return q;
  const value = evaluate(q.term, values);
  if (typeof value !== "bigint") throw new InternalDefect("a quantity is a number");
  return value;
}

function decisionsOf(a: Quantity, b: Quantity): Decisions {
  if (typeof a !== "bigint") return a.decisions;
  if (typeof b !== "bigint") return b.decisions;
  throw new InternalDefect("neither number is open");
}
