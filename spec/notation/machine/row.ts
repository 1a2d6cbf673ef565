/**
 * An encoding's row: `imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011`, as the manuals write it, the word's
 * high bits first. Constants are binary, or numbers with a width: `16'd0`.
 */
import type { RowPart } from "../syntax/ast.js";

export interface RowProblem {
  readonly offset: number;
  readonly message: string;
}

const PART = /\s*(?:([01]+)(?=\s|$)|(\d+)'([bdh])([0-9a-fA-F]+)(?=\s|$)|([A-Za-z_]\w*)(?:\[([^\]]*)\])?(?=\s|$))/y;
const PIECE = /^\s*(\d+)\s*(?::\s*(\d+)\s*)?$/;

export function parseRow(text: string): {
  readonly parts: readonly RowPart[];
  readonly problem: RowProblem | undefined;
} {
  const parts: RowPart[] = [];
  let at = 0;
  while (text.slice(at).trim() !== "") {
    PART.lastIndex = at;
    const match = PART.exec(text);
    const start = at + (text.slice(at).length - text.slice(at).trimStart().length);
    if (match === null) {
      const word = /\S+/.exec(text.slice(start))?.[0] ?? "";
      return {
        parts,
        problem: {
          offset: start,
          message: `\`${word}\` is neither binary digits, nor a number with a width as in 16'd0, nor a field as in rs1 or imm[11:0]`,
        },
      };
    }
    const [whole, bits, width, radix, digits, name, list] = match;
    const span = { start, end: at + whole.length };
    at += whole.length;
    if (bits !== undefined) {
      parts.push({ kind: "constant", bits, span });
    } else if (width !== undefined) {
      const sized = sizedBits(Number(width), radix, digits ?? "");
      if (sized === undefined)
        return { parts, problem: { offset: start, message: `\`${whole.trim()}\` is no number of ${width} bits` } };
      parts.push({ kind: "constant", bits: sized, span });
    } else if (name !== undefined) {
      const pieces = list === undefined ? undefined : pieceList(list);
      if (pieces !== undefined && "problem" in pieces)
        return { parts, problem: { offset: start, message: pieces.problem } };
      parts.push({ kind: "field", name, pieces: pieces?.pieces, span });
    }
  }
  return { parts, problem: undefined };
}

/** The binary digits of `16'd5`; undefined where they are too many, or no digits of that radix. */
function sizedBits(width: number, radix: string | undefined, digits: string): string | undefined {
  const [prefix, wrong] = radix === "h" ? ["0x", /[^0-9a-fA-F]/] : radix === "b" ? ["0b", /[^01]/] : ["", /[^0-9]/];
  if (width < 1 || width > 4096 || wrong.test(digits)) return undefined;
  const bits = BigInt(prefix + digits).toString(2);
  return bits.length > width ? undefined : bits.padStart(width, "0");
}

function pieceList(list: string): { pieces: { hi: number; lo: number }[] } | { problem: string } {
  const pieces: { hi: number; lo: number }[] = [];
  for (const piece of list.split("|")) {
    const match = PIECE.exec(piece);
    const hi = Number(match?.[1]);
    const lo = match?.[2] === undefined ? hi : Number(match[2]);
    if (match === null || hi < lo || hi > 4095)
      return { problem: `\`${list}\` is no list of bits: write 11:0, or 12|10:5, high bits first` };
    pieces.push({ hi, lo });
  }
  return { pieces };
}
