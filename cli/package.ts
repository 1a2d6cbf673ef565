/** Where this package stands: data files (machines, schemas, templates) are read from its root, not from dist/. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InternalDefect } from "../refinement/errors.js";

function manifest(directory: string): { readonly name?: unknown; readonly version?: unknown } | undefined {
  const file = join(directory, "package.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

/** The folder of the package.json named commute, above this module whether it runs from dist/ or from source. */
export function packageRoot(): string {
  for (let directory = dirname(fileURLToPath(import.meta.url)); ; directory = dirname(directory)) {
    if (manifest(directory)?.name === "commute") return directory;
    if (directory === dirname(directory))
      throw new InternalDefect("the package.json of commute is not above its own code");
  }
}

export function version(): string {
  return String(manifest(packageRoot())?.version);
}
