/** QEMU beside all of unprivileged RV64 and RV32. */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import factory from "../../../impl/qemu-lockstep/emulator.js";
import { testEmulator } from "../../../properties/emulator.js";
import { bytesToWord, decode, lengthOfWord } from "../../../refinement/assembly/index.js";
import { readElf } from "../../../refinement/execute/elf.js";
import { FOLDER, needQemu } from "./need-qemu.js";
import { moduleOptions } from "../../emulation.js";

/** Cases of each instruction; COMMUTE_CASES asks for more. */
const CASES = Number(process.env["COMMUTE_CASES"] ?? 40);

describe.each([
  ["rv64u", 166, ["ebreak", "c.ebreak", "czero.eqz", "czero.nez"]],
  ["rv32u", 121, ["ebreak", "c.ebreak", "czero.eqz", "czero.nez"]],
] as const)("%s", { timeout: 3_600_000 }, (name, count, never) => {
  test("every instruction, illegal words and denied fetches", async (ctx) => {
    const refinement = await needQemu(ctx, `refinement-${name}`);
    const only = (obligation: string): boolean => obligation.startsWith("commute/");
    const tested = await testEmulator(refinement, { cases: CASES, seed: 20261127, only });
    if ("missing" in tested) return expect.fail("it is missing");
    expect(tested.results.filter((r) => r.verdict.verdict !== "tested")).toEqual([]);
    expect(tested.results).toHaveLength(count + 2);
    for (const { verdict } of tested.results) expect(verdict).toMatchObject({ cases: CASES });
  });

  test("programs in lockstep", async (ctx) => {
    const refinement = await needQemu(ctx, `refinement-${name}`);
    const only = (obligation: string): boolean => /^lockstep\/(hash|bits|atomics)$/.test(obligation);
    const tested = await testEmulator(refinement, { cases: 1, seed: 1, only });
    if ("missing" in tested) return expect.fail("it is missing");
    expect(tested.results).toHaveLength(3);
    for (const { verdict } of tested.results) expect(verdict.verdict).toBe("tested");
  });

  test("the programs hold every instruction of the extensions, but breakpoints and what no compiler here knows", async (ctx) => {
    const refinement = await needQemu(ctx, `refinement-${name}`);
    const { guest } = refinement;
    const set = guest.instructionSet;
    const opened = await factory(guest, moduleOptions(refinement), FOLDER);
    if ("missing" in opened || set === undefined) return expect.fail("it is missing");
    const found = new Set<string>();
    for (const { elf } of await (opened.emulator.tracing?.programs() ?? [])) {
      for (const { executable, data } of readElf(await readFile(elf), elf).segments) {
        for (let at = 0; executable && at + 4 <= data.length; ) {
          const length = lengthOfWord(set, bytesToWord(data.subarray(at, at + 2)));
          found.add(decode(guest, bytesToWord(data.subarray(at, at + length)))?.instruction.name ?? "");
          at += length;
        }
      }
    }
    await opened.emulator.close();
    const extension = /\.|^(sh\dadd|andn|orn|xnor|cl|ct|cpop|max|min|ro[lr]|rev8|b(clr|ext|inv|set))/;
    const all = set.instructions.map((i) => i.name).filter((n) => extension.test(n));
    expect(all.filter((n) => !found.has(n))).toEqual(never.filter((n) => extension.test(n)));
  });
});
