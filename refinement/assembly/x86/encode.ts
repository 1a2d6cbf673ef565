/**
 * Machine code for instructions: of all opcodes that can hold the operands the shortest, then the first in the manual's order. What
 * was encoded is decoded again before it is given out.
 */
import { Encoder, Instruction, OpKind, OpCodeOperandKind as Kind, Register } from "iced-x86";
import type { DecodedInstruction, ImmediateOperand, MemoryOperand, Operand, RegisterOperand } from "../../decoded.js";
import { decodeX86 } from "./decode.js";
import { type Form, formsByName, type Shape, shapeOf } from "./forms.js";
import { isString } from "./names.js";
import { numberOf } from "./registers.js";

/** An operand as an assembler meets it: a number that fits several widths, memory of unsaid width, an address that is meant. */
export type Wanted =
  | RegisterOperand
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "address"; readonly address: bigint }
  | WantedMemory;

export interface WantedMemory extends Omit<MemoryOperand, "width" | "stack"> {
  readonly width: MemoryOperand["width"] | undefined;
  /** The segment that is written; undefined stands for the default one. */
  readonly override: Register | undefined;
  /** The displacement of [rip + …] is this address. */
  readonly address?: bigint | undefined;
}

export interface WantedInstruction {
  readonly mnemonic: string;
  readonly lock: boolean;
  /** Of string instructions, whose operands are not written: the prefix, and the segment of [rsi] where it is not ds. */
  readonly repeat: "none" | "f3" | "f2";
  readonly segment: Register | undefined;
  /** Where it is said beside the operands. */
  readonly operandSize: number | undefined;
  readonly addressSize: 32 | 64 | undefined;
  readonly operands: readonly Wanted[];
}

export type Encoded =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly instruction: DecodedInstruction }
  | { readonly kind: "none"; readonly why: "mnemonic" | "operands" | "range" }
  /** Opcodes that differ in the width of memory would all do. */
  | { readonly kind: "ambiguous"; readonly widths: readonly number[] };

/** The instruction at `address`, on which only `address` operands depend. */
export function encodeWanted(wanted: WantedInstruction, address: bigint): Encoded {
  const forms = formsByName().get(wanted.mnemonic);
  if (forms === undefined) return { kind: "none", why: "mnemonic" };
  const sized = forms.filter((f) => sizesAgree(f, wanted));
  const shaped = sized.filter((f) => fitsShape(f, wanted));
  if (shaped.length === 0) return { kind: "none", why: "operands" };
  const chosen = unambiguous(shaped, wanted);
  if (!Array.isArray(chosen)) return chosen;
  let best: Extract<Encoded, { kind: "bytes" }> | undefined;
  for (const form of chosen) {
    if (!fitsValues(form, wanted)) continue;
    const encoded = encodeForm(form, wanted, address);
    if (encoded !== undefined && (best === undefined || encoded.bytes.length < best.bytes.length)) best = encoded;
  }
  return best ?? { kind: "none", why: "range" };
}

/** An instruction as far as it is given: sizes that are not are left to the operands. */
export interface Encodable extends Pick<DecodedInstruction, "mnemonic" | "prefixes" | "operands"> {
  readonly operandSize?: DecodedInstruction["operandSize"] | undefined;
  readonly addressSize?: DecodedInstruction["addressSize"] | undefined;
  /** What targets and rip were told with; at first a guess. */
  readonly length?: number | undefined;
}

/**
 * The shortest bytes of such an instruction; undefined where there are none. Targets and places relative to rip keep their distance
 * from the instruction's end.
 */
export function encodeX86(instruction: Encodable): Uint8Array | undefined {
  const string = isString(instruction.mnemonic);
  const source = string ? instruction.operands.find((o) => o.kind === "memory" && o.base === 6) : undefined;
  const wanted: WantedInstruction = {
    mnemonic: instruction.mnemonic,
    lock: instruction.prefixes.lock,
    repeat: instruction.prefixes.rep === "none" ? "none" : instruction.prefixes.rep === "repne" ? "f2" : "f3",
    segment: source?.kind === "memory" ? overrideOf(source) : undefined,
    operandSize: instruction.operandSize,
    addressSize: instruction.addressSize,
    operands: [],
  };
  let length = instruction.length ?? 1;
  // A target is told relative to the end of an instruction whose length it decides.
  for (let attempt = 0; attempt < 4; attempt++) {
    const operands = string ? [] : instruction.operands.map((o) => wantedOf(o, length));
    const encoded = encodeWanted({ ...wanted, operands }, ORIGIN);
    if (encoded.kind !== "bytes") return undefined;
    if (encoded.bytes.length === length) return same(instruction, encoded.instruction) ? encoded.bytes : undefined;
    length = encoded.bytes.length;
  }
  return undefined;
}

