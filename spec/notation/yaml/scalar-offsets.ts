/**
 * Where the characters of a YAML scalar stand in its source. Blanks are folded, stripped and escaped in many ways, but the
 * other characters come in the same order on both sides: the n-th of them in the value is the n-th in the source.
 */
export type ScalarStyle = "plain" | "single" | "double" | "literal" | "folded";

const BLANK = /\s/;

/** Offsets in `source` of the characters of a double-quoted scalar's value that are no blanks, in order. */
function* doubleQuoted(source: string, from: number, to: number): Generator<number> {
  for (let i = from; i < to; i++) {
    const c = source[i] ?? "";
    if (c !== "\\") {
      if (!BLANK.test(c)) yield i;
      continue;
    }
    const escaped = source[i + 1] ?? "";
    const digits = escaped === "x" ? 2 : escaped === "u" ? 4 : escaped === "U" ? 8 : 0;
    if (digits > 0) {
      const value = String.fromCodePoint(
        Math.min(0x10ffff, Number.parseInt(source.slice(i + 2, i + 2 + digits), 16) || 0),
      );
      for (const unit of value.split("")) if (!BLANK.test(unit)) yield i;
    } else if (!/[\sntrvfLPN_]/.test(escaped)) {
      yield i;
    }
    i += 1 + digits;
  }
}

function* verbatim(source: string, from: number, to: number, doubled: string): Generator<number> {
  for (let i = from; i < to; i++) {
    const c = source[i] ?? "";
    if (BLANK.test(c)) continue;
    yield i;
    if (c === doubled && source[i + 1] === doubled) i++;
  }
}

/**
 * For each character of `value`, and one past its end, the offset in `source` of the scalar that spans `start` to `end`
 * there. A blank stands right behind the character before it.
 */
export function scalarOffsets(
  source: string,
  start: number,
  end: number,
  style: ScalarStyle,
  value: string,
): readonly number[] {
  let offsets: Generator<number>;
  switch (style) {
    case "double":
      offsets = doubleQuoted(source, start + 1, end - 1);
      break;
    case "single":
      offsets = verbatim(source, start + 1, end - 1, "'");
      break;
    case "plain":
      offsets = verbatim(source, start, end, "");
      break;
    case "literal":
    case "folded": {
      const header = source.indexOf("\n", start);
      offsets = verbatim(source, header < 0 ? end : header, end, "");
      break;
    }
    default: {
      const never: never = style;
      return never;
    }
  }
  const map: number[] = [];
  let last = start - 1;
  for (const c of value.split("")) {
    if (!BLANK.test(c)) {
      const next = offsets.next();
      last = next.done ? last : next.value;
      map.push(last);
    } else {
      map.push(last + 1);
    }
  }
  map.push(last + 1);
  return map;
}
