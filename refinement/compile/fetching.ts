/**
 * How a region's instructions are fetched. Where the program counter is itself the address of the word, nothing but a store can
 * make an instruction another one. Where a machine translates addresses, an instruction is found where it was as long as
 * the translation says so: that is asked again whenever something has changed that the translation looks at.
 */
import { type Machine, type StateVariable, variable } from "../machine.js";
import * as t from "../terms/build.js";
import { definitionOf } from "../terms/definitions.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import { freeVariables } from "../terms/variables.js";

/** Over the state. */
export interface Fetched {
  /** The address of the word. */
  readonly key: Term;
  /** The reads of memory that the word consists of, each with its distance from the key. */
  readonly reads: readonly { readonly term: Term; readonly offset: number }[];
  /** What must hold for the machine to execute the instruction there. */
  readonly conditions: readonly Term[];
}

export interface Fetching {
  readonly fetched: Fetched;
  /** The program counter is the key, and no more has to be asked of it. */
  readonly isDirect: boolean;
  /** Scalars that the fetch depends on, the program counter and what remembered values depend on aside. */
  readonly context: readonly StateVariable[];
  /** Names of the variables that an instruction of a region leaves as they are: it would go astray otherwise. */
  readonly relied: ReadonlySet<string>;
  /** The conditions that depend on the program counter. */
  readonly local: readonly Term[];
}

/** `remembered` are the variables that remembered values depend on. Undefined where a machine's code cannot be in regions. */
export function fetchingOf(
  machine: Machine,
  pc: StateVariable,
  fetched: Fetched,
  remembered: ReadonlySet<string>,
  isDirect: boolean,
): Fetching | undefined {
  const conjuncts = fetched.conditions.flatMap((c) => (c.op === "and" ? c.args : [c])).filter((c) => c !== t.TRUE);
  const [local, general] = [conjuncts.filter((c) => dependsOn(c, pc)), conjuncts.filter((c) => !dependsOn(c, pc))];
  if (isDirect ? local.length > 0 : general.some((c) => readsMemory(c))) return undefined;
  const relied = new Set(remembered);
  const context = new Set<StateVariable>();
  for (const term of freeVariables([fetched.key, ...conjuncts])) {
    const v = variable(machine, term.name);
    if (v === undefined) return undefined;
    if (v === pc || v.sort.kind === "memory") continue;
    relied.add(v.name);
  }
  for (const name of isDirect ? [] : lookedAt([fetched.key, ...local])) {
    const v = variable(machine, name);
    if (v === undefined || v === pc || v.sort.kind === "memory") continue;
    if (v.sort.kind === "file" || (v.sort.kind === "bits" && v.sort.width > 64)) return undefined;
    context.add(v);
  }
  return { fetched, isDirect, context: [...context], relied, local };
}

/**
 * What must hold for the instruction at `pc`, whose bytes stand at `key`, to be the one to execute; `byte` gives those of the
 * word, `constants` what is known of the state, the program counter among it. Undefined where it cannot be told for good.
 */
export function conditionsAt(
  { fetched, local }: Fetching,
  constants: Substitution,
  key: bigint,
  byte: (address: bigint) => number,
): readonly Term[] | undefined {
  const word = new Map<Term, Term>();
  for (const { term, offset } of fetched.reads) {
    if (term.op !== "load" || term.sort.kind !== "bits") return undefined;
    let value = 0n;
    for (let i = term.bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(byte(key + BigInt(offset + i)));
    word.set(constants.apply(term), t.constant(term.sort.width, value));
  }
  const known = new Substitution(word);
  const where = constants.apply(fetched.key);
  if (where.sort.kind !== "bits") return undefined;
  const all = [t.eq(where, t.constant(where.sort.width, key)), ...local.map((c) => known.apply(constants.apply(c)))];
  const conjuncts = all.flatMap((c) => (c.op === "and" ? c.args : [c])).filter((c) => c !== t.TRUE);
  return conjuncts.some((c) => c === t.FALSE || readsMemory(c)) ? undefined : conjuncts;
}

function dependsOn(term: Term, v: StateVariable): boolean {
  return freeVariables(term).has(v.term);
}

/** Whether bytes are read, other than by a function that remembers what it has read. */
function readsMemory(term: Term): boolean {
  return [...termsOf([term])].some((x) => x.op === "load");
}

/** Names of the variables in these terms, other than those that a remembering function looks at. */
function lookedAt(terms: readonly Term[]): ReadonlySet<string> {
  return new Set([...termsOf(terms)].filter((x) => x.op === "var").map((x) => x.name));
}

/** The terms in these terms, but of what a defined function looks at. */
function termsOf(roots: readonly Term[]): ReadonlySet<Term> {
  const seen = new Set<Term>(roots);
  for (const term of seen) {
    const definition = term.op === "apply" ? definitionOf(term.name) : undefined;
    for (const arg of definition === undefined ? term.args : term.args.slice(0, definition.inputs)) seen.add(arg);
  }
  return seen;
}
