/** Lockstep: guest steps per second of two machines whose whole states are compared after every step. */
import path from "node:path";
import { performance } from "node:perf_hooks";
import { packageRoot } from "../cli/package.js";
import { assemble } from "../refinement/assembly/index.js";
import { type Checks, CompiledLockstep } from "../refinement/compile/lockstep.js";
import { PairLockstep } from "../refinement/compile/pair.js";
import { checkPoints, checkStep } from "../refinement/execute/commute.js";
import { enabledTransitions, stepAny, zeroState } from "../refinement/execute/concrete.js";
import { agree } from "../refinement/execute/difference.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine } from "../refinement/machine.js";
import type { MachineRefinement } from "../refinement/refinement.js";
import { FileValue, MemoryValue } from "../refinement/terms/value.js";
import { loadMachine, loadRefinement } from "../spec/notation/index.js";
import { COUNT_REGISTER, DATA_REGISTER, LOOP } from "./programs/loop.js";
import type { Row } from "./row.js";

const UNIT = "million guest steps/s";

/** The loop in every memory, the registers in every file of 32; all else zero. */
function start(machine: Machine, code: Uint8Array): State {
  const registers = FileValue.filled(32).set(BigInt(DATA_REGISTER), 0x2000n).set(BigInt(COUNT_REGISTER), 0xffff_ffffn);
  const state = new Map(zeroState(machine));
  for (const v of machine.variables) {
    if (v.sort.kind === "memory") state.set(v.name, MemoryValue.empty(v.sort.address).storeBytes(0n, code));
    if (v.sort.kind === "file" && v.sort.count === 32) state.set(v.name, registers);
  }
  return state;
}

function compiled(refinement: MachineRefinement, code: Uint8Array, checks: Checks, hostSteps: number): number {
  const lockstep = new CompiledLockstep(refinement);
  lockstep.load(start(refinement.host, code));
  lockstep.runAuto(200_000, [], checks);
  const begin = performance.now();
  const outcome = lockstep.runAuto(hostSteps, [], checks);
  const elapsed = performance.now() - begin;
  if (outcome.reason !== "limit" || lockstep.compareMemories() !== undefined)
    throw new Error(`${refinement.name} diverges`);
  return outcome.guestSteps / elapsed / 1000;
}

function reference(refinement: MachineRefinement, code: Uint8Array, milliseconds: number): number {
  let state = start(refinement.host, code);
  let steps = 0;
  const begin = performance.now();
  while (performance.now() - begin < milliseconds) {
    const transition = enabledTransitions(refinement.host, state).find((t) => !refinement.environment.includes(t.name));
    if (transition === undefined) throw new Error(`${refinement.name} has come to a stop`);
    const report = checkStep(refinement, state, { transition: transition.name, arguments: {} });
    if (report.violations.length > 0 || checkPoints(refinement, report.next).length > 0)
      throw new Error(`${refinement.name} diverges`);
    state = report.next;
    steps += report.guestSteps.length;
  }
  return steps / (performance.now() - begin) / 1000;
}

function pair(machine: Machine, code: Uint8Array, steps: number): number {
  const lockstep = new PairLockstep(machine, machine);
  lockstep.load(start(machine, code));
  lockstep.run(200_000);
  const begin = performance.now();
  const outcome = lockstep.run(steps);
  if (outcome.reason !== "limit") throw new Error("a machine differs from itself");
  return outcome.steps / (performance.now() - begin) / 1000;
}

function referencePair(machine: Machine, code: Uint8Array, milliseconds: number): number {
  let [left, right] = [start(machine, code), start(machine, code)];
  let steps = 0;
  const begin = performance.now();
  for (; performance.now() - begin < milliseconds; steps++) {
    left = stepAny(machine, left)?.state ?? left;
    right = stepAny(machine, right)?.state ?? right;
    if (!agree(machine, left, right)) throw new Error("a machine differs from itself");
  }
  return steps / (performance.now() - begin) / 1000;
}

export default async function (): Promise<readonly Row[]> {
  const root = packageRoot();
  const guest = await loadMachine(path.join(root, "spec", "riscv", "rv32im.yaml"));
  const code = assemble(guest, LOOP, 0n);
  const rows: Row[] = [];
  const add = (name: string, value: number, baseline: number): void => {
    rows.push({
      name: `lockstep: ${name}`,
      value,
      unit: UNIT,
      baseline: { name: "reference evaluator", value: baseline },
      ratio: value / baseline,
    });
  };
  add("rv32im, two of it", pair(guest, code, 10_000_000), referencePair(guest, code, 700));
  for (const name of ["interpreter", "pipeline"]) {
    const refinement = await loadRefinement(path.join(root, "impl", name, "refinement.yaml"));
    if (refinement.form !== "machine") continue;
    const baseline = reference(refinement, code, 700);
    add(`${name}, states`, compiled(refinement, code, { invariant: false, points: false }, 5_000_000), baseline);
    add(`${name}, all obligations`, compiled(refinement, code, { invariant: true, points: true }, 3_000_000), baseline);
  }
  return rows;
}
