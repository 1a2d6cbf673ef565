import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { values } from "../../../properties/arbitraries/values.js";
import { randomAt } from "../../../properties/random.js";
import type { ScalarType } from "../../../refinement/machine.js";
import { obeysLaws } from "./laws.js";

const types: readonly (readonly [string, ScalarType, bigint])[] = [
  ...[1, 2, 3, 4, 8, 12, 32, 64, 128].map(
    (width) => [`bits(${width})`, { kind: "bits", width }, 1n << BigInt(width)] as const,
  ),
  ["bool", { kind: "bool" }, 2n],
  ["enum of 5", { kind: "enum", name: "", members: ["a", "b", "c", "d", "e"] }, 5n],
  ["enum of 1", { kind: "enum", name: "", members: ["a"] }, 1n],
];

describe("values", () => {
  test.each(types)("%s obeys the laws", (_, type, end) => {
    obeysLaws(values(type, [3n, end + 5n, -1n]), (v) => v >= 0n && v < end, 200);
  });

  test("corners are drawn often, and so is the pool", () => {
    const drawn = Array.from({ length: 2000 }, (_, i) =>
      values({ kind: "bits", width: 64 }, [0x1234_5678n]).draw(randomAt(i)),
    );
    for (const corner of [0n, 1n, (1n << 64n) - 1n, 1n << 63n, (1n << 63n) - 1n, 0x1234_5678n]) {
      expect(drawn.filter((v) => v === corner).length, `0x${corner.toString(16)}`).toBeGreaterThan(20);
    }
    expect(new Set(drawn).size).toBeGreaterThan(400);
  });

  test("fast-check draws, reproduces and shrinks them", () => {
    const property = fc.property(values({ kind: "bits", width: 32 }), (v) => v < 1000n);
    const first = fc.check(property, { seed: 1 });
    expect(first.failed).toBe(true);
    expect(fc.check(property, { seed: 1 })).toMatchObject({ counterexample: first.counterexample });
    expect(first.counterexample).toEqual([1000n]);
  });
});
