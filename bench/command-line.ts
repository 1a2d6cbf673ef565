/** What a user waits for: help, a check from a cold cache, and the same check answered from it. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { packageRoot } from "../cli/package.js";
import type { Report } from "../refinement/campaign/report.js";
import { EnvironmentFailure } from "../refinement/errors.js";
import type { Row } from "./row.js";

const MAIN = path.join(packageRoot(), "dist/cli/main.js");
const REFINEMENTS = ["interpreter", "pipeline"];
const STARTS = 9;
/** A check that takes longer has missed its mark by far. */
const MOST_MS = 900_000;

export default async function commandLine(): Promise<readonly Row[]> {
  const bare = await quickest(["-e", "0"]);
  const help = await quickest([MAIN, "--help"]);
  // Outside every project the cache is the user's: a folder of our own is a cold one.
  const folder = await mkdtemp(path.join(os.tmpdir(), "commute-bench-"));
  try {
    const cold = await check(folder);
    const warm = await check(folder);
    const rewritten = cold.obligations.filter((o) => o.by === "rewrite").length;
    const names = REFINEMENTS.join(" ");
    return [
      against("commute --help", "ms", help, "node -e 0", bare),
      { name: `check ${names}, proofs, cold cache`, value: cold.seconds, unit: "s" },
      {
        name: "obligations settled by rewriting alone",
        value: rewritten,
        unit: "obligations",
        baseline: { name: "all", value: cold.obligations.length },
        ratio: rewritten / cold.obligations.length,
      },
      against(`check ${names}, proofs, unchanged`, "s", warm.seconds, "cold cache", cold.seconds),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of times, the smaller is the better. */
function against(name: string, unit: string, value: number, baseline: string, than: number): Row {
  return { name, value, unit, baseline: { name: baseline, value: than }, ratio: than / value };
}

async function quickest(args: readonly string[]): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const began = performance.now();
    await node(args, packageRoot(), process.env);
    times.push(performance.now() - began);
  }
  return Math.min(...times);
}

interface Checked {
  readonly seconds: number;
  readonly obligations: Report["refinements"][number]["obligations"];
}

async function check(folder: string): Promise<Checked> {
  const began = performance.now();
  const args = [MAIN, "check", ...REFINEMENTS, "--mode", "prove", "--json", "--quiet"];
  const stdout = await node(args, folder, { ...process.env, XDG_CACHE_HOME: folder });
  const seconds = (performance.now() - began) / 1000;
  const report: Report = JSON.parse(stdout);
  return { seconds, obligations: report.refinements.flatMap((r) => r.obligations) };
}

function node(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd, env, timeout: MOST_MS, maxBuffer: 1 << 28 }, (error, stdout) => {
      if (stdout === "" && error !== null)
        reject(new EnvironmentFailure(args.join(" "), error.message, { cause: error }));
      else resolve(stdout);
    });
  });
}
