/**
 * The derived assembler and disassembler beside LLVM's: every instruction with random operands, in both directions.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { expect, type TestContext, test } from "vitest";
import { assemble, disassemble, wordToBytes } from "../../../refinement/assembly/index.js";
import { randomFrom } from "../../refinement/assembly/machines.js";
import { encodingEvidence } from "../../evidence.js";
import { ebpf, randomWords, set } from "./machine.js";

const run = promisify(execFile);
const LLVM = ["-triple=bpfel", "-mcpu=v4"];

async function needLlvm(ctx: TestContext): Promise<void> {
  for (const tool of ["llvm-mc-19", "llvm-objcopy-19"]) {
    const found = await run(tool, ["--version"]).then(
      () => true,
      () => false,
    );
    if (!found) ctx.skip(`${tool} is not installed (Debian: llvm-19)`);
  }
}

/** What cannot be compared, and why. */
const NOT_LLVMS = new Map([
  ["call_local", "LLVM knows it as a call with a relocation: it prints src 0 and 1 alike, and cannot read `call pc+5`"],
  ["lddw_map_value_by_fd", "LLVM's ld_pseudo has no second immediate"],
  ["lddw_map_value_by_index", "likewise"],
  ["call_btf", "LLVM prints src 0 and 2 alike, and has no way to write it"],
]);

const random = randomFrom(11);
const sample = set.instructions
  .filter((i) => !NOT_LLVMS.has(i.name))
  .flatMap((instruction) => randomWords(instruction, 30, random).map((word) => ({ instruction, word })))
  .filter(({ instruction, word }) => {
    const imm = BigInt.asIntN(32, word >> 32n);
    // LLVM's `gotol +N` takes 16 bits; the other 16 it fills in from labels. It shows no offset of the packet's register.
    return (
      !(instruction.name === "ja32" && imm !== BigInt.asIntN(16, imm)) &&
      !(/^ld_ind/.test(instruction.name) && imm !== 0n)
    );
  });
const bytes = ({ instruction, word }: (typeof sample)[number]): Uint8Array =>
  wordToBytes(word, instruction.encoding.width);

/** LLVM's text for each word. */
async function dumped(codes: readonly Uint8Array[]): Promise<string[]> {
  const text = codes.map((code) => [...code].map((b) => `0x${b.toString(16)}`).join(" ")).join("\n");
  const child = run("llvm-mc-19", [...LLVM, "--disassemble"], { maxBuffer: 1 << 26 });
  child.child.stdin?.end(text);
  const { stdout } = await child;
  return stdout
    .split("\n")
    .flatMap((line) => (/^\s*(\.text)?\s*$/.test(line) ? [] : [line.trim().replace(/\s+/, " ")]));
}

/** LLVM's bytes for a text. */
async function assembled(lines: readonly string[]): Promise<Buffer> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "commute-llvm-"));
  try {
    const [source, object, binary] = ["a.s", "a.o", "a.bin"].map((name) => path.join(folder, name));
    if (source === undefined || object === undefined || binary === undefined) throw new Error("three files");
    await writeFile(source, `${lines.join("\n")}\n`);
    await run("llvm-mc-19", [...LLVM, "-filetype=obj", "-o", object, source], { maxBuffer: 1 << 26 });
    await run("llvm-objcopy-19", ["-O", "binary", "-j", ".text", object, binary]);
    return await readFile(binary);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Numbers in decimal. */
const normal = (line: string): string => line.replace(/\b0x[0-9a-f]+\b/g, (n) => BigInt(n).toString());

test("nothing is left out but by name", () => {
  const compared = new Set(sample.map((s) => s.instruction.name));
  expect(set.instructions.map((i) => i.name).filter((n) => !compared.has(n))).toEqual(
    set.instructions.map((i) => i.name).filter((n) => NOT_LLVMS.has(n)),
  );
});

test("LLVM reads every word as we do", async (ctx) => {
  await needLlvm(ctx);
  const theirs = (await dumped(sample.map(bytes))).map(normal);
  expect(theirs).toEqual(sample.map(({ word }) => normal(disassemble(ebpf, word, 0n))));
});

test("we assemble what LLVM writes to the words it read", async (ctx) => {
  await needLlvm(ctx);
  const text = (await dumped(sample.map(bytes))).join("\n");
  expect(Buffer.from(assemble(ebpf, text, 0n)).equals(Buffer.concat(sample.map(bytes)))).toBe(true);
});

test("LLVM assembles our text to the same words", async (ctx) => {
  await needLlvm(ctx);
  const lines = sample.map(({ word }) => disassemble(ebpf, word, 0n));
  expect((await assembled(lines)).equals(Buffer.concat(sample.map(bytes)))).toBe(true);
});

test("labels are distances to LLVM and to us", async (ctx) => {
  await needLlvm(ctx);
  const text = "top:\nr0 = 1\nif r1 s> 5 goto top\nif w2 == w3 goto out\ngotol top\ngoto out\nr0 = 2\nout:\nexit";
  expect(Buffer.from(assemble(ebpf, text, 0x10000n))).toEqual(await assembled(text.split("\n")));
});

test("the check can fail: a word that LLVM reads differently is noticed", async (ctx) => {
  await needLlvm(ctx);
  const some = sample.slice(0, 5);
  const theirs = (await dumped(some.map(bytes))).map(normal);
  expect(theirs).not.toEqual(some.map(({ word }) => normal(disassemble(ebpf, word ^ 0x100n, 0n))));
});

test("what was compared is written down for the report", async (ctx) => {
  await needLlvm(ctx);
  const { stdout } = await run("llvm-mc-19", ["--version"]);
  const version = /LLVM version \S+/.exec(stdout)?.[0] ?? "LLVM";
  const cases = new Map<string, number>();
  for (const { instruction } of sample) cases.set(instruction.name, (cases.get(instruction.name) ?? 0) + 1);
  encodingEvidence("test/spec/ebpf/llvm.test.ts", "ebpf", `${version}, ${LLVM.join(" ")}`, cases);
});
