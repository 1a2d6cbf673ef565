import { mkdir, readdir, readFile, symlink } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { folder, ROOT, run } from "./commute.js";

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

/** As docs/how-to-add-a-property.md has it, where commute is a dependency. */
test("a program of the user's imports it with strict types", async () => {
  const page = await readFile(path.join(ROOT, "docs/how-to-add-a-property.md"), "utf8");
  const [imports = ""] = /^import .* from "commute";$/m.exec(page) ?? [];
  const property = `${imports}
import type { Machine, TranslatorFactory } from "commute";
const machine: Machine = await loadMachine(${JSON.stringify(path.join(ROOT, "spec/tiny/tiny.yaml"))});
export const none: TranslatorFactory | undefined = undefined;
const before = stateWithProgram(machine, programs(machine).draw(randomAt(1)), states(machine).draw(randomAt(2)));
const after = stepAny(machine, before)?.state ?? before;
console.log(differences(machine, before, after).map((d) => d.variable).join());
`;
  const cwd = await folder({ "package.json": '{ "type": "module" }', "property.ts": property });
  await mkdir(path.join(cwd, "node_modules"));
  for (const name of ["@types", "fast-check"]) {
    await symlink(path.join(ROOT, "node_modules", name), path.join(cwd, "node_modules", name));
  }
  await symlink(ROOT, path.join(cwd, "node_modules/commute"));
  const tsc = path.join(ROOT, "node_modules/typescript/bin/tsc");
  const strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--skipLibCheck", "false"];
  const node = ["--target", "es2023", "--module", "nodenext", "--types", "node"];
  expect(await run(process.execPath, [tsc, ...strict, ...node, "property.ts"], { cwd })).toMatchObject({
    stdout: "",
    code: 0,
  });
  expect(await run(process.execPath, ["property.js"], { cwd })).toMatchObject({
    stdout: expect.stringMatching(/^pc,/),
    code: 0,
  });
}, 120_000);
