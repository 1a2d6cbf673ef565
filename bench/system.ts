/** The machine with modes: programs on rv64-system, paging off and under Sv39, against QEMU's system emulator. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { packageRoot } from "../cli/package.js";
import { EnvironmentFailure } from "../refinement/errors.js";
import { runProgram } from "../refinement/execute/run.js";
import type { Machine } from "../refinement/machine.js";
import { loadMachine } from "../spec/notation/index.js";
import type { Row } from "./row.js";

const UNIT = "million instructions/s";
/** Rounds that take some seconds: the simulator compiles what is hot within the first tenths of one. */
const PROGRAMS = [
  { name: "loads and stores", file: "touch.S", rounds: 80_000_000 },
  { name: "mix.c", file: "mix.c", rounds: 30_000_000 },
  { name: "sort.c", file: "sort.c", rounds: 300 },
] as const;

type Program = (typeof PROGRAMS)[number];

/** The program behind boot.S with `-DPAGING=…`, or undefined where no compiler is installed. */
function compiled(folder: string, program: Program, paging: 0 | 1, rounds: number): string | undefined {
  const elf = path.join(folder, `${program.file}-${paging}-${rounds}`);
  const sources = ["boot.S", program.file].map((file) => path.join(packageRoot(), "bench", "programs", file));
  const options = ["-O2", "-march=rv64imac_zicsr", "-mabi=lp64", "-mcmodel=medany", "-nostdlib", "-ffreestanding"];
  const layout = ["-static", "-fno-pie", "-no-pie", "-Wl,-Ttext=0x80000000", "-Wl,-e,boot", "-Wl,--build-id=none"];
  const defined = [`-DPAGING=${paging}`, `-DROUNDS=${rounds}`];
  const arguments_ = [...options, ...layout, "-Wl,--no-relax", ...defined, "-o", elf, ...sources];
  const done = spawnSync("riscv64-linux-gnu-gcc", arguments_, { encoding: "utf8" });
  if (done.error !== undefined) return undefined;
  if (done.status !== 0) throw new EnvironmentFailure("riscv64-linux-gnu-gcc", done.stderr);
  return elf;
}

interface Simulated {
  readonly steps: number;
  readonly rate: number;
  readonly exitCode: number;
}

async function simulated(machine: Machine, elf: string): Promise<Simulated> {
  const result = await runProgram(machine, { kind: "elf", file: elf, bytes: await readFile(elf) });
  if (result.reason !== "exit") throw new Error(`${elf} does not end by itself: ${result.message ?? ""}`);
  return { steps: result.steps, rate: result.steps / result.seconds / 1e6, exitCode: result.exitCode };
}

/** Milliseconds under QEMU, its start included, and the exit code; undefined where it is not installed. */
function emulated(elf: string): { readonly elapsed: number; readonly exitCode: number | null } | undefined {
  const options = ["-machine", "virt", "-bios", "none", "-display", "none", "-serial", "none", "-monitor", "none"];
  const start = performance.now();
  const done = spawnSync("qemu-system-riscv64", [...options, "-kernel", elf], { timeout: 120_000 });
  if (done.error !== undefined) return undefined;
  return { elapsed: performance.now() - start, exitCode: done.status };
}

async function rowsOf(machine: Machine, folder: string, program: Program): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const rates: number[] = [];
  for (const paging of [0, 1] as const) {
    const [elf, idle] = [compiled(folder, program, paging, program.rounds), compiled(folder, program, paging, 1)];
    if (elf === undefined || idle === undefined) return [];
    const { steps, rate, exitCode } = await simulated(machine, elf);
    rates.push(rate);
    const name = `system: ${program.name}, ${paging === 0 ? "paging off" : "under Sv39"}`;
    const [whole, start] = [emulated(elf), emulated(idle)];
    if (whole !== undefined && whole.exitCode !== exitCode)
      throw new Error(`${elf} exits with ${exitCode}, under QEMU with ${whole.exitCode}`);
    const against = whole === undefined || start === undefined ? 0 : steps / (whole.elapsed - start.elapsed) / 1000;
    const baseline =
      against === 0 ? {} : { baseline: { name: "qemu-system-riscv64", value: against }, ratio: rate / against };
    rows.push({ name, value: rate, unit: UNIT, ...baseline });
  }
  const [off, on] = rates;
  if (off === undefined || on === undefined) return rows;
  const baseline = { name: "paging off", value: off };
  return [...rows, { name: `system: ${program.name}, under Sv39`, value: on, unit: UNIT, baseline, ratio: on / off }];
}

export default async function (): Promise<readonly Row[]> {
  const machine = await loadMachine(path.join(packageRoot(), "spec", "riscv", "rv64-system.yaml"));
  const folder = await mkdtemp(path.join(os.tmpdir(), "commute-bench-"));
  try {
    // What belongs to the machine, and to no program, is compiled before anything is measured.
    const warmUp = compiled(folder, PROGRAMS[0], 0, 1_000_000);
    if (warmUp === undefined) return [];
    await simulated(machine, warmUp);
    const rows: Row[] = [];
    for (const program of PROGRAMS) rows.push(...(await rowsOf(machine, folder, program)));
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
