/**
 * The `assembly:` line of an instruction, read as a pattern: a mnemonic, then operands and punctuation in order.
 *
 * | operand | is written as | stands for |
 * |---|---|---|
 * | `rd` | a register's name | a field that indexes a file |
 * | `imm` | a number or symbol | the field itself; signed if the instruction sign-extends it |
 * | `imm[31:12]` | an unsigned number | those bits of the field; its others are 0 |
 * | `pc + imm` | an address or label | the field is the distance from the instruction |
 */
import { InternalDefect } from "../errors.js";
import type { Field, Instruction, InstructionSet } from "../machine.js";
import type { Term } from "../terms/term.js";

/** Which numbers a field takes: two's complement, natural, or (used at its own width) both. */
export type Signedness = "signed" | "unsigned" | "either";

export type Operand =
  | { readonly kind: "register"; readonly field: Field; readonly names: readonly string[]; readonly file: string }
  | { readonly kind: "number"; readonly field: Field; readonly signedness: Signedness }
  | { readonly kind: "slice"; readonly field: Field; readonly hi: number; readonly lo: number }
  | { readonly kind: "relative"; readonly field: Field; readonly signedness: Signedness };

export type Element = { readonly kind: "punctuation"; readonly text: string } | Operand;

export interface Spaced {
  readonly element: Element;
  /** Whether the pattern has a space before it; printed likewise, and never required when reading. */
  readonly space: boolean;
}

export interface Syntax {
  readonly instruction: Instruction;
  readonly mnemonic: string;
  readonly elements: readonly Spaced[];
  /** The line as the specification has it. */
  readonly pattern: string;
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
  const match = /^\s*(\S+)\s*(.*)$/s.exec(instruction.assembly);
  if (match === null) return undefined;
  const mnemonic = match[1] ?? "";
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
  return { instruction, mnemonic, elements, pattern: instruction.assembly.trim() };
}

function fieldNamed(instruction: Instruction, name: string): Field {
  const field = instruction.encoding.fields.find((f) => f.name === name);
  if (field === undefined)
    throw new InternalDefect(`${instruction.name}: the assembly names ${name}, which is no field`);
  return field;
}

function operand(set: InstructionSet, instruction: Instruction, field: Field, slice: Token["slice"]): Operand {
  if (slice !== undefined) return { kind: "slice", field, ...slice };
  const file = set.fieldFiles.get(instruction.name)?.get(field.name);
  if (file !== undefined) return { kind: "register", field, file, names: set.registerNames.get(file) ?? [] };
  const names = set.registerNames.get(field.name);
  if (names !== undefined) return { kind: "register", field, file: field.name, names };
  return { kind: "number", field, signedness: signedness(instruction, field) };
}

/** A field is signed if the instruction sign-extends it, unsigned if it zero-extends it or does not use it. */
export function signedness(instruction: Instruction, field: Field): Signedness {
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
