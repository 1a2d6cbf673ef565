import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { COUNTER, check, commute, folder, MAIN, run } from "./commute.js";

describe("a wrong definition is refused with its place and remedy", () => {
  test.each([
    [
      "α names an unknown variable",
      "impl/halves/refinement.yaml",
      "high ++ low",
      "hi ++ low",
      "refinement.yaml:7",
      "E_UNKNOWN",
    ],
    ["a width differs", "impl/halves/refinement.yaml", "high ++ low", "high", "refinement.yaml:7", "E_WIDTH"],
    [
      "a guest variable has no abstraction",
      "impl/halves/refinement.yaml",
      "  n: high ++ low\n",
      "  {}\n",
      "refinement.yaml",
      "E_ABSTRACTION",
    ],
    [
      "steps forgets a transition",
      "impl/halves/refinement.yaml",
      "  tick: tick()\n",
      "  {}\n",
      "refinement.yaml",
      "E_STEPS",
    ],
    [
      "the guest is not there",
      "impl/halves/refinement.yaml",
      "counter.yaml",
      "computer.yaml",
      "refinement.yaml:4",
      "E_FILE",
    ],
    ["the host does not parse", "impl/halves/halves.yaml", "low + 1", "low +", "halves.yaml", "E_SYNTAX"],
    ["it is no YAML", "impl/halves/halves.yaml", "state:", "state: [", "halves.yaml", "E_YAML"],
  ])("%s", async (_, file, from, to, place, code) => {
    const text = COUNTER[file] ?? "";
    expect(text).toContain(from);
    const ran = await check([], { cwd: await folder({ ...COUNTER, [file]: text.replace(from, to) }) });
    expect(ran.stderr).toContain(place);
    expect(ran.stderr).toContain(code);
    expect(ran.stderr).not.toContain("a bug in commute");
    expect(ran.code).toBe(2);
  });

  test("two instructions with overlapping encodings are both named", async () => {
    const overlap = `machine: overlap
state: { pc: "bits(8)", rom: "bits(8)[256]" }
fetch: { from: "rom[pc]", length: 1 }
next: pc = pc + 1
instructions:
  one: { encoding: "0000 n[3:0]", execute: "" }
  two: { encoding: "n[3:0] 0000", execute: "" }
`;
    const cwd = await folder({ "spec/overlap.yaml": overlap });
    const { code, stderr } = await commute(["asm", "overlap", "one 3"], { cwd });
    expect(stderr).toMatch(/overlap\.yaml:\d+:\d+: E_OVERLAP/);
    expect(stderr).toMatch(/one[\s\S]*two|two[\s\S]*one/);
    expect(code).toBe(2);
  });

  test("a broken file does not keep the others from being listed", async () => {
    const cwd = await folder({ ...COUNTER, "impl/other/refinement.yaml": "refinement: other\ntitle: [\n  broken" });
    const { code, stdout } = await commute(["list"], { cwd });
    expect(code).toBe(0);
    expect(stdout).toContain("halves");
    expect(stdout).toContain("other");
  });
});

