/**
 * The host code of a logged block, instruction by instruction, and what leaves it.
 */
import { decodeX86 } from "../../refinement/assembly/x86/decode.js";
import type { DecodedInstruction, MemoryOperand } from "../../refinement/decoded.js";

/** Registers by number. */
export const RAX = 0;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;

export interface HostInstruction {
  readonly address: bigint;
  /** Of the next. */
  readonly end: bigint;
  readonly decoded: DecodedInstruction;
}

/** From the first byte to the last, padding included. */
export function decodeCode(
  address: bigint,
  code: Uint8Array,
): { readonly instructions: readonly HostInstruction[] } | { readonly error: string } {
  const instructions: HostInstruction[] = [];
  for (let at = 0; at < code.length; ) {
    const here = address + BigInt(at);
    const reading = decodeX86(code.subarray(at));
    if (reading.kind !== "instruction") {
      const what =
        reading.kind === "unsupported" ? `the host instruction ${reading.name}` : `${reading.kind} host code`;
      return { error: `${what} at 0x${here.toString(16)}` };
    }
    const { instruction } = reading;
    at += instruction.length;
    instructions.push({ address: here, end: here + BigInt(instruction.length), decoded: instruction });
  }
  return { instructions };
}

/** Where a direct jump or call goes. */
export function targetOf({ decoded, end }: HostInstruction): bigint | undefined {
  const [operand] = decoded.operands;
  return operand?.kind === "target" ? end + operand.displacement : undefined;
}

/** The address of an operand relative to the instruction's. */
export function relativeTo(operand: MemoryOperand, end: bigint): bigint | undefined {
  return operand.base === "rip" && operand.index === undefined ? end + operand.displacement : undefined;
}

/** What a register is set to where it is a constant: `mov r, imm`, `lea r, [rip + d]`, `xor r, r`. */
export function constantIn(instruction: HostInstruction | undefined, register: number): bigint | undefined {
  if (instruction === undefined) return undefined;
  const { mnemonic, operands } = instruction.decoded;
  const [to, from] = operands;
  if (to?.kind !== "register" || to.index !== register || to.width < 32 || from === undefined) return undefined;
  if (mnemonic === "mov" && from.kind === "immediate") return from.value;
  if (mnemonic === "lea" && from.kind === "memory") return relativeTo(from, instruction.end);
  if (mnemonic === "xor" && from.kind === "register" && from.index === register) return 0n;
  return undefined;
}

/** `mov rdi, rbp`: the first argument of a helper is the guest's state. */
export function isMove(instruction: HostInstruction | undefined, to: number, from: number): boolean {
  if (instruction?.decoded.mnemonic !== "mov") return false;
  const [a, b] = instruction.decoded.operands;
  return (
    a?.kind === "register" &&
    a.width === 64 &&
    a.index === to &&
    b?.kind === "register" &&
    b.width === 64 &&
    b.index === from
  );
}

/** A store relative to `register`: its displacement and width, and what is stored where that is a constant. */
export function storeTo(
  { decoded }: HostInstruction,
  register: number,
): { readonly displacement: bigint; readonly width: number; readonly value: bigint | undefined } | undefined {
  const [to, from] = decoded.operands;
  if (decoded.mnemonic !== "mov" || to?.kind !== "memory" || to.base !== register || to.index !== undefined)
    return undefined;
  return {
    displacement: to.displacement,
    width: to.width,
    value: from?.kind === "immediate" ? from.value : undefined,
  };
}
