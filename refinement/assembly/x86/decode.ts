/**
 * x86-64 machine code by iced-x86, as the instruction sets of the notation want it. The manual is Intel's (Software Developer's Manual,
 * volume 2); what processors of Intel's and of AMD's read differently is not guessed but refused by name.
 */
import {
  Decoder,
  DecoderError,
  DecoderOptions,
  EncodingKind,
  FlowControl,
  Instruction,
  type MemorySize,
  MemorySizeExt,
  Mnemonic,
  OpKind,
  Register,
} from "iced-x86";
import type { DecodedInstruction, ImmediateOperand, MemoryOperand, Operand, RegisterOperand } from "../../decoded.js";
import { InternalDefect } from "../../errors.js";
import { canonicalName, isString, repeatOf } from "./names.js";
import { operandOf } from "./registers.js";

/** The longest instruction; a longer one is a general-protection exception (volume 3, section 6.15). */
export const LONGEST = 15;

export type Reading =
  | { readonly kind: "instruction"; readonly instruction: DecodedInstruction }
  /**
   * No processor defines these bytes: an invalid-opcode exception. Or they go on beyond the longest instruction, which is an
   * exception of its own.
   */
  | { readonly kind: "undecodable"; readonly overlong: boolean }
  /** All the bytes given are read, and more are needed. */
  | { readonly kind: "truncated" }
  /** An instruction that `DecodedInstruction` cannot hold, by name. */
  | { readonly kind: "unsupported"; readonly name: string; readonly length: number };

/** Any address does: everything relative is told relative to the next instruction. */
const ADDRESS = 0x1000_0000n;

/** The instruction that `bytes` begin with; of more than 15 the rest is not looked at. */
export function decodeX86(bytes: Uint8Array): Reading {
  const looked = bytes.subarray(0, LONGEST);
  const decoder = new Decoder(64, looked, DecoderOptions.None);
  const instruction = new Instruction();
  try {
    decoder.ip = ADDRESS;
    decoder.decodeOut(instruction);
    if (instruction.isInvalid) {
      const wantsMore = decoder.lastError === DecoderError.NoMoreBytes;
      if (wantsMore && looked.length < LONGEST && canGoOn(looked)) return { kind: "truncated" };
      return { kind: "undecodable", overlong: isOverlong(looked) };
    }
    return readingOf(instruction, looked.slice(0, instruction.length));
  } finally {
    instruction.free();
    decoder.free();
  }
}

/**
 * Whether the longest instruction does not end yet. It has more prefixes than it needs then, and the library, which stops there as
 * well, says what it is about when it has fewer.
 */
function isOverlong(bytes: Uint8Array): boolean {
  if (bytes.length < LONGEST) return false;
  for (let at = 1; isPrefix(bytes[at - 1] ?? 0); at++) {
    if (at === bytes.length) return true;
    const { kind } = decodeX86(bytes.subarray(at));
    if (kind !== "undecodable") return kind === "truncated";
  }
  return false;
}

/** REX as well: one that another prefix follows has no effect (volume 2A, section 2.2.1). */
function isPrefix(byte: number): boolean {
  return LEGACY_PREFIXES.has(byte) || (byte & 0xf0) === 0x40;
}

/** Whether any instruction begins so: the library asks for more bytes of some opcodes that nothing defines. */
function canGoOn(bytes: Uint8Array): boolean {
  const key = bytes.join();
  let can = beginnings.get(key);
  if (can === undefined) {
    can = continuations(bytes).some(isInstruction);
    if (beginnings.size < MOST_BEGINNINGS) beginnings.set(key, can);
  }
  return can;
}

const beginnings = new Map<string, boolean>();
const MOST_BEGINNINGS = 1 << 16;

/** With every next byte, and behind it what makes a register operand, one in memory, or an opcode's last byte of all ones. */
function continuations(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: 256 }, (_, next) =>
    [0x00, 0xc0, 0xff].map((fill) => {
      const longer = new Uint8Array(LONGEST).fill(fill);
      longer.set(bytes);
      longer[bytes.length] = next;
      return longer;
    }),
  ).flat();
}

function isInstruction(bytes: Uint8Array): boolean {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instruction = decoder.decode();
  const valid = !instruction.isInvalid;
  instruction.free();
  decoder.free();
  return valid;
}

