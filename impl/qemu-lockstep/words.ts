/**
 * The little that has to be known of RISC-V words to run them safely: which access memory where, and where jumps go. It is
 * written from the manual's formats, apart from the machine definition that the lockstep is meant to check.
 */

export type Kind = "load" | "store" | "jump" | "branch" | "ecall" | "other";

export function kindOf(word: number): Kind {
  switch (word & 0x7f) {
    case 0x03:
      return "load";
    case 0x23:
      return "store";
    case 0x67:
    case 0x6f:
      return "jump";
    case 0x63:
      return "branch";
    case 0x73:
      return word === 0x73 ? "ecall" : "other";
    default:
      return "other";
  }
}

const sext = (value: number, width: number): bigint => BigInt.asIntN(width, BigInt(value));
const bits = (word: number, hi: number, lo: number): number => (word >>> lo) & ((1 << (hi - lo + 1)) - 1);

const immediateI = (word: number): bigint => sext(bits(word, 31, 20), 12);
const immediateS = (word: number): bigint => sext((bits(word, 31, 25) << 5) | bits(word, 11, 7), 12);
const immediateB = (word: number): bigint =>
  sext(
    (bits(word, 31, 31) << 12) | (bits(word, 7, 7) << 11) | (bits(word, 30, 25) << 5) | (bits(word, 11, 8) << 1),
    13,
  );
const immediateJ = (word: number): bigint =>
  sext(
    (bits(word, 31, 31) << 20) | (bits(word, 19, 12) << 12) | (bits(word, 20, 20) << 11) | (bits(word, 30, 21) << 1),
    21,
  );

/** Where a load or store begins, or a jump or (taken) branch goes; `undefined` for other words. */
export function addressOf(word: number, pc: bigint, x: readonly bigint[]): bigint | undefined {
  const rs1 = x[bits(word, 19, 15)] ?? 0n;
  switch (kindOf(word)) {
    case "load":
      return BigInt.asUintN(64, rs1 + immediateI(word));
    case "store":
      return BigInt.asUintN(64, rs1 + immediateS(word));
    case "branch":
      return BigInt.asUintN(64, pc + immediateB(word));
    case "jump":
      return (word & 0x7f) === 0x6f
        ? BigInt.asUintN(64, pc + immediateJ(word))
        : BigInt.asUintN(64, rs1 + immediateI(word)) & ~1n;
    default:
      return undefined;
  }
}