const ORIGIN = 1n << 40n;

function wantedOf(operand: Operand, length: number): Wanted {
  switch (operand.kind) {
    case "register":
      return operand;
    case "immediate":
      return { kind: "number", value: operand.value };
    case "target":
      return { kind: "address", address: ORIGIN + BigInt(length) + operand.displacement };
    case "memory":
      return { ...operand, override: overrideOf(operand) };
    default:
      return operand satisfies never;
  }
}

/** The segment register that must be written so that the operand is in its segment. */
function overrideOf({ segment }: MemoryOperand): Register | undefined {
  return segment === "none" ? undefined : segment === "fs" ? Register.FS : Register.GS;
}

/** Alike in everything that `a` says but length and bytes. */
export function same(a: Encodable, b: DecodedInstruction): boolean {
  if (a.operandSize !== undefined && a.operandSize !== b.operandSize) return false;
  if (a.addressSize !== undefined && a.addressSize !== b.addressSize) return false;
  const essence = ({ mnemonic, prefixes, operands }: Encodable): string =>
    JSON.stringify([mnemonic, prefixes, operands], (_, v: unknown) => (typeof v === "bigint" ? v.toString() : v));
  return essence(a) === essence(b);
}

function sizesAgree(form: Form, wanted: WantedInstruction): boolean {
  const { operandSize, addressSize } = wanted;
  if (operandSize !== undefined && form.operandSize !== 0 && form.operandSize !== operandSize) return false;
  if (form.addressSize !== 0 && form.addressSize !== (addressSize ?? 64)) return false;
  return !isString(wanted.mnemonic) || operandSize === undefined || form.memoryWidth === operandSize;
}

function fitsShape(form: Form, { mnemonic, operands }: WantedInstruction): boolean {
  if (isString(mnemonic)) return operands.length === 0;
  return (
    form.operands.length === operands.length &&
    operands.every((operand, i) => {
      const kind = form.operands[i];
      const shape = kind === undefined ? undefined : shapeOf(kind);
      return shape !== undefined && matches(shape, operand, form);
    })
  );
}

function matches(shape: Shape, operand: Wanted, form: Form): boolean {
  switch (shape.kind) {
    case "register":
      if (operand.kind === "memory") return shape.memory && widthFits(operand, form);
      return operand.kind === "register" && operand.width === shape.width;
    case "fixed":
      return operand.kind === "register" && numberOf(operand) === shape.register;
    case "memory":
      if (operand.kind !== "memory" || !widthFits(operand, form)) return false;
      return !shape.absolute || (operand.base === undefined && operand.index === undefined);
    case "immediate":
      return operand.kind === "number";
    case "target":
      return operand.kind === "address";
    case "string":
      return false;
    default:
      return shape satisfies never;
  }
}

function widthFits({ width }: WantedMemory, form: Form): boolean {
  return width === undefined || width === 0 || width === form.memoryWidth || form.memoryWidth === 0;
}

/** Memory of unsaid width has 64 bits where an instruction works on the stack or jumps; otherwise the operands must tell. */
function unambiguous(
  forms: readonly Form[],
  wanted: WantedInstruction,
): Form[] | Extract<Encoded, { kind: "ambiguous" }> {
  const unsaid = wanted.operands.some((o) => o.kind === "memory" && o.width === undefined);
  const widths = [...new Set(forms.map((f) => f.memoryWidth))].sort((a, b) => a - b);
  const preferred = preferredSize(forms, wanted);
  if (preferred !== undefined) return forms.filter((f) => f.operandSize === preferred);
  if (!unsaid || widths.length === 1) return [...forms];
  return { kind: "ambiguous", widths };
}

/** Without a word on it, the operand size that no prefix is needed for, of instructions whose operands do not tell. */
const DEFAULT_SIZES: Readonly<Record<string, number>> = {
  push: 64,
  pop: 64,
  jmp: 64,
  call: 64,
  enter: 64,
  leave: 64,
  ret: 64,
  nop: 32,
};

function preferredSize(
  forms: readonly Form[],
  { mnemonic, operandSize, operands }: WantedInstruction,
): number | undefined {
  const size = DEFAULT_SIZES[mnemonic];
  const told =
    operandSize !== undefined ||
    operands.some((o) => o.kind === "register" || (o.kind === "memory" && o.width !== undefined && o.width !== 0));
  return size === undefined || told || !forms.some((f) => f.operandSize === size) ? undefined : size;
}

