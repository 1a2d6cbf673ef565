/** What QEMU errs in or cannot be shown by: the order of interrupts, the external controller's lines, WFI. */
import { beforeAll, describe, expect, test } from "vitest";
import { enabledTransitions, fire, stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import type { State } from "../../../refinement/execute/state.js";
import { type Machine, transition } from "../../../refinement/machine.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";
import { loadMachine } from "../../../spec/notation/index.js";

let machine: Machine;
beforeAll(async () => {
  machine = await loadMachine("spec/riscv/rv32-system.yaml");
}, 120_000);

const CODE = 0x8000_0000n;
const NOP = 0x13n;
const [USER, SUPERVISOR, MACHINE] = [0n, 1n, 3n];

function state(given: Readonly<Record<string, Value>>): State {
  const mem = MemoryValue.empty(32).store(CODE, 4, NOP);
  const begin: readonly (readonly [string, Value])[] = [
    ["mem", mem],
    ["pc", CODE],
    ["mode", MACHINE],
    ["mtimecmp", 1n],
    ["mtvec", 0x8000_1000n],
    ["stvec", 0x8000_2000n],
    // Everything is granted to S and U.
    ["pmpaddr", FileValue.filled(16).set(0n, 0xffff_ffffn)],
    ["pmpcfg", FileValue.filled(16).set(0n, 0x1fn)],
  ];
  return new Map([...zeroState(machine), ...begin, ...Object.entries(given)]);
}

/** The state in which interrupt number `n` is pending. */
function pending(numbers: readonly number[]): Record<string, Value> {
  const variables: Readonly<Record<number, readonly [string, Value]>> = {
    1: ["ssip", 1n],
    3: ["msip", 1n],
    5: ["stip", 1n],
    7: ["mtime", 1n],
    9: ["seip", 1n],
    11: ["meip_line", 1n],
  };
  return Object.fromEntries(numbers.flatMap((n) => [variables[n] ?? ["pc", CODE]]));
}

/** Volume II, version 20240411, section 3.1.9: "MEI, MSI, MTI, SEI, SSI, STI" */
const ORDER = [11, 3, 7, 9, 1, 5];

describe("interrupts", { timeout: 120_000 }, () => {
  test("of two that go to machine mode, the manual's order decides", () => {
    for (const [i, first] of ORDER.entries()) {
      for (const second of ORDER.slice(i + 1)) {
        const both = state({ ...pending([first, second]), mie: 0xaaan, "mstatus.mie": 1n });
        const taken = stepAny(machine, both);
        expect(taken?.transition.name).toBe("interrupt");
        expect(taken?.state.get("mcause"), `${first} and ${second}`).toBe(0x8000_0000n | BigInt(first));
        expect(taken?.state.get("mepc")).toBe(CODE);
        expect(taken?.state.get("pc")).toBe(0x8000_1000n);
      }
    }
  });

  test("what is not delegated goes first, whatever its number", () => {
    const both = state({ ...pending([9, 5]), mie: 0x220n, mideleg: 0x200n, mode: SUPERVISOR, "mstatus.sie": 1n });
    expect(stepAny(machine, both)?.state.get("mcause")).toBe(0x8000_0005n);
  });

  test("delegated ones go to supervisor mode from there, if it allows them, and from user mode always", () => {
    const given = { ...pending([9, 1]), mie: 0x202n, mideleg: 0x202n };
    const from = (mode: bigint, sie: bigint): State | undefined =>
      stepAny(machine, state({ ...given, mode, "mstatus.sie": sie, "mstatus.mie": 1n }))?.state;
    for (const [mode, sie] of [[USER, 0n] as const, [SUPERVISOR, 1n] as const]) {
      const after = from(mode, sie);
      expect([after?.get("scause"), after?.get("sepc"), after?.get("mode"), after?.get("pc")]).toEqual([
        0x8000_0009n,
        CODE,
        SUPERVISOR,
        0x8000_2000n,
      ]);
      expect(after?.get("mstatus.spp")).toBe(mode);
    }
    for (const [mode, sie] of [[SUPERVISOR, 0n] as const, [MACHINE, 1n] as const])
      expect(from(mode, sie)?.get("pc")).toBe(CODE + 4n);
  });

  test("the controller's lines rise and fall from outside; SEIP is the line or the bit", () => {
    const signal = transition(machine, "signal");
    if (signal === undefined) throw new Error("there is no signal");
    const quiet = state({ mie: 0xa00n, "mstatus.mie": 1n, mideleg: 0n });
    const cause = (machineLine: bigint, supervisorLine: bigint): Value | undefined => {
      const args = new Map([["machine", machineLine] as const, ["supervisor", supervisorLine] as const]);
      return stepAny(machine, fire(machine, signal, quiet, args))?.state.get("mcause");
    };
    expect([cause(0n, 0n), cause(1n, 0n), cause(0n, 1n), cause(1n, 1n)]).toEqual([
      0n,
      0x8000_000bn,
      0x8000_0009n,
      0x8000_000bn,
    ]);
  });

  test("a waiting hart wakes for what is enabled in mie, allowed or not, and then goes on", () => {
    const waiting = state({ waiting: 1n, mie: 0x80n });
    expect(enabledTransitions(machine, waiting)).toEqual([]);
    const woken = stepAny(machine, new Map([...waiting, ["mtime", 1n]]));
    expect(woken?.transition.name).toBe("wake");
    expect(stepAny(machine, woken?.state ?? waiting)?.state.get("pc")).toBe(CODE + 4n);
  });
});
