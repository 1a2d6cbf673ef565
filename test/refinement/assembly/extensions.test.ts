/**
 * The assembler, disassembler and decoder of all of unprivileged RISC-V beside GNU binutils: every instruction with random
 * operands in both directions, every 16-bit word, and which 32-bit words are instructions.
 */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, type TestContext, test } from "vitest";
import { assemble, bytesOfWord, decode, disassemble, widthOfLength } from "../../../refinement/assembly/index.js";
import type { Machine } from "../../../refinement/machine.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { encodingEvidence } from "../../evidence.js";
import { randomFrom, randomWord, setOf } from "./machines.js";
import { inFolder } from "../../in-folder.js";

const run = promisify(execFile);
const TOOLS = ["as", "objdump", "objcopy"] as const;
/** Binutils 2.40 does not know Zicond. */
const EXTENSIONS = "c_zifencei_zba_zbb_zbc_zbs";

let absent: string | undefined;
let version = "";
beforeAll(async () => {
  for (const tool of TOOLS) {
    const told = await run(`riscv64-linux-gnu-${tool}`, ["--version"]).catch(() => undefined);
    if (told === undefined) absent = `riscv64-linux-gnu-${tool} is not installed (Debian: binutils-riscv64-linux-gnu)`;
    version = told?.stdout.split("\n")[0] ?? "";
  }
});

function needBinutils(ctx: TestContext): void {
  if (absent !== undefined) ctx.skip(absent);
}

interface Given {
  readonly machine: Machine;
  readonly xlen: 32 | 64;
  /** As the assembler is told. */
  readonly march: string;
}

/** The machine's code for lines of GNU assembly, and where objdump's text of each instruction is. */
async function gnu<T>(
  lines: readonly string[],
  { xlen, march }: Pick<Given, "xlen" | "march">,
  use: (object: string, folder: string) => Promise<T>,
): Promise<T> {
  return inFolder(async (folder) => {
    const [source, object] = [path.join(folder, "text.s"), path.join(folder, "text.o")];
    await writeFile(source, `.option norelax\n${lines.join("\n")}\n`);
    const mabi = xlen === 32 ? "ilp32" : "lp64";
    await run("riscv64-linux-gnu-as", [`-march=${march}`, `-mabi=${mabi}`, "-o", object, source]);
    return await use(object, folder);
  });
}

/** What objdump makes of each word; it knows from the object's attributes which extensions there are. */
function dump(words: readonly bigint[], given: Given): Promise<readonly string[]> {
  const lines = words.map((w) => `.insn ${bytesOfWord(setOf(given.machine), w).length}, 0x${w.toString(16)}`);
  return gnu(lines, given, async (object) => {
    const args = ["-d", "-M", "no-aliases", object];
    const { stdout } = await run("riscv64-linux-gnu-objdump", args, { maxBuffer: 1 << 28 });
    return stdout.split("\n").flatMap((line) => /^\s*[0-9a-f]+:\t[0-9a-f]{4,8}\s+(.*)$/.exec(line)?.[1] ?? []);
  });
}

/** Which accesses a fence orders, as GNU writes the numbers that the definition has. */
const SETS = ["unknown", "w", "r", "rw", "o", "ow", "or", "orw", "i", "iw", "ir", "irw", "io", "iow", "ior", "iorw"];

/** Our text as GNU writes it: fences by letters, HINTs of C by names of its own. */
function gnuText(line: string): string {
  return line
    .replace(/^fence (\w+), (\w+)$/, (_, p: string, s: string) => `fence ${SETS[Number(p)]}, ${SETS[Number(s)]}`)
    .replace(/^(c\.s[lr][la]i) (\w+), 0$/, "$164 $2")
    .replace(/^c\.nop$/, "c.addi zero, 0");
}

/** What jumps and branches end with. */
const TARGET = /^((?:c\.)?(?:j|jal|b(?:eq|ne|lt|ge)u?z?) (?:.*, ?)?)([0-9a-f]+)$/;

