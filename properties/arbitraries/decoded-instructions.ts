/**
 * Instructions that a library decodes, drawn for a block of a machine: every combination of its operands' kinds and widths in turn, with
 * random registers and places in memory, and encodings that no assembler would choose.
 */
import type { Random } from "fast-check";
import type { DecoderLibrary, Encodable, ImpliedOperands } from "../../refinement/assembly/library.js";
import type { DecodedInstruction, MemoryOperand, Operand } from "../../refinement/decoded.js";
import type { DecodedBlock, DecodedInstructionSet, OperandKind } from "../../refinement/machine.js";
import { oneIn, pick } from "../random.js";
import { values } from "./values.js";

interface Combination {
  readonly kinds: readonly OperandKind[];
  readonly widths: readonly number[];
}

/** Draws until the library can encode one: most operands that a block allows, some instruction has. */
const PATIENCE = 60;

export class DecodedInstructions {
  private readonly set: DecodedInstructionSet;
  private readonly library: DecoderLibrary;
  private readonly combinations = new Map<DecodedBlock, readonly Combination[]>();

  constructor(set: DecodedInstructionSet, library: DecoderLibrary) {
    this.set = set;
    this.library = library;
  }

  /** The n-th instruction of a block; undefined where no encoding was found. */
  draw(random: Random, block: DecodedBlock, n: number): DecodedInstruction | undefined {
    const all = this.combinationsOf(block);
    for (let attempt = 0; attempt < PATIENCE; attempt++) {
      // Combinations that nothing encodes are passed over.
      const combination = all[(n + Math.floor(attempt / 12)) % all.length];
      if (combination === undefined) return undefined;
      const bytes = this.library.encode(instruction(random, block, combination, this.library.implied(block.mnemonic)));
      const found = bytes === undefined ? undefined : this.read(bytes, block);
      if (found !== undefined) return oneIn(random, 3) ? this.varied(random, found, block) : found;
    }
    return undefined;
  }

  /** The instruction that the bytes are, if it is the block's. */
  read(bytes: Uint8Array, block: DecodedBlock): DecodedInstruction | undefined {
    const reading = this.library.decode(bytes);
    if (reading.kind !== "instruction" || reading.instruction.length !== bytes.length) return undefined;
    const form = this.set.form(reading.instruction);
    return form.kind === "form" && form.block === block ? reading.instruction : undefined;
  }

  /** With a prefix more or some bits flipped, if that is an instruction of the block as well. */
  private varied(random: Random, of: DecodedInstruction, block: DecodedBlock): DecodedInstruction {
    for (let attempt = 0; attempt < 8; attempt++) {
      const bytes = oneIn(random, 3) ? prefixed(random, of.bytes) : flipped(random, of.bytes);
      const found = bytes.length > this.set.most ? undefined : this.read(bytes, block);
      if (found !== undefined) return found;
    }
    return of;
  }

  private combinationsOf(block: DecodedBlock): readonly Combination[] {
    let found = this.combinations.get(block);
    if (found === undefined) {
      found = [...combinations(block)];
      this.combinations.set(block, found);
    }
    return found;
  }
}

function* combinations({ operands, widths }: DecodedBlock): Generator<Combination> {
  const uniform = operands.some((o) => o.widths === undefined) ? widths : [0];
  for (const width of uniform) {
    for (const kinds of products(operands.map((o) => o.kinds))) {
      const each = operands.map((o, i) =>
        kinds[i] === "address" || kinds[i] === "target" ? [0] : (o.widths ?? [width]),
      );
      for (const own of products(each)) yield { kinds, widths: own };
    }
  }
}

function products<T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] {
  return lists.reduce<readonly (readonly T[])[]>((done, list) => done.flatMap((d) => list.map((x) => [...d, x])), [[]]);
}

function instruction(
  random: Random,
  block: DecodedBlock,
  { kinds, widths }: Combination,
  implied: ImpliedOperands | undefined,
): Encodable {
  const { mnemonic } = block;
  const first = kinds[0];
  if (implied !== undefined) return stringInstruction(random, block, implied, widths);
  const addressSize = oneIn(random, 8) ? 32 : undefined;
  const operands = block.operands.map((_, i) =>
    operand(random, kinds[i] ?? "register", widths[i] ?? 64, addressSize ?? 64),
  );
  const inMemory = operands.some((o) => o.kind === "memory");
  return {
    mnemonic,
    prefixes: { lock: first === "memory" && oneIn(random, 6), rep: "none" },
    operands,
    addressSize: inMemory || operands.some((o) => o.kind === "target") ? addressSize : undefined,
  };
}

