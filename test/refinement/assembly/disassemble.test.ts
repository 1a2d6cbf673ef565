import { describe, expect, test } from "vitest";
import { disassemble, syntaxesOf } from "../../../refinement/assembly/index.js";
import { rv32, rv64, setOf, tiny } from "./machines.js";

test.each([
  [0x00b50533n, "add a0, a0, a1"],
  [0xfff50513n, "addi a0, a0, -1"],
  [0xfe000ee3n, "beq zero, zero, 0xffc"],
  [0x0080006fn, "jal zero, 0x1008"],
  [0xff813503n, "ld a0, -8(sp)"],
  [0x00113423n, "sd ra, 8(sp)"],
  [0x80000537n, "lui a0, 0x80000"],
  [0x43f55513n, "srai a0, a0, 0x3f"],
  [0x0ff0000fn, "fence 0xf, 0xf"],
  [0x00000073n, "ecall"],
  [0x00000000n, ".word 0x00000000"],
  [0xffffffffn, ".word 0xffffffff"],
])("%#x is %s", (word, text) => {
  expect(disassemble(rv64, word, 0x1000n)).toBe(text);
});

test("targets wrap at the program counter's width", () => {
  expect(disassemble(rv32, 0xfe000ee3n, 0n)).toBe("beq zero, zero, 0xfffffffc");
  expect(disassemble(rv64, 0xfe000ee3n, 0n)).toBe("beq zero, zero, 0xfffffffffffffffc");
});

test("what the syntax cannot express is a word: a fence with a reserved mode or destination", () => {
  expect(disassemble(rv64, 0x8330000fn, 0n)).toBe(".word 0x8330000f");
  expect(disassemble(rv64, 0x0ff0008fn, 0n)).toBe(".word 0x0ff0008f");
});

test("words of a machine with 8-bit instructions", () => {
  expect(disassemble(tiny, 0x4fn, 0n)).toBe("li r0, 0xf");
  expect(disassemble(tiny, 0x0fn, 0n)).toBe("shr r1, r1");
  expect(disassemble(tiny, 0xe0n, 0n)).toBe(".word 0xe0");
});

describe("signedness is read off the meaning", () => {
  const kinds = (name: string): string[] =>
    (syntaxesOf(setOf(rv64)).find((s) => s.mnemonic === name)?.elements ?? []).flatMap(({ element }) =>
      element.kind === "punctuation" ? [] : [element.kind + ("signedness" in element ? ` ${element.signedness}` : "")],
    );

  test.each([
    ["addi", ["register", "register", "number signed"]],
    ["sltiu", ["register", "register", "number signed"]],
    ["slli", ["register", "register", "number unsigned"]],
    ["sraiw", ["register", "register", "number unsigned"]],
    ["sd", ["register", "number signed", "register"]],
    ["jal", ["register", "relative signed"]],
    ["bgeu", ["register", "register", "relative signed"]],
    ["lui", ["register", "slice"]],
    ["fence", ["number unsigned", "number unsigned"]],
  ])("%s", (name, expected) => {
    expect(kinds(name)).toEqual(expected);
  });
});