function fitsValues(form: Form, { operands }: WantedInstruction): boolean {
  return operands.every((operand, i) => {
    const kind = form.operands[i];
    const shape = kind === undefined ? undefined : shapeOf(kind);
    if (operand.kind !== "number" || shape?.kind !== "immediate") return true;
    if (shape.only !== undefined && operand.value !== shape.only) return false;
    return immediateFor(operand.value, shape) !== undefined;
  });
}

/** The immediate of `width` bits that a number is, if sign-extending its low `encoded` bits gives it back. */
function immediateFor(
  value: bigint,
  { width, encoded }: { readonly width: ImmediateOperand["width"]; readonly encoded: number },
): bigint | undefined {
  if (value < -(1n << BigInt(width - 1)) || value >= 1n << BigInt(width)) return undefined;
  const signed = BigInt.asIntN(width, value);
  return encoded === width || BigInt.asIntN(encoded, signed) === signed ? signed : undefined;
}

/** The instruction in this form; undefined where the form cannot hold it. */
export function encodeForm(
  form: Form,
  wanted: WantedInstruction,
  address: bigint,
): Extract<Encoded, { kind: "bytes" }> | undefined {
  const length = lengthOf(form, wanted, address);
  const bytes = length === undefined ? undefined : attempt(form, wanted, address, length);
  if (bytes === undefined || (length !== 0 && bytes.length !== length)) return undefined;
  const reading = decodeX86(bytes);
  if (reading.kind !== "instruction" || !isWanted(reading.instruction, wanted, address + BigInt(bytes.length)))
    return undefined;
  return { kind: "bytes", bytes, instruction: reading.instruction };
}

function isWanted(found: DecodedInstruction, wanted: WantedInstruction, next: bigint): boolean {
  if (found.mnemonic !== wanted.mnemonic || found.prefixes.lock !== wanted.lock) return false;
  if (isString(wanted.mnemonic)) return true;
  return (
    found.operands.length === wanted.operands.length &&
    found.operands.every((operand, i) => {
      const other = wanted.operands[i];
      return other !== undefined && means(operand, other, next);
    })
  );
}

function means(found: Operand, wanted: Wanted, next: bigint): boolean {
  switch (found.kind) {
    case "register":
      return wanted.kind === "register" && numberOf(found) === numberOf(wanted);
    case "immediate":
      return wanted.kind === "number" && BigInt.asUintN(found.width, wanted.value) === found.value;
    case "target":
      return wanted.kind === "address" && BigInt.asUintN(64, next + found.displacement - wanted.address) === 0n;
    case "memory": {
      if (wanted.kind !== "memory" || found.addressSize !== wanted.addressSize) return false;
      const displacement = wanted.address === undefined ? wanted.displacement : wanted.address - next;
      return (
        found.base === wanted.base &&
        found.index === wanted.index &&
        found.segment === wanted.segment &&
        (found.index === undefined || found.scale === wanted.scale) &&
        BigInt.asUintN(found.addressSize, found.displacement - displacement) === 0n
      );
    }
    default:
      return found satisfies never;
  }
}

/** Whether the operand's number depends on where the instruction ends. */
function isRelative(operand: Wanted): boolean {
  return operand.kind === "address" || (operand.kind === "memory" && operand.base === "rip");
}

/** 0 where it does not matter. No field's value changes the length, so any target that is in reach shows it. */
function lengthOf(form: Form, wanted: WantedInstruction, address: bigint): number | undefined {
  if (!wanted.operands.some(isRelative)) return 0;
  const near = wanted.operands.map((o): Wanted => (o.kind === "address" ? { ...o, address } : o));
  return attempt(form, { ...wanted, operands: near }, address, 0)?.length;
}

function attempt(form: Form, wanted: WantedInstruction, address: bigint, length: number): Uint8Array | undefined {
  const instruction = new Instruction();
  const encoder = new Encoder(64);
  try {
    instruction.code = form.code;
    for (const [i, kind] of form.operands.entries()) {
      const operand = wanted.operands[i];
      if (operand === undefined) placeImplied(instruction, i, kind, wanted);
      else if (!place(instruction, form, i, operand, address + BigInt(length))) return undefined;
    }
    if (wanted.segment !== undefined) instruction.segmentPrefix = wanted.segment;
    instruction.hasLockPrefix = wanted.lock;
    instruction.hasRepPrefix = wanted.repeat === "f3";
    instruction.hasRepnePrefix = wanted.repeat === "f2";
    encoder.encode(instruction, address);
    return encoder.takeBuffer();
  } catch (error) {
    // The library throws strings for what it cannot encode: a target out of reach, ah beside r8.
    if (typeof error === "string" || (error instanceof Error && error.message !== "unreachable")) return undefined;
    throw error;
  } finally {
    encoder.free();
    instruction.free();
  }
}

