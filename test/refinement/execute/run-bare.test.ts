/** Bare-metal programs from reset: how they end, what they write, time and interrupts, page tables. */
import { beforeAll, describe, expect, test } from "vitest";
import { assemble } from "../../../refinement/assembly/index.js";
import { Simulator } from "../../../refinement/compile/simulator.js";
import { enabledTransitions, fire, zeroState } from "../../../refinement/execute/concrete.js";
import { type RunOptions, type RunResult, runProgram } from "../../../refinement/execute/run.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Machine } from "../../../refinement/machine.js";
import { MemoryValue, valueEquals } from "../../../refinement/terms/value.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { elfFile } from "./elf-file.js";

const CODE = 0x8000_0000n;
const DATA = 0x8001_0000n;
const TOHOST = 0x8002_0000n;
const CSR = {
  mstatus: 0x300,
  mie: 0x304,
  mtvec: 0x305,
  mepc: 0x341,
  mcause: 0x342,
  satp: 0x180,
  pmpcfg0: 0x3a0,
  pmpaddr0: 0x3b0,
};

let machines: { readonly 32: Machine; readonly 64: Machine };
beforeAll(async () => {
  machines = {
    32: await loadMachine("spec/riscv/rv32-system.yaml"),
    64: await loadMachine("spec/riscv/rv64-system.yaml"),
  };
}, 120_000);

interface Output {
  readonly result: RunResult;
  readonly stdout: string;
}

async function run(
  xlen: 32 | 64,
  text: string,
  data: readonly number[] = [],
  options: RunOptions = {},
): Promise<Output> {
  const bytes = elfFile({
    class: xlen,
    entry: CODE,
    segments: [
      { address: CODE, data: assemble(machines[xlen], text, CODE), flags: 5 },
      { address: DATA, data: Uint8Array.from(data), size: 0x10000n, flags: 6 },
      { address: TOHOST, data: new Uint8Array(8), flags: 6 },
    ],
    symbols: new Map([
      ["tohost", TOHOST],
      ["begin_signature", DATA],
      ["end_signature", DATA + 8n],
    ]),
  });
  const out: string[] = [];
  const decoder = new TextDecoder();
  const result = await runProgram(
    machines[xlen],
    { kind: "elf", file: "prog", bytes },
    { stdout: (b) => out.push(decoder.decode(b)), maxSteps: 200_000, ...options },
  );
  return { result, stdout: out.join("") };
}

/** Writes x10 to tohost and spins. */
const TELL = `lui x31, ${TOHOST >> 12n}\nslli x31, x31, 32\nsrli x31, x31, 32\nsw x10, 0(x31)\nspin:\njal x0, spin`;
const TELL32 = `lui x31, ${TOHOST >> 12n}\nsw x10, 0(x31)\nspin:\njal x0, spin`;
/** DATA in a register */
const dataIn = (xlen: 32 | 64, r: string): string =>
  xlen === 32 ? `lui ${r}, ${DATA >> 12n}` : `lui ${r}, ${DATA >> 12n}\nslli ${r}, ${r}, 32\nsrli ${r}, ${r}, 32`;

describe.each([32, 64] as const)("RV%i", { timeout: 240_000 }, (xlen) => {
  const tell = xlen === 32 ? TELL32 : TELL;

  test("tohost ends the program, half of what is written being its exit code; the signature is memory", async () => {
    const text = `${dataIn(xlen, "x5")}\naddi x6, x0, 77\nsw x6, 4(x5)\naddi x10, x0, ${2 * 21 + 1}\n${tell}`;
    const { result } = await run(xlen, text, [1, 2, 3, 4]);
    expect([result.exitCode, result.reason, result.message]).toEqual([21, "exit", undefined]);
    expect(result.signature()).toBe("04030201\n0000004d\n");
  });

  test("the console, and the power switch", async () => {
    const putc = (c: string): string => `addi x6, x0, ${c.charCodeAt(0)}\nsb x6, 0(x5)`;
    const off = (value: number): string =>
      `lui x5, 0x100\nlui x6, ${(value + 0x800) >> 12}\naddi x6, x6, ${((value & 0xfff) << 20) >> 20}\nsw x6, 0(x5)`;
    const text = `lui x5, 0x10000\nlbu x7, 5(x5)\n${[..."hi\n"].map(putc).join("\n")}\n${off(0x5555)}`;
    const passed = await run(xlen, text);
    expect([passed.stdout, passed.result.exitCode, passed.result.reason]).toEqual(["hi\n", 0, "exit"]);
    expect((await run(xlen, off(0x3333 | (9 << 16)))).result.exitCode).toBe(9);
  });

  test("a trap enters the handler", async () => {
    const text = `auipc x5, 0\naddi x5, x5, 20\ncsrrw x0, ${CSR.mtvec}, x5\necall\nebreak\ncsrrs x10, ${CSR.mcause}, x0\nslli x10, x10, 1\nori x10, x10, 1\n${tell}`;
    expect((await run(xlen, text)).result.exitCode).toBe(11);
  });

  test("wfi waits until the timer, and for ever without one", async () => {
    const wait = `csrrwi x0, ${CSR.mie}, 0\naddi x5, x0, 128\ncsrrw x0, ${CSR.mie}, x5`;
    const later = `lui x6, 0x2004\naddi x7, x0, 2000\nsw x0, 4(x6)\nsw x7, 0(x6)`;
    const { result } = await run(xlen, `${wait}\n${later}\nwfi\naddi x10, x0, 3\n${tell}`);
    expect(result.exitCode).toBe(1);
    expect(result.steps).toBeLessThan(20_000);
    const never = await run(xlen, "wfi");
    expect([never.result.exitCode, never.result.message]).toEqual([
      128,
      expect.stringMatching(/^waits for an interrupt that never comes, at pc 0x80000004/),
    ]);
  });

  test("a program that never ends, and ones that do not belong here", async () => {
    const { result } = await run(xlen, "spin:\njal x0, spin", [], { maxSteps: 5000 });
    expect([result.exitCode, result.reason, result.steps]).toEqual([152, "limit", 5000]);
    const other = elfFile({
      class: xlen === 32 ? 64 : 32,
      entry: CODE,
      segments: [{ address: CODE, data: new Uint8Array(4), flags: 5 }],
    });
    await expect(runProgram(machines[xlen], { kind: "elf", file: "other", bytes: other })).rejects.toThrow(
      /-bit program/,
    );
    const odd = elfFile({
      class: xlen,
      entry: CODE + 1n,
      segments: [{ address: CODE, data: new Uint8Array(4), flags: 5 }],
    });
    await expect(runProgram(machines[xlen], { kind: "elf", file: "odd", bytes: odd })).rejects.toThrow(/multiple of 2/);
  });
});

