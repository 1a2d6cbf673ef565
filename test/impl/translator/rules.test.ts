/**
 * Every rule of the translator on random operands: the definition of x86-64 runs the translated code, that of RISC-V the guest's, and
 * the states where they meet are the same. (`commute check translator` proves what this only tries.)
 */
import { beforeAll, expect, test } from "vitest";
import { BlockTranslator } from "../../../impl/translator/block.js";
import { CONTEXT_SIZE } from "../../../impl/translator/context.js";
import { encode, fieldsOf } from "../../../refinement/assembly/encoding.js";
import { bytesToWord, disassemble, wordToBytes } from "../../../refinement/assembly/index.js";
import { decodeX86 } from "../../../refinement/assembly/x86/index.js";
import { stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import { step } from "../../../refinement/execute/decoded.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Instruction, Machine } from "../../../refinement/machine.js";
import type { Access } from "../../../refinement/terms/term.js";
import { FileValue, MemoryValue } from "../../../refinement/terms/value.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { randomFrom, randomWord } from "../../refinement/assembly/machines.js";

const [PC, DATA, CODE, STACK, CONTEXT] = [0x1_0000n, 0x2_0000n, 0x7000_0000n, 0x7ffe_0000n, 0x7fff_0000n];
const PAGE = 0x1000n;
const ENDLESS = 500;
const EACH = 4;
const REGISTERS = [0n, 2n, 10n, 11n, 31n];

let guest: Machine;
let host: Machine;
let blocks: BlockTranslator;

beforeAll(async () => {
  guest = await loadMachine("spec/riscv/rv64imac_zba_zbb.yaml");
  host = await loadMachine("spec/x86-64/x86-64.yaml");
  if (guest.instructionSet === undefined) throw new Error("the guest has no instructions");
  blocks = new BlockTranslator(guest, guest.instructionSet);
});

const draw = randomFrom(5);
const below = (n: number): number => draw() % n;
const random = (): bigint => BigInt(draw());

function fail(message: string): never {
  throw new Error(message);
}
const CORNERS = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  1n << 63n,
  (1n << 64n) - 1n,
  DATA,
  DATA + 64n,
];

function value(): bigint {
  const corner = CORNERS[below(2 * CORNERS.length)];
  return corner ?? BigInt.asUintN(64, (random() << 32n) ^ random());
}

function accessible(ranges: Readonly<Record<Access, readonly (readonly [bigint, bigint])[]>>) {
  const inside = (access: Access, address: bigint): boolean =>
    ranges[access].some(([start, size]) => address >= start && address < start + size);
  return Object.assign(inside, { granularity: 1 });
}

/** Operands that lean to few registers, so that they meet. */
function word(instruction: Instruction): Uint8Array {
  const fields = new Map(fieldsOf(instruction, randomWord(instruction, draw)));
  for (const { name, width } of instruction.encoding.fields)
    if (["rd", "rs1", "rs2"].includes(name) && width === 5) fields.set(name, REGISTERS[below(5)] ?? 0n);
  return wordToBytes(encode(instruction, fields), instruction.encoding.width);
}

/** The guest's state as the context holds it, or the guest's own. */
function seen(state: State, context: MemoryValue | undefined): Readonly<Record<string, unknown>> {
  const x = state.get("x");
  const memory = context ?? state.get("mem");
  if (!(x instanceof FileValue) || !(memory instanceof MemoryValue)) throw new Error("a state is not whole");
  return {
    x: x.elements.slice(1).map((own, i) => context?.load(CONTEXT + 8n * BigInt(i + 1), 8) ?? own),
    reserved: context?.load(CONTEXT + 272n, 1) ?? state.get("reservation.valid"),
    memory: Array.from({ length: Number(PAGE) }, (_, i) => memory.readByte(DATA + BigInt(i))),
  };
}

