import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { assembleX86 } from "../../../refinement/assembly/x86/index.js";
import { UserError } from "../../../refinement/errors.js";
import { type RunOptions, type RunResult, runProgram } from "../../../refinement/execute/run.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { elfFile } from "./elf-file.js";

const machine = await loadMachine("spec/x86-64/x86-64.yaml");
const CODE = 0x40_0000n;
const DATA = 0x50_0000n;

interface Output {
  readonly result: RunResult;
  readonly stdout: string;
  readonly trace: readonly string[];
}

async function runBytes(bytes: Uint8Array, options: RunOptions = {}): Promise<Output> {
  const out: string[] = [];
  const trace: string[] = [];
  const decoder = new TextDecoder();
  const traced = options.trace === undefined ? {} : { trace: (line: string) => trace.push(line) };
  const source = { kind: "elf", file: "prog", bytes } as const;
  const result = await runProgram(machine, source, {
    stdout: (b) => out.push(decoder.decode(b)),
    ...options,
    ...traced,
  });
  return { result, stdout: out.join(""), trace };
}

/** An ELF file made of assembly text; `data` is at DATA, writable. */
function run(text: string, options: RunOptions & { readonly data?: string } = {}): Promise<Output> {
  const code = assembleX86(text, CODE).bytes;
  const data = new TextEncoder().encode(options.data ?? "");
  const segments = [
    { address: CODE, data: code, flags: 5 },
    { address: DATA, data, size: 4096n, flags: 6 },
  ];
  return runBytes(elfFile({ class: 64, machine: 62, entry: CODE, segments }), options);
}

const EXIT = "mov eax, 60; syscall";

test("a program writes and exits", async () => {
  const { result, stdout } = await run(
    `mov eax, 1; mov edi, 1; mov esi, 0x500000; mov edx, 5; syscall; mov edi, eax; ${EXIT}`,
    { data: "hello" },
  );
  expect(stdout).toBe("hello");
  expect(result).toMatchObject({ exitCode: 5, reason: "exit", message: undefined, steps: 8 });
});

test("SYSCALL leaves the next address in rcx and the flags in r11", async () => {
  const { result } = await run(
    `stc; mov eax, 0x999; syscall; next: lea rdx, [rip+next]; xor edi, edi; cmp rcx, rdx; setne dil; cmp r11, 0x203; setne cl; lea edi, [rdi+rcx*2]; movzx edi, dil; ${EXIT}`,
  );
  expect(result.exitCode).toBe(0);
});

test("arguments are where the ABI has them, and unknown calls answer ENOSYS", async () => {
  const { result } = await run(
    `mov rdi, [rsp]; mov rsi, [rsp+16]; movzx esi, byte ptr [rsi]; mov eax, 500; syscall; add eax, 38; add edi, esi; add edi, eax; ${EXIT}`,
    {
      arguments: ["prog", "A"],
    },
  );
  expect(result.exitCode).toBe(2 + 65);
});

test("arch_prctl sets the base of fs", async () => {
  const { result } = await run(
    `mov eax, 158; mov edi, 0x1002; mov esi, 0x500000; syscall; mov edi, eax; movzx edi, byte ptr fs:[1]; ${EXIT}`,
    { data: "ab" },
  );
  expect(result.exitCode).toBe("b".charCodeAt(0));
});

test.each([
  ["xor ecx, ecx; div ecx", 136, "divide_error"],
  ["mov rax, [0]", 139, "page_fault_read(address: 0x0) at rip 0x400000: 488b042500000000 mov rax"],
  ["mov [0x400000], al", 139, "page_fault_write(address: 0x400000)"],
  ["jmp 0x500000", 139, "page_fault_fetch(address: 0x500000) at rip 0x500000"],
  ["ud2", 132, "invalid_opcode"],
  ["db 0x06", 132, "invalid_opcode"],
  ["int3", 133, "breakpoint"],
  ["hlt", 139, "general_protection"],
  ["mov rsp, 0x8000000000000000; push rax", 135, "stack_fault"],
] as const)("%s ends it with the signal that Linux would send", async (text, exitCode, message) => {
  const { result } = await run(text);
  expect(result).toMatchObject({ exitCode, reason: "trap" });
  expect(result.message).toContain(message);
});

