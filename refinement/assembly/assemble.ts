/**
 * The assembler derived from a machine's `assembly:` lines. A program is lines of
 *
 *     [label:]… [instruction | directive]      # comment, or // comment
 *
 * with `;` between several on one line. Directives: `.word v, …` (instruction words), `.byte`, `.half`, `.dword` (1, 2, 8 bytes,
 * little-endian), `.zero n`. A number is decimal, 0x… or 0b…; a symbol is a label, or `.`, the address of the line's instruction;
 * both may be summed: `. + 8`, `table - 4`. Where an operand is relative to the program counter, an address is written; where it
 * is a distance with its sign, `+5`, a label stands for the distance to it.
 */
import { distance } from "fastest-levenshtein";
import { type Diagnostic, type Place, UserError, unreachable } from "../errors.js";
import type { InstructionSet, Machine } from "../machine.js";
import { encode, wordToBytes } from "./encoding.js";
import { fit, parseNumber, valueOfSlice } from "./numbers.js";
import { type Operand, type Syntax, syntaxesOf } from "./syntax.js";
import { longestLength, shortestLength } from "./words.js";

export interface AssembledLine {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

export interface Program {
  readonly origin: bigint;
  /** In memory order. For a machine that fetches from a file, each word fills ⌈width / 8⌉ bytes. */
  readonly bytes: Uint8Array;
  readonly labels: ReadonlyMap<string, bigint>;
  readonly lines: readonly AssembledLine[];
}

interface Statement {
  readonly text: string;
  readonly line: number;
  /** Of the first character of `text`, from 1. */
  readonly column: number;
  readonly address: bigint;
}

/** An instruction under one of its mnemonics, and the value of the field that ends it. */
interface Form {
  readonly mnemonic: string;
  readonly syntax: Syntax;
  readonly suffix: readonly (readonly [string, bigint])[];
}

function formsOf(syntax: Syntax): readonly Form[] {
  const { mnemonic, suffix } = syntax;
  if (suffix === undefined) return [{ mnemonic, syntax, suffix: [] }];
  return suffix.names.map((name, i) => ({
    mnemonic: mnemonic + name,
    syntax,
    suffix: [[suffix.field.name, BigInt(i)] as const],
  }));
}

const IDENTIFIER = /[A-Za-z_$.][A-Za-z0-9_$.]*/y;
const DIRECTIVE_BYTES: Readonly<Record<string, number>> = { ".byte": 1, ".half": 2, ".dword": 8 };

/** Assembles a program whose first byte stands at `origin`. `file` is named in errors. All errors are found at once. */
export function assembleProgram(machine: Machine, text: string, origin: bigint, file = "<assembly>"): Program {
  return new Assembler(machine, file).program(text, origin);
}

/** The bytes of a program that stands at `pc`. */
export function assemble(machine: Machine, text: string, pc: bigint): Uint8Array {
  return assembleProgram(machine, text, pc).bytes;
}

/** A mistake at a character of a statement; becomes a diagnostic. */
export class Mistake extends Error {
  readonly code: string;
  readonly at: number;
  constructor(code: string, at: number, message: string) {
    // What is quoted can be as long as the user's text.
    super(message.replaceAll(/`([^`]{57})[^`]{4,}`/g, "`$1…`"));
    this.code = code;
    this.at = at;
  }
}

class Assembler {
  private readonly set: InstructionSet;
  private readonly syntaxes: ReadonlyMap<string, readonly Form[]>;
  private readonly pcWidth: number;
  private readonly diagnostics: Diagnostic[] = [];
  private readonly labels = new Map<string, bigint>();
  private readonly file: string;
  /** In the first pass labels that come later are not known; any address stands for them. */
  private layingOut = false;

  constructor(machine: Machine, file: string) {
    this.file = file;
    if (machine.instructionSet === undefined) {
      throw new UserError(`${machine.name} has no instructions with encodings, so there is nothing to assemble for it`);
    }
    const set = machine.instructionSet;
    this.set = set;
    const pc = machine.variables.find((v) => v.name === set.programCounter)?.sort;
    this.pcWidth = pc?.kind === "bits" ? pc.width : 64;
    const syntaxes = new Map<string, Form[]>();
    for (const form of syntaxesOf(set).flatMap(formsOf))
      syntaxes.set(form.mnemonic, [...(syntaxes.get(form.mnemonic) ?? []), form]);
    this.syntaxes = syntaxes;
  }

