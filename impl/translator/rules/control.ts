/** Control transfer, which ends a block: The RISC-V Instruction Set Manual, Volume I, version 20240411, sections 2.5 and 2.8. */
import { sum } from "../../../refinement/translation/quantity.js";
import { ZERO } from "../guest-register.js";
import { immediate, memory, register } from "../code.js";
import type { Rule, Rules } from "./rule.js";

/** Comparison and branch are one: the guest's registers go to the context before the flags are set. */
function branch(condition: string): Rule {
  return (e) => {
    const a = e.registers.read(e.rs1);
    const b = e.registers.read(e.rs2);
    const taken = e.code.label("taken");
    e.writeBack();
    e.code.emit("cmp", register(a), register(b));
    e.code.emit(condition, taken);
    e.exit(e.next);
    e.code.place(taken);
    e.exit(sum(e.pc, e.operands.signed("imm")));
  };
}

const jal: Rule = (e) => {
  if (e.rd !== ZERO) e.registers.define(e.rd, e.next);
  e.writeBack();
  e.exit(sum(e.pc, e.operands.signed("imm")));
};

/** The target is computed before the link register, which may be its base, is written. */
const jalr: Rule = (e) => {
  const offset = e.operands.signed("imm");
  const base = e.registers.read(e.rs1);
  e.code.emit("lea", register("rcx"), memory({ base, displacement: offset }, 0));
  e.code.emit("and", register("rcx"), immediate(-2n));
  if (e.rd !== ZERO) e.registers.define(e.rd, e.next);
  e.writeBack();
  e.exitTo("rcx");
};

function trapping(name: string): Rule {
  return (e) => {
    e.writeBack();
    e.exit(e.pc, { trap: name });
  };
}

export const control: Rules = {
  beq: branch("je"),
  bne: branch("jne"),
  blt: branch("jl"),
  bge: branch("jge"),
  bltu: branch("jb"),
  bgeu: branch("jae"),
  jal,
  jalr,
  ecall: trapping("environment_call"),
  ebreak: trapping("breakpoint"),
};
