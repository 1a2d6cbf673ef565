/** Which values a term can have where it is known to lie in some ranges and not in others. */
import { constant, sub } from "../terms/build.js";
import { Linear } from "../terms/linear.js";
import type { Term } from "../terms/term.js";
import { type Range, rangeOf } from "./range.js";

/** Terms that differ by a constant are known together. */
export class Intervals {
  /** By term without its constant: its possible values, unsigned, as ranges that do not overlap. */
  private readonly possible = new Map<Term, readonly Range[]>();

  /** Whether `t`, signed, lies in the range; undefined where it may or may not. */
  decided(t: Term, range: Range): boolean | undefined {
    const { values, wanted } = this.look(t, range);
    const inside = meet(values, wanted);
    if (inside.length === 0) return false;
    return meet(values, complement(wanted, t)).length === 0 ? true : undefined;
  }

  /** A term and the ranges, unsigned, that it lies in. */
  get known(): readonly (readonly [Term, readonly Range[]])[] {
    return [...this.possible];
  }

  copy(): Intervals {
    const copied = new Intervals();
    for (const [t, ranges] of this.possible) copied.possible.set(t, ranges);
    return copied;
  }

  learn(t: Term, range: Range, holds: boolean): void {
    const { base, values, wanted } = this.look(t, range);
    this.possible.set(base, meet(values, holds ? wanted : complement(wanted, t)));
  }

  private look(t: Term, range: Range): { base: Term; values: readonly Range[]; wanted: readonly Range[] } {
    const width = widthOf(t);
    const offset = Linear.of(t).constant;
    const base = sub(t, constant(width, offset));
    const values = this.possible.get(base) ?? unsigned(rangeOf(base), 0n, width);
    return { base, values, wanted: unsigned(range, offset, width) };
  }
}

/** A signed range, less `offset`, as unsigned ones. */
function unsigned({ lo, hi }: Range, offset: bigint, width: number): readonly Range[] {
  const space = 1n << BigInt(width);
  if (hi - lo >= space - 1n) return [{ lo: 0n, hi: space - 1n }];
  const [from, to] = [BigInt.asUintN(width, lo - offset), BigInt.asUintN(width, hi - offset)];
  return from <= to
    ? [{ lo: from, hi: to }]
    : [
        { lo: 0n, hi: to },
        { lo: from, hi: space - 1n },
      ];
}

/** In order. */
function complement(ranges: readonly Range[], t: Term): readonly Range[] {
  const found: Range[] = [];
  let from = 0n;
  for (const { lo, hi } of ranges) {
    if (lo > from) found.push({ lo: from, hi: lo - 1n });
    from = hi + 1n;
  }
  const end = (1n << BigInt(widthOf(t))) - 1n;
  return from > end ? found : [...found, { lo: from, hi: end }];
}

function meet(a: readonly Range[], b: readonly Range[]): readonly Range[] {
  return a.flatMap((x) =>
    b.flatMap((y) => {
      const [lo, hi] = [x.lo > y.lo ? x.lo : y.lo, x.hi < y.hi ? x.hi : y.hi];
      return lo <= hi ? [{ lo, hi }] : [];
    }),
  );
}

function widthOf(t: Term): number {
  return t.sort.kind === "bits" ? t.sort.width : 1;
}
