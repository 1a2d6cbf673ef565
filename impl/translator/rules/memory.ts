/** Loads and stores: The RISC-V Instruction Set Manual, Volume I, version 20240411, sections 2.6 and 4.3. Misaligned ones are carried out. */
import { ZERO } from "../guest-register.js";
import { memory, register, type Width } from "../code.js";
import type { Rule, Rules } from "./rule.js";

/** x0 as destination: the load is carried out all the same, since it may fault. */
function loading(mnemonic: "mov" | "movsx" | "movsxd" | "movzx", width: Width, to: 32 | 64): Rule {
  return (e) => {
    const source = memory(e.address(e.operands.signed("imm")), width);
    e.writeBack();
    const destination = e.rd === ZERO ? "rax" : e.registers.write(e.rd);
    e.access(() => e.code.emit(mnemonic, register(destination, to), source));
  };
}

function storing(width: Width): Rule {
  return (e) => {
    const place = memory(e.address(e.operands.signed("imm")), width);
    const value = e.registers.read(e.rs2);
    e.writeBack();
    e.access(() => e.code.emit("mov", place, register(value, width)));
  };
}

export const memoryAccess: Rules = {
  lb: loading("movsx", 8, 64),
  lh: loading("movsx", 16, 64),
  lw: loading("movsxd", 32, 64),
  ld: loading("mov", 64, 64),
  lbu: loading("movzx", 8, 32),
  lhu: loading("movzx", 16, 32),
  lwu: loading("mov", 32, 32),
  sb: storing(8),
  sh: storing(16),
  sw: storing(32),
  sd: storing(64),
};
