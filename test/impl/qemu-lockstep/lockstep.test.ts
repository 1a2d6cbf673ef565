import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import factory from "../../../impl/qemu-lockstep/emulator.js";
import { replayEmulator, testEmulator } from "../../../properties/emulator.js";
import { bytesToWord, decode } from "../../../refinement/assembly/index.js";
import { readElf } from "../../../refinement/execute/elf.js";
import { loadRefinement } from "../../../spec/notation/index.js";
import { caseOf, moduleOptions } from "../../emulation.js";
import { withPath } from "../../with-path.js";
import { FOLDER, needQemu } from "./need-qemu.js";

describe("the installed QEMU", { timeout: 240_000 }, () => {
  test("runs every instruction of RV64IM as the definition says, and illegal words, and denied fetches", async (ctx) => {
    const refinement = await needQemu(ctx);
    const only = (name: string): boolean => name.startsWith("commute/");
    const tested = await testEmulator(refinement, { cases: 60, seed: 20261123, only });
    if ("missing" in tested) return expect.fail("it is missing");
    expect(tested.results.filter((r) => r.verdict.verdict !== "tested")).toEqual([]);
    expect(tested.results).toHaveLength(65 + 2);
    for (const { verdict } of tested.results) expect(verdict).toMatchObject({ cases: 60 });
    expect(tested.identity).toMatch(/^qemu-riscv64 version .*-cpu rv64,.*c=off/);
  });

  test("runs real programs in lockstep, a few hundred thousand instructions", async (ctx) => {
    const refinement = await needQemu(ctx);
    const only = (name: string): boolean => name.startsWith("lockstep/");
    const tested = await testEmulator(refinement, { cases: 1, seed: 1, only });
    if ("missing" in tested) return expect.fail("it is missing");
    const counts = new Map(
      tested.results.map(({ name, verdict }) => [name, verdict.verdict === "tested" ? verdict.cases : -1]),
    );
    expect([...counts.keys()]).toEqual(
      ["sort", "hash", "division", "strings", "interpreter", "matrix", "arithmetic"].map((name) => `lockstep/${name}`),
    );
    for (const [name, count] of counts) expect(count, name).toBeGreaterThan(10_000);
    expect([...counts.values()].reduce((a, b) => a + b)).toBeGreaterThan(300_000);
  });

  test("is given programs in which every instruction but ebreak occurs", async (ctx) => {
    const refinement = await needQemu(ctx);
    const opened = await factory(refinement.guest, moduleOptions(refinement), FOLDER);
    if ("missing" in opened) return expect.fail("it is missing");
    const found = new Set<string>();
    for (const { elf } of await (opened.emulator.tracing?.programs() ?? [])) {
      for (const { executable, data } of readElf(await readFile(elf), elf).segments) {
        for (let at = 0; executable && at + 4 <= data.length; at += 4) {
          const word = bytesToWord(data.subarray(at, at + 4));
          found.add(decode(refinement.guest, word)?.instruction.name ?? "");
        }
      }
    }
    await opened.emulator.close();
    const all = refinement.guest.instructionSet?.instructions.map((i) => i.name) ?? [];
    expect(all.filter((name) => !found.has(name))).toEqual(["ebreak"]);
  });

  test("answers the same cases the same way again", async (ctx) => {
    const refinement = await needQemu(ctx);
    const only = (name: string): boolean => name === "commute/jalr" || name === "commute/sd";
    const run = (): ReturnType<typeof testEmulator> => testEmulator(refinement, { cases: 40, seed: 5, only });
    expect(await run()).toEqual(await run());
  });
});

test("a counterexample file's case is run again", async (ctx) => {
  const refinement = await needQemu(ctx);
  const counterexample = caseOf(refinement, {
    title: "a load from the read-only window, across an inaccessible page",
    cause: { obligation: "commute/ld", variable: "x" },
    state: { pc: 0x10000000n, "x[2]": 0x30001ffdn, "mem[0x10000000]": "83300100" },
    inaccessible: [{ memory: "mem", access: "load", address: 0x30002000n, bytes: 8n }],
  });
  expect(await replayEmulator(refinement, counterexample)).toEqual({ differs: [] });
  const elsewhere = { ...counterexample, state: { ...counterexample.state, "x[2]": 0x4000800000n } };
  await expect(replayEmulator(refinement, elsewhere)).rejects.toThrow("would leave the memory");
});

test("without QEMU the refinement is missing, with the package that would install it", async () => {
  const refinement = await loadRefinement("impl/qemu-lockstep/refinement.yaml");
  if (refinement.form !== "emulator") return expect.fail("qemu-lockstep is a black box");
  const tested = await withPath("/nowhere", () => testEmulator(refinement, { cases: 1, seed: 1 }));
  expect(tested).toEqual({
    missing: [
      { program: "qemu-riscv64", remedy: expect.stringContaining("apt-get install qemu-user") },
      { program: "riscv64-linux-gnu-gcc", remedy: expect.stringContaining("apt-get install gcc-riscv64-linux-gnu") },
    ],
  });
});
