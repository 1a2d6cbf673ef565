#!/usr/bin/env node
/**
 * The command line. Everything heavy is imported by the command that needs it, when it runs: `--help` loads no parser
 * and no solver.
 */
import { Command, CommanderError } from "commander";
import { addAsm } from "./commands/asm.js";
import { addCheck } from "./commands/check.js";
import { addDisasm } from "./commands/disasm.js";
import { addExplain } from "./commands/explain.js";
import { addInit } from "./commands/init.js";
import { addList } from "./commands/list.js";
import { addReplay } from "./commands/replay.js";
import { addRun } from "./commands/run.js";
import { exit, WRONG_USE } from "./exit.js";
import { pathMistake, report } from "./failure.js";
import { version } from "./package.js";
import { Output } from "./terminal/output.js";

const program = new Command("commute")
  .description("Checks that a virtual machine keeps its promise: does the diagram commute?")
  .version(version(), "-V, --version", "print the version")
  .helpOption("-h, --help", "print this help")
  .helpCommand("help [COMMAND]", "print the help of a command")
  .addHelpText(
    "after",
    `
Without a command, \`commute\` checks everything in the project.

Exit codes: 0 every obligation holds, 1 at least one is refuted, 2 wrong use or a file in error,
3 none refuted but something is unknown, unsupported or vacuous, 130 interrupted.`,
  )
  .showSuggestionAfterError()
  .exitOverride();

for (const add of [addList, addCheck, addReplay, addExplain, addRun, addAsm, addDisasm, addInit]) {
  add(program).exitOverride();
}

// A reader who has seen enough (`commute list | head -1`) is no failure; a disk that is full is one.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
  process.stderr.write(`error: ${pathMistake(error, "standard output") ?? error.message}\n`);
  process.exit(WRONG_USE);
});
process.stderr.on("error", () => undefined); // There is nobody left to be told.

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : WRONG_USE;
  else process.exitCode = report(error, new Output({ color: true }));
}
await exit();
