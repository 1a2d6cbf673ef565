/**
 * Where the compiled form of a module lies. What a worker thread runs is JavaScript; the tests run the TypeScript sources
 * directly, so that a module beside a source file has to be looked for below `dist/`.
 */
import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import path from "node:path";
import { EnvironmentFailure, InternalDefect } from "./errors.js";

/**
 * The URL of the compiled module `relative` (as in an import: `./worker.js`) beside the module whose `import.meta.url` is
 * `base`. Throws an EnvironmentFailure where the project has not been compiled.
 */
export function compiledModule(relative: string, base: string): URL {
  const beside = new URL(relative, base);
  if (!fileURLToPath(base).endsWith(".ts")) return beside;
  const source = fileURLToPath(beside);
  const root = projectRoot(path.dirname(source));
  const compiled = path.join(root, "dist", path.relative(root, source));
  if (!existsSync(compiled)) {
    throw new EnvironmentFailure(compiled, "is not there: compile the project first (npm run build)");
  }
  return pathToFileURL(compiled);
}

function projectRoot(from: string): string {
  for (let folder = from; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, "package.json"))) return folder;
    if (path.dirname(folder) === folder) throw new InternalDefect(`no package.json above ${from}`);
  }
}
