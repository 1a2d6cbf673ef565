/** The assembler and disassembler of x86-64 beside GNU binutils: every opcode with every kind of operand, in both directions. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { expect, type TestContext, test } from "vitest";
import { assembleX86, decodeX86, printX86, same } from "../../../../refinement/assembly/x86/index.js";
import type { DecodedInstruction } from "../../../../refinement/decoded.js";
import { UserError } from "../../../../refinement/errors.js";
import { encodingEvidence } from "../../../evidence.js";
import { ADDRESS, everyForm, moved, type Sample } from "./every-form.js";
import { inFolder } from "../../../in-folder.js";

const run = promisify(execFile);
const FILE = "test/refinement/assembly/x86/binutils.test.ts";

async function needBinutils(ctx: TestContext): Promise<string> {
  for (const tool of ["as", "ld", "objdump"]) {
    const found = await run(tool, ["--version"]).catch(() => undefined);
    if (found === undefined) ctx.skip(`GNU ${tool} is not installed (Debian: binutils)`);
    if (found?.stdout.startsWith("GNU") === false) ctx.skip(`${tool} is not GNU's`);
  }
  const help = await run("objdump", ["--help"]);
  if (!help.stdout.includes("elf64-x86-64")) ctx.skip("binutils is built for another architecture than x86-64");
  return (await run("objdump", ["--version"])).stdout.split("\n")[0] ?? "";
}

/** Each instruction has so many bytes to stand in. */
const SLOT = 16;
/** Everything at one address would be the best; targets are near, so that all are reached. */
const slot = (i: number): bigint => ADDRESS + BigInt(SLOT * i);

function image(samples: readonly Sample[]): Buffer {
  const bytes = Buffer.alloc(SLOT * samples.length, 0xcc);
  for (const [i, s] of samples.entries()) bytes.set(s.bytes, SLOT * i);
  return bytes;
}

/**
 * What GNU reads as something else: fences with other register fields than 0, and PREFETCHW by another opcode extension than 1, which the
 * manuals reserve for it.
 */
function isReadOtherwise({ bytes }: Sample): boolean {
  const hex = Buffer.from(bytes).toString("hex");
  const extension = /^(?:..){0,3}0f0d(..)/.exec(hex)?.[1];
  if (extension !== undefined) return ((Number.parseInt(extension, 16) >> 3) & 7) !== 1;
  return /^0fae(e[9a-f]|f[1-79a-f])$/.test(hex);
}

