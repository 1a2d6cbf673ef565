import { describe, expect, it } from "vitest";
import { assemble } from "../../../refinement/assembly/index.js";
import { Simulator } from "../../../refinement/compile/simulator.js";
import { stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import { agree } from "../../../refinement/execute/difference.js";
import type { State } from "../../../refinement/execute/state.js";
import { MemoryValue, type Permissions } from "../../../refinement/terms/value.js";
import { loadMachine } from "../../../spec/notation/index.js";

const machine = await loadMachine("spec/riscv/rv64im.yaml");
const ORIGIN = 0x1000n;

function start(text: string, permissions?: Permissions): State {
  const memory = MemoryValue.empty(64, permissions).storeBytes(ORIGIN, assemble(machine, text, ORIGIN));
  return new Map([...zeroState(machine), ["mem", memory], ["pc", ORIGIN]]);
}

/** The reference's states after 0, 1, 2, … steps, until it traps or `most` are done. */
function referenceStates(state: State, most: number): State[] {
  const states = [state];
  for (let at: State | undefined = state; at !== undefined && states.length <= most; ) {
    at = stepAny(machine, at)?.state;
    if (at !== undefined) states.push(at);
  }
  return states;
}

/** Compares after every number of steps, so that the region is left everywhere. */
function compareThroughout(simulator: Simulator, state: State, most: number): void {
  referenceStates(state, most).forEach((expected, steps) => {
    simulator.load(state);
    expect(simulator.compileHere()).toBe(true);
    const outcome = simulator.run(steps);
    expect(outcome.steps).toBe(steps);
    expect(agree(machine, expected, simulator.state())).toBe(true);
  });
}

const LOOP = `
  addi t0, zero, 5
  lui s0, 2
top:
  addi t0, t0, -1
  mul t1, t0, t0
  sd t1, 8(s0)
  ld t2, 8(s0)
  add a0, a0, t2
  bne t0, zero, top
  jal ra, callee
  add a1, a0, a2
  ecall
callee:
  addi a2, zero, 7
  jalr zero, 0(ra)`;

describe("regions of hot code", () => {
  it("stop after any number of steps", () => {
    compareThroughout(new Simulator(machine), start(LOOP), 50);
  });

  it("trap exactly where the reference does", () => {
    const denied: Permissions = (access, address) => access !== "store" || address < 0x2008n;
    compareThroughout(new Simulator(machine), start(LOOP, denied), 12);
    compareThroughout(
      new Simulator(machine),
      start(LOOP, (access, address) => access !== "load" || address < 0x2008n),
      12,
    );
  });

  it("notice that their own code is written", () => {
    // The immediate of the instruction at `patched`, bits 31:20, grows by one with each turn.
    const text = `
  auipc s0, 0
  addi t0, zero, 6
  lui t3, 256
top:
  lw t1, 24(s0)
  add t1, t1, t3
  sw t1, 24(s0)
patched:
  addi a0, a0, 0
  addi t0, t0, -1
  bne t0, zero, top
  ecall`;
    compareThroughout(new Simulator(machine), start(text), 45);
  });

  it("are found by sampling, and executed", () => {
    const text = `
  lui t0, 1000
top:
  addi t0, t0, -1
  xor a0, a0, t0
  slli a1, a0, 3
  add a0, a0, a1
  bne t0, zero, top
  ecall`;
    const simulator = new Simulator(machine);
    simulator.load(start(text));
    const outcome = simulator.run(1e9);
    expect(outcome).toEqual({ reason: "trap", steps: 2 + 1000 * 4096 * 5 });
    expect(simulator.regionCount).toBeGreaterThan(0);
    let [t0, a0] = [1000n * 4096n, 0n];
    for (; t0 > 0n; ) {
      t0--;
      a0 ^= t0;
      a0 = BigInt.asUintN(64, a0 + (a0 << 3n));
    }
    expect(simulator.element("x", 10)).toBe(a0);
  });

  it("are forgotten with the code they were made of", () => {
    const simulator = new Simulator(machine);
    const first = start("addi a0, a0, 1\naddi a0, a0, 1\necall");
    const second = start("addi a0, a0, 2\naddi a0, a0, 2\necall");
    simulator.load(first);
    simulator.compileHere();
    simulator.run(2);
    simulator.load(second);
    simulator.run(2);
    expect(simulator.element("x", 10)).toBe(4n);
  });
});
