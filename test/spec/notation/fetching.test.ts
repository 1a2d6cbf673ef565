/** Instructions of several lengths, fetched in parcels, through a function if need be. */
import { describe, expect, test } from "vitest";
import { decode, disassemble } from "../../../refinement/assembly/index.js";
import { Simulator } from "../../../refinement/compile/simulator.js";
import { enabledTransitions, stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Machine } from "../../../refinement/machine.js";
import { FileValue, MemoryValue, type Value, valueEquals } from "../../../refinement/terms/value.js";
import { machineOf, mistakes } from "./memory-files.js";

/** 16 and 32 bits, as the low two bits say: 11 is long. */
const PARCELS = (from: string, more = ""): string => `machine: parcels
state:
  pc:  bits(16)
  r:   "bits(16)[4]"
  base: bits(16)
  mem: { type: bytes(16), faults: { fetch: no_fetch } }
traps:
  no_fetch(address: bits(16)):
  no_page(address: bits(16), at: bits(16)):
  illegal_(word: bits(32)):
fetch: { from: "${from}", length: "word[1:0] == 3 ? 4 : 2", illegal: illegal_(word) }
next: pc = pc + length
${more}
instructions:
  move:  { encoding: 0000 rd rs 000000 01, assembly: "move rd, rs", execute: "r[rd] = r[rs]" }
  call:  { encoding: "1 target[11:1] rd 01", assembly: "call rd, target", execute: "r[rd] = pc + length; pc = zext(target)" }
  set:   { encoding: "imm[15:0] 00000000 0000 rd 11", assembly: "set rd, imm", execute: "r[rd] = imm" }
  lcall: { encoding: "target[15:0] 00000000 0001 rd 11", assembly: "lcall rd, target", execute: "r[rd] = pc + length; pc = target" }
`;

const DIRECT = PARCELS("mem[pc, 2]");
/** A page table of one base address, whose lowest bit says that a page is there; the second page is absent. */
const TRANSLATED = PARCELS(
  "parcel(pc)",
  `functions:
  "parcel(address: bits(16)): bits(16)": |
    if (address & 0x1000) != 0 { raise no_page(address, pc) }
    mem[address + base, 2]
`,
);

function memory(at: number, bytes: readonly number[]): MemoryValue {
  return MemoryValue.empty(16).storeBytes(BigInt(at), Uint8Array.from(bytes));
}

const SET = [0x07, 0x00, 0x34, 0x12]; // set r1, 0x1234
const CALL = [0x0d, 0x80]; // call r3, 0

function state(machine: Machine, values: Readonly<Record<string, Value>>): State {
  return new Map([...zeroState(machine), ...Object.entries(values)]);
}

/** One step by the reference, and by the simulator, which must agree. */
function step(machine: Machine, before: State): State | undefined {
  const after = stepAny(machine, before)?.state;
  const simulator = new Simulator(machine);
  for (let again = 0; again < 2; again++) {
    simulator.load(before);
    expect(simulator.run(1).steps).toBe(after === undefined ? 0 : 1);
    const found = simulator.state();
    for (const [name, value] of after ?? before) expect(valueEquals(value, found.get(name) ?? 0n), name).toBe(true);
  }
  return after;
}

const trapOf = (machine: Machine, after: State | undefined): string =>
  machine.traps.find((t) => BigInt(t.code) === after?.get("trap"))?.name ?? "none";