/** GNU's text for the instruction in each slot. */
async function dumped(bytes: Buffer): Promise<string[]> {
  const { stdout } = await inFolder(async (folder) => {
    const file = path.join(folder, "code.bin");
    await writeFile(file, bytes);
    const options = ["-D", "-z", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", "--no-show-raw-insn"];
    return run("objdump", [...options, `--adjust-vma=0x${ADDRESS.toString(16)}`, file], { maxBuffer: 1 << 28 });
  });
  const texts = new Map<string, string>();
  for (const line of stdout.split("\n")) {
    const found = /^\s*([0-9a-f]+):\t(.*)$/.exec(line);
    if (found !== null) texts.set(found[1] ?? "", found[2] ?? "");
  }
  return Array.from({ length: bytes.length / SLOT }, (_, i) => texts.get(slot(i).toString(16)) ?? "");
}

/** What objdump writes otherwise than an assembler would want it: comments, absolute addresses, operands of string instructions. */
function ours(text: string): string {
  const line = text
    .replace(/\s*(#|<).*$/, "")
    .replace(/\s+/g, " ")
    .replace(/\b([cdes]s|fs|gs):(0x[0-9a-f]+)/g, "$1:[$2]")
    .replace(/^(.*)\[eiz\*1\+/, "addr32 $1[")
    .replace(/^pushw (?=-?0x)/, "data16 push ")
    .replace(/^(push|pop)f$/, "$1fq")
    .replace(/^(push|pop)fw$/, "$1f")
    .replace(/^xchg ax,ax$/, "data16 nop")
    .trim();
  const string = /^((?:addr32 |rep[nz]* )*)(movs|cmps|stos|lods|scas) (.*)$/.exec(line);
  if (string === null) return line.replace(/\bXMMWORD\b/, "xmmword");
  const [, prefixes = "", name = "", operands = ""] = string;
  const size = /(BYTE|D?WORD|QWORD) PTR/.exec(operands)?.[1] ?? "";
  const suffix = { BYTE: "b", WORD: "w", DWORD: "d", QWORD: "q" }[size] ?? "";
  const segment = /(fs|gs):\[[er]si\]/.exec(operands)?.[1];
  const narrow = /\[e[sd]i\]/.test(operands) ? "addr32 " : "";
  return `${narrow}${segment === undefined ? "" : `${segment} `}${prefixes}${name}${suffix}`;
}

/** Intel's PUSHF has 16 bits; GNU's has 64, and an f at the end. Targets of a counter's jumps have to be relative to something. */
function theirs(text: string, address: bigint): string {
  return text
    .replace(/^(push|pop)f$/, "$1fw")
    .replace(/^((?:addr32 )?(?:loop|j[er]cxz)\S* )(0x[0-9a-f]+)$/, (_, head: string, target: string) => {
      return `${head}. + (${BigInt(target) - address})`;
    });
}

/** GNU does not assemble a BSWAP of 16 bits, whose result is undefined. */
function isRefused({ instruction }: Sample): boolean {
  return instruction.mnemonic === "bswap" && instruction.operandSize === 16;
}

function read(text: string, address: bigint) {
  try {
    const reading = decodeX86(assembleX86(text, address).bytes);
    return reading.kind === "instruction" ? reading.instruction : undefined;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** Samples that are told from each other by more than their bytes: objdump's text is compared by what it means. */
async function differing(samples: readonly Sample[], texts: readonly string[]): Promise<string[]> {
  return samples.flatMap(({ instruction }, i) => {
    const again = read(ours(texts[i] ?? ""), slot(i));
    if (again !== undefined && same(moved(again, again.length - instruction.length), instruction)) return [];
    return [`${Buffer.from(instruction.bytes).toString("hex")} ${printX86(instruction, slot(i))} | ${texts[i]}`];
  });
}

/** The operands of XCHG can stand in either order. */
function exchanged(instruction: DecodedInstruction): DecodedInstruction {
  return instruction.mnemonic === "xchg"
    ? { ...instruction, operands: instruction.operands.toReversed() }
    : instruction;
}

test("objdump reads every instruction as we do", { timeout: 300_000 }, async (ctx) => {
  const version = await needBinutils(ctx);
  const samples = (await everyForm()).samples.filter((s) => !isReadOtherwise(s));
  expect(await differing(samples, await dumped(image(samples)))).toEqual([]);
  const counts = new Map<string, number>();
  for (const { block } of samples) counts.set(block, (counts.get(block) ?? 0) + 1);
  encodingEvidence(FILE, "x86-64", version, counts);
});

test("the GNU assembler makes the same instructions of our text", { timeout: 300_000 }, async (ctx) => {
  await needBinutils(ctx);
  const samples = (await everyForm()).samples.filter((s) => !isRefused(s));
  const bytes = await inFolder(async (folder) => {
    const [source = "", object = "", binary = ""] = ["text.s", "text.o", "text.bin"].map((f) => path.join(folder, f));
    const lines = samples.map(
      ({ instruction }, i) => `.org ${SLOT * i}, 0xcc\n${theirs(printX86(instruction, slot(i)), slot(i))}`,
    );
    await writeFile(source, `.intel_syntax noprefix\n${lines.join("\n")}\n.org ${SLOT * samples.length}, 0xcc\n`);
    await run("as", ["--64", "-mmnemonic=intel", "-W", "-o", object, source], { maxBuffer: 1 << 28 });
    await run("ld", [
      "-m",
      "elf_x86_64",
      `-Ttext=0x${ADDRESS.toString(16)}`,
      "-e",
      "0",
      "--oformat",
      "binary",
      "-o",
      binary,
      object,
    ]);
    return readFile(binary);
  });
  const wrong = samples.flatMap(({ instruction }, i) => {
    const reading = decodeX86(bytes.subarray(SLOT * i, SLOT * (i + 1)));
    const again = reading.kind === "instruction" ? reading.instruction : undefined;
    const shift = (again?.length ?? 0) - instruction.length;
    if (again !== undefined && [again, exchanged(again)].some((a) => same(moved(a, shift), instruction))) return [];
    return [`${printX86(instruction, slot(i))} | ${bytes.subarray(SLOT * i, SLOT * (i + 1)).toString("hex")}`];
  });
  expect(wrong).toEqual([]);
});

test("the check can fail: an instruction that objdump reads differently is noticed", async (ctx) => {
  await needBinutils(ctx);
  const { samples } = await everyForm();
  const some = samples.filter((_, i) => i % 500 === 0);
  const texts = await dumped(image(some));
  const turned = [...texts.slice(1), texts[0] ?? ""];
  expect((await differing(some, turned)).length).toBeGreaterThan(some.length / 2);
});
