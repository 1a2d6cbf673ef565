/** Address translation: a loop of loads and stores on rv64-system with Sv39 on, against paging off, rv64im and QEMU. */
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
const ROUNDS = 20_000_000;

/** The program with `-DPAGING=…`, or undefined where no compiler is installed. */
function assembled(folder: string, paging: 0 | 1, rounds: number): string | undefined {
  const elf = path.join(folder, `paging-${paging}-${rounds}`);
  const source = path.join(packageRoot(), "bench", "programs", "paging.S");
  const options = ["-march=rv64ima_zicsr", "-mabi=lp64", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x80000000"];
  const more = ["-Wl,--build-id=none", "-Wl,--no-relax", `-DPAGING=${paging}`, `-DROUNDS=${rounds}`, "-o", elf, source];
  const done = spawnSync("riscv64-linux-gnu-gcc", [...options, ...more], { encoding: "utf8" });
  if (done.error !== undefined) return undefined;
  if (done.status !== 0) throw new EnvironmentFailure("riscv64-linux-gnu-gcc", done.stderr);
  return elf;
}

async function simulated(machine: Machine, elf: string): Promise<{ readonly steps: number; readonly rate: number }> {
  const result = await runProgram(machine, { kind: "elf", file: elf, bytes: await readFile(elf) });
  if (result.exitCode !== 0) throw new Error(`${elf} exits with ${result.exitCode}: ${result.message ?? ""}`);
  return { steps: result.steps, rate: result.steps / result.seconds / 1e6 };
}

/** Milliseconds under QEMU, the start of it included; undefined where it is not installed. */
function emulated(elf: string): number | undefined {
  const options = ["-machine", "virt", "-bios", "none", "-display", "none", "-serial", "none", "-monitor", "none"];
  const start = performance.now();
  const done = spawnSync("qemu-system-riscv64", [...options, "-kernel", elf], { timeout: 120_000 });
  if (done.error !== undefined) return undefined;
  return performance.now() - start;
}

export default async function (): Promise<readonly Row[]> {
  const machine = await loadMachine(path.join(packageRoot(), "spec", "riscv", "rv64-system.yaml"));
  const folder = await mkdtemp(path.join(os.tmpdir(), "commute-bench-"));
  try {
    const [off, on, idle] = [assembled(folder, 0, ROUNDS), assembled(folder, 1, ROUNDS), assembled(folder, 1, 1)];
    if (off === undefined || on === undefined || idle === undefined) return [];
    const bare = await simulated(machine, off);
    const paged = await simulated(machine, on);
    const rows: Row[] = [
      {
        name: "run: loads and stores under Sv39",
        value: paged.rate,
        unit: UNIT,
        baseline: { name: "paging off", value: bare.rate },
        ratio: paged.rate / bare.rate,
      },
    ];
    const [whole, start] = [emulated(on), emulated(idle)];
    if (whole === undefined || start === undefined) return rows;
    const rate = paged.steps / (whole - start) / 1000;
    rows.push({
      name: "run: loads and stores under Sv39",
      value: paged.rate,
      unit: UNIT,
      baseline: { name: "qemu-system-riscv64", value: rate },
      ratio: paged.rate / rate,
    });
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
