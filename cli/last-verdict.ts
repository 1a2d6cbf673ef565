/** The verdict that the last whole check of a refinement gave, kept beside the cache for `list`. */
import { createHash, randomUUID } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../refinement/make-folder.js";
import type { Summary } from "../refinement/verdict.js";
import type { Project } from "./project.js";

const SUMMARIES: readonly Summary[] = ["holds", "refuted", "inconclusive"];

function place(project: Project, file: string): string {
  return join(project.cache, "last", `${createHash("sha256").update(file).digest("hex").slice(0, 32)}.json`);
}

/** Null where it was never checked, or what was kept cannot be read. */
export async function lastVerdict(project: Project, file: string): Promise<Summary | null> {
  try {
    const kept: unknown = JSON.parse(await readFile(place(project, file), "utf8"));
    return SUMMARIES.find((s) => s === kept) ?? null;
  } catch {
    return null;
  }
}

/** Written whole or not at all; a cache that cannot be written only forgets. */
export async function keepVerdict(project: Project, file: string, verdict: Summary): Promise<void> {
  const target = place(project, file);
  const draft = `${target}.${randomUUID()}`;
  try {
    await makeFolder(join(project.cache, "last"));
    await writeFile(draft, JSON.stringify(verdict));
    await rename(draft, target);
  } catch {
    return;
  }
}
