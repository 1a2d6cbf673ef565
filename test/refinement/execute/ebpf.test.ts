/** eBPF objects: linking, what they are given and give back, and files that cannot be run. */
import path from "node:path";
import { describe, expect, test } from "vitest";
import { assemble } from "../../../refinement/assembly/index.js";
import type { EbpfOptions } from "../../../refinement/execute/ebpf.js";
import { type RunResult, runProgram } from "../../../refinement/execute/run.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { type ObjectSection, objectFile } from "./object-file.js";

const ebpf = await loadMachine(path.resolve("spec/ebpf/ebpf.yaml"));
const code = (text: string): Uint8Array => assemble(ebpf, text, 0n);
const main = { name: "main", section: "prog", isGlobal: true, isFunction: true };
const program = (text: string, more: Partial<ObjectSection> = {}): ObjectSection => ({
  name: "prog",
  data: code(text),
  flags: 6,
  ...more,
});

const run = (bytes: Uint8Array, options: EbpfOptions = {}): Promise<RunResult> =>
  runProgram(ebpf, { kind: "elf", file: "x.o", bytes }, { ebpf: options, maxSteps: 10_000 });

describe("programs", () => {
  test("the result is R0, its lowest byte the exit code", async () => {
    const { returned, exitCode, reason, steps } = await run(objectFile([program("r0 = 0x1234; exit")], [main]));
    expect({ r0: returned?.r0, exitCode, reason, steps }).toEqual({
      r0: 0x1234n,
      exitCode: 0x34,
      reason: "exit",
      steps: 2,
    });
  });

  test("R1 and R2 are the context, which the program may write; R10 is the end of a stack", async () => {
    const text =
      "w0 = *(u8 *)(r1 + 2); *(u8 *)(r1 + 0) = 255; *(u64 *)(r10 - 8) = r2; r3 = *(u64 *)(r10 - 8); r0 += r3; exit";
    const { returned } = await run(objectFile([program(text)], [main]), { context: Uint8Array.of(1, 2, 3) });
    expect(returned).toEqual({ r0: 6n, context: Uint8Array.of(255, 2, 3) });
    const without = await run(objectFile([program("r0 = r1; r0 |= r2; exit")], [main]));
    expect(without.returned).toEqual({ r0: 0n, context: new Uint8Array() });
  });

  test("calls into other sections, to symbols and into the midst of sections, and data of a program's own", async () => {
    const sections = [
      program("r1 = 5 ; call pc-1; r6 = r0; call pc+1; r0 += r6; r1 = 8 ll; r2 = *(u64 *)(r1 + 0); r0 += r2; exit", {
        relocations: [
          { offset: 8, type: 10, symbol: "double" },
          { offset: 24, type: 10, symbol: ".text" },
          { offset: 40, type: 1, symbol: ".data" },
        ],
      }),
      { name: ".text", data: code("r0 = r1; r0 += r1; exit"), flags: 6 },
      { name: ".data", data: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0), flags: 3 },
    ];
    const symbols = [
      { name: "double", section: ".text", isFunction: true },
      { name: ".text", section: ".text" },
      { name: ".data", section: ".data" },
      main,
    ];
    // `call pc+1` is to slot 2 of .text, which is its first exit.
    const { returned, message } = await run(objectFile(sections, symbols));
    expect({ message, r0: returned?.r0 }).toEqual({ message: undefined, r0: 10n + 10n + 1000n });
  });

  test("the entry is a function or section by name", async () => {
    const sections = [program("r0 = 1; exit; r0 = 2; exit"), { ...program("r0 = 3; exit"), name: "other" }];
    const symbols = [main, { ...main, name: "second", value: 16 }, { ...main, name: "third", section: "other" }];
    const file = objectFile(sections, symbols);
    await expect(run(file)).rejects.toThrow("main (prog), second (prog), third (other); choose one with --entry");
    expect((await run(file, { entry: "second" })).returned?.r0).toBe(2n);
    expect((await run(file, { section: "other" })).returned?.r0).toBe(3n);
    await expect(run(file, { entry: "fourth" })).rejects.toThrow("no function fourth; there are main, second, third");
    await expect(run(file, { section: "fourth" })).rejects.toThrow("there are prog, other");
  });

  test("a program that never ends is stopped; one that faults says where", async () => {
    const endless = await run(objectFile([program("goto -1")], [main]));
    expect(endless).toMatchObject({ reason: "limit", exitCode: 152, returned: undefined });
    const fault = await run(objectFile([program("r0 = *(u64 *)(r1 + 0); exit")], [main]));
    expect(fault.reason).toBe("trap");
    expect(fault.message).toContain("load_access_fault(address: 0x0) at pc 0x10000");
    const beyond = await run(objectFile([program("r0 = *(u64 *)(r1 + 8); exit")], [main]), {
      context: new Uint8Array(8),
    });
    expect(beyond.message).toContain("load_access_fault");
  });

  test("instruction bytes run as well", async () => {
    const hex = Buffer.from(code("r0 = 7; exit")).toString("hex");
    expect((await runProgram(ebpf, { kind: "hex", text: hex })).exitCode).toBe(7);
    await expect(runProgram(ebpf, { kind: "hex", text: "b700" })).rejects.toThrow(
      "no whole number of eBPF instructions",
    );
  });
});

