/** What follows for a condition from the range of one address: enough for "no address in here faults". */
import type { Term } from "../terms/term.js";
import { neg } from "../terms/build.js";
import { constantDifference } from "../terms/linear.js";

/** lo ≤ address ≤ hi, unsigned, without wrapping. */
export interface AddressRange {
  readonly address: Term;
  readonly lo: bigint;
  readonly hi: bigint;
}

/** Whether `condition` is false wherever `range` holds. `false` says nothing. */
export function neverIn(condition: Term, range: AddressRange): boolean {
  return decided(condition, range) === false;
}

/** The truth of the condition in the whole range, if it has one there. */
function decided(t: Term, range: AddressRange): boolean | undefined {
  const [a, b] = t.args;
  switch (t.op) {
    case "const":
      return t.sort.kind === "bool" ? t.value === 1n : undefined;
    case "not": {
      const inner = a === undefined ? undefined : decided(a, range);
      return inner === undefined ? undefined : !inner;
    }
    case "and":
    case "or": {
      const settling = t.op === "or";
      const parts = t.args.map((arg) => decided(arg, range));
      if (parts.includes(settling)) return settling;
      return parts.includes(undefined) ? undefined : !settling;
    }
    case "eq":
    case "ult":
    case "ule": {
      const [x, y] = [a, b].map((arg) => (arg === undefined ? undefined : spanOf(arg, range)));
      if (x === undefined || y === undefined) return undefined;
      if (t.op === "eq") return x.hi < y.lo || y.hi < x.lo ? false : x.lo === y.hi && x.hi === y.lo ? true : undefined;
      if (t.op === "ult") return x.hi < y.lo ? true : x.lo >= y.hi ? false : undefined;
      return x.hi <= y.lo ? true : x.lo > y.hi ? false : undefined;
    }
    default:
      return undefined;
  }
}

/** The least and the greatest value, where these do not wrap. */
function spanOf(t: Term, range: AddressRange): { readonly lo: bigint; readonly hi: bigint } | undefined {
  const { address, lo, hi } = range;
  if (t.op === "const") return { lo: t.value, hi: t.value };
  const [inner] = t.args;
  if (t.op === "extract" && inner?.sort.kind === "bits" && t.hi === inner.sort.width - 1) {
    const span = spanOf(inner, range);
    return span === undefined ? undefined : { lo: span.lo >> BigInt(t.lo), hi: span.hi >> BigInt(t.lo) };
  }
  if (t.sort !== address.sort || t.sort.kind !== "bits") return undefined;
  const space = 1n << BigInt(t.sort.width);
  const within = (from: bigint, to: bigint): { readonly lo: bigint; readonly hi: bigint } | undefined =>
    from / space === to / space ? { lo: from % space, hi: to % space } : undefined;
  const distance = constantDifference(t, address);
  if (distance !== undefined) return within(lo + distance, hi + distance);
  // A comparison may be written with both sides negated: t is some number less the address.
  const sum = constantDifference(t, neg(address));
  return sum === undefined ? undefined : within(sum + space - hi, sum + space - lo);
}
