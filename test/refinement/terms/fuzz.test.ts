import { expect, test } from "vitest";
import { rewritingOverruns } from "../../../refinement/terms/construct.js";
import { Evaluator } from "../../../refinement/terms/evaluate.js";
import { print } from "../../../refinement/terms/print.js";
import { BOOL, bits, file, memory, type Sort } from "../../../refinement/terms/sort.js";
import { valueEquals } from "../../../refinement/terms/value.js";
import { type Profile, Random, randomEnvironment, TermGenerator } from "./random.js";

const PROFILES: readonly (readonly [string, Profile, number])[] = [
  ["tiny widths", { widths: [1, 2, 3, 4], memories: false }, 6000],
  ["small widths", { widths: [1, 3, 5, 8], memories: true }, 5000],
  ["machine widths", { widths: [8, 16, 32, 64], memories: true }, 3000],
];

function sorts(profile: Profile, random: Random): readonly Sort[] {
  const scalar: Sort[] = [BOOL, bits(random.pick(profile.widths)), bits(random.pick(profile.widths))];
  return profile.memories ? [...scalar, memory(3), file(4, random.pick(profile.widths))] : scalar;
}

for (const [name, profile, cases] of PROFILES) {
  test(`the normal form of a random term means what the plain term means: ${name}`, { timeout: 120_000 }, () => {
    for (let seed = 0; seed < cases; seed++) {
      const random = new Random(seed * 31 + profile.widths.length);
      const generator = new TermGenerator(random, profile);
      const { raw, built } = generator.term(random.pick(sorts(profile, random)), 1 + random.below(6));
      for (let i = 0; i < 6; i++) {
        const evaluator = new Evaluator(randomEnvironment(random));
        const expected = evaluator.value(raw);
        const got = evaluator.value(built);
        if (!valueEquals(expected, got))
          expect.fail(`seed ${seed}: ${print(raw)}\nbecame ${print(built)}\n${String(expected)} became ${String(got)}`);
      }
    }
  });
}

test("no two rules undo each other", () => {
  expect(rewritingOverruns()).toBe(0);
});
