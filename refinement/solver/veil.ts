/**
 * Hides what a solver that sees bits is slow at, sums, shifts and comparisons of numbers, behind fresh variables. Two
 * sides of an obligation mostly compute the same sums, and what is hard about it is which of them is chosen: then the
 * hidden ones never matter. The ones that do are found by the models that get them wrong.
 */
import { and, eq, implies, rebuild } from "../terms/build.js";
import type { Sort } from "../terms/sort.js";
import type { Term } from "../terms/term.js";
import type { Definition } from "./distances.js";

/** Operators on narrower numbers than this stay as they are. */
const NARROW = 6;

export class Veil {
  /** What the hidden terms are. */
  readonly definitions: Definition[] = [];
  /** That hidden terms with equal arguments are equal. */
  readonly agreements: Term[] = [];
  private readonly fresh: (name: string, sort: Sort) => Term;
  private readonly memo = new Map<Term, Term>();

  constructor(fresh: (name: string, sort: Sort) => Term) {
    this.fresh = fresh;
  }

  apply(t: Term): Term {
    if (t.args.length === 0) return t;
    const known = this.memo.get(t);
    if (known !== undefined) return known;
    const args = t.args.map((arg) => this.apply(arg));
    let result = args.every((arg, i) => arg === t.args[i]) ? t : rebuild(t, args);
    if (isHard(result)) result = this.hide(result);
    this.memo.set(t, result);
    return result;
  }

  private hide(t: Term): Term {
    const known = this.memo.get(t);
    if (known !== undefined && known.op === "var") return known;
    const hidden = this.fresh(`${t.op}!${this.definitions.length}`, t.sort);
    for (const { variable, value } of this.definitions) {
      for (const alike of argumentsAgree(value, t)) this.agreements.push(implies(alike, eq(variable, hidden)));
    }
    this.definitions.push({ variable: hidden, value: t });
    this.memo.set(t, hidden);
    return hidden;
  }
}

/** Ways in which two applications of one operator can have the same arguments. */
function argumentsAgree(s: Term, t: Term): Term[] {
  if (s.op !== t.op || s.sort !== t.sort || s.args.length !== t.args.length) return [];
  const commutes = s.op === "add" || s.op === "mul";
  const left = commutes ? s.args.filter((arg) => !t.args.includes(arg)) : s.args;
  const right = commutes ? t.args.filter((arg) => !s.args.includes(arg)) : t.args;
  const paired = (others: readonly Term[]): Term => and(...left.map((arg, i) => eq(arg, others[i] ?? arg)));
  if (left[0]?.sort !== right[0]?.sort) return [];
  return commutes && left.length === 2 ? [paired(right), paired(right.toReversed())] : [paired(right)];
}

function isHard(t: Term): boolean {
  const operand = t.args[0];
  if (operand?.sort.kind !== "bits" || operand.sort.width < NARROW) return false;
  switch (t.op) {
    case "add":
    case "mul":
    case "ult":
    case "ule":
    case "slt":
    case "sle":
      return t.args.filter((arg) => arg.op !== "const").length > 1 || t.op === "add" || t.op === "mul";
    case "shl":
    case "lshr":
    case "ashr":
      return t.args[1]?.op !== "const";
    default:
      return false;
  }
}