describe("paths", () => {
  test.each([["--save"], ["--smt2"], ["--junit"]])(
    "%s to where nothing can be written is refused before any work",
    async (option) => {
      const cwd = await folder(COUNTER);
      const { code, stdout, stderr } = await check([option, "spec/counter.yaml/below"], { cwd });
      expect(code).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toContain(`${option} spec/counter.yaml/below cannot be written`);
    },
  );

  // Node's own way to make folders never comes back from there.
  test.runIf(existsSync("/proc/self"))("a folder in which nothing can be made, whoever asks", async () => {
    const cwd = await folder(COUNTER);
    for (const option of ["--save", "--smt2", "--junit"]) {
      const { code, stderr } = await check([option, "/proc/none/at/all"], { cwd });
      expect(stderr).toContain(`${option} /proc/none/at/all cannot be written`);
      expect(code).toBe(2);
    }
    expect(await commute(["init", "/proc/none"], { cwd })).toMatchObject({ code: 2, stdout: "" });
    const cacheless = await commute(["check", "tiny-interpreter", "--only", "initial", "--mode", "prove"], {
      cwd: await folder(),
      env: { XDG_CACHE_HOME: "/proc/none" },
    });
    expect(cacheless.stderr).toContain("the cache /proc/none/commute cannot be written");
    expect(cacheless.code).toBe(0);
  });

  test.runIf(existsSync("/dev/full"))("a disk that is full", async () => {
    const cwd = await folder(COUNTER);
    const full = "no space is left on the device";
    const shell = (line: string) => run("sh", ["-c", `node ${MAIN} ${line}`], { cwd });
    for (const command of ["list", "list --json", "--help"]) {
      expect(await shell(`${command} > /dev/full`)).toMatchObject({
        code: 2,
        stderr: `error: standard output: ${full}\n`,
      });
    }
    const { code, stderr } = await check(["--only", "initial", "--mode", "prove", "--junit", "/dev/full"], { cwd });
    expect(stderr).toContain(`--junit /dev/full cannot be written: /dev/full: ${full}`);
    expect(code).toBe(2);
  });

  test("a folder in place of a file, and a circle of links", async () => {
    const cwd = await folder(COUNTER);
    await mkdir(path.join(cwd, "folder.yaml"));
    await symlink("loop.yaml", path.join(cwd, "loop.yaml"));
    for (const name of ["./folder.yaml", "./loop.yaml"]) {
      const { code, stderr } = await check([name], { cwd });
      expect(stderr).toContain(path.basename(name));
      expect(stderr).not.toContain("a bug in commute");
      expect(code).toBe(2);
    }
  });

  test("a counterexample that cannot be read is an error of that file, and the others run", async () => {
    const cwd = await folder(COUNTER);
    await check(["--fault", "no-carry", "--save", "counterexamples"], { cwd });
    await writeFile(path.join(cwd, "counterexamples/broken.yaml"), "counterexample: [");
    const { code, stdout } = await commute(["replay", "--json"], { cwd });
    expect(code).toBe(2);
    const { cases } = JSON.parse(stdout);
    expect(cases).toContainEqual(
      expect.objectContaining({ file: "counterexamples/broken.yaml", got: "error", ok: false }),
    );
    expect(cases).toContainEqual(expect.objectContaining({ got: "refuted", ok: true }));
  });

  test("a counterexample of a machine that has changed says so", async () => {
    const cwd = await folder(COUNTER);
    await check(["--fault", "no-carry", "--save", "counterexamples"], { cwd });
    const host = path.join(cwd, "impl/halves/halves.yaml");
    await writeFile(host, (await readFile(host, "utf8")).replace("tick:", "tock:"));
    const refinement = path.join(cwd, "impl/halves/refinement.yaml");
    await writeFile(refinement, (await readFile(refinement, "utf8")).replace("tick: tick()", "tock: tick()"));
    const { code, stderr, stdout } = await commute(["replay"], { cwd });
    expect(stderr + stdout).toMatch(/no (host )?transition.*tick|tick.*no .*transition/);
    expect(stderr).not.toContain("a bug in commute");
    expect(code).toBe(2);
  });
});

describe("the cache", () => {
  test("damage costs an answer, not a run", async () => {
    const cwd = await folder(COUNTER);
    const first = await check(["--json"], { cwd });
    for (const file of await cacheFiles(cwd)) await writeFile(file, "{ not JSON");
    const second = await check(["--json"], { cwd });
    expect(second.code).toBe(0);
    expect(second.stderr).toMatch(/cache/);
    expect(verdicts(second.stdout)).toEqual(verdicts(first.stdout));
    expect((await check([], { cwd })).stdout).toContain("all from the cache");
  });

  test("where there can be none, a warning and the same verdicts", async () => {
    const cwd = await folder({ ...COUNTER, ".commute": "a file in the way" });
    const { code, stdout, stderr } = await check([], { cwd });
    expect(code).toBe(0);
    expect(stderr).toContain("cache");
    expect(stdout).toContain("holds");
  });

  test("two runs at once share it", async () => {
    const cwd = await folder(COUNTER);
    const runs = await Promise.all([check(["--json", "--quiet"], { cwd }), check(["--json", "--quiet"], { cwd })]);
    for (const { code, stderr, stdout } of runs) {
      expect(stderr).toBe("");
      expect(code).toBe(0);
      expect(verdicts(stdout)).toEqual(verdicts(runs[0].stdout));
    }
    expect((await check([], { cwd })).stdout).toContain("all from the cache");
  });

  test("a change of a machine is noticed", async () => {
    const cwd = await folder(COUNTER);
    await check([], { cwd });
    const host = path.join(cwd, "impl/halves/halves.yaml");
    await writeFile(host, (await readFile(host, "utf8")).replace("high + 1", "high + 2"));
    expect((await check([], { cwd })).code).toBe(1);
  });

  test("where there is no project, nothing is left in the folder", async () => {
    const cwd = await folder();
    const cache = await folder();
    await check(["tiny-interpreter", "--only", "initial", "--mode", "prove"], { cwd, env: { XDG_CACHE_HOME: cache } });
    expect(await readdir(cwd)).toEqual([]);
    expect(await readdir(cache)).toEqual(["commute"]);
    await rm(cache, { recursive: true });
  });
});

async function cacheFiles(cwd: string): Promise<string[]> {
  const children = await readdir(path.join(cwd, ".commute"), { recursive: true, withFileTypes: true });
  const files = children.filter((c) => c.isFile()).map((c) => path.join(c.parentPath, c.name));
  expect(files.length).toBeGreaterThan(0);
  return files;
}

function verdicts(json: string): unknown {
  return JSON.parse(json, (key, value) => (["ms", "seconds", "cached", "spent"].includes(key) ? undefined : value));
}
