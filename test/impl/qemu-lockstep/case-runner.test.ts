/** Single instructions through QEMU, beside what the manual and Linux make of them. */
import path from "node:path";
import { afterAll, describe, expect, type TestContext, test } from "vitest";
import { type CaseInput, type CaseOutput, CaseRunner } from "../../../impl/qemu-lockstep/case-runner.js";
import { Layout, RUNNER_BASE } from "../../../impl/qemu-lockstep/layout.js";
import { architectureFlags, compile } from "../../../impl/qemu-lockstep/toolchain.js";
import { doing } from "../../../impl/qemu-lockstep/words.js";
import { findProgram } from "../../../impl/shared/programs.js";
import { extensionsOf, processorModel } from "../../../impl/shared/qemu.js";
import { FOLDER, needQemu } from "./need-qemu.js";

const runners = new Map<string, Promise<CaseRunner>>();
afterAll(async () => {
  for (const runner of runners.values()) await (await runner).close();
});

/** With RV64IM alone, or another processor model. */
async function open(ctx: TestContext, cpu = ""): Promise<CaseRunner> {
  await needQemu(ctx);
  const runner = runners.get(cpu) ?? start(cpu);
  runners.set(cpu, runner);
  return runner;
}

async function start(cpu: string): Promise<CaseRunner> {
  const [qemu, gcc] = [await findProgram("qemu-riscv64"), await findProgram("riscv64-linux-gnu-gcc")];
  if (qemu === undefined || gcc === undefined) return expect.fail("it was there a moment ago");
  const guest = path.join(FOLDER, "guest");
  const flags = [...architectureFlags("rv64im"), `-Wl,-Ttext-segment=0x${RUNNER_BASE[64].toString(16)}`];
  const elf = await compile(
    gcc,
    "case-runner",
    [path.join(guest, "case-runner.c")],
    ["system.h", "../../shared/windows.h"].map((file) => path.join(guest, file)),
    flags,
  );
  const model = cpu || (await processorModel(qemu, "rv64", extensionsOf("rv64im"), elf)).cpu;
  return new CaseRunner([qemu, "-cpu", model, elf], new Layout({ xlen: 64, compressed: false }).windows);
}

const X = Array.from({ length: 32 }, (_, i) => BigInt(i) * 0x1111n);
const signal = new AbortController().signal;

const NONE = { address: 0n, bytes: 0 } as const;
const DOES = { load: "loads", store: "stores", jump: "jumps", branch: "jumps" } as const;

function input(word: bigint, x: Readonly<Record<number, bigint>> = {}, pc = 0x10000000n): CaseInput {
  const registers = X.map((v, i) => x[i] ?? v);
  const { kind, address = 0n } = doing(Number(word), pc, registers, 64);
  const does = kind === "load" || kind === "store" || kind === "jump" || kind === "branch" ? DOES[kind] : "nothing";
  return { pc, word, length: 4, x: registers, does, address, reservation: NONE, probe: NONE, patches: [] };
}

async function run(runner: CaseRunner, ...cases: CaseInput[]): Promise<readonly CaseOutput[]> {
  const result = await runner.run(cases, signal);
  return result.kind === "results" ? result.outputs : expect.fail(result.died.message);
}

const [ILL, TRAP, SEGV, VTALRM] = [4n, 5n, 11n, 26n];
const ADD = 0x00b50533n; // add a0, a0, a1
const LD = 0x0005b503n; // ld a0, 0(a1)
const SD = 0x00a5b023n; // sd a0, 0(a1)
const JALR = 0x00058567n; // jalr a0, 0(a1)

describe("what ends a case", () => {
  test.for([
    ["an instruction that goes on", input(ADD), 0x10000004n, TRAP, undefined],
    ["the last word of a window", input(ADD, {}, 0x10001ffcn), 0x10002000n, SEGV, 0x10002000n],
    ["a pc above 2^31", input(ADD, {}, 0x80000ffcn), 0x80001000n, SEGV, 0x80001000n],
    ["ebreak", input(0x00100073n), 0x10000000n, TRAP, undefined],
    ["an illegal word", input(0xffffffffn), 0x10000000n, ILL, undefined],
    ["fence.i, which RV64IM has not", input(0x0000100fn), 0x10000000n, ILL, undefined],
    ["a CSR, which RV64IM has not", input(0xc0002573n), 0x10000000n, ILL, undefined],
    ["a compressed instruction, which RV64IM has not", input(0x00000505n), 0x10000000n, ILL, undefined],
    ["a fetch from a data window", input(ADD, {}, 0x20000000n), 0x20000000n, SEGV, 0x20000000n],
    ["a fetch from nowhere", input(ADD, {}, 0xfffcn), 0xfffcn, SEGV, 0xfffcn],
    ["a jump beyond the code", input(JALR, { 11: 0x20000000n }), 0x20000000n, SEGV, 0x20000000n],
    ["a jump beyond all memory", input(JALR, { 11: 1n << 63n }), 1n << 63n, SEGV, 1n << 63n],
    ["a load from read-only memory", input(LD, { 11: 0x30000000n }), 0x10000004n, TRAP, undefined],
    ["a store to read-only memory", input(SD, { 11: 0x30000000n }), 0x10000000n, SEGV, 0x30000000n],
    ["a load across the end of a window", input(LD, { 11: 0x20001ffcn }), 0x10000000n, SEGV, 0x20002000n],
    ["a load from page 0", input(LD, { 11: 0x10n }), 0x10000000n, SEGV, 0x10n],
    ["a load from an address that no x86-64 pointer can be", input(LD, { 11: 1n << 63n }), 0x10000000n, SEGV, 0n],
    ["a jump to itself", input(0x0000006fn), 0x10000000n, VTALRM, undefined],
  ] as const)("%s", async ([, asked, pc, ended, address], ctx) => {
    const [got] = await run(await open(ctx), asked);
    expect(got).toMatchObject({ pc, signal: ended, ...(address === undefined ? {} : { address }) });
  });

  test("all registers arrive and come back", async (ctx) => {
    const [got] = await run(await open(ctx), input(ADD));
    expect(got?.x).toEqual(X.map((v, i) => (i === 10 ? v + (X[11] ?? 0n) : v)));
  });

  test("a misaligned jump ends QEMU, which tells the registers; the next case is run by the next process", async (ctx) => {
    const runner = await open(ctx);
    const result = await runner.run([input(JALR, { 11: 0x10000102n })], signal);
    expect(result).toMatchObject({
      kind: "died",
      died: { registers: { pc: 0x10000000n, x: X.map((v, i) => (i === 11 ? 0x10000102n : v)) } },
    });
    expect(await run(runner, input(ADD))).toHaveLength(1);
  });
});

