/** A string of the notation and where each of its characters stands in a file. */
import type { Place } from "../../../refinement/errors.js";

export interface SourceText {
  readonly text: string;
  /** The place of the character at `offset`; one past the last is allowed. */
  place(offset: number): Place;
}

/** Offsets in a file → lines and columns. */
export class Lines {
  readonly file: string;
  private readonly starts: number[] = [0];

  constructor(file: string, text: string) {
    this.file = file;
    for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) this.starts.push(i + 1);
  }

  place(offset: number): Place {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { file: this.file, line: low + 1, column: offset - (this.starts[low] ?? 0) + 1 };
  }
}

/** A string that is in no file: all of it stands at one place. */
export function textAt(text: string, place: Place): SourceText {
  return { text, place: () => place };
}

/** `source` with the characters from `start` to `end` replaced; each character keeps the place it came from. */
export function splice(source: SourceText, start: number, end: number, replacement: SourceText): SourceText {
  const grown = start + replacement.text.length;
  return {
    text: source.text.slice(0, start) + replacement.text + source.text.slice(end),
    place: (offset) => {
      if (offset < start) return source.place(offset);
      if (offset < grown) return replacement.place(offset - start);
      return source.place(offset - grown + end);
    },
  };
}
