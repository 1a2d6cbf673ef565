/** The stub of another architecture: its order of registers, flags as bits of one, a guest whose instructions a library decodes. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, type TestContext, expect, test } from "vitest";
import { type EmulatorTestResult, replayEmulator, testEmulator } from "../../../properties/emulator.js";
import { findProgram } from "../../../refinement/process/programs.js";
import type { EmulatorRefinement } from "../../../refinement/refinement.js";
import { type Files, nodeFiles } from "../../../spec/notation/files.js";
import { loadRefinement } from "../../../spec/notation/index.js";
import { editedFiles } from "../../edited-files.js";

const FILE = `refinement: qemu-x86
guest: ${path.resolve("spec/x86-64/x86-64.yaml")}
emulator:
  gdb: { command: [qemu-x86_64, -g, "{socket}", "{program}"] }
  architecture: x86-64
  memory:
    - { at: 0x500e00, size: 0x200, access: rwx }
    - { at: 0x501000, size: 0x1000, access: none }
    - { at: 0x600e00, size: 0x200, access: rw }
    - { at: 0x601000, size: 0x1000, access: none }
  signals:
    SIGILL: invalid_opcode
    SIGFPE: divide_error
    SIGSEGV: [page_fault_fetch, page_fault_read, page_fault_write, general_protection, stack_fault]
  avoid: [system_call, unsupported, breakpoint]
  hidden: [fs_base, gs_base]
`;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "commute-x86-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function refinement(ctx: TestContext, files: Files = nodeFiles): Promise<EmulatorRefinement> {
  if (findProgram("qemu-x86_64", ".") === undefined) ctx.skip("qemu-x86_64 is missing: apt-get install qemu-user");
  const file = path.join(folder, "refinement.yaml");
  await writeFile(file, FILE);
  const loaded = await loadRefinement(file, { files });
  return loaded.form === "emulator" ? loaded : expect.fail("it is an emulator");
}

async function results(of: EmulatorRefinement, names: readonly string[]): Promise<readonly EmulatorTestResult[]> {
  const only = (name: string): boolean => names.includes(name.replace("commute/", ""));
  const tested = await testEmulator(of, { cases: 12, seed: 2, only });
  return "results" in tested ? tested.results : expect.fail("it is missing");
}

test("instructions with flags, memory, stack, jumps and divisions agree", { timeout: 120_000 }, async (ctx) => {
  const names = ["add", "sub", "lea", "push", "div", "cmp", "test", "ud2"];
  const all = await results(await refinement(ctx), names);
  expect(all.map((r) => `${r.name} ${r.verdict.verdict}`).sort()).toEqual(
    names.map((name) => `commute/${name} tested`).sort(),
  );
});

test("a flag that is defined wrongly is found, and replays", { timeout: 120_000 }, async (ctx) => {
  const wrong = await refinement(
    ctx,
    editedFiles("x86-64/core.yaml", (text) => text.replace(/SF = .*/, "SF = false")),
  );
  const found = (await results(wrong, ["add"]))[0]?.verdict;
  if (found?.verdict !== "refuted") return expect.fail("it is not refuted");
  const { counterexample } = found;
  expect(counterexample.differs.map((d) => d.variable)).toEqual(["SF"]);
  expect(await replayEmulator(wrong, counterexample)).toEqual({ differs: counterexample.differs });
  expect(await replayEmulator(await refinement(ctx), counterexample)).toEqual({ differs: [] });
});
