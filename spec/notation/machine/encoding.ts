/** Rows to encodings: masks, fields and where their bits stand. */
import type { Field, FieldPiece } from "../../../refinement/machine.js";
import * as build from "../../../refinement/terms/build.js";
import { bits } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";
import type { Diagnostics } from "../diagnostics.js";
import type { RowPart } from "../syntax/ast.js";
import type { SourceText } from "../yaml/source-text.js";
import { parseRow } from "./row.js";

export interface Layout {
  readonly width: number;
  /** Addresses that the instruction takes. */
  readonly length: number;
  readonly mask: bigint;
  readonly match: bigint;
  readonly fields: readonly Field[];
}

/** The parts of a row, or undefined after a mistake in it. */
export function readRow(source: SourceText, diagnostics: Diagnostics): readonly RowPart[] | undefined {
  const { parts, problem } = parseRow(source.text);
  if (problem === undefined) return parts;
  diagnostics.report("E_ENCODING", source.place(problem.offset), problem.message);
  return undefined;
}

interface Row {
  readonly instruction: string;
  readonly source: SourceText;
  readonly parts: readonly RowPart[];
}

/** Lengths of instructions in addresses, and the bits at one. */
export interface Lengths {
  readonly lengths: readonly number[];
  readonly unit: number;
}

/** Lays out a row in a word of one of the lengths; `widthOf` knows the widths of fields without a bit list. */
export function layOut(
  row: Row,
  { lengths, unit }: Lengths,
  widthOf: (field: string) => number | undefined,
  diagnostics: Diagnostics,
): Layout | undefined {
  const report = (part: RowPart | undefined, code: "E_ENCODING" | "E_FIELD", message: string): undefined => {
    diagnostics.report(code, row.source.place(part?.span.start ?? 0), message);
    return undefined;
  };
  const sizes = row.parts.map((part) => partSize(part, widthOf));
  const open = row.parts.filter((_, i) => sizes[i] === undefined);
  const known = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  const [only] = open;
  const widths = lengths.map((length) => length * unit);
  const width = widths.length === 1 ? widths[0] : only === undefined ? widths.find((w) => w === known) : undefined;
  if (open.length > 1 || (only !== undefined && (width === undefined || known >= width))) {
    const [first, second] = open;
    const part = second ?? first;
    const name = part?.kind === "field" ? part.name : "";
    return report(part, "E_FIELD", `nothing says how wide the field \`${name}\` is: give its bits, as in ${name}[4:0]`);
  }
  if (width === undefined || (only === undefined && known !== width))
    return report(row.parts[0], "E_ENCODING", `the row has ${known} bits and an instruction ${widths.join(" or ")}`);

  let mask = 0n;
  let match = 0n;
  let at = width;
  const pieces = new Map<string, { part: RowPart; list: FieldPiece[] }>();
  for (const [i, part] of row.parts.entries()) {
    const size = sizes[i] ?? width - known;
    at -= size;
    if (part.kind === "constant") {
      mask |= ((1n << BigInt(size)) - 1n) << BigInt(at);
      match |= BigInt(`0b${part.bits}`) << BigInt(at);
      continue;
    }
    const entry = pieces.get(part.name) ?? { part, list: [] };
    pieces.set(part.name, entry);
    let high = at + size;
    for (const { hi, lo } of part.pieces ?? [{ hi: size - 1, lo: 0 }]) {
      const count = hi - lo + 1;
      high -= count;
      entry.list.push({ at: high, lo, width: count });
    }
  }
  const fields: Field[] = [];
  for (const [name, { part, list }] of pieces) {
    const problem = coverage(name, list);
    if (problem !== undefined) return report(part, "E_FIELD", problem);
    const fieldWidth = Math.max(...list.map((p) => p.lo + p.width));
    fields.push({
      name,
      type: { kind: "bits", width: fieldWidth },
      term: build.variable(`${row.instruction}(${name})`, bits(fieldWidth)),
      width: fieldWidth,
      pieces: list,
    });
  }
  return { width, length: width / unit, mask, match, fields };
}

function partSize(part: RowPart, widthOf: (field: string) => number | undefined): number | undefined {
  if (part.kind === "constant") return part.bits.length;
  if (part.pieces !== undefined) return part.pieces.reduce((sum, p) => sum + p.hi - p.lo + 1, 0);
  return widthOf(part.name);
}

/** A bit given twice, or one missing between others: the lowest bits may be missing, they are 0 then. */
function coverage(name: string, list: readonly FieldPiece[]): string | undefined {
  const sorted = [...list].sort((a, b) => a.lo - b.lo);
  let next = sorted[0]?.lo ?? 0;
  for (const piece of sorted) {
    if (piece.lo < next) return `bit ${piece.lo} of the field \`${name}\` stands twice in the row`;
    if (piece.lo > next) return `no bit of the row defines bit ${next} of the field \`${name}\``;
    next = piece.lo + piece.width;
  }
  return undefined;
}

/** A field's value as bits of the word; bits that no piece covers are 0. */
export function fieldOfWord(field: Field, word: Term): Term {
  const sorted = [...field.pieces].sort((a, b) => b.lo - a.lo);
  const parts = sorted.map((p) => build.extract(word, p.at + p.width - 1, p.at));
  const lowest = sorted.at(-1)?.lo ?? 0;
  if (lowest > 0) parts.push(build.constant(lowest, 0n));
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : build.concat(...parts);
}

/** The word that the fields' variables make, with the row's constants. */
export function wordOfFields({ width, match, fields }: Layout): Term {
  const parts: Term[] = [];
  let top = width;
  const pieces = fields.flatMap((f) => f.pieces.map((p) => ({ ...p, term: f.term }))).sort((a, b) => b.at - a.at);
  const constantTo = (lo: number): void => {
    if (top > lo) parts.push(build.extract(build.constant(width, match), top - 1, lo));
    top = lo;
  };
  for (const { at, lo, width: size, term } of pieces) {
    constantTo(at + size);
    parts.push(build.extract(term, lo + size - 1, lo));
    top = at;
  }
  constantTo(0);
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : build.concat(...parts);
}

/** The word has the row's constants: an equation for each run of constant bits, which is what decoders compare. */
export function matches(layout: Layout, word: Term): Term {
  const equations: Term[] = [];
  let hi = layout.width - 1;
  while (hi >= 0) {
    if (((layout.mask >> BigInt(hi)) & 1n) === 0n) {
      hi--;
      continue;
    }
    let lo = hi;
    while (lo > 0 && ((layout.mask >> BigInt(lo - 1)) & 1n) === 1n) lo--;
    const width = hi - lo + 1;
    const value = (layout.match >> BigInt(lo)) & ((1n << BigInt(width)) - 1n);
    equations.push(build.eq(build.extract(word, hi, lo), build.constant(width, value)));
    hi = lo - 1;
  }
  return build.and(...equations, build.TRUE);
}

/** A field's value in a concrete word. */
export function fieldOfNumber(field: Field, word: bigint): bigint {
  let value = 0n;
  for (const { at, lo, width } of field.pieces)
    value |= ((word >> BigInt(at)) & ((1n << BigInt(width)) - 1n)) << BigInt(lo);
  return value;
}
