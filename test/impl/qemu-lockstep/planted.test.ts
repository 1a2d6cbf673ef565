/**
 * A checker that cannot fail is worse than none: wrong definitions are planted in every RISC-V instruction, all at once since
 * each has its own obligation, and every one must be refuted by QEMU, in that very instruction.
 */
import path from "node:path";
import { expect, test } from "vitest";
import { replayEmulator, testEmulator } from "../../../properties/emulator.js";
import { decode } from "../../../refinement/assembly/index.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { planted } from "./mutants.js";
import { needQemu } from "./need-qemu.js";

/** Later rounds plant further slips, in fewer instructions each; there are none beyond. */
const ROUNDS = 7;

test.for(Array.from({ length: ROUNDS }, (_, round) => round))(
  "wrong definitions, round %i",
  { timeout: 300_000 },
  async (round, ctx) => {
    const refinement = await needQemu(ctx);
    const { files, wrong } = planted(round);
    const guest = await loadMachine(path.resolve("spec/riscv/rv64im.yaml"), { files });
    const plantedIn = guest.transitions.map((t) => t.name).filter((name) => wrong.has(name));
    if (round === 0) expect(plantedIn).toHaveLength(65);
    const only = (name: string): boolean => wrong.has(name.replace("commute/", ""));
    const tested = await testEmulator({ ...refinement, guest }, { cases: 300, seed: 7, only });
    if ("missing" in tested) return expect.fail("it is missing");
    const survivors = tested.results.filter((r) => r.verdict.verdict !== "refuted");
    expect(survivors.map((r) => `${r.name}: ${wrong.get(r.name.replace("commute/", ""))}`)).toEqual([]);
    expect(tested.results.map((r) => r.name)).toEqual(plantedIn.map((name) => `commute/${name}`));
    for (const { name, verdict } of tested.results) {
      if (verdict.verdict !== "refuted") continue;
      const word = Buffer.from(verdict.counterexample.guest?.code ?? "", "hex").readUInt32LE();
      expect(`commute/${decode(guest, BigInt(word))?.instruction.name}`).toBe(name);
    }
  },
);

/**
 * The instructions that rv64im does not have. Compressed ones are planted apart from those that they expand to, in which the
 * same slip could undo theirs.
 */
const base = (await loadMachine(path.resolve("spec/riscv/rv64im.yaml"))).transitions.map((t) => t.name);
const isCompressed = (name: string): boolean => name.startsWith("c.");
const isFloat = (name: string): boolean => /^(c\.)?f(?!ence)/.test(name);
const isExtension = (name: string): boolean => !isCompressed(name) && !base.includes(name);

/** On RV32, where the text is that of RV64: the first slips of each instruction. */
const ROUNDS_32 = 3;

test.for([
  ...Array.from({ length: 7 }, (_, round) => ["rv64u", "of extensions", isExtension, round] as const),
  ...Array.from({ length: 5 }, (_, round) => ["rv64u", "compressed", isCompressed, round] as const),
  ...Array.from({ length: ROUNDS_32 }, (_, round) => ["rv32u", "of extensions", isExtension, round] as const),
  ...Array.from({ length: ROUNDS_32 }, (_, round) => ["rv32u", "compressed", isCompressed, round] as const),
  ...Array.from({ length: 5 }, (_, round) => ["rv64u-fd", "of F and D", isFloat, round] as const),
])("wrong definitions of %s, %s, round %#", { timeout: 300_000 }, async ([name, , wanted, round], ctx) => {
  const refinement = await needQemu(ctx, `refinement-${name}`);
  const { files, wrong } = planted(round, wanted, name === "rv32u" ? 32 : 64);
  const guest = await loadMachine(path.resolve(`spec/riscv/${refinement.guest.name}.yaml`), { files });
  const all = guest.transitions.filter((t) => t.instruction !== undefined && wanted(t.name)).map((t) => t.name);
  const plantedIn = all.filter((n) => wrong.has(n));
  if (round === 0) expect(plantedIn).toEqual(all);
  expect(plantedIn.length).toBeGreaterThan(0);
  const only = (obligation: string): boolean => plantedIn.includes(obligation.replace("commute/", ""));
  // On RV32 a store-conditional succeeds in one case of some hundreds.
  const tested = await testEmulator({ ...refinement, guest }, { cases: name === "rv32u" ? 1000 : 300, seed: 7, only });
  if ("missing" in tested) return expect.fail("it is missing");
  const survivors = tested.results.filter((r) => r.verdict.verdict !== "refuted");
  expect(survivors.map((r) => `${r.name}: ${wrong.get(r.name.replace("commute/", ""))}`)).toEqual([]);
  expect(tested.results.map((r) => r.name)).toEqual(plantedIn.map((n) => `commute/${n}`));
});

test.for([
  ["remw", "arithmetic"],
  ["lbu", "strings"],
  ["srliw", "hash"],
  ["jalr", "sort"],
  ["sb", "strings"], // seen in a load, long after
] as const)(
  "a wrong %s is found by the program %s as well, and shrunk to that instruction",
  async ([name, program], ctx) => {
    const refinement = await needQemu(ctx);
    const { files } = planted(name === "sb" ? 2 : 0, (n) => n === name);
    const wrongly = { ...refinement, guest: await loadMachine(path.resolve("spec/riscv/rv64im.yaml"), { files }) };
    const tested = await testEmulator(wrongly, {
      cases: 1,
      seed: 7,
      only: (obligation) => obligation === `lockstep/${program}`,
    });
    const [result] = "results" in tested ? tested.results : [];
    if (result?.verdict.verdict !== "refuted") return expect.fail("it is not refuted");
    const { counterexample } = result.verdict;
    expect(counterexample.guest?.assembly[0]).toMatch(new RegExp(`^${name} `));
    expect(Object.keys(counterexample.state).length).toBeLessThanOrEqual(6);
    expect(await replayEmulator(wrongly, counterexample)).toEqual({ differs: counterexample.differs });
    expect(await replayEmulator(refinement, counterexample)).toEqual({ differs: [] });
  },
);

test("no slip is left for another round", async () => {
  const { files, wrong } = planted(ROUNDS);
  await loadMachine(path.resolve("spec/riscv/rv64u_fd.yaml"), { files });
  expect([...wrong]).toEqual([]);
});
