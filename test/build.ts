/**
 * Commands and worker threads run what is compiled: before the tests, dist/ is brought up to date if a source is newer.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const ROOMS = ["spec", "impl", "refinement", "properties", "cli", "bench", "validation", "test"];

export default function build(): void {
  const stale = ROOMS.flatMap(sources).some((file) => isStale(file));
  if (!stale) return;
  const tsc = path.join(ROOT, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", ROOT], { encoding: "utf8" });
  if (status !== 0) process.stderr.write(`the project does not compile:\n${stdout}`);
}

function sources(room: string): string[] {
  const children = readdirSync(path.join(ROOT, room), { recursive: true, withFileTypes: true });
  return children
    .filter((child) => child.isFile() && /(?<!\.d)\.ts$/.test(child.name))
    .map((child) => path.join(child.parentPath, child.name));
}

function isStale(source: string): boolean {
  const compiled = path.join(ROOT, "dist", path.relative(ROOT, source)).replace(/\.ts$/, ".js");
  const built = statSync(compiled, { throwIfNoEntry: false });
  return built === undefined || built.mtimeMs < statSync(source).mtimeMs;
}
