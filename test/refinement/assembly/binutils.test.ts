/**
 * The derived assembler and disassembler beside GNU binutils: every instruction with random operands, in both directions.
 */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, type TestContext, test } from "vitest";
import { assemble, bytesToWord, disassemble, wordToBytes } from "../../../refinement/assembly/index.js";
import type { Machine } from "../../../refinement/machine.js";
import { randomFrom, randomWord, rv32, rv64, setOf } from "./machines.js";
import { inFolder } from "../../in-folder.js";

const run = promisify(execFile);

async function needBinutils(ctx: TestContext): Promise<void> {
  for (const tool of ["as", "objdump", "objcopy"]) {
    const found = await run(`riscv64-linux-gnu-${tool}`, ["--version"]).then(
      () => true,
      () => false,
    );
    if (!found) ctx.skip(`riscv64-linux-gnu-${tool} is not installed (Debian: binutils-riscv64-linux-gnu)`);
  }
}

/** Which accesses a fence orders, as GNU writes the numbers that the definition has. */
const SETS = ["unknown", "w", "r", "rw", "o", "ow", "or", "orw", "i", "iw", "ir", "irw", "io", "iow", "ior", "iorw"];
const gnuFence = (line: string): string =>
  line.replace(
    /^fence (\w+), (\w+)$/,
    (_, pred: string, succ: string) => `fence ${SETS[Number(pred)]}, ${SETS[Number(succ)]}`,
  );
const ourFence = (line: string): string =>
  line.replace(
    /^fence\s+(\w+),(\w+)$/,
    (_, pred: string, succ: string) => `fence ${SETS.indexOf(pred)}, ${SETS.indexOf(succ)}`,
  );

/** Words that both can write: GNU has no name for a fence of nothing. */
function sample(machine: Machine, each: number, seed: number): bigint[] {
  const random = randomFrom(seed);
  return setOf(machine).instructions.flatMap((instruction) =>
    Array.from({ length: each }, () => randomWord(instruction, random)).map((word) =>
      instruction.name === "fence" ? (word & 0x0ff00000n) | 0x0110000fn : word,
    ),
  );
}

/** Numbers in one form, no spaces. */
function normal(line: string): string {
  return line
    .trim()
    .replace(/\s+#.*$/, "")
    .replace(/\s+/, " ")
    .replace(/(?<=[ ,])-?(?:0x[0-9a-f]+|\d+)\b/g, (n) =>
      n.startsWith("-") ? `-${BigInt(n.slice(1))}` : BigInt(n).toString(),
    )
    .replace(/ ?, ?/g, ",");
}

const CASES = [
  [rv32, "rv32im", "ilp32", "riscv:rv32"],
  [rv64, "rv64im", "lp64", "riscv:rv64"],
] as const;

describe.each(CASES)("$name", (machine, march, mabi, architecture) => {
  const words = sample(machine, 80, 7);
  const address = (i: number): bigint => 4n * BigInt(i);

  /** objdump's text for each word. */
  const dump = (folder: string): Promise<string[]> =>
    (async () => {
      const file = path.join(folder, "words.bin");
      await writeFile(file, Buffer.concat(words.map((w) => wordToBytes(w, 32))));
      const args = ["-D", "-b", "binary", "-m", architecture, "-M", "no-aliases", file];
      const { stdout } = await run("riscv64-linux-gnu-objdump", args, { maxBuffer: 1 << 26 });
      return stdout.split("\n").flatMap((line) => /^\s*[0-9a-f]+:\t[0-9a-f]{8}\s+(.*)$/.exec(line)?.[1] ?? []);
    })();

  test("objdump reads every word as we do", async (ctx) => {
    await needBinutils(ctx);
    const theirs = (await inFolder(dump)).map(normal);
    const ours = words.map((word, i) => normal(gnuFence(disassemble(machine, word, address(i)))));
    expect(theirs).toEqual(ours);
  });

  test("we assemble what objdump writes to the words it read", async (ctx) => {
    await needBinutils(ctx);
    const text = (await inFolder(dump)).map((line) => ourFence(normal(line))).join("\n");
    const bytes = assemble(machine, text, 0n);
    expect(words.map((_, i) => bytesToWord(bytes.subarray(4 * i, 4 * i + 4)))).toEqual(words);
  });

  test("the GNU assembler makes the same words of our text", async (ctx) => {
    await needBinutils(ctx);
    const lines = words.map((word, i) =>
      gnuFence(relative(disassemble(machine, word, address(i)), address(i), machine === rv32 ? 32 : 64)),
    );
    const theirs = await inFolder(async (folder) => {
      const [source, object, binary] = ["text.s", "text.o", "text.bin"].map((name) => path.join(folder, name));
      if (source === undefined || object === undefined || binary === undefined) return [];
      await writeFile(source, `.option norelax\n.option norvc\n${lines.join("\n")}\n`);
      await run("riscv64-linux-gnu-as", [`-march=${march}`, `-mabi=${mabi}`, "-o", object, source]);
      await run("riscv64-linux-gnu-objcopy", ["-O", "binary", "-j", ".text", object, binary]);
      const bytes = await readFile(binary);
      return words.map((_, i) => bytesToWord(bytes.subarray(4 * i, 4 * i + 4)));
    });
    expect(theirs).toEqual(words);
    const text = lines.map((line) => ourFence(line.replace(", ", ",").replace(", ", ","))).join("\n");
    expect(Buffer.from(assemble(machine, text, 0n))).toEqual(Buffer.concat(words.map((w) => wordToBytes(w, 32))));
  });

  test("the check can fail: a word that objdump reads differently is noticed", async (ctx) => {
    await needBinutils(ctx);
    const theirs = (await inFolder(dump)).map(normal);
    const ours = words.map((word, i) => normal(disassemble(machine, word ^ 0x80n, address(i))));
    expect(theirs).not.toEqual(ours);
  });
});

/** Targets as distances: GNU as leaves absolute ones to the linker. */
function relative(line: string, address: bigint, width: number): string {
  if (!/^(jal|b\w+) /.test(line)) return line;
  return line.replace(/0x[0-9a-f]+$/, (target) => {
    const distance = BigInt.asIntN(width, BigInt(target) - address);
    return distance < 0n ? `. - ${-distance}` : `. + ${distance}`;
  });
}