test("an instruction that the machine lacks is named, never guessed", async () => {
  const { result } = await run("nop; db 0x66, 0x0f, 0xef, 0xc0");
  expect(result).toMatchObject({ exitCode: 132, reason: "unsupported", steps: 1 });
  expect(result.message).toContain("pxor");
  expect(result.message).toContain("at rip 0x400001");
});

test("a program that never ends is stopped", async () => {
  const { result } = await run("x: inc rax; jmp x", { maxSteps: 1001 });
  expect(result).toMatchObject({ exitCode: 152, reason: "limit", steps: 1001 });
  expect(result.message).toContain("at rip 0x400003: ebfb jmp 0x400000");
});

test("the trace shows what each instruction changed", async () => {
  const { trace } = await run("mov ecx, 2; push rcx; dec ecx; ud2", { trace: () => undefined });
  expect(trace.map((line) => line.replaceAll(/ +/g, " "))).toEqual([
    "0000000000400000 b902000000 mov ecx, 2 rcx=0x2",
    expect.stringMatching(/^0000000000400005 51 push rcx rsp=(0x7f\w+) mem\[\1, 8\]=0x2$/),
    "0000000000400006 ffc9 dec ecx rcx=0x1",
    "0000000000400008 0f0b ud2 trap=invalid_opcode",
  ]);
});

test("bytes run without a file", async () => {
  const code = Buffer.from(assembleX86(`mov edi, 7; ${EXIT}`, 0x10000n).bytes).toString("hex");
  expect(await runProgram(machine, { kind: "hex", text: code })).toMatchObject({ exitCode: 7, reason: "exit" });
});

test.each([
  [{ machine: 243, type: 3 }, "a program for RISC-V; x86-64 is x86-64"],
  [{ type: 3 }, "position-independent; link with -static -no-pie"],
  [{ class: 32 }, "a 32-bit program; x86-64 has 64-bit addresses"],
  [{ entry: 0x60_0000n }, "is in no executable segment"],
] as const)("a file with %o is refused", async (wrong, message) => {
  const segments = [{ address: CODE, data: assembleX86(EXIT, CODE).bytes, flags: 5 }];
  const bytes = elfFile({ class: 64, machine: 62, entry: CODE, segments, ...wrong });
  await expect(runBytes(bytes)).rejects.toThrow(UserError);
  await expect(runBytes(bytes)).rejects.toThrow(message);
});

test("a program that GCC compiled does what it does on the processor", { timeout: 120_000 }, async (ctx) => {
  if (process.platform !== "linux" || process.arch !== "x64") ctx.skip("this is no Linux on an x86-64 processor");
  const folder = await mkdtemp(path.join(os.tmpdir(), "commute-x86-64-"));
  try {
    const program = path.join(folder, "prog");
    const flags = [
      "-O2",
      "-mgeneral-regs-only",
      "-mbmi2",
      "-mpopcnt",
      "-ffreestanding",
      "-fno-builtin",
      "-fno-stack-protector",
    ];
    const source = path.resolve("test/refinement/execute/programs/x86-64.c");
    const compiling = promisify(execFile)("gcc", [...flags, "-nostdlib", "-static", "-no-pie", "-o", program, source]);
    const missing = await compiling.then(
      () => false,
      (error: unknown) => {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return true;
        throw error;
      },
    );
    if (missing) ctx.skip("gcc is not installed (Debian: gcc)");
    const native = spawnSync(program, ["one", "two"], { input: "an input" });
    const simulated = await runBytes(await readFile(program), {
      arguments: [program, "one", "two"],
      stdin: new TextEncoder().encode("an input"),
    });
    expect(simulated.stdout).toBe(native.stdout.toString());
    expect(simulated.result.exitCode).toBe(native.status);
    expect(native.status).toBe(3);
    expect(simulated.stdout.split("\n")).toHaveLength(9);
  } finally {
    await rm(folder, { recursive: true });
  }
});
