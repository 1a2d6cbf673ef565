import { mkdtemp, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import {
  type EmulatorTestResult,
  emulatorIdentity,
  replayEmulator,
  testEmulator,
} from "../../../properties/emulator.js";
import type { EmulatorRefinement } from "../../../refinement/refinement.js";
import { loadRefinement } from "../../../spec/notation/index.js";

const EMULATOR = path.resolve("test/refinement/emulation/emulator.mjs");

/** As a user writes it. */
async function refinement(mistake: string, more = ""): Promise<EmulatorRefinement> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "commute-step-"));
  const file = path.join(folder, "refinement.yaml");
  await writeFile(
    file,
    `refinement: by-hand
guest: ${path.resolve("spec/riscv/rv32i.yaml")}
emulator:
  command: ["${process.execPath}", "${EMULATOR}", "${mistake}"]
  memory:
    - { at: 0x1000, size: 0x40, access: rx }
    - { at: 0x1040, size: 0x40, access: none }
    - { at: 0x2000, size: 0x40, access: rw }
    - { at: 0x2040, size: 0x40, access: none }
${more}`,
  );
  const loaded = await loadRefinement(file);
  return loaded.form === "emulator" ? loaded : expect.fail("it is an emulator");
}

type Options = Partial<Parameters<typeof testEmulator>[1]>;

async function results(of: EmulatorRefinement, options: Options = {}): Promise<readonly EmulatorTestResult[]> {
  const tested = await testEmulator(of, { cases: 25, seed: 5, date: "2026-01-01", ...options });
  return "results" in tested ? tested.results : expect.fail("it is missing");
}

const only =
  (...names: string[]): ((obligation: string) => boolean) =>
  (obligation) =>
    names.includes(obligation.replace("commute/", ""));

test("a right emulator passes: every instruction, traps with their values, fetches that fault", async () => {
  const of = await refinement("none");
  const all = await results(of);
  expect(all.map((r) => r.name)).toEqual(of.guest.transitions.map((t) => `commute/${t.name}`));
  expect(all.filter((r) => r.verdict.verdict !== "tested")).toEqual([]);
});

test.each([
  ["sltu-signed", "sltu", "x", 5],
  ["sll-unmasked", "sll", "x", 5],
  ["lhu-signed", "lhu", "x", 4],
  ["store-anywhere", "sw", "trap", 4],
])("%s is found in %s, small, and replays", async (mistake, instruction, variable, size) => {
  const [result] = await results(await refinement(mistake), { cases: 100, only: only(instruction) });
  if (result?.verdict.verdict !== "refuted") return expect.fail("it is not refuted");
  const { counterexample } = result.verdict;
  expect(counterexample.guest?.assembly[0]).toMatch(new RegExp(`^${instruction} `));
  expect(counterexample.differs.map((d) => d.variable.replace(/\[.*/, ""))).toContain(variable);
  expect(Object.keys(counterexample.state).length).toBeLessThanOrEqual(size);
  expect(await replayEmulator(await refinement(mistake), counterexample)).toEqual({ differs: counterexample.differs });
  expect(await replayEmulator(await refinement("none"), counterexample)).toEqual({ differs: [] });
});

test("a register that is fixed and shown with another value differs", async () => {
  const [result] = await results(await refinement("writes-x0"), { cases: 200, only: only("addi") });
  expect(result?.verdict.verdict).toBe("refuted");
});

describe("bad neighbours", () => {
  test.each([
    ["crashes", /exited with 7 instead of answering, asked "code":"[0-9a-f]{8}"/],
    ["hangs", /no answer within 400 ms/],
    ["other-id", /the answer is for request \d+, not \d+/],
    ["no-json", /no JSON: I am an emulator/],
    ["no-state", /`?state`? must be an object, not nothing/],
    ["no-number", /`state.pc` must be a hexadecimal number/],
    ["unknown-variable", /has no variable `y`/],
    ["too-wide", /`pc` is a number of 32 bits/],
    ["unknown-trap", /`state.trap` is tripped, but the traps of rv32i are/],
    ["floods", /longer than 4194304 bytes/],
    ["error", /the emulator says: no idea/],
  ])("one that %s is unknown by name, and not asked for ever", async (mistake, reason) => {
    const of = await refinement(mistake, mistake === "hangs" ? "  timeout: 400\n" : "");
    const all = await results(of, { cases: 3, only: only("add", "sub", "xor", "or", "and") });
    expect(all.map((r) => r.verdict.verdict)).toEqual(Array.from({ length: 5 }, () => "unknown"));
    const reasons = all.map(({ verdict }) => (verdict.verdict === "unknown" ? verdict.reason : ""));
    expect(reasons[0]).toMatch(reason);
    expect(reasons.at(-1)).toMatch(/not asked: it has failed 3 times in a row/);
  });

  test("one that talks on does not have its words taken for another answer", async () => {
    const all = await results(await refinement("talks-on"), { only: only("add", "sub") });
    for (const { verdict } of all) expect(verdict).toMatchObject({ verdict: "unknown" });
  });

  test("what it does not support is unsupported, in its words", async () => {
    const [result] = await results(await refinement("unsupported"), { only: only("add") });
    expect(result?.verdict).toEqual({ verdict: "unsupported", what: "all of it" });
  });

  test("one that crashes now and then costs what it crashed at", async () => {
    const all = await results(await refinement("crashes-once-in-20"), {
      cases: 12,
      only: only("add", "sub", "xor", "or"),
    });
    expect(all.map((r) => r.verdict.verdict)).toEqual(["tested", "unknown", "tested", "unknown"]);
  });

  test("one that is not there is missing", async () => {
    const of = await refinement("none");
    const absent: EmulatorRefinement = {
      ...of,
      emulator:
        of.emulator.kind === "command"
          ? { ...of.emulator, program: { ...of.emulator.program, command: ["./nowhere"] } }
          : of.emulator,
    };
    expect(await testEmulator(absent, { cases: 1, seed: 1 })).toMatchObject({ missing: [{ program: "./nowhere" }] });
  });
});

test("its answers are kept by what the program is", async () => {
  const identities = await Promise.all(
    ["none", "hangs", "none"].map(async (m) => emulatorIdentity(await refinement(m))),
  );
  expect(identities[0]).not.toBe(identities[1]);
  expect(identities[0]).toBe(identities[2]);
});

test("traps that it cannot show, and variables, are left out", async () => {
  const of = await refinement(
    "none",
    "  avoid: [environment_call, breakpoint]\n  exempt: { fence: it orders nothing }\n",
  );
  const all = await results(of, { cases: 2, only: only("ecall", "ebreak", "fence", "add") });
  expect(all.map((r) => [r.name, r.verdict.verdict])).toEqual([
    ["commute/add", "tested"],
    ["commute/ecall", "vacuous"],
    ["commute/ebreak", "vacuous"],
  ]);
});
