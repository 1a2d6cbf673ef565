/**
 * Random single instructions for an emulator, on states biased to where emulators go wrong: corner values, equal registers,
 * accesses at the edges of what is accessible, targets near and far.
 */
import type { Random } from "fast-check";
import { bytesOfWord, decode, encode, shortestLength, wordFrom } from "../refinement/assembly/index.js";
import type { CaseRoom, EmulatorCase, Range } from "../refinement/emulator.js";
import { InternalDefect } from "../refinement/errors.js";
import { zeroState } from "../refinement/execute/concrete.js";
import type { State } from "../refinement/execute/state.js";
import type { Instruction, InstructionSet, Machine, StateVariable } from "../refinement/machine.js";
import { FileValue, type Value } from "../refinement/terms/value.js";
import type { Drawn } from "./arbitraries/drawn.js";
import { addressesOf, aimAt } from "./aim.js";
import { type Operands, operands } from "./arbitraries/operands.js";
import { values } from "./arbitraries/values.js";
import { pick } from "./random.js";

/** What a case is about: an instruction, words that are none, or a fetch that is denied. */
export type Subject =
  | { readonly kind: "instruction"; readonly instruction: Instruction; readonly operands: Drawn<Operands> }
  | { readonly kind: "illegal" }
  | { readonly kind: "fetch_fault" };

export interface DrawnCase extends EmulatorCase {
  readonly pc: bigint;
  /** Undefined where nothing stands at the pc. */
  readonly word: bigint | undefined;
  /** The scalar variables and files that were drawn, by name. */
  readonly registers: ReadonlyMap<string, Value>;
  /** Memory other than the instruction. */
  readonly data: EmulatorCase["patches"];
}

/** The obligations of an emulator, one for each of the guest's own transitions. */
export function subjects(guest: Machine): ReadonlyMap<string, Subject> {
  const found = new Map<string, Subject>();
  for (const t of guest.transitions) {
    if (t.instruction !== undefined) {
      found.set(t.name, { kind: "instruction", instruction: t.instruction, operands: operands(guest, t.instruction) });
    } else if (t.name === "illegal" || t.name === "fetch_fault") {
      found.set(t.name, { kind: t.name });
    }
  }
  return found;
}

export class Cases {
  private readonly guest: Machine;
  private readonly room: CaseRoom;
  private readonly isa: InstructionSet;
  private readonly pcName: string;
  /** The memory that instructions are fetched from, and data loaded from. */
  private readonly memory: StateVariable;
  private readonly others: readonly StateVariable[];
  private readonly zero: State;

  constructor(guest: Machine, room: CaseRoom) {
    const isa = guest.instructionSet;
    const memory = guest.variables.filter((v) => v.sort.kind === "memory");
    if (isa === undefined || memory.length !== 1 || memory[0] === undefined) {
      throw new InternalDefect(`${guest.name} is no instruction set with one memory`);
    }
    this.guest = guest;
    this.room = room;
    this.isa = isa;
    this.pcName = isa.programCounter;
    this.memory = memory[0];
    this.others = guest.variables.filter(
      (v) => !v.implicit && v.name !== isa.programCounter && v.sort.kind !== "memory",
    );
    this.zero = zeroState(guest);
  }

  draw(random: Random, subject: Subject): DrawnCase {
    const pc = subject.kind === "fetch_fault" ? this.nowhere(random) : this.slot(random);
    const pool = this.addresses(random, pc);
    const registers = new Map<string, Value>(this.others.map((v) => [v.name, this.value(random, v, pool)]));
    for (const [name, value] of this.room.fixed ?? []) registers.set(name, value);
    switch (subject.kind) {
      case "instruction": {
        const fields = new Map(subject.operands.draw(random));
        this.aim(random, pc, subject.instruction, fields, registers, pool);
        return this.assemble(pc, encode(subject.instruction, fields), registers);
      }
      case "illegal":
        return this.assemble(pc, this.illegalWord(random), registers);
      case "fetch_fault":
        return this.assemble(pc, undefined, registers);
      default:
        return subject satisfies never;
    }
  }

