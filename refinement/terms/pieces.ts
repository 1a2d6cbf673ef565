/**
 * Bit vectors seen as sequences of pieces, high part first: the arguments of a `concat`, the zeros of a `zext`, the sign
 * copies that `sext` leaves in front of a `concat`. Rules that cut and fuse work on these.
 */
import { argument, constant, extract, widthOf } from "./construct.js";
import type { Term } from "./term.js";

/** The pieces of `t`, high first; `t` alone where it has no visible structure. */
export function piecesOf(t: Term): readonly Term[] {
  if (t.op === "concat") return t.args;
  if (t.op === "zext") {
    const inner = argument(t, 0);
    return [constant(widthOf(t) - widthOf(inner), 0n), ...piecesOf(inner)];
  }
  return [t];
}

/** Whether `t` is made of several pieces. A constant is not: it can be cut anywhere. */
export function isPieced(t: Term): boolean {
  return t.op === "concat" || t.op === "zext";
}

/** The top bit. */
export function signBit(t: Term): Term {
  const top = widthOf(t) - 1;
  return extract(t, top, top);
}

/** Positions (other than 0) at which one of the terms has a piece begin, ascending, the width last. */
export function cuts(ts: readonly Term[]): readonly number[] {
  const found = new Set<number>();
  for (const t of ts) {
    let at = 0;
    const pieces = piecesOf(t);
    for (let i = pieces.length - 1; i >= 0; i--) {
      const piece = pieces[i];
      if (piece === undefined) continue;
      at += widthOf(piece);
      found.add(at);
    }
  }
  return [...found].sort((a, b) => a - b);
}

/** How many low bits determine `t` by sign extension: `t == sext(t[n−1:0])`. */
export function signedWidth(t: Term): number {
  const width = widthOf(t);
  switch (t.op) {
    case "const": {
      const signed = BigInt.asIntN(width, t.value);
      const magnitude = signed < 0n ? ~signed : signed;
      return magnitude === 0n ? 1 : magnitude.toString(2).length + 1;
    }
    case "sext":
      return widthOf(argument(t, 0));
    case "zext":
      return widthOf(argument(t, 0)) + 1;
    case "concat": {
      const first = argument(t, 0);
      return width - widthOf(first) + signedWidth(first);
    }
    case "ite":
      return constantBranches(t) ? Math.max(signedWidth(argument(t, 1)), signedWidth(argument(t, 2))) : width;
    default:
      return width;
  }
}

/** How many low bits determine `t` by zero extension: the bits above are 0. At least 1. */
export function unsignedWidth(t: Term): number {
  switch (t.op) {
    case "const":
      return t.value === 0n ? 1 : t.value.toString(2).length;
    case "zext":
      return unsignedWidth(argument(t, 0));
    case "concat": {
      const first = argument(t, 0);
      return widthOf(t) - widthOf(first) + (first.op === "const" ? unsignedWidth(first) : widthOf(first));
    }
    case "ite":
      return constantBranches(t) ? Math.max(unsignedWidth(argument(t, 1)), unsignedWidth(argument(t, 2))) : widthOf(t);
    default:
      return widthOf(t);
  }
}

/** An `ite` between two constants: operators on it and constants are pushed in. */
export function constantBranches(t: Term): boolean {
  return t.op === "ite" && t.args[1]?.op === "const" && t.args[2]?.op === "const";
}

/** `t` widened to `width` where only its own bits matter: the wider term it was sliced from, if there is one. */
export function widenLow(t: Term, width: number, extend: (t: Term, width: number) => Term): Term {
  if (t.op === "extract" && t.lo === 0) {
    const whole = argument(t, 0);
    if (widthOf(whole) >= width) return extract(whole, width - 1, 0);
  }
  return extend(t, width);
}
