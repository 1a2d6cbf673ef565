/** Numbers for programs, the same at each run. */
import type { Xlen } from "./source.js";

/** splitmix64: small, and the same everywhere. */
export class Random {
  private state: bigint;

  constructor(seed: string) {
    this.state = 0n;
    for (const c of seed) this.state = BigInt.asUintN(64, this.state * 131n + BigInt(c.codePointAt(0) ?? 0));
  }

  bits(): bigint {
    this.state = BigInt.asUintN(64, this.state + 0x9e3779b97f4a7c15n);
    let z = this.state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  }

  below(n: number): number {
    return Number(this.bits() % BigInt(n));
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new RangeError("nothing to pick from");
    return found;
  }

  /** Corners as often as not. */
  word(xlen: Xlen): bigint {
    const corners = [0n, ~0n, 1n, 1n << BigInt(xlen - 1), 0x5555555555555555n, 0xaaaaaaaaaaaaaaaan];
    return BigInt.asUintN(xlen, this.below(2) === 0 ? this.pick(corners) : this.bits());
  }
}

export const hex = (value: bigint): string => `0x${value.toString(16)}`;