function readingOf(of: Instruction, bytes: Uint8Array): Reading {
  const name = (Mnemonic[of.mnemonic] ?? "unknown").toLowerCase();
  const unsupported = (why: string): Reading => ({ kind: "unsupported", name: why, length: bytes.length });
  const prefixes = prefixesOf(bytes);
  if (isBranch(of.flowControl) && prefixes.operandSize && !prefixes.wide)
    return unsupported(`${name} with an operand-size prefix, which AMD's processors obey and Intel's ignore`);
  if (of.isLoopcc && prefixes.repeat) return unsupported(`${name} with a repeat prefix, whose meaning is reserved`);
  if (of.isCallFar || of.isCallFarIndirect || of.isJmpFar || of.isJmpFarIndirect) return unsupported(`far ${name}`);
  const encoding = of.encoding;
  if (encoding !== EncodingKind.Legacy && encoding !== EncodingKind.VEX) return unsupported(name);
  const implied = hasImpliedMemory(of);
  const mnemonic = canonicalName(name, implied);
  const operands: Operand[] = [];
  for (let i = 0; i < of.opCount; i++) {
    const operand = operandAt(of, i, mnemonic);
    if (operand === undefined) return unsupported(name);
    operands.push(operand);
  }
  return {
    kind: "instruction",
    instruction: {
      mnemonic,
      length: bytes.length,
      prefixes: { lock: of.hasLockPrefix, rep: repeatOf(mnemonic, of.hasRepPrefix, of.hasRepnePrefix) },
      ...sizesOf(of, operands, mnemonic),
      operands,
      bytes,
    },
  };
}

/** What the prefixes before a legacy opcode say. */
function prefixesOf(bytes: Uint8Array): Prefixes {
  let operandSize = false;
  let repeat = false;
  for (const byte of bytes) {
    if (byte === 0x66) operandSize = true;
    else if (byte === 0xf2 || byte === 0xf3) repeat = true;
    else if (!LEGACY_PREFIXES.has(byte)) return { operandSize, repeat, wide: (byte & 0xf8) === 0x48 };
  }
  return { operandSize, repeat, wide: false };
}

interface Prefixes {
  readonly operandSize: boolean;
  readonly repeat: boolean;
  /** REX.W. */
  readonly wide: boolean;
}

const LEGACY_PREFIXES: ReadonlySet<number> = new Set([
  0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3,
]);

function isBranch(flow: FlowControl): boolean {
  switch (flow) {
    case FlowControl.UnconditionalBranch:
    case FlowControl.IndirectBranch:
    case FlowControl.ConditionalBranch:
    case FlowControl.Call:
    case FlowControl.IndirectCall:
    case FlowControl.Return:
      return true;
    default:
      return false;
  }
}

function hasImpliedMemory(of: Instruction): boolean {
  for (let i = 0; i < of.opCount; i++) {
    const kind = of.opKind(i);
    if (kind !== OpKind.Memory && kind >= OpKind.MemorySegSI && kind <= OpKind.MemoryESRDI) return true;
  }
  return false;
}

/** Undefined for an operand that is no general-purpose register, immediate, memory or target. */
function operandAt(of: Instruction, i: number, mnemonic: string): Operand | undefined {
  const kind = of.opKind(i);
  switch (kind) {
    case OpKind.Register:
      return operandOf(of.opRegister(i));
    case OpKind.NearBranch64:
      return { kind: "target", displacement: BigInt.asIntN(64, of.nearBranch64 - of.nextIP) };
    case OpKind.Immediate8:
    case OpKind.Immediate8_2nd:
      return immediate(of.immediate(i), 8);
    case OpKind.Immediate16:
    case OpKind.Immediate8to16:
      return immediate(of.immediate(i), 16);
    case OpKind.Immediate32:
    case OpKind.Immediate8to32:
      return immediate(of.immediate(i), 32);
    case OpKind.Immediate64:
    case OpKind.Immediate8to64:
    case OpKind.Immediate32to64:
      return immediate(of.immediate(i), 64);
    case OpKind.MemorySegRSI:
      return implied(of, 6, 64);
    case OpKind.MemorySegESI:
      return implied(of, 6, 32);
    case OpKind.MemoryESRDI:
      return implied(of, 7, 64);
    case OpKind.MemoryESEDI:
      return implied(of, 7, 32);
    case OpKind.Memory:
      return memory(of, mnemonic);
    case OpKind.NearBranch16:
    case OpKind.NearBranch32:
    case OpKind.FarBranch16:
    case OpKind.FarBranch32:
    case OpKind.MemorySegSI:
    case OpKind.MemorySegDI:
    case OpKind.MemorySegEDI:
    case OpKind.MemorySegRDI:
    case OpKind.MemoryESDI:
      return undefined;
    default:
      return kind satisfies never;
  }
}

function immediate(value: bigint, width: ImmediateOperand["width"]): ImmediateOperand {
  return { kind: "immediate", value: BigInt.asUintN(width, value), width };
}

