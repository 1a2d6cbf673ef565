import { describe, expect, it } from "vitest";
import { assemble } from "../../../refinement/assembly/index.js";
import { Simulator, trySimulator } from "../../../refinement/compile/simulator.js";
import { Unsupported } from "../../../refinement/compile/unsupported.js";
import { stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import { agree } from "../../../refinement/execute/difference.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Machine, StateVariable } from "../../../refinement/machine.js";
import * as t from "../../../refinement/terms/build.js";
import { bits, memory } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";
import { MemoryValue, type Permissions } from "../../../refinement/terms/value.js";
import { loadMachine } from "../../../spec/notation/index.js";

const machine = await loadMachine("spec/riscv/rv64im.yaml");
const simulator = new Simulator(machine);
const ORIGIN = 0x1000n;

function runBoth(
  text: string,
  permissions: Permissions | undefined,
  steps: number,
  background?: (address: bigint) => number,
): State {
  const memory = MemoryValue.empty(64, permissions, background).storeBytes(ORIGIN, assemble(machine, text, ORIGIN));
  const start: State = new Map([...zeroState(machine), ["mem", memory], ["pc", ORIGIN]]);
  let expected = start;
  for (let i = 0; i < steps; i++) expected = stepAny(machine, expected)?.state ?? expected;
  simulator.load(start);
  simulator.run(steps);
  expect(agree(machine, expected, simulator.state())).toBe(true);
  return expected;
}

/** Stores upwards, misaligned, from 0x2ff1 on. */
const SWEEP = `
  lui a0, 3
  addi a0, a0, -15
top:
  sw a0, 0(a0)
  lw a1, -2(a0)
  add a2, a2, a1
  addi a0, a0, 3
  jal zero, top`;

describe("byte memory", () => {
  it("denies single bytes, in a page that is otherwise open, after any number of accesses", () => {
    for (const denied of [0x3000n, 0x30ffn, 0x3101n, 0x3201n]) {
      const end = runBoth(SWEEP, (access, address) => access !== "store" || address !== denied, 1200);
      expect(end.get("trap")).not.toBe(0n);
    }
  });

  it("asks for whole pages where they are all alike", () => {
    const asked: bigint[] = [];
    const pages = Object.assign(
      (_: string, address: bigint): boolean => {
        asked.push(address);
        return address < 0x4000n;
      },
      { granularity: 4096 },
    );
    const memory = MemoryValue.empty(64, pages).storeBytes(ORIGIN, assemble(machine, SWEEP, ORIGIN));
    simulator.load(new Map([...zeroState(machine), ["mem", memory], ["pc", ORIGIN]]));
    expect(simulator.run(100_000).reason).toBe("trap");
    expect(asked.length).toBeLessThan(100);
  });

  it("wraps at the end of the address space", () => {
    runBoth(
      "addi a0, zero, -3\naddi a1, zero, 0x123\nsd a1, 0(a0)\nld a2, 0(a0)\nlw a3, 1(a0)\nlbu a4, 0(zero)",
      undefined,
      6,
    );
  });

  it("has its background where nothing was written", () => {
    const background = (a: bigint): number => Number((a * 7n + 3n) & 0xffn);
    runBoth("lui a0, 77\nld a1, -4(a0)\nsb zero, 5(a0)\nld a2, 0(a0)\nlhu a3, 2047(a0)", undefined, 5, background);
  });

  it("keeps more pages than the table has entries", () => {
    // 300 pages, apart by the table's size, so that they all compete for one entry.
    const text = `
  lui a0, 1024
  lui a1, 1024
  addi a2, zero, 300
top:
  add a1, a1, a0
  sd a1, 0(a1)
  ld a3, 0(a1)
  add a4, a4, a3
  addi a2, a2, -1
  bne a2, zero, top`;
    runBoth(text, undefined, 3 + 6 * 300);
  });
});

function variable(name: string, term: Term): StateVariable {
  const type =
    term.sort.kind === "memory" ? ({ kind: "memory", address: 64 } as const) : ({ kind: "bits", width: 1 } as const);
  return { name, type, sort: term.sort, term, fixed: new Map(), faults: {}, implicit: false };
}

describe("what cannot be compiled", () => {
  const [a, b, c] = [t.variable("a", memory(64)), t.variable("b", memory(64)), t.variable("c", bits(1))];
  const assigning = (value: Term): Machine => ({
    ...machine,
    name: "swap",
    variables: [variable("a", a), variable("b", b), variable("c", c)],
    traps: [],
    transitions: [
      {
        name: "go",
        parameters: [],
        choices: [],
        guard: t.TRUE,
        effect: { raises: [], assigns: new Map([["a", value]]) },
        instruction: undefined,
      },
    ],
    instructionSet: undefined,
  });

  it("is named, so that the caller can fall back", () => {
    const zero = t.constant(64, 0n);
    const choice = t.ite(t.bitsToBool(c), a, b);
    expect(trySimulator(assigning(b))).toMatchObject({ name: "Unsupported", operator: "write" });
    expect(trySimulator(assigning(t.write(b, zero, 1, t.constant(8, 1n))))).toBeInstanceOf(Unsupported);
    expect(trySimulator(assigning(choice))).toMatchObject({ operator: "ite" });
    expect(trySimulator(assigning(t.write(a, zero, 1, t.constant(8, 1n))))).toBeInstanceOf(Simulator);
  });
});