/** Numbers in one form, targets (which objdump writes without 0x) too; no spaces. */
function normal(line: string): string {
  return line
    .trim()
    .replace(/\s+#.*$/, "")
    .replace(/\s*<.*>$/, "")
    .replace(/\s+/, " ")
    .replace(TARGET, "$10x$2")
    .replace(/(?<=[ ,])-?(?:0x[0-9a-f]+|\d+)\b/g, (n) =>
      n.startsWith("-") ? `-${BigInt(n.slice(1))}` : BigInt(n).toString(),
    )
    .replace(/ ?, ?/g, ",");
}

/** Targets as distances: GNU as leaves absolute ones to the linker. */
function relative(line: string, address: bigint, width: number): string {
  if (!/^(c\.)?(j|jal|b(eq|ne|lt|ge)u?z?) /.test(line)) return line;
  return line.replace(/0x[0-9a-f]+$/, (target) => {
    const distance = BigInt.asIntN(width, BigInt(target) - address);
    return distance < 0n ? `. - ${-distance}` : `. + ${distance}`;
  });
}

/** Words that both can write: GNU has no name for a fence of nothing, and ours has none for reserved fields of fences. */
function sample({ machine }: Given, each: number): readonly { readonly name: string; readonly word: bigint }[] {
  const random = randomFrom(7);
  return setOf(machine)
    .instructions.filter((i) => !i.name.startsWith("czero."))
    .flatMap((instruction) =>
      Array.from({ length: each }, () => {
        const word = randomWord(instruction, random);
        const { name } = instruction;
        const kept = name === "fence" ? (word & 0x0ff00000n) | 0x0110000fn : name === "fence.i" ? 0x100fn : word;
        return { name, word: kept };
      }),
    );
}

describe.each([
  ["rv64u", 64, `rv64ima${EXTENSIONS}`],
  ["rv32u", 32, `rv32ima${EXTENSIONS}`],
  ["rv64u_fd", 64, `rv64imafd${EXTENSIONS}`],
] as const)("%s", async (name, xlen, march) => {
  const machine = await loadMachine(path.resolve(`spec/riscv/${name}.yaml`));
  const set = setOf(machine);
  const given = { machine, xlen, march };
  const words = sample(given, 60);
  const addresses: bigint[] = [];
  words.reduce((at, { word }) => {
    addresses.push(at);
    return at + BigInt(bytesOfWord(set, word).length);
  }, 0n);
  const code = Buffer.concat(words.map(({ word }) => bytesOfWord(set, word)));
  const ours = words.map(({ word }, i) => disassemble(machine, word, addresses[i] ?? 0n));

  test("objdump reads every word as we do, and we assemble what it writes", async (ctx) => {
    needBinutils(ctx);
    const theirs = await dump(
      words.map((w) => w.word),
      given,
    );
    expect(theirs.map(normal)).toEqual(ours.map((line) => normal(gnuText(line))));
    const text = theirs.map((line) =>
      normal(line)
        .replace(/^fence (\w+),(\w+)$/, (_, p: string, s: string) => `fence ${SETS.indexOf(p)},${SETS.indexOf(s)}`)
        .replace(/^(c\.s[lr][la]i)64 (\w+)$/, "$1 $2,0")
        .replace(/^c\.addi zero,0$/, "c.nop"),
    );
    expect(Buffer.from(assemble(machine, text.join("\n"), 0n)).equals(code)).toBe(true);
    const cases = new Map<string, number>();
    for (const { name } of words) cases.set(name, (cases.get(name) ?? 0) + 1);
    encodingEvidence("test/refinement/assembly/extensions.test.ts", machine.name, version, cases);
  });

  test("the GNU assembler makes the same words of our text, and so do we", async (ctx) => {
    needBinutils(ctx);
    const lines = ours.map((line, i) => relative(line, addresses[i] ?? 0n, xlen));
    // GNU as takes no compressed shift by zero, under whatever name: these words it gets as numbers.
    const theirs = lines.map((line, i) => {
      const word = words[i]?.word ?? 0n;
      if (/^c\.s[lr][la]i \w+, 0$/.test(line)) return `.insn 2, 0x${word.toString(16)}`;
      const option = line.startsWith("c.") ? "rvc" : "norvc";
      return `.option ${option}\n${line === "c.nop" ? line : gnuText(line)}`;
    });
    const bytes = await gnu(theirs, given, async (object, folder) => {
      const binary = path.join(folder, "text.bin");
      await run("riscv64-linux-gnu-objcopy", ["-O", "binary", "-j", ".text", object, binary]);
      return readFile(binary);
    });
    expect(bytes.equals(code)).toBe(true);
    expect(Buffer.from(assemble(machine, lines.join("\n"), 0n)).equals(code)).toBe(true);
  });

  test("of all 16-bit words, objdump takes for instructions those that we do", async (ctx) => {
    needBinutils(ctx);
    const all = Array.from({ length: 1 << 16 }, (_, i) => BigInt(i)).filter((w) => (w & 3n) !== 3n);
    const theirs = await dump(all, given);
    expect(theirs).toHaveLength(all.length);
    const disagree = all.filter((word, i) => {
      const text = theirs[i] ?? "";
      // What the manual reserves, and objdump shows all the same: C.ADDI16SP of nothing, and RV32's shifts by six bits.
      const sixBits = (word & 0xf003n) === 0x1002n || (word & 0xf803n) === 0x9001n;
      if (word === 0x6101n || (xlen === 32 && sixBits)) return decode(machine, word) !== undefined;
      return (
        (decode(machine, word) !== undefined) !==
        (!text.startsWith(".") && !text.startsWith("0x") && text !== "c.unimp")
      );
    });
    expect(disagree.map((w) => w.toString(16))).toEqual([]);
  });

  test("of 32-bit words at random and next to instructions, too", async (ctx) => {
    needBinutils(ctx);
    const random = randomFrom(3);
    const sampled = Array.from({ length: 40_000 }, (_, i) => {
      const near = set.instructions[random() % set.instructions.length];
      const anything = BigInt(random()) | 3n;
      if (near === undefined || i % 4 === 0) return anything;
      const { mask, match } = near.encoding;
      return ((anything & ~mask) | match | 3n) ^ (1n << BigInt(2 + (random() % 30)));
    });
    // Words that end with 11111 begin longer instructions (§1.5), which there are none of.
    const isLonger = (word: bigint): boolean => (word & 0x1fn) === 0x1fn;
    expect(sampled.filter((word) => isLonger(word) && decode(machine, word) !== undefined)).toEqual([]);
    const short = sampled.filter((word) => !isLonger(word));
    const theirs = await dump(short, given);
    expect(theirs).toHaveLength(short.length);
    // Instructions of the privileged architecture and CSRs are none of ours, and Zicond is none of theirs.
    // Nor is what F and D compute.
    const others =
      /^(f(?!ence|lw|ld|sw|sd|sgnj|mv)|csr|mret|sret|uret|hret|dret|mnret|wfi|sfence|hfence|sinval|hinval|unimp|wrs|cbo|prefetch)/;
    const disagree = short.filter((word, i) => {
      const text = theirs[i] ?? "";
      const name = decode(machine, word)?.instruction.name;
      if (others.test(text) || name?.startsWith("czero.") === true) return false;
      // Reserved settings of fences, which are fences all the same (§2.7, chapter 6), it shows as data.
      if ((word & 0x7fn) === 0x0fn) return false;
      // RV32 has no shift amount of six bits (§2.4.1), and objdump does not look.
      if (xlen === 32 && (word & 0x0200_307fn) === 0x0200_1013n) return name !== undefined;
      return (name !== undefined) !== (!text.startsWith(".") && !text.startsWith("0x"));
    });
    expect(disagree.map((w) => w.toString(16))).toEqual([]);
  });

  test("the check can fail", async (ctx) => {
    needBinutils(ctx);
    const theirs = await dump(
      words.slice(0, 200).map((w) => w.word ^ 0x80n),
      given,
    );
    expect(theirs.map(normal)).not.toEqual(ours.slice(0, 200).map((line) => normal(gnuText(line))));
  });

  test("each word is one instruction only: the numbers of words add up to what the manual's tables give", () => {
    // Words of which constraints exclude some are counted one by one; they are compressed.
    const count = set.instructions.reduce((sum, i) => {
      const free = 32 - BigInt.asUintN(i.encoding.width, i.encoding.mask).toString(2).replaceAll("0", "").length;
      return i.encoding.width === 32 ? sum + 2 ** free : sum;
    }, 0);
    const r = 2 ** 15; // rd, rs1, rs2
    const unary = 2 ** 10; // rd, rs1
    const shift = xlen === 64 ? 2 ** 16 : r; // rd, rs1, shamt
    const im =
      xlen === 32
        ? 3 * 2 ** 25 + (1 + 6 + 5 + 3 + 6 + 1) * 2 ** 22 + (3 + 10 + 8) * r + 2
        : 3 * 2 ** 25 + (1 + 6 + 7 + 4 + 6 + 1 + 1) * 2 ** 22 + (3 + 10 + 5 + 8 + 5) * r + 3 * 2 ** 16 + 2;
    const a = (xlen / 32) * (2 ** 12 + 10 * 2 ** 17); // aq, rl, rd, rs1; with rs2
    const zba = 3 * r + (xlen === 64 ? 4 * r + shift : 0);
    const zbb = (3 + 4 + 2) * r + (3 + 2 + 1 + 1 + 1) * unary + shift + (xlen === 64 ? 3 * unary + 2 * r + r : 0);
    const [zbc, zbs, zicond, zifencei] = [3 * r, 4 * r + 4 * shift, 2 * r, 2 ** 22];
    const fd = name === "rv64u_fd" ? 4 * 2 ** 22 + 6 * r + 4 * unary : 0;
    expect(count).toBe(im + a + zba + zbb + zbc + zbs + zicond + zifencei + fd);
    const compressed = set.instructions.filter((i) => i.encoding.width === 16);
    const halves = Array.from({ length: 1 << 16 }, (_, i) => BigInt(i)).filter((w) => (w & 3n) !== 3n);
    for (const word of halves) {
      const matching = compressed.filter((i) => (word & i.encoding.mask) === i.encoding.match);
      const decoded = decode(machine, word)?.instruction;
      if (decoded !== undefined) expect(matching).toContain(decoded);
    }
    expect(widthOfLength(set, 2)).toBe(16);
  });
});
