/**
 * The translator's runtime: programs that GCC has compiled end as on the guest's own simulator, in every variable and byte; and stopped
 * anywhere, with interrupts, faults and code that changes itself, the guest's state is always one of the definition's.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAULTS, withFault } from "../../../impl/translator/faults/index.js";
import { Runtime } from "../../../impl/translator/runtime/runtime.js";
import { assembleProgram } from "../../../refinement/assembly/index.js";
import { decodeX86 } from "../../../refinement/assembly/x86/index.js";
import { Simulator } from "../../../refinement/compile/simulator.js";
import { zeroState } from "../../../refinement/execute/concrete.js";
import { differences } from "../../../refinement/execute/difference.js";
import type { Engine } from "../../../refinement/execute/engine.js";
import { readElf } from "../../../refinement/execute/elf.js";
import { imageOf } from "../../../refinement/execute/image.js";
import { runProgram } from "../../../refinement/execute/run.js";
import type { State } from "../../../refinement/execute/state.js";
import { Generator as Random } from "../../../refinement/solver/generator.js";
import { FileValue, MemoryValue } from "../../../refinement/terms/value.js";
import { lockstep } from "../../../refinement/translation/lockstep.js";
import { loadMachine } from "../../../spec/notation/index.js";

const GCC = "riscv64-linux-gnu-gcc";
const SOURCES = path.resolve("impl/qemu-lockstep");
const FLAGS = [
  ...[
    "-O2",
    "-march=rv64imac_zba_zbb",
    "-mabi=lp64",
    "-mcmodel=medany",
    "-ffreestanding",
    "-fno-builtin",
    "-nostdlib",
    "-static",
  ],
  ...["-fno-tree-loop-distribute-patterns", "-fno-stack-protector", "-fno-pic", "-no-pie", "-Wl,--no-relax"],
];

const guest = await loadMachine("spec/riscv/rv64imac_zba_zbb.yaml");
const host = await loadMachine("spec/x86-64/x86-64.yaml");
let folder = "";
let absent: string | undefined;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "commute-runtime-"));
  const there = await promisify(execFile)(GCC, ["--version"]).then(
    () => true,
    () => false,
  );
  if (!there) absent = `${GCC} is not installed (Debian: gcc-riscv64-linux-gnu)`;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function runtime(): Runtime {
  return new Runtime(guest, host, decodeX86);
}

function stateOf(engine: Engine): State {
  return new Map(guest.variables.map((v) => [v.name, engine.read(v.name)]));
}

describe("a program that GCC has compiled", () => {
  async function run(file: string, engine: Engine): Promise<{ readonly code: number; readonly out: Buffer }> {
    const out: Uint8Array[] = [];
    const result = await runProgram(
      guest,
      { kind: "elf", file, bytes: await readFile(file) },
      { engine, stdout: (bytes) => out.push(bytes.slice()) },
    );
    expect(result.reason).toBe("exit");
    return { code: result.exitCode, out: Buffer.concat(out) };
  }

  // At the end each writes all of its memory.
  for (const name of ["division", "interpreter", "strings"]) {
    test(name, async (ctx) => {
      if (absent !== undefined) ctx.skip(absent);
      const elf = path.join(folder, name);
      const own = ["guest/start.c", "guest/library.c", `programs/${name}.c`].map((file) => path.join(SOURCES, file));
      await promisify(execFile)(GCC, [...FLAGS, "-o", elf, ...own]);
      const [expected, translated] = [new Simulator(guest), runtime()];
      const before = await run(elf, expected);
      const after = await run(elf, translated);
      expect(after).toEqual(before);
      expect(before.out.length).toBeGreaterThan(1000);
      expect(differences(guest, stateOf(expected), stateOf(translated))).toEqual([]);
      expect(translated.blockCount).toBeGreaterThan(10);
    });
  }
});

test("a program that GCC has compiled, stopped again and again", async (ctx) => {
  if (absent !== undefined) ctx.skip(absent);
  const elf = path.join(folder, "stopped");
  const own = ["guest/start.c", "guest/library.c", "programs/hash.c"].map((file) => path.join(SOURCES, file));
  await promisify(execFile)(GCC, [...FLAGS, "-o", elf, ...own]);
  const read = readElf(await readFile(elf), elf);
  const { memory } = imageOf(read, elf, 0x3f_ffff_f000n, 64);
  const start = new Map([...zeroState(guest), ["pc", read.entry], ["mem", memory]] as const);
  const { differs, compared, steps } = lockstep(guest, runtime(), start, slices(3));
  expect(differs).toEqual([]);
  expect(compared).toBe(300);
  expect(steps).toBeGreaterThan(1000);
});

const [PC, DATA] = [0x1_0000n, 0x2_0000n];
const PAGE = 0x1000n;

/** The program at `PC`, a page of data at `DATA`, in a0 where that is; the pages grant everything, and nothing else anything. */
function startOf(text: string): State {
  const { bytes } = assembleProgram(guest, text, PC);
  const permissions = Object.assign(
    (_: unknown, address: bigint) => [PC, DATA].some((page) => address >= page && address < page + PAGE),
    { granularity: Number(PAGE) },
  );
  const x = Array.from({ length: 32 }, (_, i) => (i === 0 ? 0n : i === 10 ? DATA : BigInt(i * 0x1234_5679)));
  return new Map([
    ...zeroState(guest),
    ["pc", PC],
    ["x", new FileValue(x)],
    ["mem", MemoryValue.empty(64, permissions).storeBytes(PC, bytes)],
  ]);
}

