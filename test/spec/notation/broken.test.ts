/**
 * Files that must be refused, each with its diagnostics in comments: `# expect: line:column CODE`, and where another file is to
 * blame `# expect: path:line:column CODE`. `# fault: NAME` loads a refinement with that fault.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import type { Diagnostic } from "../../../refinement/errors.js";
import { loadMachine, loadRefinement } from "../../../spec/notation/index.js";
import { mistakes } from "./memory-files.js";

const FOLDER = "test/broken/notation";
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".yaml"));

function load(file: string, text: string): Promise<unknown> {
  if (!/^refinement:/m.test(text)) return loadMachine(file);
  const fault = /^# fault: (\S+)$/m.exec(text)?.[1];
  return loadRefinement(file, fault === undefined ? {} : { fault });
}

function written({ code, place }: Diagnostic, file: string): string {
  const other = place.file === file ? "" : `${relative(FOLDER, place.file)}:`;
  return `${other}${place.line}:${place.column} ${code}`;
}

describe("broken files are refused, with every mistake in its place", () => {
  for (const name of files) {
    test(name, async () => {
      const file = join(FOLDER, name);
      const text = readFileSync(file, "utf8");
      const expected = [...text.matchAll(/^# expect: (.*)$/gm)].map((m) => m[1]);
      const found = await mistakes(load(file, text));
      if (process.env.SHOW)
        console.log(
          found.map((d) => `${d.place.file}:${d.place.line}:${d.place.column}: ${d.code}: ${d.message}`).join("\n"),
        );
      expect(found.map((d) => written(d, file))).toEqual(expected);
      expect(expected.length).toBeGreaterThan(0);
      if (name.startsWith("E_")) expect(found.map((d) => d.code)).toContain(name.replace(".yaml", ""));
      for (const { message } of found) {
        // Says something in words, and no value of JavaScript's has slipped in.
        expect(message).toMatch(/[a-z]{3}/);
        expect(message).not.toMatch(/undefined|\[object|NaN/);
      }
    });
  }
});

describe("every code is documented and has its file", () => {
  const codes = [...readFileSync("spec/notation/diagnostics.ts", "utf8").matchAll(/^ {2}\| "(E_[A-Z]+)"/gm)].map(
    (m) => m[1] ?? "",
  );
  const docs = readFileSync("docs/errors.md", "utf8");

  test("there are codes", () => {
    expect(codes.length).toBeGreaterThan(30);
  });
  for (const code of codes) {
    test(code, () => {
      expect(files).toContain(`${code}.yaml`);
      expect(docs).toMatch(new RegExp(`^#+ ${code}\\b`, "m"));
    });
  }
  test("codes of other files", () => {
    for (const folder of ["refinement", "properties", "cli", "impl"]) {
      for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        if (!path.endsWith(".ts")) continue;
        for (const [code] of readFileSync(join(folder, path), "utf8").matchAll(/"E_[A-Z]+"/g))
          expect(docs, `${folder}/${path}`).toMatch(new RegExp(`^#+ ${code.slice(1, -1)}\\b`, "m"));
      }
    }
  });
  test("no other code is used in the sources", () => {
    const used = new Set<string>();
    for (const path of readdirSync("spec/notation", { recursive: true, encoding: "utf8" })) {
      if (!path.endsWith(".ts")) continue;
      for (const [code] of readFileSync(join("spec/notation", path), "utf8").matchAll(/\bE_[A-Z]+\b/g)) used.add(code);
    }
    expect([...used].sort()).toEqual([...codes].sort());
  });
});
