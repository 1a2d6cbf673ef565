import { describe, expect, test } from "vitest";
import { replayEmulator, testEmulator } from "../../../properties/emulator.js";
import { loadMachine, loadRefinement } from "../../../spec/notation/index.js";
import { caseOf } from "../../emulation.js";
import { withPath } from "../../with-path.js";
import { planted } from "./mutants.js";
import { FOLDER, needProcessor, openProcessor } from "./need-processor.js";
import { placed, run } from "./single.js";

describe("the processor at hand", { timeout: 600_000 }, () => {
  test("runs every block of the definition as it says, and illegal bytes, and denied fetches", async (ctx) => {
    const refinement = await needProcessor(ctx);
    const blocks = refinement.guest.decoded?.blocks.map((b) => b.name) ?? [];
    const tested = await testEmulator(refinement, { cases: 40, seed: 20261127 });
    if ("missing" in tested) return expect.fail("it is missing");
    const names = [...blocks, "illegal", "fetch_fault"].map((name) => `commute/${name}`);
    expect(tested.results.map((r) => r.name)).toEqual(names);
    // A block that this processor has not got says so.
    const others = tested.results.filter(({ verdict }) => verdict.verdict !== "tested");
    expect(others.filter(({ verdict }) => verdict.verdict !== "unsupported")).toEqual([]);
    expect(tested.identity).toMatch(/Linux .*gcc/);
  });

  test("answers the same cases the same way again", async (ctx) => {
    const refinement = await needProcessor(ctx);
    const only = (name: string): boolean => ["commute/adc", "commute/movs", "commute/ret"].includes(name);
    const run = (): ReturnType<typeof testEmulator> => testEmulator(refinement, { cases: 60, seed: 5, only });
    expect(await run()).toEqual(await run());
  });

  test("a wrong definition is refuted by a small case, which replays", async (ctx) => {
    const refinement = await needProcessor(ctx);
    const { files, wrong } = planted(0);
    const guest = await loadMachine("spec/x86-64/x86-64.yaml", { files });
    const names = ["sub", "shl", "movs", "cmpxchg16b", "jle"];
    const only = (name: string): boolean => names.includes(name.replace("commute/", ""));
    const tested = await testEmulator({ ...refinement, guest }, { cases: 600, seed: 3, only });
    if ("missing" in tested) return expect.fail("it is missing");
    for (const { name, verdict } of tested.results) {
      if (verdict.verdict !== "refuted") return expect.fail(`${name} is not refuted: ${wrong.get(name)}`);
      const { counterexample } = verdict;
      expect(Object.keys(counterexample.state).length, name).toBeLessThanOrEqual(9);
      expect(counterexample.guest?.assembly[0]).toBeDefined();
      expect(await replayEmulator({ ...refinement, guest }, counterexample)).toEqual({
        differs: counterexample.differs,
      });
      expect(await replayEmulator(refinement, counterexample)).toEqual({ differs: [] });
    }
    expect(tested.results).toHaveLength(names.length);
  });
});

