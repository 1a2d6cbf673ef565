import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { check, commute, folder } from "./commute.js";

test("the README of a new project leads from a bug to a proof", async () => {
  const cwd = path.join(await folder(), "my-vm");
  const made = await commute(["init", cwd]);
  expect(made.code).toBe(0);
  const readme = await readFile(path.join(cwd, "README.md"), "utf8");

  const found = await check(["--save", "counterexamples"], { cwd });
  expect(found.code).toBe(1);
  expect(found.stdout).toContain("execute breaks the invariant flag");
  expect(found.stdout).toContain("load");
  expect((await commute(["replay"], { cwd })).code).toBe(0);

  const [, minus = "", plus = ""] = /```diff\n-(.*)\n\+(.*)\n```/.exec(readme) ?? [];
  const host = path.join(cwd, "impl/microcode/microcode.yaml");
  const text = await readFile(host, "utf8");
  expect(text.split(minus)).toHaveLength(2);
  await writeFile(host, text.replace(minus, plus));

  const mended = await check([], { cwd });
  expect(mended.stdout).toMatch(/^ {2}holds: \d+ proved/m);
  expect(mended.code).toBe(0);
  const replayed = await commute(["replay"], { cwd });
  expect(replayed.code).toBe(1);
  expect(replayed.stdout).toContain("got holds");

  for (const [, args = ""] of readme.matchAll(/`commute ((?:explain|asm) [^`]*)`/g)) {
    const words = [...args.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
    expect((await commute(words, { cwd })).code).toBe(0);
  }
  expect((await commute(["init", cwd])).code).toBe(2);
}, 120_000);
