/**
 * Functions kept by name: an `apply` of one means its body, with arguments for parameters. A big function that is called in
 * many places is one term then, and a simulator can remember its values. The body has no free variables but the parameters,
 * which may be files and memories.
 */
import { InternalDefect } from "../errors.js";
import { rebuild } from "./construct.js";
import { Substitution } from "./substitute.js";
import type { Term } from "./term.js";
import { freeVariables } from "./variables.js";

export interface FunctionDefinition {
  readonly parameters: readonly Term[];
  /** How many parameters, from the first on, are arguments of the call; the rest is what it looks at. */
  readonly inputs: number;
  /** A scalar. */
  readonly body: Term;
}

const definitions = new Map<string, FunctionDefinition>();

/** Defines a function; gives the name that it is applied by: the wanted one with a mark of what it computes. */
export function define(wanted: string, parameters: readonly Term[], inputs: number, body: Term): string {
  const known = new Set(parameters);
  for (const free of freeVariables(body))
    if (!known.has(free)) throw new InternalDefect(`${wanted} depends on ${free.name}, which is no parameter of it`);
  const marked = `${wanted}#${body.hash.toString(16)}`;
  for (let n = 1; ; n++) {
    const name = n === 1 ? marked : `${marked}.${n}`;
    const before = definitions.get(name);
    if (before === undefined) definitions.set(name, { parameters, inputs, body });
    else if (before.body !== body || before.inputs !== inputs || !same(before.parameters, parameters)) continue;
    return name;
  }
}

function same(a: readonly Term[], b: readonly Term[]): boolean {
  return a.length === b.length && a.every((term, i) => term === b[i]);
}

/** Undefined for a function known only by name. */
export function definitionOf(name: string): FunctionDefinition | undefined {
  return definitions.get(name);
}

/** What an `apply` means: the body on its arguments; undefined for a function known only by name. */
export function unfold(term: Term): Term | undefined {
  const definition = term.op === "apply" ? definitions.get(term.name) : undefined;
  if (definition === undefined) return undefined;
  return new Substitution(new Map(definition.parameters.map((p, i) => [p, term.args[i] ?? p]))).apply(definition.body);
}

/** The term with all applications of defined functions unfolded. */
export class Unfolding {
  private readonly memo = new Map<Term, Term>();

  apply(term: Term): Term {
    if (definitions.size === 0 || (term.args.length === 0 && term.op !== "apply")) return term;
    const known = this.memo.get(term);
    if (known !== undefined) return known;
    const args = term.args.map((arg) => this.apply(arg));
    const inside = same(args, term.args) ? term : rebuild(term, args);
    const body = unfold(inside);
    const result = body === undefined ? inside : this.apply(body);
    this.memo.set(term, result);
    return result;
  }
}
