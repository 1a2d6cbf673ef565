/** Follows docs/how-to-add-an-instruction.md on a copy of spec/. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { instructions } from "../../../properties/arbitraries/instructions.js";
import { assembleProgram, bytesToWord, decode, disassemble } from "../../../refinement/assembly/index.js";
import { Simulator } from "../../../refinement/compile/simulator.js";
import { stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import { differences } from "../../../refinement/execute/difference.js";
import type { Machine } from "../../../refinement/machine.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";
import { loadMachine } from "../../../spec/notation/index.js";

const page = await readFile("docs/how-to-add-an-instruction.md", "utf8");
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))].map((m) => m[1] ?? "");

let folder = "";
let machine: Machine;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "commute-how-to-"));
  await cp("spec", path.join(folder, "spec"), { recursive: true });
  const [extension, whole] = blocks("yaml");
  await writeFile(path.join(folder, "spec/riscv/bits.yaml"), extension ?? "");
  await writeFile(path.join(folder, "spec/riscv/rv64im_bits.yaml"), whole ?? "");
  machine = await loadMachine(path.join(folder, "spec/riscv/rv64im_bits.yaml"));
});

afterAll(() => rm(folder, { recursive: true }));

describe("docs/how-to-add-an-instruction.md", () => {
  test("names the files that the steps write and use", () => {
    for (const name of ["spec/riscv/bits.yaml", "spec/riscv/rv64im_bits.yaml", "test/spec/riscv/how-to.test.ts"]) {
      expect(page).toContain(`\`${name}\``);
    }
  });

  test("the commands print what the page shows", async () => {
    const plain = await loadMachine("spec/riscv/rv64im.yaml");
    const printed = (blocks("console")[0] ?? "")
      .trim()
      .split("\n$ ")
      .map((part) => part.replace(/^\$ /, "").split("\n"));
    expect(printed).toHaveLength(3);
    for (const [command = "", ...output] of printed) {
      const [, verb, name, argument = ""] = /^npx commute (asm|disasm) (\S+) '?(.*?)'?$/.exec(command) ?? [];
      const on = name === "rv64im" ? plain : machine;
      expect(on.name).toBe(name);
      const lines =
        verb === "asm"
          ? assembleProgram(on, argument, 0n).lines.map(
              (l) => [l.address, Buffer.from(l.bytes).toString("hex"), l.text] as const,
            )
          : [[0n, argument, disassemble(on, bytesToWord(Buffer.from(argument, "hex")), 0n)] as const];
      expect(lines.map(([address, code, text]) => `0x${address.toString(16)}  ${code}  ${text}`)).toEqual(output);
    }
  });

  test.each([
    ["andn", 0b1100n, 0b1010n, 0b0100n],
    ["max", -5n, 3n, 3n],
    ["max", 7n, -9n, 7n],
    ["ctz", 0b1011000n, 0n, 3n],
    ["ctz", 0n, 0n, 64n],
    ["ctz", 1n << 63n, 0n, 63n],
  ])("the new instructions run: %s of %i and %i is %i", (name, a, b, expected) => {
    const text = name === "ctz" ? "ctz x3, x1" : `${name} x3, x1, x2`;
    const x = FileValue.filled(32).set(1n, BigInt.asUintN(64, a)).set(2n, BigInt.asUintN(64, b));
    const memory = MemoryValue.empty(64).storeBytes(0n, assembleProgram(machine, text, 0n).bytes);
    const state = new Map<string, Value>([...zeroState(machine), ["x", x], ["mem", memory]]);
    const after = stepAny(machine, state);
    const simulator = new Simulator(machine);
    simulator.load(state);
    simulator.step();
    expect(after?.transition.name).toBe(name);
    expect(after && differences(machine, after.state, simulator.state())).toEqual([]);
    expect(simulator.element("x", 3)).toBe(expected);
  });

  test("random programs have them, and a machine without them does not", async () => {
    expect(instructions(machine).names()).toEqual(expect.arrayContaining(["andn", "max", "ctz"]));
    const word = bytesToWord(assembleProgram(machine, "andn a0, a1, a2", 0n).bytes);
    expect(decode(machine, word)?.instruction.name).toBe("andn");
    expect(decode(await loadMachine("spec/riscv/rv64im.yaml"), word)).toBeUndefined();
  });

  test("the mistake that it warns of is told as it says", async () => {
    const [extension = "", , wrong = ""] = blocks("yaml");
    const [message = ""] = blocks("text");
    await cp(path.join(folder, "spec"), path.join(folder, "wrong"), { recursive: true });
    await writeFile(path.join(folder, "wrong/riscv/bits.yaml"), extension.replace(/ {2}max:\n(?: {4}.*\n)+/, wrong));
    const error: unknown = await loadMachine(path.join(folder, "wrong/riscv/rv64im_bits.yaml")).then(
      () => "it loads",
      String,
    );
    const told = (text: string): string =>
      text
        .trim()
        .replace(/^.*riscv\//, "")
        .replace(/\(line \d+\)/, "");
    expect(told(String(error))).toBe(told(message));
  });
});
