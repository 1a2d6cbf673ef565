/**
 * What the guest leaves open, a host has decided: candidates for the values that make a diagram commute, read off from
 * where each choice ends up. A candidate that works for all states is a proof; one that does not says nothing.
 */
import { type Choice, type Goal, goalTerm, type Part } from "../diagram.js";
import {
  add,
  and,
  bvnot,
  bvxor,
  constant,
  eq,
  extract,
  FALSE,
  ite,
  not,
  or,
  sub,
  TRUE,
  variable,
} from "../terms/build.js";
import { Substitution, substitute } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import { freeVariables, occurs } from "../terms/variables.js";

/** Terms for the variables of a part's choices. */
export type Chosen = ReadonlyMap<Term, Term>;

const MOST_CANDIDATES = 16;
/** All values of choices with so many bits together are worth a disjunction. */
const DISJUNCTION_BITS = 8;

/** Candidates, the likeliest first: the refinement's witness, what the host's final state says, constants. */
export function candidates(part: Part): readonly Chosen[] {
  const open = part.choices.map((choice) => choice.variable);
  const ranges = part.choices.map((choice) => ({ variable: choice.variable, range: likely(choice, part.goals, open) }));
  return product(ranges, MOST_CANDIDATES);
}

export function instantiate(goals: readonly Goal[], chosen: Chosen): readonly Goal[] {
  const substitution = new Substitution(chosen);
  return goals.map((goal) => ({ ...goal, host: substitution.apply(goal.host), guest: substitution.apply(goal.guest) }));
}

/** That some value of every choice makes all goals hold; undefined where there are too many. */
export function someChoice(part: Part): Term | undefined {
  const all = everyChoice(part);
  return all === undefined
    ? undefined
    : or(...all.map((chosen, i) => and(...instantiate(part.goals, chosen).map((goal) => apart(goalTerm(goal), i)))));
}

/** The goal with indices of its own: the choice that suits is one for all of them. */
function apart(goal: Term, i: number): Term {
  const indices = [...freeVariables(goal)].filter(isIndex);
  return substitute(goal, new Map(indices.map((index) => [index, variable(`${i}:${index.name}`, index.sort)])));
}

/** Every value of every choice; undefined where they are too many. */
function everyChoice(part: Part): readonly Chosen[] | undefined {
  const bits = part.choices.reduce((sum, choice) => sum + widthOf(choice.variable), 0);
  if (bits > DISJUNCTION_BITS) return undefined;
  const ranges = part.choices.map(({ variable }) => ({
    variable,
    range: Array.from({ length: 2 ** widthOf(variable) }, (_, i) => value(variable, BigInt(i))),
  }));
  return product(ranges, 2 ** bits);
}

function product(ranges: readonly { variable: Term; range: readonly Term[] }[], most: number): readonly Chosen[] {
  let all: ReadonlyMap<Term, Term>[] = [new Map()];
  for (const { variable, range } of ranges) {
    all = range.flatMap((term) => all.map((sofar) => new Map(sofar).set(variable, term))).slice(0, most);
  }
  return all;
}

function likely(choice: Choice, goals: readonly Goal[], open: readonly Term[]): readonly Term[] {
  const { variable, witness } = choice;
  const flows = goals.flatMap((goal) => {
    const flow = flowOf(variable, goal.guest, goal.host);
    if (flow === undefined) return [];
    // One value suits all elements: it cannot be told by which one is compared.
    const free = [...freeVariables([flow.condition, flow.value])];
    return free.some((v) => open.includes(v) || isIndex(v)) ? [] : [flow];
  });
  const combined = flows.reduceRight<Term | undefined>(
    (rest, flow) => (rest === undefined ? flow.value : ite(flow.condition, flow.value, rest)),
    undefined,
  );
  const constants =
    widthOf(variable) <= 3
      ? Array.from({ length: 2 ** widthOf(variable) }, (_, i) => value(variable, BigInt(i)))
      : [value(variable, 0n), value(variable, -1n)];
  const found = [witness, combined].filter((term) => term !== undefined);
  return [...new Set([...found, ...constants])];
}

