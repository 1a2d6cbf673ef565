import path from "node:path";
import { describe, expect, test } from "vitest";
import { decode } from "../../../refinement/assembly/index.js";
import type { Machine } from "../../../refinement/machine.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { manualDecode, manualDecodeAll, manualDecodeFloats, type Xlen } from "./manual.js";

const loaded = new Map<string, Promise<Machine>>();
const load = (name: string): Promise<Machine> => {
  const machine = loaded.get(name) ?? loadMachine(path.resolve("spec/riscv", `${name}.yaml`));
  loaded.set(name, machine);
  return machine;
};

const names = (machine: Machine): string[] => (machine.instructionSet?.instructions ?? []).map((i) => i.name);

describe("the machines hold what the manual lists", () => {
  test.each([
    ["rv32i", 40], // §2: "RV32I contains 40 unique instructions"
    ["rv64i", 52],
    ["rv32im", 48],
    ["rv64im", 65],
    // 11 of A, 27 of C: RV32C without the loads and stores of floating-point registers
    ["rv32imac", 48 + 11 + 27],
    // 22 of A; C without C.JAL, with LDSP, SDSP, LD, SD, ADDIW, ADDW, SUBW
    ["rv64imac", 65 + 22 + 33],
    // Zifencei 1, Zba 3, Zbb 18, Zbc 3, Zbs 8, Zicond 2
    ["rv32u", 48 + 11 + 27 + 35],
    // Zba 8, Zbb 24
    ["rv64u", 65 + 22 + 33 + 46],
    // Loads and stores 4, compressed 4, sign injections 6, moves 4
    ["rv64u_fd", 65 + 22 + 33 + 46 + 18],
  ])("%s has %i instructions", async (name, count) => {
    const machine = await load(name);
    expect(new Set(names(machine)).size).toBe(count);
    expect(machine.transitions.map((t) => t.name)).toEqual([...names(machine), "fetch_fault", "illegal"]);
  });

  test("RV64I is RV32I, widened, and the W instructions, LWU, LD and SD", async () => {
    const [narrow, wide] = [names(await load("rv32i")), names(await load("rv64i"))];
    expect(narrow.filter((n) => !wide.includes(n))).toEqual([]);
    expect(wide.filter((n) => !narrow.includes(n)).sort()).toEqual(
      ["addiw", "addw", "ld", "lwu", "sd", "slliw", "sllw", "sraiw", "sraw", "srliw", "srlw", "subw"].sort(),
    );
  });

  test("traps carry the privileged manual's cause numbers", async () => {
    const { traps } = await load("rv64im");
    expect(Object.fromEntries(traps.map((t) => [t.name, t.cause]))).toEqual({
      instruction_address_misaligned: 0,
      instruction_access_fault: 1,
      illegal_instruction: 2,
      breakpoint: 3,
      load_address_misaligned: 4,
      load_access_fault: 5,
      store_address_misaligned: 6,
      store_access_fault: 7,
      environment_call: 8,
    });
  });

  test("a partial file is no machine by itself", async () => {
    await expect(load("i")).rejects.toThrow("E_EXTENDS");
    await expect(load("m")).rejects.toThrow("E_EXTENDS");
  });
});

describe.each([
  ["rv32im", 32, manualDecode],
  ["rv64im", 64, manualDecode],
  ["rv32u", 32, manualDecodeAll],
  ["rv64u", 64, manualDecodeAll],
  ["rv64u_fd", 64, manualDecodeFloats],
] as const)("%s decodes exactly the words that the manual defines", (name, xlen: Xlen, tables) => {
  const check = (machine: Machine, word: number): void => {
    // Words of 16 bits: test/refinement/assembly/extensions.test.ts.
    if (tables !== manualDecode && (word & 3) !== 3) return;
    const decoded = decode(machine, BigInt(word))?.instruction.name;
    const manual = tables(word, xlen);
    if (decoded !== manual)
      expect.fail(`0x${word.toString(16).padStart(8, "0")}: ${decoded}, but the manual says ${manual}`);
  };

  test("every combination of opcode, funct3 and funct7", async () => {
    const machine = await load(name);
    for (let opcode = 0; opcode < 128; opcode++) {
      for (let funct3 = 0; funct3 < 8; funct3++) {
        for (let funct7 = 0; funct7 < 128; funct7++) {
          for (const registers of [
            0, 0b00001_00000_000_00000, 0b00000_00001_000_00000, 0b00000_00000_000_00001, 0b10101_01010_000_11011,
          ]) {
            check(machine, ((funct7 << 25) | (registers << 7) | (funct3 << 12) | opcode) >>> 0);
          }
        }
      }
    }
  });

  test("a quarter of a million words, and the neighbours of every instruction", async () => {
    const machine = await load(name);
    let state = 12345;
    const random = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state ^ (state >>> 15)) >>> 0;
    };
    for (let i = 0; i < 250_000; i++) check(machine, (random() ^ (random() << 16)) >>> 0);
    for (const { encoding } of machine.instructionSet?.instructions ?? []) {
      const base = Number(encoding.match);
      for (let a = 0; a < 32; a++) for (let b = 0; b < 32; b++) check(machine, (base ^ (1 << a) ^ (1 << b)) >>> 0);
    }
  });

  test("each word is one instruction only, and the numbers of words add up", async () => {
    const machine = await load(name);
    const set = machine.instructionSet?.instructions ?? [];
    for (const [i, a] of set.entries()) {
      for (const b of set.slice(i + 1)) {
        const common = a.encoding.mask & b.encoding.mask;
        const apart = (a.encoding.match ^ b.encoding.match) & common;
        // Those of C that only their operands keep apart: every word of 16 bits is looked at elsewhere.
        if (a.encoding.width === 32 || b.encoding.width === 32) expect(apart, `${a.name} and ${b.name}`).not.toBe(0n);
      }
    }
    if (tables !== manualDecode) return;
    const free = (mask: bigint): number => 32 - mask.toString(2).replaceAll("0", "").length;
    const words = set.reduce((n, i) => n + 2 ** free(i.encoding.mask), 0);
    // U and J types fix 7 bits, I, S and B types 10, R types and 5-bit shifts 17, 6-bit shifts 16, ECALL and EBREAK all.
    const expected =
      xlen === 32
        ? 3 * 2 ** 25 + (1 + 6 + 5 + 3 + 6 + 1) * 2 ** 22 + (3 + 10 + 8) * 2 ** 15 + 2
        : 3 * 2 ** 25 + (1 + 6 + 7 + 4 + 6 + 1 + 1) * 2 ** 22 + (3 + 10 + 5 + 8 + 5) * 2 ** 15 + 3 * 2 ** 16 + 2;
    expect(words).toBe(expected);
  });
});
