import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { commute, ROOT } from "./commute.js";

async function pages(): Promise<readonly string[]> {
  const found = await Promise.all(
    ["docs", "impl", "templates"].map(async (room) => {
      const children = await readdir(path.join(ROOT, room), { recursive: true });
      return children.map((child) => path.join(room, child));
    }),
  );
  return ["README.md", ...found.flat()].filter((file) => file.endsWith(".md"));
}

test("links between pages lead somewhere", async () => {
  const broken: string[] = [];
  for (const page of await pages()) {
    const text = await readFile(path.join(ROOT, page), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      if (!existsSync(path.join(ROOT, path.dirname(page), target))) broken.push(`${page}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

test("docs/formats.md names every option of check, and the README every command", async () => {
  const formats = await readFile(path.join(ROOT, "docs/formats.md"), "utf8");
  const options = [...(await commute(["check", "--help"])).stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z0-9-]+)/gm)].map(
    ([, o = ""]) => o,
  );
  expect(options).toContain("--solver");
  for (const option of options) expect(formats).toContain(option);
  const readme = await readFile(path.join(ROOT, "README.md"), "utf8");
  const commands = [...(await commute(["--help"])).stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, c = ""]) => c);
  expect(commands).toContain("check");
  for (const command of commands.filter((c) => c !== "help")) expect(readme).toContain(`commute ${command}`);
});

test("the examples of every command's help have options, faults and quotes as they must be", async () => {
  const commands = [...(await commute(["--help"])).stdout.matchAll(/^ {2}([a-z]+) \[options\]/gm)].map(
    ([, c = ""]) => c,
  );
  for (const command of commands) {
    const help = (await commute([command, "--help"])).stdout;
    const examples = [...help.matchAll(/^ {2}.*?(commute .*)$/gm)].map(([, example = ""]) => example);
    expect(examples.length, command).toBeGreaterThan(0);
    for (const example of examples) {
      expect(example.split("'").length % 2, example).toBe(1);
      const [own = ""] = example.split(/&&|\||>/);
      for (const option of own.match(/(?<= )--[a-z0-9-]+/g) ?? []) expect(help, example).toContain(` ${option} `);
      const [, refinement = "", fault] = /^commute check ([a-z-]+).*--fault ([a-z0-9-]+)/.exec(own) ?? [];
      if (fault === undefined) continue;
      const { faults } = JSON.parse((await commute(["explain", refinement, "--json"])).stdout);
      expect(faults.map((f: { name: string }) => f.name)).toContain(fault);
    }
  }
});

test("every built-in machine and VM is in the README", async () => {
  const readme = await readFile(path.join(ROOT, "README.md"), "utf8");
  const { refinements } = JSON.parse((await commute(["list", "--json"])).stdout);
  expect(refinements.length).toBeGreaterThan(0);
  for (const { name, guest } of refinements) {
    expect(readme).toContain(`\`${name}\``);
    expect(readme).toContain(guest);
  }
});