  /** The case made of these parts. */
  assemble(
    pc: bigint,
    word: bigint | undefined,
    registers: ReadonlyMap<string, Value>,
    data: EmulatorCase["patches"] = [],
  ): DrawnCase {
    const patches = [...data];
    if (word !== undefined) patches.push({ address: pc, bytes: bytesOfWord(this.isa, word) });
    const memory = patches.reduce((m, p) => m.storeBytes(p.address, p.bytes), this.room.memory);
    const state = new Map<string, Value>([...this.zero, ...registers, [this.pcName, pc], [this.memory.name, memory]]);
    return { pc, word, registers, data, patches, state };
  }

  /** Cases that are simpler in one respect, boldest first. */
  *smaller(c: DrawnCase): Generator<DrawnCase> {
    const first = this.room.code[0]?.start ?? 0n;
    if (c.word !== undefined && c.pc !== first) yield this.assemble(first, c.word, c.registers, c.data);
    for (let i = 0; i < c.data.length; i++) yield this.assemble(c.pc, c.word, c.registers, c.data.toSpliced(i, 1));
    const named = this.onlyNamed(c);
    if (named !== undefined) yield this.assemble(c.pc, c.word, named, c.data);
    yield* this.smallerWords(c);
    for (const v of this.others) {
      for (const value of this.smallerValues(v, c.registers.get(v.name))) {
        yield this.assemble(c.pc, c.word, new Map([...c.registers, [v.name, value]]), c.data);
      }
    }
  }

  /** The registers that the instruction does not name at zero; undefined where they are. */
  private onlyNamed(c: DrawnCase): ReadonlyMap<string, Value> | undefined {
    const decoded = c.word === undefined ? undefined : decode(this.guest, c.word);
    if (decoded === undefined) return undefined;
    const files = this.isa.fieldFiles.get(decoded.instruction.name);
    let fewer = false;
    const registers = new Map(c.registers);
    for (const [name, value] of c.registers) {
      if (!(value instanceof FileValue)) continue;
      const named = new Set(
        [...decoded.fields].flatMap(([field, index]) => {
          const indexed = files?.get(field);
          return indexed?.file === name ? [indexed.first + Number(index)] : [];
        }),
      );
      const elements = value.elements.map((e, i) => (named.has(i) ? e : 0n));
      fewer ||= elements.some((e, i) => e !== value.elements[i]);
      registers.set(name, new FileValue(elements));
    }
    return fewer ? registers : undefined;
  }

  private *smallerWords(c: DrawnCase): Generator<DrawnCase> {
    if (c.word === undefined) return;
    const decoded = decode(this.guest, c.word);
    if (decoded === undefined) return;
    for (const fields of operands(this.guest, decoded.instruction).smaller(decoded.fields)) {
      yield this.assemble(c.pc, encode(decoded.instruction, fields), c.registers, c.data);
    }
  }

  private *smallerValues(v: StateVariable, value: Value | undefined): Generator<Value> {
    if (value instanceof FileValue && v.sort.kind === "file") {
      const zero = this.zero.get(v.name);
      if (zero instanceof FileValue && !value.equals(zero)) {
        yield zero;
        for (let at = 0; at < 2; at++) {
          const half = new FileValue(value.elements.map((e, i) => (i % 2 === at ? e : (zero.elements[i] ?? 0n))));
          if (!half.equals(value)) yield half;
        }
      }
      const smaller = values({ kind: "bits", width: v.sort.element });
      for (const [index, element] of value.elements.entries()) {
        if (v.fixed.has(index)) continue;
        for (const candidate of smaller.smaller(element)) yield value.set(BigInt(index), candidate);
      }
    } else if (typeof value === "bigint" && v.sort.kind === "bits") {
      yield* values({ kind: "bits", width: v.sort.width }).smaller(value);
    }
  }

