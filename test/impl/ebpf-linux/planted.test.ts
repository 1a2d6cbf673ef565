/**
 * A checker that cannot fail is worse than none: wrong definitions are planted in every eBPF instruction, all at once since each
 * has its own obligation, and every one must be refuted by the kernel, in that very instruction.
 */
import path from "node:path";
import { expect, test } from "vitest";
import { compareAll } from "../../../properties/emulator-compare.js";
import { type Draws, withGuest } from "../../../properties/emulator-guest.js";
import { replayEmulator, testEmulator } from "../../../properties/emulator.js";
import { randomAt } from "../../../properties/random.js";
import type { Emulator } from "../../../refinement/emulator.js";
import type { Machine } from "../../../refinement/machine.js";
import { type Files, loadMachine } from "../../../spec/notation/index.js";
import { edited, planted } from "./mutants.js";
import { needKernel, refinement } from "./need-kernel.js";

/** Later rounds plant further slips, in fewer instructions each; there are none beyond. */
const ROUNDS = 11;
/** Cases that are tried before an instruction counts as right. */
const BATCHES = 32;
const BATCH = 32;

const machineOf = (files: Files): Promise<Machine> => loadMachine(path.resolve("spec/ebpf/ebpf.yaml"), { files });
const signal = new AbortController().signal;

/** Whether a case of the instruction goes differently in the kernel. */
async function isRefuted(machine: Machine, emulator: Emulator, name: string): Promise<boolean> {
  const { room } = emulator;
  if (room === undefined) return expect.fail("the kernel runs no single instructions");
  return withGuest(machine, room, async (guest) => {
    for (let batch = 0; batch < BATCHES; batch++) {
      const draws: Draws = (...numbers) => randomAt(7, batch, ...numbers);
      const drawn = Array.from({ length: 20 * BATCH }, (_, n) => guest.draw(name, draws, n));
      const cheap = drawn.filter((c) => c !== undefined).filter((c) => room.cost(c.state) === "cheap");
      for await (const { transition, differs } of compareAll(guest, emulator, cheap.slice(0, BATCH), signal))
        if (transition === name && differs.length > 0) return true;
    }
    return false;
  });
}

test.for(Array.from({ length: ROUNDS }, (_, round) => round))(
  "wrong definitions, round %i",
  { timeout: 300_000 },
  async (round, ctx) => {
    const emulator = await needKernel(ctx);
    const { files, wrong } = planted(round);
    const guest = await machineOf(files);
    const names = [...wrong.keys()].filter((name) => emulator.exempt?.has(name) !== true);
    const instructions = guest.instructionSet?.instructions.length ?? 0;
    if (round === 0) expect(names).toHaveLength(instructions - (emulator.exempt?.size ?? 0));
    const survivors: string[] = [];
    for (const name of names)
      if (!(await isRefuted(guest, emulator, name))) survivors.push(`${name}: ${wrong.get(name)}`);
    await emulator.close();
    expect(survivors).toEqual([]);
  },
);

test("no slip is left for another round", async () => {
  const { files, wrong } = planted(ROUNDS);
  await machineOf(files);
  expect([...wrong]).toEqual([]);
});

/** In what instructions share, and in the conditions on their words. */
test.for([
  ["b == 0 ? 0 : a /u b", "b == 0 ? 1 : a /u b", "div64_x"],
  ["b == 0 ? 0 : a /s b", "a /s b", "sdiv32_x"],
  ["b == 0 ? a : a %u b", "b == 0 ? 0 : a %u b", "mod32_x"],
  ["b == 0 ? a : a %s b", "b == 0 ? a : a %u b", "smod64_x"],
  ["r[register] = zext(value)", "r[register] = sext(value)", "sub32_x"],
  ["r[register] = zext(value)", "r[register] = r[register][63:32] ++ value", "mov32_k"],
  ["v[7:0] ++ v[15:8]", "v", "be16"],
  ["swap16(v[15:0]) ++ swap16(v[31:16])", "swap16(v[31:16]) ++ swap16(v[15:0])", "bswap32"],
  ["pc + 8 + (slots << 3)", "pc + (slots << 3)", "ja"],
  ["pc + 8 + (slots << 3)", "pc + 8 + (slots << 2)", "jeq64_x"],
  ["if taken {", "if !taken {", "jslt32_k"],
  ["register <u 10", "register <=u 10", "mov64_k"],
] as const)("a wrong `%s` is found in %s", async ([from, to, name], ctx) => {
  const emulator = await needKernel(ctx);
  const guest = await machineOf(edited((text) => text.replace(from, to)));
  const refuted = await isRefuted(guest, emulator, name);
  await emulator.close();
  expect(refuted).toBe(true);
});

test.for([
  ["ldxs16", "r[dst] = sext(mem[", "r[dst] = zext(mem["],
  ["xchg64", "mem[address, 8] = r[src]\n      r[src] = old", "mem[address, 8] = r[src]\n      r[src] = r[src]"],
  ["jsle32_x", "r[dst][31:0] <=s r[src][31:0]", "r[dst][31:0] <s r[src][31:0]"],
] as const)(
  "a wrong %s becomes a small counterexample that replays",
  { timeout: 120_000 },
  async ([name, from, to], ctx) => {
    await (await needKernel(ctx)).close();
    const guest = await machineOf(edited((text) => text.replaceAll(from, to)));
    const wrongly = { ...refinement, guest };
    const only = (obligation: string): boolean => obligation === `commute/${name}`;
    const tested = await testEmulator(wrongly, { cases: 200, seed: 7, only });
    const [result] = "results" in tested ? tested.results : [];
    if (result?.verdict.verdict !== "refuted") return expect.fail("it is not refuted");
    const { counterexample } = result.verdict;
    expect(Object.keys(counterexample.state).length).toBeLessThanOrEqual(6);
    expect(await replayEmulator(wrongly, counterexample)).toEqual({ differs: counterexample.differs });
    expect(await replayEmulator(refinement, counterexample)).toEqual({ differs: [] });
  },
);