describe("memory", () => {
  test("what a store changes is told, by aligned double words, and taken back", async (ctx) => {
    const runner = await open(ctx);
    const [before] = await run(runner, input(LD, { 11: 0x20000000n }));
    const [stored] = await run(runner, input(SD, { 10: 0x1122334455667788n, 11: 0x20000004n }));
    expect(stored?.changes.map((c) => c.address)).toEqual([0x20000000n, 0x20000008n]);
    expect(stored?.changes[0]?.value).toBe((0x55667788n << 32n) | BigInt.asUintN(32, before?.x[10] ?? 0n));
    expect(await run(runner, input(LD, { 11: 0x20000000n }))).toEqual([before]);
  });

  test("an instruction may store over itself", async (ctx) => {
    const [got] = await run(await open(ctx), input(SD, { 10: 0x0010007300100073n, 11: 0x10000000n }));
    expect(got).toMatchObject({ pc: 0x10000004n, changes: [{ address: 0x10000000n, value: 0x0010007300100073n }] });
  });

  test("patches are there for their case alone", async (ctx) => {
    const runner = await open(ctx);
    const patched = { ...input(LD, { 11: 0x20000000n }), patches: [{ address: 0x20000000n, length: 8, value: 42n }] };
    const [with_, without] = await run(runner, patched, input(LD, { 11: 0x20000000n }));
    expect(with_?.x[10]).toBe(42n);
    expect(without?.x[10]).not.toBe(42n);
  });

  test("a write by an instruction that is no store is found all the same", async (ctx) => {
    const runner = await open(ctx, "rv64"); // with atomics: amoswap.d a0, a2, (a1)
    const outputs = await run(
      runner,
      input(ADD),
      input(0x08c5b52fn, { 11: 0x20000000n, 12: 7n }),
      input(ADD, {}, 0x10000100n),
    );
    expect(outputs.map((o) => o.changes)).toEqual([[], [{ address: 0x20000000n, value: 7n }], []]);
  });
});

test("a batch's cases do not see each other, whether they are written early or late", async (ctx) => {
  const runner = await open(ctx);
  const cases = Array.from({ length: 256 }, (_, i) => {
    const pc = 0x10000000n + 4n * BigInt((i * 37) % 90); // neighbours, and the same place again and again
    return i % 5 === 4
      ? input(
          JALR,
          { 11: 0x10000000n + 4n * BigInt(i % 90) + (BigInt(i % 90) === (pc - 0x10000000n) / 4n ? 512n : 0n) },
          pc,
        )
      : input(ADD, { 10: BigInt(i) }, pc);
  });
  const together = await run(runner, ...cases);
  for (const [i, c] of cases.entries()) {
    expect(together[i]).toMatchObject(i % 5 === 4 ? { pc: c.x[11], signal: TRAP } : { pc: c.pc + 4n, signal: TRAP });
    expect(together[i]?.x[10]).toBe(i % 5 === 4 ? c.pc + 4n : BigInt(i) + (X[11] ?? 0n));
  }
});

test("tens of thousands of cases take a second", async (ctx) => {
  const runner = await open(ctx);
  const batch = Array.from({ length: 256 }, (_, i) =>
    input(ADD | (BigInt(i % 32) << 7n), {}, 0x10000000n + 12n * BigInt(i)),
  );
  const started = performance.now();
  for (let i = 0; i < 40; i++) await run(runner, ...batch);
  const perSecond = (40 * 256) / ((performance.now() - started) / 1000);
  expect(perSecond).toBeGreaterThan(2_000); // 60,000 to 100,000 where nothing else runs
});

test("an interrupted batch ends at once", async (ctx) => {
  const runner = await open(ctx);
  const controller = new AbortController();
  const loop = Array.from({ length: 256 }, () => input(0x0000006fn));
  const running = runner.run(loop, controller.signal);
  setTimeout(() => controller.abort(), 50);
  await expect(running).rejects.toThrow();
});
