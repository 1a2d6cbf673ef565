import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { commute, folder, MAIN, run } from "./commute.js";

const COMMANDS = ["list", "check", "replay", "explain", "run", "asm", "disasm", "init"];

describe("help", () => {
  test("names every command and the exit codes", async () => {
    const { code, stdout, stderr } = await commute(["--help"]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    expect(stdout).toContain("130 interrupted");
  });

  test.each(COMMANDS)(
    "%s: what it does, the common options, and examples that begin with its name",
    async (command) => {
      const { code, stdout } = await commute([command, "--help"]);
      expect(code).toBe(0);
      for (const option of ["--json", "--quiet", "--no-color", "--help"]) expect(stdout).toContain(option);
      expect(stdout).toMatch(new RegExp(`Examples?:\\n  commute ${command}`));
    },
  );

  test("the version is the package's", async () => {
    expect((await commute(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("loads no parser, no solver and no schema", async () => {
    const directory = await folder();
    const loader = path.join(directory, "loader.mjs");
    await writeFile(
      loader,
      "export function load(url, context, next) { process._rawDebug(url); return next(url, context); }\n",
    );
    const { stderr } = await run(process.execPath, [
      "--no-warnings",
      "--experimental-loader",
      loader,
      MAIN,
      "check",
      "--help",
    ]);
    expect(stderr).toContain("commander");
    expect(stderr).not.toMatch(/chevrotain|z3|ajv|fast-check|\/yaml\/|tinypool|refinement\/(terms|campaign|solver)/);
  });

  test("comes within three times what it takes to start Node", async () => {
    // In turn, so that whatever else the computer does meets both.
    const times = { help: [] as number[], node: [] as number[] };
    for (let i = 0; i < 8; i++) {
      for (const [name, args] of [
        ["help", [MAIN, "--help"]],
        ["node", ["-e", "0"]],
      ] as const) {
        const began = performance.now();
        await run(process.execPath, [...args]);
        times[name].push(performance.now() - began);
      }
    }
    expect(Math.min(...times.help)).toBeLessThan(3 * Math.min(...times.node));
  });
});