  program(text: string, origin: bigint): Program {
    const statements = this.layOut(text, origin);
    const lines: AssembledLine[] = [];
    for (const statement of statements) {
      const bytes = this.attempt(statement, () => this.statement(statement));
      if (bytes !== undefined)
        lines.push({ address: statement.address, bytes, line: statement.line, text: statement.text });
    }
    if (this.diagnostics.length > 0) throw UserError.from(this.diagnostics);
    const bytes = new Uint8Array(lines.reduce((n, l) => n + l.bytes.length, 0));
    let at = 0;
    for (const line of lines) {
      bytes.set(line.bytes, at);
      at += line.bytes.length;
    }
    return { origin, bytes, labels: this.labels, lines };
  }

  private attempt<T>(statement: Omit<Statement, "address">, action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      const place: Place = { file: this.file, line: statement.line, column: statement.column + error.at };
      this.diagnostics.push({ code: error.code, place, message: error.message });
      return undefined;
    }
  }

  /** The first pass: labels and addresses. Sizes do not depend on symbols. */
  private layOut(text: string, origin: bigint): Statement[] {
    const statements: Statement[] = [];
    this.layingOut = true;
    let address = origin;
    text.split(/\r?\n/).forEach((whole, index) => {
      const code = whole.replace(/#.*|\/\/.*/, "");
      let column = 1;
      for (const part of code.split(";")) {
        const rest = this.takeLabels(part, index + 1, column, address);
        const body = part.slice(rest).trim();
        if (body !== "") {
          const start = rest + part.slice(rest).search(/\S/);
          const statement = { text: body, line: index + 1, column: column + start, address };
          const size = this.attempt(statement, () => this.size(body));
          if (size !== undefined) statements.push(statement);
          address += size ?? BigInt(shortestLength(this.set));
        }
        column += part.length + 1;
      }
    });
    this.layingOut = false;
    return statements;
  }

  private takeLabels(part: string, line: number, column: number, address: bigint): number {
    let at = 0;
    for (;;) {
      const match = /^(\s*)([A-Za-z_$.][A-Za-z0-9_$.]*)\s*:/.exec(part.slice(at));
      if (match === null) return at;
      const name = match[2] ?? "";
      this.attempt({ text: name, line, column: column + at + (match[1] ?? "").length }, () => {
        if (this.labels.has(name)) {
          throw new Mistake("E_DUPLICATE", 0, `label \`${name}\` is defined twice; rename one`);
        }
        this.labels.set(name, address);
      });
      at += match[0].length;
    }
  }

  /** Addresses that a statement takes up. */
  private size(body: string): bigint {
    const { head, rest } = splitHead(body);
    const form = this.form(body, head);
    if (form !== undefined) return BigInt(form.syntax.instruction.encoding.length);
    if (!head.startsWith(".")) return BigInt(shortestLength(this.set));
    const count = rest.split(",").length;
    if (head === ".word") return BigInt(longestLength(this.set) * count);
    if (head === ".zero") {
      const size = parseNumber(rest.trim());
      if (size === undefined)
        throw new Mistake("E_SYNTAX", head.length, "`.zero` takes a number of bytes, as in `.zero 16`");
      return size;
    }
    const bytes = DIRECTIVE_BYTES[head];
    const inBytes = this.set.parcels.width === 8 * this.set.parcels.length;
    if (bytes === undefined || !inBytes) {
      const known = [".word", ...(inBytes ? [".zero", ...Object.keys(DIRECTIVE_BYTES)] : [])];
      throw new Mistake("E_UNKNOWN", 0, `\`${head}\` is no directive here; there are ${known.join(", ")}`);
    }
    return BigInt(bytes * count);
  }

  /** The form that a statement has as far as its size goes: found by reading it, where the forms that it may have differ in that. */
  private form(body: string, head: string): Form | undefined {
    const candidates = this.candidates(head);
    const [first] = candidates;
    if (new Set(candidates.map((c) => c.syntax.instruction.encoding.length)).size <= 1) return first;
    const statement = { text: body, line: 1, column: 1, address: 0n };
    return candidates.find((c) => mayBe(c.syntax, body) && this.reads(c, statement));
  }

  private reads({ syntax, mnemonic, suffix }: Form, statement: Statement): boolean {
    try {
      this.instruction(syntax, suffix, statement, mnemonic.length);
      return true;
    } catch (error) {
      if (error instanceof Mistake) return false;
      throw error;
    }
  }

  private candidates(head: string): readonly Form[] {
    return [...(this.syntaxes.get(head) ?? []), ...(this.syntaxes.get("") ?? [])];
  }

  private statement(statement: Statement): Uint8Array {
    const { head, rest } = splitHead(statement.text);
    if (head.startsWith(".") && !this.syntaxes.has(head)) return this.directive(statement, head, rest);
    const candidates = this.candidates(head);
    if (candidates.length === 0) {
      throw new Mistake(
        "E_UNKNOWN",
        0,
        `no instruction is called \`${head}\`${nearest(head, [...this.syntaxes.keys()])}`,
      );
    }
    const mistakes: Mistake[] = [];
    // Those that cannot be meant come last: they only serve the message.
    const likely = candidates.filter((c) => mayBe(c.syntax, statement.text));
    for (const { syntax, mnemonic, suffix } of [...likely, ...candidates.filter((c) => !likely.includes(c))]) {
      try {
        const word = this.instruction(syntax, suffix, statement, mnemonic.length);
        return wordToBytes(word, syntax.instruction.encoding.width);
      } catch (error) {
        if (!(error instanceof Mistake)) throw error;
        mistakes.push(error);
      }
    }
    // The form that was followed furthest is the one that was meant.
    throw mistakes.reduce((a, b) => (b.at > a.at ? b : a));
  }

  private directive(statement: Statement, head: string, rest: string): Uint8Array {
    if (head === ".zero") return new Uint8Array(Number(this.size(statement.text)));
    const width = head === ".word" ? this.set.wordWidth : 8 * (DIRECTIVE_BYTES[head] ?? 0);
    const parts: Uint8Array[] = [];
    let at = statement.text.length - rest.length;
    for (const part of rest.split(",")) {
      const reader = new Reader(statement.text, at);
      const value = this.expression(reader, statement.address);
      if (statement.text.slice(reader.at, at + part.length).trim() !== "") {
        throw new Mistake(
          "E_SYNTAX",
          reader.at,
          `unexpected \`${statement.text.slice(reader.at).trim()}\` after the value`,
        );
      }
      if (value >= 1n << BigInt(width) || value < -(1n << BigInt(width - 1))) {
        throw new Mistake("E_RANGE", at, `${value} does not fit in the ${width} bits of \`${head}\``);
      }
      parts.push(wordToBytes(BigInt.asUintN(width, value), width));
      at += part.length + 1;
    }
    return Uint8Array.from(parts.flatMap((p) => [...p]));
  }

  private instruction(syntax: Syntax, suffix: Form["suffix"], statement: Statement, from: number): bigint {
    const reader = new Reader(statement.text, from);
    const values = new Map(suffix);
    for (const { element } of syntax.elements) {
      if (element.kind === "punctuation") {
        if (!reader.takeLiteral(element.text)) throw this.expected(syntax, reader, `\`${element.text}\``);
        continue;
      }
      reader.skip();
      const start = reader.at;
      const value = this.operand(syntax, element, reader, statement.address);
      const known = values.get(element.field.name);
      if (element.kind !== "slice" && known !== undefined && known !== value) {
        throw new Mistake(
          "E_SYNTAX",
          start,
          `${element.field.name} stands twice in \`${syntax.pattern}\` and must be the same`,
        );
      }
      values.set(element.field.name, (known ?? 0n) | value);
    }
    reader.skip();
    if (!reader.done) throw this.expected(syntax, reader, "the end of the instruction");
    return encode(syntax.instruction, values);
  }

  private operand(syntax: Syntax, operand: Operand, reader: Reader, address: bigint): bigint {
    reader.skip();
    const start = reader.at;
    switch (operand.kind) {
      case "register":
        return this.register(syntax, operand, reader);
      case "number":
        return this.fitted(syntax, operand, this.expression(reader, address, syntax), start);
      case "relative": {
        const target = BigInt.asUintN(this.pcWidth, this.expression(reader, address, syntax));
        const offset = target - address;
        const distance =
          operand.signedness === "unsigned"
            ? BigInt.asUintN(this.pcWidth, offset)
            : BigInt.asIntN(this.pcWidth, offset);
        const fitted = fit(operand.field, operand.signedness, distance);
        if ("value" in fitted) return fitted.value;
        throw new Mistake(
          "E_RANGE",
          start,
          `0x${target.toString(16)} cannot be reached from 0x${address.toString(16)}: the distance ${fitted.problem}`,
        );
      }
      case "slice": {
        const value = this.expression(reader, address, syntax);
        const found = valueOfSlice(operand, value);
        if (found === undefined) {
          const greatest = (1n << BigInt(operand.hi - operand.lo + 1)) - 1n;
          const extended = operand.hi >= operand.field.width ? ", extended by its sign" : "";
          throw new Mistake(
            "E_RANGE",
            start,
            `${value} is out of range: \`${syntax.pattern}\` takes 0 to 0x${greatest.toString(16)}, bits ${operand.hi} to ${operand.lo} of ${operand.field.name}${extended}`,
          );
        }
        return found;
      }
      case "offset":
        if (!/^[+-]/.test(reader.rest)) throw this.expected(syntax, reader, "`+` or `-`");
        return this.fitted(syntax, operand, this.expression(reader, address, syntax), start);
      case "displacement":
        return this.fitted(syntax, operand, this.displacement(syntax, operand.prefix, reader, address), start);
      default:
        return unreachable(operand);
    }
  }

  /** `+5`, or a label: from the next instruction, in parcels. */
  private displacement(syntax: Syntax, prefix: string, reader: Reader, address: bigint): bigint {
    const start = reader.at;
    const prefixed = prefix === "" || reader.take(prefix);
    if (prefixed && /^[+-]/.test(reader.rest)) return this.expression(reader, address, syntax);
    reader.at = start;
    if (!/^[A-Za-z_$.]/.test(reader.rest))
      throw this.expected(syntax, reader, `\`${prefix}+\`, \`${prefix}-\` or a label`);
    const unit = BigInt(this.set.parcels.length);
    const next = address + BigInt(syntax.instruction.encoding.length);
    const distance = this.expression(reader, address, syntax) - next;
    if (distance % unit !== 0n)
      throw new Mistake("E_RANGE", start, `the distance ${distance} is no multiple of ${unit}`);
    return distance / unit;
  }

  private fitted(
    syntax: Syntax,
    operand: Operand & { kind: "number" | "offset" | "displacement" },
    value: bigint,
    at: number,
  ): bigint {
    const fitted = fit(operand.field, operand.kind === "number" ? operand.signedness : "signed", value);
    if ("value" in fitted) return fitted.value;
    throw new Mistake("E_RANGE", at, `${fitted.problem} in \`${syntax.pattern}\``);
  }

  private register(syntax: Syntax, operand: Operand & { kind: "register" }, reader: Reader): bigint {
    const start = reader.at;
    const name = reader.identifier();
    if (name === undefined) throw this.expected(syntax, reader, `a register for ${operand.field.name}`);
    const named = operand.names.indexOf(name);
    if (named >= 0) return BigInt(named);
    const number = name.startsWith(operand.file) ? parseNumber(name.slice(operand.file.length)) : undefined;
    const fitted = number === undefined ? undefined : fit(operand.field, "unsigned", number - BigInt(operand.first));
    if (fitted !== undefined && "value" in fitted) return fitted.value;
    const first = operand.names[0] ?? `${operand.file}${operand.first}`;
    const last = operand.names.at(-1) ?? `${operand.file}${operand.first + 2 ** operand.field.width - 1}`;
    throw new Mistake(
      "E_UNKNOWN",
      start,
      `\`${name}\` is no register of ${operand.file}${nearest(name, operand.names)}; they are called ${first} … ${last} or ${operand.file}${operand.first} …`,
    );
  }

  private expected(syntax: Syntax, reader: Reader, what: string): Mistake {
    const found = reader.rest === "" ? "the line ends" : `\`${reader.rest}\` stands`;
    return new Mistake("E_SYNTAX", reader.at, `${found} where ${what} is expected; the form is \`${syntax.pattern}\``);
  }

  /** A sum of numbers and symbols. */
  private expression(reader: Reader, address: bigint, syntax?: Syntax): bigint {
    let sum = 0n;
    let sign = 1n;
    reader.skip();
    if (reader.take("-")) sign = -1n;
    else reader.take("+");
    for (;;) {
      sum += sign * this.term(reader, address, syntax);
      if (reader.take("+")) sign = 1n;
      else if (reader.take("-")) sign = -1n;
      else return sum;
    }
  }

  private term(reader: Reader, address: bigint, syntax: Syntax | undefined): bigint {
    reader.skip();
    const start = reader.at;
    const number = reader.number();
    if (number !== undefined) {
      const value = parseNumber(number);
      if (value === undefined) {
        throw new Mistake("E_SYNTAX", start, `\`${number}\` is no number; write it in decimal, as 0x… or as 0b…`);
      }
      return value;
    }
    const name = reader.identifier();
    if (name === ".") return address;
    if (name === undefined) {
      if (syntax !== undefined) throw this.expected(syntax, reader, "a number or label");
      throw new Mistake("E_SYNTAX", start, "a number or label is expected here");
    }
    const label = this.labels.get(name);
    if (label !== undefined) return label;
    if (this.layingOut) return address;
    throw new Mistake("E_UNKNOWN", start, `no label is called \`${name}\`${nearest(name, [...this.labels.keys()])}`);
  }
}

