/** Where files come from: the one module of the notation that touches a file system. A browser brings its own `Files`. */
import { existsSync } from "node:fs";
import { access, readFile, readdir } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Paths use `/`; a relative one is relative to wherever the provider's root is. */
export interface Files {
  /** The text of a file; undefined if there is none or it cannot be read. */
  read(path: string): Promise<{ readonly text: string } | { readonly problem: string }>;
  exists(path: string): Promise<boolean>;
  /** Names in a directory, those of subdirectories with a `/` behind them; empty if it cannot be listed. */
  list(directory: string): Promise<readonly string[]>;
  /** The path as other modules of the platform need it. */
  absolute(path: string): string;
  /** A folder of machines that come with the program: names that are found nowhere else are looked for below it. */
  readonly builtIn: string | undefined;
  /** Where the code of an implementation's module is, ready to be imported: the compiled form where compiled code runs. */
  module(path: string): string;
}

function problemOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "ENOENT":
      return "there is no such file";
    case "EISDIR":
      return "it is a directory";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

/** `dist/impl/vm/emulator.js` of the project's `impl/vm/emulator.ts`, or the JavaScript beside it. */
function compiled(source: string): string | undefined {
  const script = source.replace(/\.ts$/, ".js");
  if (existsSync(script)) return script;
  for (let folder = dirname(source); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) {
      const inDist = join(folder, "dist", relative(folder, script));
      return existsSync(inDist) ? inDist : undefined;
    }
    if (dirname(folder) === folder) return undefined;
  }
}

/** `spec/` of the package that this module is part of. */
function builtIn(): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return join(folder, "spec");
    if (dirname(folder) === folder) return undefined;
  }
}

export const nodeFiles: Files = {
  builtIn: builtIn(),
  async read(path) {
    try {
      return { text: await readFile(path, "utf8") };
    } catch (error) {
      return { problem: problemOf(error) };
    }
  },
  async exists(path) {
    try {
      await access(path);
      return true;
    } catch {
      return false;
    }
  },
  async list(directory) {
    try {
      const entries = await readdir(directory, { withFileTypes: true });
      return entries.map((e) => (e.isDirectory() ? `${e.name}/` : e.name)).sort();
    } catch {
      return [];
    }
  },
  absolute: (path) => (isAbsolute(path) ? path : resolve(path)),
  module: (path) => {
    const source = resolve(path);
    return import.meta.url.endsWith(".js") && source.endsWith(".ts") ? (compiled(source) ?? source) : source;
  },
};
