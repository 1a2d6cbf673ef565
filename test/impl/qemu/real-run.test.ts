/** What QEMU does with a block from a state of the guest's, memory and all. */
import { describe, expect, test, type TestContext } from "vitest";
import { assemble } from "../../../refinement/assembly/index.js";
import { zeroState } from "../../../refinement/execute/concrete.js";
import { FileValue, MemoryValue } from "../../../refinement/terms/value.js";
import type { Denied, RealOutcome } from "../../../refinement/translation.js";
import { needQemu } from "./need-qemu.js";

const PC = 0x2000_0000n;
const FAR = 0x3000_0000n;
const FAULTS = ["load_access_fault", "store_access_fault"] as const;
const byte = (access: Denied["access"]): Denied => ({ access, address: FAR, bytes: 1n });

describe("a block run in QEMU from the guest's state", () => {
  async function run(
    ctx: TestContext,
    text: string,
    denied: readonly Denied[] = [],
    [reserved, loaded]: readonly [bigint, bigint] = [(1n << 64n) - 1n, 0n],
  ): Promise<RealOutcome> {
    const { refinement, translator } = await needQemu(ctx, "rv64imac_zba_zbb");
    const { guest } = refinement;
    const x = new FileValue(Array.from({ length: 32 }, (_, i) => (i === 11 ? FAR : i === 12 ? 1n << 56n : 0n)));
    const mem = MemoryValue.empty(64).store(FAR + 0x1000n, 8, 0x1234n);
    const state = new Map([...zeroState(guest), ["x", x] as const, ["mem", mem] as const]);
    const held = MemoryValue.empty(64).store(0x1338n, 8, reserved).store(0x1340n, 8, loaded);
    const host = new Map([...zeroState(refinement.host), ["mem", held] as const]);
    const request = { pc: PC, code: assemble(guest, text, PC), state, host, denied };
    const outcome = await translator.run?.(request, new AbortController().signal);
    if (outcome === undefined) throw new Error("QEMU cannot be run");
    return outcome;
  }
  const x10 = (outcome: RealOutcome): unknown =>
    outcome.kind === "ran" ? [outcome.after.get("x[10]"), ...outcome.traps] : outcome.reason;

  test("shows registers", async (ctx) => {
    expect(x10(await run(ctx, "ctzw a0, a2"))).toEqual([0x38n]);
  });

  test("is left where it jumps, whatever stands there", async (ctx) => {
    expect(x10(await run(ctx, "addi a0, zero, 5; jal zero, . - 16"))).toEqual([5n]);
    expect(x10(await run(ctx, "addi a0, zero, 5; jalr zero, 0(a2)"))).toEqual([5n]);
  });

  test("has the memory that it turns out to access", async (ctx) => {
    expect(x10(await run(ctx, "lui t0, 1; add a1, a1, t0; ld a0, 0(a1)"))).toEqual([0x1234n]);
  });

  test("faults where the state denies an access", async (ctx) => {
    expect(x10(await run(ctx, "addi a0, zero, 3; ld a0, 0(a1)", [byte("load")]))).toEqual([3n, ...FAULTS]);
    expect(x10(await run(ctx, "sd a0, 8(a1)", [byte("load")]))).toEqual([0n, ...FAULTS]);
    // What cannot be stored to can still be loaded from.
    const outcome = await run(ctx, "ld a0, 0(a1); addi a0, a0, 3; sd a0, 8(a1)", [byte("store")]);
    expect(x10(outcome)).toEqual([3n, ...FAULTS]);
  });

  test("begins with what an LR has left, and shows memory behind it", async (ctx) => {
    const seen = async (reservation?: readonly [bigint, bigint]): Promise<unknown> => {
      const outcome = await run(ctx, "sc.w a0, a1, (a1)", [], reservation);
      const bytes = outcome.kind === "ran" ? outcome.memory.map((m) => Buffer.from(m.bytes).readUInt32LE()) : [];
      return [x10(outcome), bytes];
    };
    expect(await seen()).toEqual([[1n], []]);
    expect(await seen([FAR, 0n])).toEqual([[0n], [Number(FAR)]]);
    expect(await seen([FAR, 7n])).toEqual([[1n], [0]]);
    expect(await seen([FAR, 1n << 32n])).toEqual([[1n], [Number(FAR)]]);
  });

  test("ends wherever it leaves the code", async (ctx) => {
    const pc = async (text: string): Promise<unknown> => {
      const outcome = await run(ctx, text);
      return outcome.kind === "ran" ? [outcome.after.get("pc"), ...outcome.traps] : outcome.reason;
    };
    expect(await pc("beq zero, zero, 0x20000f00")).toEqual([0x2000_0f00n]);
    expect(await pc("ld a0, 0(a1); jalr zero, 64(a1)")).toEqual([FAR + 64n]);
    expect(await pc("jalr zero, 64(a1)")).toEqual([FAR + 64n]);
    expect(await pc("ebreak")).toEqual([PC, "breakpoint"]);
  });

  test("is not run where memory cannot be, or where it calls the system", async (ctx) => {
    expect(x10(await run(ctx, "ld a0, -8(zero)"))).toMatch(/no memory for it at 0xf+000$/);
    expect(x10(await run(ctx, "addi a7, zero, 93; ecall"))).toBe("it makes system calls");
    expect(x10(await run(ctx, "jal zero, ."))).toBe("it does not come to an end");
  });
});