function value(variable: Term, number: bigint): Term {
  if (variable.sort.kind === "bool") return (number & 1n) === 1n ? TRUE : FALSE;
  return constant(widthOf(variable), number);
}

function widthOf(variable: Term): number {
  return variable.sort.kind === "bits" ? variable.sort.width : 1;
}

/** Under `condition`, `guest` equals `host` if the choice has this value. */
interface Flow {
  readonly condition: Term;
  readonly value: Term;
}

/** Solves `guest == host` for `choice` where the choice is merely moved about in `guest`. */
function flowOf(choice: Term, guest: Term, host: Term): Flow | undefined {
  if (guest === choice) return { condition: TRUE, value: host };
  const involved = guest.args.filter((arg) => occurs(choice, arg));
  const [one] = involved;
  if (one === undefined) return undefined;
  if (guest.op === "ite") return throughIte(choice, guest, host);
  if (involved.length > 1) return undefined;
  const others = guest.args.filter((arg) => arg !== one);
  switch (guest.op) {
    case "not":
      return flowOf(choice, one, not(host));
    case "bvnot":
      return flowOf(choice, one, bvnot(host));
    case "and":
      return under(and(...others), flowOf(choice, one, host));
    case "or":
      return under(not(or(...others)), flowOf(choice, one, host));
    case "bvxor":
      return flowOf(choice, one, bvxor(host, ...others));
    case "add":
      return flowOf(choice, one, sub(host, others.length === 1 ? (others[0] ?? host) : add(...others)));
    case "bvand":
    case "bvor":
      return flowOf(choice, one, host);
    case "zext":
    case "sext":
      return flowOf(choice, one, extract(host, widthOf(one) - 1, 0));
    case "concat": {
      let low = 0;
      for (const arg of guest.args.slice(guest.args.indexOf(one) + 1)) low += widthOf(arg);
      return flowOf(choice, one, extract(host, low + widthOf(one) - 1, low));
    }
    case "eq": {
      const [other] = others;
      return one === choice && other?.op === "const" && widthOf(one) === 1 ? bit(choice, other, host) : undefined;
    }
    default:
      return undefined;
  }
}

/** `(choice == k) == host` of one bit. */
function bit(choice: Term, k: Term, host: Term): Flow {
  const other = value(choice, k.value ^ 1n);
  return { condition: TRUE, value: ite(host, k, other) };
}

function throughIte(choice: Term, guest: Term, host: Term): Flow | undefined {
  const [condition, yes, no] = guest.args;
  if (condition === undefined || yes === undefined || no === undefined) return undefined;
  if (occurs(choice, condition)) {
    if (occurs(choice, yes) || occurs(choice, no)) return undefined;
    if (yes.sort.kind !== "bool" && yes.sort.kind !== "bits") return undefined;
    return flowOf(choice, condition, eq(host, yes));
  }
  const [a, b] = [flowOf(choice, yes, host), flowOf(choice, no, host)];
  if (a !== undefined && b !== undefined && namedIndex(condition) === undefined) {
    return { condition: ite(condition, a.condition, b.condition), value: ite(condition, a.value, b.value) };
  }
  return a === undefined ? under(not(condition), b) : under(condition, a);
}

/** An index that an element was compared at is known where the condition names it: the value must not depend on it. */
function under(condition: Term, flow: Flow | undefined): Flow | undefined {
  if (flow === undefined) return undefined;
  const there = namedIndex(condition);
  if (there !== undefined) {
    return { condition: substitute(flow.condition, there), value: substitute(flow.value, there) };
  }
  return { condition: and(condition, flow.condition), value: flow.value };
}

/** An element at which the condition holds, by the index that it equates with it. */
function namedIndex(condition: Term): ReadonlyMap<Term, Term> | undefined {
  for (const equation of condition.op === "or" ? condition.args : [condition]) {
    const [a, b] = equation.op === "eq" ? equation.args : [];
    if (a === undefined || b === undefined) continue;
    if (isIndex(a)) return new Map([[a, b]]);
    if (isIndex(b)) return new Map([[b, a]]);
  }
  return undefined;
}

/** The unknown index at which the diagram compares a file or a memory. */
function isIndex(term: Term): boolean {
  return term.op === "var" && term.name.endsWith("[]");
}
