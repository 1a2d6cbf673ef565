import path from "node:path";
import { describe, expect, test } from "vitest";
import { emulatorIdentity, type EmulatorTestResult, replayEmulator, testEmulator } from "../../properties/emulator.js";
import { disassemble } from "../../refinement/assembly/index.js";
import type { Counterexample } from "../../refinement/counterexample.js";
import { UserError } from "../../refinement/errors.js";
import type { EmulatorRefinement } from "../../refinement/refinement.js";
import { loadMachine } from "../../spec/notation/index.js";
import type { Mistake } from "./reference-emulator.js";

const guest = await loadMachine(path.resolve("spec/riscv/rv64im.yaml"));

function refinement(mistake: Mistake): EmulatorRefinement {
  return {
    form: "emulator",
    name: "reference",
    title: "the reference evaluator as a black box",
    kind: "emulation",
    file: path.resolve("test/properties/reference.yaml"),
    guest,
    assumptions: [],
    faults: [],
    fault: undefined,
    mapping: [],
    emulator: {
      kind: "module",
      module: path.resolve("test/properties/reference-emulator.ts"),
      options: { mistake },
    },
  };
}

type Options = Parameters<typeof testEmulator>[1];

async function results(mistake: Mistake, options: Partial<Options> = {}): Promise<readonly EmulatorTestResult[]> {
  const tested = await testEmulator(refinement(mistake), { cases: 20, seed: 1, date: "2026-01-01", ...options });
  return "results" in tested ? tested.results : expect.fail("it is missing");
}

const refuted = (of: readonly EmulatorTestResult[]): ReadonlyMap<string, Counterexample> =>
  new Map(of.flatMap(({ name, verdict }) => (verdict.verdict === "refuted" ? [[name, verdict.counterexample]] : [])));

const only =
  (...names: string[]): ((obligation: string) => boolean) =>
  (obligation) =>
    names.includes(obligation);

test("a right emulator passes: each transition of the guest and each program is an obligation with its number of cases", async () => {
  const all = await results("none", { cases: 8 });
  expect(all.map((r) => r.name)).toEqual([...guest.transitions.map((t) => `commute/${t.name}`), "lockstep/loop"]);
  expect(all.filter((r) => r.verdict.verdict !== "tested")).toEqual([]);
  expect(all.at(-1)?.verdict).toMatchObject({ cases: 3 + 40 * 6 + 1 });
  const executed = [...(all.at(-1)?.executed?.values() ?? [])];
  expect(executed.reduce((sum, n) => sum + n, 0)).toBe(3 + 40 * 6 + 1);
  expect(Math.max(...executed)).toBeGreaterThanOrEqual(40);
  for (const { name, verdict } of all)
    if (name.startsWith("commute/")) expect(verdict).toMatchObject({ cases: 8, seed: 1 });
});

describe("a mistake in one instruction", () => {
  test("is found in that instruction alone, and shrunk to it", async () => {
    const found = refuted(await results("sub", { only: (name) => name.startsWith("commute/") && name.includes("u") }));
    expect([...found.keys()]).toEqual(["commute/sub"]);
    const counterexample = found.get("commute/sub");
    expect(counterexample).toMatchObject({
      refinement: "reference",
      obligation: "commute/sub",
      found: { by: "test", seed: 1, date: "2026-01-01" },
      machines: { guest: guest.digest, host: "the reference evaluator" },
      expect: "refuted",
      cause: { obligation: "commute/sub", variable: "x" },
    });
    expect(counterexample?.guest?.assembly[0]).toMatch(/^sub /);
    expect(counterexample?.differs).toHaveLength(1);
    // pc, one or two registers, the instruction
    expect(Object.keys(counterexample?.state ?? {}).length).toBeLessThanOrEqual(4);
  });

  test("is found in a program, at the step, and shrunk to a single instruction", async () => {
    const counterexample = refuted(await results("sub", { only: only("lockstep/loop") })).get("lockstep/loop");
    expect(counterexample?.guest?.assembly[0]).toMatch(/^sub /);
    expect(Object.keys(counterexample?.state ?? {}).length).toBeLessThanOrEqual(4);
  });

  test("is reproduced by its counterexample, which holds once the mistake is mended", async () => {
    const counterexample = refuted(await results("sub", { only: only("commute/sub") })).get("commute/sub");
    if (counterexample === undefined) return expect.fail("not found");
    expect(await replayEmulator(refinement("sub"), counterexample)).toEqual({ differs: counterexample.differs });
    expect(await replayEmulator(refinement("none"), counterexample)).toEqual({ differs: [] });
  });

  test("is found again by the same seed, and told the same way", async () => {
    const run = (): Promise<readonly EmulatorTestResult[]> =>
      results("sub", { only: only("commute/sub", "lockstep/loop"), seed: 9 });
    expect(await run()).toEqual(await run());
  });
});

