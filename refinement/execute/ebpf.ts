/**
 * eBPF programs for `commute run`: an object file's sections are laid out and linked, as a loader does it; or instruction bytes.
 *
 * Memory: the program (executable only) at 0x10000, its data from 0x10000000, the context ending at 0x20001000, stack frames
 * below 0x30001000. R1 is the context's address and R2 its size, both 0 without one; R10 is the first frame's end.
 */
import type { Simulator } from "../compile/simulator.js";
import { UserError } from "../errors.js";
import { type Machine, variable } from "../machine.js";
import { MemoryValue } from "../terms/value.js";
import { elfError } from "./elf.js";
import { pageUp, permissionsOf, type Region } from "./linux.js";
import { type ElfObject, type ElfSymbol, readObject, type Section } from "./object.js";

export interface EbpfOptions {
  /** What R1 points to; none if left out. */
  readonly context?: Uint8Array | undefined;
  /** The section and the function to begin with, where the object has several. */
  readonly section?: string | undefined;
  readonly entry?: string | undefined;
}

export interface LoadedEbpf {
  /** R0, and the context with what the program wrote to it. */
  result(): { readonly r0: bigint; readonly context: Uint8Array };
}

const TEXT = 0x1_0000n;
const DATA = 0x1000_0000n;
const CONTEXT_END = 0x2000_1000n;
const STACK_END = 0x3000_1000n;
const STACK_SIZE = 0x1000n;
/** ELF relocations (Linux, Documentation/bpf/llvm_reloc.rst). */
const R_BPF = { address: 1, call: 10 } as const;
const MOST_CONTEXT = 1 << 20;

/** True of a machine with eBPF's registers, frames and end. */
export function isEbpf(machine: Machine): boolean {
  const r = variable(machine, "r")?.sort;
  return (
    r?.kind === "file" &&
    r.count === 11 &&
    variable(machine, "mem")?.sort.kind === "memory" &&
    variable(machine, "depth") !== undefined &&
    machine.traps.some((t) => t.name === "exited")
  );
}

/** A part of memory before the program begins. */
interface Block {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly writable: boolean;
  readonly executable: boolean;
}

interface Image {
  readonly blocks: readonly Block[];
  readonly entry: bigint;
}

/** Puts a program into the simulator. Throws `UserError` for one that cannot be run. */
export function loadEbpf(
  simulator: Simulator,
  program: { readonly kind: "object" | "bytes"; readonly file: string; readonly bytes: Uint8Array },
  options: EbpfOptions,
): LoadedEbpf {
  const isObject = program.kind === "object";
  const image = isObject ? link(readObject(program.bytes, program.file), options) : raw(program);
  const problem = unrunnable(image);
  if (problem !== undefined)
    throw isObject ? elfError(program.file, problem) : new UserError(`${program.file}: ${problem}`);
  const { context = new Uint8Array() } = options;
  if (context.length > MOST_CONTEXT)
    throw new UserError(`a context of ${context.length} bytes; at most ${MOST_CONTEXT}`);
  // It ends where memory ends, so that an access beyond it is seen.
  const contextAt = CONTEXT_END - ((BigInt(context.length) + 7n) & ~7n);
  const regions: Region[] = image.blocks.map((b) => region(b.address, BigInt(b.bytes.length), b));
  if (context.length > 0) regions.push(region(pageDown(contextAt), CONTEXT_END - pageDown(contextAt), READ_WRITE));
  regions.push(region(STACK_END - STACK_SIZE, STACK_SIZE, READ_WRITE));
  let memory = MemoryValue.empty(64, permissionsOf(regions));
  for (const block of image.blocks) memory = memory.storeBytes(block.address, block.bytes);
  memory = memory.storeBytes(contextAt, context);
  simulator.write("mem", memory);
  simulator.write("pc", image.entry);
  if (context.length > 0) {
    simulator.setElement("r", 1, contextAt);
    simulator.setElement("r", 2, BigInt(context.length));
  }
  simulator.setElement("r", 10, STACK_END);
  return {
    result: () => ({
      r0: simulator.element("r", 0),
      context: Uint8Array.from(context, (_, i) => Number(simulator.memory("mem").read(contextAt + BigInt(i), 1))),
    }),
  };
}

const READ_WRITE = { writable: true, executable: false } as const;
const pageDown = (address: bigint): bigint => (address / 4096n) * 4096n;

function region(first: bigint, size: bigint, of: { readonly writable: boolean; readonly executable: boolean }): Region {
  return {
    first,
    end: pageUp(first + size),
    readable: !of.executable,
    writable: of.writable,
    executable: of.executable,
  };
}

