import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UserError } from "../../../refinement/errors.js";
import type { ScalarType } from "../../../refinement/machine.js";
import { formatValue, parseScalar } from "../../../spec/notation/index.js";

const phase: ScalarType = { kind: "enum", name: "Phase", members: ["fetch", "decode", "execute"] };
const word: ScalarType = { kind: "bits", width: 32 };

describe("values as text", () => {
  test("what is written is read", () => {
    const type = fc.oneof(
      fc.integer({ min: 1, max: 200 }).map((width): ScalarType => ({ kind: "bits", width })),
      fc.constant<ScalarType>({ kind: "bool" }),
      fc.constant(phase),
    );
    const pair = type.chain((t) => {
      const limit = t.kind === "bits" ? 1n << BigInt(t.width) : t.kind === "bool" ? 2n : BigInt(t.members.length);
      return fc.tuple(fc.constant(t), fc.bigInt(0n, limit - 1n));
    });
    fc.assert(
      fc.property(pair, ([t, value]) => {
        expect(parseScalar(t, formatValue(t, value))).toBe(value);
      }),
      { seed: 6 },
    );
  });

  test.each([
    [word, 9n, "9"],
    [word, 10n, "0xa"],
    [{ kind: "bool" } as const, 1n, "true"],
    [phase, 2n, "execute"],
    [phase, 3n, "0x3"],
  ])("%o %s is written %s", (type, value, text) => expect(formatValue(type, value)).toBe(text));

  test.each([
    [word, "-1", 0xffffffffn],
    [word, 12, 12n],
    [word, "0b101", 5n],
    [word, "32'hFF", 255n],
    [word, "1_000", 1000n],
    [phase, "Phase.decode", 1n],
    [phase, 1, 1n],
    [{ kind: "bool" } as const, true, 1n],
  ])("%o reads %s", (type, text, value) => expect(parseScalar(type, text)).toBe(value));

  test.each([
    [word, "0x100000000"],
    [word, "-0x80000001"],
    [word, "twelve"],
    [word, ""],
    [word, "0b12"],
    [word, 1.5],
    [phase, "decod"],
    [phase, 3],
    [{ kind: "bool" } as const, "2"],
  ])("%o refuses %s", (type, text) => expect(() => parseScalar(type, text)).toThrow(UserError));
});
