/** The programs that a refinement file names. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** A name without a slash is looked for as the shell does; a path is relative to the refinement's folder. */
export function findProgram(program: string, directory: string): string | undefined {
  const folders = program.includes("/") ? [directory] : (process.env["PATH"] ?? "").split(path.delimiter);
  return folders.map((folder) => path.resolve(folder, program)).find((file) => existsSync(file));
}

/** A digest of the command, the program that it names, found in `file`, and the files that are its arguments. */
export function commandIdentity(command: readonly string[], directory: string, file: string): string {
  const hash = createHash("sha256").update(JSON.stringify(command));
  for (const word of [file, ...command.slice(1)]) {
    try {
      hash.update(readFileSync(path.resolve(directory, word)));
    } catch {
      // An argument that is no file is in the command itself.
    }
  }
  return hash.digest("hex");
}
