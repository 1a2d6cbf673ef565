/**
 * One instruction as a decoder library read it, for the instruction sets whose encoding no bit pattern can carry: what it is called,
 * how long it is, and what its operands are. A machine with a `decoder` executes these (see `Decoded` in machine.ts).
 */

export interface DecodedInstruction {
  /**
   * In lower case, as the machine's blocks are named; prefixes apart. The string instructions are named without their width, as in
   * the manual's titles: movs, cmps, stos, lods, scas. Of conditions, the first of the manual's aliases in this order is used:
   * o no b ae e ne be a s ns p np l ge le g (jb, never jc or jnae); loop, loope, loopne; jcxz, jecxz and jrcxz are `jrcxz` with the
   * counter's width as `addressSize`. `sal` is `shl`; cbw, cwde, cdqe, cwd, cdq and cqo keep their names; `iretq`, `retf`, far jumps and
   * everything else keep the name that the library gives, and it is for the machine to say that it lacks them.
   */
  readonly mnemonic: string;
  /** Bytes, prefixes included. */
  readonly length: number;
  readonly prefixes: {
    readonly lock: boolean;
    /** `rep` on movs, stos and lods (both F3 and F2 repeat them), `repe` (F3) and `repne` (F2) on cmps and scas; `none` elsewhere. */
    readonly rep: RepeatPrefix;
  };
  readonly operandSize: 8 | 16 | 32 | 64;
  readonly addressSize: 32 | 64;
  /**
   * In the manual's order. Those that the manual's operand column lists, fixed ones included (`shl r/m64, 1`, `shl r/m64, cl`,
   * `in al, imm8`), but for one operand of `push`, `pop`, `inc` and the like nothing that is only implied (rsp, the rdx:rax of mul, the rcx of
   * loop). String instructions have the library's: movs dst, src; cmps [rsi], [rdi]; stos [rdi], accumulator; lods accumulator, [rsi];
   * scas accumulator, [rdi]: memory with base 6 or 7, the instruction's address size, and on [rsi] the segment override.
   */
  readonly operands: readonly Operand[];
  readonly bytes: Uint8Array;
}

export type RepeatPrefix = "none" | "rep" | "repe" | "repne";

export type Operand = RegisterOperand | ImmediateOperand | MemoryOperand | TargetOperand;

export interface RegisterOperand {
  readonly kind: "register";
  readonly file: "gpr";
  /** As in the encoding: 0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8 … 15. Of ah, ch, dh, bh: 0 … 3. */
  readonly index: number;
  readonly width: 8 | 16 | 32 | 64;
  /** Bits 15…8 of the register: ah, ch, dh, bh. */
  readonly high: boolean;
}

export interface ImmediateOperand {
  readonly kind: "immediate";
  /** 0 ≤ value < 2^width, extended to `width` as the architecture does: by its sign in `add r64, imm32`. */
  readonly value: bigint;
  /** That of the operation (64 in `add r64, imm8`); 8 for counts, bit offsets and the levels of enter; 16 in `ret imm16`, `enter imm16`. */
  readonly width: 8 | 16 | 32 | 64;
}

export type Segment = "none" | "fs" | "gs";

export interface MemoryOperand {
  readonly kind: "memory";
  /** Bits accessed; 0 for `lea` and for the many-byte `nop`, which access nothing. */
  readonly width: 0 | 8 | 16 | 32 | 64 | 128;
  /** Whose base is added; the others are 0 in 64-bit mode. */
  readonly segment: Segment;
  /**
   * The stack segment is used, by default (rsp or rbp as base) or by a prefix, so that an address that is not canonical is #SS, not #GP.
   */
  readonly stack: boolean;
  /** `rip` is the address of the next instruction. */
  readonly base: number | "rip" | undefined;
  readonly index: number | undefined;
  readonly scale: 1 | 2 | 4 | 8;
  /** Signed. With base `rip` relative to the next instruction, as it is encoded. */
  readonly displacement: bigint;
  /** The sum is taken modulo 2^addressSize. */
  readonly addressSize: 32 | 64;
}

export interface TargetOperand {
  readonly kind: "target";
  /** Signed, relative to the next instruction, so that what is derived from it holds wherever the code stands. */
  readonly displacement: bigint;
}

/** The libraries that a machine can name. */
export const DECODERS = ["iced-x86"] as const;