describe("what cannot be run", () => {
  const exit = [program("exit")];

  test.each([
    ["nothing", new Uint8Array(), "not an ELF file"],
    ["a truncated file", objectFile(exit, [main]).subarray(0, 200), "truncated"],
    ["32 bits", objectFile(exit, [main], { cls: 1 }), "32 bits; eBPF objects are of the 64-bit class"],
    ["big-endian", objectFile(exit, [main], { order: 2 }), "big-endian; compile with clang -target bpfel"],
    ["another machine", objectFile(exit, [main], { machine: 62 }), "for x86-64, not eBPF"],
    [
      "a 32-bit one of another machine",
      objectFile(exit, [main], { machine: 3, cls: 1 }),
      "for x86 (32 bits), not eBPF",
    ],
    ["another machine's order", objectFile(exit, [main], { machine: 22, order: 2 }), "for IBM Z, not eBPF"],
    ["an executable", objectFile(exit, [main], { type: 2 }), "file type 2; eBPF programs are object files"],
    ["no code", objectFile([{ name: ".data", data: new Uint8Array(8), flags: 3 }], []), "no section has instructions"],
    ["half an instruction", objectFile([{ ...program("exit"), data: new Uint8Array(12) }], [main]), "no whole number"],
    ["a misaligned entry", objectFile(exit, [{ ...main, value: 4 }]), "not a multiple of 8"],
    ["an entry behind the code", objectFile(exit, [{ ...main, value: 80 }]), "lies behind its 8 bytes"],
    [
      "a jump out of the program",
      objectFile([program("goto +5; exit")], [main]),
      "goes on at 0x10030, out of the program",
    ],
    ["an end without exit", objectFile([program("r0 = 1")], [main]), "goes on at 0x10008, out of the program"],
    ["a helper call", objectFile([program("call 6; exit")], [main]), "calls helper function 6"],
    ["a kernel function", objectFile([program("call btf 9; exit")], [main]), "calls kernel function 9"],
    ["a map by fd", objectFile([program("ld_pseudo r1, 1, 5; exit")], [main]), "address of a map"],
    ["packet access", objectFile([program("r0 = *(u8 *)skb[0]; exit")], [main]), "accesses a packet"],
  ])("%s", async (_, bytes, message) => {
    await expect(run(bytes)).rejects.toThrow(message);
  });

  test.each([
    [{ offset: 0, type: 3, symbol: "main" }, "relocation type 3 at prog+0x0 is not known"],
    [{ offset: 0, type: 10, symbol: "elsewhere" }, "calls elsewhere, which this file does not define"],
    [{ offset: 0, type: 1, symbol: "map" }, "no 64-bit immediate"],
    [{ offset: 8, type: 1, symbol: "map" }, "refers to the map map; maps are not supported"],
    [{ offset: 8, type: 1, symbol: "main" }, "takes the address of code"],
    [{ offset: 4, type: 10, symbol: "main" }, "which is no instruction"],
    [{ offset: 800, type: 10, symbol: "main" }, "which is no instruction"],
  ])("the relocation %j", async (relocation, message) => {
    const sections = [
      program("call pc-1; r1 = 0 ll; exit", { relocations: [relocation] }),
      { name: ".maps", data: new Uint8Array(32), flags: 3 },
    ];
    const symbols = [main, { name: "elsewhere" }, { name: "map", section: ".maps" }];
    await expect(run(objectFile(sections, symbols))).rejects.toThrow(message);
  });

  test("options for another machine", async () => {
    const rv64 = await loadMachine(path.resolve("spec/riscv/rv64im.yaml"));
    const ran = runProgram(rv64, { kind: "hex", text: "73000000" }, { ebpf: { entry: "main" } });
    await expect(ran).rejects.toThrow("are for eBPF programs");
  });
});
