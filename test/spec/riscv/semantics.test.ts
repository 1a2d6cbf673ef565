/** What the manual says in words, instruction by instruction, where a reader of the definition could go wrong. */
import path from "node:path";
import { describe, expect, test } from "vitest";
import { assemble } from "../../../refinement/assembly/index.js";
import { stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Machine } from "../../../refinement/machine.js";
import { FileValue, MemoryValue, type Permissions, type Value } from "../../../refinement/terms/value.js";
import { loadMachine } from "../../../spec/notation/index.js";

const load = (name: string, parameters: Record<string, boolean> = {}): Promise<Machine> =>
  loadMachine(path.resolve("spec/riscv", `${name}.yaml`), { parameters });

const rv32 = await load("rv32im");
const rv64 = await load("rv64im");

interface Outcome {
  readonly pc: bigint;
  readonly x: readonly bigint[];
  readonly memory: MemoryValue;
  /** The trap's name, and its value. */
  readonly trap: string;
  readonly value: bigint;
}

interface Setting {
  readonly pc?: bigint;
  readonly x?: Readonly<Record<number, bigint>>;
  readonly data?: Readonly<Record<string, Uint8Array>>;
  readonly permissions?: Permissions;
}

/** One step of the instruction (as assembly, or a word) at `pc`, 0x1000 unless given. */
function run(machine: Machine, code: string, setting: Setting = {}): Outcome {
  const { pc = 0x1000n, x = {}, data = {}, permissions = (): boolean => true } = setting;
  const xlen = machine === rv32 ? 32 : 64;
  let memory = MemoryValue.empty(xlen, permissions).storeBytes(pc, assemble(machine, code, pc));
  for (const [address, bytes] of Object.entries(data)) memory = memory.storeBytes(BigInt(address), bytes);
  let registers = FileValue.filled(32);
  for (const [i, v] of Object.entries(x)) registers = registers.set(BigInt(i), BigInt.asUintN(xlen, v));
  const state = new Map<string, Value>([...zeroState(machine), ["pc", pc], ["x", registers], ["mem", memory]]);
  const after = stepAny(machine, state);
  if (after === undefined) throw new Error("no transition is enabled");
  return outcome(machine, after.state);
}

function outcome(machine: Machine, state: State): Outcome {
  const [pc, x, memory, trap, value] = ["pc", "x", "mem", "trap", "trap.value"].map((name) => state.get(name));
  if (
    typeof pc !== "bigint" ||
    !(x instanceof FileValue) ||
    !(memory instanceof MemoryValue) ||
    typeof value !== "bigint"
  ) {
    throw new Error("a state of RISC-V");
  }
  return { pc, x: x.elements, memory, trap: machine.traps.find((t) => BigInt(t.code) === trap)?.name ?? "none", value };
}

/** x3 after `op x3, x1, x2`. */
const binary = (machine: Machine, op: string, a: bigint, b: bigint): bigint =>
  run(machine, `${op} x3, x1, x2`, { x: { 1: a, 2: b } }).x[3] ?? 0n;

const MIN32 = 0x80000000n;
const MIN64 = 0x8000000000000000n;
const ONES32 = 0xffffffffn;
const ONES64 = 0xffffffffffffffffn;

describe("M, §13.2: division by zero and overflow", () => {
  test.each([
    [rv32, "", MIN32, ONES32],
    [rv64, "", MIN64, ONES64],
  ] as const)("of XLEN bits", (machine, _, min, ones) => {
    expect(binary(machine, "divu", 7n, 0n)).toBe(ones);
    expect(binary(machine, "remu", 7n, 0n)).toBe(7n);
    expect(binary(machine, "div", 7n, 0n)).toBe(ones);
    expect(binary(machine, "div", -7n, 0n)).toBe(ones);
    expect(binary(machine, "rem", -7n, 0n)).toBe(ones - 6n);
    expect(binary(machine, "div", min, -1n)).toBe(min);
    expect(binary(machine, "rem", min, -1n)).toBe(0n);
    expect(binary(machine, "divu", min, -1n)).toBe(0n);
    expect(binary(machine, "remu", min, -1n)).toBe(min);
  });

  test("of 32 bits in RV64: operands' upper halves are ignored, results sign-extended", () => {
    const high = 0x1234567800000000n;
    expect(binary(rv64, "divuw", high + 7n, high)).toBe(ONES64);
    expect(binary(rv64, "remuw", high + MIN32, high)).toBe(0xffffffff80000000n);
    expect(binary(rv64, "divw", high + MIN32, ONES32)).toBe(0xffffffff80000000n);
    expect(binary(rv64, "remw", high + MIN32, ONES32)).toBe(0n);
    expect(binary(rv64, "remuw", MIN32, high)).toBe(0xffffffff80000000n);
  });

  test("rounds towards zero; a remainder has the dividend's sign", () => {
    expect(binary(rv64, "div", -7n, 2n)).toBe(BigInt.asUintN(64, -3n));
    expect(binary(rv64, "rem", -7n, 2n)).toBe(ONES64);
    expect(binary(rv64, "rem", 7n, -2n)).toBe(1n);
  });
});

