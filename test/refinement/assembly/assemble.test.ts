import { describe, expect, test } from "vitest";
import { assemble, assembleProgram, bytesToWord, disassemble } from "../../../refinement/assembly/index.js";
import { UserError } from "../../../refinement/errors.js";
import type { Machine } from "../../../refinement/machine.js";
import { randomFrom, randomWord, rv32, rv64, setOf, tiny } from "./machines.js";

function words(machine: Machine, text: string, pc = 0x1000n): string[] {
  const bytes = assemble(machine, text, pc);
  return Array.from({ length: bytes.length / 4 }, (_, i) =>
    bytesToWord(bytes.subarray(4 * i, 4 * i + 4))
      .toString(16)
      .padStart(8, "0"),
  );
}

describe("what is disassembled assembles to the same word at the same address", () => {
  test.each([rv32, rv64])("$name", (machine) => {
    const random = randomFrom(3);
    const all = setOf(machine).instructions.flatMap((i) => Array.from({ length: 60 }, () => randomWord(i, random)));
    all.push(0x0ff0000fn); // most random fences have reserved bits, and are words
    for (let i = 0; i < 3000; i++) all.push(BigInt(random()));
    const listing = all.map((word, i) => disassemble(machine, word, 0x80000000n + 4n * BigInt(i)));
    const bytes = assemble(machine, listing.join("\n"), 0x80000000n);
    const mnemonics = new Set(listing.map((line) => line.split(" ")[0]));
    expect(mnemonics.size).toBe(setOf(machine).instructions.length + 1);
    expect(Array.from({ length: bytes.length / 4 }, (_, i) => bytesToWord(bytes.subarray(4 * i, 4 * i + 4)))).toEqual(
      all,
    );
  });

  test("every word of tiny", () => {
    for (let word = 0n; word < 256n; word++) {
      expect(bytesToWord(assemble(tiny, disassemble(tiny, word, 3n), 3n))).toBe(word);
    }
  });
});

describe("programs", () => {
  test("labels, forwards and backwards, comments, several instructions on a line", () => {
    const program = assembleProgram(
      rv64,
      `
start:  addi t0, zero, 3      # a loop
loop:   addi t0, t0, -1       // counts down
        bne  t0, zero, loop; beq zero, zero, end
        .word 0xdeadbeef, end
end: ecall
`,
      0x10000n,
    );
    expect(Object.fromEntries(program.labels)).toEqual({ start: 0x10000n, loop: 0x10004n, end: 0x10018n });
    expect(program.lines.map((l) => [l.line, l.address])).toEqual([
      [2, 0x10000n],
      [3, 0x10004n],
      [4, 0x10008n],
      [4, 0x1000cn],
      [5, 0x10010n],
      [6, 0x10018n],
    ]);
    expect(Buffer.from(program.bytes).toString("hex")).toBe(
      "93023000" + "9382f2ff" + "e39e02fe" + "63060000" + "efbeadde" + "18000100" + "73000000",
    );
  });

  test("targets are addresses, labels or relative to the line", () => {
    expect(words(rv64, "jal ra, 0x1008")).toEqual(words(rv64, "jal ra, . + 8"));
    expect(words(rv64, "jal ra, 0x0ff8")).toEqual(words(rv64, "jal ra, .-8"));
    expect(words(rv64, "jal ra, x + 4\nx: ecall")).toEqual(words(rv64, "jal ra, . + 8\necall"));
  });

  test("registers have their ABI names and their numbers", () => {
    expect(words(rv64, "add x10, x8, x31")).toEqual(words(rv64, "add a0, s0, t6"));
  });

  test("immediates are signed where they are sign-extended", () => {
    expect(
      words(rv64, "addi a0, a0, -2048\naddi a0, a0, 0x7ff\nlui a0, 0xfffff\nslli a0, a0, 63\nld a0, -8(sp)"),
    ).toEqual(["80050513", "7ff50513", "fffff537", "03f51513", "ff813503"]);
  });

  test("data directives", () => {
    expect(Buffer.from(assemble(rv64, ".byte 1, -1, 0x80\n.zero 1\n.half 0x1234\n.dword -2", 0n)).toString("hex")).toBe(
      "01ff8000" + "3412" + "feffffffffffffff",
    );
  });

  test("a machine that fetches from a file counts words", () => {
    const { labels, bytes } = assembleProgram(tiny, "li r0, 15\nagain: sub r0, r1\nbnz r0, again\nhalt", 0n);
    expect(labels.get("again")).toBe(1n);
    expect(Buffer.from(bytes).toString("hex")).toBe("4f0581ff");
  });
});

describe("mistakes", () => {
  test.each([
    ["addi a0, a0, 2048", 14, "E_RANGE", "imm takes -2048 to 2047"],
    ["addi a0, a0, -2049", 14, "E_RANGE", "imm takes -2048 to 2047"],
    ["slli a0, a0, 64", 14, "E_RANGE", "shamt takes 0 to 63"],
    ["lui a0, 0x100000", 9, "E_RANGE", "takes 0 to 0xfffff"],
    ["lui a0, -1", 9, "E_RANGE", "takes 0 to 0xfffff"],
    ["beq a0, a1, . + 4096", 13, "E_RANGE", "cannot be reached"],
    ["beq a0, a1, . + 3", 13, "E_RANGE", "multiples of 2"],
    ["adi a0, a0, 1", 1, "E_UNKNOWN", "did you mean `addi`"],
    ["add a0, a1, b2", 13, "E_UNKNOWN", "no register"],
    ["add a0, x32, a1", 9, "E_UNKNOWN", "no register"],
    ["jal ra, lop", 9, "E_UNKNOWN", "did you mean `loop`"],
    ["add a0, a1", 11, "E_SYNTAX", "the form is `add rd, rs1, rs2`"],
    ["add a0, a1, a2, a3", 15, "E_SYNTAX", "the end of the instruction"],
    ["lw a0, 4[a1]", 9, "E_SYNTAX", "`(`"],
    ["addi a0, a0, 0x", 14, "E_SYNTAX", "no number"],
    [".word 0x100000000", 7, "E_RANGE", "32 bits"],
    [".wurd 1", 1, "E_UNKNOWN", "no directive"],
    [".zero many", 6, "E_SYNTAX", "a number of bytes"],
    ["loop: ecall", 1, "E_DUPLICATE", "defined twice"],
  ])("%s", (line, column, code, message) => {
    const error = mistakes(rv64, `loop: ecall\n${line}`);
    expect(error).toHaveLength(1);
    expect(error[0]).toMatchObject({ code, place: { file: "program.s", line: 2, column } });
    expect(error[0]?.message).toContain(message);
  });

  test("all of a program's are found at once", () => {
    const found = mistakes(rv64, "foo a0\n addi a0, a0, 5000 ; addi a1, q7, 0\n ecall");
    expect(found.map((d) => [d.place.line, d.place.column])).toEqual([
      [1, 1],
      [2, 15],
      [2, 31],
    ]);
  });

  test("a machine without encodings has no assembler", () => {
    const { instructionSet: _, ...rest } = rv64;
    expect(() => assemble({ ...rest, instructionSet: undefined }, "nop", 0n)).toThrow(UserError);
  });
});

function mistakes(machine: Machine, text: string): UserError["diagnostics"] {
  try {
    assembleProgram(machine, text, 0x1000n, "program.s");
  } catch (error) {
    if (error instanceof UserError) return error.diagnostics;
    throw error;
  }
  return expect.fail("it assembles");
}
