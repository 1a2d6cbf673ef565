/**
 * Cases of an instruction set that a library decodes. A definition's forms are costly to make and cheap to run: a block's cases are
 * drawn from so many instructions, each with other numbers in it, registers and memory every time.
 */
import type { Random } from "fast-check";
import { type DecoderLibrary, decoderLibrary } from "../refinement/assembly/library.js";
import type { Counterexample } from "../refinement/counterexample.js";
import type { DecodedInstruction, MemoryOperand } from "../refinement/decoded.js";
import type { CaseRoom, EmulatorCase, Patch } from "../refinement/emulator.js";
import { InternalDefect } from "../refinement/errors.js";
import { zeroState } from "../refinement/execute/concrete.js";
import { type CodeBytes, execute, type Fetched, fetchAt, step } from "../refinement/execute/decoded.js";
import type { State } from "../refinement/execute/state.js";
import type { DecodedBlock, DecodedInstructionSet, Machine, StateVariable } from "../refinement/machine.js";
import { MemoryValue, type Value } from "../refinement/terms/value.js";
import { DecodedInstructions } from "./arbitraries/decoded-instructions.js";
import { values } from "./arbitraries/values.js";
import { agreeing } from "./emulator-choices.js";
import type { Draws, EmulatedGuest } from "./emulator-guest.js";
import { addressNear } from "./emulator-cases.js";
import type { Stepped } from "./emulator-step.js";
import { oneIn, pick } from "./random.js";

export interface DecodedCase extends EmulatorCase {
  readonly pc: bigint;
  /** What is put at the pc; empty where nothing is. */
  readonly code: Uint8Array;
  /** Variables but the program counter and memory. */
  readonly registers: ReadonlyMap<string, Value>;
  /** Memory other than the code. */
  readonly data: readonly Patch[];
}

/** Instructions that the n first cases of a block are made of: many at first, then fewer. */
const instructionOf = (n: number): number => (n < 64 ? n : 64 + Math.floor((n - 64) / 24));
/** A path of draws that no case has. */
const INSTRUCTIONS = -1;
const ILLEGAL = "illegal";
const FETCH_FAULT = "fetch_fault";

export class DecodedGuest implements EmulatedGuest<DecodedCase> {
  readonly machine: Machine;
  readonly programCounter: string;
  private readonly room: CaseRoom;
  private readonly set: DecodedInstructionSet;
  private readonly library: DecoderLibrary;
  private readonly instructions: DecodedInstructions;
  private readonly others: readonly StateVariable[];
  private readonly zero: State;
  private readonly drawn = new Map<string, DecodedInstruction | undefined>();

  private constructor(machine: Machine, room: CaseRoom, library: DecoderLibrary) {
    const set = setOf(machine);
    this.machine = machine;
    this.room = room;
    this.set = set;
    this.programCounter = set.programCounter;
    this.library = library;
    this.instructions = new DecodedInstructions(set, library);
    this.others = machine.variables.filter(
      (v) => !v.implicit && v.name !== set.programCounter && v.sort.kind !== "memory",
    );
    this.zero = zeroState(machine);
  }

  static async open(machine: Machine, room: CaseRoom): Promise<DecodedGuest> {
    return new DecodedGuest(machine, room, await decoderLibrary(setOf(machine)));
  }

  get subjects(): readonly string[] {
    return [...this.set.blocks.map((b) => b.name), ILLEGAL, FETCH_FAULT];
  }

  draw(subject: string, draws: Draws, n: number): DecodedCase | undefined {
    const random = draws(n);
    if (subject === ILLEGAL) return this.illegal(random);
    if (subject === FETCH_FAULT) return this.denied(random);
    const block = this.set.blocks.find((b) => b.name === subject);
    if (block === undefined) throw new InternalDefect(`${this.machine.name} has no block ${subject}`);
    const found = this.instruction(block, draws, instructionOf(n));
    return found === undefined ? undefined : this.around(random, this.renumbered(random, found, block));
  }

  private instruction(block: DecodedBlock, draws: Draws, n: number): DecodedInstruction | undefined {
    // Seeds differ from run to run; within one, an instruction is drawn once.
    const random = draws(INSTRUCTIONS, n);
    const key = `${block.name} ${n} ${random.clone().nextInt()}`;
    if (!this.drawn.has(key)) {
      if (this.drawn.size > MOST_DRAWN) this.drawn.clear();
      this.drawn.set(key, this.instructions.draw(random, block, n));
    }
    return this.drawn.get(key);
  }

