import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { COUNTER, check, commute, folder } from "./commute.js";

const COLOR = new RegExp(String.fromCharCode(27));

describe("--json", () => {
  const project = folder(COUNTER);
  test.each([
    ["list"],
    ["check", "--cases", "50"],
    ["check", "--cases", "50", "--fault", "no-carry"],
    ["explain", "halves"],
    ["asm", "tiny", "li r0, 3; halt"],
    ["disasm", "rv32i", "13057000"],
    ["replay", "no-such-file.yaml"],
    ["explain", "nothing-of-the-kind"],
  ])("%s %s %s: one document and nothing else on stdout", async (...args) => {
    const { stdout } = await commute([...args, "--json"], { cwd: await project });
    expect(stdout.endsWith("}\n")).toBe(true);
    expect(typeof JSON.parse(stdout)).toBe("object");
  });

  test("check: the report that docs/formats.md promises", async () => {
    const { stdout, code } = await check(["--json", "--seed", "7", "--no-cache"], { cwd: await project });
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ version: 1, verdict: "holds", seed: 7 });
    expect(report.refinements).toHaveLength(1);
    const [halves] = report.refinements;
    expect(halves).toMatchObject({
      name: "halves",
      kind: "example",
      verdict: "holds",
      assumptions: ["nobody pulls the plug"],
    });
    const commutes = halves.obligations.find(
      (o: { name: string; method: string }) => o.name === "commute/tick" && o.method === "prove",
    );
    expect(commutes).toMatchObject({ verdict: "proved", by: expect.any(String), ms: expect.any(Number) });
    for (const phase of ["reading", "executing", "testing"]) expect(halves.spent[phase]).toEqual(expect.any(Number));
  });

  test("list: machines, refinements, and the last verdict once there is one", async () => {
    const cwd = await folder(COUNTER);
    const last = async () => {
      const { refinements } = JSON.parse((await commute(["list", "--json"], { cwd })).stdout);
      return refinements.find((r: { name: string }) => r.name === "halves");
    };
    expect(await last()).toEqual({
      name: "halves",
      title: "Two halves count like a whole",
      kind: "example",
      guest: "counter",
      host: "halves",
      file: "impl/halves/refinement.yaml",
      faults: ["no-carry"],
      last: null,
    });
    await check([], { cwd });
    expect(await last()).toMatchObject({ last: "holds" });
  });

  test("a mistake is a document too, with its place", async () => {
    const cwd = await folder({
      ...COUNTER,
      "impl/halves/refinement.yaml": refinement((text) => text.replace("high ++ low", "hgih ++ low")),
    });
    const { stdout, code } = await check(["--json"], { cwd });
    expect(code).toBe(2);
    const { error } = JSON.parse(stdout);
    expect(error.class).toBe("user");
    expect(error.diagnostics).toContainEqual(
      expect.objectContaining({ code: "E_UNKNOWN", place: expect.objectContaining({ line: 7 }) }),
    );
  });
});

describe("check for a reader", () => {
  test("prints the verdict, what it rests on and how much was done", async () => {
    const { stdout, code } = await check([], { cwd: await folder(COUNTER) });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^halves {2}Two halves count like a whole$/m);
    expect(stdout).toContain("assumes nobody pulls the plug");
    expect(stdout).toMatch(/^ {2}time went to [a-z]+ \S+ m?s \(\d+%\), .*\n {2}holds: \d+ proved/m);
    expect(stdout).toMatch(/^holds: 1 refinement \(holds\) in .*, seed 42$/m);
  });

  test("shows a counterexample with its state and what differs", async () => {
    const { stdout, code } = await check(["halves", "--fault", "no-carry"], { cwd: await folder(COUNTER) });
    expect(code).toBe(1);
    expect(stdout).toContain("with the seeded fault no-carry");
    expect(stdout).toMatch(/low +0x3/);
    expect(stdout).toMatch(/n +0x4 +0x0/);
  });

  test("--quiet says nothing where all is well, and what is not where it is not", async () => {
    const cwd = await folder(COUNTER);
    expect(await check(["--quiet"], { cwd })).toEqual({ code: 0, stdout: "", stderr: "" });
    const { stdout, stderr } = await check(["--quiet", "--fault", "no-carry"], { cwd });
    expect(stdout).toContain("refuted");
    expect(stderr).toBe("");
  });

  test("a second run answers from the cache, and says so", async () => {
    const cwd = await folder(COUNTER);
    await check([], { cwd });
    const { stdout } = await check([], { cwd });
    expect(stdout).toContain("all from the cache");
    expect(stdout).not.toContain("time went to");
    const { refinements } = JSON.parse((await check(["--json"], { cwd })).stdout);
    for (const o of refinements[0].obligations) expect(o.cached).toBe(true);
    expect(Object.keys(refinements[0].spent)).toEqual(["reading"]);
    expect((await check(["--no-cache"], { cwd })).stdout).not.toContain("from the cache");
  });

  test("the same seed gives the same report, whatever the number of workers", async () => {
    const cwd = await folder(COUNTER);
    const report = async (jobs: string) => {
      const { stdout } = await check(["--no-cache", "--fault", "no-carry", "--json", "--jobs", jobs], { cwd });
      return JSON.parse(stdout, (key, value) => (["ms", "seconds", "spent"].includes(key) ? undefined : value));
    };
    expect(await report("2")).toEqual(await report("1"));
  });
});

describe("colours", () => {
  const cwd = folder(COUNTER);
  test("none where stdout is no terminal", async () => {
    expect((await commute(["list"], { cwd: await cwd })).stdout).not.toMatch(COLOR);
  });
  test("where they are forced, and neither with --no-color nor NO_COLOR", async () => {
    const forced = { FORCE_COLOR: "1" };
    expect((await commute(["list"], { cwd: await cwd, env: forced })).stdout).toMatch(COLOR);
    expect((await commute(["list", "--no-color"], { cwd: await cwd, env: forced })).stdout).not.toMatch(COLOR);
    expect((await commute(["list"], { cwd: await cwd, env: { ...forced, NO_COLOR: "1" } })).stdout).not.toMatch(COLOR);
    expect((await commute(["list", "--json"], { cwd: await cwd, env: forced })).stdout).not.toMatch(COLOR);
  });
});

test("--junit writes a report, --save counterexamples that replay reproduces", async () => {
  const cwd = await folder(COUNTER);
  const args = ["--fault", "no-carry", "--junit", "out/report.xml", "--save", "counterexamples"];
  const { code, stdout } = await check(args, { cwd });
  expect(code).toBe(1);
  expect(await readFile(path.join(cwd, "out/report.xml"), "utf8")).toContain('<failure type="refuted"');
  expect(stdout).toContain("counterexamples/halves/commute-tick-1.yaml");
  const replayed = await commute(["replay", "--json"], { cwd });
  expect(replayed.code).toBe(0);
  expect(JSON.parse(replayed.stdout).cases).toContainEqual(
    expect.objectContaining({
      file: "counterexamples/halves/commute-tick-1.yaml",
      expect: "refuted",
      got: "refuted",
      ok: true,
    }),
  );
});

function refinement(edit: (text: string) => string): string {
  return edit(COUNTER["impl/halves/refinement.yaml"] ?? "");
}
