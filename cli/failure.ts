/** The classes of errors as a user sees them, and their exit codes. */
import { type Diagnostic, EnvironmentFailure, InternalDefect, UserError } from "../refinement/errors.js";
import { exitCode } from "../refinement/verdict.js";
import { FAILED, WRONG_USE } from "./exit.js";
import { version } from "./package.js";
import type { Output } from "./terminal/output.js";

interface Failure {
  readonly class: "user" | "environment" | "defect";
  readonly message: string;
  readonly diagnostics: readonly Diagnostic[];
  readonly exitCode: number;
}

/** Says what went wrong, on stderr and, with --json, as the JSON document. Returns the exit code. */
export function report(error: unknown, out: Output): number {
  const failure = classify(error);
  const { red, bold } = out.noteColors;
  out.complain(`${red(bold("error"))}: ${failure.message}`);
  out.json({
    version: 1,
    error: { class: failure.class, message: failure.message, diagnostics: failure.diagnostics },
  });
  return failure.exitCode;
}

function classify(error: unknown): Failure {
  if (error instanceof UserError) {
    return { class: "user", message: error.message, diagnostics: error.diagnostics, exitCode: WRONG_USE };
  }
  if (error instanceof EnvironmentFailure) {
    return { class: "environment", message: error.message, diagnostics: [], exitCode: exitCode("inconclusive") };
  }
  const path = pathMistake(error);
  if (path !== undefined) return { class: "user", message: path, diagnostics: [], exitCode: WRONG_USE };
  return { class: "defect", message: defect(error), diagnostics: [], exitCode: FAILED };
}

const PATH_MISTAKES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EISDIR: "it is a folder, and a file is needed",
  ENOTDIR: "a part of the path is a file, and a folder is needed",
  EEXIST: "it exists already, and is no folder",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left on the device",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "its symbolic links go round in a circle",
};

/** A path that the operating system refuses is the user's to mend, whatever its reason. `path` is for errors that do not say which. */
export function pathMistake(error: unknown, path?: string): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  // Of a copy, the template is in order; it is the new file that was refused.
  const which = "dest" in error ? String(error.dest) : "path" in error ? String(error.path) : path;
  const why = PATH_MISTAKES[String(error.code)] ?? ("errno" in error ? error.message : undefined);
  return why === undefined || which === undefined ? undefined : `${which}: ${why}`;
}

function defect(error: unknown): string {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const kind = error instanceof InternalDefect ? "" : "unexpected: ";
  return `this is a bug in commute, not in your files. ${kind}${what}

Please report it with this text, the files named on the command line, and:
  commute ${process.argv.slice(2).join(" ")}
  commute ${version()}, Node ${process.version}, ${process.platform} ${process.arch}`;
}
