import { existsSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { UserError } from "../../refinement/errors.js";
import { discover, show } from "../project.js";
import { commonOptions, session, type Session } from "../session.js";
import type { CommonOptions } from "../terminal/output.js";
import { table } from "../terminal/table.js";

export function addReplay(program: Command): Command {
  return commonOptions(program.command("replay"))
    .description("run saved counterexamples again and compare each with what it expects")
    .argument("[FILE...]", "counterexample files or folders of them (default: the project's counterexamples/)")
    .addHelpText(
      "after",
      `
A case that expects \`refuted\` must still fail; one that expects \`holds\` guards against the return of a mended bug.
Exit code 0 if every case does as it expects, 1 if one does not, 3 if one cannot be run.

Examples:
  commute replay
  commute replay counterexamples/pipeline --json`,
    )
    .action((files: readonly string[], options: CommonOptions) => session(options, (s) => replayAll(files, s)));
}
