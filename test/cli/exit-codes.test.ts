import { expect, test } from "vitest";
import { COUNTER, check, commute, folder } from "./commute.js";

const project = folder(COUNTER);

test("0: every obligation holds", async () => {
  expect((await check([], { cwd: await project })).code).toBe(0);
});

test("1: one is refuted", async () => {
  expect((await check(["--fault", "no-carry"], { cwd: await project })).code).toBe(1);
});

test("3: none is refuted, but something is unknown, and it says why", async () => {
  const { code, stdout } = await check(["--no-cache", "--budget", "1ms"], { cwd: await project });
  expect(code).toBe(3);
  expect(stdout).toMatch(/unknown .*commute\/tick, progress \(prove, budget\): .*budget/);
  expect(stdout).toContain("inconclusive");
});

test("3: an obligation that says nothing is vacuous, not good news", async () => {
  const impossible = replaced("impl/halves/halves.yaml", 'guard: "true"', 'guard: "low == 1 && low == 2"');
  const { code, stdout } = await check(["--mode", "prove", "--only", "commute/*"], { cwd: await folder(impossible) });
  expect(code).toBe(3);
  expect(stdout).toMatch(/vacuous .*commute\/tick \(prove, rewrite\)/);
});

test("130: interrupted, with what was done printed", async () => {
  const { code, stdout, stderr } = await commute(["check", "--no-cache", "--cases", "100000000"], {
    cwd: await project,
    interruptAt: /\(test/,
  });
  expect(code).toBe(130);
  expect(stderr).toContain("stopping");
  expect(stdout).toMatch(/\d proved/);
  expect(stdout).toMatch(/^interrupted: 1 refinement/m);
}, 60_000);

test("130: with --json, still one document, that says so", async () => {
  const { code, stdout } = await commute(["check", "--json", "--no-cache", "--cases", "100000000"], {
    cwd: await project,
    interruptAt: /done/,
  });
  expect(code).toBe(130);
  expect(JSON.parse(stdout)).toMatchObject({ interrupted: true });
}, 60_000);

test.each([
  [["lst"], "did you mean `list`"],
  [["halvs"], "did you mean `halves`"],
  [["frobnicate"], "commute --help"],
  [["check", "halvs"], "did you mean `halves`"],
  [["check", "halves", "--fault", "no-cary"], "did you mean `no-carry`"],
  [["check", "--mode", "guess"], "prove, test, explore"],
  [["check", "--timeout", "soon"], "10s"],
  [["check", "--seed", "lucky"], "integer"],
  [["check", "--jobs", "0"], "at least 1"],
  [["check", "--solver", "yices"], "z3-wasm"],
  [["check", "--only", "nothing/*"], "no obligation"],
  [["check", "--tmeout", "1s"], "--timeout"],
  [["check", "spec/counter.yaml"], "defines a machine"],
  [["check", "./no/such.yaml"], "no such file"],
  [["explain"], "REFINEMENT"],
  [["explain", "counter"], "no refinement called `counter`"],
  [["asm", "tiny"], "TEXT"],
  [["asm", "tiny", "lli r0, 3"], "li"],
  [["asm", "tiny", "q".repeat(1000)], "qqq…`"],
  [["asm", "tiny", "halt", "--pc", "16"], "--pc 0x10 is no address of tiny"],
  [["asm", "counter", "tick"], "no instructions"],
  [["disasm", "rv32i", "130570"], "whole number of instructions"],
  [["disasm", "rv32i", "13o57000"], "hexadecimal"],
  [["disasm", "rv32i", "0x1ffffffff"], "32 bits"],
  [["replay"], "no counterexamples"],
  [["init", "."], "not empty"],
  [["init", "spec/counter.yaml"], "counter.yaml"],
])("2: %j says %s", async (args, says) => {
  const { code, stdout, stderr } = await commute(args, { cwd: await project });
  expect(stderr).toContain(says);
  expect(stderr).not.toContain("a bug in commute");
  expect(stdout).toBe("");
  expect(code).toBe(2);
});

function replaced(file: string, from: string, to: string): Readonly<Record<string, string>> {
  const text = COUNTER[file] ?? "";
  expect(text).toContain(from);
  return { ...COUNTER, [file]: text.replace(from, to) };
}
