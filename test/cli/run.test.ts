import { writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { elfFile } from "../refinement/execute/elf-file.js";
import { commute, folder } from "./commute.js";

/** addi a0, zero, 7; addi a7, zero, 93; ecall: exit(7) on Linux. */
const EXIT_7 = "13057000 9308d005 73000000";

describe("asm and disasm", () => {
  test("assemble and disassemble the same program", async () => {
    const text = "addi a0, zero, 7; addi a7, zero, 93; ecall";
    const { stdout } = await commute(["asm", "--quiet", "rv32i", text]);
    expect(stdout).toBe(`${EXIT_7}\n`);
    const back = await commute(["disasm", "--quiet", "rv32i", ...stdout.trim().split(" ")]);
    expect(back.stdout.trim().split("\n").join("; ")).toBe(text);
  });

  test("addresses count from --pc, and branches are relative to them", async () => {
    const { stdout } = await commute(["asm", "rv64im", "--pc", "0x1000", "loop: addi a0, a0, -1; bne a0, zero, loop"]);
    expect(stdout).toMatch(/^0x1000 {2}1305f5ff {2}/);
    expect(stdout).toMatch(/\n0x1004 {2}e31e05fe {2}/);
    expect((await commute(["disasm", "rv64im", "--pc", "0x1004", "e31e05fe"])).stdout).toContain("0x1000");
  });

  test("asm reads files and standard input", async () => {
    const cwd = await folder({ "program.s": "addi a0, zero, 7\n" });
    expect((await commute(["asm", "-q", "rv32i", "program.s"], { cwd })).stdout).toBe("13057000\n");
    expect((await commute(["asm", "-q", "rv32i", "-"], { cwd, input: "addi a0, zero, 7" })).stdout).toBe("13057000\n");
  });

  test("disasm takes a word as a number, and shows what is no instruction", async () => {
    expect((await commute(["disasm", "-q", "rv32i", "0x00700513"])).stdout).toBe("addi a0, zero, 7\n");
    const { stdout } = await commute(["disasm", "--json", "rv32i", "00000000"]);
    expect(JSON.parse(stdout).instructions[0]).toMatchObject({ assembly: ".word 0x00000000", instruction: null });
  });
});

describe("run", () => {
  test("the exit code is the program's", async () => {
    const { code, stdout, stderr } = await commute(["run", "rv32i", "--hex", EXIT_7]);
    expect(code).toBe(7);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^3 instructions in /);
  });

  test("--on runs it on a translator's code, with a fault of the translator's if one is named", {
    timeout: 240_000,
  }, async () => {
    const on = (machine: string, program: string, ...more: string[]) =>
      commute(["run", machine, "--hex", program, "--on", "translator", ...more]);
    // addi a0, zero, 5; add t1, a0, a0; add zero, a0, a0; add a0, zero, zero; addi a7, zero, 93; ecall
    const zero = "13055000 3303a500 3300a500 33050000 9308d005 73000000";
    const right = JSON.parse((await on("rv64imac_zba_zbb", zero, "--json")).stdout);
    expect(right).toMatchObject({ exitCode: 0, reason: "exit" });
    const wrong = await on("rv64imac_zba_zbb", zero, "--fault", "x0-written");
    expect(wrong).toMatchObject({ code: 20, stderr: expect.stringContaining("host instructions") });
    expect((await on("rv64im", EXIT_7)).stderr).toMatch(/translates rv64imac_zba_zbb, not rv64im/);
    const without = await commute(["run", "rv64im", "--hex", EXIT_7, "--fault", "x0-written"]);
    expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining("--fault needs --on") });
  });

  test("--trace shows every instruction and what it changes; --json keeps all in one document", async () => {
    const { stderr } = await commute(["run", "rv32i", "--hex", EXIT_7, "--trace", "-q"]);
    expect(stderr).toMatch(/addi a0, zero, 7 +a0=0x7\n/);
    expect(stderr.trim().split("\n")).toHaveLength(3);
    const json = await commute(["run", "rv32i", "--hex", EXIT_7, "--json"]);
    expect(json.code).toBe(7);
    expect(JSON.parse(json.stdout)).toMatchObject({ exitCode: 7, reason: "exit", steps: 3 });
  });

  test("an unhandled trap says which and where; --max-steps ends an endless loop; Ctrl-C too", async () => {
    const trap = await commute(["run", "rv32i", "--hex", "00000000"]);
    expect(trap.code).toBe(128 + 4);
    expect(trap.stderr).toContain("illegal_instruction");
    const loop = await commute(["run", "rv32i", "--hex", "6f000000", "--max-steps", "1000"]);
    expect(loop.code).toBe(152);
    expect(loop.stderr).toContain("1000 instructions");
    const started = await commute(["run", "rv32i", "--hex", "--trace", "6f000000"], { interruptAt: /jal/ });
    expect(started.code).toBe(130);
  });

  test.each([
    ["no such file", "there is no such file", "missing.elf"],
    ["a folder", "folder", "."],
    ["not an ELF file", "E_ELF", "text.txt"],
    ["an empty file", "E_ELF", "empty.elf"],
    ["a truncated ELF file", "truncated", "truncated.elf"],
  ])("%s is refused: %s", async (_, says, file) => {
    const cwd = await folder({ "text.txt": "not a program", "empty.elf": "" });
    const header = elfFile({ class: 64, entry: 0n, segments: [] }).subarray(0, 40);
    await writeFile(path.join(cwd, "truncated.elf"), header);
    const { code, stderr } = await commute(["run", "rv64im", file], { cwd });
    expect(stderr).toContain(says);
    expect(stderr).not.toContain("a bug in commute");
    expect(code).toBe(2);
  });

  test.runIf(existsSync("/proc/self/mem"))("a file that the system cannot read is no bug of ours", async () => {
    const { code, stderr } = await commute(["run", "rv64im", "/proc/self/mem"]);
    expect(stderr).toContain("/proc/self/mem: EIO");
    expect(stderr).not.toContain("a bug in commute");
    expect(code).toBe(2);
  });

  test("--signature to where nothing can be written is refused before the run", async () => {
    const { code, stderr } = await commute(["run", "rv32i", "--hex", EXIT_7, "--signature", "package.json/below"]);
    expect(code).toBe(2);
    expect(stderr).toContain("--signature package.json/below cannot be written");
  });
});

