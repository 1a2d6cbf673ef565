/** What RFC 9669 says in words, where a reader of the definition could go wrong, and where the kernel cannot be asked. */
import { describe, expect, test } from "vitest";
import { assemble } from "../../../refinement/assembly/index.js";
import { stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import { FileValue, MemoryValue, type Permissions, type Value } from "../../../refinement/terms/value.js";
import { ebpf } from "./machine.js";

interface Setting {
  readonly r?: Readonly<Record<number, bigint>>;
  readonly data?: Readonly<Record<string, readonly number[]>>;
  readonly permissions?: Permissions;
  readonly more?: Readonly<Record<string, Value>>;
}

interface Outcome {
  readonly pc: bigint;
  readonly r: readonly bigint[];
  readonly memory: MemoryValue;
  readonly trap: string;
  readonly value: bigint;
  readonly state: ReadonlyMap<string, Value>;
}

const PC = 0x1000n;
const ONES = (1n << 64n) - 1n;
const MIN64 = 1n << 63n;

/** One step of the instruction at 0x1000. */
function run(code: string, { r = {}, data = {}, permissions = () => true, more = {} }: Setting = {}): Outcome {
  let memory = MemoryValue.empty(64, permissions).storeBytes(PC, assemble(ebpf, code, PC));
  for (const [address, bytes] of Object.entries(data))
    memory = memory.storeBytes(BigInt(address), Uint8Array.from(bytes));
  let registers = FileValue.filled(11);
  for (const [i, v] of Object.entries(r)) registers = registers.set(BigInt(i), BigInt.asUintN(64, v));
  const start: [string, Value][] = [["pc", PC], ["r", registers], ["mem", memory], ...Object.entries(more)];
  const after = stepAny(ebpf, new Map([...zeroState(ebpf), ...start]))?.state;
  const [pc, file, mem, trap, value] = ["pc", "r", "mem", "trap", "trap.value"].map((name) => after?.get(name));
  if (
    after === undefined ||
    typeof pc !== "bigint" ||
    !(file instanceof FileValue) ||
    !(mem instanceof MemoryValue) ||
    typeof value !== "bigint"
  )
    throw new Error("no state of eBPF");
  const name = ebpf.traps.find((t) => BigInt(t.code) === trap)?.name ?? "none";
  return { pc, r: file.elements, memory: mem, trap: name, value, state: after };
}

const r1 = (code: string, a: bigint, b = 0n): bigint => run(code, { r: { 1: a, 2: b } }).r[1] ?? 0n;

describe("§4.1 arithmetic", () => {
  test("division by zero gives zero, modulo by zero the dividend, with its upper half zeroed in ALU", () => {
    for (const op of ["/=", "s/="]) {
      expect(r1(`r1 ${op} r2`, 7n)).toBe(0n);
      expect(r1(`r1 ${op} 0`, 7n)).toBe(0n);
      expect(r1(`w1 ${op} w2`, 7n, 1n << 32n)).toBe(0n);
      expect(r1(`w1 ${op} 0`, -1n)).toBe(0n);
    }
    for (const op of ["%=", "s%="]) {
      expect(r1(`r1 ${op} r2`, -7n)).toBe(ONES - 6n);
      expect(r1(`r1 ${op} 0`, -7n)).toBe(ONES - 6n);
      expect(r1(`w1 ${op} w2`, -7n)).toBe(0xfffffff9n);
      expect(r1(`w1 ${op} 0`, -7n)).toBe(0xfffffff9n);
    }
  });

  test("overflow wraps: the least number by -1", () => {
    expect(r1("r1 s/= -1", MIN64)).toBe(MIN64);
    expect(r1("r1 s%= -1", MIN64)).toBe(0n);
    expect(r1("w1 s/= w2", 0x80000000n, -1n)).toBe(0x80000000n);
    expect(r1("w1 s%= w2", 0x80000000n, -1n)).toBe(0n);
  });

  test('signed modulo truncates, "where -13 % 3 == -1"', () => {
    expect(r1("r1 s%= 3", -13n)).toBe(ONES);
    expect(r1("r1 s%= -3", 13n)).toBe(1n);
    expect(r1("r1 s/= 3", -13n)).toBe(ONES - 3n);
  });

  test("immediates are sign-extended in ALU64, also for unsigned division; unsigned 32 bits in ALU", () => {
    expect(r1("r1 /= -1", ONES)).toBe(1n);
    expect(r1("w1 /= -1", 0xffffffffn)).toBe(1n);
    expect(r1("r1 &= -16", ONES)).toBe(ONES - 15n);
    expect(r1("w1 = -1", 0n)).toBe(0xffffffffn);
    expect(r1("r1 = -1", 0n)).toBe(ONES);
  });

  test("shifts use a mask of 63 and 31, whether the amount is in a register or an immediate", () => {
    expect(r1("r1 <<= r2", 1n, 65n)).toBe(2n);
    expect(r1("r1 <<= 65", 1n)).toBe(2n);
    expect(r1("r1 s>>= -1", MIN64)).toBe(ONES);
    expect(r1("w1 <<= w2", 1n, 33n)).toBe(2n);
    expect(r1("w1 >>= 33", 0x1_0000_0004n)).toBe(2n);
    expect(r1("w1 s>>= 31", 0x80000000n)).toBe(0xffffffffn);
  });

  test("MOVSX: to 32 bits and zeros, or to 64", () => {
    expect(r1("w1 = (s8)w2", 0n, 0x80n)).toBe(0xffffff80n);
    expect(r1("r1 = (s16)r2", 0n, 0x8000n)).toBe(ONES - 0x7fffn);
    expect(r1("r1 = (s32)r2", 0n, 0x80000000n)).toBe(ONES - 0x7fffffffn);
  });
});

test("§4.2 byte swaps: on a little-endian host TO_LE only truncates", () => {
  const v = 0x0102030405060708n;
  expect(r1("r1 = le16 r1", v)).toBe(0x0708n);
  expect(r1("r1 = le64 r1", v)).toBe(v);
  expect(r1("r1 = be16 r1", v)).toBe(0x0807n);
  expect(r1("r1 = be32 r1", v)).toBe(0x08070605n);
  expect(r1("r1 = bswap64 r1", v)).toBe(0x0807060504030201n);
});

describe("§4.3 jumps", () => {
  test("offsets count slots from the next instruction, in 'offset' or, for gotol, in 'imm'", () => {
    expect(run("goto +2").pc).toBe(PC + 24n);
    expect(run("goto -1").pc).toBe(PC);
    expect(run("gotol -70000").pc).toBe(BigInt.asUintN(64, PC + 8n - 560000n));
  });

  test("JMP compares 64 bits, JMP32 the lower 32; signed or unsigned", () => {
    const taken = (code: string, a: bigint, b: bigint): boolean => run(code, { r: { 1: a, 2: b } }).pc !== PC + 8n;
    expect(taken("if r1 == r2 goto +1", 1n << 32n, 0n)).toBe(false);
    expect(taken("if w1 == w2 goto +1", 1n << 32n, 0n)).toBe(true);
    expect(taken("if r1 > -1 goto +1", ONES, 0n)).toBe(false);
    expect(taken("if r1 s> -1 goto +1", 0n, 0n)).toBe(true);
    expect(taken("if r1 & r2 goto +1", 6n, 4n)).toBe(true);
    expect(taken("if r1 & r2 goto +1", 2n, 4n)).toBe(false);
  });

  test("helpers: equal calls need not give equal results; R6 to R9 and memory stay", () => {
    const kept = { 6: 6n, 7: 7n, 8: 8n, 9: 9n, 10: 0x2000n };
    const first = run("call 5", { r: kept });
    const second = run("call 5", { r: kept, more: { calls: 1n } });
    expect(first.r.slice(6)).toEqual([6n, 7n, 8n, 9n, 0x2000n]);
    expect(first.r[0]).toBe(run("call 5", { r: kept }).r[0]);
    expect(first.r[0]).not.toBe(second.r[0]);
    expect(first.r[0]).not.toBe(run("call btf 5", { r: kept }).r[0]);
    expect(first.state.get("calls")).toBe(1n);
    expect(ebpf.transitions.find((t) => t.name === "call_helper")?.choices).toHaveLength(5);
  });

  test("local calls: a frame of 512 bytes below, and back; too many are a trap", () => {
    const called = run("call pc+5", { r: { 1: 11n, 6: 6n, 9: 9n, 10: 0x2000n } });
    expect(called).toMatchObject({ pc: PC + 48n, trap: "none" });
    expect([called.r[1], called.r[6], called.r[10]]).toEqual([11n, 6n, 0x1e00n]);
    const more = Object.fromEntries([...called.state].filter(([name]) => /^(frames|depth)/.test(name)));
    const returned = run("exit", { r: { 0: 42n, 6: 1n, 9: 1n, 10: 0x1e00n }, more });
    expect(returned).toMatchObject({ pc: PC + 8n, trap: "none" });
    expect([returned.r[0], returned.r[6], returned.r[9], returned.r[10]]).toEqual([42n, 6n, 9n, 0x2000n]);
    expect(run("call pc+5", { more: { depth: 7n } }).trap).toBe("call_depth_exceeded");
    expect(run("exit", { r: { 0: 42n } })).toMatchObject({ trap: "exited", pc: PC });
  });
});

describe("§5 loads and stores", () => {
  const data = { "8192": [0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8] };
  const r = { 2: 0x2000n };

  test.each([
    ["w1 = *(u8 *)(r2 + 0)", 0x81n],
    ["w1 = *(u16 *)(r2 + 0)", 0x9281n],
    ["w1 = *(u32 *)(r2 + 4)", 0xf8e7d6c5n],
    ["r1 = *(u64 *)(r2 + 0)", 0xf8e7d6c5b4a39281n],
    ["r1 = *(s8 *)(r2 + 0)", 0xffffffffffffff81n],
    ["r1 = *(s16 *)(r2 + 0)", 0xffffffffffff9281n],
    ["r1 = *(s32 *)(r2 + 0)", 0xffffffffb4a39281n],
  ])("%s", (code, expected) => {
    expect(run(code, { r, data }).r[1]).toBe(expected);
  });

  test("an access into an inaccessible byte faults whole, at its own address", () => {
    const permissions: Permissions = (_, address) => address < 0x3000n;
    expect(run("*(u64 *)(r1 - 4) = r2", { r: { 1: 0x3000n, 2: ONES }, permissions })).toMatchObject({
      trap: "store_access_fault",
      value: 0x2ffcn,
      pc: PC,
    });
    expect(run("r1 = *(s16 *)(r1 + 0)", { r: { 1: 0x2fffn }, permissions }).trap).toBe("load_access_fault");
  });

  test("a compare-and-exchange needs a writable location, whether it matches or not", () => {
    const permissions: Permissions = (access) => access !== "store";
    expect(run("r0 = cmpxchg_64(r2 + 0, r0, r1)", { r, data, permissions }).trap).toBe("store_access_fault");
  });

  test("CMPXCHG zero-extends what it loads into R0, in either case", () => {
    const match = { 0: 0xffffffff_b4a39281n, 1: 5n, 2: 0x2000n };
    const exchanged = run("w0 = cmpxchg32_32(r2 + 0, w0, w1)", { r: match, data });
    expect([exchanged.r[0], exchanged.memory.load(0x2000n, 4)]).toEqual([0xb4a39281n, 5n]);
    const left = run("w0 = cmpxchg32_32(r2 + 0, w0, w1)", { r: { ...match, 0: 1n }, data });
    expect([left.r[0], left.memory.load(0x2000n, 4)]).toEqual([0xb4a39281n, 0xb4a39281n]);
  });

  test("§5.4: 64-bit immediates; what needs a platform is a trap by name", () => {
    expect(run("r1 = 0x123456789abcdef0 ll")).toMatchObject({ pc: PC + 16n });
    expect(r1("r1 = -2 ll", 0n)).toBe(ONES - 1n);
    for (const [kind, trap] of [
      ["1, 5", "unsupported_map_by_fd"],
      ["2, 5, 8", "unsupported_map_value_by_fd"],
      ["3, 5", "unsupported_variable"],
      ["4, 5", "unsupported_code_address"],
      ["5, 5", "unsupported_map_by_index"],
      ["6, 5, 8", "unsupported_map_value_by_index"],
    ] as const)
      expect(run(`ld_pseudo r1, ${kind}`)).toMatchObject({ trap, pc: PC });
    expect(run("r0 = *(u16 *)skb[5]").trap).toBe("unsupported_packet_access");
  });
});

describe("words that are no instructions", () => {
  test.each([
    ["opcode 0", "0"],
    ["a reserved offset", "0x0000000000010107"],
    ["a write to R10", "0x0000000000000a07"],
    ["CALL through a register", "0x000000000000008d"],
  ])("%s", (_, word) => {
    expect(run(`.dword ${word}`)).toMatchObject({ trap: "illegal_instruction", value: BigInt(word), pc: PC });
  });

  test("the second slot of a wide instruction is none, and must be there", () => {
    expect(run(".dword 0x0000000100000000").trap).toBe("illegal_instruction");
    const permissions: Permissions = (access, address) => access !== "fetch" || address < PC + 8n;
    expect(run("r1 = 1 ll", { permissions })).toMatchObject({ trap: "program_access_fault", value: PC + 8n });
  });

  test("beyond the program", () => {
    const permissions: Permissions = (access) => access !== "fetch";
    expect(run("exit", { permissions })).toMatchObject({ trap: "program_access_fault", value: PC });
  });
});
