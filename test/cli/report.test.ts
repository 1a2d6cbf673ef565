import pc from "picocolors";
import { expect, test } from "vitest";
import { renderRefinement } from "../../cli/report.js";
import type { ObligationReport } from "../../refinement/campaign/report.js";

/** The lines of the report that name what was refuted, and the one that counts it. */
function refuted(count: number, known = 0, undecided = 0): readonly string[] {
  const obligations = Array.from({ length: count }, (_, i): ObligationReport => {
    const counterexample = `found/vm/commute-i${i}-1.yaml`;
    const findings = { known: { findings: ["ctzw", "clzw"], see: "docs/findings.md" } };
    const told = i < known ? findings : i < known + undecided ? { known: "undecided" as const } : {};
    return { name: `commute/i${i}`, verdict: "refuted", method: "prove", by: "random", ms: 1, counterexample, ...told };
  });
  const report = { name: "vm", title: "A VM", kind: "example", file: "vm.yaml", assumptions: [] };
  return renderRefinement({ ...report, verdict: "refuted", obligations }, pc.createColors(false))
    .map((line) => line.trim())
    .filter((line) => line.startsWith("refuted"));
}

test("a few counterexamples are named with the file of each", () => {
  expect(refuted(2)).toEqual([
    "refuted commute/i0 (prove, random) → found/vm/commute-i0-1.yaml",
    "refuted commute/i1 (prove, random) → found/vm/commute-i1-1.yaml",
    "refuted: 2 refuted",
  ]);
});

test("many fit on one line, with their folder", () => {
  expect(refuted(50)).toEqual([
    `refuted ${[0, 1, 2, 3, 4, 5].map((i) => `commute/i${i}`).join(", ")} and 44 more (prove, random) → 50 files in found/vm`,
    "refuted: 50 refuted",
  ]);
});

test("what known findings explain is told apart from what is new", () => {
  expect(refuted(3, 1, 1)).toEqual([
    "refuted commute/i0 (prove, random), known: ctzw and clzw, docs/findings.md → found/vm/commute-i0-1.yaml",
    "refuted commute/i1 (prove, random), not decided whether a known finding explains it → found/vm/commute-i1-1.yaml",
    "refuted commute/i2 (prove, random) → found/vm/commute-i2-1.yaml",
    "refuted: 3 refuted (1 known, 1 not decided)",
  ]);
});