test("M, §13.1: the upper halves of products, signed by signed, signed by unsigned, unsigned by unsigned", () => {
  for (const [machine, n] of [
    [rv32, 32],
    [rv64, 64],
  ] as const) {
    for (const a of [0n, 1n, -1n, 1n << BigInt(n - 1), 0x123456789abcdef1n, -0x0fedcba987654321n]) {
      for (const b of [0n, 3n, -1n, (1n << BigInt(n - 1)) - 1n, 1n << BigInt(n - 1)]) {
        const [sa, sb] = [BigInt.asIntN(n, a), BigInt.asIntN(n, b)];
        const [ua, ub] = [BigInt.asUintN(n, a), BigInt.asUintN(n, b)];
        const high = (product: bigint): bigint => BigInt.asUintN(n, product >> BigInt(n));
        expect(binary(machine, "mulh", a, b)).toBe(high(sa * sb));
        expect(binary(machine, "mulhsu", a, b)).toBe(high(sa * ub));
        expect(binary(machine, "mulhu", a, b)).toBe(high(ua * ub));
        expect(binary(machine, "mul", a, b)).toBe(BigInt.asUintN(n, sa * sb));
      }
    }
  }
});

describe("I, §2.4: computation", () => {
  test("x0 reads 0 and stays 0", () => {
    expect(run(rv64, "addi x0, x1, 5", { x: { 1: 9n } }).x[0]).toBe(0n);
    expect(run(rv64, "add x1, x0, x0").x[1]).toBe(0n);
  });

  test("immediates are sign-extended, also for SLTIU and XORI", () => {
    expect(run(rv64, "sltiu x3, x1, -1", { x: { 1: 5n } }).x[3]).toBe(1n);
    expect(run(rv64, "slti x3, x1, -1", { x: { 1: 5n } }).x[3]).toBe(0n);
    expect(run(rv64, "xori x3, x1, -1", { x: { 1: 5n } }).x[3]).toBe(ONES64 - 5n);
  });

  test("only the low 5 or 6 bits of rs2 shift, 5 in W instructions", () => {
    expect(binary(rv32, "sll", 1n, 33n)).toBe(2n);
    expect(binary(rv64, "sll", 1n, 33n)).toBe(1n << 33n);
    expect(binary(rv64, "sll", 1n, 65n)).toBe(2n);
    expect(binary(rv64, "sllw", 1n, 33n)).toBe(2n);
    expect(binary(rv64, "sraw", MIN32, 31n)).toBe(ONES64);
    expect(binary(rv64, "srlw", MIN32, 0n)).toBe(0xffffffff80000000n);
    expect(run(rv64, "slli x3, x1, 63", { x: { 1: 3n } }).x[3]).toBe(MIN64);
  });

  test("LUI and AUIPC sign-extend 32 bits in RV64", () => {
    expect(run(rv32, "lui x3, 0x80000").x[3]).toBe(MIN32);
    expect(run(rv64, "lui x3, 0x80000").x[3]).toBe(0xffffffff80000000n);
    expect(run(rv64, "auipc x3, 0xfffff", { pc: 0x2000n }).x[3]).toBe(0x1000n);
  });
});

