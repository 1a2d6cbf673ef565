import { readFile, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
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
    const header = await readFile(process.execPath).then((bytes) => Buffer.from(bytes.subarray(0, 40)));
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
