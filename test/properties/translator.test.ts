/** Translators by test: what is right is found right, by runs that get somewhere; what is wrong is found, made small, and replays. */
import path from "node:path";
import { describe, expect, test } from "vitest";
import { testTranslator } from "../../properties/translator.js";
import type { Counterexample } from "../../refinement/counterexample.js";
import type { TranslatorRefinement } from "../../refinement/refinement.js";
import { replay } from "../../refinement/replay.js";
import { loadRefinement } from "../../spec/notation/index.js";

const right = await loaded();

async function loaded(): Promise<TranslatorRefinement> {
  const refinement = await loadRefinement(path.resolve("impl/translator/refinement.yaml"));
  if (refinement.form !== "translator") throw new Error("it is no translator");
  return refinement;
}

async function tested(refinement: TranslatorRefinement, cases: number, seed: number) {
  const options = { cases, seed, date: "2026-11-27", signal: undefined, onProgress: undefined };
  const results = await testTranslator(refinement, options);
  if ("missing" in results) throw new Error("the translator is missing");
  return results;
}

test("ours holds on random blocks and programs, which leave by exits and in faults", { timeout: 120_000 }, async () => {
  const results = await tested(right, 16, 7);
  expect(results.map(({ name, verdict }) => [name, verdict.verdict])).toEqual([
    ["lockstep/*", "tested"],
    ["commute/*", "tested"],
    ["materialize/*", "tested"],
  ]);
  const numbers = (text = ""): readonly number[] => (text.match(/\d+/g) ?? []).map(Number);
  const [steps = 0] = numbers(results[0]?.coverage);
  const [left = 0, faulted = 0] = numbers(results[1]?.coverage);
  expect(steps).toBeGreaterThan(10);
  expect(left).toBeGreaterThan(10);
  expect(faulted).toBeGreaterThan(5);
});

describe("a fault is found, small, and replays", () => {
  const faults: Readonly<Record<string, RegExp>> = {
    "word-zero-extended": /^(commute|materialize|lockstep)\//,
    "load-before-write-back": /^materialize\//,
  };
  for (const [fault, obligation] of Object.entries(faults)) {
    test(fault, { timeout: 120_000 }, async () => {
      const planted = { ...right, fault };
      const found = (await tested(planted, 24, 42)).flatMap(({ verdict }): readonly Counterexample[] =>
        verdict.verdict === "refuted" ? [verdict.counterexample] : [],
      );
      expect(found).not.toEqual([]);
      const [first] = found;
      if (first === undefined) return;
      expect(first.obligation).toMatch(obligation);
      expect(Math.min(...found.map((c) => c.guest?.assembly.length ?? 99))).toBeLessThanOrEqual(4);
      for (const c of found) {
        expect(await replay(planted, c, {})).toMatchObject({ got: "refuted", ok: true });
        expect(await replay(right, c, {})).toMatchObject({ got: "holds" });
      }
    });
  }
});
