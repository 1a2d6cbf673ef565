import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { check, commute, folder } from "./commute.js";

const run = promisify(execFile);
const { stdout: compiler } = await run("sh", ["-c", "command -v cc && command -v make || true"]);
if (compiler === "") console.warn("no C compiler: the translator in C is not followed (apt-get install gcc make)");

/** Enough for every instruction, with some sequences. */
const CASES = ["--cases", "90"];

describe("the README of a new translator project leads from two bugs to a proof", () => {
  for (const [name, source] of [
    ["jit-js", "impl/jit-js/translator.mjs"],
    ["jit-c", "impl/jit-c/translator.c"],
  ] as const) {
    test.skipIf(name === "jit-c" && compiler === "")(name, { timeout: 600_000 }, async () => {
      const cwd = path.join(await folder(), "my-jit");
      expect((await commute(["init", cwd, "--kind", "translator"])).code).toBe(0);
      const readme = await readFile(path.join(cwd, "README.md"), "utf8");
      const build = async (): Promise<void> => {
        if (name === "jit-c") await run("make", ["-C", path.join(cwd, "impl/jit-c")]);
      };
      if (name === "jit-c") {
        const skipped = await check([name, ...CASES], { cwd });
        expect(skipped.code).toBe(3);
        expect(skipped.stdout).toContain("skipped");
      }
      await build();

      const first = await check([name, ...CASES, "--save", "counterexamples"], { cwd });
      expect(first.code).toBe(1);
      expect(first.stdout).toContain("commute/srlw");
      expect((await commute(["replay"], { cwd })).code).toBe(0);

      const [sext, map] = mendings(readme, source);
      await mend(path.join(cwd, source), sext);
      await build();
      const second = await check([name, ...CASES], { cwd });
      expect(second.code).toBe(1);
      expect(second.stdout).toMatch(/refuted materialize\/sequence/);
      expect(second.stdout).not.toMatch(/refuted commute/);

      await mend(path.join(cwd, source), map);
      await build();
      const third = await check([name, ...CASES], { cwd });
      expect(third.stdout).toMatch(/^ {2}holds: \d+ proved/m);
      expect(third.code).toBe(0);
      const replayed = await commute(["replay"], { cwd });
      expect(replayed.code).toBe(1);
      expect(replayed.stdout).toContain("got holds");
      expect((await commute(["explain", name], { cwd })).code).toBe(0);
    });
  }
});

interface Mending {
  readonly minus: string;
  readonly plus: string;
}

/** What the README replaces in a file, in order. */
function mendings(readme: string, file: string): readonly [Mending, Mending] {
  const found = [...readme.matchAll(/In `([^`]*)`:\n\n```diff\n-(.*)\n\+(.*)\n```/g)]
    .filter(([, of]) => of === file)
    .map(([, , minus = "", plus = ""]) => ({ minus, plus }));
  const [first, second] = found;
  if (first === undefined || second === undefined || found.length !== 2) throw new Error(`not two diffs for ${file}`);
  return [first, second];
}

async function mend(file: string, { minus, plus }: Mending): Promise<void> {
  const text = await readFile(file, "utf8");
  expect(text.split(minus)).toHaveLength(2);
  await writeFile(
    file,
    text.replace(minus, () => plus),
  );
}
