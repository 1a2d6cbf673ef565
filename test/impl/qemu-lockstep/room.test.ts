/** What is kept out of the case runner, and what the options of the refinement may be. No QEMU is needed. */
import { describe, expect, test } from "vitest";
import { Layout } from "../../../impl/qemu-lockstep/layout.js";
import { readOptions } from "../../../impl/qemu-lockstep/options.js";
import { asVentana, doing, isVentana } from "../../../impl/qemu-lockstep/words.js";
import { UserError } from "../../../refinement/errors.js";

test.each([32, 64] as const)("windows of RV%i and their guards do not overlap, and lie on pages", (xlen) => {
  const sorted = [...new Layout({ xlen, compressed: false }).windows].sort((a, b) => (a.start < b.start ? -1 : 1));
  for (const [i, w] of sorted.entries()) {
    expect([w.start % 4096n, w.end % 4096n, w.guard % 4096n]).toEqual([0n, 0n, 0n]);
    expect(w.end + w.guard).toBeLessThan(1n << BigInt(xlen));
    const next = sorted[i + 1];
    if (next !== undefined) expect(w.end + w.guard).toBeLessThanOrEqual(next.start - next.guard);
  }
});

test("the room's memory grants what its windows do, and stops everywhere in code", () => {
  const whole = new Layout({ xlen: 64, compressed: false });
  const { memory } = whole;
  expect(whole.windowAt(0x7ffff000n)?.end).toBe(0x80001000n);
  expect(memory.load(0x10000000n, 8)).toBe(0x0010007300100073n);
  expect(memory.accessible("fetch", 0x10000000n, 4)).toBe(true);
  expect(memory.accessible("fetch", 0x20000000n, 4)).toBe(false);
  expect(memory.accessible("store", 0x30000000n, 1)).toBe(false);
  expect(memory.accessible("load", 0x30001ff9n, 8)).toBe(false);
  expect([whole.stops(memory, 0x10000000n), whole.stops(memory, 0x10000002n)]).toEqual([true, false]);
  const halves = new Layout({ xlen: 32, compressed: true });
  expect(halves.memory.load(0x10000000n, 8)).toBe(0x9002900290029002n);
  expect([halves.stops(halves.memory, 0x10000002n), halves.stops(halves.memory, 0x20000000n)]).toEqual([true, true]);
});

const X = Array.from({ length: 32 }, (_, i) => (i === 2 || i === 11 ? 0x2000n : 0n));

test.each([
  [0x0005b503, "load", 0x2000n], // ld a0, 0(a1)
  [0xfea5bc23, "store", 0x1ff8n], // sd a0, -8(a1)
  [0x00858567, "jump", 0x2008n], // jalr a0, 8(a1)
  [0xff9ff06f, "jump", 0xff8n], // jal zero, . - 8
  [0xfe000ce3, "branch", 0xff8n], // beq zero, zero, . - 8
  [0x00000073, "ecall", undefined],
  [0x00100073, "other", undefined],
  [0x00b50533, "other", undefined],
  [0x1005a52f, "lr", 0x2000n], // lr.w a0, (a1)
  [0x1055a52f, "other", undefined], // lr.w with a second source: reserved
  [0x1005e52f, "other", undefined], // lr of a size that there is not
  [0x18c5a52f, "sc", 0x2000n], // sc.w a0, a2, (a1)
  [0x00c5a52f, "amo", 0x2000n], // amoadd.w a0, a2, (a1)
  [0x41c8, "load", 0x2004n], // c.lw a0, 4(a1)
  [0xe588, "store", 0x2008n], // c.sd a0, 8(a1)
  [0x6522, "load", 0x2008n], // c.ldsp a0, 8(sp)
  [0xc42a, "store", 0x2008n], // c.swsp a0, 8(sp)
  [0xbfe5, "jump", 0xff8n], // c.j . - 8
  [0x8582, "jump", 0x2000n], // c.jr a1
  [0x9582, "jump", 0x2000n], // c.jalr a1
  [0xdd65, "branch", 0xff8n], // c.beqz a0, . - 8
  [0x852e, "other", undefined], // c.mv a0, a1
  [0x9002, "other", undefined], // c.ebreak
] as const)("%#x is a %s", (word, kind, address) => {
  expect(doing(word, 0x1000n, X, 64)).toEqual({ kind, address });
});

test("what differs between RV32C and RV64C", () => {
  expect(doing(0x3fe5, 0x1000n, X, 32)).toEqual({ kind: "jump", address: 0xff8n }); // c.jal . - 8
  expect(doing(0x3fe5, 0x1000n, X, 64).kind).toBe("other"); // c.addiw
  expect([doing(0xe588, 0x1000n, X, 32).kind, doing(0x6522, 0x1000n, X, 32).kind]).toEqual(["other", "other"]);
});

test("Zicond in the vendor's encoding", () => {
  expect(asVentana(0x0ec5d533)).toBe(0x00c5e57b); // czero.eqz a0, a1, a2 as vt.maskc
  expect(asVentana(0x0ec5f533)).toBe(0x00c5f57b); // czero.nez as vt.maskcn
  expect(asVentana(0x00c5d533)).toBe(0x00c5d533); // srl
  expect([isVentana(0x00c5e57b), isVentana(0x00c5d57b), isVentana(0x00c5e533)]).toEqual([true, false, false]);
});

describe("options", () => {
  test("have defaults", () => {
    expect(readOptions({ module: "./emulator.ts" })).toEqual({
      program: "qemu-riscv64",
      cpu: "rv64",
      march: "rv64im",
      compiler: "riscv64-linux-gnu-gcc",
      programs: [],
    });
  });

  test.each([
    [undefined],
    [7],
    [{ program: 7 }],
    [{ programs: "x.c" }],
    [{ programs: [1] }],
    [{ cpus: "rv64" }],
    [{ march: "rv64gc -x" }],
  ])("%j is refused", (options) => {
    expect(() => readOptions(options)).toThrow(UserError);
  });
});