describe("programs", () => {
  test("memory at the end is compared", async () => {
    const counterexample = refuted(await results("store", { only: only("lockstep/loop") })).get("lockstep/loop");
    expect(counterexample?.cause.variable).toBe("mem");
    expect(counterexample?.differs[0]?.variable).toBe(`mem[0x${(0x8000 + 39 * 4).toString(16)}]`);
  });

  test("a program that ends where the definition goes on is noticed", async () => {
    expect([...refuted(await results("early", { only: only("lockstep/loop") })).keys()]).toEqual(["lockstep/loop"]);
  });
});

test("trap values are compared", async () => {
  const found = refuted(
    await results("value", { only: only("commute/lw", "commute/ecall", "commute/add", "commute/fetch_fault") }),
  );
  expect([...found.keys()]).toEqual(["commute/lw", "commute/ecall", "commute/fetch_fault"]);
  const fault = found.get("commute/lw");
  expect(fault?.differs).toEqual([{ variable: "trap.value", guest: expect.anything(), host: "0x666" }]);
  expect(fault?.inaccessible).toEqual([
    { memory: "mem", access: "load", address: expect.anything(), bytes: expect.anything() },
  ]);
});

test("words that are no instructions are drawn for `illegal`", async () => {
  const [result] = await results("value", { only: only("commute/illegal") });
  if (result?.verdict.verdict !== "refuted") return expect.fail("not refuted");
  const { counterexample } = result.verdict;
  const word = Buffer.from(counterexample.guest?.code ?? "", "hex").readUInt32LE();
  expect(disassemble(guest, BigInt(word), 0n)).toMatch(/^\.word/);
});

test("nothing holds where no case can be run", async () => {
  const [result] = await results("no-room", { only: only("commute/add") });
  expect(result?.verdict).toMatchObject({ verdict: "vacuous" });
});

test("a missing emulator is missing, with a remedy", async () => {
  expect(await testEmulator(refinement("missing"), { cases: 1, seed: 1 })).toEqual({
    missing: [{ program: "reference", remedy: "remember it" }],
  });
  expect(await emulatorIdentity(refinement("missing"))).toBeUndefined();
  expect(await emulatorIdentity(refinement("none"))).toBe("the reference evaluator");
});

test("progress comes, and never goes back", async () => {
  const seen: number[] = [];
  let last = 0;
  await results("none", {
    cases: 5,
    onProgress: (done, total) => {
      seen.push(done);
      last = total;
    },
  });
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(last);
});

test("an interrupted test keeps what is settled", async () => {
  const controller = new AbortController();
  const all = await results("none", {
    cases: 5,
    signal: controller.signal,
    onProgress: (_done, _total, what) => {
      if (what === "commute/addi") controller.abort();
    },
  });
  expect(all.map((r) => r.name)).toEqual(["commute/lui", "commute/auipc", "commute/addi"]);
});

test("a module that is no emulator is the user's mistake", async () => {
  const module = path.resolve("refinement/emulator.ts");
  await expect(
    testEmulator({ ...refinement("none"), emulator: { kind: "module", module, options: {} } }, { cases: 1, seed: 1 }),
  ).rejects.toThrow(UserError);
});

test("an instruction that the host lacks is not validated, and says so", async () => {
  const [result] = await results("lacks", { only: only("commute/sub") });
  expect(result?.verdict).toEqual({ verdict: "unsupported", what: "not validated here: this host has no sub" });
});
