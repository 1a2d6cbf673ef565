/**
 * The way from assertions to an answer: arrays out, products and quotients abstracted, the solver asked, its model run
 * concretely. A model that only the abstraction allows teaches it something and the question is put again.
 */
import { EnvironmentFailure } from "../errors.js";
import { FALSE, TRUE } from "../terms/build.js";
import { Evaluator, environmentOf, zeroValue } from "../terms/evaluate.js";
import type { Term } from "../terms/term.js";
import type { Value } from "../terms/value.js";
import { freeVariables } from "../terms/variables.js";
import { Abstraction } from "./arithmetic.js";
import { type Backend, INTERRUPTED, nonsense, type Reply } from "./backend.js";
import { type Definition, equation } from "./distances.js";
import { Elimination } from "./eliminate.js";
import { type Query, toSmtlib } from "./smtlib.js";
import type { Answer } from "./solver.js";
import { readValues } from "./values.js";
import { Veil } from "./veil.js";

export interface DecideOptions {
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly signal: AbortSignal | undefined;
  /** `abstract` or `precise`: whether products and quotients are abstracted in the query. */
  readonly onQuery: (kind: "abstract" | "precise", text: string) => void;
}

/** After so many questions all lemmas are told that are left. */
const PATIENT_ROUNDS = 30;
/** Corrections to an abstraction before the precise question is put. */
const MAX_CORRECTIONS = 24;
/** The part of the time that the abstract question may take. */
const ABSTRACT_SHARE = 0.7;

export async function decide(backend: Backend, assertions: readonly Term[], options: DecideOptions): Promise<Answer> {
  return new Decision(backend, assertions, options).run();
}

interface Question {
  readonly kind: "abstract" | "precise";
  readonly assertions: readonly Term[];
  /** What is true, the more useful first: a lemma is told when a model breaks it and none of an earlier kind. */
  readonly lemmas: readonly (readonly Term[])[];
  readonly definitions: readonly Definition[];
  readonly abstraction: Abstraction | undefined;
}

class Decision {
  private readonly backend: Backend;
  private readonly originals: readonly Term[];
  private readonly options: DecideOptions;
  private readonly elimination: Elimination;
  private readonly deadline: number;

  constructor(backend: Backend, assertions: readonly Term[], options: DecideOptions) {
    this.deadline = performance.now() + options.timeoutMs;
    this.backend = backend;
    this.originals = assertions;
    this.options = options;
    this.elimination = new Elimination(assertions);
  }

  async run(): Promise<Answer> {
    const { assertions, axioms, definitions } = this.elimination;
    const precise: Question = { kind: "precise", assertions, lemmas: [axioms], definitions, abstraction: undefined };
    const values = definitions.map((d) => d.value);
    const abstraction = new Abstraction(freeVariables([...assertions, ...axioms, ...values]));
    const abstract = {
      assertions: assertions.map((t) => abstraction.apply(t)),
      axioms: axioms.map((t) => abstraction.apply(t)),
      definitions: definitions.map((d) => ({ ...d, value: abstraction.apply(d.value) })),
    };
    if (!abstraction.exact) {
      const lemmas = [[...abstract.axioms, ...abstraction.agreements], abstraction.lemmas];
      const answer = await this.search({ ...abstract, kind: "abstract", lemmas, abstraction }, ABSTRACT_SHARE);
      if (answer.answer !== "unknown" || this.options.signal?.aborted === true) return answer;
    }
    return this.search(precise, 1);
  }

