/**
 * Signatures as keys: `branch(taken: bool, offset: bits(13)): |` is no YAML, for a plain key cannot hold `: `. Before YAML
 * reads a file, such keys are put in quotes, and the bare signatures and names of a `traps:` block get their colon. What is
 * inserted is remembered, so that places stay those of the file.
 */
export interface Prepared {
  readonly text: string;
  /** Offset in the prepared text → offset in the file. */
  original(offset: number): number;
}

const BLOCK_SCALAR = /(?:^|[\s:-])[|>][+-]?[0-9]?[+-]?\s*(?:#.*)?$/;
const HEAD = /^(\s*)(- +)?([A-Za-z_]\w*)\(/;
/** A type behind a signature: `bits(64)`, `bool`, `bits(4)[8]`. */
const RESULT = String.raw`[A-Za-z_]\w*(?:\s*\([^()]*\))?(?:\s*\[[^\]]*\])*`;
const WITH_RESULT = new RegExp(String.raw`^\s*:\s*${RESULT}(?=\s*:(?:\s|$))`);
const ONLY_RESULT = new RegExp(String.raw`^\s*:\s*${RESULT}(?=\s*(?:#.*)?$)`);
const COLON = /^\s*:(?:\s|$)/;
const REST_EMPTY = /^\s*(?:#.*)?$/;
const TRAPS = /^(\s*)traps:\s*(?:#.*)?$/;
const BARE_NAME = /^\s+[A-Za-z_]\w*(?=\s*(?:#.*)?$)/;

interface Insertion {
  /** Column in the line before which `text` goes. */
  readonly column: number;
  readonly text: string;
}

function indentation(line: string): number {
  return line.length - line.trimStart().length;
}

function closing(line: string, open: number): number {
  let depth = 0;
  for (let i = open; i < line.length; i++) {
    if (line[i] === "(") depth++;
    else if (line[i] === ")" && --depth === 0) return i;
  }
  return -1;
}

function insertions(line: string, inTraps: boolean): Insertion[] {
  const head = HEAD.exec(line);
  if (head === null) {
    const bare = inTraps ? BARE_NAME.exec(line) : null;
    return bare === null ? [] : [{ column: bare[0].length, text: ":" }];
  }
  const [matched, indent = "", dash = ""] = head;
  const start = indent.length + dash.length;
  const close = closing(line, matched.length - 1);
  if (close < 0) return [];
  const inner = line.slice(matched.length, close);
  const rest = line.slice(close + 1);
  const colons = inner.includes(": ");
  const quote = (end: number, after = ""): Insertion[] => [
    { column: start, text: '"' },
    { column: end, text: `"${after}` },
  ];
  if (inner.includes('"')) return [];
  if (dash !== "") {
    const result = ONLY_RESULT.exec(rest);
    if (result !== null) return quote(close + 1 + result[0].length);
    return colons && REST_EMPTY.test(rest) ? quote(close + 1) : [];
  }
  const result = WITH_RESULT.exec(rest);
  if (result !== null) return quote(close + 1 + result[0].length);
  if (colons && COLON.test(rest)) return quote(close + 1);
  return (colons || inTraps) && REST_EMPTY.test(rest) ? quote(close + 1, ":") : [];
}

export function prepare(text: string): Prepared {
  const inserted: { at: number; length: number }[] = [];
  let prepared = "";
  /** Indentation of the key whose block scalar we are in. */
  let scalar: number | undefined;
  let traps: number | undefined;
  for (const line of text.split(/(?<=\n)/)) {
    const content = line.replace(/\r?\n$/, "");
    const blank = content.trim() === "";
    const indent = indentation(content);
    if (!blank && scalar !== undefined && indent <= scalar) scalar = undefined;
    if (!blank && traps !== undefined && indent <= traps) traps = undefined;
    let copied = 0;
    if (!blank && scalar === undefined && !content.trimStart().startsWith("#")) {
      for (const { column, text: piece } of insertions(content, traps !== undefined)) {
        prepared += content.slice(copied, column);
        inserted.push({ at: prepared.length, length: piece.length });
        prepared += piece;
        copied = column;
      }
      if (BLOCK_SCALAR.test(content)) scalar = indent;
      if (TRAPS.test(content)) traps = indent;
    }
    prepared += line.slice(copied);
  }
  return {
    text: prepared,
    original: (offset) => {
      let shift = 0;
      for (const { at, length } of inserted) {
        if (at >= offset) break;
        shift += Math.min(length, offset - at);
      }
      return offset - shift;
    },
  };
}