/** Steps to the next look: now and then one, now and then many. */
function* slices(seed: number): Generator<number> {
  const random = new Random(seed);
  for (let i = 0; i < 300; i++) yield random.below(4) === 0 ? 1 : 1 + random.below(200);
}

test("translated code that goes astray is a difference, not a defect", () => {
  const design = withFault(FAULTS["division-overflow"] ?? {});
  const overflow = "addi a1, zero, -1\nslli a0, a1, 63\ndiv a2, a0, a1\necall";
  const { differs } = lockstep(guest, new Runtime(guest, host, decodeX86, design), startOf(overflow), [1000]);
  expect(differs).toMatchObject([{ variable: "host", guest: "goes on", host: expect.stringMatching(/no fault map/) }]);
});

describe("stopped anywhere the guest's state is one of the definition's", () => {
  const programs: Readonly<Record<string, string>> = {
    "a loop with a call": `
            addi s0, zero, 60
      loop: jal ra, callee
            addi s0, s0, -1
            bne s0, zero, loop
            ecall
    callee: ld t0, 0(a0)
            add t0, t0, s0
            sd t0, 0(a0)
            mul t1, t0, s0
            jalr zero, 0(ra)`,
    "code that changes what it has often jumped to": `
            addi s0, zero, 60
            lui s1, 0x10
            lw t1, 48(s1)
      loop: addi s0, s0, -1
            jal zero, changed
   changed: addi s2, s2, 1
            jal zero, back
      back: addi t2, zero, 30
            bne s0, t2, on
            sw t1, 20(s1)
        on: bne s0, zero, loop
            ecall
            .word 0x00590913`,
    "a store to the block that it is in": `
      lui s1, 0x10
      lw t1, 28(s1)
      addi s2, s2, 1
      sw t1, 16(s1)
      addi s2, s2, 2
      addi s2, s2, 3
      ecall
      .word 0x06490913`,
    "a load that faults": "addi s0, s0, 1\nadd s1, s0, s0\nld t0, 0(zero)\necall",
    "a store that is not granted across a page": "addi s0, s0, 5\nlui t0, 0x21\nsd s0, -4(t0)\necall",
    "a misaligned atomic operation": "addi a1, a0, 3\naddi s0, s0, 7\namoadd.d t0, s0, (a1)\necall",
    reservations: "lr.d t0, (a0)\naddi t0, t0, 1\nsc.d t1, t0, (a0)\nsc.d t2, t0, (a0)\necall",
    "no instruction": "addi s0, s0, 1\n.word 0\necall",
    "a jump to where nothing can be fetched": "addi s0, s0, 1\njalr ra, 0(zero)",
  };
  for (const [name, text] of Object.entries(programs)) {
    test(name, () => {
      for (const seed of [1, 2]) {
        const { differs, steps } = lockstep(guest, runtime(), startOf(text), slices(seed));
        expect(differs).toEqual([]);
        expect(steps).toBeGreaterThan(0);
      }
      const whole = lockstep(guest, runtime(), startOf(text), [100_000]);
      expect(whole.differs).toEqual([]);
    });
  }
});
