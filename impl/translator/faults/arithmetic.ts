/** Results that are wrong for some operands. */
import { immediate, register } from "../code.js";
import { Emitter } from "../emitter.js";
import type { Rule } from "../rules/rule.js";
import type { Faults } from "./fault.js";

/** The host's operations on 32 bits extend by zeros, and nobody does better. */
class ZeroExtending extends Emitter {
  override resultWord(): void {
    this.result((d) => this.move(d, "rax", 32));
  }
}

/** All 64 bits are shifted, by a count of 6 bits, and the low word taken. */
function wordByWholeShift(mnemonic: string, extension: "mov" | "movsxd"): Rule {
  return (e) => {
    e.move("rcx", e.registers.read(e.rs2), 32);
    const a = e.registers.read(e.rs1);
    e.code.emit(extension, register("rax", extension === "mov" ? 32 : 64), register(a, 32));
    e.code.emit(mnemonic, register("rax"), register("rcx", 8));
    e.resultWord();
  };
}

/** A count for 64 bits masked as one for 32. */
function byFiveBits(mnemonic: string): Rule {
  return (e) => {
    e.move("rcx", e.registers.read(e.rs2), 32);
    e.code.emit("and", register("rcx", 32), immediate(31n, 32));
    e.move("rax", e.registers.read(e.rs1));
    e.code.emit(mnemonic, register("rax"), register("rcx", 8));
    e.resultFrom("rax");
  };
}

interface Division {
  readonly signed: boolean;
  readonly width: 32 | 64;
  /** The divisor is compared with 0 on so many bits. */
  readonly tested: 32 | 64;
  /** The quotient by zero. */
  readonly byZero: bigint;
}

/** A quotient; the most negative number by -1 is nobody's concern. */
function quotient({ signed, width, tested, byZero }: Division): Rule {
  return (e) => {
    const [a, b] = [e.registers.read(e.rs1), e.registers.read(e.rs2)];
    const [isZero, done] = [e.code.label("by zero"), e.code.label("done")];
    e.move("rax", a, width);
    e.code.emit("test", register(b, tested), register(b, tested));
    e.code.emit("je", isZero);
    if (signed) e.code.emit(width === 64 ? "cqo" : "cdq");
    else e.code.emit("xor", register("rdx", 32), register("rdx", 32));
    e.code.emit(signed ? "idiv" : "div", register(b, width));
    e.code.emit("jmp", done);
    e.code.place(isZero);
    e.load("rax", byZero);
    e.code.place(done);
    if (width === 32) e.resultWord();
    else e.resultFrom("rax");
  };
}

/** In place without a look at whether rd holds the operand that is still to come. */
const subtractInPlace: Rule = (e) => {
  const [a, b] = [e.registers.read(e.rs1), e.registers.read(e.rs2)];
  e.result((d) => {
    e.move(d, a);
    e.code.emit("sub", register(d), register(b));
  });
};

/** The highest bit's number subtracted from 63; of 0 the host says nothing. */
const leadingZerosByScan: Rule = (e) => {
  e.code.emit("bsr", register("rax"), register(e.registers.read(e.rs1)));
  e.code.emit("xor", register("rax"), immediate(63n));
  e.resultFrom("rax");
};

const [ONES_32, ONES_64] = [(1n << 32n) - 1n, (1n << 64n) - 1n];

export const arithmetic: Faults = {
  "word-zero-extended": { Emitter: ZeroExtending },
  "word-shift-by-six-bits": {
    rules: {
      sllw: wordByWholeShift("shl", "mov"),
      srlw: wordByWholeShift("shr", "mov"),
      sraw: wordByWholeShift("sar", "movsxd"),
    },
  },
  "shift-by-five-bits": { rules: { sll: byFiveBits("shl"), srl: byFiveBits("shr"), sra: byFiveBits("sar") } },
  "division-overflow": {
    rules: {
      div: quotient({ signed: true, width: 64, tested: 64, byZero: ONES_64 }),
      divw: quotient({ signed: true, width: 32, tested: 32, byZero: ONES_32 }),
    },
  },
  "divisor-tested-wide": {
    rules: { divuw: quotient({ signed: false, width: 32, tested: 64, byZero: ONES_32 }) },
  },
  "quotient-by-zero-is-zero": {
    rules: { divu: quotient({ signed: false, width: 64, tested: 64, byZero: 0n }) },
  },
  "operand-overwritten": { rules: { sub: subtractInPlace } },
  "leading-zeros-of-zero": { rules: { clz: leadingZerosByScan } },
};
