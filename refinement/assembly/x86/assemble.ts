/**
 * The assembler: lines of
 *
 *     [label:]… [instruction | db | dw | dd | dq value, …]      # comment, or // comment
 *
 * with `;` between several on one line. Jumps are as short as their targets allow.
 */
import { type Diagnostic, UserError } from "../../errors.js";
import type { AssembledLine, Program } from "../assemble.js";
import { wordToBytes } from "../encoding.js";
import { Mistake } from "../assemble.js";
import { parseNumber } from "../numbers.js";
import { type Encoded, encodeWanted } from "./encode.js";
import { formsByName } from "./forms.js";
import { type Known, parseX86 } from "./parse.js";

interface Statement {
  readonly text: string;
  readonly line: number;
  /** Of the first character of `text`, from 1. */
  readonly column: number;
  /** Labels that stand before it. */
  readonly labels: readonly string[];
}

const DATA: Readonly<Record<string, number>> = { db: 1, dw: 2, dd: 4, dq: 8 };
/** Each pass but the last lengthens a jump; so many in a chain are not written by hand. */
const MOST_PASSES = 100;

/**
 * Assembles a program whose first byte stands at `origin`; all errors are found at once. `isKnown` says which of the library's
 * instructions there are; `file` is named in errors.
 */
export function assembleX86(
  text: string,
  origin: bigint,
  isKnown: (mnemonic: string) => boolean = () => true,
  file = "<assembly>",
): Program {
  const known = {
    has: (name: string): boolean => formsByName().has(name) && isKnown(name),
    names: () => [...formsByName().keys()].filter(isKnown),
  };
  const { statements, trailing, diagnostics } = split(text, file);
  const fail = (problems: readonly Diagnostic[]): never => {
    throw UserError.from([...problems]);
  };
  if (diagnostics.length > 0) fail(diagnostics);
  let lengths = statements.map(() => 1);
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const { labels, addresses } = layOut(statements, trailing, origin, lengths);
    const problems: Diagnostic[] = [];
    const lines: AssembledLine[] = [];
    statements.forEach((statement, i) => {
      const address = addresses[i] ?? origin;
      try {
        const bytes = assembleStatement(statement.text, address, labels, known);
        lines.push({ address, bytes, line: statement.line, text: statement.text });
      } catch (error) {
        if (!(error instanceof Mistake)) throw error;
        const place = { file, line: statement.line, column: statement.column + error.at };
        problems.push({ code: error.code, place, message: error.message });
      }
    });
    if (problems.length > 0) fail(problems);
    const longer = lines.map((l, i) => Math.max(l.bytes.length, lengths[i] ?? 0));
    if (lines.every((l, i) => l.bytes.length === lengths[i]))
      return { origin, bytes: Uint8Array.from(lines.flatMap((l) => [...l.bytes])), labels, lines };
    lengths = longer;
  }
  throw new UserError(`${file}: the lengths of its instructions depend on each other; write numbers for labels`);
}

function split(
  text: string,
  file: string,
): { readonly statements: Statement[]; readonly trailing: string[]; readonly diagnostics: Diagnostic[] } {
  const statements: Statement[] = [];
  const diagnostics: Diagnostic[] = [];
  const seen = new Set<string>();
  let labels: string[] = [];
  text.split(/\r?\n/).forEach((whole, index) => {
    let column = 1;
    for (const part of whole.replace(/#.*|\/\/.*/, "").split(";")) {
      let at = 0;
      // `fs:` belongs to an operand, and is never the first word.
      for (let match = LABEL.exec(part); match !== null; match = LABEL.exec(part.slice(at))) {
        const name = match[1] ?? "";
        if (seen.has(name)) {
          const place = { file, line: index + 1, column: column + at + match[0].indexOf(name) };
          diagnostics.push({ code: "E_DUPLICATE", place, message: `label \`${name}\` is defined twice; rename one` });
        }
        seen.add(name);
        labels.push(name);
        at += match[0].length;
      }
      const body = part.slice(at).trim();
      if (body !== "") {
        const start = at + part.slice(at).search(/\S/);
        statements.push({ text: body, line: index + 1, column: column + start, labels });
        labels = [];
      }
      column += part.length + 1;
    }
  });
  return { statements, trailing: labels, diagnostics };
}

const LABEL = /^\s*([A-Za-z_$.][A-Za-z0-9_$.]*)\s*:/;

function layOut(
  statements: readonly Statement[],
  trailing: readonly string[],
  origin: bigint,
  lengths: readonly number[],
): { readonly labels: ReadonlyMap<string, bigint>; readonly addresses: readonly bigint[] } {
  const labels = new Map<string, bigint>();
  const addresses: bigint[] = [];
  let address = origin;
  statements.forEach((statement, i) => {
    for (const label of statement.labels) labels.set(label, address);
    addresses.push(address);
    address += BigInt(lengths[i] ?? 0);
  });
  for (const label of trailing) labels.set(label, address);
  return { labels, addresses };
}

function assembleStatement(
  text: string,
  address: bigint,
  labels: ReadonlyMap<string, bigint>,
  known: Known,
): Uint8Array {
  const symbols = (name: string): bigint | undefined => (name === "." ? address : labels.get(name));
  const [head = ""] = text.split(/\s/, 1);
  const size = DATA[head.toLowerCase()];
  if (size !== undefined) return data(text, head.length, size, symbols);
  const encoded = encodeWanted(parseX86(text, symbols, known), address);
  if (encoded.kind === "bytes") return encoded.bytes;
  throw refusal(text, encoded);
}

function refusal(text: string, encoded: Exclude<Encoded, { kind: "bytes" }>): Mistake {
  if (encoded.kind === "ambiguous") {
    const sizes = encoded.widths.map(
      (w) => ({ 8: "byte", 16: "word", 32: "dword", 64: "qword", 128: "xmmword" })[w] ?? w,
    );
    return new Mistake(
      "E_SYNTAX",
      0,
      `how wide the memory is, is not said: write ${sizes.map((s) => `${s} ptr`).join(", or ")}`,
    );
  }
  if (encoded.why === "range")
    return new Mistake("E_RANGE", 0, `a number in \`${text}\` is out of range, or its registers cannot stand together`);
  return new Mistake("E_SYNTAX", 0, `no form of the instruction takes the operands of \`${text}\``);
}

function data(text: string, from: number, size: number, symbols: (name: string) => bigint | undefined): Uint8Array {
  const bytes: number[] = [];
  let at = from;
  for (const part of text.slice(from).split(",")) {
    const word = part.trim();
    const negative = word.startsWith("-");
    const magnitude = word.replace(/^-\s*/, "");
    const value = parseNumber(magnitude) ?? symbols(magnitude);
    const where = at + Math.max(0, part.search(/\S/));
    if (value === undefined) throw new Mistake("E_SYNTAX", where, "a number or label is expected here");
    const signed = negative ? -value : value;
    if (signed >= 1n << BigInt(8 * size) || signed < -(1n << BigInt(8 * size - 1)))
      throw new Mistake("E_RANGE", where, `${signed} does not fit in ${size} bytes`);
    bytes.push(...wordToBytes(BigInt.asUintN(8 * size, signed), 8 * size));
    at += part.length + 1;
  }
  return Uint8Array.from(bytes);
}