describe("§2.5: control transfer", () => {
  test("JALR clears the lowest bit, and may jump through its own link register", () => {
    const { pc, x } = run(rv64, "jalr x1, 5(x1)", { x: { 1: 0x2000n } });
    expect([pc, x[1]]).toEqual([0x2004n, 0x1004n]);
  });

  test.each(["jal x1, . + 6", "jalr x1, 2(x2)", "beq x0, x0, . + 6"])(
    "%s: the trap is on the jump, which changes nothing",
    (code) => {
      const after = run(rv64, code, { x: { 2: 0x1004n } });
      expect(after).toMatchObject({ trap: "instruction_address_misaligned", value: 0x1006n, pc: 0x1000n });
      expect(after.x[1]).toBe(0n);
    },
  );

  test("a branch that is not taken raises nothing", () => {
    expect(run(rv64, "bne x0, x0, . + 6")).toMatchObject({ trap: "none", pc: 0x1004n });
  });

  test("comparisons are signed or unsigned as their names say", () => {
    const taken = (op: string, a: bigint, b: bigint): boolean =>
      run(rv64, `${op} x1, x2, . + 8`, { x: { 1: a, 2: b } }).pc === 0x1008n;
    expect([taken("blt", -1n, 0n), taken("bltu", -1n, 0n), taken("bge", -1n, 0n), taken("bgeu", -1n, 0n)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect([taken("bge", 3n, 3n), taken("blt", 3n, 3n), taken("beq", 3n, 3n), taken("bne", 3n, 3n)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  test("pc wraps at XLEN bits", () => {
    expect(run(rv32, "jal x1, . + 8", { pc: 0xfffffffcn })).toMatchObject({ pc: 4n });
  });
});

describe("§2.6: loads and stores", () => {
  const data = { "8192": Uint8Array.of(0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8) };
  const at = { 1: 0x2000n };

  test.each([
    ["lb", 0xffffffffffffff81n],
    ["lbu", 0x81n],
    ["lh", 0xffffffffffff9281n],
    ["lhu", 0x9281n],
    ["lw", 0xffffffffb4a39281n],
    ["lwu", 0xb4a39281n],
    ["ld", 0xf8e7d6c5b4a39281n],
  ])("%s", (op, expected) => {
    expect(run(rv64, `${op} x3, 0(x1)`, { x: at, data }).x[3]).toBe(expected);
  });

  test("stores write the low bits, little-endian", () => {
    const { memory } = run(rv64, "sh x2, -2(x1)", { x: { 1: 0x2002n, 2: 0x123456n } });
    expect(memory.load(0x1ffen, 8)).toBe(0x3456_0000n);
  });

  test("a load to x0 still raises its exceptions", () => {
    const permissions: Permissions = (access) => access !== "load";
    expect(run(rv64, "ld x0, 0(x1)", { x: at, permissions })).toMatchObject({
      trap: "load_access_fault",
      value: 0x2000n,
    });
  });

  test("an access into an inaccessible byte faults whole, at its own address", () => {
    const permissions: Permissions = (_, address) => address < 0x3000n;
    const after = run(rv64, "sd x2, 0(x1)", { x: { 1: 0x2ffcn, 2: -1n }, permissions });
    expect(after).toMatchObject({ trap: "store_access_fault", value: 0x2ffcn, pc: 0x1000n });
    expect(after.memory.load(0x2ff8n, 8)).toBe(0n);
  });

  test("misaligned accesses are carried out, unless the environment does not support them", async () => {
    expect(run(rv64, "lw x3, 1(x1)", { x: at, data }).x[3]).toBe(0xffffffffc5b4a392n);
    const strict = await load("rv64im", { MISALIGNED: false });
    for (const [code, trap] of [
      ["lh x3, 1(x1)", "load_address_misaligned"],
      ["lwu x3, 1(x1)", "load_address_misaligned"],
      ["ld x3, 1(x1)", "load_address_misaligned"],
      ["sh x3, 1(x1)", "store_address_misaligned"],
      ["sw x3, 1(x1)", "store_address_misaligned"],
      ["sd x3, 1(x1)", "store_address_misaligned"],
    ] as const) {
      expect(run(strict, code, { x: at, data })).toMatchObject({ trap, value: 0x2001n });
      expect(run(strict, code.replace("1(", "0("), { x: at, data })).toMatchObject({ trap: "none" });
    }
    expect(run(strict, "lb x3, 1(x1)", { x: at, data })).toMatchObject({ trap: "none" });
  });
});

describe("traps", () => {
  test("ECALL and EBREAK, §2.8", () => {
    expect(run(rv64, "ecall")).toMatchObject({ trap: "environment_call", pc: 0x1000n });
    expect(run(rv64, "ebreak")).toMatchObject({ trap: "breakpoint", pc: 0x1000n });
  });

  test("a word that is no instruction traps with the word; RV64's are none in RV32", () => {
    expect(run(rv64, ".word 0")).toMatchObject({ trap: "illegal_instruction", value: 0n });
    expect(run(rv64, ".word 0xffffffff")).toMatchObject({ trap: "illegal_instruction", value: ONES32 });
    expect(run(rv32, ".word 0x0000b003")).toMatchObject({ trap: "illegal_instruction", value: 0xb003n });
    expect(run(rv64, ".word 0x0000b003")).toMatchObject({ trap: "none" });
  });

  test("a fetch that is denied traps with the pc", () => {
    const permissions: Permissions = (access) => access !== "fetch";
    expect(run(rv64, "ecall", { permissions })).toMatchObject({ trap: "instruction_access_fault", value: 0x1000n });
  });

  test("every fence is a fence, §2.7: reserved settings, FENCE.TSO and PAUSE too", () => {
    for (const word of ["0x0ff0000f", "0x8330000f", "0x0100000f", "0xfff78f8f"]) {
      expect(run(rv64, `.word ${word}`)).toMatchObject({ trap: "none", pc: 0x1004n });
    }
    expect(run(rv64, ".word 0x0000100f")).toMatchObject({ trap: "illegal_instruction" }); // FENCE.I
  });
});
