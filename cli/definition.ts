/** A definition as its author wrote it, for showing: strings where the notation reads terms. */
import { readFile } from "node:fs/promises";
import { resolve, dirname, basename } from "node:path";
import type { Entry, Project } from "./project.js";

export type Definition = Readonly<Record<string, unknown>>;

/** A file in error shows what can be read of it: `check` says what is wrong. */
export async function readDefinition(file: string): Promise<Definition> {
  const { parseDocument } = await import("yaml");
  const { prepare } = await import("../spec/notation/yaml/signatures.js");
  try {
    const document = parseDocument(prepare(await readFile(file, "utf8")).text, { strict: false, logLevel: "silent" });
    return record(document.toJS({ maxAliasCount: 100 }));
  } catch {
    return {};
  }
}

export function record(value: unknown): Definition {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

/** A scalar as text, without the line ends around it; anything else as "". */
export function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value).trim()
    : "";
}

/** The name of the machine that a refinement calls `reference`, a name or a path relative to the refinement's file. */
export function machineName(project: Project, refinement: Entry, reference: string): string {
  if (!/\.ya?ml$/.test(reference)) return reference;
  const file = resolve(dirname(refinement.file), reference);
  return project.machines.find((m) => m.file === file)?.name ?? basename(reference).replace(/\.ya?ml$/, "");
}
