import { readdir } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { ROOT, run } from "./commute.js";

/** What the definitions need beside compiled code: machines, and what emulators are built from. */
test("the package has every file that its definitions name", async () => {
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { stdout, code } = await run(npm, ["pack", "--dry-run", "--json", "--ignore-scripts"]);
  expect(code).toBe(0);
  const packed: unknown = JSON.parse(stdout);
  const text = JSON.stringify(packed);
  const needed = await Promise.all(
    ["impl", "spec", "schema", "templates"].map(async (room) => {
      const children = await readdir(path.join(ROOT, room), { recursive: true, withFileTypes: true });
      return children
        .filter((child) => child.isFile() && !child.name.endsWith(".ts"))
        .map((child) => path.relative(ROOT, path.join(child.parentPath, child.name)))
        .filter((file) => !file.startsWith("spec/") || file.endsWith(".yaml"));
    }),
  );
  expect(needed.flat().length).toBeGreaterThan(20);
  expect(needed.flat().filter((file) => !text.includes(JSON.stringify(file)))).toEqual([]);
  expect(text).toContain('"dist/cli/main.js"');
  expect(text).not.toMatch(/"(dist\/test|test|bench|dist\/bench)\//);
});
