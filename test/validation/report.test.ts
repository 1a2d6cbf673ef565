/** docs/validation.md is what the evidence says, it is complete, and it would not be called complete if it were not. */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { discover } from "../../cli/project.js";
import { packageRoot } from "../../cli/package.js";
import { loadMachine } from "../../spec/notation/index.js";
import { evidence, examined, FINDINGS, plan, REPORT, report } from "../../validation/report.js";
import { instructionsOf } from "../../validation/completeness.js";

test("docs/findings.md is written from the findings as they are (else: npm run validate)", async () => {
  expect(await readFile(FINDINGS, "utf8")).toBe(await examined());
});

describe("docs/validation.md", async () => {
  const whole = await plan();
  const sources = await evidence();
  const { text, gaps } = await report(whole, sources);

  test("is rendered from the evidence, the plan and the findings as they are (else: npm run validate)", async () => {
    expect(await readFile(REPORT, "utf8")).toBe(text);
  });

  test("lacks nothing", () => {
    expect(gaps).toEqual([]);
  });

  test("is about every machine of spec/ that somebody else's could be run beside", async () => {
    const { machines } = await discover(packageRoot());
    const listed = new Set(whole.chapters.flatMap((chapter) => [...chapter.machines]));
    const ours = ["tiny"];
    const unlisted: string[] = [];
    for (const { name, file } of machines) {
      if (!file.includes("/spec/") || listed.has(name) || ours.includes(name)) continue;
      if (instructionsOf(await loadMachine(file)).length > 0) unlisted.push(name);
    }
    expect(unlisted).toEqual([]);
  });

  test("would lack an instruction that nothing was run beside", async () => {
    const source = sources.find((s) => s.aspect === "semantics" && Object.keys(s.cases).length > 1);
    const instruction = Object.keys(source?.cases ?? {})[0] ?? "";
    const without = sources.map((s) =>
      s.aspect === "semantics" ? { ...s, cases: { ...s.cases, [instruction]: 0 } } : s,
    );
    const found = await report(whole, without);
    expect(found.gaps.some((gap) => gap.endsWith(`nothing validates the semantics of ${instruction}`))).toBe(true);
    expect(found.text).toContain("**nothing**");
  });

  test("takes no exception for what is validated, nor for what does not exist", async () => {
    const [first, ...rest] = whole.chapters;
    if (first === undefined) throw new Error("there is no chapter");
    const source = sources.find((s) => s.aspect === "semantics" && first.machines.includes(s.machine));
    const validated = Object.keys(source?.cases ?? {}).slice(0, 1);
    const exceptions = [
      ...first.exceptions,
      { instructions: [...validated, "frobnicate"], aspect: "semantics" as const, reason: "none" },
    ];
    const found = await report({ chapters: [{ ...first, exceptions }, ...rest] }, sources);
    expect(found.gaps).toHaveLength(2);
  });
});