function stringInstruction(
  random: Random,
  { mnemonic }: DecodedBlock,
  { bases, segmented, repeats }: ImpliedOperands,
  widths: readonly number[],
): Encodable {
  const addressSize = oneIn(random, 5) ? 32 : 64;
  const width = registerWidth(widths[0] ?? 64);
  const operands = bases.map((base): Operand => {
    if (base === undefined) return { kind: "register", file: "gpr", index: 0, width, high: false };
    const segment = base === segmented ? pick(random, ["none", "none", "none", "fs", "gs"] as const) : "none";
    const place = { base, index: undefined, scale: 1, displacement: 0n, addressSize } as const;
    return { kind: "memory", width, segment, stack: false, ...place };
  });
  const rep = pick(random, repeats) ?? "none";
  return { mnemonic, prefixes: { lock: false, rep }, operands, operandSize: width, addressSize };
}

function operand(random: Random, kind: OperandKind, width: number, addressSize: 32 | 64): Operand {
  switch (kind) {
    case "register": {
      const high = width === 8 && oneIn(random, 4);
      const index = high ? random.nextInt(0, 3) : register(random);
      return { kind, file: "gpr", index, width: registerWidth(width), high };
    }
    case "immediate":
      return { kind, value: immediate(random, width), width: registerWidth(width) };
    case "target":
      return { kind, displacement: BigInt(random.nextInt(-200, 200)) };
    case "memory":
    case "address":
      return place(random, kind === "address" ? 0 : memoryWidth(width), addressSize);
    default:
      return kind satisfies never;
  }
}

/** al and cl have encodings and instructions of their own. */
function register(random: Random): number {
  const chance = random.nextInt(0, 9);
  return chance < 2 ? 1 : chance < 4 ? 0 : random.nextInt(0, 15);
}

function immediate(random: Random, width: number): bigint {
  const value = values({ kind: "bits", width: Math.min(width, oneIn(random, 2) ? 8 : 32) }).draw(random);
  const signed = BigInt.asIntN(Math.min(width, 32), value);
  if (width === 64 && oneIn(random, 4)) return values({ kind: "bits", width }).draw(random);
  return BigInt.asUintN(width, signed);
}

function place(random: Random, width: MemoryOperand["width"], addressSize: 32 | 64): MemoryOperand {
  const chance = random.nextInt(0, 9);
  const base = chance === 0 ? "rip" : chance <= 2 ? undefined : random.nextInt(0, 15);
  const indexed = base !== "rip" && !oneIn(random, 3);
  const drawn = random.nextInt(0, 15);
  const index = indexed && drawn !== 4 ? drawn : undefined;
  const segment = pick(random, ["none", "none", "none", "none", "fs", "gs"] as const);
  return {
    kind: "memory",
    width,
    segment,
    stack: segment === "none" && (base === 4 || base === 5),
    base,
    index,
    scale: index === undefined ? 1 : pick(random, [1, 2, 4, 8] as const),
    displacement: displacement(random),
    addressSize,
  };
}

function displacement(random: Random): bigint {
  if (oneIn(random, 3)) return 0n;
  if (oneIn(random, 2)) return BigInt(random.nextInt(-128, 127));
  return BigInt.asIntN(32, values({ kind: "bits", width: 32 }).draw(random));
}

function registerWidth(width: number): 8 | 16 | 32 | 64 {
  return width === 8 || width === 16 || width === 32 ? width : 64;
}

function memoryWidth(width: number): MemoryOperand["width"] {
  return width === 128 ? 128 : registerWidth(width);
}

/** Segments, sizes, repetitions and REX, before an instruction that has no need of them. */
const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3] as const;

function prefixed(random: Random, bytes: Uint8Array): Uint8Array {
  const prefix = oneIn(random, 3) ? 0x40 + random.nextInt(0, 15) : pick(random, PREFIXES);
  return Uint8Array.from([prefix, ...bytes]);
}

function flipped(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  for (let flips = random.nextInt(1, 2); flips > 0; flips--) {
    const at = random.nextInt(0, copy.length - 1);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.nextInt(0, 7));
  }
  return copy;
}
