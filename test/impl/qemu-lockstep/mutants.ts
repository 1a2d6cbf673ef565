/**
 * Wrong definitions, planted into the text of the machine files: for each instruction every slip of the pen that its `execute`
 * string allows.
 */
import { nodeFiles } from "../../../spec/notation/files.js";
import type { Files } from "../../../spec/notation/index.js";

interface Slip {
  readonly what: string;
  readonly from: RegExp;
  readonly to: string;
}

/** The first match is replaced. */
const SLIPS: readonly Slip[] = [
  { what: "adds for subtracts", from: / - (?!1 :)/, to: " + " },
  { what: "subtracts for adds", from: / \+ (?!4\b)/, to: " - " },
  { what: "ors for ands", from: / & (?!~1)/, to: " | " },
  { what: "ands for ors", from: / \| /, to: " & " },
  { what: "ors for exclusive-ors", from: / \^ /, to: " | " },
  { what: "multiplies for adds", from: / \* (?!XLEN)/, to: " + " },
  { what: "shifts the other way", from: /<</, to: ">>u" },
  { what: "shifts logically", from: />>s/, to: ">>u" },
  { what: "shifts arithmetically", from: />>u/, to: ">>s" },
  { what: "shifts by the whole register", from: /shift_amount\(x\[rs2\]\)/, to: "x[rs2]" },
  { what: "shifts by one bit too few of the register", from: /\[4:0\]/, to: "[3:0]" },
  { what: "shifts by one bit too many of the register", from: /\[4:0\]/, to: "[5:0]" },
  { what: "forgets the highest bit of the shift amount", from: /zext\(shamt\)/, to: "zext(shamt[3:0])" },
  { what: "compares unsigned", from: /(<|>=)s/, to: "$1u" },
  { what: "compares signed", from: /(<|>=)u/, to: "$1s" },
  { what: "takes equal for less", from: /<([us])/, to: "<=$1" },
  { what: "takes greater for greater or equal", from: />=([us])/, to: ">$1" },
  { what: "compares the other way", from: /==/, to: "!=" },
  { what: "compares the other way", from: /!=/, to: "==" },
  { what: "zero-extends", from: /sext\(/, to: "zext(" },
  { what: "sign-extends", from: /zext\((?=mem|x\[rs2\], 2)/, to: "sext(" },
  { what: "is off by one in the immediate", from: /sext\(imm\)/, to: "(sext(imm) + 1)" },
  { what: "takes the upper half of the operand", from: /\[31:0\](?!$)/, to: "[63:32]" },
  { what: "stores the wrong byte", from: /x\[rs2\]\[(7|15|31):0\]$/, to: "(x[rs2] >>u 8)[$1:0]" },
  { what: "stores the wrong register", from: /= x\[rs2\]$/, to: "= x[rs1]" },
  { what: "accesses the next address", from: /mem\[(address|x\[rs1\] \+ sext\(imm\)), /, to: "mem[$1 + 1, " },
  { what: "keeps the lowest bit of the target", from: / & ~1/, to: "" },
  { what: "links to itself", from: /pc \+ 4/, to: "pc" },
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
  { what: "writes the next register", from: /x\[rd\] = /, to: "x[rd ^ 1] = " },
];

/** Each slip's result for this `execute` string. */
function slipsOf(execute: string): { readonly what: string; readonly text: string }[] {
  return SLIPS.flatMap(({ what, from, to }) => {
    const text = execute.replace(from, to);
    return text === execute ? [] : [{ what, text }];
  });
}

/** The `execute` entry of each instruction of a file: the key's line, and the lines below that are indented further. */
const EXECUTE = /^ {2}(\w+):\n(?: {4}(?:encoding|assembly):.*\n)+ {4}execute:( *\|\n(?: {6}.*\n)+| .*\n)/gm;

export interface Planted {
  readonly files: Files;
  /** What is wrong with which instruction, filled while files are read. */
  readonly wrong: ReadonlyMap<string, string>;
}

/** The file system, but every instruction (or the one that is named) that has as many slips has its `round`-th one. */
export function planted(round: number, only?: string): Planted {
  const wrong = new Map<string, string>();
  const files: Files = {
    ...nodeFiles,
    async read(path) {
      const file = await nodeFiles.read(path);
      if ("problem" in file || !path.includes("riscv")) return file;
      return {
        text: file.text.replace(EXECUTE, (block: string, name: string, execute: string) =>
          edited(block, name, execute),
        ),
      };
    },
  };
  const edited = (block: string, name: string, execute: string): string => {
    const isBlock = execute.trimStart().startsWith("|");
    const code = isBlock
      ? execute
          .slice(execute.indexOf("\n") + 1)
          .replace(/^ {6}/gm, "")
          .trimEnd()
      : execute.trim();
    const slip = slipsOf(code)[round];
    if (slip === undefined || (only !== undefined && only !== name)) return block;
    wrong.set(name, slip.what);
    const indented = slip.text
      .split("\n")
      .map((line) => `      ${line}\n`)
      .join("");
    return block.replace(`execute:${execute}`, () => `execute: |\n${indented}`);
  };
  return { files, wrong };
}
