/** The privileged instructions and Zicsr beside GNU binutils: our text becomes the same words there, and its text of them is ours. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, type TestContext, test } from "vitest";
import { assemble, decode, disassemble, wordToBytes } from "../../../refinement/assembly/index.js";
import { fieldsOf } from "../../../refinement/assembly/encoding.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { encodingEvidence } from "../../evidence.js";
import { randomFrom, randomWord, setOf } from "./machines.js";
import { inFolder } from "../../in-folder.js";

const run = promisify(execFile);
const NAMES = ["mret", "sret", "wfi", "sfence_vma", "csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci"];
const EACH = 60;

async function needBinutils(ctx: TestContext): Promise<string> {
  const told = await run("riscv64-linux-gnu-as", ["--version"]).catch(() => undefined);
  if (told === undefined) ctx.skip("riscv64-linux-gnu-as is not installed (Debian: binutils-riscv64-linux-gnu)");
  return told?.stdout.split("\n")[0] ?? "";
}

/** The words that GNU makes of our lines, and its own text of them. */
async function gnu(
  lines: readonly string[],
  xlen: number,
): Promise<{ readonly code: Buffer; readonly text: string[] }> {
  return inFolder(async (folder) => {
    const [source, object, binary] = ["a.s", "a.o", "a.bin"].map((name) => path.join(folder, name));
    if (source === undefined || object === undefined || binary === undefined) throw new Error("three files");
    await writeFile(source, `.option norvc\n${lines.join("\n")}\n`);
    const flags = [`-march=rv${xlen}ima_zicsr`, `-mabi=${xlen === 32 ? "ilp32" : "lp64"}`, "-mno-csr-check"];
    await run("riscv64-linux-gnu-as", [...flags, "-o", object, source]);
    await run("riscv64-linux-gnu-objcopy", ["-O", "binary", "-j", ".text", object, binary]);
    const { stdout } = await run("riscv64-linux-gnu-objdump", ["-d", "-M", "no-aliases", object]);
    const text = stdout.split("\n").flatMap((line) => /^\s*[0-9a-f]+:\t[0-9a-f]{8}\s+(.*)$/.exec(line)?.[1] ?? []);
    return { code: await readFile(binary), text };
  });
}

/** Numbers in decimal, no spaces around commas. */
const normal = (line: string): string =>
  line
    .trim()
    .replace(/\s+/g, " ")
    .replace(/ ?, ?/g, ",")
    .replace(/\b0x[0-9a-f]+\b/g, (n) => BigInt(n).toString());

describe.each([
  ["rv32-system", 32],
  ["rv64-system", 64],
] as const)("%s", async (name, xlen) => {
  const machine = await loadMachine(`spec/riscv/${name}.yaml`);
  const random = randomFrom(3);
  const wanted = setOf(machine).instructions.filter((i) => NAMES.includes(i.name));
  const words = wanted.flatMap((i) => Array.from({ length: EACH }, () => randomWord(i, random)));
  const lines = words.map((word) => disassemble(machine, word, 0n));

  test("GNU makes the same words of our text", async (ctx) => {
    await needBinutils(ctx);
    expect(wanted.map((i) => i.name).sort()).toEqual([...NAMES].sort());
    expect((await gnu(lines, xlen)).code).toEqual(Buffer.concat(words.map((w) => wordToBytes(w, 32))));
    expect(Buffer.from(assemble(machine, lines.join("\n"), 0n))).toEqual(
      Buffer.concat(words.map((w) => wordToBytes(w, 32))),
    );
  });

  test("GNU writes what we write, registers that it knows by name apart", async (ctx) => {
    const version = await needBinutils(ctx);
    const { text } = await gnu(lines, xlen);
    const cases = new Map<string, number>();
    for (const [i, word] of words.entries()) {
      const decoded = decode(machine, word);
      if (decoded === undefined) return expect.fail(`${lines[i]} does not decode`);
      const csr = fieldsOf(decoded.instruction, word).get("csr");
      const theirs = normal(text[i] ?? "");
      const ours = normal(lines[i] ?? "");
      const [, named] = /,([a-z][a-z0-9]*),/.exec(theirs) ?? [];
      expect(csr === undefined || named === undefined ? theirs : theirs.replace(`,${named},`, `,${csr},`)).toBe(ours);
      cases.set(decoded.instruction.name, (cases.get(decoded.instruction.name) ?? 0) + 1);
    }
    encodingEvidence("test/refinement/assembly/privileged.test.ts", name, version, cases);
  });

  test("the check can fail: another register is noticed", async (ctx) => {
    await needBinutils(ctx);
    const csrrw = wanted.find((i) => i.name === "csrrw");
    if (csrrw === undefined) return expect.fail("there is no csrrw");
    const word = randomWord(csrrw, random);
    const { code } = await gnu([disassemble(machine, word ^ 0x80n, 0n)], xlen);
    expect(code).not.toEqual(Buffer.from(wordToBytes(word, 32)));
  });
});
