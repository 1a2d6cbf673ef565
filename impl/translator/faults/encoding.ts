/** Numbers and registers put into forms of the host's instructions that do not have room for them. */
import { fitsUnsigned, type Quantity, signExtended, sum } from "../../../refinement/translation/quantity.js";
import {
  type Address,
  Code,
  type CodeOperand,
  immediate,
  type Label,
  REGISTERS,
  type Register,
  register,
} from "../code.js";
import { Emitter } from "../emitter.js";
import { fits32 } from "../registers.js";
import type { Faults } from "./fault.js";

type Operands = readonly (CodeOperand | Label)[];

/** A constant of 64 bits on its way into a register. */
function constantOf(
  mnemonic: string,
  [to, from]: Operands,
): { readonly to: Register; readonly value: Quantity } | undefined {
  if (mnemonic !== "mov" || to === undefined || "name" in to || to.kind !== "register" || to.width !== 64)
    return undefined;
  if (from === undefined || "name" in from || from.kind !== "immediate") return undefined;
  const name = REGISTERS[to.index];
  return name === undefined ? undefined : { to: name, value: from.value };
}

/** Whatever has 32 bits goes into the register's lower half, which clears the upper one; also where it is negative. */
class ShortConstants extends Code {
  override emit(mnemonic: string, ...operands: Operands): void {
    const constant = constantOf(mnemonic, operands);
    if (constant === undefined || !fits32(constant.value)) super.emit(mnemonic, ...operands);
    else super.emit("mov", register(constant.to, 32), immediate(constant.value, 32));
  }
}

/** Of a constant the low 32 bits are put into the instruction, which extends their sign. */
class CutConstants extends Code {
  override emit(mnemonic: string, ...operands: Operands): void {
    const constant = constantOf(mnemonic, operands);
    if (constant === undefined) super.emit(mnemonic, ...operands);
    else super.emit("mov", register(constant.to), immediate(signExtended(constant.value, 32)));
  }
}

/** A displacement below 256 is taken for one of a byte, whose sign the host extends. */
class ByteDisplacements extends Code {
  override emit(mnemonic: string, ...operands: Operands): void {
    super.emit(mnemonic, ...operands.map(inByte));
  }
}

function inByte(operand: CodeOperand | Label): CodeOperand | Label {
  if ("name" in operand || operand.kind !== "memory") return operand;
  const { displacement } = operand;
  return fitsUnsigned(displacement, 8) ? { ...operand, displacement: signExtended(displacement, 8) } : operand;
}

/** The low byte of rsi is that of no other register's only with a REX prefix; without one its number means dh. */
class WithoutRex extends Code {
  override emit(mnemonic: string, ...operands: Operands): void {
    super.emit(mnemonic, ...operands.map(legacyByte));
  }
}

function legacyByte(operand: CodeOperand | Label): CodeOperand | Label {
  if ("name" in operand || operand.kind !== "register" || operand.width !== 8) return operand;
  return operand.index < 4 || operand.index > 7 ? operand : { ...operand, index: operand.index - 4, high: true };
}

/** A known address of 32 bits is folded into the instruction, although the host extends its sign. */
class UnsignedAddresses extends Emitter {
  override address(offset: Quantity): Address {
    const known = this.registers.known(this.rs1);
    const whole = known === undefined ? undefined : sum(known, offset);
    if (whole !== undefined && fitsUnsigned(whole, 32)) return { displacement: signExtended(whole, 32) };
    return super.address(offset);
  }
}

export const encoding: Faults = {
  "constant-zero-extended": { Code: ShortConstants },
  "constant-cut": { Code: CutConstants },
  "displacement-cut": { Code: ByteDisplacements },
  "byte-register-without-rex": { Code: WithoutRex },
  "folded-address-unsigned": { Emitter: UnsignedAddresses },
};