function raw({ file, bytes }: { readonly file: string; readonly bytes: Uint8Array }): Image {
  if (bytes.length % 8 !== 0)
    throw new UserError(`${file}: ${bytes.length} bytes are no whole number of eBPF instructions of 8 bytes`);
  return { blocks: [{ address: TEXT, bytes, writable: false, executable: true }], entry: TEXT };
}

// ---------------------------------------------------------------------------------------------------------- linking

function link(object: ElfObject, options: EbpfOptions): Image {
  const entry = entryOf(object, options);
  const places = layOut(object, entry.section);
  const blocks = [...places].map(([index, address]): Block => {
    const section = object.sections[index];
    if (section === undefined) throw elfError(object.file, `section ${index} does not exist`);
    const bytes = new Uint8Array(Number(section.size));
    bytes.set(section.data);
    if (section.executable) relocate(object, section, bytes, address, places);
    else refuseRelocations(object, section);
    return { address, bytes, writable: section.writable, executable: section.executable };
  });
  return { blocks, entry: (places.get(entry.section) ?? TEXT) + entry.value };
}

function entryOf(object: ElfObject, options: EbpfOptions): { readonly section: number; readonly value: bigint } {
  const { file, sections, symbols } = object;
  const code = sections.flatMap((s, i) => (s.executable && s.kind === "progbits" && s.size > 0n ? [i] : []));
  if (code.length === 0) throw elfError(file, "no section has instructions: there is nothing to run");
  const named = (list: readonly string[]): string => list.join(", ");
  const functions = symbols.filter((s) => s.isFunction && s.section !== undefined && code.includes(s.section));
  const nameOf = (index: number | undefined): string => sections[index ?? 0]?.name ?? "";
  const here = functions.filter((f) => options.section === undefined || nameOf(f.section) === options.section);
  if (options.section !== undefined && !code.some((i) => nameOf(i) === options.section))
    throw elfError(
      file,
      `no instructions in a section ${options.section}; there are ${named(code.map(nameOf))} (--section)`,
    );
  if (options.entry !== undefined) {
    const found = here.find((f) => f.name === options.entry);
    if (found?.section === undefined)
      throw elfError(file, `no function ${options.entry}; there are ${named(here.map((f) => f.name))} (--entry)`);
    return checked(object, found.section, found.value);
  }
  // Functions that only others call are local, or stand in .text beside the section of a program.
  const global = here.filter((f) => f.isGlobal);
  const programs = global.filter((f) => nameOf(f.section) !== ".text");
  const candidates = programs.length > 0 ? programs : global.length > 0 ? global : here;
  const [only, ...more] = candidates;
  if (only === undefined) {
    const [first, ...others] = code.filter((i) => options.section === undefined || nameOf(i) === options.section);
    if (first !== undefined && others.length === 0) return checked(object, first, 0n);
    throw elfError(file, `several sections have instructions, ${named(code.map(nameOf))}: choose one with --section`);
  }
  if (more.length > 0)
    throw elfError(
      file,
      `several functions to begin with: ${named(candidates.map((f) => `${f.name} (${nameOf(f.section)})`))}; choose one with --entry or --section`,
    );
  return checked(object, only.section ?? 0, only.value);
}

function checked({ file, sections }: ElfObject, section: number, value: bigint) {
  const { name = "", size = 0n } = sections[section] ?? {};
  if (value % 8n !== 0n) throw elfError(file, `the entry at byte ${value} of ${name} is not a multiple of 8`);
  if (value >= size) throw elfError(file, `the entry at byte ${value} of ${name} lies behind its ${size} bytes`);
  return { section, value };
}

/** Addresses of the sections that the entry's section refers to, itself included. */
function layOut(object: ElfObject, entry: number): ReadonlyMap<number, bigint> {
  const places = new Map<number, bigint>();
  let text = TEXT;
  let data = DATA;
  const pending = [entry];
  for (let index = pending.shift(); index !== undefined; index = pending.shift()) {
    const section = object.sections[index];
    if (section === undefined || places.has(index)) continue;
    if (section.executable && section.size % 8n !== 0n)
      throw elfError(object.file, `section ${section.name} has ${section.size} bytes, no whole number of instructions`);
    if (section.executable) {
      places.set(index, text);
      // Every section has pages of its own, and something inaccessible behind them.
      text = pageUp(text + section.size) + 4096n;
      for (const { symbol } of section.relocations) if (symbol.section !== undefined) pending.push(symbol.section);
    } else {
      places.set(index, data);
      data = pageUp(data + section.size) + 4096n;
    }
  }
  return places;
}

