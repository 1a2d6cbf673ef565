/**
 * A small fast pseudo-random generator (sfc32, C. Doty-Humphrey's PractRand): the same seed gives the same numbers everywhere.
 */
export class Generator {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: number) {
    this.a = seed | 0;
    this.b = Math.floor(seed / 2 ** 32) | 0;
    this.c = 0x9e3779b9;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** 0 … 2^32 − 1 */
  next(): number {
    const t = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + t) | 0;
    return t >>> 0;
  }

  /** 0 … n − 1, for n ≤ 2^32 */
  below(n: number): number {
    return Math.floor((this.next() / 2 ** 32) * n);
  }

  /** Whether a thing of probability `p` happens. */
  chance(p: number): boolean {
    return this.next() < p * 2 ** 32;
  }

  /** Any number of `width` bits. */
  bits(width: number): bigint {
    if (width <= 32) return BigInt(this.next() >>> (32 - width));
    let value = 0n;
    for (let filled = 0; filled < width; filled += 32) value = (value << 32n) | BigInt(this.next());
    return BigInt.asUintN(width, value);
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }

  /** A new array with the items in random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    const result: T[] = [];
    while (left.length > 0) result.push(...left.splice(this.below(left.length), 1));
    return result;
  }
}
