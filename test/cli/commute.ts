/** Runs the commands as a user does: a process, its output, its exit code. */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const MAIN = path.join(ROOT, "dist/cli/main.js");

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface How {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Sent Ctrl-C when this is seen on stderr. */
  readonly interruptAt?: RegExp;
}

/** Nothing of the environment that the tests run in shows in what they see. */
const CLEARED = { CI: "", NO_COLOR: "", FORCE_COLOR: "", NODE_OPTIONS: "" };

export function commute(args: readonly string[], how: How = {}): Promise<Ran> {
  return run(process.execPath, [MAIN, ...args], how);
}

/** As `commute check`, with as little work as shows what is to be seen. */
export function check(args: readonly string[], how: How = {}): Promise<Ran> {
  return commute(["check", "--cases", "50", "--jobs", "1", ...args], how);
}

export function run(program: string, args: readonly string[], how: How = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: how.cwd ?? ROOT, env: { ...process.env, ...CLEARED, ...how.env } });
    let [stdout, stderr] = ["", ""];
    let interrupted = false;
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
      if (!interrupted && how.interruptAt?.test(stderr) === true) {
        interrupted = true;
        child.kill("SIGINT");
      }
    });
    child.on("error", reject).on("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.on("error", () => undefined).end(how.input ?? "");
  });
}

/** A folder of its own with these files in it. */
export async function folder(files: Readonly<Record<string, string>> = {}): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "commute-test-"));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(directory, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  return directory;
}

const GUEST = `machine: counter
title: A counter of four bits
state:
  n: bits(4)
init: n == 0
transitions:
  tick:
    guard: "true"
    effect: n = n + 1
`;

const HOST = `machine: halves
title: The counter in two halves
state:
  low:  bits(2)
  high: bits(2)
init: low == 0 && high == 0
transitions:
  tick:
    guard: "true"
    effect: |
      low = low + 1
      if low == 0 { high = high + 1 }
`;

const REFINEMENT = `refinement: halves
title: Two halves count like a whole
kind: example
guest: ../../spec/counter.yaml
host: ./halves.yaml
abstraction:
  n: high ++ low
steps:
  tick: tick()
assume:
  - nobody pulls the plug
faults:
  no-carry:
    title: the carry into the upper half is missing
    replace: "high = high + 1"
    in: transitions.tick.effect
    with: "high = high"
    expect: { obligation: commute/tick, variable: n }
`;

/** The files of a project so small that a check of it takes no time. */
export const COUNTER: Readonly<Record<string, string>> = {
  "spec/counter.yaml": GUEST,
  "impl/halves/halves.yaml": HOST,
  "impl/halves/refinement.yaml": REFINEMENT,
};