function relocate(
  object: ElfObject,
  section: Section,
  bytes: Uint8Array,
  address: bigint,
  places: ReadonlyMap<number, bigint>,
): void {
  const view = new DataView(bytes.buffer);
  for (const { offset, type, symbol } of section.relocations) {
    const where = `${section.name}+0x${offset.toString(16)}`;
    if (offset % 8n !== 0n || offset + 8n > section.size)
      throw elfError(object.file, `a relocation at ${where}, which is no instruction: the file is damaged`);
    const at = Number(offset);
    const target = symbol.section === undefined ? undefined : places.get(symbol.section);
    if (type === R_BPF.call) {
      if (target === undefined)
        throw elfError(object.file, `${where} calls ${symbol.name}, which this file does not define`);
      // The immediate counts slots from the symbol, less one.
      const callee = target + symbol.value + 8n * BigInt(view.getInt32(at + 4, true) + 1);
      view.setInt32(at + 4, Number((callee - address - offset) / 8n) - 1, true);
    } else if (type === R_BPF.address) {
      if (offset + 16n > section.size || view.getUint8(at) !== 0x18)
        throw elfError(object.file, `a relocation at ${where}, which is no 64-bit immediate: the file is damaged`);
      const value = dataAddress(object, symbol, target, where) + BigInt(view.getInt32(at + 4, true));
      view.setUint32(at + 4, Number(value & 0xffff_ffffn), true);
      view.setUint32(at + 12, Number(value >> 32n), true);
    } else {
      throw elfError(
        object.file,
        `relocation type ${type} at ${where} is not known; there are 1 (64-bit immediate) and 10 (call)`,
      );
    }
  }
}

function dataAddress(object: ElfObject, symbol: ElfSymbol, place: bigint | undefined, where: string): bigint {
  const section = symbol.section === undefined ? undefined : object.sections[symbol.section];
  if (section === undefined || place === undefined)
    throw elfError(object.file, `${where} refers to ${symbol.name}, which this file does not define`);
  if (section.name === "maps" || section.name === ".maps")
    throw elfError(
      object.file,
      `${where} refers to the map ${symbol.name}; maps are not supported (unsupported_map_by_fd)`,
    );
  if (section.executable)
    throw elfError(object.file, `${where} takes the address of code; that is not supported (unsupported_code_address)`);
  return place + symbol.value;
}

function refuseRelocations({ file }: ElfObject, section: Section): void {
  const [first] = section.relocations;
  if (first !== undefined)
    throw elfError(
      file,
      `${section.name} holds the address of ${first.symbol.name}; addresses in data are not supported`,
    );
}

// ---------------------------------------------------------------------------------------------------------- checking

/** Follows control from the entry, as a verifier does: what it meets that leaves the program or cannot be run. */
function unrunnable({ blocks, entry }: Image): string | undefined {
  const code = blocks.filter((b) => b.executable);
  const seen = new Set<bigint>();
  const pending = [{ at: entry, from: entry }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { at, from } = next;
    if (seen.has(at)) continue;
    seen.add(at);
    const home = code.find((b) => at >= b.address && at + 8n <= b.address + BigInt(b.bytes.length));
    if (home === undefined)
      return `the instruction at 0x${from.toString(16)} goes on at 0x${at.toString(16)}, out of the program`;
    const { ways, problem } = follow(
      new DataView(home.bytes.buffer, home.bytes.byteOffset + Number(at - home.address), 8),
    );
    if (problem !== undefined) return `the instruction at 0x${at.toString(16)} ${problem}`;
    for (const slots of ways) pending.push({ at: at + 8n + 8n * slots, from: at });
  }
  return undefined;
}

/** Where control can go from an instruction, in slots from the next; or why it cannot be run. */
function follow(slot: DataView): { readonly ways: readonly bigint[]; readonly problem?: string } {
  const opcode = slot.getUint8(0);
  const src = slot.getUint8(1) >> 4;
  const [offset, imm] = [BigInt(slot.getInt16(2, true)), BigInt(slot.getInt32(4, true))];
  const [kind, code] = [opcode & 7, opcode >> 4];
  switch (opcode) {
    case 0x95:
      return { ways: [] };
    case 0x05:
      return { ways: [offset] };
    case 0x06:
      return { ways: [imm] };
    case 0x85:
      if (src === 1) return { ways: [imm, 0n] };
      return {
        ways: [],
        problem: `calls ${src === 2 ? "kernel" : "helper"} function ${imm}, which is known by number only and cannot be run`,
      };
    case 0x18:
      if (src === 0) return { ways: [1n] };
      return {
        ways: [],
        problem: `loads the address of a map, variable or function (src ${src}), which is not supported`,
      };
    default:
      if (kind === 0 && (code >> 1 === 1 || code >> 1 === 2))
        return { ways: [], problem: "accesses a packet by a deprecated instruction, which is not supported" };
      return { ways: kind === 5 || kind === 6 ? [0n, offset] : [0n] };
  }
}
