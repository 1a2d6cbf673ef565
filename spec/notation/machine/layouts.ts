/** The encodings of all instructions together: widths that they share, words that they must not share. */
import { type Diagnostics, didYouMean } from "../diagnostics.js";
import { newContext } from "../elaborate/elaborator.js";
import { PURE } from "../elaborate/world.js";
import type { Definition, InstructionEntry } from "../read/definition.js";
import type { RowPart } from "../syntax/ast.js";
import { type Layout, layOut, readRow } from "./encoding.js";
import { usedWidth } from "./field-widths.js";
import { type Encoded, overlap } from "./overlap.js";
import type { Elaboration } from "./transitions.js";

export type Rows = ReadonlyMap<InstructionEntry, readonly RowPart[]>;

export function readRows(definition: Definition, { diagnostics }: Elaboration): Rows {
  const rows = new Map<InstructionEntry, readonly RowPart[]>();
  for (const entry of definition.instructions) {
    const parts = entry.encoding === undefined ? undefined : readRow(entry.encoding, diagnostics);
    if (parts !== undefined) rows.set(entry, parts);
  }
  return rows;
}

export function layoutAll(rows: Rows, elaboration: Elaboration, width: number): ReadonlyMap<InstructionEntry, Layout> {
  const { world, diagnostics, budget } = elaboration;
  const elsewhere = new Map<string, number>();
  const own = new Map<InstructionEntry, Map<string, number>>();
  for (const [entry, parts] of rows) {
    const widths = new Map<string, number>();
    own.set(entry, widths);
    for (const part of parts) {
      if (part.kind !== "field" || part.pieces !== undefined || entry.execute === undefined) continue;
      const cx = newContext(world, diagnostics, entry.execute.unit, PURE, { budget });
      cx.withoutState = true;
      const used = usedWidth(cx, world, entry.execute.block, part.name);
      if (used === undefined) continue;
      widths.set(part.name, used);
      if (!elsewhere.has(part.name)) elsewhere.set(part.name, used);
    }
  }
  const layouts = new Map<InstructionEntry, Layout>();
  for (const [entry, parts] of rows) {
    if (entry.encoding === undefined) continue;
    const row = { instruction: entry.name, source: entry.encoding, parts };
    const layout = layOut(row, width, (field) => own.get(entry)?.get(field) ?? elsewhere.get(field), diagnostics);
    if (layout !== undefined) layouts.set(entry, layout);
  }
  return layouts;
}

export function reportOverlaps(
  list: readonly { readonly entry: InstructionEntry; readonly encoding: Encoded }[],
  diagnostics: Diagnostics,
): void {
  list.forEach((a, i) => {
    for (const b of list.slice(i + 1)) {
      const common = overlap(a.encoding, b.encoding);
      if (common === undefined || b.entry.encoding === undefined) continue;
      const place = b.entry.encoding.place(0);
      const first = `\`${a.entry.name}\` (line ${a.entry.place.line})`;
      if (common === "undecided") {
        diagnostics.report(
          "E_OVERLAP",
          place,
          `\`${b.entry.name}\` may overlap ${first}: their constraints look at too many bits to tell; make the constant bits differ`,
        );
      } else {
        const digits = Math.ceil(b.encoding.width / 4);
        const word = `0x${common.word.toString(16).padStart(digits, "0")}`;
        diagnostics.report(
          "E_OVERLAP",
          place,
          `\`${b.entry.name}\` overlaps ${first}: the word ${word} is both; make their constant bits differ, or exclude it with \`except\``,
        );
      }
    }
  });
}

/** Every operand in the syntax must be a field of the row. */
export function checkAssembly(entry: InstructionEntry, layout: Layout, diagnostics: Diagnostics): void {
  const { assembly } = entry;
  if (assembly === undefined) return;
  const { source } = assembly;
  const mnemonic = /^\s*\S+/.exec(source.text)?.[0].length ?? 0;
  const known = layout.fields.map((f) => f.name);
  for (const match of source.text.slice(mnemonic).matchAll(/\[[^\]]*\]|[A-Za-z_]\w*/g)) {
    const [name] = match;
    if (name.startsWith("[") || name === "pc" || known.includes(name)) continue;
    diagnostics.report(
      "E_ASSEMBLY",
      source.place(mnemonic + match.index),
      `no bit of the encoding defines \`${name}\`${didYouMean(name, known)}`,
    );
  }
}
