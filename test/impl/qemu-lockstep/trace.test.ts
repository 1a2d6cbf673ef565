import { describe, expect, test } from "vitest";
import { TraceReader } from "../../../impl/qemu-lockstep/trace.js";
import { compile } from "../../../impl/qemu-lockstep/toolchain.js";
import { findProgram } from "../../../impl/shared/programs.js";
import { QemuProcess } from "../../../impl/shared/qemu-process.js";
import { EnvironmentFailure } from "../../../refinement/errors.js";
import { FileValue } from "../../../refinement/terms/value.js";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { needQemu } from "./need-qemu.js";

const hex = (value: bigint): string => value.toString(16).padStart(16, "0");
const NAMES =
  "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6".split(" ");

/** A state as `-d cpu` prints it. */
function logged(pc: bigint, x: readonly bigint[], more = ""): string {
  let text = ` pc       ${hex(pc)}\n`;
  for (let i = 0; i < 32; i += 4) {
    text += `${[0, 1, 2, 3].map((k) => ` x${i + k}/${NAMES[i + k]} `.padEnd(10) + hex(x[i + k] ?? 0n)).join("")}\n`;
  }
  return text + more;
}

const states = Array.from({ length: 50 }, (_, s) => ({
  pc: BigInt(s) * 0x100000001n,
  x: Array.from({ length: 32 }, (_, i) =>
    i === 0 ? 0n : BigInt.asUintN(64, BigInt(s + 1) * 0x123456789abcdefn * BigInt(i)),
  ),
}));

function read(text: string, pieces: number): { pc: unknown; x: unknown }[] {
  const reader = new TraceReader();
  const bytes = Buffer.from(text);
  const found: { pc: unknown; x: unknown }[] = [];
  for (let i = 0; i < pieces; i++) {
    const [from, to] = [Math.floor((i * bytes.length) / pieces), Math.floor(((i + 1) * bytes.length) / pieces)];
    for (const state of reader.push(bytes.subarray(from, to))) {
      const x = state.get("x");
      found.push({ pc: state.get("pc"), x: x instanceof FileValue ? x.elements : undefined });
    }
  }
  reader.end();
  return found;
}

describe("the log", () => {
  test.each([1, 2, 7, 100, 5000])("is read whole in %i pieces", (pieces) => {
    expect(read(states.map((s) => logged(s.pc, s.x)).join(""), pieces)).toEqual(states);
  });

  test("may have more lines for each state, as some versions do", () => {
    expect(read(states.map((s) => logged(s.pc, s.x, " V      =   0\n")).join(""), 3)).toEqual(states);
  });

  test("that is torn, mixed with something else or in another form is an environment failure", () => {
    const text = states.map((s) => logged(s.pc, s.x)).join("");
    expect(() => read(text.slice(0, -7), 1)).toThrow(EnvironmentFailure);
    expect(() => read(text.replace(hex(states[9]?.pc ?? 0n), "what is this?   "), 1)).toThrow(EnvironmentFailure);
    expect(() => read(`${text}qemu: something happened\n`, 1)).toThrow(EnvironmentFailure);
    expect(() => read("nonsense\n".repeat(10_000), 1)).toThrow(EnvironmentFailure);
  });
});

describe("a program", () => {
  const trace = (emulator: string, elf: string): QemuProcess =>
    new QemuProcess(emulator, ["-cpu", "rv64", "-singlestep"], "cpu,nochain", elf);

  async function build(assembly: string): Promise<{ elf: string; remove: () => Promise<void> }> {
    const gcc = await findProgram("riscv64-linux-gnu-gcc");
    const folder = await mkdtemp(path.join(os.tmpdir(), "commute-trace-"));
    const source = path.join(folder, "program.s");
    await writeFile(source, `.globl _start\n_start:\n${assembly}\n`);
    const elf = await compile(gcc ?? "", "trace-test", [source], []);
    return { elf, remove: () => rm(folder, { recursive: true }) };
  }

  test("that never ends is killed when the run is interrupted", async (ctx) => {
    await needQemu(ctx);
    const { elf, remove } = await build("addi a0, a0, 1\nj _start");
    const controller = new AbortController();
    const run = trace((await findProgram("qemu-riscv64")) ?? "", elf);
    let size = 0;
    await expect(async () => {
      for await (const chunk of run.log(controller.signal)) {
        size += chunk.length;
        if (size > 1 << 20) controller.abort();
      }
    }).rejects.toThrow();
    await expect(run.end()).rejects.toThrow(EnvironmentFailure);
    expect(size).toBeLessThan(1 << 24);
    await remove();
  });

  test("tells its exit status and output", async (ctx) => {
    await needQemu(ctx);
    const { elf, remove } = await build(
      "li a7, 64\nli a0, 1\nlla a1, _start\nli a2, 4\necall\nli a7, 94\nli a0, 3\necall",
    );
    const run = trace((await findProgram("qemu-riscv64")) ?? "", elf);
    const reader = new TraceReader();
    let count = 0;
    for await (const chunk of run.log(new AbortController().signal)) count += [...reader.push(chunk)].length;
    const { status, output } = await run.end();
    expect(status).toBe(3);
    expect(output.toString("hex")).toBe("93080004");
    expect(count).toBeGreaterThan(8);
    await remove();
  });

  test("that cannot be started has the shell's status", async (ctx) => {
    await needQemu(ctx);
    const run = trace("/nowhere/qemu-riscv64", "/nowhere/program");
    for await (const _ of run.log(new AbortController().signal)) expect.fail("nothing is logged");
    await expect(run.end()).resolves.toMatchObject({ status: 127 });
  });
});
