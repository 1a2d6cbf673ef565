/** Columns of text, padded to their widest cell; colour codes take no room. */
import { stripVTControlCharacters } from "node:util";

export function table(rows: readonly (readonly string[])[], align: readonly ("left" | "right")[] = []): string[] {
  const width = (cell: string) => [...stripVTControlCharacters(cell)].length;
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const padding = " ".repeat((widths[i] ?? 0) - width(cell));
        return align[i] === "right" ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd(),
  );
}
