/**
 * Random numbers from a seed and a path of numbers below it: the draw for case 17, start 3 of seed 42 is the same in
 * every run, on every worker and whatever was drawn before.
 */
import { Random } from "fast-check";

/** A 32-bit generator (sfc32, C. Doty-Humphrey's PractRand) in the shape that fast-check's `Random` wraps. */
class Source {
  private a: number;
  private b: number;
  private c: number;
  private counter: number;

  constructor(a: number, b: number, c: number, counter: number) {
    this.a = a;
    this.b = b;
    this.c = c;
    this.counter = counter;
  }

  next(): number {
    const result = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + result) | 0;
    return result;
  }

  clone(): Source {
    return new Source(this.a, this.b, this.c, this.counter);
  }

  getState(): readonly number[] {
    return [this.a, this.b, this.c, this.counter];
  }
}

/** The generator at `path` below `seed`; only the low 32 bits of each number count. */
export function randomAt(seed: number, ...path: readonly number[]): Random {
  let a = seed | 0;
  let b = 0x9e3779b9 | 0;
  for (const step of path) {
    a = mix(a ^ mix(step | 0));
    b = mix((b + a) | 0);
  }
  const source = new Source(a, b, seed | 0, 1);
  // sfc32 needs a dozen rounds until its four words depend on all of the seed.
  for (let i = 0; i < 12; i++) source.next();
  return new Random(source);
}

/** True once in `n` draws. */
export function oneIn(random: Random, n: number): boolean {
  return random.nextInt(1, n) === 1;
}

export function pick<T>(random: Random, items: readonly [T, ...T[]]): T;
export function pick<T>(random: Random, items: readonly T[]): T | undefined;
export function pick<T>(random: Random, items: readonly T[]): T | undefined {
  return items.length === 0 ? undefined : items[random.nextInt(0, items.length - 1)];
}

/** MurmurHash3's finalizer: every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
