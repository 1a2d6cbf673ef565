/**
 * Cuts the diagram where guest and host meet. What the guest reads of α(c), its program counter, the fetched word, its
 * operands, the host has as values of its own; and what a step leaves alone is the same on both sides. Values that agree
 * in some states are shown to be equal once; every piece of the obligation then has one name for both and forgets what
 * they are made of. This is what equivalence checkers do (A. Kuehlmann and F. Krohm, Equivalence Checking Using Cuts and
 * Heaps, DAC 1997).
 */
import type { Cut, CutUnder, Obligation, Part } from "../diagram.js";
import { transitionNamed } from "../execute/commute.js";
import { ownTransitions } from "../execute/concrete.js";
import { anyState, nextState, type Reader, reader, termOf } from "../execute/symbolic.js";
import type { Machine } from "../machine.js";
import type { MachineRefinement } from "../refinement.js";
import { refuteByRandom, witnessByRandom } from "../solver/random.js";
import { Assumptions } from "../terms/assume.js";
import { and, constant, eq, not, select, TRUE, variable } from "../terms/build.js";
import { Evaluator, environmentOf, zeroValue } from "../terms/evaluate.js";
import { bits } from "../terms/sort.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import type { Value } from "../terms/value.js";
import { size } from "../terms/variables.js";
import { ask, type Context } from "./context.js";
import { THOROUGH, rewriting } from "./rewriting.js";
import { during } from "./spent.js";

/** What was found under some hypotheses. */
interface Swept {
  readonly hypotheses: readonly Term[];
  /** Equal to terms of the guest in α(c): always, and where an instruction can be fetched. */
  readonly always: Cut;
  readonly fetched: Cut;
  /** Terms over the host that may be forgotten: equal ones have one name. */
  readonly names: ReadonlyMap<Term, Term>;
  /** What proved it. */
  readonly by: string;
}

export interface Cuts {
  readonly under: CutUnder;
  /** What `part` may forget: under its hypotheses, what it says with these names is no weaker, and often easier to show. */
  names(part: Part): Substitution | undefined;
  readonly by: string;
}

/** States in which values are compared, and how many a comparison takes at least. */
const STATES = 24;
const FEWEST_STATES = 6;
/** A value that simplifies to so few terms needs no help. */
const SIMPLE = 8;
const MOST_ATTEMPTS = 24;
const RANDOM_TRIES = 100;

export class Sweeper {
  private readonly context: Context;
  private readonly obligations: readonly Obligation[];
  private readonly known = new Map<string, Swept>();

  constructor(context: Context, obligations: readonly Obligation[]) {
    this.context = context;
    this.obligations = obligations;
  }

  /** For the pieces of an obligation that is split by guest transition. */
  async cuts(obligation: Obligation): Promise<Cuts | undefined> {
    const { of } = obligation;
    const whole = this.obligations.find((o) => o.name === `commute/${of}/enabled`);
    if (obligation.kind !== "commute" || of === undefined || whole === undefined) return undefined;
    const swept: Swept[] = [];
    for (const { hypotheses } of whole.parts()) {
      const key = keyOf(hypotheses);
      const found = this.known.get(key) ?? (await this.sweep(whole, of, hypotheses));
      this.known.set(key, found);
      swept.push(found);
    }
    const { guest } = this.context.refinement;
    return {
      under: (hypotheses, first) => {
        const found = this.known.get(keyOf(hypotheses));
        if (found === undefined) return new Map();
        return first !== undefined && needsFetch(guest, first.guard) ? found.fetched : found.always;
      },
      names: (part) => {
        const found = swept.find((s) => s.hypotheses.every((h, i) => part.hypotheses[i] === h));
        return found === undefined || found.names.size === 0 ? undefined : new Substitution(found.names);
      },
      by: swept.find((s) => s.by !== "rewrite")?.by ?? "rewrite",
    };
  }

  private async sweep(whole: Obligation, of: string, hypotheses: readonly Term[]): Promise<Swept> {
    const sweep = new Sweep(this.context, whole, of, hypotheses);
    await sweep.run();
    return sweep;
  }
}

function keyOf(hypotheses: readonly Term[]): string {
  return hypotheses.map((h) => h.id).join(" ");
}

