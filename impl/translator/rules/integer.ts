/** RV64I without memory and control: The RISC-V Instruction Set Manual, Volume I, version 20240411, sections 2.4 and 4.2. */
import { equals, signExtended, sum } from "../../../refinement/translation/quantity.js";
import { ZERO } from "../guest-register.js";
import { immediate, memory, type Register, register } from "../code.js";
import type { Emitter } from "../emitter.js";
import type { Rule, Rules } from "./rule.js";

/** rd = rs1 op rs2, in place where that can be. */
export function binary(mnemonic: string, commutes: boolean): Rule {
  return (e) => {
    const a = e.registers.read(e.rs1);
    const b = e.registers.read(e.rs2);
    e.result((d) => {
      if (d === b && d !== a && commutes) {
        e.code.emit(mnemonic, register(d), register(a));
      } else if (d === b && d !== a) {
        e.move("rax", a);
        e.code.emit(mnemonic, register("rax"), register(b));
        e.move(d, "rax");
      } else {
        e.move(d, a);
        e.code.emit(mnemonic, register(d), register(b));
      }
    });
  };
}

/** rd = sext(rs1[31:0] op rs2[31:0]) */
export function binaryWord(mnemonic: string): Rule {
  return (e) => {
    e.move("rax", e.registers.read(e.rs1), 32);
    e.code.emit(mnemonic, register("rax", 32), register(e.registers.read(e.rs2), 32));
    e.resultWord();
  };
}

/** rd = rs1 op imm, the immediate being of 12 bits. */
function withImmediate(mnemonic: string): Rule {
  return (e) => {
    const a = e.registers.read(e.rs1);
    e.result((d) => {
      e.move(d, a);
      e.code.emit(mnemonic, register(d), immediate(e.operands.signed("imm")));
    });
  };
}

/** rd = rs1 shifted by the low bits of rs2: the host masks the count in cl as the guest does, to 6 bits or to 5. */
export function shift(mnemonic: string, width: 32 | 64): Rule {
  return (e) => {
    e.move("rcx", e.registers.read(e.rs2), 32);
    e.move("rax", e.registers.read(e.rs1), width);
    e.code.emit(mnemonic, register("rax", width), register("rcx", 8));
    if (width === 32) e.resultWord();
    else e.resultFrom("rax");
  };
}

export function shiftBy(mnemonic: string, width: 32 | 64): Rule {
  return (e) => {
    e.move("rax", e.registers.read(e.rs1), width);
    e.code.emit(mnemonic, register("rax", width), immediate(e.operands.unsigned("shamt"), 8));
    if (width === 32) e.resultWord();
    else e.resultFrom("rax");
  };
}

/** rd = a < b ? 1 : 0, after the comparison has set the flags. */
function flag(e: Emitter, condition: string): void {
  e.result((d) => {
    e.code.emit(condition, register("rax", 8));
    e.code.emit("movzx", register(d, 32), register("rax", 8));
  });
}

function compare(condition: string): Rule {
  return (e) => {
    e.code.emit("cmp", register(e.registers.read(e.rs1)), register(e.registers.read(e.rs2)));
    flag(e, condition);
  };
}

function compareImmediate(condition: string): Rule {
  return (e) => {
    e.code.emit("cmp", register(e.registers.read(e.rs1)), immediate(e.operands.signed("imm")));
    flag(e, condition);
  };
}

/** rd = x[rs1] + imm; what is known stays a number that costs no code. */
const addi: Rule = (e) => {
  if (e.rd === ZERO) return;
  const offset = e.operands.signed("imm");
  const known = e.registers.known(e.rs1);
  if (known !== undefined) {
    e.registers.define(e.rd, sum(known, offset));
    return;
  }
  const a = e.registers.read(e.rs1);
  e.result((d) => {
    if (equals(offset, 0n)) e.move(d, a);
    else if (d === a) e.code.emit("add", register(d), immediate(offset));
    else e.code.emit("lea", register(d), memory({ base: a, displacement: offset }, 0));
  });
};

const addiw: Rule = (e) => {
  if (e.rd === ZERO) return;
  const offset = e.operands.signed("imm");
  const known = e.registers.known(e.rs1);
  if (known !== undefined) {
    e.registers.define(e.rd, signExtended(sum(known, offset), 32));
    return;
  }
  const a = e.registers.read(e.rs1);
  const zero = equals(offset, 0n);
  if (!zero) e.code.emit("lea", register("rax", 32), memory({ base: a, displacement: offset }, 0));
  const source: Register = zero ? a : "rax";
  e.result((d) => e.code.emit("movsxd", register(d), register(source, 32)));
};

export const integer: Rules = {
  lui: (e) => {
    if (e.rd !== ZERO) e.registers.define(e.rd, e.operands.signed("imm"));
  },
  auipc: (e) => {
    if (e.rd !== ZERO) e.registers.define(e.rd, sum(e.pc, e.operands.signed("imm")));
  },
  addi,
  addiw,
  slti: compareImmediate("setl"),
  sltiu: compareImmediate("setb"),
  xori: withImmediate("xor"),
  ori: withImmediate("or"),
  andi: withImmediate("and"),
  slli: shiftBy("shl", 64),
  srli: shiftBy("shr", 64),
  srai: shiftBy("sar", 64),
  slliw: shiftBy("shl", 32),
  srliw: shiftBy("shr", 32),
  sraiw: shiftBy("sar", 32),
  add: binary("add", true),
  sub: binary("sub", false),
  xor: binary("xor", true),
  or: binary("or", true),
  and: binary("and", true),
  sll: shift("shl", 64),
  srl: shift("shr", 64),
  sra: shift("sar", 64),
  slt: compare("setl"),
  sltu: compare("setb"),
  addw: binaryWord("add"),
  subw: binaryWord("sub"),
  sllw: shift("shl", 32),
  srlw: shift("shr", 32),
  sraw: shift("sar", 32),
  // One hart sees its own accesses in program order.
  fence: () => undefined,
};