/** jal zero, 0 with the fields of an ELF file's header as they should be, for RV64. */
const LOOP = { address: 0x1_0000n, data: Uint8Array.of(0x6f, 0, 0, 0), flags: 5 };
const GOOD = { class: 64, machine: 243, entry: 0x1_0000n, segments: [LOOP] } as const;

/** The same file with some of its bytes changed. */
function changed(bytes: Uint8Array, at: number, ...values: readonly number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(values, at);
  return copy;
}

describe("a file that does not belong to the machine is refused by name, place and reason", {
  timeout: 120_000,
}, () => {
  const good = elfFile(GOOD);
  test.each([
    ["big-endian", "rv64im", changed(changed(good, 5, 2), 18, 0, 243), /endian/],
    ["big-endian and for another processor", "rv64im", changed(changed(good, 5, 2), 18, 0, 22), /for IBM Z/],
    ["of another class", "rv64im", elfFile({ ...GOOD, class: 32 }), /32-bit/],
    ["of another class, from reset", "rv64-system", elfFile({ ...GOOD, class: 32 }), /32-bit/],
    ["of another class, the other way round", "rv32im", good, /64-bit/],
    ["for another processor", "rv64im", elfFile({ ...GOOD, machine: 62 }), /x86-64/],
    ["for RISC-V", "x86-64", good, /RISC-V/],
    ["for RISC-V", "ebpf", good, /clang -target bpf/],
    ["cut off in its segment", "rv64im", good.subarray(0, good.length - 2), /truncated|end|outside|beyond/],
    ["cut off in its header", "rv64im", good.subarray(0, 50), /truncated/],
    ["with an entry point between two instructions", "rv64im", elfFile({ ...GOOD, entry: 0x1_0002n }), /multiple of 4/],
    ["with an odd entry point", "rv64imac", elfFile({ ...GOOD, entry: 0x1_0001n }), /multiple of 2/],
    ["with an odd entry point, from reset", "rv64-system", elfFile({ ...GOOD, entry: 0x1_0001n }), /multiple of 2/],
    ["with its entry point outside its code", "rv64im", elfFile({ ...GOOD, entry: 0x9_0000n }), /0x90000/],
    [
      "with its entry point outside its code, from reset",
      "rv64-system",
      elfFile({ ...GOOD, entry: 0x9_0000n }),
      /0x90000/,
    ],
  ])("%s, on %s", async (_, machine, bytes, says) => {
    const cwd = await folder({});
    await writeFile(path.join(cwd, "program.elf"), bytes);
    const { code, stderr } = await commute(["run", machine, "program.elf"], { cwd });
    expect(stderr).toMatch(says);
    expect(stderr).toContain("program.elf");
    expect(stderr).not.toContain("a bug in commute");
    expect(code).toBe(2);
  });

  test("code that jumps out of memory, and a program that never ends", async () => {
    const cwd = await folder({});
    await writeFile(path.join(cwd, "loop.elf"), good);
    // jalr zero, 0(zero)
    const away = { ...LOOP, data: Uint8Array.of(0x67, 0, 0, 0) };
    await writeFile(path.join(cwd, "away.elf"), elfFile({ ...GOOD, segments: [away] }));
    const left = await commute(["run", "rv64im", "away.elf"], { cwd });
    expect(left.code).toBe(128 + 11);
    expect(left.stderr).toContain("instruction_access_fault(address: 0x0) at pc 0x0");
    for (const machine of ["rv64im", "rv64-system"]) {
      const stopped = await commute(["run", machine, "loop.elf", "--max-steps", "5000"], { cwd });
      expect(stopped.code).toBe(152);
      expect(stopped.stderr).toContain("5000 instructions");
    }
  });
});