/** Whether the guard of an instruction says that it was fetched. */
function needsFetch(guest: Machine, guard: Term): boolean {
  const fetchable = guest.instructionSet?.fetchable;
  if (fetchable === undefined) return false;
  const said = new Set(conjunctsOf(guard));
  return conjunctsOf(fetchable).every((c) => c === TRUE || said.has(c));
}

function conjunctsOf(t: Term): readonly Term[] {
  return t.op === "and" ? t.args.flatMap(conjunctsOf) : [t];
}

/** A search for equal values under one list of hypotheses. */
class Sweep implements Swept {
  readonly always = new Map<Term, Term>();
  readonly fetched = new Map<Term, Term>();
  readonly names = new Map<Term, Term>();
  by = "rewrite";
  private readonly context: Context;
  private readonly whole: Obligation;
  private readonly refinement: MachineRefinement;
  readonly hypotheses: readonly Term[];
  private readonly next: ReadonlyMap<string, Term>;

  constructor(context: Context, whole: Obligation, of: string, hypotheses: readonly Term[]) {
    this.context = context;
    this.whole = whole;
    this.refinement = context.refinement;
    this.hypotheses = hypotheses;
    const { host } = context.refinement;
    this.next = nextState(host, transitionNamed(host, of), anyState(host));
  }

  async run(): Promise<void> {
    const { guest, host } = this.refinement;
    const hostVariables = host.variables.map((v) => v.term);
    const scalars = guest.variables.flatMap((v) => (isScalar(v.term) ? [v.term] : []));
    await this.level(scalars, hostVariables, this.hypotheses, this.always);
    for (const [guestTerm, hostTerm] of this.always) this.fetched.set(guestTerm, hostTerm);

    const isa = guest.instructionSet;
    if (isa === undefined) return;
    const fetchable = this.instance(isa.fetchable, this.always);
    const running = fetchable === TRUE ? this.hypotheses : [...this.hypotheses, fetchable];
    await this.level([isa.word], hostVariables, running, this.fetched);
    await this.level(operands(guest), subterms([...this.next.values()]), running, this.fetched);
    for (const hostTerm of this.fetched.values()) if (size(hostTerm) > SIMPLE) this.name([hostTerm]);
    await this.untouched();
  }

  /** Elements of files: most of them a step leaves alone. */
  private async untouched(): Promise<void> {
    const { guest, host, abstraction } = this.refinement;
    const here = reader(host, anyState(host));
    const there = reader(host, this.next);
    for (const { name, sort } of guest.variables) {
      if (sort.kind !== "file") continue;
      const index = variable(`${name}[]`, bits(sort.index));
      const element = (read: Reader): Term => select(read(termOf(abstraction, name)), index);
      const [before, after] = [element(here), element(there)];
      const inside = subterms([after]);
      if (size(before) <= SIMPLE || inside.includes(before)) continue;
      const states = this.states(this.hypotheses);
      if (states.length < FEWEST_STATES) return;
      const found = await this.equal(before, inside, this.hypotheses, states);
      if (found !== undefined) this.name([before, found]);
    }
  }

  private name(terms: readonly Term[]): void {
    for (const term of terms) this.names.set(term, variable(`?${this.names.size}`, term.sort));
    const [first] = terms;
    const name = first === undefined ? undefined : this.names.get(first);
    if (name !== undefined) for (const term of terms) this.names.set(term, name);
  }

  /** Equates each of the guest's terms with one of the host's, if one can be found and proved. */
  private async level(
    guestTerms: readonly Term[],
    hostTerms: readonly Term[],
    hypotheses: readonly Term[],
    cut: Map<Term, Term>,
  ): Promise<void> {
    const known = Assumptions.of(hypotheses);
    if (known.contradictory) return;
    const open = guestTerms
      .map((guestTerm) => ({ guestTerm, value: this.instance(guestTerm, cut) }))
      .filter(({ value }) => size(known.simplify(value)) > SIMPLE);
    if (open.length === 0) return;
    const states = this.states(hypotheses);
    if (states.length < FEWEST_STATES) return;
    for (const { guestTerm, value } of open) {
      const found = await this.equal(value, hostTerms, hypotheses, states);
      if (found !== undefined) cut.set(guestTerm, found);
    }
  }

