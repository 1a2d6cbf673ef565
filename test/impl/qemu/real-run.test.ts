/** What QEMU does with a block from a state of the guest's, memory and all. */
import { describe, expect, test, type TestContext } from "vitest";
import { assemble } from "../../../refinement/assembly/index.js";
import { zeroState } from "../../../refinement/execute/concrete.js";
import { FileValue, MemoryValue } from "../../../refinement/terms/value.js";
import type { RealOutcome } from "../../../refinement/translation.js";
import { needQemu } from "./need-qemu.js";

const PC = 0x2000_0000n;
const FAR = 0x3000_0000n;

describe("a block run in QEMU from the guest's state", () => {
  async function run(ctx: TestContext, text: string, denied: readonly bigint[] = []): Promise<RealOutcome> {
    const { refinement, translator } = await needQemu(ctx, "rv64imac_zba_zbb");
    const { guest } = refinement;
    const x = new FileValue(Array.from({ length: 32 }, (_, i) => (i === 11 ? FAR : i === 12 ? 1n << 56n : 0n)));
    const mem = MemoryValue.empty(64).store(FAR + 0x1000n, 8, 0x1234n);
    const state = new Map([...zeroState(guest), ["x", x] as const, ["mem", mem] as const]);
    const request = { pc: PC, code: assemble(guest, text, PC), state };
    const outcome = await translator.run?.(
      { ...request, denied: denied.map((address) => ({ address, bytes: 1n })) },
      new AbortController().signal,
    );
    if (outcome === undefined) throw new Error("QEMU cannot be run");
    return outcome;
  }
  const x10 = (outcome: RealOutcome): unknown =>
    outcome.kind === "ran" ? [outcome.after.get("x[10]"), outcome.trap] : outcome.reason;

  test("shows registers", async (ctx) => {
    expect(x10(await run(ctx, "ctzw a0, a2"))).toEqual([0x38n, undefined]);
  });

  test("has the memory that it turns out to access", async (ctx) => {
    expect(x10(await run(ctx, "lui t0, 1; add a1, a1, t0; ld a0, 0(a1)"))).toEqual([0x1234n, undefined]);
  });

  test("faults where the state denies an access", async (ctx) => {
    expect(x10(await run(ctx, "addi a0, zero, 3; ld a0, 0(a1)", [FAR]))).toEqual([3n, "an access fault"]);
  });

  test("is not run where memory cannot be, or where it calls the system", async (ctx) => {
    expect(x10(await run(ctx, "ld a0, 0(zero)"))).toMatch(/no memory for it at 0x0/);
    expect(x10(await run(ctx, "addi a7, zero, 93; ecall"))).toBe("it makes system calls");
    expect(x10(await run(ctx, "jal zero, ."))).toBe("it does not come to an end");
  });
});