describe("parcels", async () => {
  const machine = await machineOf(DIRECT);
  const denied = (bytes: readonly number[], at: number, from: bigint): State =>
    state(machine, { pc: BigInt(at), mem: memory(at, bytes).withPermissions((_, address) => address < from) });

  test("an instruction of each length goes on behind itself, and links there", () => {
    const long = step(machine, state(machine, { pc: 0x100n, mem: memory(0x100, SET) }));
    expect(long?.get("pc")).toBe(0x104n);
    expect(long?.get("r")).toEqual(new FileValue([0n, 0x1234n, 0n, 0n]));
    const short = step(machine, state(machine, { pc: 0x100n, mem: memory(0x100, [0x01, 0x00, 0xff, 0xff]) }));
    expect(short?.get("pc")).toBe(0x102n);
    expect(step(machine, state(machine, { pc: 0x100n, mem: memory(0x100, CALL) }))?.get("r")).toEqual(
      new FileValue([0n, 0n, 0n, 0x102n]),
    );
    expect(step(machine, state(machine, { pc: 0x100n, mem: memory(0x100, [0x13, 0, 8, 0]) }))?.get("r")).toEqual(
      new FileValue([0x104n, 0n, 0n, 0n]),
    );
  });

  test("a short one in the last accessible bytes is fetched; a long one faults where its part is missing", () => {
    expect(trapOf(machine, step(machine, denied([0x01, 0x00], 0xffe, 0x1000n)))).toBe("none");
    const crossing = step(machine, denied(SET, 0xffe, 0x1000n));
    expect(trapOf(machine, crossing)).toBe("no_fetch");
    expect(crossing?.get("trap.value")).toBe(0x1000n);
    const none = step(machine, denied(SET, 0x1000, 0x1000n));
    expect(none?.get("trap.value")).toBe(0x1000n);
    // One byte of the first parcel is enough.
    expect(step(machine, denied(SET, 0xfff, 0x1000n))?.get("trap.value")).toBe(0xfffn);
  });

  test("a word that is no instruction has the length that its first parcel says", () => {
    const short = step(machine, state(machine, { pc: 0n, mem: memory(0, [0x02, 0x00, 0xff, 0xff]) }));
    expect(trapOf(machine, short)).toBe("illegal_");
    expect(short?.get("trap.value")).toBe(0x0002n);
    expect(step(machine, state(machine, { pc: 0n, mem: memory(0, [0x83, 0xff, 0xee, 0xdd]) }))?.get("trap.value")).toBe(
      0xddeeff83n,
    );
    expect(decode(machine, 0x1_0001n)).toBeUndefined();
    expect(decode(machine, 0x0001n)?.instruction.name).toBe("move");
    expect(disassemble(machine, 0x0002n, 0n)).toBe(".half 0x0002");
    expect(disassemble(machine, 0xddeeff83n, 0n)).toBe(".word 0xddeeff83");
  });

  test("one word, one transition: every first parcel", () => {
    for (let word = 0; word < 0x10000; word += 0x1d) {
      const at = state(machine, { mem: memory(0, [word & 0xff, word >> 8, 0x55, 0xaa]) });
      expect(enabledTransitions(machine, at), String(word)).toHaveLength(1);
    }
  });

  test("the program counter wraps within a word", () => {
    const wrapped = memory(0xfffe, SET.slice(0, 2)).storeBytes(0n, Uint8Array.from(SET.slice(2)));
    const after = step(machine, state(machine, { pc: 0xfffen, mem: wrapped }));
    expect(after?.get("pc")).toBe(2n);
    expect(after?.get("r")).toEqual(new FileValue([0n, 0x1234n, 0n, 0n]));
  });
});

describe("a function that fetches", async () => {
  const machine = await machineOf(TRANSLATED);

  test("reads elsewhere, and raises what it says for the parcel that is missing", () => {
    const mem = memory(0x2ffe, SET);
    const there = step(machine, state(machine, { pc: 0xfcen, base: 0x2030n, mem }));
    expect(there?.get("r")).toEqual(new FileValue([0n, 0x1234n, 0n, 0n]));
    const crossing = step(machine, state(machine, { pc: 0xffen, base: 0x2000n, mem }));
    expect(trapOf(machine, crossing)).toBe("no_page");
    // The address of the parcel, and the program counter as the parcel's fetch sees it.
    expect(crossing?.get("trap.value")).toBe(0x1000_1000n);
    const denied = mem.withPermissions((access) => access !== "fetch");
    const refused = step(machine, state(machine, { pc: 0xffen, base: 0x2000n, mem: denied }));
    expect(trapOf(machine, refused)).toBe("no_fetch");
    expect(refused?.get("trap.value")).toBe(0x2ffen);
  });
});