/**
 * In 64-bit mode all bases but those of fs and gs are 0 (volume 1, section 3.4.2.1), and prefixes of the other segments are ignored
 * (AMD64 Architecture Programmer's Manual, volume 3, section 1.2.4): the stack's is used with rsp and rbp as base, whatever they say.
 */
function segmented(of: Instruction): Pick<MemoryOperand, "segment" | "stack"> {
  const { memorySegment, memoryBase: base } = of;
  const segment = memorySegment === Register.FS ? "fs" : memorySegment === Register.GS ? "gs" : "none";
  const index = operandOf(base)?.index;
  return { segment, stack: segment === "none" && (index === STACK_POINTER || index === FRAME_POINTER) };
}

const STACK_POINTER = 4;
const FRAME_POINTER = 5;

/** [rsi], which a prefix can move to fs or gs, and es:[rdi]. */
function implied(of: Instruction, base: 6 | 7, addressSize: MemoryOperand["addressSize"]): MemoryOperand | undefined {
  const width = widthOf(of.memorySize);
  if (width === undefined) return undefined;
  const place = { base, index: undefined, scale: 1, displacement: 0n, addressSize } as const;
  const segment = base === 6 ? segmented(of).segment : "none";
  return { kind: "memory", width, segment, stack: false, ...place };
}

function memory(of: Instruction, mnemonic: string): MemoryOperand | undefined {
  const width = mnemonic === "lea" || mnemonic === "nop" ? 0 : widthOf(of.memorySize);
  const base = of.memoryBase;
  const index = operandOf(of.memoryIndex);
  if (width === undefined || (of.memoryIndex !== Register.None && (index === undefined || index.width < 32)))
    return undefined;
  const common = { kind: "memory", width, ...segmented(of) } as const;
  if (base === Register.RIP || base === Register.EIP) {
    const addressSize = base === Register.RIP ? 64 : 32;
    const displacement = BigInt.asIntN(addressSize, of.memoryDisplacement - of.nextIP);
    return { ...common, base: "rip", index: undefined, scale: 1, displacement, addressSize };
  }
  const register = operandOf(base);
  if (base !== Register.None && register === undefined) return undefined;
  const addressSize = addressSizeOf(register ?? index, of.memoryDisplSize);
  return {
    ...common,
    base: register?.index,
    index: index?.index,
    scale: scaleOf(of.memoryIndexScale),
    displacement: BigInt.asIntN(addressSize, of.memoryDisplacement),
    addressSize,
  };
}

function addressSizeOf(register: RegisterOperand | undefined, displacementSize: number): MemoryOperand["addressSize"] {
  if (register !== undefined) return register.width === 32 ? 32 : 64;
  return displacementSize === 4 ? 32 : 64;
}

export function scaleOf(scale: number): MemoryOperand["scale"] {
  if (scale === 1 || scale === 2 || scale === 4 || scale === 8) return scale;
  throw new InternalDefect(`an index is scaled by ${scale}`);
}

/** Bits of a memory operand; undefined where `DecodedInstruction` has no such width. */
export function widthOf(size: MemorySize): MemoryOperand["width"] | undefined {
  const bits = 8 * MemorySizeExt.size(size);
  switch (bits) {
    case 0:
    case 8:
    case 16:
    case 32:
    case 64:
    case 128:
      return bits;
    default:
      return undefined;
  }
}

/** Of an instruction with a counter in rcx, or with memory: which part of the registers the address is made of. */
function sizesOf(
  of: Instruction,
  operands: readonly Operand[],
  mnemonic: string,
): Pick<DecodedInstruction, "operandSize" | "addressSize"> {
  const opCode = of.opCode;
  const { operandSize, addressSize } = opCode;
  opCode.free();
  const place = operands.find((o) => o.kind === "memory");
  return {
    operandSize: sizeOf(operandSize) ?? widthOfOperation(operands, mnemonic),
    addressSize: place?.addressSize ?? (addressSize === 32 ? 32 : 64),
  };
}

/** Where the opcode has no operand size of its own, it is that of the first operand which has one. */
function widthOfOperation(operands: readonly Operand[], mnemonic: string): DecodedInstruction["operandSize"] {
  if (isString(mnemonic)) operands = operands.filter((o) => o.kind === "memory");
  for (const operand of operands) {
    const size = operand.kind === "register" || operand.kind === "memory" ? sizeOf(operand.width) : undefined;
    if (size !== undefined) return size;
  }
  return 64;
}

function sizeOf(bits: number): DecodedInstruction["operandSize"] | undefined {
  return bits === 8 || bits === 16 || bits === 32 || bits === 64 ? bits : undefined;
}
