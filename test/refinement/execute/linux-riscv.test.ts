/** Programs that GCC links statically with the C library, run on the simulator as Linux would run them. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { runProgram } from "../../../refinement/execute/run.js";
import { loadMachine } from "../../../spec/notation/index.js";

const run = promisify(execFile);
const PROGRAMS = path.resolve("test/refinement/execute/programs");
const GCC = "riscv64-linux-gnu-gcc";

let folder = "";
let absent: string | undefined;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "commute-linux-"));
  for (const program of [GCC, "qemu-riscv64"]) {
    const there = await run(program, ["--version"]).then(
      () => true,
      () => false,
    );
    if (!there)
      absent = `${program} is not installed (Debian: gcc-riscv64-linux-gnu, libc6-dev-riscv64-cross, qemu-user)`;
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function compiled(ctx: TestContext, name: string, args: readonly string[]): Promise<string> {
  if (absent !== undefined) ctx.skip(absent);
  const elf = path.join(folder, name);
  await run(GCC, ["-static", "-O2", "-o", elf, ...args]);
  return elf;
}

const integers = await loadMachine(path.resolve("spec/riscv/rv64u.yaml"));
/** As GCC takes for granted: what is saved of floating-point registers is moved, if nothing more. */
const floats = await loadMachine(path.resolve("spec/riscv/rv64u_fd.yaml"));

async function ran(
  elf: string,
  args: readonly string[] = [],
  machine = integers,
): Promise<{ readonly result: Awaited<ReturnType<typeof runProgram>>; readonly out: string; readonly err: string }> {
  let [out, err] = ["", ""];
  const result = await runProgram(
    machine,
    { kind: "elf", file: elf, bytes: await readFile(elf) },
    {
      arguments: [elf, ...args],
      maxSteps: 10_000_000,
      stdout: (bytes) => {
        out += Buffer.from(bytes).toString();
      },
      stderr: (bytes) => {
        err += Buffer.from(bytes).toString();
      },
    },
  );
  return { result, out, err };
}

/** The same under QEMU. */
async function qemu(elf: string, args: readonly string[] = []): Promise<{ code: number; out: string; err: string }> {
  return run("qemu-riscv64", [elf, ...args]).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    (error: unknown) => {
      const { code, stdout, stderr } = error instanceof Error ? { code: -1, stdout: "", stderr: "", ...error } : fail();
      return { code: Number(code), out: String(stdout), err: String(stderr) };
    },
  );
}

function fail(): never {
  throw new Error("QEMU could not be run");
}

describe("a program of the C library", () => {
  test("prints with printf, takes arguments and memory, and ends with its exit code", async (ctx) => {
    const elf = await compiled(ctx, "hello", [path.join(PROGRAMS, "hello.c")]);
    const { result, out, err } = await ran(elf, ["world"], floats);
    expect(result).toMatchObject({ exitCode: 3, reason: "exit" });
    expect(out).toBe("hello world, 2 arguments, 332833500 0xbeef\n");
    expect({ code: result.exitCode, out, err }).toEqual(await qemu(elf, ["world"]));
    const beside = await ran(path.relative(process.cwd(), elf), ["world"], floats);
    expect(beside).toMatchObject({ result: { exitCode: 3 }, out, err });
  });

  test("ends on a machine without floating-point registers where one is saved, and on one without arithmetic at the first, and says so", async (ctx) => {
    const elf = await compiled(ctx, "hello-d", [path.join(PROGRAMS, "hello.c")]);
    const { result } = await ran(elf);
    expect(result).toMatchObject({ reason: "trap", exitCode: 132 });
    // c.fsd fs0, 112(a0), in setjmp
    expect(result.message).toMatch(
      /^illegal_instruction\(word: 0xb920\) at pc 0x.*; the program is compiled for floating-point registers, which rv64u has not/,
    );
    const source = path.join(folder, "half.c");
    await writeFile(source, "int main(int argc, char **argv) { volatile double x = argc; return (int)(x / 2); }");
    const other = await ran(await compiled(ctx, "half", [source]), [], floats);
    expect(other.result).toMatchObject({ reason: "trap", exitCode: 132 });
    expect(other.result.message).toContain("of which rv64u_fd has registers and moves, but no arithmetic");
  });

  test("runs for rv64imac without a library as well, its own compressed code included", async (ctx) => {
    const source = path.resolve("bench/programs/sort.c");
    const flags = ["-march=rv64imac", "-mabi=lp64", "-nostdlib", "-ffreestanding", "-DROUNDS=2", "-Wl,--no-relax"];
    const elf = await compiled(ctx, "sort", [...flags, source]);
    const { result } = await ran(elf);
    expect(result.reason).toBe("exit");
    expect(result.exitCode).toBe((await qemu(elf)).code);
  });
});
