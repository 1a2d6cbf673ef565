/**
 * How guests are compiled.
 */
import { compile as compileCached } from "../shared/programs.js";

const FLAGS = [
  "-O2",
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

/** For the instruction set `march`, with integers in registers and no floating point. */
export function architectureFlags(march: string): readonly string[] {
  return [`-march=${march}`, `-mabi=${march.startsWith("rv32") ? "ilp32" : "lp64"}`];
}

/** The path of the program compiled from `sources`, of which `headers` are read as well. */
export function compile(
  compiler: string,
  name: string,
  sources: readonly string[],
  headers: readonly string[],
  flags: readonly string[] = [],
): Promise<string> {
  return compileCached({ compiler, flags: [...FLAGS, ...flags], sources, headers, name, folder: "qemu-lockstep" });
}
