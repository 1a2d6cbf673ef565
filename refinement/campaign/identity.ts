/**
 * Which checker this is: a digest of the package's version and of every module that an answer can depend on.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Folders, from the project's or the compiled root, whose modules decide answers. */
const ROOMS = ["refinement", "spec/notation", "properties"];

let known: string | undefined;

export function checkerIdentity(): string {
  known ??= compute();
  return known;
}

function compute(): string {
  const here = fileURLToPath(import.meta.url);
  const extension = path.extname(here);
  const root = path.resolve(path.dirname(here), "../..");
  const hash = createHash("sha256");
  for (const room of ROOMS) {
    for (const file of modulesIn(path.join(root, room), extension)) {
      hash.update(path.relative(root, file));
      hash.update(readFileSync(file));
    }
  }
  return hash.digest("hex");
}

function modulesIn(folder: string, extension: string): readonly string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension) && !entry.name.endsWith(".d.ts"))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}
