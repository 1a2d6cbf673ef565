/** What of an instruction is computed when it is decoded: its fields, and what depends on them alone. */
import type { Field, Instruction } from "../machine.js";
import * as t from "../terms/build.js";
import type { Term } from "../terms/term.js";
import { OPERANDS } from "./decode-cache.js";
import { isWide } from "./scalars.js";

/** Values that depend on the operands alone and are kept in a record; beyond these only the fields themselves are. */
const MOST_OPERANDS = 5;

/** An operand: a term over the fields alone, and where its value is in the record. */
interface Operand {
  readonly term: Term;
  readonly offset: number;
}

export class Operands {
  readonly list: Operand[] = [];
  private readonly fields: ReadonlySet<Term>;
  private readonly known = new Map<Term, Operand>();
  private readonly only = new Map<Term, boolean>();

  constructor(instruction: Instruction) {
    this.fields = new Set(instruction.encoding.fields.map((f) => f.term));
  }

  /** The operand that this term is, if it depends on the fields alone. */
  of(term: Term): Operand | undefined {
    const known = this.known.get(term);
    if (known !== undefined) return known;
    if (term.op === "const" || !this.fieldsOnly(term) || isWide(term)) return undefined;
    if (this.list.length >= MOST_OPERANDS && !this.fields.has(term)) return undefined;
    const operand = { term, offset: OPERANDS + 8 * this.list.length };
    this.list.push(operand);
    this.known.set(term, operand);
    return operand;
  }

  private fieldsOnly(term: Term): boolean {
    if (term.args.length === 0) return term.op === "const" || this.fields.has(term);
    if (term.op === "apply") return false;
    let result = this.only.get(term);
    if (result === undefined) {
      result = term.args.every((arg) => (arg.sort.kind === "bits" || arg.sort.kind === "bool") && this.fieldsOnly(arg));
      this.only.set(term, result);
    }
    return result;
  }
}

/** A field's value in a word: its pieces gathered, zeros where there are none. */
export function fieldOf(field: Field, word: Term): Term {
  const parts: Term[] = [];
  let next = field.width;
  for (const piece of [...field.pieces].sort((a, b) => b.lo - a.lo)) {
    const above = next - (piece.lo + piece.width);
    if (above > 0) parts.push(t.constant(above, 0n));
    parts.push(t.extract(word, piece.at + piece.width - 1, piece.at));
    next = piece.lo;
  }
  if (next > 0) parts.push(t.constant(next, 0n));
  const [first] = parts;
  const value = parts.length === 1 && first !== undefined ? first : t.concat(...parts);
  return field.term.sort.kind === "bool" ? t.bitsToBool(value) : value;
}
