/** `commute run`: instructions per second of the simulator, against the reference evaluator and against QEMU. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { packageRoot } from "../cli/package.js";
import { assemble } from "../refinement/assembly/index.js";
import { Simulator } from "../refinement/compile/simulator.js";
import { EnvironmentFailure } from "../refinement/errors.js";
import { stepAny, zeroState } from "../refinement/execute/concrete.js";
import { runProgram } from "../refinement/execute/run.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine } from "../refinement/machine.js";
import { FileValue, MemoryValue } from "../refinement/terms/value.js";
import { loadMachine } from "../spec/notation/index.js";
import { COUNT_REGISTER, DATA_REGISTER, LOOP, LOOP_LENGTH } from "./programs/loop.js";
import type { Row } from "./row.js";

const UNIT = "million instructions/s";
const ORIGIN = 0x1_0000n;

function loopState(machine: Machine, rounds: number): State {
  const registers = FileValue.filled(32)
    .set(BigInt(DATA_REGISTER), 0x2_0000n)
    .set(BigInt(COUNT_REGISTER), BigInt(rounds));
  return new Map([
    ...zeroState(machine),
    ["mem", MemoryValue.empty(64).storeBytes(ORIGIN, assemble(machine, LOOP, ORIGIN))],
    ["x", registers],
    ["pc", ORIGIN],
  ]);
}

/** Million instructions per second of the simulator on the loop, compilation and warm-up included. */
function simulated(machine: Machine, rounds: number): number {
  const simulator = new Simulator(machine);
  simulator.load(loopState(machine, rounds));
  const start = performance.now();
  const outcome = simulator.run(Number.POSITIVE_INFINITY);
  const elapsed = performance.now() - start;
  if (outcome.steps !== rounds * LOOP_LENGTH + 1) throw new Error(`${outcome.steps} steps are not the loop's`);
  return outcome.steps / elapsed / 1000;
}

/** The same of the reference evaluator, for about so long. */
function evaluated(machine: Machine, milliseconds: number): number {
  let state = loopState(machine, 1_000_000);
  let steps = 0;
  const start = performance.now();
  for (; performance.now() - start < milliseconds; steps++) {
    const next = stepAny(machine, state);
    if (next === undefined) throw new Error("the loop has come to a stop");
    state = next.state;
  }
  return steps / (performance.now() - start) / 1000;
}

/** Undefined where a program that is needed is not installed. */
async function againstQemu(machine: Machine, name: string, rounds: number, march = "rv64im"): Promise<Row | undefined> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "commute-bench-"));
  try {
    const elf = path.join(folder, name);
    const source = path.join(packageRoot(), "bench", "programs", `${name}.c`);
    const options = [
      "-O2",
      `-march=${march}`,
      "-mabi=lp64",
      "-nostdlib",
      "-static",
      "-ffreestanding",
      "-fno-pie",
      "-no-pie",
    ];
    const layout = ["-Wl,--no-relax", "-Wl,-z,separate-code", `-DROUNDS=${rounds}`, "-o", elf, source];
    const compiled = spawnSync("riscv64-linux-gnu-gcc", [...options, ...layout], { encoding: "utf8" });
    if (compiled.error !== undefined) return undefined;
    if (compiled.status !== 0) throw new EnvironmentFailure("riscv64-linux-gnu-gcc", compiled.stderr);
    const start = performance.now();
    const qemu = spawnSync("qemu-riscv64", [elf]);
    const elapsed = performance.now() - start;
    if (qemu.error !== undefined) return undefined;
    const result = await runProgram(machine, { kind: "elf", file: elf, bytes: await readFile(elf) });
    if (result.exitCode !== qemu.status)
      throw new Error(`${name} exits with ${result.exitCode}, under QEMU with ${qemu.status}`);
    const value = result.steps / result.seconds / 1e6;
    const baseline = result.steps / elapsed / 1000;
    return {
      name: march === "rv64im" ? `run: ${name}.c` : `run: ${name}.c for ${march}`,
      value,
      unit: UNIT,
      baseline: { name: "qemu-riscv64", value: baseline },
      ratio: value / baseline,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export default async function (): Promise<readonly Row[]> {
  const machine = await loadMachine(path.join(packageRoot(), "spec", "riscv", "rv64im.yaml"));
  const compressed = await loadMachine(path.join(packageRoot(), "spec", "riscv", "rv64imac.yaml"));
  evaluated(machine, 200);
  const reference = evaluated(machine, 1000);
  const loop = simulated(machine, 30_000_000);
  const rows: (Row | undefined)[] = [
    {
      name: "run: 18-instruction loop",
      value: loop,
      unit: UNIT,
      baseline: { name: "reference evaluator", value: reference },
      ratio: loop / reference,
    },
    await againstQemu(machine, "mix", 60_000_000),
    await againstQemu(machine, "sort", 1000),
    await againstQemu(compressed, "mix", 60_000_000, "rv64imac"),
    await againstQemu(compressed, "sort", 1000, "rv64imac"),
  ];
  return rows.filter((row) => row !== undefined);
}
