/** C programs, compiled for several versions of the instruction set, in `commute run`'s machine and in the kernel. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { WINDOW } from "../../../impl/ebpf-linux/harness.js";
import { Runner } from "../../../impl/ebpf-linux/runner.js";
import { compile, findProgram } from "../../../impl/shared/programs.js";
import { readObject } from "../../../refinement/execute/object.js";
import { runProgram } from "../../../refinement/execute/run.js";
import { randomFrom } from "../../refinement/assembly/machines.js";
import { FOLDER, needKernel, refinement } from "./need-kernel.js";

const CASES = 12;
const CONTEXT = 128;
const corners = [0n, 1n, 2n, 7n, 0xffn, 0x8000n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 1n << 63n, (1n << 64n) - 1n];

const folder = await mkdtemp(path.join(os.tmpdir(), "commute-ebpf-"));
afterAll(() => rm(folder, { recursive: true }));

/** Contexts of 64-bit numbers, corners often; the second is not zero, so that signed division in C is defined. */
function contexts(seed: number): Uint8Array[] {
  const random = randomFrom(seed);
  return Array.from({ length: CASES }, () => {
    const words = BigUint64Array.from({ length: CONTEXT / 8 }, () =>
      random() % 3 === 0 ? (corners[random() % corners.length] ?? 0n) : (BigInt(random()) << 32n) | BigInt(random()),
    );
    words[1] = ((words[1] ?? 0n) & 0x7fff_ffffn) | 2n;
    return new Uint8Array(words.buffer);
  });
}

/** Signed division came with v4. */
const COMPILED = [
  ["calls", "v2"],
  ["calls", "v3"],
  ["calls", "v4"],
  ["sort", "v2"],
  ["sort", "v3"],
  ["sort", "v4"],
  ["arithmetic", "v4"],
] as const;

test.for(COMPILED)("%s for %s", { timeout: 120_000 }, async ([name, cpu], ctx) => {
  const clang = await findProgram("clang-19");
  if (clang === undefined) return ctx.skip("clang-19 is not installed (Debian: clang-19)");
  await (await needKernel(ctx)).close();
  const file = path.join(folder, `${name}-${cpu}.o`);
  const source = path.resolve("test/impl/ebpf-linux/programs", `${name}.c`);
  await promisify(execFile)(clang, ["-target", "bpf", `-mcpu=${cpu}`, "-O2", "-c", source, "-o", file]);
  const bytes = await readFile(file);
  const text = readObject(bytes, file).sections.find((s) => s.name === ".text");
  if (text === undefined) return expect.fail("there is code");

  const program = await compile({
    compiler: "gcc",
    flags: ["-O2"],
    sources: [path.join(FOLDER, "host", "runner.c")],
    headers: [],
    name: "runner",
    folder: "ebpf-linux",
  });
  const opened = await Runner.open(program);
  if ("errno" in opened) return expect.fail("bpf(2) was permitted a moment ago");
  // The function to begin with is the last one of the file; the kernel begins with the first slot.
  const object = readObject(bytes, file);
  const entry = object.symbols.find((s) => s.name === "entry")?.value ?? 0n;
  const code = [...new BigUint64Array(Uint8Array.from(text.data).buffer)];
  const slots = [...start(Number(entry / 8n)), ...code];
  const given = contexts(name.length + cpu.charCodeAt(1));
  const answers = await opened.runner.run(
    given.map((context) => ({ slots, context, window: new Uint8Array(WINDOW.size) })),
    new AbortController().signal,
  );
  await opened.runner.close();
  for (const [i, context] of given.entries()) {
    const ours = await runProgram(refinement.guest, { kind: "elf", file, bytes }, { ebpf: { context }, maxSteps: 1e6 });
    const theirs = answers[i];
    if (theirs?.kind !== "ran") return expect.fail(theirs?.kind === "refused" ? theirs.log : "no answer");
    expect(ours.message).toBeUndefined();
    expect(Number((ours.returned?.r0 ?? 0n) & 0xffff_ffffn)).toBe(theirs.r0);
    expect(Buffer.from(ours.returned?.context ?? []).toString("hex")).toBe(Buffer.from(theirs.context).toString("hex"));
  }
});

/** A program of its own that calls the function, wherever in the file it stands. */
function start(entry: number): readonly bigint[] {
  const call = 0x1085n | (BigInt(entry + 1) << 32n);
  return [call, 0x95n];
}
