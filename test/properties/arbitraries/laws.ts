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
      let last: T | undefined;
      for (const smaller of arbitrary.smaller(current)) {
        expect(arbitrary.size(smaller) < arbitrary.size(current), `${show(smaller)} is no smaller than ${show(current)}`).toBe(true);
        expect(wellFormed(smaller), `${show(smaller)} is not well formed`).toBe(true);
        last = smaller;
        // The timid end of the candidates makes for the longest way down: take it now and then only.
        if (steps % 3 !== 0) break;
      }
      if (last === undefined) break;
      current = last;
    }
  }
}

/** Everything that a value holds, as text. */
export function show(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) => {
    if (typeof v === "bigint") return `0x${v.toString(16)}`;
    if (v instanceof Map) return [...v];
    if (typeof v === "object" && v !== null && "written" in v && typeof v.written === "function") return [...v.written()];
    return v;
  });
}
