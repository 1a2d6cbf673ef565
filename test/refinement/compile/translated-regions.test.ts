/** Regions of code on a machine that translates addresses: whatever the translation looks at may change while they run. */
import { describe, expect, it } from "vitest";
import { assemble } from "../../../refinement/assembly/index.js";
import { Simulator } from "../../../refinement/compile/simulator.js";
import { stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import { agree } from "../../../refinement/execute/difference.js";
import { permissionsOf } from "../../../refinement/execute/linux.js";
import type { State } from "../../../refinement/execute/state.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";
import { loadMachine } from "../../../spec/notation/index.js";

const machine = await loadMachine("spec/riscv/rv64-system.yaml");
const [SUPERVISOR, MACHINE] = [1n, 3n];
/** Physical pages: code, another page of code, data, other data, page tables from the root down, handlers. */
const [CODE, OTHER_CODE, DATA, OTHER_DATA] = [0x8000_0000n, 0x8000_1000n, 0x8000_2000n, 0x8000_3000n];
const [ROOT, MIDDLE, LEAVES, HANDLER] = [0x8000_4000n, 0x8000_5000n, 0x8000_6000n, 0x8000_7000n];
const [OTHER_ROOT, OTHER_MIDDLE, OTHER_LEAVES] = [0x8000_8000n, 0x8000_9000n, 0x8000_a000n];
const RAM = { first: CODE, end: CODE + 0x10000n, readable: true, writable: true, executable: true };
const FAR = [0x8000_b000n, 0x8000_c000n] as const;
/** Virtual pages: code, data, the page of the leaves of the page table, and one more of code. */
const [V_CODE, V_DATA, V_LEAVES, V_FAR] = [0x1000n, 0x2000n, 0x3000n, 0x4000n];
/** Of an entry: D, A, G, U, X, W, R, V. */
const [LEAF, POINTER] = [0xefn, 0x01n];

function entry(page: bigint, flags: bigint): bigint {
  return ((page >> 12n) << 10n) | flags;
}

interface Program {
  /** At `V_CODE` with paging, at `CODE` without. */
  readonly text: string;
  /** Where the other page of code is run from; it ends in the same place. */
  readonly other?: string;
  /** Two pages that can stand at `V_FAR`; the first one does. */
  readonly far?: readonly [string, string];
  /** The page of `text` stands at `V_FAR` as well. */
  readonly alias?: boolean;
  /** Machine mode's, at `HANDLER`. */
  readonly handler?: string;
  readonly paging?: boolean;
  readonly flags?: bigint;
  readonly state?: readonly (readonly [string, Value])[];
  readonly registers?: readonly (readonly [number, bigint])[];
}

function tables(
  memory: MemoryValue,
  root: bigint,
  middle: bigint,
  leaves: bigint,
  code: bigint,
  flags: bigint,
): MemoryValue {
  return memory
    .store(root, 8, entry(middle, POINTER))
    .store(middle, 8, entry(leaves, POINTER))
    .store(leaves + 8n, 8, entry(code, flags))
    .store(leaves + 16n, 8, entry(DATA, flags))
    .store(leaves + 24n, 8, entry(LEAVES, flags));
}

function start({
  text,
  other,
  far,
  alias,
  handler,
  paging = true,
  flags = LEAF,
  state = [],
  registers = [],
}: Program): State {
  const origin = paging ? V_CODE : CODE;
  let memory = MemoryValue.empty(64, permissionsOf([RAM]))
    .storeBytes(CODE, assemble(machine, text, origin))
    .storeBytes(HANDLER, assemble(machine, handler ?? "here:\njal zero, here", HANDLER))
    .store(DATA, 8, 0x1111n)
    .store(OTHER_DATA, 8, 0x2222n);
  if (other !== undefined) memory = memory.storeBytes(OTHER_CODE, assemble(machine, other, origin));
  memory = tables(memory, ROOT, MIDDLE, LEAVES, CODE, flags);
  memory = tables(memory, OTHER_ROOT, OTHER_MIDDLE, OTHER_LEAVES, OTHER_CODE, flags);
  far?.forEach((code, i) => {
    memory = memory.storeBytes(FAR[i] ?? 0n, assemble(machine, code, V_FAR));
  });
  if (far !== undefined || alias === true)
    memory = memory.store(LEAVES + 32n, 8, entry(alias === true ? CODE : FAR[0], flags));
  let x = FileValue.filled(32)
    .set(8n, paging ? V_DATA : DATA)
    .set(9n, V_LEAVES);
  for (const [number, value] of registers) x = x.set(BigInt(number), value);
  const zero = zeroState(machine);
  return new Map([
    ...zero,
    ["mem", memory],
    ["x", x],
    ["pc", origin],
    ["mode", paging ? SUPERVISOR : MACHINE],
    ["satp", paging ? (8n << 60n) | (ROOT >> 12n) : 0n],
    ["mtvec", HANDLER],
    ["mtimecmp", (1n << 64n) - 1n],
    ["pmpcfg", FileValue.filled(16).set(0n, 0x1fn)],
    ["pmpaddr", FileValue.filled(16).set(0n, (1n << 54n) - 1n)],
    ...state,
  ]);
}

const STRETCHES = [1, 40, 7, 90, 2, 23];

/** Runs both from the same state, in stretches of several lengths; the code at hand is compiled wherever one begins. */
function follow(program: Program, most: number): { readonly simulator: Simulator; readonly end: State } {
  const simulator = new Simulator(machine);
  let state = start(program);
  simulator.load(state);
  let regions = 0;
  for (let done = 0, k = 0; done < most; k++) {
    if (k % 3 === 0 && simulator.compileHere()) regions++;
    const stretch = STRETCHES[k % STRETCHES.length] ?? 1;
    for (let i = 0; i < stretch; i++) state = stepAny(machine, state)?.state ?? state;
    expect(simulator.run(stretch)).toEqual({ reason: "limit", steps: stretch });
    expect(agree(machine, state, simulator.state()), `after ${done + stretch} steps`).toBe(true);
    done += stretch;
  }
  expect(regions).toBeGreaterThan(0);
  return { simulator, end: state };
}

function register(state: State, number: number): bigint {
  const x = state.get("x");
  return x instanceof FileValue ? (x.elements[number] ?? 0n) : 0n;
}

describe("regions of code under address translation agree with the reference", () => {
  it("on loads, stores, jumps and returns", () => {
    const text = `
top:
  addi a0, a0, 1
  sd a0, 8(s0)
  ld a1, 8(s0)
  add a2, a2, a1
  jal ra, callee
  jal zero, top
callee:
  addi a3, a3, 3
  jalr zero, 0(ra)`;
    const { simulator } = follow({ text }, 600);
    expect(simulator.regionCount).toBeGreaterThan(0);
    follow({ text, paging: false }, 600);
  });

  it("where a store changes the page that the next load reads", () => {
    // The entry of the data's page is exchanged for that of the other page, and back.
    const text = `
  ld t0, 16(s1)
  addi t1, zero, 1
  slli t1, t1, 10
  xor t1, t1, t0
top:
  sd t1, 16(s1)
  ld a0, 0(s0)
  add a2, a2, a0
  sd t0, 16(s1)
  ld a1, 0(s0)
  add a3, a3, a1
  jal zero, top`;
    const { end } = follow({ text }, 500);
    expect(register(end, 12)).not.toBe(register(end, 13));
  });

  it("where a store replaces the page of the very code", () => {
    const body = (own: string): string => `
top:
  addi a0, a0, ${own}
  addi a1, a1, 1
  sd a4, 8(s1)
  addi a2, a2, ${own}
  addi a5, a4, 0
  addi a4, a3, 0
  addi a3, a5, 0
  jal zero, top`;
    const { end } = follow(
      {
        text: body("1"),
        other: body("2"),
        registers: [
          [13, entry(CODE, LEAF)],
          [14, entry(OTHER_CODE, LEAF)],
        ],
      },
      600,
    );
    const turns = register(end, 11);
    expect(register(end, 10)).toBeGreaterThan(turns);
    expect(register(end, 10)).toBeLessThan(2n * turns);
  });

  it("where satp leads to other code at the same addresses", () => {
    const body = (own: string): string => `
top:
  addi a0, a0, ${own}
  addi a1, a1, 1
  csrrw a4, 0x180, a4
  addi a2, a2, ${own}
  jal zero, top`;
    const satp = (8n << 60n) | (OTHER_ROOT >> 12n);
    const { end } = follow({ text: body("1"), other: body("2"), registers: [[14, satp]] }, 600);
    expect(register(end, 10)).toBeGreaterThan(register(end, 11));
  });

  it("where a store replaces a page that the code leads to", () => {
    const text = `
top:
  andi a5, a1, 3
  bne a5, zero, on
  addi a5, a4, 0
  addi a4, a3, 0
  addi a3, a5, 0
  sd a4, 32(s1)
on:
  jal zero, 0x4000`;
    const far = (own: number): string => `
  addi a0, a0, ${own}
  addi a1, a1, 1
  jal zero, 0x1000`;
    const { end } = follow(
      {
        text,
        far: [far(1), far(2)],
        registers: [
          [13, entry(FAR[0], LEAF)],
          [14, entry(FAR[1], LEAF)],
        ],
      },
      700,
    );
    const turns = register(end, 11);
    expect(register(end, 10)).toBeGreaterThan(turns);
    expect(register(end, 10)).toBeLessThan(2n * turns);
  });

  it("where the same code stands at two addresses", () => {
    const text = `
top:
  auipc a0, 0
  add a1, a1, a0
  xor a2, a2, a3
  jalr zero, 0(a2)`;
    follow(
      {
        text,
        alias: true,
        registers: [
          [12, V_CODE],
          [13, V_CODE ^ V_FAR],
        ],
      },
      400,
    );
  });

  it("where a page has A and D cleared, and the hart sets them", () => {
    const text = `
  ld t0, 16(s1)
  andi t0, t0, -193
  ld t2, 8(s1)
  andi t2, t2, -193
top:
  sd t0, 16(s1)
  ld a0, 0(s0)
  ld a1, 16(s1)
  add a2, a2, a1
  sd a2, 0(s0)
  ld a1, 16(s1)
  add a3, a3, a1
  sd t2, 8(s1)
  addi a4, a4, 1
  jal zero, top`;
    follow({ text }, 600);
  });

  it("where accesses cross pages and faults are handled", () => {
    const text = `
top:
  addi t0, s0, 2042
  addi t0, t0, 2042
  addi t0, t0, 8
  ld a0, 0(t0)
  add a1, a1, a0
  ld a0, 0(s0)
  addi a2, a2, 1
  jal zero, top`;
    const handler = `
  csrrs t1, 0x341, zero
  addi t1, t1, 4
  csrrw zero, 0x341, t1
  csrrs t2, 0x342, zero
  add a3, a3, t2
  mret`;
    follow({ text, handler }, 500);
    // Reaching into the page of the leaves: an access in two parts.
    follow({ text: text.replace("addi t0, t0, 8", "addi t0, t0, 10"), handler }, 500);
    // With the page after next, which is not there.
    follow({ text: text.replaceAll("s0", "s1"), handler }, 500);
  });

  it("where physical memory protection changes", () => {
    const text = `
top:
  addi a0, a0, 1
  ld a1, 0(s0)
  csrrw t0, 0x3a0, t3
  ld a2, 0(s0)
  csrrw t3, 0x3a0, t0
  add a3, a3, a2
  jal zero, top`;
    const handler = `
  csrrs t1, 0x341, zero
  addi t1, t1, 4
  csrrw zero, 0x341, t1
  addi a4, a4, 1
  mret`;
    // Machine mode is bound by a locked entry alone; these two are not: so with MPRV, as supervisor.
    const { end } = follow(
      {
        text,
        handler,
        paging: false,
        registers: [[28, 0x1cn]],
        state: [
          ["mstatus.mprv", 1n],
          ["mstatus.mpp", SUPERVISOR],
        ],
      },
      400,
    );
    expect(register(end, 14)).toBeGreaterThan(0n);
  });

  it("where a store makes the timer's interrupt pending", () => {
    const text = `
  lui t0, 8196
top:
  addi a0, a0, 1
  andi t1, a0, 7
  addi t1, t1, -7
  sd t1, 0(t0)
  add a1, a1, a0
  add a2, a2, a1
  jal zero, top`;
    const handler = `
  lui t2, 8196
  addi t3, zero, -1
  sd t3, 0(t2)
  addi a5, a5, 1
  mret`;
    const { end } = follow(
      {
        text,
        handler,
        paging: false,
        state: [
          ["mie", 0x80n],
          ["mstatus.mie", 1n],
        ],
      },
      600,
    );
    expect(register(end, 15)).toBeGreaterThan(0n);
  });

  it("where the same code runs in another mode", () => {
    const text = `
top:
  addi a0, a0, 1
  ld a1, 0(s0)
  add a2, a2, a1
  ecall
  jal zero, top`;
    // On behind it, in user mode after machine mode and the other way round.
    const handler = `
  csrrs t1, 0x341, zero
  addi t1, t1, 4
  csrrw zero, 0x341, t1
  addi a4, a4, 1
  lui t2, 2
  addi t2, t2, -2048
  csrrs t3, 0x300, zero
  xor t3, t3, t2
  csrrw zero, 0x300, t3
  mret`;
    // What user mode may only execute, machine mode may read: the entry is not locked.
    const executable = FileValue.filled(16).set(0n, 0x1cn);
    const { end } = follow({ text, handler, paging: false, state: [["pmpcfg", executable]] }, 700);
    expect(register(end, 12)).toBeGreaterThan(0n);
    expect(register(end, 14)).toBeGreaterThan(register(end, 10));
  });
});

describe("regions of code under address translation", () => {
  const loop = `
top:
  addi a0, a0, 1
  ld a1, 0(s0)
  jal zero, top`;

  it("are left when the environment has changed what they depend on", () => {
    const simulator = new Simulator(machine);
    simulator.load(start({ text: loop, handler: "addi a5, a5, 1\nhere:\njal zero, here" }));
    simulator.write("mie", 0x80n);
    expect(simulator.compileHere()).toBe(true);
    simulator.run(30);
    simulator.write("mtimecmp", 0n);
    simulator.run(3);
    expect(simulator.scalar("mode")).toBe(MACHINE);
    expect(simulator.scalar("mepc")).toBe(V_CODE);
    expect(simulator.element("x", 15)).toBe(1n);
  });

  it("see what the environment writes to a page table", () => {
    const simulator = new Simulator(machine);
    simulator.load(start({ text: loop }));
    expect(simulator.compileHere()).toBe(true);
    simulator.run(30);
    expect(simulator.element("x", 11)).toBe(0x1111n);
    simulator.memory("mem").write(LEAVES + 16n, 8, entry(OTHER_DATA, LEAF));
    simulator.run(3);
    expect(simulator.element("x", 11)).toBe(0x2222n);
  });

  it("are found by sampling in runs that are short", () => {
    const simulator = new Simulator(machine);
    simulator.load(start({ text: loop }));
    for (let i = 0; i < 100; i++) simulator.run(3000);
    expect(simulator.regionCount).toBeGreaterThan(0);
    expect(simulator.element("x", 10)).toBe(100_000n);
  });
});
