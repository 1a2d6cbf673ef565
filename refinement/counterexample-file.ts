/**
 * Counterexamples in files: found and read by name, saved so that one bug has one file and a reader never sees half of one.
 */
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Counterexample } from "./counterexample.js";
import { formatCounterexample } from "./counterexample-format.js";
import { parseCounterexample } from "./counterexample-parse.js";
import { UserError } from "./errors.js";
import { variableOf } from "./execute/difference.js";
import { makeFolder } from "./make-folder.js";

/** Throws a UserError with all that is wrong with the file, by line and column. */
export async function readCounterexample(file: string): Promise<Counterexample> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new UserError(`${file}: cannot be read: ${reason(error)}`);
  }
  return parseCounterexample(text, file);
}

/**
 * Saves a counterexample below `directory` and gives the path: `<refinement>/<obligation>-<k>.yaml`, with slashes as
 * dashes. One cause always has the same file; another cause never takes it, nor does anything overwrite a file that says
 * `expect: holds` or that cannot be read.
 */
export async function writeCounterexample(directory: string, c: Counterexample): Promise<string> {
  const folder = join(directory, fileName(c.refinement));
  try {
    await makeFolder(folder);
    for (let k = 1; ; ) {
      const path = join(folder, `${fileName(c.obligation)}-${k}.yaml`);
      const existing = await causeIn(path);
      if (existing === "other" || (existing !== "none" && existing.cause !== causeKey(c))) {
        k++;
        continue;
      }
      if (existing !== "none" && existing.guarded) return path;
      if (await writeWhole(path, formatCounterexample(c), existing === "none")) return path;
    }
  } catch (error) {
    throw new UserError(`${folder}: cannot save a counterexample there: ${reason(error)}`);
  }
}

/** A name that is safe as a file's: slashes become dashes, and so does all but letters, digits, `.`, `_` and `-`. */
function fileName(name: string): string {
  const safe = name.replaceAll(/[^A-Za-z0-9._-]+/g, "-").replace(/^\.+/, "-");
  return safe === "" ? "-" : safe;
}

/** What must be equal for two counterexamples to be of one bug. */
export function causeKey(c: Counterexample): string {
  return JSON.stringify([c.fault ?? null, c.cause.obligation, variableOf(c.cause.variable)]);
}

async function causeIn(
  path: string,
): Promise<"none" | "other" | { readonly cause: string; readonly guarded: boolean }> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return "none";
    throw error;
  }
  try {
    const c = parseCounterexample(text, path);
    return { cause: causeKey(c), guarded: c.expect === "holds" };
  } catch (error) {
    if (error instanceof UserError) return "other";
    throw error;
  }
}

let writes = 0;

/** Readers never see half a file. False where a file that should be new has come to be meanwhile. */
async function writeWhole(path: string, text: string, fresh: boolean): Promise<boolean> {
  const temporary = `${path}.${process.pid}.${writes++}.tmp`;
  try {
    await writeFile(temporary, text, { flag: "wx" });
    if (fresh) await link(temporary, path);
    else await rename(temporary, path);
    return true;
  } catch (error) {
    if (fresh && hasCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function reason(error: unknown): string {
  if (hasCode(error, "ENOENT")) return "there is no such file";
  if (hasCode(error, "EISDIR")) return "it is a folder, and a file is needed";
  return error instanceof Error ? error.message : String(error);
}
