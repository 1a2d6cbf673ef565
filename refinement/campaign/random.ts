/** Reproducible random numbers: mulberry32 (T. Ettinger), good enough to stir states with. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** 32 bits. */
  private next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    return mix(this.state);
  }

  /** An integer from 0 to `n` − 1; 0 where `n` is 0. */
  below(n: number): number {
    return n === 0 ? 0 : this.next() % n;
  }

  bits(width: number): bigint {
    let value = 0n;
    for (let filled = 0; filled < width; filled += 32) value = (value << 32n) | BigInt(this.next());
    return BigInt.asUintN(width, value);
  }

  /** Often small, all ones, or at the sign boundary; now and then anything. */
  corner(width: number): bigint {
    switch (this.below(6)) {
      case 0:
        return 0n;
      case 1:
        return BigInt.asUintN(width, BigInt(this.below(8)));
      case 2:
        return BigInt.asUintN(width, -1n - BigInt(this.below(4)));
      case 3:
        return BigInt.asUintN(width, (1n << BigInt(width - 1)) - BigInt(this.below(2)));
      default:
        return this.bits(width);
    }
  }
}

/** A well-mixed 32-bit number for a number. */
export function mix(value: number): number {
  let t = value | 0;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return (t ^ (t >>> 14)) >>> 0;
}
