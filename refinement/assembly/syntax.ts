/**
 * The `assembly:` line of an instruction, read as a pattern: a mnemonic, then operands and punctuation in order.
 *
 * | operand | is written as | stands for |
 * |---|---|---|
 * | `rd` | a register's name | a field that indexes a file |
 * | `imm` | a number or symbol | the field itself; signed if the instruction sign-extends it |
 * | `imm[31:12]` | an unsigned number | those bits of the field, its others being 0; of a shorter, signed one, those of it extended |
 * | `pc + imm` | an address or label | the field is the distance from the instruction |
 *
 * A line with braces is a template: what stands in braces is an operand, all else literal text. It may begin with an operand.
 *
 * | operand | is written as | stands for |
 * |---|---|---|
 * | `w{dst}` | `w3` | a field that indexes a file, by number behind that letter |
 * | `{imm}`, `{signed imm}` | a number or symbol | the field itself; `signed` says so where its use does not |
 * | `+ {offset}` | `+ 4`, `- 4` | a signed number with its sign |
 * | `+{offset}`, `pc+{offset}` | `+5`, `pc-3`, or a label | a distance from the next instruction, in parcels |
 */
import { InternalDefect } from "../errors.js";
import { type Field, type Instruction, type InstructionSet, isAssemblyTemplate } from "../machine.js";
import type { Term } from "../terms/term.js";

/** Which numbers a field takes: two's complement, natural, or (used at its own width) both. */
export type Signedness = "signed" | "unsigned" | "either";

export type Operand =
  | {
      readonly kind: "register";
      readonly field: Field;
      /** Of the values 0, 1, … of the field. */
      readonly names: readonly string[];
      readonly file: string;
      /** The element that the field's value 0 names. */
      readonly first: number;
    }
  | { readonly kind: "number"; readonly field: Field; readonly signedness: Signedness }
  | { readonly kind: "slice"; readonly field: Field; readonly hi: number; readonly lo: number }
  | { readonly kind: "relative"; readonly field: Field; readonly signedness: Signedness }
  | { readonly kind: "offset"; readonly field: Field }
  | { readonly kind: "displacement"; readonly field: Field; readonly prefix: "" | "pc" };

export type Element = { readonly kind: "punctuation"; readonly text: string } | Operand;

export interface Spaced {
  readonly element: Element;
  /** Whether the pattern has a space before it; printed likewise, and never required when reading. */
  readonly space: boolean;
}

export interface Syntax {
  readonly instruction: Instruction;
  /** "" where the line begins with an operand or punctuation. */
  readonly mnemonic: string;
  /** A field whose spelling ends the mnemonic, as in amoadd.w{ordering}. */
  readonly suffix: Suffix | undefined;
  readonly elements: readonly Spaced[];
  /** The line as the specification has it. */
  readonly pattern: string;
}

export interface Suffix {
  readonly field: Field;
  readonly names: readonly string[];
}

const TOKEN = /(\s*)(?:([A-Za-z_][A-Za-z0-9_.]*)(?:\s*\[\s*(\d+)\s*:\s*(\d+)\s*\])?|(\S))/y;

interface Token {
  readonly space: boolean;
  readonly name: string | undefined;
  readonly slice: { readonly hi: number; readonly lo: number } | undefined;
  readonly punctuation: string;
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const [, space, name, hi, lo, punctuation] = match;
    found.push({
      space: space !== "",
      name,
      slice: hi === undefined || lo === undefined ? undefined : { hi: Number(hi), lo: Number(lo) },
      punctuation: punctuation ?? "",
    });
  }
  return found;
}

