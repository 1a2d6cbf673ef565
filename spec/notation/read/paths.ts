/** Paths with `/`, and where a machine's name leads. Needs no platform. */
import type { Files } from "../files.js";

export function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}

export function join(directory: string, path: string): string {
  if (path.startsWith("/")) return normalize(path);
  return normalize(directory === "." ? path : `${directory}/${path}`);
}

function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== ".." || !path.startsWith("/")) parts.push(part);
  }
  const joined = parts.join("/");
  return path.startsWith("/") ? `/${joined}` : joined || ".";
}

/** True for what is written as a path rather than as a machine's name. */
export function isPath(reference: string): boolean {
  return reference.includes("/") || /\.ya?ml$/.test(reference);
}

/** Where a path leads from a folder; `.yaml` may be left out. */
export function pathOf(folder: string, reference: string): string {
  return join(folder, /\.ya?ml$/.test(reference) ? reference : `${reference}.yaml`);
}

const DEPTH = 8;

/**
 * `name.yaml` in the folder, or anywhere below a `spec/` above it, the nearest first, or among the built-in machines; undefined
 * if there is none.
 */
export async function findMachine(files: Files, folder: string, name: string): Promise<string | undefined> {
  const here = join(folder, `${name}.yaml`);
  if (await files.exists(here)) return here;
  let above = files.absolute(folder);
  for (;;) {
    const spec = join(above, "spec");
    if ((await files.list(spec)).length > 0) {
      const found = await search(files, join(folder, relative(files.absolute(folder), spec)), `${name}.yaml`, DEPTH);
      if (found !== undefined) return found;
    }
    const parent = directoryOf(above);
    if (parent === above || above === "." || above === "/") break;
    above = parent;
  }
  return files.builtIn === undefined ? undefined : search(files, files.builtIn, `${name}.yaml`, DEPTH);
}

function relative(from: string, to: string): string {
  const a = from.split("/").filter((p) => p !== "");
  const b = to.split("/").filter((p) => p !== "");
  let common = 0;
  while (common < a.length && common < b.length && a[common] === b[common]) common++;
  return [...a.slice(common).map(() => ".."), ...b.slice(common)].join("/") || ".";
}

async function search(files: Files, folder: string, name: string, depth: number): Promise<string | undefined> {
  const entries = await files.list(folder);
  if (entries.includes(name)) return join(folder, name);
  if (depth === 0) return undefined;
  for (const entry of entries) {
    if (!entry.endsWith("/") || entry === "node_modules/") continue;
    const found = await search(files, join(folder, entry.slice(0, -1)), name, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
