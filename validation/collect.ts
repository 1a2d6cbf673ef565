/** Gathers evidence: runs emulator refinements on many cases, and the tests that stand beside assemblers. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { discover, find } from "../cli/project.js";
import { EnvironmentFailure, UserError } from "../refinement/errors.js";
import { testEmulator } from "../properties/emulator.js";
import { loadRefinement } from "../spec/notation/index.js";
import { type Chapter, readEvidence, type Source } from "./files.js";

const run = promisify(execFile);

export interface CollectOptions {
  readonly seed: number;
  /** Instead of the plan's numbers. */
  readonly cases: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (part: number, what: string) => void;
}

/** Everything of one chapter. A disagreement ends it: what is not validated must not be written down as if it were. */
export async function collect(chapter: Chapter, options: CollectOptions): Promise<readonly Source[]> {
  const sources: Source[] = [];
  for (const wanted of chapter.refinements) sources.push(await semantics(wanted, options));
  for (const test of chapter.tests) {
    // A test may be about machines of other chapters as well.
    const found = await encodings(test, options);
    sources.push(...found.filter(({ machine }) => chapter.machines.includes(machine)));
  }
  return sources;
}

async function semantics(wanted: Chapter["refinements"][number], options: CollectOptions): Promise<Source> {
  const { name, machine } = wanted;
  const { file } = await find(await discover(), "refinement", name);
  const refinement = await loadRefinement(file);
  if (refinement.form !== "emulator") throw new UserError(`${name} is no emulator that could validate a machine`);
  if (refinement.guest.name !== machine)
    throw new UserError(`${name} has the guest ${refinement.guest.name}, not ${machine}`);
  const { seed, signal, onProgress } = options;
  const number = options.cases ?? wanted.cases;
  const tested = await testEmulator(refinement, {
    cases: number,
    seed,
    signal,
    onProgress: (done, total, what) => onProgress(total === 0 ? 0 : done / total, `${name} ${what}`),
  });
  if ("missing" in tested) {
    const remedies = tested.missing.map(({ program, remedy }) => `${program}: ${remedy}`);
    throw new EnvironmentFailure(name, `needs ${remedies.join("; ")}`);
  }
  signal.throwIfAborted();
  const cases: Record<string, number> = {};
  const programs: Record<string, number> = {};
  for (const { name: obligation, verdict, executed = [] } of tested.results) {
    if (verdict.verdict === "refuted")
      throw new UserError(
        `${name} ${obligation} is refuted: \`npx commute check ${name}\` shows how; then it can be examined`,
      );
    if (verdict.verdict !== "tested") continue;
    const [kind, ...rest] = obligation.split("/");
    const into = kind === "lockstep" ? programs : cases;
    into[rest.join("/")] = verdict.cases;
    for (const [instruction, count] of executed) cases[instruction] = (cases[instruction] ?? 0) + count;
  }
  const command = `npx commute check ${name} --cases ${number} --seed ${seed}`;
  return { machine, aspect: "semantics", against: withoutSources(tested.identity), command, cases, programs };
}

/** What is ours of what an answer depends on says nothing to a reader. */
function withoutSources(identity: string): string {
  const parts = identity.split("; ");
  return parts.filter((part) => !part.startsWith("sources ")).join("; ");
}

/** A test whose file writes down what it compared. */
async function encodings(test: string, { onProgress }: CollectOptions): Promise<readonly Source[]> {
  onProgress(0, test);
  const folder = await mkdtemp(path.join(os.tmpdir(), "commute-evidence-"));
  try {
    await run("npx", ["vitest", "run", test], {
      env: { ...process.env, COMMUTE_EVIDENCE: folder },
      maxBuffer: 2 ** 26,
    }).catch((error: unknown) => {
      throw new UserError(`${test} fails: ${error instanceof Error ? error.message : String(error)}`);
    });
    const found = await Promise.all(
      (await readdir(folder)).sort().map((file) => readEvidence(path.join(folder, file))),
    );
    if (found.length === 0)
      throw new EnvironmentFailure(test, "compared nothing: an assembler that it needs is not installed");
    return found.flat();
  } finally {
    await rm(folder, { recursive: true });
  }
}
