import { cp, readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { check, commute, folder, ROOT } from "./commute.js";

/** The files that the page shows: a path in backquotes and a colon, then the YAML. */
async function filesOf(page: string): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(path.join(ROOT, page), "utf8");
  return Object.fromEntries(
    [...text.matchAll(/^`([^`\n]+)`:\n\n```yaml\n([\s\S]*?)```$/gm)].map(([, file = "", body = ""]) => [file, body]),
  );
}

test("the VM of docs/how-to-add-a-vm.md is found, holds, and its seeded fault is refuted", async () => {
  const files = await filesOf("docs/how-to-add-a-vm.md");
  expect(Object.keys(files)).toEqual(["impl/tiny-prefetch/tiny-prefetch.yaml", "impl/tiny-prefetch/refinement.yaml"]);
  const cwd = await folder(files);
  await cp(path.join(ROOT, "spec/tiny"), path.join(cwd, "spec/tiny"), { recursive: true });

  expect((await commute(["list"], { cwd })).stdout).toMatch(
    /^ {2}tiny-prefetch +microarchitecture +tiny ◁ tiny-prefetch/m,
  );
  const held = await check(["tiny-prefetch"], { cwd });
  expect(held.stdout).toMatch(/^ {2}holds: \d+ proved/m);
  expect(held.code).toBe(0);
  const refuted = await check(["tiny-prefetch", "--fault", "no-squash"], { cwd });
  expect(refuted.code).toBe(1);
  expect(refuted.stdout).toMatch(/refuted (commute|invariant)\/execute/);

  const withoutInvariant = (files["impl/tiny-prefetch/refinement.yaml"] ?? "").replace(
    "!full || ir == rom[pc]",
    "true",
  );
  const naked = await folder({ ...files, "impl/tiny-prefetch/refinement.yaml": withoutInvariant });
  await cp(path.join(ROOT, "spec/tiny"), path.join(naked, "spec/tiny"), { recursive: true });
  expect((await check(["tiny-prefetch", "--mode", "prove"], { cwd: naked })).code).toBe(1);
}, 120_000);