  /** The same instruction with other numbers, most of the time. */
  private renumbered(random: Random, of: DecodedInstruction, block: DecodedBlock): DecodedInstruction {
    const bytes = of.bytes.slice();
    for (const { offset, size } of this.library.numbers(bytes)) {
      if (oneIn(random, 3)) continue;
      writeNumber(bytes, offset, size, values({ kind: "bits", width: 8 * size }).draw(random));
    }
    return this.instructions.read(bytes, block) ?? of;
  }

  /** A case of an instruction: where it stands, and a state in which it has something to do. */
  private around(random: Random, instruction: DecodedInstruction): DecodedCase {
    const pc = this.slot(random, instruction.length);
    const pool = this.addresses(random, pc);
    const registers = this.registers(random, pool);
    const data: Patch[] = [];
    const code = instruction.bytes.slice();
    for (const operand of instruction.operands)
      if (operand.kind === "memory" && !oneIn(random, 6)) this.aim(random, operand, pc, code, registers, pool, data);
    if (instruction.operands.some((o) => o.kind === "target") && oneIn(random, 2))
      this.aimTarget(random, pc, code, pool);
    const stack = registers.get(this.set.registers[STACK_POINTER] ?? "");
    if (typeof stack === "bigint" && oneIn(random, 2)) this.patch(random, stack, 8, registers, pool, data);
    return this.assemble(pc, code, registers, data);
  }

  private registers(random: Random, pool: readonly bigint[]): Map<string, Value> {
    const word = values({ kind: "bits", width: 64 }, pool);
    const few = [word.draw(random), word.draw(random), word.draw(random)];
    const registers = new Map<string, Value>();
    for (const v of this.others) {
      const fixed = this.room.fixed?.get(v.name);
      if (fixed !== undefined) registers.set(v.name, fixed);
      else if (v.sort.kind === "bits" && v.sort.width === 64)
        registers.set(v.name, oneIn(random, 4) ? (pick(random, few) ?? 0n) : word.draw(random));
      else if (v.sort.kind === "bits")
        registers.set(v.name, values({ kind: "bits", width: v.sort.width }).draw(random));
      else registers.set(v.name, random.nextBigInt(0n, 1n));
    }
    for (const base of this.set.segments.values())
      if (this.room.fixed?.has(base) !== true) registers.set(base, pick(random, pool) ?? 0n);
    for (const index of [STACK_POINTER, FRAME_POINTER]) {
      const name = this.set.registers[index];
      if (name !== undefined && !oneIn(random, 4)) registers.set(name, pick(random, pool) ?? 0n);
    }
    const counter = this.set.registers[COUNTER];
    if (counter !== undefined && oneIn(random, 5)) registers.set(counter, BigInt(random.nextInt(0, 3)));
    return registers;
  }

  /** Lets an operand in memory be where something is: through a register, or through its displacement. */
  private aim(
    random: Random,
    operand: MemoryOperand,
    pc: bigint,
    code: Uint8Array,
    registers: Map<string, Value>,
    pool: readonly bigint[],
    data: Patch[],
  ): void {
    const size = Math.max(1, operand.width / 8);
    const drawn = pick(random, pool) ?? 0n;
    const target = oneIn(random, 2) ? drawn & ~BigInt(size - 1) : drawn;
    const next = pc + BigInt(code.length);
    const name = (index: number | "rip" | undefined): string =>
      typeof index === "number" ? (this.set.registers[index] ?? "") : "";
    const value = (of: string): bigint => numberOf(registers.get(of));
    const segment = value(this.set.segments.get(operand.segment) ?? "");
    const { base, index, displacement } = operand;
    const scale = BigInt(operand.scale);
    const offset = BigInt.asUintN(operand.addressSize, target - segment);
    const wide = (address: bigint): bigint => BigInt.asUintN(operand.addressSize, address);
    if (typeof base === "number" && base !== index) {
      registers.set(name(base), wide(offset - displacement - (index === undefined ? 0n : value(name(index)) * scale)));
    } else if (base === undefined && index !== undefined) {
      registers.set(name(index), wide(offset - displacement) / scale);
    } else if (index === undefined) {
      const place = this.library.numbers(code).find((n) => n.kind === "displacement");
      const wanted = base === "rip" ? offset - next : offset;
      const bits = place === undefined ? 0 : 8 * place.size;
      if (place !== undefined && BigInt.asIntN(bits, wanted) === wanted)
        writeNumber(code, place.offset, place.size, wanted);
    }
    if (operand.width > 0 && !oneIn(random, 3)) this.patch(random, target, size, registers, pool, data);
  }

