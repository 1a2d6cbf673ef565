import { describe, expect, it } from "vitest";
import { assemble } from "../../../refinement/assembly/index.js";
import { UserError } from "../../../refinement/errors.js";
import { type RunOptions, type RunResult, runProgram } from "../../../refinement/execute/run.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { type ElfParts, elfFile } from "./elf-file.js";

const machines = {
  rv32im: await loadMachine("spec/riscv/rv32im.yaml"),
  rv64im: await loadMachine("spec/riscv/rv64im.yaml"),
  tiny: await loadMachine("spec/tiny/tiny.yaml"),
};
const CODE = 0x1_0000n;
const DATA = 0x2_0000n;

interface Output {
  readonly result: RunResult;
  readonly stdout: string;
  readonly stderr: string;
  readonly trace: readonly string[];
}

/** Runs an ELF file made of assembly text; `data` is at DATA, writable. */
async function run(
  name: "rv32im" | "rv64im",
  text: string,
  { data = [], parts = {}, ...options }: RunOptions & { data?: readonly number[]; parts?: Partial<ElfParts> } = {},
): Promise<Output> {
  const machine = machines[name];
  const bytes = elfFile({
    class: name === "rv64im" ? 64 : 32,
    entry: CODE,
    segments: [
      { address: CODE, data: assemble(machine, text, CODE), flags: 5 },
      { address: DATA, data: Uint8Array.from(data), size: 4096n, flags: 6 },
    ],
    ...parts,
  });
  const out: string[] = [];
  const err: string[] = [];
  const trace: string[] = [];
  const decoder = new TextDecoder();
  const traced = options.trace === undefined ? {} : { trace: (line: string) => trace.push(line) };
  const result = await runProgram(
    machine,
    { kind: "elf", file: "prog", bytes },
    {
      stdout: (b) => out.push(decoder.decode(b)),
      stderr: (b) => err.push(decoder.decode(b)),
      ...options,
      ...traced,
    },
  );
  return { result, stdout: out.join(""), stderr: err.join(""), trace };
}

const EXIT = "addi a7, zero, 93\necall";
const HELLO = [...new TextEncoder().encode("hello")];

