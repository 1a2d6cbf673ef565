/**
 * Wrong definitions, planted into the text of the machine files: for each instruction every slip of the pen that its `execute`
 * string allows.
 */
import type { Files } from "../../../spec/notation/index.js";
import { editedFiles } from "../../edited-files.js";

interface Slip {
  readonly what: string;
  readonly from: RegExp;
  readonly to: string;
  /** Instructions of which it is no slip: what they do stays the same. */
  readonly same?: RegExp;
  /** The same of registers of 32 bits. */
  readonly same32?: RegExp;
  /** Only of registers of 64 bits. */
  readonly wide?: boolean;
}

/** The first match is replaced. */
const SLIPS: readonly Slip[] = [
  { what: "adds for subtracts", from: / - (?!1 :)/, to: " + " },
  { what: "subtracts for adds", from: / \+ (?!length\b)/, to: " - " },
  { what: "ors for ands", from: / & (?!~1)/, to: " | " },
  { what: "ands for ors", from: / \| /, to: " & " },
  { what: "ors for exclusive-ors", from: / \^ /, to: " | " },
  { what: "multiplies for adds", from: / \* (?!XLEN)/, to: " + " },
  { what: "shifts the other way", from: /<</, to: ">>u" },
  { what: "shifts logically", from: />>s/, to: ">>u" },
  { what: "shifts arithmetically", from: />>u/, to: ">>s", same: /^bexti?$/ },
  { what: "shifts by the whole register", from: /shift_amount\(x\[rs2\]\)/, to: "x[rs2]" },
  { what: "shifts by one bit too few of the register", from: /\[4:0\]/, to: "[3:0]" },
  { what: "shifts by one bit too many of the register", from: /\[4:0\]/, to: "[5:0]" },
  { what: "forgets the highest bit of the shift amount", from: /zext\(shamt\)/, to: "zext(shamt[3:0])" },
  { what: "compares unsigned", from: /(<|>=)s/, to: "$1u" },
  { what: "compares signed", from: /(<|>=)u/, to: "$1s" },
  { what: "takes equal for less", from: /<([us])/, to: "<=$1", same: /^(min|max)u?$/ },
  { what: "takes greater for greater or equal", from: />=([us])/, to: ">$1" },
  { what: "compares the other way", from: /==/, to: "!=" },
  { what: "compares the other way", from: /!=/, to: "==" },
  { what: "zero-extends", from: /sext\(/, to: "zext(", same32: /^(lw|lr\.w|amo\w+\.w)$/ },
  { what: "sign-extends", from: /zext\((?=load|x\[rs2\], 2)/, to: "sext(" },
  { what: "is off by one in the immediate", from: /sext\(imm\)/, to: "(sext(imm) + 1)" },
  { what: "takes the upper half of the operand", from: /\[31:0\](?!$)/, to: "[63:32]", wide: true },
  { what: "stores the wrong byte", from: /x\[rs2\]\[(7|15|31):0\]\)/, to: "(x[rs2] >>u 8)[$1:0])" },
  { what: "stores the wrong register", from: /, x\[rs2\]\)( }|$)/m, to: ", x[rs1])$1" },
  {
    what: "accesses the next address",
    from: /\b(load|store|amo_old)\((address|x\[rs1\] \+ sext\(imm\)), /,
    to: "$1($2 + 1, ",
  },
  { what: "keeps the lowest bit of the target", from: / & ~1/, to: "" },
  { what: "links to itself", from: /pc \+ length/, to: "pc" },
  { what: "jumps an instruction too far", from: /jump\((.*)\)$/m, to: "jump($1 + 4)" },
  { what: "returns the lower half", from: /product\[2 \* XLEN - 1 : XLEN\]/, to: "product[XLEN - 1 : 0]" },
  { what: "divides unsigned", from: /quotient_signed/, to: "quotient_unsigned" },
  { what: "divides signed", from: /quotient_unsigned/, to: "quotient_signed" },
  { what: "takes the unsigned remainder", from: /remainder_signed/, to: "remainder_unsigned" },
  { what: "takes the signed remainder", from: /remainder_unsigned/, to: "remainder_signed" },
  { what: "divides for a remainder", from: /remainder/, to: "quotient" },
  { what: "divides by itself", from: /x\[rs1\](\[31:0\])?, x\[rs2\]/, to: "x[rs2]$1, x[rs2]" },
  { what: "raises a breakpoint", from: /environment_call/, to: "breakpoint" },
  { what: "raises an environment call", from: /breakpoint/, to: "environment_call" },
  { what: "raises nothing", from: /raise \w+/, to: "x[1] = x[2]" },
  { what: "writes a register", from: /^""$/, to: "x[rd] = x[rs1] + 1" },
  { what: "skips an instruction", from: /^""$/, to: "pc = pc + 8" },
  { what: "rotates the other way", from: /rotate_left/, to: "rotate_right" },
  { what: "rotates the other way", from: /rotate_right/, to: "rotate_left" },
  { what: "counts from the other end", from: /leading_zeros/, to: "trailing_zeros" },
  { what: "counts from the other end", from: /trailing_zeros/, to: "leading_zeros" },
  { what: "counts zeros", from: /population\((x\[rs1\])/, to: "population(~$1" },
  { what: "reverses for ors", from: /or_bytes/, to: "reverse_bytes" },
  { what: "ors for reverses", from: /reverse_bytes/, to: "or_bytes" },
  { what: "takes the unsigned one", from: /\bsigned_m/, to: "unsigned_m" },
  { what: "takes the signed one", from: /\bunsigned_m/, to: "signed_m" },
  { what: "takes the other one", from: /signed_min/, to: "signed_max" },
  { what: "takes the other one", from: /signed_max/, to: "signed_min" },
  { what: "takes the other one", from: /\? (\S+) : (\S+)$/m, to: "? $2 : $1" },
  { what: "keeps the reservation", from: /release\(\)/, to: "reservation.valid = true" },
  { what: "reserves elsewhere", from: /reserve\(address\)/, to: "reserve(address + 8)" },
  { what: "reserves nothing", from: /reserve\(address\)/, to: "reservation.valid = false" },
  { what: "is content with half the alignment", from: /check_lr\(address, (\d)\)/, to: "check_lr(address, $1 /u 2)" },
  { what: "writes the next register", from: /x\[rd\] = /, to: "x[rd ^ 1] = " },
  { what: "puts zeros above a value", from: /boxed\(/, to: "zext(" },
  { what: "takes a value as it is", from: /\bsingle\((f\[rs\d\])\)/, to: "$1[31:0]" },
  { what: "takes its own sign", from: /f\[rs2\](\)?\[(\d+):\2\])/, to: "f[rs1]$1" },
  { what: "moves a half", from: /= ([xf]\[rs1\])$/, to: "= sext($1[31:0])" },
  { what: "stores the next register", from: /, f\[rs2\]/, to: ", f[rs2 ^ 1]" },
  { what: "writes the next register", from: /f\[rd\] = /, to: "f[rd ^ 1] = " },
];

/** Slips in what an instruction expands to. */
const EXPANSION_SLIPS: readonly Slip[] = [
  { what: "is off by one in the immediate", from: /([sz])ext\(imm\)/, to: "($1ext(imm) + 1)", same: /^c\.nop$/ },
  { what: "takes the registers from x16 on", from: /2'b01/, to: "2'b10" },
  { what: "takes the last register from x16 on", from: /2'b01(?!.*2'b01)/, to: "2'b10" },
  { what: "takes another base", from: /rs1: 2,/, to: "rs1: 3," },
  { what: "takes another source", from: /rs1: 0\b/, to: "rs1: 1", same: /^c\.nop$/ },
  { what: "takes another source", from: /rs2: 0\b/, to: "rs2: 1" },
  { what: "forgets a source", from: /rs1: r[ds]1?\b/, to: "rs1: 0" },
  { what: "takes the next register", from: /rs2: rs2/, to: "rs2: rs2 ^ 1" },
  { what: "shifts otherwise", from: /shamt: shamt/, to: "shamt: shamt ^ 1" },
  { what: "does not link, or links", from: /jal(r?): \{ rd: ([01])/, to: "jal$1: { rd: 1 - $2" },
  { what: "links elsewhere", from: /rd: 1,/, to: "rd: 5," },
  { what: "writes x1", from: /addi: \{ rd: [02],/, to: "addi: { rd: 1," },
  { what: "writes the next register", from: /rd: rd,/, to: "rd: rd ^ 1," },
  { what: "calls the environment", from: /ebreak/, to: "ecall" },
  { what: "branches the other way", from: /\{ beq/, to: "{ bne" },
  { what: "branches the other way", from: /\{ bne/, to: "{ beq" },
  { what: "does another thing", from: /\{ (and|or|xor|sub|add): /, to: "{ sltu: " },
  { what: "does another thing", from: /\{ (addw|subw): /, to: "{ mulw: " },
  { what: "shifts logically", from: /\{ srai/, to: "{ srli" },
  { what: "shifts arithmetically", from: /\{ srli/, to: "{ srai" },
];

/** Each slip's result for this text of the instruction. */
function slipsOf(slips: readonly Slip[], name: string, of: string): { readonly what: string; readonly text: string }[] {
  return slips.flatMap(({ what, from, to, same }) => {
    const text = of.replace(from, to);
    return text === of || same?.test(name) === true ? [] : [{ what, text }];
  });
}

const HEAD = String.raw`^ {2}([\w.]+):\n(?: {4}(?:encoding|assembly|where|except):.*\n)+`;
/** The `execute` entry of each instruction of a file: the key's line, and the lines below that are indented further. */
const EXECUTE = new RegExp(String.raw`${HEAD} {4}execute:( *\|\n(?: {6}.*\n)+| .*\n)`, "gm");
const EXPANDS = new RegExp(String.raw`${HEAD} {4}expands:( .*\n)`, "gm");

export interface Planted {
  readonly files: Files;
  /** What is wrong with which instruction, filled while files are read. */
  readonly wrong: ReadonlyMap<string, string>;
}

/** The file system, but every instruction (or those that are wanted) that has as many slips has its `round`-th one. */
export function planted(
  round: number,
  wanted: (name: string) => boolean = (): boolean => true,
  xlen: 32 | 64 = 64,
): Planted {
  const wrong = new Map<string, string>();
  const slip = (slips: readonly Slip[], name: string, code: string): string | undefined => {
    const possible = slips.filter((s) => xlen === 64 || (s.wide !== true && s.same32?.test(name) !== true));
    const found = slipsOf(possible, name, code)[round];
    if (found === undefined || !wanted(name)) return undefined;
    wrong.set(name, found.what);
    return found.text;
  };
  const files = editedFiles("riscv", (whole) =>
    whole
      .replace(EXECUTE, (block: string, name: string, execute: string) => {
        const text = slip(SLIPS, name, codeOf(execute));
        if (text === undefined) return block;
        const indented = text
          .split("\n")
          .map((line) => `      ${line}\n`)
          .join("");
        return block.replace(`execute:${execute}`, () => `execute: |\n${indented}`);
      })
      .replace(EXPANDS, (block: string, name: string, expands: string) => {
        const text = slip(EXPANSION_SLIPS, name, expands);
        return text === undefined ? block : block.replace(expands, () => text);
      }),
  );
  return { files, wrong };
}

/** The notation's text of an entry: a block, or a string that may be quoted. */
function codeOf(entry: string): string {
  if (!entry.trimStart().startsWith("|")) return entry.trim().replace(/^"(.+)"$/, "$1");
  return entry
    .slice(entry.indexOf("\n") + 1)
    .replace(/^ {6}/gm, "")
    .trimEnd();
}
