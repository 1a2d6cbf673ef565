import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(`${root}/${path}`, "utf8");
const text = read("docs/how-to-add-a-property.md");

describe("docs/how-to-add-a-property.md", () => {
  test("shows the property that the suite runs", () => {
    const block = /```ts\n([\s\S]*?)\n```/.exec(text)?.[1];
    expect(block).toBe(read("test/properties/example-property.test.ts").trimEnd());
  });

  test("names every arbitrary and no other", () => {
    const files = readdirSync(`${root}/properties/arbitraries`).map((f) => f.replace(/\.ts$/, ""));
    const rows = [...text.matchAll(/^\| `([\w-]+)\(/gm)].map((m) => m[1] ?? "");
    expect(rows.toSorted()).toEqual(files.filter((f) => f !== "drawn").toSorted());
  });

  test("names files that are there", () => {
    const named = [...text.matchAll(/`((?:properties|refinement|schema|spec|test)\/[\w./-]+\.(?:ts|json|yaml))`/g)].map(
      (m) => m[1] ?? "",
    );
    expect(named.length).toBeGreaterThan(6);
    for (const file of named) expect(() => read(file), file).not.toThrow();
  });

  test("each place that it sends a new kind of obligation to knows the old ones", () => {
    const diagram = read("refinement/diagram.ts");
    const kinds = [...(/type ObligationKind =([^;]*);/.exec(diagram)?.[1] ?? "").matchAll(/"(\w+)"/g)].map(
      (m) => m[1] ?? "",
    );
    expect(kinds).toEqual(["initial", "invariant", "commute", "progress", "materialize", "inverse"]);
    for (const file of [
      "refinement/execute/commute.ts",
      "schema/counterexample.schema.json",
      "properties/lockstep.ts",
    ]) {
      for (const kind of kinds) expect(read(file), `${file} on ${kind}`).toMatch(new RegExp(`\\b${kind}\\b`, "i"));
    }
  });
});