/** The syntax of an instruction; `undefined` where its block gives none. */
export function syntaxOf(set: InstructionSet, instruction: Instruction): Syntax | undefined {
  if (instruction.assembly === undefined) return undefined;
  if (isAssemblyTemplate(instruction.assembly)) return templateOf(set, instruction, instruction.assembly.trim());
  const match = /^\s*(\S+)\s*(.*)$/s.exec(instruction.assembly);
  if (match === null) return undefined;
  const [, mnemonic = "", ending] = /^([^{]*)(?:\{(.*)\})?$/.exec(match[1] ?? "") ?? [];
  const suffix =
    ending === undefined
      ? undefined
      : { field: fieldNamed(instruction, ending), names: set.spelling.get(ending) ?? [] };
  const rest = tokens(match[2] ?? "");
  const elements: Spaced[] = [];
  for (let i = 0; i < rest.length; i++) {
    const token = rest[i];
    if (token === undefined) break;
    const { space } = token;
    const relative = token.name === set.programCounter && rest[i + 1]?.punctuation === "+" ? rest[i + 2] : undefined;
    if (relative?.name !== undefined) {
      const field = fieldNamed(instruction, relative.name);
      elements.push({ space, element: { kind: "relative", field, signedness: signedness(instruction, field) } });
      i += 2;
    } else if (token.name !== undefined && instruction.encoding.fields.some((f) => f.name === token.name)) {
      elements.push({ space, element: operand(set, instruction, fieldNamed(instruction, token.name), token.slice) });
    } else {
      elements.push({ space, element: { kind: "punctuation", text: token.name ?? token.punctuation } });
    }
  }
  return { instruction, mnemonic, suffix, elements, pattern: instruction.assembly.trim() };
}

/** Braces with a letter before them and `signed` in them; a word or number; any other character. */
const TEMPLATE =
  /(\s*)(?:([A-Za-z_]\w*)?\{\s*(signed\s+)?([A-Za-z_]\w*)\s*\}|([A-Za-z_]\w*|[0-9]+(?![0-9A-Za-z_]*\{))|(\S))/y;

function templateOf(set: InstructionSet, instruction: Instruction, pattern: string): Syntax {
  const mnemonic = /^[A-Za-z_]\w*(?=\s|$)/.exec(pattern)?.[0] ?? "";
  const elements: Spaced[] = [];
  TEMPLATE.lastIndex = mnemonic.length;
  for (let match = TEMPLATE.exec(pattern); match !== null; match = TEMPLATE.exec(pattern)) {
    const [, blank, letter, signed, name, word, character] = match;
    const space = blank !== "";
    if (name === undefined) {
      elements.push({ space, element: { kind: "punctuation", text: word ?? character ?? "" } });
      continue;
    }
    const field = fieldNamed(instruction, name);
    if (letter !== undefined) {
      elements.push({ space, element: numbered(set, instruction, field, letter) });
      continue;
    }
    const before = elements.at(-1);
    if (before?.element.kind === "punctuation" && before.element.text === "+") {
      elements.pop();
      elements.push(
        space
          ? { space: before.space, element: { kind: "offset", field } }
          : displacement(elements, before.space, field),
      );
      continue;
    }
    const sign = signed === undefined ? signedness(instruction, field) : "signed";
    elements.push({ space, element: { kind: "number", field, signedness: sign } });
  }
  return { instruction, mnemonic, suffix: undefined, elements, pattern };
}

/** Takes a `pc` that stands directly before. */
function displacement(elements: Spaced[], space: boolean, field: Field): Spaced {
  const before = elements.at(-1);
  if (space || before?.element.kind !== "punctuation" || before.element.text !== "pc")
    return { space, element: { kind: "displacement", field, prefix: "" } };
  elements.pop();
  return { space: before.space, element: { kind: "displacement", field, prefix: "pc" } };
}

/** Registers that are called by a letter and their number, as many as the file has. */
function numbered(set: InstructionSet, instruction: Instruction, field: Field, letter: string): Operand {
  const { file, first } = set.fieldFiles.get(instruction.name)?.get(field.name) ?? { file: letter, first: 0 };
  const count = set.registerNames.get(file)?.length ?? 2 ** field.width;
  const names = Array.from({ length: count - first }, (_, i) => `${letter}${i + first}`);
  return { kind: "register", field, file: letter, first, names };
}

function fieldNamed(instruction: Instruction, name: string): Field {
  const field = instruction.encoding.fields.find((f) => f.name === name);
  if (field === undefined)
    throw new InternalDefect(`${instruction.name}: the assembly names ${name}, which is no field`);
  return field;
}

function operand(set: InstructionSet, instruction: Instruction, field: Field, slice: Token["slice"]): Operand {
  if (slice !== undefined) return { kind: "slice", field, ...slice };
  const indexed = set.fieldFiles.get(instruction.name)?.get(field.name);
  if (indexed !== undefined) {
    const { file, first } = indexed;
    const names = set.registerNames.get(file)?.slice(first, first + 2 ** field.width) ?? [];
    return { kind: "register", field, file, first, names };
  }
  return { kind: "number", field, signedness: signedness(instruction, field) };
}

/** A field is signed if the instruction sign-extends it, unsigned if it zero-extends it or does not use it. */
function signedness(instruction: Instruction, field: Field): Signedness {
  const uses = new Set<string>();
  const seen = new Set<Term>();
  const visit = (term: Term): void => {
    if (seen.has(term)) return;
    seen.add(term);
    for (const arg of term.args) {
      if (arg === field.term) uses.add(term.op);
      visit(arg);
    }
  };
  for (const term of effectTerms(instruction)) {
    if (term === field.term) uses.add("assign");
    visit(term);
  }
  if (uses.has("sext")) return "signed";
  return uses.size === 0 || uses.has("zext") || uses.has("select") || uses.has("store") ? "unsigned" : "either";
}

function* effectTerms(instruction: Instruction): Generator<Term> {
  for (const raise of instruction.effect.raises) {
    yield raise.condition;
    yield* raise.arguments;
  }
  yield* instruction.effect.assigns.values();
}

const syntaxes = new WeakMap<InstructionSet, readonly Syntax[]>();

/** The syntaxes of all instructions that have one, in order of declaration. */
export function syntaxesOf(set: InstructionSet): readonly Syntax[] {
  let found = syntaxes.get(set);
  if (found === undefined) {
    found = set.instructions.flatMap((i) => syntaxOf(set, i) ?? []);
    syntaxes.set(set, found);
  }
  return found;
}