  private aimTarget(random: Random, pc: bigint, code: Uint8Array, pool: readonly bigint[]): void {
    const [place] = this.library.numbers(code).slice(-1);
    const distance = (pick(random, pool) ?? 0n) - pc - BigInt(code.length);
    if (place !== undefined && BigInt.asIntN(8 * place.size, distance) === distance)
      writeNumber(code, place.offset, place.size, distance);
  }

  /** Memory that holds something to compute with, or to go to; often what a register holds, too. */
  private patch(
    random: Random,
    at: bigint,
    size: number,
    registers: ReadonlyMap<string, Value>,
    pool: readonly bigint[],
    data: Patch[],
  ): void {
    const writable = this.room.memory.accessible("store", at, size);
    if (!writable || data.length >= MOST_PATCHES) return;
    const width = 8 * size;
    const known = this.set.registers.map((r) => BigInt.asUintN(width, numberOf(registers.get(r))));
    const value = oneIn(random, 4)
      ? (pick(random, known) ?? 0n)
      : values(
          { kind: "bits", width },
          pool.map((a) => BigInt.asUintN(width, a)),
        ).draw(random);
    const bytes = new Uint8Array(size);
    writeNumber(bytes, 0, size, value);
    data.push({ address: at, bytes });
  }

  assemble(pc: bigint, code: Uint8Array, registers: ReadonlyMap<string, Value>, data: readonly Patch[]): DecodedCase {
    const patches = code.length === 0 ? [...data] : [...data, { address: pc, bytes: code }];
    const memory = patches.reduce((m, p) => m.storeBytes(p.address, p.bytes), this.room.memory);
    const state = new Map<string, Value>([
      ...this.zero,
      ...registers,
      [this.programCounter, pc],
      [this.set.memory, memory],
    ]);
    return { pc, code, registers, data, patches, state };
  }

