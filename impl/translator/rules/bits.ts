/** Zba and Zbb: The RISC-V Instruction Set Manual, Volume I, version 20240411, chapter 28. */
import { immediate, memory, register } from "../code.js";
import { shift, shiftBy } from "./integer.js";
import type { Rule, Rules } from "./rule.js";

/** rd = rs2 + (rs1 << n), of rs1 its low word alone if `word`: an address that the host can compute. */
function shiftedAdd(scale: 1 | 2 | 4 | 8, word: boolean): Rule {
  return (e) => {
    const index = e.registers.read(e.rs1);
    const base = e.registers.read(e.rs2);
    if (word) e.move("rax", index, 32);
    e.result((d) =>
      e.code.emit("lea", register(d), memory({ base, index: word ? "rax" : index, scale, displacement: 0n }, 0)),
    );
  };
}

const shiftWord: Rule = (e) => {
  e.move("rax", e.registers.read(e.rs1), 32);
  e.code.emit("shl", register("rax"), immediate(e.operands.unsigned("shamt"), 8));
  e.resultFrom("rax");
};

/** rd = rs1 op ~rs2 */
function withComplement(mnemonic: string): Rule {
  return (e) => {
    e.move("rax", e.registers.read(e.rs2));
    e.code.emit("not", register("rax"));
    e.code.emit(mnemonic, register("rax"), register(e.registers.read(e.rs1)));
    e.resultFrom("rax");
  };
}

const xnor: Rule = (e) => {
  e.move("rax", e.registers.read(e.rs1));
  e.code.emit("xor", register("rax"), register(e.registers.read(e.rs2)));
  e.code.emit("not", register("rax"));
  e.resultFrom("rax");
};

/** Of the host's instructions those that give the width for 0, as the guest's do. */
function count(mnemonic: "lzcnt" | "tzcnt" | "popcnt", width: 32 | 64): Rule {
  return (e) => {
    const a = e.registers.read(e.rs1);
    // A result on 32 bits is not negative, so that the host's extension by zeros is the guest's by the sign.
    e.result((d) => e.code.emit(mnemonic, register(d, width), register(a, width)));
  };
}

/** The one of two that a comparison prefers: rs2 if rs1 `condition` rs2. */
function chosen(condition: string): Rule {
  return (e) => {
    const a = e.registers.read(e.rs1);
    const b = e.registers.read(e.rs2);
    e.move("rax", a);
    e.code.emit("cmp", register(a), register(b));
    e.code.emit(condition, register("rax"), register(b));
    e.resultFrom("rax");
  };
}

function extended(mnemonic: "movsx" | "movzx", from: 8 | 16): Rule {
  return (e) => {
    const a = e.registers.read(e.rs1);
    e.result((d) => e.code.emit(mnemonic, register(d, mnemonic === "movsx" ? 64 : 32), register(a, from)));
  };
}

const reverseBytes: Rule = (e) => {
  const a = e.registers.read(e.rs1);
  e.result((d) => {
    e.move(d, a);
    e.code.emit("bswap", register(d));
  });
};

const LOW_BITS = 0x7f7f7f7f7f7f7f7fn;

/** The top bit of each byte becomes whether the byte is not 0, by a sum that cannot carry out of it; then it fills the byte. */
const orBytes: Rule = (e) => {
  const a = e.registers.read(e.rs1);
  e.load("rcx", LOW_BITS);
  e.move("rax", a);
  e.code.emit("and", register("rax"), register("rcx"));
  e.code.emit("add", register("rax"), register("rcx"));
  e.code.emit("or", register("rax"), register(a));
  e.code.emit("not", register("rcx"));
  e.code.emit("and", register("rax"), register("rcx"));
  e.move("rcx", "rax");
  e.code.emit("shr", register("rcx"), immediate(7n, 8));
  e.code.emit("add", register("rax"), register("rax"));
  e.code.emit("sub", register("rax"), register("rcx"));
  e.resultFrom("rax");
};

export const bits: Rules = {
  sh1add: shiftedAdd(2, false),
  sh2add: shiftedAdd(4, false),
  sh3add: shiftedAdd(8, false),
  "add.uw": shiftedAdd(1, true),
  "sh1add.uw": shiftedAdd(2, true),
  "sh2add.uw": shiftedAdd(4, true),
  "sh3add.uw": shiftedAdd(8, true),
  "slli.uw": shiftWord,
  andn: withComplement("and"),
  orn: withComplement("or"),
  xnor,
  clz: count("lzcnt", 64),
  clzw: count("lzcnt", 32),
  ctz: count("tzcnt", 64),
  ctzw: count("tzcnt", 32),
  cpop: count("popcnt", 64),
  cpopw: count("popcnt", 32),
  max: chosen("cmovl"),
  maxu: chosen("cmovb"),
  min: chosen("cmovge"),
  minu: chosen("cmovae"),
  "sext.b": extended("movsx", 8),
  "sext.h": extended("movsx", 16),
  "zext.h": extended("movzx", 16),
  rol: shift("rol", 64),
  ror: shift("ror", 64),
  rolw: shift("rol", 32),
  rorw: shift("ror", 32),
  rori: shiftBy("ror", 64),
  roriw: shiftBy("ror", 32),
  "orc.b": orBytes,
  rev8: reverseBytes,
};
