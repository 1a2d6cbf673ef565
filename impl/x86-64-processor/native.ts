/** The case runner, compiled for the processor at hand by its own compiler. */
import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Missing } from "../../refinement/emulator.js";
import { compile, digestOf, findProgram, versionOf } from "../shared/programs.js";

const FLAGS = [
  "-O2",
  "-march=x86-64",
  "-mno-red-zone",
  "-ffreestanding",
  "-fno-builtin",
  "-fno-tree-loop-distribute-patterns",
  "-fno-stack-protector",
  "-fcf-protection=none",
  "-fpie",
  "-static-pie",
  "-nostdlib",
  "-Wl,--build-id=none",
];

/** The path of the compiled program, or what it takes to have one. */
export async function compileRunner(
  compiler: string,
  directory: string,
): Promise<{ readonly program: string; readonly identity: string } | { readonly missing: readonly Missing[] }> {
  if (process.platform !== "linux" || process.arch !== "x64")
    return { missing: [{ program: "an x86-64 processor with Linux", remedy: "run it on such a computer" }] };
  const found = await findProgram(compiler);
  if (found === undefined)
    return { missing: [{ program: compiler, remedy: `apt-get install ${compiler} (or your system's package of it)` }] };
  const source = path.join(directory, "native", "case-runner.c");
  const headers = [path.join(directory, "..", "shared", "windows.h")];
  const program = await compile({
    compiler: found,
    flags: FLAGS,
    sources: [source],
    headers,
    name: "case-runner",
    folder: "x86-64-processor",
  });
  const { model, features } = await processor();
  const identity = [
    model,
    `Linux ${os.release()}`,
    await versionOf(found),
    [...features].join(" "),
    await digestOf([source, ...headers], JSON.stringify(FLAGS)),
  ].join("; ");
  return { program, identity };
}

export interface Processor {
  readonly model: string;
  /** As Linux calls the bits of CPUID. */
  readonly features: ReadonlySet<string>;
}

export async function processor(): Promise<Processor> {
  const text = await readFile("/proc/cpuinfo", "utf8");
  const field = (name: string): string => new RegExp(`^${name}\\s*: (.*)$`, "m").exec(text)?.[1] ?? "";
  return {
    model: ["vendor_id", "model name", "cpu family", "model", "stepping"].map(field).join(" "),
    features: new Set(field("flags").split(" ")),
  };
}
