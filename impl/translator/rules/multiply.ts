/** The M extension: The RISC-V Instruction Set Manual, Volume I, version 20240411, chapter 13. */
import { immediate, register } from "../code.js";
import { binary, binaryWord } from "./integer.js";
import type { Rule, Rules } from "./rule.js";

/** The upper half of the product, which the host leaves in rdx. */
function high(mnemonic: "imul" | "mul"): Rule {
  return (e) => {
    e.move("rax", e.registers.read(e.rs1));
    e.code.emit(mnemonic, register(e.registers.read(e.rs2)));
    e.resultFrom("rdx");
  };
}

/** The unsigned product counts a negative rs1 as 2^64 too much: its upper half is too large by rs2. */
const mulhsu: Rule = (e) => {
  const a = e.registers.read(e.rs1);
  const b = e.registers.read(e.rs2);
  e.move("rax", a);
  e.code.emit("mul", register(b));
  e.move("rcx", a);
  e.code.emit("sar", register("rcx"), immediate(63n, 8));
  e.code.emit("and", register("rcx"), register(b));
  e.code.emit("sub", register("rdx"), register("rcx"));
  e.resultFrom("rdx");
};

/**
 * Section 13.2: by zero, the quotient is all ones and the remainder the dividend; the quotient of the most negative number by -1
 * is itself, the remainder 0. The host faults on both, so neither gets to its division.
 */
function divide(signed: boolean, wanted: "quotient" | "remainder", width: 32 | 64): Rule {
  return (e) => {
    const [a, b] = [e.registers.read(e.rs1), e.registers.read(e.rs2)];
    const [byZero, byMinusOne, done] = [e.code.label("by zero"), e.code.label("by -1"), e.code.label("done")];
    e.move("rax", a, width);
    e.code.emit("test", register(b, width), register(b, width));
    e.code.emit("je", byZero);
    if (signed) {
      e.code.emit("cmp", register(b, width), immediate(-1n, width));
      e.code.emit("je", byMinusOne);
      e.code.emit(width === 64 ? "cqo" : "cdq");
      e.code.emit("idiv", register(b, width));
    } else {
      e.code.emit("xor", register("rdx", 32), register("rdx", 32));
      e.code.emit("div", register(b, width));
    }
    if (wanted === "remainder") e.move("rax", "rdx", width);
    e.code.emit("jmp", done);
    if (signed) {
      e.code.place(byMinusOne);
      if (wanted === "quotient") e.code.emit("neg", register("rax", width));
      else e.code.emit("xor", register("rax", 32), register("rax", 32));
      e.code.emit("jmp", done);
    }
    e.code.place(byZero);
    if (wanted === "quotient") e.load("rax", (1n << BigInt(width)) - 1n);
    e.code.place(done);
    if (width === 32) e.resultWord();
    else e.resultFrom("rax");
  };
}

export const multiply: Rules = {
  mul: binary("imul", true),
  mulh: high("imul"),
  mulhu: high("mul"),
  mulhsu,
  mulw: binaryWord("imul"),
  div: divide(true, "quotient", 64),
  divu: divide(false, "quotient", 64),
  rem: divide(true, "remainder", 64),
  remu: divide(false, "remainder", 64),
  divw: divide(true, "quotient", 32),
  divuw: divide(false, "quotient", 32),
  remw: divide(true, "remainder", 32),
  remuw: divide(false, "remainder", 32),
};