function place(instruction: Instruction, form: Form, i: number, operand: Wanted, next: bigint): boolean {
  switch (operand.kind) {
    case "register":
      instruction.setOpKind(i, OpKind.Register);
      instruction.setOpRegister(i, numberOf(operand));
      return true;
    case "address":
      instruction.setOpKind(i, OpKind.NearBranch64);
      instruction.nearBranch64 = BigInt.asUintN(64, operand.address);
      return true;
    case "number":
      return placeImmediate(instruction, i, form.operands[i], operand.value);
    case "memory":
      instruction.setOpKind(i, OpKind.Memory);
      return placeMemory(instruction, form, operand, next);
    default:
      return operand satisfies never;
  }
}

const IMMEDIATES: ReadonlyMap<Kind, OpKind> = new Map([
  [Kind.imm8, OpKind.Immediate8],
  [Kind.imm8_const_1, OpKind.Immediate8],
  [Kind.imm8sex16, OpKind.Immediate8to16],
  [Kind.imm8sex32, OpKind.Immediate8to32],
  [Kind.imm8sex64, OpKind.Immediate8to64],
  [Kind.imm16, OpKind.Immediate16],
  [Kind.imm32, OpKind.Immediate32],
  [Kind.imm32sex64, OpKind.Immediate32to64],
  [Kind.imm64, OpKind.Immediate64],
]);

function placeImmediate(instruction: Instruction, i: number, kind: Kind | undefined, value: bigint): boolean {
  const shape = kind === undefined ? undefined : shapeOf(kind);
  const opKind = kind === undefined ? undefined : IMMEDIATES.get(kind);
  if (shape?.kind !== "immediate" || opKind === undefined) return false;
  const signed = immediateFor(value, shape);
  if (signed === undefined) return false;
  // enter's second operand.
  const second = opKind === OpKind.Immediate8 && i > 0 && instruction.op0Kind === OpKind.Immediate16;
  instruction.setOpKind(i, second ? OpKind.Immediate8_2nd : opKind);
  instruction.setImmediateI64(
    i,
    opKind === OpKind.Immediate8 || opKind === OpKind.Immediate16 ? BigInt.asUintN(shape.width, signed) : signed,
  );
  return true;
}

function placeMemory(instruction: Instruction, form: Form, of: WantedMemory, next: bigint): boolean {
  const width = of.addressSize;
  const register = (index: number): Register => numberOf({ kind: "register", file: "gpr", index, width, high: false });
  if (of.override !== undefined) instruction.segmentPrefix = of.override;
  if (of.base === "rip") {
    const address = of.address ?? next + of.displacement;
    instruction.memoryBase = width === 64 ? Register.RIP : Register.EIP;
    instruction.memoryDisplSize = width / 8;
    instruction.memoryDisplacement = BigInt.asUintN(width, address);
    return true;
  }
  const { displacement } = of;
  instruction.memoryDisplacement = BigInt.asUintN(64, displacement);
  const absolute = form.operands.includes(Kind.mem_offs);
  if (absolute) {
    instruction.memoryDisplSize = width / 8;
    instruction.memoryDisplacement = BigInt.asUintN(width, displacement);
    return true;
  }
  const signed = BigInt.asIntN(width, displacement);
  if (signed !== BigInt.asIntN(32, signed)) return false;
  instruction.memoryDisplacement = BigInt.asUintN(64, signed);
  if (of.base !== undefined) instruction.memoryBase = register(of.base);
  if (of.index !== undefined) instruction.memoryIndex = register(of.index);
  instruction.memoryIndexScale = of.scale;
  if (of.base === undefined) instruction.memoryDisplSize = width / 8;
  else instruction.memoryDisplSize = displacement === 0n ? 0 : 1;
  return true;
}

const ACCUMULATORS: ReadonlyMap<Kind, Register> = new Map([
  [Kind.al, Register.AL],
  [Kind.ax, Register.AX],
  [Kind.eax, Register.EAX],
  [Kind.rax, Register.RAX],
]);

/** The operands of a string instruction. */
function placeImplied(instruction: Instruction, i: number, kind: Kind, { addressSize = 64 }: WantedInstruction): void {
  const accumulator = ACCUMULATORS.get(kind);
  if (accumulator !== undefined) {
    instruction.setOpKind(i, OpKind.Register);
    instruction.setOpRegister(i, accumulator);
  } else if (kind === Kind.seg_rSI) {
    instruction.setOpKind(i, addressSize === 32 ? OpKind.MemorySegESI : OpKind.MemorySegRSI);
  } else instruction.setOpKind(i, addressSize === 32 ? OpKind.MemoryESEDI : OpKind.MemoryESRDI);
}