  /** Bytes that are no instruction: anything, or an instruction with some bits flipped. */
  private illegal(random: Random): DecodedCase | undefined {
    const length = random.nextInt(1, this.set.most);
    let bytes = Uint8Array.from({ length }, () => random.nextInt(0, 255));
    if (oneIn(random, 8)) {
      // A prefix, over and over.
      const block = pick(random, this.set.blocks);
      const model = block === undefined ? undefined : this.instructions.draw(random, block, random.nextInt(0, 50));
      bytes = new Uint8Array(this.set.most).fill(model?.bytes[0] ?? 0);
    } else if (!oneIn(random, 3)) {
      const block = pick(random, this.set.blocks);
      const model = block === undefined ? undefined : this.instructions.draw(random, block, random.nextInt(0, 50));
      if (model === undefined) return undefined;
      bytes.set(model.bytes.subarray(0, length));
      for (let flips = random.nextInt(1, 2); flips > 0; flips--) {
        const at = random.nextInt(0, Math.min(model.length, length) - 1);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.nextInt(0, 7));
      }
    }
    if (this.library.decode(bytes).kind !== "undecodable") return undefined;
    // How much is fetched of what is no instruction, nothing says.
    const pc = this.slot(random, this.set.most);
    return this.assemble(pc, bytes, this.registers(random, this.addresses(random, pc)), []);
  }

  /** Nothing can be fetched, or not all of an instruction. */
  private denied(random: Random): DecodedCase | undefined {
    const range = pick(random, [...this.room.data, ...this.room.code]);
    const code = pick(random, this.room.code);
    if (range === undefined || code === undefined) return undefined;
    if (oneIn(random, 3)) {
      const at = pick(random, [
        0n,
        range.end + BigInt(random.nextInt(0, 40)),
        range.start - BigInt(random.nextInt(1, 40)),
      ]);
      return this.assemble(at, new Uint8Array(), this.registers(random, this.addresses(random, at)), []);
    }
    const block = pick(random, this.set.blocks);
    const model = block === undefined ? undefined : this.instructions.draw(random, block, random.nextInt(0, 50));
    if (model === undefined || model.length < 2) return undefined;
    const part = model.bytes.slice(0, random.nextInt(1, model.length - 1));
    if (this.library.decode(part).kind !== "truncated") return undefined;
    const pc = code.end - BigInt(part.length);
    return this.assemble(pc, part, this.registers(random, this.addresses(random, pc)), []);
  }

  /** Somewhere an instruction can stand: often at an edge, or across pages. */
  private slot(random: Random, length: number): bigint {
    const range = pick(random, this.room.code);
    if (range === undefined) throw new InternalDefect("the emulator has no room for code");
    const last = range.end - BigInt(length);
    if (!oneIn(random, 3)) return random.nextBigInt(range.start, last);
    return pick(random, [
      range.start,
      last,
      last - 1n,
      (range.start + range.end) / 2n - BigInt(random.nextInt(1, length)),
    ]);
  }

  /** Addresses worth holding in a register: in and around the places where something is accessible. */
  private addresses(random: Random, pc: bigint): readonly bigint[] {
    const found = [pc];
    for (let i = 0; i < 8; i++) {
      const range = pick(random, i < 6 ? this.room.data : this.room.code);
      if (range !== undefined) found.push(addressNear(random, range));
    }
    return found;
  }

  *smaller(c: DecodedCase): Generator<DecodedCase> {
    const first = this.room.code[0]?.start ?? 0n;
    if (c.code.length > 0 && c.pc !== first) yield this.assemble(first, c.code, c.registers, c.data);
    for (let i = 0; i < c.data.length; i++) yield this.assemble(c.pc, c.code, c.registers, c.data.toSpliced(i, 1));
    for (let at = 0; at < 2; at++) {
      const half = new Map([...c.registers].map(([name, v], i): [string, Value] => [name, i % 2 === at ? v : 0n]));
      if ([...half].some(([name, v]) => c.registers.get(name) !== v)) yield this.assemble(c.pc, c.code, half, c.data);
    }
    for (const code of this.smallerCode(c.code)) yield this.assemble(c.pc, code, c.registers, c.data);
    for (const v of this.others) {
      const value = c.registers.get(v.name);
      if (typeof value !== "bigint" || value === 0n) continue;
      yield this.assemble(c.pc, c.code, new Map([...c.registers, [v.name, 0n]]), c.data);
      if (v.sort.kind !== "bits") continue;
      for (const candidate of values({ kind: "bits", width: v.sort.width }).smaller(value))
        yield this.assemble(c.pc, c.code, new Map([...c.registers, [v.name, candidate]]), c.data);
    }
    for (const [i, { address, bytes }] of c.data.entries()) {
      const zeros = new Uint8Array(bytes.length);
      if (bytes.some((b) => b !== 0))
        yield this.assemble(c.pc, c.code, c.registers, c.data.with(i, { address, bytes: zeros }));
    }
  }

  /** Without prefixes that do nothing, without an index or a displacement, with smaller numbers. */
  private *smallerCode(code: Uint8Array): Generator<Uint8Array> {
    const reading = this.library.decode(code);
    if (reading.kind !== "instruction") return;
    const { instruction } = reading;
    const shortest = this.library.encode(instruction);
    if (shortest !== undefined && shortest.length < code.length) yield shortest;
    for (const [i, operand] of instruction.operands.entries()) {
      if (operand.kind !== "memory") continue;
      const simpler: MemoryOperand[] = [
        { ...operand, segment: "none" },
        { ...operand, index: undefined, scale: 1 },
        { ...operand, displacement: 0n },
      ];
      for (const candidate of simpler) {
        const changed = { ...instruction, operands: instruction.operands.with(i, candidate) };
        const encoded = this.library.encode(changed);
        if (encoded !== undefined && !sameBytes(encoded, code)) yield encoded;
      }
    }
    for (const { offset, size } of this.library.numbers(code)) {
      for (const candidate of values({ kind: "bits", width: 8 * size }).smaller(readNumber(code, offset, size))) {
        const copy = code.slice();
        writeNumber(copy, offset, size, candidate);
        yield copy;
      }
    }
  }

  stores(subject: string): boolean {
    return this.set.blocks.some((b) => b.name === subject && b.operands.some((o) => o.kinds.includes("memory")));
  }

  step(state: State, shown: State): Stepped | undefined {
    const fetched = this.fetch(state);
    if (fetched.kind === "instruction") {
      const { form, instruction } = fetched;
      const outcome = (choices: ReadonlyMap<string, bigint>): State =>
        execute(this.machine, form, instruction, state, choices);
      return { transition: form.block.name, state: agreeing(this.machine, form.choices, outcome, shown) };
    }
    const stepped = step(this.machine, state, this.library.decode);
    if (stepped.kind !== "stepped") return undefined;
    return { transition: fetched.kind === "fault" ? FETCH_FAULT : ILLEGAL, state: stepped.state };
  }

  private fetch(state: State): Fetched {
    const memory = this.memoryOf(state);
    return fetchAt(this.set, codeOf(memory), this.counterOf(state), this.library.decode);
  }

  code(state: State): Counterexample["guest"] {
    const pc = this.counterOf(state);
    const bytes = this.bytesAt(state);
    if (bytes.length === 0) return undefined;
    const fetched = this.fetch(state);
    if (fetched.kind === "instruction") {
      const { instruction } = fetched;
      return { code: hex(instruction.bytes), assembly: [this.library.print(instruction, pc)], pc };
    }
    const [line] = this.library.disassemble(bytes, pc, () => false);
    return { code: hex(bytes), assembly: line === undefined ? [] : [line.text], pc };
  }

  caseIn(state: State, pc: bigint, data: readonly Patch[]): DecodedCase {
    const registers = new Map(
      [...state].filter(([name, v]) => name !== this.programCounter && !(v instanceof MemoryValue)),
    );
    return this.assemble(pc, this.bytesAt(state), registers, data);
  }

  /** The instruction at the program counter, or what can be fetched there instead. */
  private bytesAt(state: State): Uint8Array {
    const memory = this.memoryOf(state);
    const pc = this.counterOf(state);
    let length = 0;
    while (length < this.set.most && memory.accessible("fetch", pc + BigInt(length), 1)) length++;
    const bytes = Uint8Array.from({ length }, (_, i) => memory.readByte(pc + BigInt(i)));
    const reading = this.library.decode(bytes);
    return reading.kind === "instruction" ? reading.instruction.bytes : bytes;
  }

  private memoryOf(state: State): MemoryValue {
    const memory = state.get(this.set.memory);
    if (!(memory instanceof MemoryValue)) throw new InternalDefect("a state without memory");
    return memory;
  }

  private counterOf(state: State): bigint {
    return numberOf(state.get(this.programCounter));
  }

  *transplants(state: State): Generator<DecodedCase> {
    const place = this.room.code[0]?.start;
    const fetched = this.fetch(state);
    if (place === undefined || fetched.kind !== "instruction") return;
    const registers = new Map(
      [...state].filter(([name, v]) => name !== this.programCounter && !(v instanceof MemoryValue)),
    );
    yield this.assemble(place, fetched.instruction.bytes, registers, []);
  }
}

function setOf(machine: Machine): DecodedInstructionSet {
  if (machine.decoded === undefined) throw new InternalDefect(`no library decodes the instructions of ${machine.name}`);
  return machine.decoded;
}

function codeOf(memory: MemoryValue): CodeBytes {
  return {
    fetchable: (address) => memory.accessible("fetch", address, 1),
    byte: (address) => memory.readByte(address),
  };
}

/** Registers with a task of their own, by the decoder's numbers. */
const COUNTER = 1;
const STACK_POINTER = 4;
const FRAME_POINTER = 5;

const MOST_DRAWN = 1 << 16;
/** Of memory, in one case. */
const MOST_PATCHES = 3;

function numberOf(value: Value | undefined): bigint {
  return typeof value === "bigint" ? value : 0n;
}

function writeNumber(bytes: Uint8Array, offset: number, size: number, value: bigint): void {
  for (let i = 0; i < size; i++) bytes[offset + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

function readNumber(bytes: Uint8Array, offset: number, size: number): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[offset + i] ?? 0);
  return value;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