/** Expectations from the manual, by hand: the harness itself is on trial here. */
describe("a single instruction", { timeout: 120_000 }, () => {
  const DATA = 0x2000_0000n;
  test.for([
    [
      "add eax, ecx",
      { rax: 0xffff_ffff_ffff_ffffn, rcx: 1n },
      { rax: 0n, CF: 1n, ZF: 1n, AF: 1n, PF: 1n, SF: 0n, OF: 0n, rip: 0x1000_0002n },
    ],
    ["mov [rdi], rcx", { rdi: DATA, rcx: 0x1122n }, { mem: 0x1122n, trap: 0n }],
    ["mov rax, fs:[rcx]", { fs_base: DATA - 8n, rcx: 8n, rax: 1n }, { fs_base: DATA - 8n, trap: 0n }],
    ["mov rax, [rcx]", { rcx: 0x1234_5000n }, { trap: "page_fault_read", "trap.value": undefined, rip: 0x1000_0000n }],
    ["mov rax, [rcx+8]", { rcx: 0x1234_5000n }, { trap: "page_fault_read", "trap.value": 0x1234_5008n }],
    ["mov [rcx+1], al", { rcx: 0x3000_0000n }, { trap: "page_fault_write", "trap.value": 0x3000_0001n }],
    ["mov rax, [rcx]", { rcx: 1n << 63n }, { trap: "general_protection", rip: 0x1000_0000n }],
    ["push rax", { rsp: 1n << 63n }, { trap: "stack_fault", rsp: 1n << 63n }],
    ["div ecx", { rax: 5n }, { trap: "divide_error", rax: 5n }],
    ["ud2", {}, { trap: "invalid_opcode" }],
    ["int3", {}, { trap: "breakpoint", rip: 0x1000_0000n }],
    [
      "syscall",
      { rax: 0x1000n, rcx: 3n, r11: 4n },
      { trap: "system_call", rax: 0x1000n, rcx: 3n, r11: 4n, rip: 0x1000_0000n },
    ],
    ["jmp rax", { rax: 0x1234n }, { trap: 0n, rip: 0x1234n }],
    ["rep stosb", { rdi: DATA, rcx: 3n, rax: 0n }, { rcx: 2n, rdi: DATA + 1n, rip: 0x1000_0000n }],
    ["std", { ID: 1n, NT: 1n }, { DF: 1n, ID: 1n, NT: 1n }],
    ["pushfq", { rsp: DATA + 8n, CF: 1n, NT: 1n }, { mem: 0x4203n, rsp: DATA }],
  ] as const)("%s", async ([text, before, expected], ctx) => {
    const { guest } = await needProcessor(ctx);
    const after = await run(ctx, text, before);
    for (const [name, wanted] of Object.entries(expected)) {
      const code = guest.traps.find((t) => t.name === wanted)?.code;
      expect(after.get(name), name).toBe(code === undefined ? wanted : BigInt(code));
    }
  });
});

test("a case that the processor would not survive is not run", async (ctx) => {
  const { guest } = await needProcessor(ctx);
  const emulator = await openProcessor(ctx, guest);
  const cost = (text: string, registers: Readonly<Record<string, bigint>>): string =>
    emulator.room.cost(placed(guest, emulator.room, text, registers).state);
  const rip = emulator.room.code[0]?.start ?? 0n;
  expect(cost("syscall", { rax: 60n })).toBe("impossible");
  expect(cost("syscall", { rax: 0x1000n })).toBe("cheap");
  expect(cost("nop", { AC: 1n })).toBe("impossible");
  expect(cost("nop", { fs_base: 1n << 63n })).toBe("impossible");
  expect(cost("popfq", { rsp: rip })).toBe("cheap");
  await emulator.close();
});

test("a counterexample file's case is run again", async (ctx) => {
  const refinement = await needProcessor(ctx);
  const counterexample = caseOf(refinement, {
    title: "a load across the end of the accessible addresses",
    cause: { obligation: "commute/mov", variable: "rax" },
    state: { rip: 0x10000000n, rcx: 0x30001ffdn, "mem[0x10000000]": "488b01" },
    inaccessible: [{ memory: "mem", access: "load", address: 0x30002000n, bytes: 8n }],
  });
  expect(await replayEmulator(refinement, counterexample)).toEqual({ differs: [] });
});

test("without a compiler the refinement is missing, with the package that would install it", async () => {
  const refinement = await loadRefinement(`${FOLDER}/refinement.yaml`);
  if (refinement.form !== "emulator") return expect.fail("x86-64-processor is a black box");
  const tested = await withPath("/nowhere", () => testEmulator(refinement, { cases: 1, seed: 1 }));
  const isHere = process.platform === "linux" && process.arch === "x64";
  const program = isHere ? "gcc" : expect.stringContaining("x86-64 processor");
  expect(tested).toEqual({ missing: [{ program, remedy: expect.any(String) }] });
});
