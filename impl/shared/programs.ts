/** Programs of this computer: where they are, which version, and compiling with them into a cache below the temporary directory. */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, readFile, rename, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { Missing } from "../../refinement/emulator.js";
import { EnvironmentFailure } from "../../refinement/errors.js";
import { makeFolder } from "../../refinement/make-folder.js";

/** Runs a program that reads nothing. */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly timeout: number },
): Promise<{ readonly stdout: string }> {
  const running = promisify(execFile)(program, [...args], { ...options, killSignal: "SIGKILL" });
  running.child.stdin?.end();
  return running;
}

/** The absolute path of a program, looked for on PATH unless it contains a slash. */
export async function findProgram(program: string): Promise<string | undefined> {
  const folders = program.includes("/") ? [""] : (process.env.PATH ?? "").split(path.delimiter);
  for (const folder of folders) {
    const candidate = path.resolve(folder, program);
    const found = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
  }
  return undefined;
}

/** The Debian package that each program comes from. */
const PACKAGES: Readonly<Record<string, string>> = {
  "qemu-riscv32": "qemu-user",
  "qemu-riscv64": "qemu-user",
  "qemu-system-riscv32": "qemu-system-misc",
  "qemu-system-riscv64": "qemu-system-misc",
  "riscv64-linux-gnu-gcc": "gcc-riscv64-linux-gnu",
};

export function missing(program: string): Missing {
  const name = PACKAGES[path.basename(program)];
  const remedy =
    name === undefined
      ? `install ${program} or put it on PATH`
      : `apt-get install ${name} (or your system's package with ${program})`;
  return { program, remedy };
}

const versions = new Map<string, Promise<string>>();

/** The first line that a program prints about its version. */
export function versionOf(program: string): Promise<string> {
  const asked = versions.get(program) ?? askVersion(program);
  versions.set(program, asked);
  return asked;
}

async function askVersion(program: string): Promise<string> {
  try {
    const { stdout } = await run(program, ["--version"], { timeout: 20_000 });
    return stdout.split("\n")[0] ?? "";
  } catch (error) {
    throw new EnvironmentFailure(program, "does not tell its version", { cause: error });
  }
}

export interface Compilation {
  readonly compiler: string;
  readonly flags: readonly string[];
  readonly sources: readonly string[];
  /** Read by the sources. */
  readonly headers: readonly string[];
  /** Of the result, before its key. */
  readonly name: string;
  /** Of the cache, which it shares with nothing else. */
  readonly folder: string;
}

/**
 * The path of the compiled program. The cache's key is all that the result depends on; two runs that compile the same at once do no
 * harm, since the result is put in place by renaming it.
 */
export async function compile({ compiler, flags, sources, headers, name, folder }: Compilation): Promise<string> {
  const key = await digestOf([...sources, ...headers], JSON.stringify([await versionOf(compiler), flags]));
  const directory = cacheFolder(folder);
  const result = path.join(directory, `${name}-${key}.elf`);
  if (await exists(result)) return result;
  const fresh = `${result}.${randomBytes(6).toString("hex")}`;
  try {
    await makeFolder(directory);
    await run(compiler, [...flags, "-o", fresh, ...sources], { timeout: 120_000 });
    await rename(fresh, result);
  } catch (error) {
    await rm(fresh, { force: true });
    const reason = error instanceof Error ? error.message : "";
    throw new EnvironmentFailure(compiler, `cannot compile ${sources[0]}: ${reason}`, { cause: error });
  }
  return result;
}

/** Where an implementation keeps what it has compiled, below the system's temporary directory. */
export function cacheFolder(implementation: string): string {
  return path.join(os.tmpdir(), `commute-${os.userInfo().uid}`, implementation);
}

/** Of files' contents and whatever else counts. */
export async function digestOf(files: readonly string[], more = ""): Promise<string> {
  const hash = createHash("sha256").update(more);
  for (const file of files) hash.update(await readFile(file)).update("\0");
  return hash.digest("hex").slice(0, 16);
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