  /** The smallest of the host's terms that is proved to have the same value; whatever tells them apart joins `states`. */
  private async equal(
    value: Term,
    hostTerms: readonly Term[],
    hypotheses: readonly Term[],
    states: Evaluator[],
  ): Promise<Term | undefined> {
    const dropped = new Set<Term>();
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const candidate = equals(value, hostTerms, states).find((c) => !dropped.has(c));
      if (candidate === undefined) return undefined;
      const answer = await this.proves(hypotheses, eq(value, candidate));
      if (answer === "proved") return candidate;
      if (answer === "unknown") dropped.add(candidate);
      else states.push(evaluator(answer));
    }
    return undefined;
  }

  /** A term over the guest's state, in α(c). */
  private instance(term: Term, cut: Cut): Term {
    return reader(this.refinement.guest, this.refinement.abstraction, cut)(term);
  }

  /** States in which the hypotheses hold. */
  private states(hypotheses: readonly Term[]): Evaluator[] {
    const { recording, seed } = this.context;
    const recorded = recording.witnesses(this.whole.name).map(({ state }) => evaluator(state));
    const found = recorded.filter((state) => state.holds(and(...hypotheses))).slice(0, STATES / 2);
    for (let i = 0; found.length < STATES && i < STATES; i++) {
      const options = { seed: seed + i, tries: RANDOM_TRIES };
      const model = during("trying", () => witnessByRandom(hypotheses, options));
      if (model !== undefined) found.push(evaluator(model));
    }
    return found;
  }

  /** Or a state in which it is false. */
  private async proves(
    hypotheses: readonly Term[],
    lemma: Term,
  ): Promise<"proved" | "unknown" | ReadonlyMap<string, Value>> {
    const options = { seed: this.context.seed, tries: RANDOM_TRIES };
    const refuted = during("trying", () => refuteByRandom(hypotheses, lemma, options));
    if (refuted !== undefined) return refuted;
    const result = rewriting(hypotheses, lemma, THOROUGH);
    if (result.proved) return "proved";
    for (const leaf of result.open) {
      const answer = await ask(this.context, this.whole, [...leaf.hypotheses, not(leaf.goal)]);
      if (answer.answer === "sat") return answer.model;
      if (answer.answer === "unknown") return "unknown";
      this.by = answer.solver;
    }
    return "proved";
  }
}

function evaluator(values: ReadonlyMap<string, Value>): Evaluator {
  return new Evaluator(environmentOf(values, (term) => zeroValue(term.sort)));
}

/** Of the candidates those that have the value of `term` in all states, the smallest first; or its value, if it has only one. */
function equals(term: Term, candidates: readonly Term[], states: readonly Evaluator[]): readonly Term[] {
  const values = states.map((state) => state.number(term));
  const [first] = values;
  if (first !== undefined && term.sort.kind === "bits" && values.every((v) => v === first)) {
    return [constant(term.sort.width, first)];
  }
  return candidates
    .filter((c) => c !== term && c.sort === term.sort && states.every((state, i) => state.number(c) === values[i]))
    .sort((a, b) => size(a) - size(b));
}

function isScalar(term: Term): boolean {
  return term.sort.kind === "bits" || term.sort.kind === "bool";
}

/** Elements of files that the guest's transitions read. */
function operands(guest: Machine): readonly Term[] {
  const effects = ownTransitions(guest).flatMap((t) => [
    ...t.effect.assigns.values(),
    ...t.effect.raises.flatMap((r) => [r.condition, ...r.arguments]),
  ]);
  return subterms(effects).filter((t) => t.op === "select" && t.args[0]?.op === "var");
}

/** Every scalar term inside, but for what stands under a lambda and has no value by itself. */
function subterms(roots: readonly Term[]): readonly Term[] {
  const seen = new Set<Term>();
  const stack = [...roots];
  for (let t = stack.pop(); t !== undefined; t = stack.pop()) {
    if (seen.has(t) || t.op === "lambda") continue;
    seen.add(t);
    stack.push(...t.args);
  }
  return [...seen].filter((t) => isScalar(t) && t.op !== "const");
}
