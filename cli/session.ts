/** What every command shares: its common options, Ctrl-C, and what is said when something goes wrong. */
import type { Command } from "commander";
import { INTERRUPTED } from "./exit.js";
import { report } from "./failure.js";
import { type CommonOptions, Output } from "./terminal/output.js";

export interface Session {
  readonly out: Output;
  /** Aborted by the first Ctrl-C. A command then stops, prints what it has, and ends with exit code 130. */
  readonly signal: AbortSignal;
}

export function commonOptions(command: Command): Command {
  return command
    .option("--json", "print one JSON document and nothing else on stdout")
    .option("-q, --quiet", "print only the essential: no progress, no notes")
    .option("--no-color", "no colours (also: the environment variable NO_COLOR)");
}

/** A second Ctrl-C is the user's own only after this time. */
const AGAIN_MS = 500;

/** Runs the body of a command; what it returns is the exit code, unless the user interrupted it. */
export async function session(options: CommonOptions, body: (session: Session) => Promise<number>): Promise<void> {
  const out = new Output(options);
  const controller = new AbortController();
  let stopped = 0;
  const stop = () => {
    // `timeout` and some shells send the same signal twice, to the process and to its group.
    if (controller.signal.aborted && performance.now() - stopped < AGAIN_MS) return;
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    stopped = performance.now();
    out.note("stopping; once more to quit at once");
    controller.abort();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    const code = await body({ out, signal: controller.signal });
    process.exitCode = controller.signal.aborted ? INTERRUPTED : code;
  } catch (error) {
    process.exitCode = controller.signal.aborted ? INTERRUPTED : report(error, out);
  } finally {
    out.progress.close();
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}
