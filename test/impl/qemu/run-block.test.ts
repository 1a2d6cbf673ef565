import { describe, expect, test, type TestContext } from "vitest";
import { type GuestOutcome, runBlock } from "../../../impl/qemu/run-block.js";
import { assemble } from "../../../refinement/assembly/index.js";
import { needQemu } from "./need-qemu.js";

const AT = 0x2000_0000n;

describe("guest code run in QEMU", () => {
  async function run(ctx: TestContext, text: string, x: readonly bigint[], bytes: Uint8Array): Promise<GuestOutcome> {
    const { refinement, program } = await needQemu(ctx);
    const { guest } = refinement;
    const emulation = {
      emulator: program,
      processor: ["-cpu", "rv64"],
      singleStep: "",
      guest,
      silenceMs: 60_000,
      totalMs: 60_000,
    };
    const code = assemble(guest, text, AT);
    const memory = [{ address: AT + 0x10_0000n, bytes, allowed: "all" as const }];
    return runBlock(emulation, { pc: AT, code, x, f: floats, memory }, new AbortController().signal);
  }
  const registers = Array.from({ length: 32 }, (_, i) => BigInt(i) << 40n);
  registers[10] = AT + 0x10_0000n;
  const floats = registers.map((x) => ~x & ((1n << 64n) - 1n));

  test("begins in the given state and tells the state behind it", async (ctx) => {
    const outcome = await run(ctx, "ld a1, 0(a0); add a2, a2, a3", registers, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    const after = [...registers];
    after[11] = 0x0807060504030201n;
    after[12] = 25n << 40n;
    expect(outcome).toMatchObject({ signal: 5, address: expect.any(BigInt), pc: AT + 8n, x: after, f: floats });
  });

  test("that faults tells where", async (ctx) => {
    const outcome = await run(ctx, "addi a1, a1, 1; ld a1, 16(zero)", registers, new Uint8Array(8));
    expect(outcome).toMatchObject({ signal: 11, address: 16n, pc: AT + 4n });
    expect(outcome.x[11]).toBe((11n << 40n) + 1n);
  });

  test("that never ends is ended", async (ctx) => {
    expect(await run(ctx, "jal zero, .", registers, new Uint8Array(8))).toMatchObject({ signal: 26, pc: AT });
  });
});
