/**
 * What guest and host compute in different ways, a sum of bits here and a parallel count there, is shown to be equal once, for all values
 * of what it is computed from. What a block makes of it is then about one name for both: so a sequence of instructions is no harder than
 * each of them. Candidates are values that agree in random states (as sweep.ts finds them for machines).
 */
import type { Obligation } from "../diagram.js";
import { Generator } from "../solver/generator.js";
import { refuteByRandom } from "../solver/random.js";
import { eq, not, rebuild, variable } from "../terms/build.js";
import { Evaluator, environmentOf } from "../terms/evaluate.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import { freeVariables, size } from "../terms/variables.js";
import { ask, type Inquiry } from "./context.js";
import { rewriting } from "./rewriting.js";
import { during } from "./spent.js";

/** One name for values that are always equal. */
export interface Named {
  readonly names: Substitution;
  /** What has shown that they are. */
  readonly by: string;
}

/** Narrower values, and those of so few terms, need no help. */
const NARROW = 8;
const SIMPLE = 8;
const STATES = 20;
const MOST_PAIRS = 16;
const RANDOM_TRIES = 100;

interface Candidate {
  readonly term: Term;
  /** The term over what it is computed from. */
  readonly value: Term;
}

/** Of the values in the terms those that are shown to be equal; undefined where there are none. */
export async function equalities(
  inquiry: Inquiry,
  obligation: Pick<Obligation, "name">,
  terms: readonly Term[],
): Promise<Named | undefined> {
  const names = new Map<Term, Term>();
  let by = "rewrite";
  const pairs = during("trying", () => agreeing(terms, inquiry.seed));
  const deadline = performance.now() + 2 * inquiry.timeoutMs;
  for (const [one, other] of pairs.slice(0, MOST_PAIRS)) {
    if (inquiry.signal?.aborted === true || performance.now() > deadline) break;
    // What is inside them and known to be equal has a name already.
    const known = new Substitution(new Map(names));
    const inside = (t: Term): Term =>
      rebuild(
        t,
        t.args.map((arg) => known.apply(arg)),
      );
    const shown = await areEqual(inquiry, obligation, inside(one), inside(other));
    if (shown === undefined) continue;
    if (shown !== "rewrite") by = shown;
    const name = names.get(one) ?? variable(`same ${names.size}`, one.sort);
    names.set(one, name).set(other, name);
  }
  return names.size === 0 ? undefined : { names: new Substitution(names), by };
}

/** Different values in the terms that are the same in all states that are tried; the smallest pairs first. */
function agreeing(terms: readonly Term[], seed: number): readonly (readonly [Term, Term])[] {
  const leaves = new Leaves();
  const candidates = subterms(terms)
    .filter((t) => t.sort.kind === "bits" && t.sort.width >= NARROW && t.op !== "const")
    .map((term): Candidate => ({ term, value: leaves.apply(term) }))
    .filter(({ value }) => size(value) > SIMPLE);
  const states = statesOf(candidates, seed);
  const classes = new Map<string, Candidate[]>();
  for (const candidate of candidates.toSorted((a, b) => size(a.value) - size(b.value) || a.value.id - b.value.id)) {
    const { value } = candidate;
    const width = value.sort.kind === "bits" ? value.sort.width : 0;
    const key = [width, ...states.map((state) => state.number(value).toString(16))].join(" ");
    const same = classes.get(key);
    if (same === undefined) classes.set(key, [candidate]);
    else if (same.every((c) => c.value !== value)) same.push(candidate);
  }
  return [...classes.values()]
    .flatMap(([first, ...others]) => (first === undefined ? [] : others.map((other) => [first, other] as const)))
    .toSorted(([, a], [, b]) => size(a.value) - size(b.value))
    .map(([a, b]) => [a.term, b.term]);
}

/** Half of them at random, the others with few bits set: then bytes are zero, and numbers small. */
function statesOf(candidates: readonly Candidate[], seed: number): readonly Evaluator[] {
  const variables = [...freeVariables(candidates.map((c) => c.value))];
  const random = new Generator(seed);
  return Array.from({ length: STATES }, (_, i) => {
    const values = variables.map(({ name, sort }) => {
      const width = sort.kind === "bits" ? sort.width : 1;
      const drawn = random.bits(width);
      return [name, i % 2 === 0 ? drawn : drawn & random.bits(width) & random.bits(width)] as const;
    });
    return new Evaluator(environmentOf(new Map(values)));
  });
}

/** Pairs that were asked about in this thread: by what they were shown to be equal, if by anything. */
const settled = new Map<string, string | undefined>();

async function areEqual(
  inquiry: Inquiry,
  obligation: Pick<Obligation, "name">,
  one: Term,
  other: Term,
): Promise<string | undefined> {
  const leaves = new Leaves();
  const [a, b] = [leaves.apply(one), leaves.apply(other)];
  const key = `${a.id} ${b.id}`;
  if (settled.has(key)) return settled.get(key);
  const by = await show(inquiry, obligation, eq(a, b));
  settled.set(key, by);
  return by;
}

async function show(inquiry: Inquiry, obligation: Pick<Obligation, "name">, lemma: Term): Promise<string | undefined> {
  const options = { seed: inquiry.seed, tries: RANDOM_TRIES };
  if (during("trying", () => refuteByRandom([], lemma, options)) !== undefined) return undefined;
  const result = rewriting([], lemma);
  let by = "rewrite";
  for (const leaf of result.proved ? [] : result.open) {
    const answer = await ask(inquiry, obligation, [...leaf.hypotheses, not(leaf.goal)]);
    if (answer.answer !== "unsat") return undefined;
    by = answer.solver;
  }
  return by;
}

/** Puts a variable, numbered by its first occurrence, in the place of everything that is read: what holds for any value holds for what is there. */
class Leaves {
  private readonly variables = new Map<Term, Term>();
  private readonly memo = new Map<Term, Term>();

  apply(t: Term): Term {
    if (t.op === "const") return t;
    const known = this.memo.get(t);
    if (known !== undefined) return known;
    const result = isRead(t)
      ? this.variable(t)
      : rebuild(
          t,
          t.args.map((arg) => this.apply(arg)),
        );
    this.memo.set(t, result);
    return result;
  }

  private variable(t: Term): Term {
    const known = this.variables.get(t);
    if (known !== undefined) return known;
    const fresh = variable(`value ${this.variables.size}`, t.sort);
    this.variables.set(t, fresh);
    return fresh;
  }
}

function isRead({ op }: Term): boolean {
  return op === "var" || op === "load" || op === "select" || op === "apply" || op === "accessible";
}

/** Every term inside, but for what stands under a lambda and has no value by itself. */
function subterms(roots: readonly Term[]): readonly Term[] {
  const seen = new Set<Term>();
  const stack = [...roots];
  for (let t = stack.pop(); t !== undefined; t = stack.pop()) {
    if (seen.has(t) || t.op === "lambda") continue;
    seen.add(t);
    stack.push(...t.args);
  }
  return [...seen];
}
