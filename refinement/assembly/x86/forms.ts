/** The opcodes that iced knows for each mnemonic, as far as `DecodedInstruction` can hold their operands. */
import {
  Code,
  CodeExt,
  EncodingKind,
  MemorySize,
  Mnemonic,
  type OpCodeInfo,
  OpCodeOperandKind as Kind,
  Register,
} from "iced-x86";
import type { MemoryOperand } from "../../decoded.js";
import { widthOf } from "./decode.js";
import { canonicalName } from "./names.js";

export interface Form {
  readonly code: Code;
  readonly operands: readonly Kind[];
  /** Of the operand in memory; 0 where it is not accessed. */
  readonly memoryWidth: MemoryOperand["width"];
  /** 0 where the opcode has none of its own. */
  readonly operandSize: number;
  readonly addressSize: number;
}

function isGeneral(kind: Kind): boolean {
  return SHAPES.has(kind);
}

/** What can stand in an operand of each kind. */
export type Shape =
  | { readonly kind: "register"; readonly width: 8 | 16 | 32 | 64; readonly memory: boolean }
  | { readonly kind: "fixed"; readonly register: Register }
  | { readonly kind: "memory"; readonly absolute: boolean }
  /** `encoded` bits in the instruction, extended by their sign to `width`. */
  | { readonly kind: "immediate"; readonly encoded: number; readonly width: 8 | 16 | 32 | 64; readonly only?: bigint }
  | { readonly kind: "target" }
  /** [rsi] with a segment, or es:[rdi]. */
  | { readonly kind: "string"; readonly base: 6 | 7 };

const register = (width: 8 | 16 | 32 | 64, memory = false): Shape => ({ kind: "register", width, memory });
const fixed = (of: Register): Shape => ({ kind: "fixed", register: of });
const immediate = (encoded: number, width: 8 | 16 | 32 | 64): Shape => ({ kind: "immediate", encoded, width });

const SHAPES: ReadonlyMap<Kind, Shape> = new Map<Kind, Shape>([
  [Kind.mem, { kind: "memory", absolute: false }],
  [Kind.mem_offs, { kind: "memory", absolute: true }],
  [Kind.r8_or_mem, register(8, true)],
  [Kind.r16_or_mem, register(16, true)],
  [Kind.r32_or_mem, register(32, true)],
  [Kind.r64_or_mem, register(64, true)],
  [Kind.r8_reg, register(8)],
  [Kind.r8_opcode, register(8)],
  [Kind.r16_reg, register(16)],
  [Kind.r16_rm, register(16)],
  [Kind.r16_opcode, register(16)],
  [Kind.r32_reg, register(32)],
  [Kind.r32_rm, register(32)],
  [Kind.r32_opcode, register(32)],
  [Kind.r32_vvvv, register(32)],
  [Kind.r64_reg, register(64)],
  [Kind.r64_rm, register(64)],
  [Kind.r64_opcode, register(64)],
  [Kind.r64_vvvv, register(64)],
  [Kind.al, fixed(Register.AL)],
  [Kind.cl, fixed(Register.CL)],
  [Kind.ax, fixed(Register.AX)],
  [Kind.dx, fixed(Register.DX)],
  [Kind.eax, fixed(Register.EAX)],
  [Kind.rax, fixed(Register.RAX)],
  [Kind.imm8, immediate(8, 8)],
  [Kind.imm8_const_1, { kind: "immediate", encoded: 8, width: 8, only: 1n }],
  [Kind.imm8sex16, immediate(8, 16)],
  [Kind.imm8sex32, immediate(8, 32)],
  [Kind.imm8sex64, immediate(8, 64)],
  [Kind.imm16, immediate(16, 16)],
  [Kind.imm32, immediate(32, 32)],
  [Kind.imm32sex64, immediate(32, 64)],
  [Kind.imm64, immediate(64, 64)],
  [Kind.seg_rSI, { kind: "string", base: 6 }],
  [Kind.es_rDI, { kind: "string", base: 7 }],
  [Kind.br64_1, { kind: "target" }],
  [Kind.br64_4, { kind: "target" }],
]);

export function shapeOf(kind: Kind): Shape | undefined {
  return SHAPES.get(kind);
}

let found: ReadonlyMap<string, readonly Form[]> | undefined;

/** By mnemonic as in `DecodedInstruction`, in the order of the manual's opcodes. */
export function formsByName(): ReadonlyMap<string, readonly Form[]> {
  found ??= readForms();
  return found;
}

function readForms(): ReadonlyMap<string, readonly Form[]> {
  const byName = new Map<string, Form[]>();
  for (let code: Code = 1; Code[code] !== undefined; code++) {
    const info = CodeExt.opCode(code);
    const form = formOf(info, code);
    if (form !== undefined) {
      const written = (Mnemonic[info.mnemonic] ?? "").toLowerCase();
      const implied = form.operands.some((k) => k === Kind.seg_rSI || k === Kind.es_rDI);
      // `sal` has an encoding of its own, which assemblers leave alone.
      const name = canonicalName(written, implied);
      if (written !== "sal") byName.set(name, [...(byName.get(name) ?? []), form]);
    }
    info.free();
  }
  return byName;
}

function formOf(info: OpCodeInfo, code: Code): Form | undefined {
  if (!info.isInstruction || !info.mode64 || info.decoderOption !== 0) return undefined;
  if (info.encoding !== EncodingKind.Legacy && info.encoding !== EncodingKind.VEX) return undefined;
  const operands = Array.from({ length: info.opCount }, (_, i) => info.opKind(i));
  const memoryWidth = isFar(info) ? undefined : widthOf(info.memorySize);
  if (memoryWidth === undefined || !operands.every(isGeneral)) return undefined;
  return { code, operands, memoryWidth, operandSize: info.operandSize, addressSize: info.addressSize };
}

function isFar({ memorySize }: OpCodeInfo): boolean {
  return memorySize === MemorySize.SegPtr16 || memorySize === MemorySize.SegPtr32 || memorySize === MemorySize.SegPtr64;
}
