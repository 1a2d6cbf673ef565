/** The encodings of all instructions together: widths that they share, words that they must not share. */
import { isAssemblyTemplate, type InstructionSet, type Parcels } from "../../../refinement/machine.js";
import { type Diagnostics, didYouMean } from "../diagnostics.js";
import { newContext } from "../elaborate/elaborator.js";
import { PURE } from "../elaborate/world.js";
import type { Definition, InstructionEntry } from "../read/definition.js";
import type { RowPart } from "../syntax/ast.js";
import { type Layout, type Lengths, layOut, readRow } from "./encoding.js";
import { usedWidth } from "./field-widths.js";
import type { SourceText } from "../yaml/source-text.js";
import { misfit } from "./lengths.js";
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

export function layoutAll(
  rows: Rows,
  elaboration: Elaboration,
  lengths: Lengths,
): ReadonlyMap<InstructionEntry, Layout> {
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
    const layout = layOut(row, lengths, (field) => own.get(entry)?.get(field) ?? elsewhere.get(field), diagnostics);
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
        const word = hexadecimal(common.word, Math.max(a.encoding.width, b.encoding.width));
        diagnostics.report(
          "E_OVERLAP",
          place,
          `\`${b.entry.name}\` overlaps ${first}: the word ${word} is both; make their constant bits differ, or exclude it with \`except\``,
        );
      }
    }
  });
}

function hexadecimal(word: bigint, width: number): string {
  return `0x${word.toString(16).padStart(Math.ceil(width / 4), "0")}`;
}

/** An instruction is as long as its first parcel says, or another one would be fetched in its place. */
export function reportMisfits(
  list: readonly { readonly entry: InstructionEntry; readonly encoding: Encoded }[],
  parcels: Parcels,
  diagnostics: Diagnostics,
): void {
  for (const { entry, encoding } of list) {
    const found = misfit(encoding, parcels);
    if (found === undefined || entry.encoding === undefined) continue;
    const which = found === "undecided" ? "" : `, as for the word ${hexadecimal(found.word, encoding.width)}`;
    diagnostics.report(
      "E_FETCH",
      entry.encoding.place(0),
      `\`${entry.name}\` has the length ${encoding.length}, and \`length\` ${found === "undecided" ? "may say" : "says"} another${which}; make its constant bits those of its length`,
    );
  }
}

/** Every operand in the syntax must be a field of the row, and one that ends the mnemonic, as in amoadd.w{ordering}, spelled. */
export function checkAssembly(
  entry: InstructionEntry,
  layout: Layout,
  { spelling, registerNames }: Pick<InstructionSet, "spelling" | "registerNames">,
  diagnostics: Diagnostics,
): void {
  const { assembly } = entry;
  if (assembly === undefined) return;
  const { source } = assembly;
  if (isAssemblyTemplate(source.text)) {
    checkTemplate(source, layout, diagnostics);
    return;
  }
  const mnemonic = /^\s*\S+/.exec(source.text)?.[0].length ?? 0;
  const known = layout.fields.map((f) => f.name);
  // A register that is always the same, as in c.lwsp rd, imm(sp).
  const registers = new Set([...registerNames.values()].flat());
  const unknown = (name: string, at: number): void =>
    diagnostics.report(
      "E_ASSEMBLY",
      source.place(at),
      `no bit of the encoding defines \`${name}\`${didYouMean(name, known)}`,
    );
  for (const match of source.text.slice(mnemonic).matchAll(/\[[^\]]*\]|[A-Za-z_]\w*/g)) {
    const [name] = match;
    if (name.startsWith("[") || name === "pc" || known.includes(name) || registers.has(name)) continue;
    unknown(name, mnemonic + match.index);
  }
  const suffix = /\{([^}]*)\}/.exec(source.text.slice(0, mnemonic));
  const [, name = ""] = suffix ?? [];
  if (suffix === null) return;
  if (!known.includes(name)) unknown(name, suffix.index + 1);
  else if (!spelling.has(name))
    diagnostics.report(
      "E_ASSEMBLY",
      source.place(suffix.index + 1),
      `\`${name}\` ends the mnemonic, and \`spelling\` does not say how its values are written`,
    );
}

/** The names of operands' values, as many as there are values. */
export function spellingOf(
  { spelling }: Definition,
  layouts: ReadonlyMap<InstructionEntry, Layout>,
  diagnostics: Diagnostics,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const fields = [...layouts.values()].flatMap((l) => l.fields);
  for (const { field, place, names } of spelling) {
    const widths = fields.filter((f) => f.name === field).map((f) => f.width);
    const wrong = widths.find((width) => names.length !== 2 ** width);
    if (wrong !== undefined)
      diagnostics.report("E_ASSEMBLY", place, `\`${field}\` has ${2 ** wrong} values and ${names.length} names`);
    else if (new Set(names).size < names.length)
      diagnostics.report("E_ASSEMBLY", place, `a name stands twice in the spelling of \`${field}\``);
    found.set(field, names);
  }
  return found;
}

/** In a template every name in braces must be a field, and every brace one of a pair. */
function checkTemplate(source: SourceText, layout: Layout, diagnostics: Diagnostics): void {
  const known = layout.fields.map((f) => f.name);
  for (const match of source.text.matchAll(/\{([^{}]*)\}|[{}]/g)) {
    const name = /^\s*(?:signed\s+)?([A-Za-z_]\w*)\s*$/.exec(match[1] ?? "")?.[1];
    if (name !== undefined && known.includes(name)) continue;
    const message =
      name === undefined
        ? `\`${match[0]}\` is no operand: write {imm} or {signed imm}`
        : `no bit of the encoding defines \`${name}\`${didYouMean(name, known)}`;
    diagnostics.report("E_ASSEMBLY", source.place(match.index), message);
  }
}