/** A loop in supervisor mode under page tables, which rewrites the entry of the page that it reads. */
const PAGED = [
  dataIn(64, "x5"),
  // pmpaddr0 = everything, pmpcfg0 = NAPOT, RWX
  "addi x6, x0, -1\nsrli x6, x6, 10",
  `csrrw x0, ${CSR.pmpaddr0}, x6\naddi x6, x0, 31\ncsrrw x0, ${CSR.pmpcfg0}, x6`,
  // The root at DATA: an identity gigapage at 2, a pointer at 0 to DATA + 4096, and there one to DATA + 8192
  "lui x6, 0x20000\naddi x6, x6, 0xcf\nsd x6, 16(x5)",
  "lui x7, 1\nadd x7, x5, x7\nsrli x8, x7, 2\nori x8, x8, 1\nsd x8, 0(x5)",
  "lui x9, 1\nadd x9, x7, x9\nsrli x8, x9, 2\nori x8, x8, 1\nsd x8, 0(x7)",
  // satp: Sv39
  "srli x6, x5, 12\naddi x8, x0, 8\nslli x8, x8, 60\nor x6, x6, x8",
  `csrrw x0, ${CSR.satp}, x6`,
  // To supervisor mode
  `addi x6, x0, 1\nslli x6, x6, 11\ncsrrw x0, ${CSR.mstatus}, x6\nauipc x6, 0\naddi x6, x6, 16\ncsrrw x0, ${CSR.mepc}, x6\nmret`,
  // A page of its own for virtual 0: first DATA + 12288, then the next, without A and D
  "lui x11, 3\nadd x11, x5, x11\naddi x14, x0, 6",
  "loop:\nsrli x8, x11, 2\nori x8, x8, 7\nsd x8, 0(x9)\nsfence.vma x0, x0",
  "sd x14, 8(x0)\nlw x15, 8(x0)\nadd x16, x16, x15\nld x17, 0(x9)",
  "lui x12, 1\nadd x11, x11, x12\naddi x14, x14, -1\nbne x14, x0, loop",
  "ecall",
].join("\n");

test("the simulator takes every step that the definition takes, page tables and all", { timeout: 240_000 }, () => {
  const machine = machines[64];
  const memory = MemoryValue.empty(
    64,
    Object.assign((_: unknown, at: bigint) => at >= CODE && at < CODE + 0x20_0000n, { granularity: 4096 }),
  ).storeBytes(CODE, assemble(machine, PAGED, CODE));
  const begin: State = new Map([
    ...zeroState(machine),
    ["mem", memory],
    ["pc", CODE],
    ["mode", 3n],
    ["mtimecmp", 1n << 60n],
  ]);
  const simulator = new Simulator(machine);
  simulator.load(begin);
  let state = begin;
  const marked = new Set<bigint>();
  for (let i = 0; i < 140; i++) {
    const [next] = enabledTransitions(machine, state);
    if (next === undefined) throw new Error("the definition is stuck");
    state = fire(machine, next, state);
    simulator.step();
    const seen = simulator.state();
    const wrong = machine.variables.filter((v) => {
      const [a, b] = [state.get(v.name), seen.get(v.name)];
      return a === undefined || b === undefined || !valueEquals(a, b);
    });
    expect(
      wrong.map((v) => v.name),
      `after ${next.name}, step ${i}`,
    ).toEqual([]);
    const pte = memoryOf(state).load(DATA + 0x2000n, 8);
    marked.add(pte & 0xffn);
    if (state.get("mcause") === 9n) break;
  }
  expect(state.get("mcause")).toBe(9n);
  expect(marked).toEqual(new Set([0n, 7n, 0xc7n]));
});

function memoryOf(state: State): MemoryValue {
  const memory = state.get("mem");
  if (!(memory instanceof MemoryValue)) throw new Error("no memory");
  return memory;
}
