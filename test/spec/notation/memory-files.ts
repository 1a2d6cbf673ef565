/** Files in memory, for machines and refinements that a test writes down. */
import type { Diagnostic } from "../../../refinement/errors.js";
import { UserError } from "../../../refinement/errors.js";
import type { Machine } from "../../../refinement/machine.js";
import type { Refinement } from "../../../refinement/refinement.js";
import { type Files, loadMachine, loadRefinement } from "../../../spec/notation/index.js";

export function memoryFiles(files: Readonly<Record<string, string>>): Files {
  return {
    builtIn: undefined,
    read: async (path) => {
      const text = files[path];
      return text === undefined ? { problem: "there is no such file" } : { text };
    },
    exists: async (path) => path in files,
    list: async (directory) => {
      const names = new Set<string>();
      const folder = directory.replace(/^\//, "");
      const prefix = folder === "." || folder === "" ? "" : `${folder}/`;
      for (const path of Object.keys(files)) {
        if (!path.startsWith(prefix)) continue;
        const [head, ...more] = path.slice(prefix.length).split("/");
        if (head !== undefined) names.add(more.length > 0 ? `${head}/` : head);
      }
      return [...names].sort();
    },
    absolute: (path) => (path === "." ? "/" : path.startsWith("/") ? path : `/${path}`),
    module: (path) => path,
  };
}

export function machineOf(text: string, others: Readonly<Record<string, string>> = {}): Promise<Machine> {
  return loadMachine("m.yaml", { files: memoryFiles({ "m.yaml": text, ...others }) });
}

export function refinementOf(files: Readonly<Record<string, string>>, fault?: string): Promise<Refinement> {
  return loadRefinement("refinement.yaml", { files: memoryFiles(files), ...(fault === undefined ? {} : { fault }) });
}

/** What is wrong, as `line:column CODE`, in order; nothing if all is well. */
export async function mistakes(loading: Promise<unknown>): Promise<readonly Diagnostic[]> {
  try {
    await loading;
    return [];
  } catch (error) {
    if (error instanceof UserError && error.diagnostics.length > 0) return error.diagnostics;
    throw error;
  }
}

export function short(diagnostics: readonly Diagnostic[]): readonly string[] {
  return diagnostics.map((d) => `${d.place.line}:${d.place.column} ${d.code}`);
}