function run(code: Uint8Array): void {
  const block = blocks.translate(PC, code, CODE);
  if (block.kind !== "translated") fail(`not translated: ${block.what}`);
  const { translation } = block;
  const x = new FileValue(Array.from({ length: 32 }, (_, i) => (i === 0 ? 0n : value())));
  const data = Uint8Array.from({ length: Number(PAGE) }, () => below(256));
  const reserved: readonly [bigint, bigint] = [BigInt(below(2)), below(2) === 0 ? DATA : value()];
  const guestRanges = { fetch: [[PC, PAGE]], load: [[DATA, PAGE]], store: [[DATA, PAGE]] } as const;
  let g: State = new Map([
    ...zeroState(guest),
    ["pc", PC],
    ["x", x],
    ["mem", MemoryValue.empty(64, accessible(guestRanges)).storeBytes(PC, code).storeBytes(DATA, data)],
    ["reservation.valid", reserved[0]],
    ["reservation.address", reserved[1]],
  ]);
  const own = [
    [DATA, PAGE],
    [CONTEXT, BigInt(CONTEXT_SIZE)],
    [STACK - PAGE, PAGE + 8n],
  ] as const;
  let memory = MemoryValue.empty(64, accessible({ fetch: [[CODE, PAGE]], load: own, store: own }));
  memory = memory.storeBytes(DATA, data).storeBytes(CODE, translation.host.code);
  for (const [i, element] of x.elements.entries()) memory = memory.store(CONTEXT + 8n * BigInt(i), 8, element);
  memory = memory.store(CONTEXT + 272n, 1, reserved[0]).store(CONTEXT + 280n, 8, reserved[1]);
  let h: State = new Map([
    ...zeroState(host),
    ...["rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11"].map((name) => [name, value()] as const),
    ["rip", translation.entry],
    ["rdi", CONTEXT],
    ["rsp", STACK],
    ["mem", memory],
  ]);

  // The host, to an exit or a fault.
  let raising: bigint | undefined;
  for (let steps = 0; ; steps++) {
    const exit = translation.exits.find((e) => e.host === h.get("rip"));
    if (exit !== undefined) {
      if (exit.trap !== undefined) raising = exit.guest;
      break;
    }
    const next = step(host, h, decodeX86);
    if (next.kind !== "stepped" || steps > ENDLESS) fail("the translated code does not end");
    if (next.state.get("trap") !== 0n) {
      raising = translation.faults.find((f) => f.host === h.get("rip"))?.guest;
      if (raising === undefined) fail("a fault that belongs to no guest instruction");
      break;
    }
    h = next.state;
  }
  // The guest, to the same place.
  for (;;) {
    if (raising !== undefined && g.get("pc") === raising) {
      expect(stepAny(guest, g)?.state.get("trap")).not.toBe(0n);
      break;
    }
    const next = stepAny(guest, g)?.state;
    if (next === undefined || next.get("trap") !== 0n) fail("only the guest traps");
    g = next;
    if (raising === undefined) break;
  }
  const context = h.get("mem");
  if (!(context instanceof MemoryValue)) fail("the host has no memory");
  expect(seen(g, context)).toEqual(seen(g, undefined));
  if (raising === undefined) expect(context.load(CONTEXT + 256n, 8)).toBe(g.get("pc"));
}

test("every instruction is translated to code that does the same", { timeout: 240_000 }, () => {
  const wrong = new Map<string, string>();
  for (const instruction of guest.instructionSet?.instructions ?? []) {
    for (let i = 0; i < EACH; i++) {
      const code = word(instruction);
      // A word with other constraints, as a compressed one whose destination must not be x0.
      if (blocks.decode(code) === undefined) continue;
      try {
        run(code);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        wrong.set(disassemble(guest, bytesToWord(code), PC), message.slice(0, 400));
      }
    }
  }
  expect([...wrong]).toEqual([]);
});

test("an instruction that it does not know is named", () => {
  const wfi = wordToBytes(0x10500073n, 32);
  expect(blocks.translate(PC, wfi, CODE)).toEqual({ kind: "unsupported", what: "what is no instruction" });
});