/** True where the text has all the punctuation of the syntax: what many forms that begin alike are told apart by, quickly. */
function mayBe(syntax: Syntax, text: string): boolean {
  return syntax.elements.every(
    ({ element }) => element.kind !== "punctuation" || /^[0-9]/.test(element.text) || text.includes(element.text),
  );
}

/** Reads a statement from left to right. */
class Reader {
  at: number;
  private readonly text: string;

  constructor(text: string, at: number) {
    this.text = text;
    this.at = at;
  }

  get done(): boolean {
    return this.at >= this.text.length;
  }

  get rest(): string {
    return this.text.slice(this.at).trim();
  }

  skip(): void {
    while (/\s/.test(this.text[this.at] ?? "")) this.at++;
  }

  /** Takes this text if it comes next; a word only whole. */
  take(text: string): boolean {
    this.skip();
    if (!this.text.startsWith(text, this.at)) return false;
    const next = this.text[this.at + text.length] ?? "";
    if (/\w$/.test(text) && /\w/.test(next)) return false;
    this.at += text.length;
    return true;
  }

  /** The same; a number in any of its spellings. */
  takeLiteral(text: string): boolean {
    if (!/^[0-9]/.test(text)) return this.take(text);
    this.skip();
    const start = this.at;
    if (parseNumber(this.number() ?? "") === BigInt(text)) return true;
    this.at = start;
    return false;
  }

  identifier(): string | undefined {
    IDENTIFIER.lastIndex = this.at;
    const match = IDENTIFIER.exec(this.text);
    if (match === null) return undefined;
    this.at += match[0].length;
    return match[0];
  }

  /** A word that begins with a digit, whether it is a number or not. */
  number(): string | undefined {
    const match = /^[0-9]\w*/.exec(this.text.slice(this.at));
    if (match === null) return undefined;
    this.at += match[0].length;
    return match[0];
  }
}

function splitHead(body: string): { head: string; rest: string } {
  const match = /^(\S+)\s*(.*)$/s.exec(body);
  return { head: match?.[1] ?? "", rest: match?.[2] ?? "" };
}

/** `; did you mean …?`, or nothing where no known name is near. */
export function nearest(name: string, known: readonly string[]): string {
  const best = known.map((k) => ({ k, d: distance(name, k) })).sort((a, b) => a.d - b.d)[0];
  return best !== undefined && best.d <= Math.max(1, name.length / 3) ? `; did you mean \`${best.k}\`?` : "";
}
