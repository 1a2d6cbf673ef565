/** Wrong definitions, planted into the text of eBPF's files: for each instruction every slip of the pen that its body allows. */
import type { Files } from "../../../spec/notation/index.js";
import { editedFiles } from "../../edited-files.js";

/** What is replaced (the first match), by what. */
const SLIPS: readonly (readonly [RegExp, string])[] = [
  [/ \+ /, " - "],
  [/ - /, " + "],
  [/ & /, " | "],
  [/ \| /, " & "],
  [/ \^ /, " | "],
  [/ \* /, " + "],
  [/= -r/, "= ~r"],
  [/, -r/, ", ~r"],
  [/<</, ">>u"],
  [/>>s/, ">>u"],
  [/>>u/, ">>s"],
  [/(?<=src\])\[4:0\]/, "[5:0]"],
  [/\[4:0\]/, "[3:0]"],
  [/\[5:0\]/, "[4:0]"],
  [/(?<=src\])\[5:0\]/, "[6:0]"],
  [/signed_quotient/, "quotient"],
  [/ quotient\(/, " signed_quotient("],
  [/ remainder\(/, " signed_remainder("],
  [/signed_remainder/, "remainder"],
  [/quotient/, "remainder"],
  [/remainder/, "quotient"],
  [/(<|>|<=|>=)s/, "$1u"],
  [/(<|>|<=|>=)u/, "$1s"],
  [/(?<![<>])([<>])([us])/, "$1=$2"],
  [/([<>])=([us])/, "$1$2"],
  [/==/, "!="],
  [/!=/, "=="],
  [/sext\((?=imm|mem|r)/, "zext("],
  [/sext\((?=offset)/, "zext("],
  [/zext\(mem/, "sext(mem"],
  [/\bimm\b(?=\)|$)/m, "imm + 1"],
  [/\boffset\b/, "offset + 1"],
  [/r\[dst\]\[31:0\]/, "r[dst][63:32]"],
  [/r\[src\]\[31:0\]/, "r[src][63:32]"],
  [/r\[0\]\[31:0\]/, "r[0][63:32]"],
  [/swap(16|32|64)/, ""],
  [/\[(15|7):0\](?=\)|$)/m, "[$1:0] + 1"],
  [/\[31:0\]\)$/m, "[31:0] + 1)"],
  [/r\[dst\] = /, "r[dst ^ 1] = "],
  [/set32\((dst|src), /, "set32($1 ^ 1, "],
  [/= r\[src\]/, "= r[dst]"],
  [/= r\[dst\]/, "= r[dst ^ 1]"],
  [/mem\[(address|r\[\w+\] \+ sext\(offset\)), /, "mem[$1 + 1, "],
  [/ : old$/m, " : ~old"],
  [/r\[src\] = old/, "r[src] = r[src]"],
  [/r\[0\] = (?:zext\()?old\)?/, "r[0] = r[1]"],
  [/raise \w+/, "r[0] = r[1]"],
  [/depth = depth \+ 1/, "depth = depth"],
  [/depth = depth - 1/, "depth = depth"],
  [/STACK_SIZE/, "256"],
  [/r\[6\] = /, "r[7] = "],
  [/\.r8$/m, ".r9"],
  [/r8 = r\[8\]/, "r8 = r[9]"],
  [/pc \+ 8/, "pc"],
  [/CALL_DEPTH - 1/, "CALL_DEPTH - 2"],
];

function slipsOf(body: string): readonly string[] {
  return [...new Set(SLIPS.map(([from, to]) => body.replace(from, to)))].filter((text) => text !== body);
}

/** The `execute` entry of each instruction of a file: the key's line, and the lines below that are indented further. */
const EXECUTE = /^ {2}(\w+):\n(?: {4}(?:encoding|where|assembly):.*\n)+ {4}execute:( *\|\n(?: {6}.*\n)+| .*\n)/gm;

export interface Planted {
  readonly files: Files;
  /** What each instruction does instead, filled while files are read. */
  readonly wrong: ReadonlyMap<string, string>;
}

/** The file system, but every instruction that has as many slips has its `round`-th one. */
export function planted(round: number): Planted {
  const wrong = new Map<string, string>();
  const files = edited((text) =>
    text.replace(EXECUTE, (block: string, name: string, execute: string) => {
      const body = execute.trimStart().startsWith("|")
        ? execute.slice(execute.indexOf("\n") + 1).replace(/^ {6}/gm, "")
        : execute.trim();
      const slip = slipsOf(body.trimEnd())[round];
      if (slip === undefined) return block;
      wrong.set(name, slip);
      const lines = slip.split("\n").map((line) => `      ${line}\n`);
      return block.replace(`execute:${execute}`, () => `execute: |\n${lines.join("")}`);
    }),
  );
  return { files, wrong };
}

/** The file system with every file of eBPF changed. */
export function edited(edit: (text: string) => string): Files {
  return editedFiles("ebpf", edit);
}
