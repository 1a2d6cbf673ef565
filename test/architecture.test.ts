/** The arrows of docs/architecture.md are enforced by `npm run arrows`; here each is broken, to see it refused. */
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const DEPCRUISE = path.join(ROOT, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");

/** File, import, and the rule that forbids it. */
const BROKEN: readonly (readonly [string, string, string])[] = [
  ["refinement/terms/a.ts", "../machine.js", "terms-rest-on-nothing"],
  ["refinement/machine.ts", "./diagram.js", "machine-rests-on-terms"],
  ["refinement/solver/a.ts", "../execute/concrete.js", "solver-knows-only-terms"],
  ["spec/notation/a.ts", "../../refinement/diagram.js", "notation-makes-machines"],
  ["refinement/campaign/a.ts", "../../impl/pipeline/a.js", "checker-knows-no-machine-or-vm"],
  ["cli/a.ts", "../spec/riscv/a.js", "checker-knows-no-machine-or-vm"],
  ["impl/pipeline/a.ts", "../../refinement/campaign/a.js", "machines-and-vms-do-not-drive"],
  ["impl/pipeline/b.ts", "../interpreter/a.js", "vms-share-only-impl-shared"],
  ["properties/a.ts", "../refinement/campaign/a.js", "properties-do-not-drive"],
  ["refinement/diagram.ts", "../cli/a.js", "nothing-imports-the-outside"],
  ["refinement/compile/a.ts", "node:fs", "runs-in-a-browser"],
  ["refinement/terms/b.ts", "vitest", "shipped-code-needs-no-dev-packages"],
  ["refinement/execute/concrete.ts", "./nowhere.js", "resolvable"],
];

async function folder(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "commute-arrows-"));
  await symlink(path.join(ROOT, "node_modules"), path.join(directory, "node_modules"));
  for (const name of ["package.json", "biome.json"]) await copyFile(path.join(ROOT, name), path.join(directory, name));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(directory, name)), { recursive: true });
    await writeFile(path.join(directory, name), text);
  }
  return directory;
}

function run(cwd: string, args: readonly string[]): Promise<{ readonly failed: boolean; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd }, (error, stdout, stderr) => {
      resolve({ failed: error !== null, output: stdout + stderr });
    });
  });
}

async function cruise(files: Readonly<Record<string, string>>): ReturnType<typeof run> {
  const rooms = [...new Set(Object.keys(files).map((name) => name.split("/")[0] ?? ""))];
  return run(await folder(files), [DEPCRUISE, "--config", path.join(ROOT, ".dependency-cruiser.mjs"), ...rooms]);
}

const NAMES = [
  ...new Set(BROKEN.flatMap(([file, to]) => [file, path.join(path.dirname(file), to).replace(/\.js$/, ".ts")])),
].filter((name) => /^[a-z]+\/.*\.ts$/.test(name) && !name.includes("nowhere"));
const WHOLE = Object.fromEntries(NAMES.map((name) => [name, "export const a = 1;\n"]));

test("a tree that obeys them passes", async () => {
  expect((await cruise(WHOLE)).output).toContain("no dependency violations found");
});

test("an import against an arrow is refused, whether of a value, of a type or when run", async () => {
  for (const statement of [
    (to: string) => `import { a } from "${to}";\nexport const b = a;\n`,
    (to: string) => `import type { A } from "${to}";\nexport type B = A;\n`,
    (to: string) => `export const b = () => import("${to}");\n`,
  ]) {
    const broken = Object.fromEntries(BROKEN.map(([file, to]) => [file, statement(to)]));
    const { failed, output } = await cruise({ ...WHOLE, ...broken });
    expect(failed).toBe(true);
    for (const [file, , rule] of BROKEN)
      expect(output).toMatch(new RegExp(`error ${rule}: ${file.replaceAll(".", "\\.")} `));
  }
});

test("a circle of imports is refused, unless it is of types only", async () => {
  const directory = await folder({
    "cli/a.ts": 'import { b } from "./b.js";\nexport const a = () => b;\n',
    "cli/b.ts": 'import { a } from "./a.js";\nexport const b = () => a;\n',
    "cli/c.ts": 'import type { D } from "./d.js";\nexport type C = D | undefined;\n',
    "cli/d.ts": 'import type { C } from "./c.js";\nexport interface D {\n  c: C;\n}\n',
  });
  const biome = path.join(ROOT, "node_modules/@biomejs/biome/bin/biome");
  const { failed, output } = await run(directory, [biome, "lint", "cli"]);
  expect(failed).toBe(true);
  expect(output).toMatch(/cli\/a\.ts:.*noImportCycles/);
  expect(output).not.toMatch(/cli\/[cd]\.ts/);
});
