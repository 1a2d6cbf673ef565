import path from "node:path";
import { describe, expect, test } from "vitest";
import { readFindings } from "../../../impl/ebpf-linux/findings.js";
import { testEmulator } from "../../../properties/emulator.js";
import { UserError } from "../../../refinement/errors.js";
import { readOptions } from "../../../impl/ebpf-linux/options.js";
import { meaningOf } from "../../../impl/ebpf-linux/verifier.js";
import { FOLDER, needKernel, open, refinement } from "./need-kernel.js";
import { moduleOptions } from "../../emulation.js";
import { withPath } from "../../with-path.js";

const transitions = refinement.guest.transitions.map((t) => t.name);

describe("the running kernel", { timeout: 240_000 }, () => {
  test("runs every instruction as the definition says, but those that it cannot show", async (ctx) => {
    const emulator = await needKernel(ctx);
    await emulator.close();
    const tested = await testEmulator(refinement, { cases: 40, seed: 20261127 });
    if ("missing" in tested) return expect.fail("it is missing");
    expect(tested.results.filter((r) => r.verdict.verdict !== "tested")).toEqual([]);
    const names = tested.results.map((r) => r.name.replace("commute/", ""));
    const exempt = emulator.exempt ?? new Map<string, string>();
    expect([...names, ...exempt.keys()].sort()).toEqual([...transitions].sort());
    for (const { name, verdict } of tested.results)
      expect(verdict.verdict === "tested" ? verdict.cases : 0, name).toBeGreaterThanOrEqual(30);
    expect(tested.identity).toMatch(/^Linux \d+\.\d+.*sources [0-9a-f]+$/);
  });

  test("answers the same cases the same way again", async (ctx) => {
    await (await needKernel(ctx)).close();
    const only = (name: string): boolean => name === "commute/call_local" || name === "commute/xchg32";
    const run = (): ReturnType<typeof testEmulator> => testEmulator(refinement, { cases: 40, seed: 5, only });
    expect(await run()).toEqual(await run());
  });
});

test("what is exempt is an instruction, and has a reason", () => {
  for (const [name, reason] of readOptions(moduleOptions(refinement)).exempt) {
    expect(transitions).toContain(name);
    expect(reason).not.toBe("");
  }
});

test("findings name instructions, and match words", async () => {
  const findings = await readFindings(path.join(FOLDER, "findings.yaml"));
  for (const { instruction } of findings)
    for (const name of instruction.split(", ")) expect(transitions).toContain(name);
  const slot = { opcode: 0x67, dst: 1, src: 0, offset: 0, imm: 63 };
  const matched = (s: typeof slot): string[] => findings.filter((f) => f.matches(s)).map((f) => f.name);
  expect(matched(slot)).toEqual([]);
  expect(matched({ ...slot, imm: 64 })).toEqual(["shift-by-width-64"]);
  expect(matched({ ...slot, imm: -1 })).toEqual(["shift-by-width-64"]);
  expect(matched({ ...slot, opcode: 0x95, imm: 0, offset: 7 })).toEqual(["exit-offset"]);
  expect(matched({ ...slot, opcode: 0x94, imm: 0 })).toEqual(["division-by-zero-immediate"]);
  expect(matched({ ...slot, opcode: 0x94, imm: 1 })).toEqual([]);
});

test("without a compiler the refinement is missing, with the package that would install it", async () => {
  expect(await withPath("/nowhere", open)).toEqual({
    missing: [{ program: "gcc", remedy: expect.stringContaining("apt-get install gcc") }],
  });
});

test.each([
  ["unknown opcode 8d", "illegal_instruction"],
  ["BPF_EXIT uses reserved fields", "illegal_instruction"],
  ["jump out of range from insn 12 to 1200", "program_access_fault"],
  ["the call stack of 9 frames is too deep !", "call_depth_exceeded"],
  ["R2 !read_ok", undefined],
])("the verifier's `%s`", (log, meaning) => {
  expect(meaningOf(log)).toBe(meaning);
});

test.each([[undefined], [7], [{ compiler: 7 }], [{ exempt: { add64_k: 1 } }], [{ cpus: "rv64" }]])(
  "options %j are refused",
  (options) => {
    expect(() => readOptions(options)).toThrow(UserError);
  },
);
