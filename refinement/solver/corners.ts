/**
 * Draws the values with which things go wrong: zeros, ones, sign boundaries, powers of two, the constants of the question
 * and their neighbours, and what other variables already hold, so that registers and addresses coincide or nearly do.
 */
import { maskOf } from "../terms/operators.js";
import type { Term } from "../terms/term.js";
import type { Generator } from "./generator.js";

/** How many earlier values of a width are remembered. */
const RECENT = 12;

export class Corners {
  private readonly generator: Generator;
  private readonly constants: ReadonlyMap<number, readonly bigint[]>;
  private readonly recent = new Map<number, bigint[]>();

  constructor(generator: Generator, constants: ReadonlyMap<number, readonly bigint[]>) {
    this.generator = generator;
    this.constants = constants;
  }

  /** Forgets what was drawn: a new try begins. */
  reset(): void {
    this.recent.clear();
  }

  draw(width: number): bigint {
    const value = BigInt.asUintN(width, this.choose(width));
    this.remember(width, value);
    return value;
  }

  /** A value that was given to a variable of this width, so that others may take the same. */
  remember(width: number, value: bigint): void {
    const values = this.recent.get(width);
    if (values === undefined) this.recent.set(width, [value]);
    else if (values.length < RECENT) values.push(value);
    else values[this.generator.below(RECENT)] = value;
  }

  private choose(width: number): bigint {
    const g = this.generator;
    if (width === 1) return g.bits(1);
    const kind = g.below(16);
    if (kind < 4) {
      const constant = g.pick(this.constants.get(width) ?? []);
      if (constant !== undefined) return constant + BigInt(g.below(3) - 1);
    } else if (kind < 8) {
      const earlier = g.pick(this.recent.get(width) ?? []);
      if (earlier !== undefined) return kind < 6 ? earlier : earlier + BigInt(g.below(33) - 16);
    } else if (kind < 12) {
      return this.corner(width);
    }
    return this.scattered(width);
  }

  private corner(width: number): bigint {
    const g = this.generator;
    switch (g.below(8)) {
      case 0:
        return 0n;
      case 1:
        return 1n;
      case 2:
        return -1n;
      case 3:
        return 1n << BigInt(width - 1);
      case 4:
        return maskOf(width) >> 1n;
      case 5:
        return 1n << BigInt(g.below(width));
      case 6:
        return maskOf(g.below(width));
      default:
        return BigInt(g.below(17));
    }
  }

  private scattered(width: number): bigint {
    const g = this.generator;
    const value = g.bits(width);
    switch (g.below(4)) {
      case 0:
        return value & g.bits(width);
      case 1:
        return value | g.bits(width);
      default:
        return value;
    }
  }
}

/** The constants in terms, by width; those that the comparison of parts of a wider value implies are found there, too. */
export function constantsIn(terms: Iterable<Term>): ReadonlyMap<number, readonly bigint[]> {
  const found = new Map<number, Set<bigint>>();
  for (const t of terms) {
    if (t.op !== "const" || t.sort.kind !== "bits") continue;
    const values = found.get(t.sort.width) ?? new Set<bigint>();
    values.add(t.value);
    found.set(t.sort.width, values);
  }
  return new Map([...found].map(([width, values]) => [width, [...values]]));
}