  /** Somewhere an instruction can stand: often at an edge. */
  private slot(random: Random): bigint {
    const range = pick(random, this.room.code);
    if (range === undefined) throw new InternalDefect("the emulator has no room for code");
    const length = BigInt(shortestLength(this.isa));
    const count = (range.end - range.start) / length;
    // The last places are too small for the longest instruction, whose fetch ends beyond what is accessible.
    const edges = [0n, count - 1n, count - 2n, count / 2n - 2n, count / 2n - 1n, count / 2n] as const;
    const index = random.nextInt(0, 3) === 0 ? pick(random, edges) : random.nextBigInt(0n, count - 1n);
    return range.start + index * length;
  }

  /** Somewhere nothing can be fetched. */
  private nowhere(random: Random): bigint {
    const range = pick(random, [...this.room.data, ...this.room.code]);
    if (range === undefined) return 0n;
    const length = BigInt(shortestLength(this.isa));
    return pick(random, [
      () => 0n,
      () => range.end + length * BigInt(random.nextInt(0, 40)),
      () => range.start - length * BigInt(random.nextInt(1, 40)),
      () => (isWithin(range, this.room.code) ? range.end : range.start + length * BigInt(random.nextInt(0, 40))),
    ])();
  }

  private value(random: Random, v: StateVariable, pool: readonly bigint[]): Value {
    if (v.sort.kind === "bits") {
      // One as wide as an address mostly is one, of something aligned.
      const address = this.memory.sort.kind === "memory" && this.memory.sort.address === v.sort.width;
      if (address && random.nextInt(0, 3) > 0)
        return (pick(random, pool) ?? 0n) & -8n & ((1n << BigInt(v.sort.width)) - 1n);
      return values({ kind: "bits", width: v.sort.width }, pool).draw(random);
    }
    if (v.sort.kind !== "file") return random.nextBigInt(0n, 1n);
    const element = values({ kind: "bits", width: v.sort.element }, pool);
    const few = [element.draw(random), element.draw(random), element.draw(random)];
    return new FileValue(
      Array.from({ length: v.sort.count }, (_, i) => {
        const fixed = v.fixed.get(i);
        if (fixed !== undefined) return fixed;
        return random.nextInt(0, 3) === 0 ? (pick(random, few) ?? 0n) : element.draw(random);
      }),
    );
  }

  /** Addresses worth holding in a register: in and around the places where something is accessible. */
  private addresses(random: Random, pc: bigint): readonly bigint[] {
    const found = [pc];
    for (let i = 0; i < 6; i++) {
      const range = pick(random, i < 4 ? this.room.data : this.room.code);
      if (range !== undefined) found.push(addressNear(random, range));
    }
    return found;
  }

  /** Three times of four one register is set so that the instruction touches or goes to one of the addresses. */
  private aim(
    random: Random,
    pc: bigint,
    instruction: Instruction,
    fields: ReadonlyMap<string, bigint>,
    registers: Map<string, Value>,
    pool: readonly bigint[],
  ): void {
    const address = pick(random, addressesOf(this.guest, instruction));
    if (random.nextInt(0, 3) === 0) return;
    // A variable as wide as an address may hold one, as a reservation does.
    const held = this.others.flatMap((v) => {
      const value = registers.get(v.name);
      return v.sort === address?.sort && typeof value === "bigint" ? [value] : [];
    });
    const target = pick(random, held.length > 0 && random.nextInt(0, 1) === 0 ? held : pool) ?? 0n;
    const state = new Map<string, Value>([...this.zero, ...registers, [this.pcName, pc]]);
    const aimed = address === undefined ? undefined : aimAt(this.guest, instruction, fields, state, address, target);
    if (aimed === undefined) {
      this.meet(random, instruction, fields, registers);
      return;
    }
    registers.set(aimed.file, aimed.value);
    const variable = this.others.find((v) => v.name === aimed.file);
    const files = this.isa.fieldFiles.get(instruction.name);
    const named = [...(files ?? [])].flatMap(([field, { file }]) =>
      file === aimed.file ? [fields.get(field) ?? 0n] : [],
    );
    if (variable !== undefined && random.nextInt(0, 5) === 0)
      this.repeat(target, aimed.file, variable, new Set(named.map(Number)), registers);
  }

