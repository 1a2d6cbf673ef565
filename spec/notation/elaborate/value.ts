/** What an expression elaborates to. */
import type { Term } from "../../../refinement/terms/term.js";
import { type NType, leaves, typeToString } from "./types.js";

/** A value of a known type: a term for each leaf of the type, in order. */
export interface TypedValue {
  readonly kind: "typed";
  readonly type: NType;
  readonly terms: readonly Term[];
}

/** A constant integer that takes the width of its context: a literal, a parameter, a loop's variable, sums of those. */
export interface IntegerValue {
  readonly kind: "int";
  readonly value: bigint;
}

/** A truth value fixed by parameters: what it guards is not even checked where it is false. */
export interface TruthValue {
  readonly kind: "truth";
  readonly value: boolean;
}

/** What a procedure gives. */
export interface NoValue {
  readonly kind: "none";
}

/** The value of an expression in error, which has been reported: whatever uses it stays silent. */
export interface WrongValue {
  readonly kind: "wrong";
}

export type Val = TypedValue | IntegerValue | TruthValue | NoValue | WrongValue;

export const WRONG: WrongValue = { kind: "wrong" };
export const NONE: NoValue = { kind: "none" };

export function typed(type: NType, ...terms: Term[]): TypedValue {
  return { kind: "typed", type, terms };
}

export function integer(value: bigint): IntegerValue {
  return { kind: "int", value };
}

/** The one term of a value with one leaf. */
export function single(value: TypedValue): Term {
  const [term] = value.terms;
  if (term === undefined || leaves(value.type).length !== 1) throw new TypeError("a value with one leaf was expected");
  return term;
}

/** What a value is, for messages. */
export function describe(value: Val): string {
  if (value.kind === "typed") return typeToString(value.type);
  if (value.kind === "int") return "a number without a width";
  return value.kind === "none" ? "no value" : "bool";
}
