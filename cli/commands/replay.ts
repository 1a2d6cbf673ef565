import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { EnvironmentFailure, UserError } from "../../refinement/errors.js";
import type { Violation } from "../../refinement/execute/commute.js";
import type { ReplayContext, Replayed } from "../../refinement/replay.js";
import { exitCode } from "../../refinement/verdict.js";
import { discover, find, type Project, show } from "../project.js";
import { commonOptions, type Session, session } from "../session.js";
import type { CommonOptions, Output } from "../terminal/output.js";
import { table } from "../terminal/table.js";

export function addReplay(program: Command): Command {
  return commonOptions(program.command("replay"))
    .description("run saved counterexamples again and compare each with what it expects")
    .argument("[FILE...]", "counterexample files, or folders of them (default: the project's counterexamples/)")
    .addHelpText(
      "after",
      `
\`commute check --save DIR\` writes them. A case that expects \`refuted\` must still fail; one that expects \`holds\` guards against the
return of a mended bug.
Exit code 0 if every case does as it expects, 1 if one does not, 2 if one cannot be read or run.

Examples:
  commute replay
  commute replay counterexamples/pipeline --json`,
    )
    .action((paths: readonly string[], options: CommonOptions) => session(options, (s) => replayAll(paths, s)));
}

async function replayAll(paths: readonly string[], { out, signal }: Session): Promise<number> {
  const project = await discover();
  const files = await cases(project, paths);
  const { replayFile } = await import("../../refinement/replay.js");
  const context = contextOf(project, signal);
  const replayed: Replayed[] = [];
  for (const [done, file] of files.entries()) {
    if (signal.aborted) break;
    out.progress.update({ done, total: files.length, running: show(file) });
    replayed.push(await replayFile(file, context));
    await new Promise((resolve) => setImmediate(resolve)); // So that Ctrl-C is heard.
  }
  out.progress.close();
  out.json({ version: 1, cases: replayed.map(({ report: _, ...rest }) => ({ ...rest, file: show(rest.file) })) });
  render(replayed, files.length, out);
  if (replayed.some((r) => r.got === "error")) return 2;
  return replayed.every((r) => r.ok) ? exitCode("holds") : exitCode("refuted");
}

/** The counterexample files that the user names, or all of the project. */
async function cases(project: Project, paths: readonly string[]): Promise<readonly string[]> {
  const roots = paths.length > 0 ? paths : [join(project.root, "counterexamples")];
  const found = await Promise.all(
    roots.map(async (root) => {
      const kind = await stat(root).catch(() => undefined);
      if (kind?.isDirectory() !== true) return kind === undefined && paths.length === 0 ? [] : [root];
      const children = await readdir(root, { recursive: true });
      return children
        .filter((child) => /\.ya?ml$/.test(child))
        .sort()
        .map((child) => join(root, child));
    }),
  );
  const files = [...new Set(found.flat())];
  if (files.length === 0) {
    throw new UserError(
      `there are no counterexamples in ${roots.map(show).join(", ")}; \`commute check --save DIR\` writes them`,
    );
  }
  return files;
}

function contextOf(project: Project, signal: AbortSignal): ReplayContext {
  return {
    signal,
    async load(name, fault) {
      const { file } = await find(project, "refinement", name);
      const { loadRefinement } = await import("../../spec/notation/index.js");
      return loadRefinement(file, fault === undefined ? {} : { fault });
    },
    async runEmulator(refinement, c): Promise<readonly Violation[]> {
      const { replayEmulator } = await import("../../properties/emulator.js");
      const again = await replayEmulator(refinement, c, signal);
      if ("missing" in again) {
        throw new EnvironmentFailure(
          refinement.name,
          again.missing.map((m) => `${m.program} is not installed: ${m.remedy}`).join("; "),
        );
      }
      return again.differs.length === 0 ? [] : [{ obligation: c.obligation, differs: again.differs, certain: true }];
    },
  };
}

function render(replayed: readonly Replayed[], total: number, out: Output): void {
  const { green, red, dim } = out.colors;
  const shown = out.isQuiet ? replayed.filter((r) => !r.ok) : replayed;
  const rows = shown.map(({ file, expect, got, ok, message }) => [
    ok ? green("ok") : red("WRONG"),
    show(file),
    `expects ${expect ?? "?"}, got ${got}`,
    dim(message?.split("\n")[0] ?? ""),
  ]);
  for (const row of table(rows)) out.line(row);
  for (const { file, ok, report, message } of replayed) {
    // A message of one line stands in the table.
    if (ok || (report === undefined && message?.includes("\n") === false)) continue;
    out.line();
    out.line(
      message === undefined ? show(file) : message.startsWith(`${file}:`) ? message : `${show(file)}: ${message}`,
    );
    if (report !== undefined) for (const line of report.split("\n")) out.line(`  ${line}`);
  }
  const wrong = replayed.filter((r) => !r.ok).length;
  const left = replayed.length < total ? `, ${total - replayed.length} not run` : "";
  out.detail(`${replayed.length - wrong} as expected, ${wrong} not${left}`);
}
