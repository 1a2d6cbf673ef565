import { expect } from "vitest";
import type { Drawn } from "../../../properties/arbitraries/drawn.js";
import { randomAt } from "../../../properties/random.js";

/** What every arbitrary promises: the same seed gives the same value; what is drawn, and what shrinking gives, is well formed; shrinking only ever gets smaller, and ends. */
export function obeysLaws<T>(arbitrary: Drawn<T>, wellFormed: (value: T) => boolean, draws = 60): void {
  for (let seed = 0; seed < draws; seed++) {
    const value = arbitrary.draw(randomAt(seed, 7));
    expect(show(arbitrary.draw(randomAt(seed, 7)))).toBe(show(value));
    expect(wellFormed(value), `${show(value)} is drawn, and not well formed`).toBe(true);
    expect(arbitrary.size(value) >= 0n).toBe(true);
    let current = value;
    for (let steps = 0; ; steps++) {
      expect(steps).toBeLessThan(2000);
      const candidates = sample(arbitrary.smaller(current));
      const size = arbitrary.size(current);
      for (const smaller of candidates) {
        if (arbitrary.size(smaller) >= size) throw new Error(`${show(smaller)} is no smaller than ${show(current)}`);
        if (!wellFormed(smaller)) throw new Error(`${show(smaller)} is not well formed`);
      }
      // Now a bold step, now a timid one.
      const next = steps % 2 === 0 ? candidates[0] : candidates.at(-1);
      if (next === undefined) break;
      current = next;
    }
  }
}

/** The first few candidates, and some of the others. */
function sample<T>(candidates: Iterable<T>): readonly T[] {
  const kept: T[] = [];
  let index = 0;
  for (const candidate of candidates) {
    if (index < 6 || index % 17 === 0) kept.push(candidate);
    if (++index > 200) break;
  }
  return kept;
}

/** Everything that a value holds, as text. */
export function show(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) => {
    if (typeof v === "bigint") return `0x${v.toString(16)}`;
    if (v instanceof Map) return [...v];
    if (typeof v === "object" && v !== null && "written" in v && typeof v.written === "function")
      return [...v.written()];
    return v;
  });
}
