/** What there is to check: the machines and refinements of the project around the current folder, and the built-in ones. */
import { existsSync, type Dirent } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { closest, distance } from "fastest-levenshtein";
import { UserError } from "../refinement/errors.js";
import { packageRoot } from "./package.js";

export interface Entry {
  readonly kind: "machine" | "refinement";
  readonly name: string;
  /** Absolute path. */
  readonly file: string;
  /** It came with commute, and is not of the project at hand. */
  readonly isBuiltIn: boolean;
}

export interface Project {
  /** The folder that holds the project. */
  readonly root: string;
  /** Where what is already known of its obligations is kept. */
  readonly cache: string;
  readonly machines: readonly Entry[];
  readonly refinements: readonly Entry[];
}

/** Folders that hold machines and VMs. */
const ROOMS = ["spec", "impl"];
/** A definition's kind and name stand in its first lines. */
const HEAD_BYTES = 4096;
const HEAD = /^(machine|refinement):[ \t]+(?:"([^"\n]*)"|'([^'\n]*)'|([^\s#][^\n#]*?))[ \t]*(?:#.*)?$/m;
const PARTIAL = /^partial:[ \t]+true\b/m;

/**
 * The project of `folder`: the nearest folder, it or one above, with a `spec/` or `impl/` of definitions. Where there is
 * none, the built-in definitions are all there is, and `folder` itself is the root.
 */
export async function discover(folder: string = process.cwd()): Promise<Project> {
  const home = packageRoot();
  for (let root = resolve(folder); ; root = dirname(root)) {
    const own = ROOMS.some((room) => existsSync(join(root, room))) ? await definitions(root, false) : [];
    if (own.length > 0) {
      const builtIn = root === home ? [] : await definitions(home, true);
      return project(root, join(root, ".commute"), [...own, ...builtIn]);
    }
    if (root === dirname(root)) return project(resolve(folder), userCache(), await definitions(home, true));
  }
}

/** Where there is no project, the user's own cache serves: nothing is left behind in the current folder. */
function userCache(): string {
  const base = process.env["XDG_CACHE_HOME"];
  return join(base !== undefined && base !== "" ? base : join(homedir(), ".cache"), "commute");
}

function project(root: string, cache: string, entries: readonly Entry[]): Project {
  const sorted = [...entries].sort(
    (a, b) => Number(a.isBuiltIn) - Number(b.isBuiltIn) || compare(a.name, b.name) || compare(a.file, b.file),
  );
  return {
    root,
    cache,
    machines: sorted.filter((e) => e.kind === "machine"),
    refinements: sorted.filter((e) => e.kind === "refinement"),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function definitions(root: string, isBuiltIn: boolean): Promise<Entry[]> {
  const files = (await Promise.all(ROOMS.map((room) => yamlFiles(join(root, room))))).flat();
  const entries = await Promise.all(files.map((file) => entry(file, isBuiltIn)));
  return entries.filter((e) => e !== undefined);
}

async function yamlFiles(folder: string): Promise<string[]> {
  let children: Dirent[];
  try {
    children = await readdir(folder, { withFileTypes: true });
  } catch {
    return []; // A folder that cannot be read holds nothing for us; a file named on the command line is complained about.
  }
  const found = await Promise.all(
    children.map(async (child) => {
      const path = join(folder, child.name);
      if (child.isDirectory())
        return child.name.startsWith(".") || child.name === "node_modules" ? [] : yamlFiles(path);
      return /\.ya?ml$/.test(child.name) ? [path] : [];
    }),
  );
  return found.flat();
}

/** What the file defines; undefined if neither a machine that stands on its own nor a refinement. */
async function entry(file: string, isBuiltIn: boolean): Promise<Entry | undefined> {
  const text = await head(file);
  const match = HEAD.exec(text ?? "");
  if (text === undefined || match === null) return undefined;
  const kind = match[1] === "refinement" ? "refinement" : "machine";
  if (kind === "machine" && PARTIAL.test(text)) return undefined;
  return { kind, name: match[2] ?? match[3] ?? match[4] ?? "", file, isBuiltIn };
}

async function head(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file, "r");
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      return buffer.toString("utf8", 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

/** The file of a machine or refinement that the user names, by its name or by a path. */
export async function find(project: Project, kind: Entry["kind"], text: string): Promise<Entry> {
  const known = kind === "machine" ? project.machines : project.refinements;
  const named = known.filter((e) => e.name === text);
  const preferred = named.some((e) => !e.isBuiltIn) ? named.filter((e) => !e.isBuiltIn) : named;
  const [one, ...others] = preferred;
  if (one !== undefined && others.length === 0) return one;
  if (one !== undefined) {
    throw new UserError(
      `${preferred.length} ${kind}s are called ${text}; name one by its path:\n${preferred.map((e) => `  ${show(e.file)}`).join("\n")}`,
    );
  }
  if (looksLikePath(text)) return atPath(kind, text);
  throw new UserError(unknown(kind, text, known));
}

export function looksLikePath(text: string): boolean {
  return /\.ya?ml$/.test(text) || text.includes("/") || text.includes(sep);
}

async function atPath(kind: Entry["kind"], text: string): Promise<Entry> {
  const file = resolve(text);
  const found = await entry(file, false);
  if (found?.kind === kind) return found;
  if (!existsSync(file)) throw new UserError(`${text}: there is no such file`);
  if (found !== undefined) throw new UserError(`${text}: this file defines a ${found.kind}, and a ${kind} is needed`);
  // The notation knows better what is wrong with it.
  return { kind, name: basename(file).replace(/\.ya?ml$/, ""), file, isBuiltIn: false };
}

function unknown(kind: Entry["kind"], text: string, known: readonly Entry[]): string {
  const near = nearest(
    text,
    known.map((e) => e.name),
  );
  const hint = near === undefined ? "" : `; did you mean \`${near}\`?`;
  const all = known.length === 0 ? `there are none here` : `\`commute list\` names all ${known.length}`;
  return `there is no ${kind} called \`${text}\`${hint} (${all}; a path to a file works too)`;
}

/** The member of `names` that `text` was most likely meant to be. */
export function nearest(text: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const near = closest(text, names);
  return distance(text, near) <= Math.max(2, Math.floor(text.length / 3)) || near.includes(text) ? near : undefined;
}

/** A path as a user would write it here. */
export function show(file: string): string {
  const path = relative(process.cwd(), file);
  if (path === "") return ".";
  return path.startsWith(`..${sep}`) && path.length >= file.length ? file : path;
}