  /** Now and then a register holds what the immediate itself is, for comparisons with it. */
  private meet(
    random: Random,
    instruction: Instruction,
    fields: ReadonlyMap<string, bigint>,
    registers: Map<string, Value>,
  ): void {
    const files = this.isa.fieldFiles.get(instruction.name);
    const immediate = pick(
      random,
      instruction.encoding.fields.filter((f) => files?.has(f.name) !== true),
    );
    if (immediate === undefined || random.nextInt(0, 7) !== 0) return;
    for (const [field, { file }] of files ?? []) {
      const variable = this.others.find((v) => v.name === file);
      const value = registers.get(file);
      const index = fields.get(field) ?? 0n;
      if (!(value instanceof FileValue) || variable?.sort.kind !== "file" || variable.fixed.has(Number(index)))
        continue;
      const same = BigInt.asIntN(immediate.width, fields.get(immediate.name) ?? 0n);
      registers.set(file, value.set(index, BigInt.asUintN(variable.sort.element, same)));
    }
  }

  /** What memory holds at an address in the registers that are not named: what a compare-and-exchange is to find. */
  private repeat(
    address: bigint,
    file: string,
    variable: StateVariable,
    named: ReadonlySet<number>,
    registers: Map<string, Value>,
  ): void {
    const value = registers.get(file);
    if (!(value instanceof FileValue) || variable.sort.kind !== "file") return;
    const found = this.room.memory.load(address, Math.ceil(variable.sort.element / 8));
    const content = BigInt.asUintN(variable.sort.element, found);
    const keeps = (i: number): boolean => named.has(i) || variable.fixed.has(i);
    registers.set(file, new FileValue(value.elements.map((e, i) => (keeps(i) ? e : content))));
  }

  /** A word that no instruction is: a neighbour of one that is, or anything. */
  private illegalWord(random: Random): bigint {
    const width = this.isa.wordWidth;
    for (;;) {
      let word = random.nextBigInt(0n, (1n << BigInt(width)) - 1n);
      const model = pick(random, this.isa.instructions);
      if (model !== undefined && random.nextInt(0, 3) > 0) {
        const flipped = 1n << BigInt(random.nextInt(0, width - 1));
        word = ((word & ~model.encoding.mask) | model.encoding.match) ^ flipped;
        if (random.nextInt(0, 1) === 0) word ^= 1n << BigInt(random.nextInt(0, width - 1));
      } else if (random.nextInt(0, 7) === 0) {
        word = pick(random, [0n, (1n << BigInt(width)) - 1n]);
      }
      word = wordFrom(this.isa, word);
      if (decode(this.guest, word) === undefined) return word;
    }
  }
}

function isWithin(range: Range, ranges: readonly Range[]): boolean {
  return ranges.some((r) => r.start === range.start);
}

/** An address at an edge of a range, across it, or inside. */
export function addressNear(random: Random, range: Range): bigint {
  const middle = (range.start + range.end) / 2n;
  return pick(random, [
    () => range.start + BigInt(random.nextInt(-8, 8)),
    () => range.end - BigInt(random.nextInt(-4, 16)),
    () => middle - BigInt(random.nextInt(0, 8)),
    () => random.nextBigInt(range.start, range.end - 1n),
    () => random.nextBigInt(range.start, range.end - 1n) & ~7n,
  ])();
}
