/** Wrong definitions, planted into the text of spec/x86-64: slips of the pen that each block's `execute` string allows. */
import type { Files } from "../../../spec/notation/index.js";
import { editedFiles } from "../../edited-files.js";

interface Slip {
  readonly what: string;
  readonly from: RegExp;
  readonly to: string;
}

/** The first match is replaced. */
const SLIPS: readonly Slip[] = [
  { what: "adds for subtracts", from: / - (?!1\b|c\b)/, to: " + " },
  { what: "subtracts for adds", from: / \+ (?!1 - t)/, to: " - " },
  { what: "multiplies a sum", from: / \* (?!\(|i\b|width)/, to: " + " },
  { what: "ors for ands", from: / & (?!\(|31|63|mask)/, to: " | " },
  { what: "ands for ors", from: / \| (?!\()/, to: " & " },
  { what: "ors for exclusive-ors", from: / \^ /, to: " | " },
  { what: "shifts the other way", from: /<</, to: ">>u" },
  { what: "shifts logically", from: />>s/, to: ">>u" },
  { what: "shifts the other way", from: />>u/, to: "<<" },
  { what: "zero-extends", from: /sext\(/, to: "zext(" },
  { what: "sign-extends", from: /zext\((?=src|bytes|CF|OF|size)/, to: "sext(" },
  { what: "compares the other way", from: /==/, to: "!=" },
  { what: "compares the other way", from: /!=/, to: "==" },
  {
    what: "takes the wrong flag for a condition",
    from: /^(if|dst = zext\(|dst = chosen\()(.*)\b(CF|ZF|SF|OF|PF)\b/m,
    to: "$1$2DF",
  },
  { what: "takes the condition for its contrary", from: /(if |\()!(?=[A-Zbl])/, to: "$1" },
  { what: "takes a condition for another", from: /below_or_equal\(\)/, to: "less()" },
  { what: "takes a condition for another", from: /less_or_equal\(\)/, to: "less()" },
  { what: "takes a condition for another", from: /\bless\(\)/, to: "SF" },
  { what: "jumps too far", from: /jump\(to\)/, to: "jump(to + 1)" },
  { what: "leaves the carry out", from: /, CF, r\)/, to: ", false, r)" },
  { what: "forgets a flag", from: /^(CF|OF|ZF|SF|AF|PF) = .*\n/m, to: "" },
  { what: "forgets the flags", from: /^(\w+_flags\(.*\)|result_flags\(r\))\n/m, to: "" },
  { what: "clears a flag for setting it", from: /= true/, to: "= false" },
  { what: "sets a flag for clearing it", from: /= false/, to: "= true" },
  { what: "turns a flag over", from: /\b([ACDOPSZ]F = )(?!!)/, to: "$1!" },
  { what: "copies a flag for turning it over", from: /CF = !CF/, to: "CF = CF" },
  { what: "writes the complement", from: /^dst = (?!~|zext|src$|chosen|unchanged)(.*)$/m, to: "dst = ~($1)" },
  { what: "reads the complement", from: /^dst = src$/m, to: "dst = ~src" },
  { what: "copies for complementing", from: /dst = ~dst/, to: "dst = dst" },
  { what: "chooses the other value", from: /chosen\((.*), src, dst\)/, to: "chosen($1, dst, src)" },
  {
    what: "raises another exception",
    from: /raise (general_protection|divide_error|breakpoint|system_call)/,
    to: "raise invalid_opcode",
  },
  { what: "raises another exception", from: /raise invalid_opcode/, to: "raise breakpoint" },
  { what: "takes the other pointer", from: /\brsi\b/, to: "rdi" },
  { what: "takes the wrong register", from: /\brdx\b/, to: "rbx" },
  { what: "takes the wrong register", from: /\brbp\b(?! =)/, to: "rbx" },
  { what: "pushes something else", from: /push_value\((.*)\)/, to: "push_value(~($1))" },
  { what: "returns elsewhere", from: /return\((.*)\)/, to: "return($1 + 8)" },
  { what: "calls elsewhere", from: /call\(to, /, to: "call(to ^ 1, " },
  { what: "writes a register", from: /^""$/, to: "rbx = rbx + 1" },
  { what: "writes another register as well", from: /$/, to: "\nr9 = r9 ^ 1" },
];

/** Each slip's result for this `execute` string. */
function slipsOf(execute: string): { readonly what: string; readonly text: string }[] {
  return SLIPS.flatMap(({ what, from, to }) => {
    const text = execute.replace(from, to);
    return text === execute ? [] : [{ what, text }];
  });
}

/** The `execute` entry of each block of a file: the key's line, and the lines below that are indented further. */
const EXECUTE =
  /^ {2}(\w+):\n(?: {4}(?:mnemonic|operands|widths|where):.*\n| {4}#.*\n)* {4}execute:( *\|\n(?: {6}.*\n| *\n)+| .*\n)/gm;

export interface Planted {
  readonly files: Files;
  /** What is wrong with which block, filled while files are read. */
  readonly wrong: ReadonlyMap<string, string>;
}

/** The file system, but every block that has as many slips has its `round`-th one. */
export function planted(round: number): Planted {
  const wrong = new Map<string, string>();
  const files = editedFiles("x86-64", (text) => {
    const [head = "", ...rest] = text.split(/^(?=functions:)/m);
    const edited = head.replace(EXECUTE, (block: string, name: string, execute: string) => edit(block, name, execute));
    return [edited, ...rest].join("");
  });
  const edit = (block: string, name: string, execute: string): string => {
    const isBlock = execute.trimStart().startsWith("|");
    const code = isBlock
      ? execute
          .slice(execute.indexOf("\n") + 1)
          .replace(/^ {6}/gm, "")
          .trimEnd()
      : execute.trim().replace(/^"(.+)"$/, "$1");
    const slip = slipsOf(code)[round];
    if (slip === undefined) return block;
    wrong.set(name, slip.what);
    const text = slip.text.startsWith('""') ? slip.text.slice(2).trimStart() : slip.text;
    const indented = text
      .split("\n")
      .map((line) => `      ${line}\n`)
      .join("");
    return block.replace(`execute:${execute}`, () => `execute: |\n${indented}`);
  };
  return { files, wrong };
}