  /**
   * Asks, checks the model, adds what it got wrong, and asks again. Few of the lemmas matter to most questions: each is
   * told the solver when a model breaks it. `share`: of the time that is left.
   */
  private async search(question: Question, share: number): Promise<Answer> {
    const { kind, abstraction } = question;
    const veil = new Veil((name, sort) => this.elimination.fresh(name, sort));
    const assertions = question.assertions.map((t) => veil.apply(t));
    const shown = question.definitions.map((d) => ({
      ...d,
      value: d.patient === true ? d.value : veil.apply(d.value),
    }));
    const [axioms = [], ...more] = question.lemmas.map((lemmas) => lemmas.map((t) => veil.apply(t)));
    const definitions = [...shown, ...veil.definitions];
    const immediate = shown.filter((d) => d.patient !== true);
    const patient = [...shown.filter((d) => d.patient === true), ...veil.definitions];
    const deadline = performance.now() + share * (this.deadline - performance.now());
    const told = [...assertions];
    const untold = [[...axioms, ...veil.agreements], patient.map(equation), ...more].map((lemmas) => new Set(lemmas));
    let corrections = 0;
    let puzzled = false;
    for (let round = 1; ; round++) {
      const outcome = await this.ask(kind, [...needed(immediate, told).map(equation), ...told], deadline);
      if (outcome.answer !== "sat") return outcome;
      const model = this.elimination.model(outcome.model);
      if (this.holds(model)) return { answer: "sat", model };

      const evaluator = evaluatorOf(outcome.model, definitions);
      const broken = firstBroken(untold, (t) => round < PATIENT_ROUNDS && evaluator.holds(t));
      if (broken.length > 0) {
        told.push(...broken);
        continue;
      }
      const learned = [
        ...(abstraction?.corrections(outcome.model) ?? []),
        ...this.elimination.corrections(outcome.model),
      ];
      if (learned.length > 0 && corrections++ < MAX_CORRECTIONS) {
        told.push(...learned);
        continue;
      }
      if (puzzled || learned.length > 0) break;
      puzzled = true;
      await this.backend.discard();
    }
    return { answer: "unknown", reason: `the model that ${this.backend.name} gave does not reproduce` };
  }

  private async ask(kind: "abstract" | "precise", assertions: readonly Term[], deadline: number): Promise<Answer> {
    if (assertions.includes(FALSE)) return { answer: "unsat" };
    const open = assertions.filter((t) => t !== TRUE);
    if (open.length === 0) return { answer: "sat", model: new Map() };
    const query = toSmtlib(open);
    this.options.onQuery(kind, query.check);
    for (let attempt = 1; ; attempt++) {
      const timeoutMs = Math.round(deadline - performance.now());
      if (timeoutMs <= 0)
        return { answer: "unknown", reason: `timeout: no answer within ${this.options.timeoutMs} ms` };
      try {
        return this.read(query, await this.backend.ask(query, { ...this.options, timeoutMs }));
      } catch (error) {
        if (!(error instanceof EnvironmentFailure) || attempt === 2) throw error;
        await this.backend.discard();
        if (this.options.signal?.aborted === true) return INTERRUPTED;
      }
    }
  }

  private read(query: Query, reply: Reply): Answer {
    if (reply.answer !== "sat") return reply;
    const values = readValues(reply.values, query.wanted);
    if (values === undefined) throw nonsense(this.backend.name, reply.values);
    const model = new Map<string, Value>();
    for (const [i, v] of query.variables.entries()) model.set(v.name, values[i] ?? 0n);
    return { answer: "sat", model };
  }

  private holds(model: ReadonlyMap<string, Value>): boolean {
    const evaluator = new Evaluator(environmentOf(model));
    return this.originals.every((assertion) => evaluator.holds(assertion));
  }
}

/** The definitions of the variables in `terms`, and of those in these definitions. */
function needed(definitions: readonly Definition[], terms: readonly Term[]): Definition[] {
  const mentioned = new Set(freeVariables(terms));
  const found: Definition[] = [];
  for (const definition of definitions.toReversed()) {
    if (!mentioned.has(definition.variable)) continue;
    found.push(definition);
    for (const v of freeVariables(definition.value)) mentioned.add(v);
  }
  return found.reverse();
}

/** Evaluates with the model's values, and with what definitions say of the variables that were not in the question. */
function evaluatorOf(model: ReadonlyMap<string, Value>, definitions: readonly Definition[]): Evaluator {
  const values = new Map(definitions.map((d) => [d.variable, d.value]));
  const evaluator: Evaluator = new Evaluator({
    variable(v) {
      const value = model.get(v.name);
      if (value !== undefined) return value;
      const definition = values.get(v);
      return definition === undefined ? zeroValue(v.sort) : evaluator.number(definition);
    },
  });
  return evaluator;
}

/** The lemmas that do not hold of the first kind that has any; they are taken out. */
function firstBroken(lemmas: readonly Set<Term>[], holds: (t: Term) => boolean): Term[] {
  for (const kind of lemmas) {
    const broken = [...kind].filter((t) => !holds(t));
    for (const t of broken) kind.delete(t);
    if (broken.length > 0) return broken;
  }
  return [];
}
