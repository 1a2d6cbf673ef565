/** Every run that nothing interrupts is right; what is seen at a fault or an interrupt is not. */
import { sum } from "../../../refinement/translation/quantity.js";
import { memory, register } from "../code.js";
import { ZERO } from "../guest-register.js";
import { Emitter } from "../emitter.js";
import { memoryAccess } from "../rules/memory.js";
import type { Rule } from "../rules/rule.js";
import type { Faults } from "./fault.js";

/** The registers that the guest has written stay in the host's while an access may fault. */
const loadCached: Rule = (e) => {
  const source = memory(e.address(e.operands.signed("imm")));
  const destination = e.rd === ZERO ? "rax" : e.registers.write(e.rd);
  e.access(() => e.code.emit("mov", register(destination), source));
};

/** A fault is put down to the next instruction, as if the program counter had already moved on. */
class NextInstruction extends Emitter {
  override access(emit: () => void): void {
    this.code.faulting(this.next, emit);
  }
}

/** A store as two, each of half the bytes: the first is done when the second faults. */
const storeInHalves: Rule = (e) => {
  const low = e.address(e.operands.signed("imm"));
  const value = e.registers.read(e.rs2);
  e.writeBack();
  e.access(() => e.code.emit("mov", memory(low, 32), register(value, 32)));
  e.code.emit("mov", register("rax"), register(value));
  e.code.emit("shr", register("rax"), { kind: "immediate", value: 32n, width: 8 });
  const high = { ...low, displacement: sum(low.displacement, 4n) };
  e.access(() => e.code.emit("mov", memory(high, 32), register("rax", 32)));
};

/** Nobody can see what a load to x0 reads, so it is left out. */
function unlessX0(rule: Rule | undefined): Rule {
  return (e) => {
    if (e.rd !== ZERO) rule?.(e);
  };
}

export const precision: Faults = {
  "load-before-write-back": { rules: { ld: loadCached } },
  "fault-map-off-by-one": { Emitter: NextInstruction },
  "store-in-halves": { rules: { sd: storeInHalves } },
  "load-to-x0-dropped": { rules: { lw: unlessX0(memoryAccess["lw"]), ld: unlessX0(memoryAccess["ld"]) } },
  "interrupt-after-first-instruction": { pollsBefore: 1 },
  "interrupt-without-request": { leavesBy: "je" },
};
