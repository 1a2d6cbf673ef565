/** Where files come from: the one module of the notation that touches a file system. A browser brings its own `Files`. */
import { access, readFile, readdir } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";

/** Paths use `/`; a relative one is relative to wherever the provider's root is. */
export interface Files {
  /** The text of a file; undefined if there is none or it cannot be read. */
  read(path: string): Promise<{ readonly text: string } | { readonly problem: string }>;
  exists(path: string): Promise<boolean>;
  /** Names in a directory, those of subdirectories with a `/` behind them; empty if it cannot be listed. */
  list(directory: string): Promise<readonly string[]>;
  /** The path as other modules of the platform need it. */
  absolute(path: string): string;
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

export const nodeFiles: Files = {
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
};