describe.each(["rv32im", "rv64im"] as const)("a program on %s", (name) => {
  it("exits with its own code", async () => {
    const { result } = await run(name, `addi a0, zero, 300\n${EXIT}`);
    expect(result).toMatchObject({ exitCode: 300 & 255, reason: "exit", message: undefined, steps: 3 });
  });

  it("writes to standard output and error, and nowhere else", async () => {
    const write = (fd: number): string =>
      `addi a0, zero, ${fd}\nlui a1, 32\naddi a2, zero, 5\naddi a7, zero, 64\necall`;
    const { result, stdout, stderr } = await run(
      name,
      `${write(1)}\n${write(2)}\n${write(7)}\nsub a0, zero, a0\n${EXIT}`,
      { data: HELLO },
    );
    expect([stdout, stderr]).toEqual(["hello", "hello"]);
    expect(result.exitCode).toBe(9);
  });

  it("reads standard input to its end", async () => {
    const read = "addi a0, zero, 0\nlui a1, 32\naddi a2, zero, 100\naddi a7, zero, 63\necall";
    const { result } = await run(
      name,
      `${read}\nadd s0, zero, a0\n${read}\nadd s0, s0, a0\nlbu a0, 1(a1)\nadd a0, a0, s0\n${EXIT}`,
      {
        stdin: Uint8Array.from(HELLO),
      },
    );
    expect(result.exitCode).toBe(5 + 0x65);
  });

  it("gets memory from brk and mmap, and a fault outside it", async () => {
    const brk = `addi a0, zero, 0
      addi a7, zero, 214
      ecall
      add s0, zero, a0
      lui t0, 16
      add a0, a0, t0
      ecall
      sub s1, a0, s0
      bne s1, t0, fail
      sw s0, -4(a0)
      addi a0, zero, 0
      lui a1, 2
      addi a2, zero, 3
      addi a3, zero, 34
      addi a4, zero, -1
      addi a5, zero, 0
      addi a7, zero, 222
      ecall
      sw a1, 0(a0)
      lw a0, 0(a0)
      srli a0, a0, 12
      ${EXIT}
    fail:
      addi a0, zero, 99
      ${EXIT}`;
    expect((await run(name, brk)).result.exitCode).toBe(2);
    const outside = await run(name, "lui a0, 64\nsw zero, 0(a0)");
    expect(outside.result).toMatchObject({ exitCode: 139, reason: "trap", steps: 2 });
    expect(outside.result.message).toMatch(/store_access_fault\(address: 0x40000\) at pc 0x10004: 00052023 sw/);
  });

  it("gets its arguments on the stack", async () => {
    const word = name === "rv64im" ? { load: "ld", size: 8 } : { load: "lw", size: 4 };
    const text = `${word.load} a0, 0(sp)\n${word.load} a1, ${2 * word.size}(sp)\nlbu a1, 0(a1)\nadd a0, a0, a1\n${EXIT}`;
    const { result } = await run(name, text, { arguments: ["prog", "*"] });
    expect(result.exitCode).toBe(2 + 42);
  });

  it("answers other system calls with an error", async () => {
    expect((await run(name, `addi a7, zero, 1000\necall\nsub a0, zero, a0\n${EXIT}`)).result.exitCode).toBe(38);
  });

  it.each([
    ["ebreak", 133, /^breakpoint at pc 0x10000: 00100073 ebreak$/],
    ["jalr zero, 0(zero)", 139, /^instruction_access_fault\(address: 0x0\) at pc 0x0$/],
    ["lui a0, 16\nsw zero, 0(a0)", 139, /^store_access_fault\(address: 0x10000\)/],
    ["lui a0, 32\njalr zero, 0(a0)", 139, /^instruction_access_fault\(address: 0x20000\)/],
    ["jalr zero, 2(zero)", 135, /^instruction_address_misaligned\(address: 0x2\) at pc 0x10000/],
  ])("traps: %s", async (text, exitCode, message) => {
    const { result } = await run(name, text);
    expect(result).toMatchObject({ exitCode, reason: "trap" });
    expect(result.message).toMatch(message);
  });

  it("stops at --max-steps", async () => {
    const { result } = await run(name, "top: jal zero, top", { maxSteps: 1_000_000 });
    expect(result).toMatchObject({ exitCode: 152, reason: "limit", steps: 1_000_000 });
    expect(result.message).toMatch(/1000000 instructions \(--max-steps\), at pc 0x10000: 0000006f jal/);
  });

  it("can be interrupted", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    const { result } = await run(name, "top: jal zero, top", { signal: controller.signal });
    expect(result).toMatchObject({ exitCode: 130, reason: "interrupted" });
  });

  it("is traced, an instruction a line", async () => {
    const { trace } = await run(name, `lui a1, 32\naddi a0, zero, 7\nsb a0, 3(a1)\njal ra, on\non: ${EXIT}`, {
      trace: () => undefined,
    });
    const at = (pc: bigint): string => pc.toString(16).padStart(name === "rv64im" ? 16 : 8, "0");
    expect(trace.map((line) => line.replace(/\s+/g, " "))).toEqual([
      `${at(CODE)} 000205b7 lui a1, 0x20 a1=0x20000`,
      `${at(CODE + 4n)} 00700513 addi a0, zero, 7 a0=0x7`,
      `${at(CODE + 8n)} 00a581a3 sb a0, 3(a1) mem[0x20003, 1]=0x7`,
      `${at(CODE + 12n)} 004000ef jal ra, 0x10010 ra=0x10010`,
      `${at(CODE + 16n)} 05d00893 addi a7, zero, 93 a7=0x5d`,
      `${at(CODE + 20n)} 00000073 ecall trap=environment_call`,
    ]);
  });

  it("leaves a signature", async () => {
    const symbols = new Map([
      ["begin_signature", DATA],
      ["end_signature", DATA + 8n],
    ]);
    const text = `lui a1, 32\naddi a0, zero, -2\nsw a0, 4(a1)\n${EXIT}`;
    const { result } = await run(name, text, { data: [1, 2, 3, 4], parts: { symbols } });
    expect(result.signature()).toBe("04030201\nfffffffe\n");
    const without = await run(name, EXIT);
    expect(() => without.result.signature()).toThrow(/begin_signature/);
  });

  it.each([
    ["for another architecture", { machine: 62 }, /a program for x86-64/],
    ["for another architecture, however linked", { machine: 62, type: 3 }, /a program for x86-64/],
    [
      "of the other width",
      { class: name === "rv64im" ? 32 : 64 } as const,
      /addresses: compile with -march=rv(32|64)im/,
    ],
    ["with compressed instructions", { flags: 1 }, /compressed/],
    ["with a misaligned entry", { entry: CODE + 2n }, /entry point 0x10002 is not a multiple of 4/],
    ["with an entry in its data", { entry: DATA }, /no executable segment/],
  ])("%s is refused", async (_, parts, message) => {
    await expect(run(name, EXIT, { parts })).rejects.toThrow(UserError);
    await expect(run(name, EXIT, { parts })).rejects.toThrow(message);
  });
});

describe("bytes in hexadecimal", () => {
  it("run on a machine with memory, system calls included", async () => {
    const bytes = assemble(machines.rv32im, `addi a0, zero, 3\n${EXIT}`, CODE);
    const text = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join(" ");
    expect(await runProgram(machines.rv32im, { kind: "hex", text })).toMatchObject({ exitCode: 3, reason: "exit" });
  });

  it("run on a machine with a program of its own", async () => {
    const text = [...assemble(machines.tiny, "li r0, 5\nbnz r0, 3\nli r0, 1\nhalt", 0n)]
      .map((b) => b.toString(16).padStart(2, "0"))
      .join("");
    expect(await runProgram(machines.tiny, { kind: "hex", text })).toMatchObject({
      exitCode: 0,
      reason: "halted",
      steps: 3,
    });
    const divide = [...assemble(machines.tiny, "div r0, r1", 0n)].map((b) => b.toString(16).padStart(2, "0")).join("");
    const result = await runProgram(machines.tiny, { kind: "hex", text: divide });
    expect(result).toMatchObject({ exitCode: 128 + 2, reason: "trap" });
    expect(result.message).toMatch(/^divide_by_zero at pc 0x0: .* div r0, r1$/);
  });

  it.each([
    ["9302100", /7 hexadecimal digits/],
    ["93x2", /`x` is no hexadecimal digit/],
    ["", /0 hexadecimal digits/],
  ])("%s is refused", async (text, message) => {
    await expect(runProgram(machines.rv32im, { kind: "hex", text })).rejects.toThrow(message);
  });

  it("that do not fit are refused", async () => {
    await expect(runProgram(machines.tiny, { kind: "hex", text: "00".repeat(17) })).rejects.toThrow(
      /17 bytes do not fit/,
    );
  });
});
