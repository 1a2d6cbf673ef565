/** Blocks left wrongly. */
import { equals, sum } from "../../../refinement/translation/quantity.js";
import { immediate, memory, register } from "../code.js";
import { ZERO } from "../guest-register.js";
import { Registers } from "../registers.js";
import type { Rule } from "../rules/rule.js";
import type { Faults } from "./fault.js";

/** Zero goes to the context through a register that is cleared by `xor`, as the shortest instruction for it. */
class ClearingByXor extends Registers {
  override writeBack(): void {
    for (const [guest, held] of this.held) {
      if (!held.dirty || held.host !== undefined) continue;
      if (held.known === undefined || !equals(held.known, 0n)) continue;
      this.code.emit("xor", register("rax", 32), register("rax", 32));
      this.code.emit("mov", memory(guest.place), register("rax"));
      held.dirty = false;
    }
    super.writeBack();
  }
}

/** The registers go to the context between the comparison and the branch. */
function comparedEarly(condition: string): Rule {
  return (e) => {
    const [a, b] = [e.registers.read(e.rs1), e.registers.read(e.rs2)];
    const taken = e.code.label("taken");
    e.code.emit("cmp", register(a), register(b));
    e.writeBack();
    e.code.emit(condition, taken);
    e.exit(e.next);
    e.code.place(taken);
    e.exit(sum(e.pc, e.operands.signed("imm")));
  };
}

/** The registers go to the context on the way that the translator thinks of first. */
function writtenBackOnceNotTaken(condition: string): Rule {
  return (e) => {
    const [a, b] = [e.registers.read(e.rs1), e.registers.read(e.rs2)];
    const taken = e.code.label("taken");
    e.code.emit("cmp", register(a), register(b));
    e.code.emit(condition, taken);
    e.writeBack();
    e.exit(e.next);
    e.code.place(taken);
    e.exit(sum(e.pc, e.operands.signed("imm")));
  };
}

/** The link register is written before the target, whose base it may be, is computed. */
const linkFirst: Rule = (e) => {
  if (e.rd !== ZERO) e.registers.define(e.rd, e.next);
  const base = e.registers.read(e.rs1);
  e.code.emit("lea", register("rcx"), memory({ base, displacement: e.operands.signed("imm") }, 0));
  e.code.emit("and", register("rcx"), immediate(-2n));
  e.writeBack();
  e.exitTo("rcx");
};

export const control: Faults = {
  "flags-clobbered": { Registers: ClearingByXor, rules: { beq: comparedEarly("je"), bne: comparedEarly("jne") } },
  "taken-without-write-back": {
    rules: { beq: writtenBackOnceNotTaken("je"), bne: writtenBackOnceNotTaken("jne") },
  },
  "link-before-target": { rules: { jalr: linkFirst } },
};
