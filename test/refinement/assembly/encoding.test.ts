import { describe, expect, test } from "vitest";
import {
  bytesToWord,
  coveredBits,
  decode,
  encode,
  extractField,
  wordToBytes,
} from "../../../refinement/assembly/index.js";
import { InternalDefect } from "../../../refinement/errors.js";
import { instructionOf, randomFrom, randomWord, rv32, rv64, setOf, tiny } from "./machines.js";

describe("encode and decode are inverse", () => {
  test.each([rv32, rv64, tiny])("on every instruction of $name", (machine) => {
    const random = randomFrom(1);
    for (const instruction of setOf(machine).instructions) {
      for (let i = 0; i < 200; i++) {
        const word = randomWord(instruction, random);
        const decoded = decode(machine, word);
        const again = encode(instruction, decoded?.fields ?? new Map());
        if (decoded?.instruction !== instruction || again !== word) {
          expect.fail(
            `0x${word.toString(16)} of ${instruction.name}: ${decoded?.instruction.name}, 0x${again.toString(16)}`,
          );
        }
      }
    }
  });

  test("every word of a small machine is one instruction's or none's", () => {
    for (let word = 0n; word < 256n; word++) {
      const all = setOf(tiny).instructions.filter((i) => (word & i.encoding.mask) === i.encoding.match);
      expect(all.length).toBeLessThan(2);
      expect(decode(tiny, word)?.instruction).toBe(all[0]);
    }
  });
});

test("scattered immediates land where the manual puts them", () => {
  const beq = instructionOf(rv64, "beq");
  // imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011
  expect(encode(beq, new Map([["imm", 0x1000n]]))).toBe(0x80000063n);
  expect(encode(beq, new Map([["imm", 0x800n]]))).toBe(0x000000e3n);
  expect(encode(beq, new Map([["imm", 0x7e0n]]))).toBe(0x7e000063n);
  expect(encode(beq, new Map([["imm", 0x1en]]))).toBe(0x00000f63n);
  const jal = instructionOf(rv64, "jal");
  expect(encode(jal, new Map([["imm", 0x800n]]))).toBe(0x0010006fn);
  expect(encode(jal, new Map([["imm", 0xff000n]]))).toBe(0x000ff06fn);
});

test("a value that a field cannot hold, or a field that is none, is the caller's defect", () => {
  const beq = instructionOf(rv64, "beq");
  const [imm] = beq.encoding.fields.filter((f) => f.name === "imm");
  expect(imm && coveredBits(imm)).toBe(0x1ffen);
  expect(() => encode(beq, new Map([["imm", 1n]]))).toThrow(InternalDefect);
  expect(() => encode(beq, new Map([["imm", 0x2000n]]))).toThrow(InternalDefect);
  expect(() => encode(beq, new Map([["shamt", 1n]]))).toThrow(InternalDefect);
  expect(imm && extractField(imm, 0xfe000fe3n)).toBe(0x1ffen);
});

test("words are little-endian in memory", () => {
  expect([...wordToBytes(0x00b50533n, 32)]).toEqual([0x33, 0x05, 0xb5, 0x00]);
  expect(bytesToWord(Uint8Array.of(0x33, 0x05, 0xb5, 0x00))).toBe(0x00b50533n);
  expect([...wordToBytes(0x1ffn, 9)]).toEqual([0xff, 0x01]);
});

test("a word beyond the width decodes to nothing", () => {
  expect(decode(rv64, 0x100000013n)).toBeUndefined();
  expect(decode(rv64, -1n)).toBeUndefined();
});

test("decoding is fast", () => {
  const random = randomFrom(2);
  const words = Array.from({ length: 20_000 }, () => BigInt(random()) | 3n);
  const started = performance.now();
  for (const word of words) decode(rv64, word);
  expect((performance.now() - started) / words.length).toBeLessThan(0.05); // ms; a few microseconds when nothing else runs
});
