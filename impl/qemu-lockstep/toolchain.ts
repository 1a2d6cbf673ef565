/**
 * Finding the programs that are needed, and compiling guests into a cache below the system's temporary directory.
 */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, readFile, rename, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { Missing } from "../../refinement/emulator.js";
import { EnvironmentFailure } from "../../refinement/errors.js";

/** Runs a program that reads nothing. */
async function run(
  program: string,
  args: readonly string[],
  options: { readonly timeout: number },
): Promise<{ readonly stdout: string }> {
  const running = promisify(execFile)(program, [...args], { ...options, killSignal: "SIGKILL" });
  running.child.stdin?.end();
  return running;
}

/** The Debian package that each program comes from. */
const PACKAGES: Readonly<Record<string, string>> = {
  "qemu-riscv64": "qemu-user",
  "riscv64-linux-gnu-gcc": "gcc-riscv64-linux-gnu",
};

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

/** QEMU 8.1 renamed the option, and later versions know the new name alone. */
export function singleStepOption(version: string): string {
  const [, major = "0", minor = "0"] = /version (\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 8 || (Number(major) === 8 && Number(minor) >= 1) ? "-one-insn-per-tb" : "-singlestep";
}

const FLAGS = [
  "-O2",
  "-march=rv64im",
  "-mabi=lp64",
  "-mcmodel=medany",
  "-ffreestanding",
  "-fno-builtin",
  "-fno-tree-loop-distribute-patterns",
  "-fno-stack-protector",
  "-fno-pic",
  "-no-pie",
  "-nostdlib",
  "-static",
  "-Wl,--no-relax",
  "-Wl,--build-id=none",
];

function cacheDirectory(): string {
  return path.join(os.tmpdir(), `commute-${os.userInfo().uid}`, "qemu-lockstep");
}

/**
 * The path of the program compiled from `sources`, of which `headers` are read as well. The cache's key is all that the result
 * depends on; two runs that compile the same at once do no harm, since the result is put in place by renaming it.
 */
export async function compile(
  compiler: string,
  name: string,
  sources: readonly string[],
  headers: readonly string[],
  flags: readonly string[] = [],
): Promise<string> {
  const key = await digestOf([...sources, ...headers], JSON.stringify([await versionOf(compiler), FLAGS, flags]));
  const folder = cacheDirectory();
  const result = path.join(folder, `${name}-${key}.elf`);
  if (await exists(result)) return result;
  const fresh = `${result}.${randomBytes(6).toString("hex")}`;
  try {
    await mkdir(folder, { recursive: true });
    await run(compiler, [...FLAGS, ...flags, "-o", fresh, ...sources], { timeout: 120_000 });
    await rename(fresh, result);
  } catch (error) {
    await rm(fresh, { force: true });
    throw new EnvironmentFailure(
      compiler,
      `cannot compile ${sources[0]}: ${error instanceof Error ? error.message : ""}`,
      { cause: error },
    );
  }
  return result;
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

/**
 * Extensions that the definition (RV64IM) does not have. Which of them a version of QEMU knows, and by which name, differs.
 * D goes before F, which it depends on.
 */
const EXTENSIONS = [
  "c",
  "a",
  "d",
  "f",
  "h",
  "Zifencei",
  "zifencei",
  "Zicsr",
  "zicsr",
  "Zawrs",
  "zawrs",
  "zba",
  "zbb",
  "zbc",
  "zbs",
  "zfa",
  "zicboz",
  "zicbom",
  "zicond",
];

/** The processor model with every extension switched off that this emulator lets one switch off. */
export async function processorModel(emulator: string, cpu: string, probe: string): Promise<string> {
  let extensions = EXTENSIONS;
  for (;;) {
    const model = [cpu, ...extensions.map((e) => `${e}=off`)].join(",");
    const complaint = await run(emulator, ["-cpu", model, probe], { timeout: 20_000 }).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (complaint === undefined) return model;
    const unknown = /Property '[^']*\.(\w+)' not found/.exec(complaint)?.[1];
    if (unknown === undefined || !extensions.includes(unknown)) {
      throw new EnvironmentFailure(emulator, `does not run with -cpu ${model}: ${complaint}`);
    }
    extensions = extensions.filter((e) => e !== unknown);
  }
}
