/** Every machine and refinement of the project loads, with every seeded fault, and has the form its schema publishes. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import { UserError } from "../../../refinement/errors.js";
import { Diagnostics } from "../../../spec/notation/diagnostics.js";
import { loadMachine, loadRefinement } from "../../../spec/notation/index.js";
import { type FileKind, validate } from "../../../spec/notation/schema/validate.js";
import { readYaml } from "../../../spec/notation/yaml/tree.js";

function yamlFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : yamlFiles(path);
    return entry.name.endsWith(".yaml") ? [path] : [];
  });
}

/** Loads, and turns what is wrong into a message that names it. */
async function problems(loading: Promise<unknown>): Promise<string> {
  try {
    await loading;
    return "";
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

/** What the published schema has against a file. */
function formProblems(kind: FileKind, file: string, text: string): readonly unknown[] {
  const diagnostics = new Diagnostics();
  const root = readYaml(file, text, diagnostics);
  if (root !== undefined) validate(kind, root, diagnostics);
  return diagnostics.list();
}

const files = ["spec", "impl", "templates", "test/properties"].flatMap(yamlFiles);

describe("the project's files", () => {
  test("there are some", () => {
    expect(files.length).toBeGreaterThan(8);
  });

  for (const file of files) {
    test(file, { timeout: 60_000 }, async () => {
      const text = readFileSync(file, "utf8");
      // Any YAML reader's, an editor's too: the unquoted signatures that are read besides are for users.
      expect(parseDocument(text).errors.map(({ message }) => message)).toEqual([]);
      const kind = /^(machine|refinement|stack):/m.exec(text)?.[1];
      if (kind === "machine" || kind === "refinement" || kind === "stack")
        expect(formProblems(kind, file, text)).toEqual([]);
      if (/^refinement:/m.test(text)) {
        expect(await problems(loadRefinement(file))).toBe("");
        const refinement = await loadRefinement(file);
        for (const { name } of refinement.faults)
          expect(await problems(loadRefinement(file, { fault: name })), name).toBe("");
      } else if (/^machine:/m.test(text) && !/^partial: true/m.test(text)) {
        expect(await problems(loadMachine(file))).toBe("");
      }
    });
  }
});
