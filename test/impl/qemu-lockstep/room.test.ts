/** What is kept out of the case runner, and what the options of the refinement may be. No QEMU is needed. */
import { describe, expect, test } from "vitest";
import { ROOM_MEMORY, WINDOWS, windowAt } from "../../../impl/qemu-lockstep/layout.js";
import { readOptions } from "../../../impl/qemu-lockstep/options.js";
import { addressOf, kindOf } from "../../../impl/qemu-lockstep/words.js";
import { findProgram, missing, singleStepOption } from "../../../impl/qemu-lockstep/toolchain.js";
import { UserError } from "../../../refinement/errors.js";

test("windows and their guards do not overlap, and lie on pages", () => {
  const sorted = [...WINDOWS].sort((a, b) => (a.start < b.start ? -1 : 1));
  for (const [i, w] of sorted.entries()) {
    expect([w.start % 4096n, w.end % 4096n, w.guard % 4096n]).toEqual([0n, 0n, 0n]);
    const next = sorted[i + 1];
    if (next !== undefined) expect(w.end + w.guard).toBeLessThanOrEqual(next.start - next.guard);
  }
  expect(windowAt(0x7ffff000n)?.end).toBe(0x80001000n);
});

test("the room's memory grants what its windows do", () => {
  expect(ROOM_MEMORY.load(0x10000000n, 8)).toBe(0x0010007300100073n);
  expect(ROOM_MEMORY.accessible("fetch", 0x10000000n, 4)).toBe(true);
  expect(ROOM_MEMORY.accessible("fetch", 0x20000000n, 4)).toBe(false);
  expect(ROOM_MEMORY.accessible("store", 0x30000000n, 1)).toBe(false);
  expect(ROOM_MEMORY.accessible("load", 0x30001ff9n, 8)).toBe(false);
});

test.each([
  [0x0005b503, "load", 0x2000n], // ld a0, 0(a1)
  [0xfea5bc23, "store", 0x1ff8n], // sd a0, -8(a1)
  [0x00858567, "jump", 0x2008n], // jalr a0, 8(a1)
  [0xff9ff06f, "jump", 0xff8n], // jal zero, . - 8
  [0xfe000ce3, "branch", 0xff8n], // beq zero, zero, . - 8
  [0x00000073, "ecall", undefined],
  [0x00100073, "other", undefined],
  [0x00b50533, "other", undefined],
] as const)("%#x is a %s", (word, kind, address) => {
  const x = Array.from({ length: 32 }, (_, i) => (i === 11 ? 0x2000n : 0n));
  expect(kindOf(word)).toBe(kind);
  expect(addressOf(word, 0x1000n, x)).toBe(address);
});

describe("options", () => {
  test("have defaults", () => {
    expect(readOptions({ module: "./emulator.ts" })).toEqual({
      program: "qemu-riscv64",
      cpu: "rv64",
      compiler: "riscv64-linux-gnu-gcc",
      programs: [],
    });
  });

  test.each([[undefined], [7], [{ program: 7 }], [{ programs: "x.c" }], [{ programs: [1] }], [{ cpus: "rv64" }]])(
    "%j is refused",
    (options) => {
      expect(() => readOptions(options)).toThrow(UserError);
    },
  );
});

describe("the toolchain", () => {
  test.each([
    ["qemu-riscv64 version 7.2.22 (Debian 1:7.2+dfsg-7)", "-singlestep"],
    ["qemu-riscv64 version 8.0.4", "-singlestep"],
    ["qemu-riscv64 version 8.1.0", "-one-insn-per-tb"],
    ["qemu-riscv64 version 10.0.2", "-one-insn-per-tb"],
  ])("of %s steps by %s", (version, option) => {
    expect(singleStepOption(version)).toBe(option);
  });

  test("is looked for on PATH, and told how to install", async () => {
    expect(await findProgram("sh")).toMatch(/^\/.*\/sh$/);
    expect(await findProgram("no-such-program-anywhere")).toBeUndefined();
    expect(await findProgram("/nowhere/sh")).toBeUndefined();
    expect(missing("qemu-riscv64").remedy).toContain("qemu-user");
    expect(missing("my-emulator")).toEqual({ program: "my-emulator", remedy: "install my-emulator or put it on PATH" });
  });
});
