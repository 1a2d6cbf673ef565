import type { Random } from "fast-check";
import { unreachable } from "../../refinement/errors.js";
import type { ScalarType } from "../../refinement/machine.js";
import { pick } from "../random.js";
import { Drawn } from "./drawn.js";

/**
 * Values of a scalar type, mostly from the corners where implementations go wrong: 0, 1, −1, the sign boundary, powers of
 * two and their neighbours, small numbers, numbers that repeat a byte. `pool` are values met elsewhere in the case
 * (addresses, other registers), so that values coincide.
 */
export function values(type: ScalarType, pool: readonly bigint[] = []): Drawn<bigint> {
  switch (type.kind) {
    case "bits":
      return new ValuesArbitrary(type.width, 1n << BigInt(type.width), pool);
    case "bool":
      return new ValuesArbitrary(1, 2n, pool);
    case "enum":
      return new ValuesArbitrary(
        Math.max(1, Math.ceil(Math.log2(type.members.length))),
        BigInt(type.members.length),
        pool,
      );
    default:
      return unreachable(type);
  }
}

/** The extreme values of a width, those of 32 bits included in a wider one: where a pair of operands overflows. */
export function extremes(width: number): readonly bigint[] {
  const sign = 1n << BigInt(width - 1);
  const own = [0n, 1n, 2n * sign - 1n, sign, sign - 1n];
  return width > 32 ? [...own, 2n * sign - 0x8000_0000n, 0x7fff_ffffn, 0xffff_ffffn] : own;
}

class ValuesArbitrary extends Drawn<bigint> {
  private readonly width: number;
  /** Values are below it. */
  private readonly end: bigint;
  private readonly pool: readonly bigint[];

  constructor(width: number, end: bigint, pool: readonly bigint[]) {
    super();
    this.width = width;
    this.end = end;
    this.pool = pool;
  }

  override draw(random: Random): bigint {
    const value = this.raw(random);
    return value < 0n || value >= this.end ? ((value % this.end) + this.end) % this.end : value;
  }

  private raw(random: Random): bigint {
    const { width, end } = this;
    const chance = random.nextInt(0, 99);
    if (chance < 20 && this.pool.length > 0) return pick(random, this.pool) ?? 0n;
    if (width <= 3) return BigInt(random.nextInt(0, Number(end) - 1));
    if (chance < 38) return pick(random, [0n, 0n, 1n, -1n]);
    if (chance < 50) return (1n << BigInt(width - 1)) - BigInt(random.nextInt(0, 2)) + 1n;
    if (chance < 62) {
      const power = 1n << BigInt(random.nextInt(1, width - 1));
      const near = power + BigInt(random.nextInt(-1, 1));
      return random.nextInt(0, 3) === 0 ? -near : near;
    }
    if (chance < 76) return BigInt(random.nextInt(-4, 16));
    if (chance < 82) return repeated(random.nextInt(0, 255), width);
    return random.nextBigInt(0n, end - 1n);
  }

  override *smaller(value: bigint): Iterable<bigint> {
    if (value <= 0n) return;
    const tried = new Set<bigint>([value]);
    for (const candidate of this.candidates(value)) {
      if (candidate < 0n || candidate >= value || tried.has(candidate)) continue;
      tried.add(candidate);
      yield candidate;
    }
  }

  private *candidates(value: bigint): Iterable<bigint> {
    yield 0n;
    yield 1n;
    const length = value.toString(2).length;
    const top = 1n << BigInt(length - 1);
    yield top; // one bit alone says more than many
    yield value - top;
    for (let shift = length >> 1; shift > 0; shift >>= 1) yield value >> BigInt(shift);
    yield value & ~0xfn;
    yield value & ~0x3n;
    yield value - 1n;
  }

  override size(value: bigint): bigint {
    return value;
  }
}

function repeated(byte: number, width: number): bigint {
  let value = 0n;
  for (let at = 0; at < width; at += 8) value |= BigInt(byte) << BigInt(at);
  return value;
}
