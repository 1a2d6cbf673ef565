/** The report's ingredients, read from the project. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { discover, find } from "../cli/project.js";
import { packageRoot } from "../cli/package.js";
import { loadMachine } from "../spec/notation/index.js";
import { gaps } from "./completeness.js";
import { readEvidence, readExamined, readFindings, readPlan, type Plan, type Source } from "./files.js";
import { findingsPage } from "./findings-page.js";
import { type Findings, type Part, render } from "./render.js";

const root = packageRoot();
export const EVIDENCE = path.join(root, "validation", "evidence.json");
export const REPORT = path.join(root, "docs", "validation.md");

export const plan = (): Promise<Plan> => readPlan(path.join(root, "validation", "plan.yaml"));
export const evidence = (): Promise<readonly Source[]> => readEvidence(EVIDENCE);

/** The report, and what is missing in it. */
export async function report(
  { chapters }: Plan,
  sources: readonly Source[],
): Promise<{ readonly text: string; readonly gaps: readonly string[] }> {
  const project = await discover(root);
  const parts: Part[] = [];
  for (const chapter of chapters) {
    const files = await Promise.all(chapter.machines.map(async (name) => (await find(project, "machine", name)).file));
    parts.push({ chapter, machines: await Promise.all(files.map((file) => loadMachine(file))) });
  }
  return {
    text: render(parts, sources, await findings()),
    gaps: parts.flatMap(({ chapter, machines }) => gaps(chapter, machines, sources)),
  };
}

export const FINDINGS = path.join(root, "docs", "findings.md");

/** docs/findings.md. */
export async function examined(): Promise<string> {
  return findingsPage(await readExamined(path.join(root, "impl", "qemu", "findings.yaml")));
}

async function findings(): Promise<readonly Findings[]> {
  const folders = (await readdir(path.join(root, "impl"))).sort();
  const found = await Promise.all(
    folders.map(async (name): Promise<readonly Findings[]> => {
      const names = await readdir(path.join(root, "impl", name));
      if (!names.includes("findings.yaml")) return [];
      return [{ folder: `impl/${name}`, findings: await readFindings(path.join(root, "impl", name, "findings.yaml")) }];
    }),
  );
  return found.flat();
}
