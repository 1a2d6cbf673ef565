/** Files that the user names: where output is to go is tried before long work, not after. */
import { randomUUID } from "node:crypto";
import { open, readFile, rm, writeFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { dirname, join, resolve } from "node:path";
import { UserError } from "../refinement/errors.js";
import { makeFolder } from "../refinement/make-folder.js";
import { pathMistake } from "./failure.js";

/** The contents of a file; `-` is standard input. */
export async function readInput(file: string): Promise<Uint8Array> {
  if (file === "-") return buffer(process.stdin);
  try {
    return await readFile(file);
  } catch (error) {
    const why = pathMistake(error, file);
    if (why === undefined) throw error;
    throw new UserError(why);
  }
}

export async function writableFolder(folder: string, option: string): Promise<void> {
  await attempt(option, folder, async () => {
    await makeFolder(folder);
    const trial = join(folder, `.${randomUUID()}`);
    await writeFile(trial, "");
    await rm(trial);
  });
}

export async function writableFile(file: string, option: string): Promise<void> {
  await attempt(option, file, async () => {
    await makeFolder(dirname(resolve(file)));
    await (await open(file, "a")).close();
  });
}

/** Of a file that could be opened before the work; its disk may have become full since. */
export async function writeOutput(file: string, text: string, option: string): Promise<void> {
  await attempt(option, file, () => writeFile(resolve(file), text));
}

async function attempt(option: string, path: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    const why = pathMistake(error, path);
    if (why === undefined) throw error;
    throw new UserError(`${option} ${path} cannot be written: ${why}`);
  }
}
