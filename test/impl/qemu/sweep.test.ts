import path from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { readFileSync } from "node:fs";
import { sweep } from "../../../impl/qemu/sweep.js";
import { decode, lengthOfWord } from "../../../refinement/assembly/index.js";
import { bytesToWord } from "../../../refinement/assembly/encoding.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { FOLDER } from "./need-qemu.js";

describe.each(["rv64im", "rv64imac_zba_zbb"])("the sweep over %s", (name) => {
  test("has every instruction with every class of registers and corners of its numbers", async () => {
    const machine = await loadMachine(path.resolve(`spec/riscv/${name}.yaml`));
    const set = machine.instructionSet;
    const blocks = [...sweep(machine, 20_000, 1)].filter((b) => !b.name.startsWith("sequence"));
    const words = new Map<string, Set<bigint>>();
    for (const { code } of blocks) {
      const found = decode(machine, bytesToWord(code));
      if (found === undefined) throw new Error("no instruction");
      words.set(found.instruction.name, (words.get(found.instruction.name) ?? new Set()).add(bytesToWord(code)));
    }
    expect([...words.keys()].sort()).toEqual(set?.instructions.map((i) => i.name).sort());
    const add = [...(words.get("add") ?? [])].map((w) => [(w >> 7n) & 31n, (w >> 15n) & 31n, (w >> 20n) & 31n]);
    const same = (a: bigint | undefined, b: bigint | undefined): boolean => a === b;
    expect(add.some(([d, s, t]) => !same(d, s) && !same(s, t) && !same(d, t))).toBe(true);
    expect(add.some(([d, s, t]) => same(d, s) && !same(s, t))).toBe(true);
    expect(add.some(([d, s, t]) => !same(d, s) && same(s, t))).toBe(true);
    expect(add.some(([d, s, t]) => same(d, t) && !same(s, t))).toBe(true);
    expect(add.some(([d, s, t]) => same(d, s) && same(s, t) && d !== 0n)).toBe(true);
    for (const field of [0, 1, 2]) expect(add.some((registers) => registers[field] === 0n)).toBe(true);
    const immediates = new Set([...(words.get("addi") ?? [])].map((w) => w >> 20n));
    for (const corner of [0n, 1n, 0x7ffn, 0x800n, 0xfffn]) expect(immediates).toContain(corner);
  });

  test("has sequences that end at a page's end or with a jump, and is the same for the same seed", async () => {
    const machine = await loadMachine(path.resolve(`spec/riscv/${name}.yaml`));
    const blocks = [...sweep(machine, 200, 5)];
    expect(blocks).toHaveLength(200);
    expect(blocks).toEqual([...sweep(machine, 200, 5)]);
    expect(blocks).not.toEqual([...sweep(machine, 200, 6)]);
    const sequences = blocks.filter((b) => b.name.startsWith("sequence"));
    expect(sequences.length).toBeGreaterThan(50);
    for (const { pc, code } of sequences) {
      expect((pc + BigInt(code.length)) % 0x1000n).toBe(0n);
      if (machine.instructionSet === undefined) throw new Error("no instructions");
      let at = 0;
      while (at < code.length) at += lengthOfWord(machine.instructionSet, bytesToWord(code.subarray(at, at + 4)));
      expect(at).toBe(code.length);
    }
  });
});

test.each([".", "rv64imac_zba_zbb", "rv64u_fd", "guest-base"])(
  "in %s/refinement.yaml the layout is that of the abstraction",
  (folder) => {
    const file: {
      readonly translator: { readonly layout: Readonly<Record<string, number>>; readonly "guest-base"?: number };
      readonly regions: { readonly guest: { readonly at: number } };
      readonly abstraction: Readonly<Record<string, string>>;
    } = parse(readFileSync(path.join(FOLDER, folder, "refinement.yaml"), "utf8"));
    const { layout } = file.translator;
    expect(file.regions.guest.at).toBe(file.translator["guest-base"] ?? 0);
    expect(file.abstraction["x[i]"]).toBe("mem[rbp + 8 * i, 8]");
    expect(layout.x).toBe(0);
    if (layout.f !== undefined)
      expect(file.abstraction["f[i]"]).toBe(`mem[rbp + 0x${layout.f.toString(16)} + 8 * i, 8]`);
    expect(file.abstraction.pc).toBe(`mem[rbp + 0x${layout.pc?.toString(16)}, 8]`);
    const address = file.abstraction["reservation.address"];
    const held = `mem[rbp + 0x${layout.load_res?.toString(16)}, 8]`;
    if (address !== undefined) expect(address).toBe(`${held} != 0xffffffffffffffff ? ${held} : 0`);
  },
);