test("elements of a file, one or two to an instruction", async () => {
  const machine = await machineOf(`machine: slots
state: { pc: bits(8), r: "bits(8)[4]", code: "bits(8)[256]" }
fetch: { from: "code[pc]", length: "word[7:4] == 15 ? 2 : 1" }
next: pc = pc + length
instructions:
  move: { encoding: 0000 rd rs, execute: "r[rd] = r[rs]" }
  set:  { encoding: "imm[7:0] 1111 00 rd", execute: "r[rd] = imm" }
`);
  const code = new FileValue(Array.from({ length: 256 }, (_, i) => [0xf2n, 0x77n][i] ?? 0n));
  const after = step(machine, state(machine, { code }));
  expect(after?.get("pc")).toBe(2n);
  expect(after?.get("r")).toEqual(new FileValue([0n, 0n, 0x77n, 0n]));
});

/** What is wrong with a machine, as codes. */
const faults = async (text: string): Promise<string> =>
  (await mistakes(machineOf(text))).map((mistake) => mistake.code).join(" ");

describe("mistakes", () => {
  const machine = (fetch: string, instructions: string): string => `machine: m
state: { pc: bits(8), r: "bits(8)[4]", mem: bytes(8), b: bits(8) }
fetch: { ${fetch} }
next: pc = pc + length
instructions:
${instructions}`;

  test.each([
    ["a length of three quarters", 'from: "mem[pc, 2]", length: "word[0:0] == 1 ? 3 : 2"', "E_FETCH"],
    ["no length at all", 'from: "mem[pc, 2]", length: "zext(word[0:0]) << 1"', "E_FETCH"],
    ["a length that looks at everything", 'from: "mem[pc, 4]", length: "word == 7 ? 8 : 4"', "E_FETCH"],
    ["a length that looks at the state", 'from: "mem[pc, 2]", length: "b == 7 ? 4 : 2"', "E_CONSTANT"],
    ["a word that is bool", "from: pc == 0", "E_FETCH"],
    ["a fetch that writes", 'from: "f(pc)"', "E_ASSIGN"],
  ])("%s", async (_, fetch, code) => {
    const functions = 'functions:\n  "f(a: bits(8)): bits(16)": |\n    b = 1\n    mem[a, 2]\n';
    const text = machine(fetch, "  nop: { encoding: 0000000000000001, execute: b = 0 }\n") + functions;
    expect(await faults(text)).toContain(code);
  });

  test("an encoding is as long as its first parcel says, and overlaps are found across lengths", async () => {
    const fetch = 'from: "mem[pc, 1]", length: "word[0:0] == 1 ? 2 : 1"';
    expect(await faults(machine(fetch, "  nop: { encoding: 00000001, execute: b = 0 }\n"))).toContain("E_FETCH");
    expect(await faults(machine(fetch, '  nop: { encoding: "imm[7:0]", execute: b = imm }\n'))).toContain("E_FETCH");
    expect(
      await faults(machine(fetch, '  nop: { encoding: "imm[7:0]", where: "imm[0] == 0", execute: b = imm }\n')),
    ).toEqual("");
    expect(await faults(machine(fetch, "  nop: { encoding: 000000000001, execute: b = 0 }\n"))).toContain("E_ENCODING");
    expect(await faults(machine(fetch, "  nop: { encoding: field 0000001, execute: b = 0 }\n"))).toContain("E_FIELD");
    const both =
      '  a: { encoding: "0000000 x[0:0]", execute: b = 0 }\n  c: { encoding: "0000000000000 y[1:0] 0", execute: b = 1 }\n';
    expect(await faults(machine(fetch, both))).toContain("E_OVERLAP");
  });
});
