/**
 * A translator explored for all values of open numbers: it is run again and again, each time one of its questions is answered otherwise,
 * until every combination of answers that can come about has been seen.
 */
import { Generator } from "../solver/generator.js";
import { witnessByRandom } from "../solver/random.js";
import { InternalDefect } from "../errors.js";
import { Assumptions } from "../terms/assume.js";
import { eq, FALSE, not, TRUE } from "../terms/build.js";
import { Evaluator } from "../terms/evaluate.js";
import type { Term } from "../terms/term.js";
import { freeVariables } from "../terms/variables.js";
import { Intervals } from "./intervals.js";
import type { Decisions } from "./quantity.js";
import type { Range } from "./range.js";

/** Values of the open numbers' variables. */
export type Values = ReadonlyMap<Term, bigint>;

/** One way through a translator. */
export interface Path<T> {
  /** What was asked and what answered: the answer `no` as a negation. */
  readonly decided: readonly Term[];
  /** What fits, be it decided or by the shape of terms: the whole, by what is left of it where only its low bits are kept. */
  readonly fits: ReadonlyMap<Term, Term>;
  /** Values for which these are the answers; undefined where none was found and none was excluded. */
  readonly values: Values | undefined;
  readonly answer: T;
}

/** Paths of one block; a translator that asks more is given up. */
const MOST_PATHS = 256;

/** A question that is to be answered otherwise, behind those that lead to it. */
interface Turn {
  readonly decided: readonly Term[];
  /** What is known before the first of them, before the second, … and behind the last. */
  readonly known: readonly Assumptions[];
  readonly values: Values | undefined;
}

/** `given`: what holds of the open numbers. Undefined where there are too many paths. */
export function explore<T>(
  given: readonly Term[],
  variables: readonly Term[],
  run: (decisions: Decisions) => T,
): readonly Path<T>[] | undefined {
  const paths: Path<T>[] = [];
  const witnesses = new Witnesses(given, variables);
  const waiting: Turn[] = [
    { decided: [], known: [Assumptions.of(given)], values: witnesses.find([], new Intervals()) },
  ];
  for (let turn = waiting.pop(); turn !== undefined; turn = waiting.pop()) {
    if (paths.length >= MOST_PATHS) return undefined;
    const walk = new Walk(turn, witnesses, waiting);
    const answer = run(walk);
    paths.push({ decided: walk.decided, fits: walk.fits, values: walk.values, answer });
  }
  return paths;
}

/** One run of the translator. */
class Walk implements Decisions {
  readonly decided: Term[] = [];
  readonly fits = new Map<Term, Term>();
  values: Values | undefined;
  /** As a turn's. */
  private readonly known: Assumptions[];
  private readonly prefix: readonly Term[];
  private readonly witnesses: Witnesses;
  private readonly waiting: Turn[];
  private readonly answers = new Map<Term, boolean>();
  private readonly intervals = new Intervals();

  constructor({ decided, known, values }: Turn, witnesses: Witnesses, waiting: Turn[]) {
    this.prefix = decided;
    this.known = [...known];
    this.values = values;
    this.witnesses = witnesses;
    this.waiting = waiting;
  }

  within(term: Term, range: Range, narrow: Term): boolean {
    const holds = this.isWithin(term, range, eq(narrow, term));
    if (holds && narrow.op !== "const" && narrow !== term) this.fits.set(narrow, term);
    return holds;
  }

  private isWithin(term: Term, range: Range, condition: Term): boolean {
    if (condition === TRUE || condition === FALSE) return condition === TRUE;
    let answer = this.answers.get(condition);
    if (answer === undefined) {
      answer = this.intervals.decided(term, range);
      answer ??= this.fresh(term, range, condition);
      this.intervals.learn(term, range, answer);
      this.answers.set(condition, answer);
    }
    return answer;
  }

  private fresh(term: Term, range: Range, condition: Term): boolean {
    const next = this.prefix[this.decided.length];
    if (next === condition || next === not(condition)) {
      this.decided.push(next);
      return next === condition;
    }
    const known = this.known[this.decided.length];
    if (known === undefined) throw new InternalDefect("a translator answers the same questions otherwise");
    const simple = known.simplify(condition);
    if (simple === TRUE || simple === FALSE) return simple === TRUE;
    // Where the values at hand lead is possible; whether the other way is has to be seen.
    const here = this.values === undefined || new Evaluator(environment(this.values)).holds(condition);
    const [taken, other] = here ? [condition, not(condition)] : [not(condition), condition];
    const there = known.with(other);
    if (!there.contradictory) {
      const decided = [...this.decided, other];
      const passed = this.known.slice(0, decided.length);
      const values = this.witnesses.find(decided, this.learned(term, range, !here));
      this.waiting.push({ decided, known: [...passed, there], values });
    }
    this.known[this.decided.length + 1] = known.with(taken);
    this.values ??= this.witnesses.find([...this.decided, taken], this.learned(term, range, here));
    this.decided.push(taken);
    return here;
  }

  private learned(term: Term, range: Range, holds: boolean): Intervals {
    const intervals = this.intervals.copy();
    intervals.learn(term, range, holds);
    return intervals;
  }
}

const DRAWS = 60;
const RANDOM_TRIES = 50;

/** Finds values for which conditions hold. */
class Witnesses {
  private readonly given: readonly Term[];
  private readonly variables: readonly Term[];
  private readonly generator = new Generator(1);

  constructor(given: readonly Term[], variables: readonly Term[]) {
    this.given = given;
    this.variables = variables;
  }

  find(decided: readonly Term[], intervals: Intervals): Values | undefined {
    const conditions = [...this.given, ...decided];
    for (let i = 0; i < DRAWS; i++) {
      const drawn = draw(this.variables, this.generator);
      const values = i % 2 === 0 ? drawn : this.led(drawn, intervals);
      if (holds(conditions, values)) return values;
    }
    const found = witnessByRandom(conditions, { seed: 1, tries: RANDOM_TRIES });
    if (found === undefined) return undefined;
    return new Map(
      this.variables.map((v) => {
        const value = found.get(v.name);
        return [v, typeof value === "bigint" ? value : 0n] as const;
      }),
    );
  }

  /** The values with one variable so that some term comes into one of its ranges. */
  private led(values: Values, intervals: Intervals): Values {
    const { generator } = this;
    const [term, ranges = []] = generator.pick(intervals.known) ?? [];
    const range = generator.pick(ranges);
    const variable = term === undefined ? undefined : generator.pick([...freeVariables(term)]);
    if (term === undefined || range === undefined || variable === undefined) return values;
    const near = BigInt(generator.below(9));
    const wanted = generator.chance(0.5) ? range.lo + near : range.hi - near;
    const at = (value: bigint): bigint => new Evaluator(environment(new Map(values).set(variable, value))).number(term);
    const rest = at(0n);
    const factor = at(1n) - rest;
    if (factor <= 0n) return values;
    const width = variable.sort.kind === "bits" ? variable.sort.width : 1;
    return new Map(values).set(variable, BigInt.asUintN(width, BigInt.asUintN(64, wanted - rest) / factor));
  }
}

/** Other values of a path, to try: few of them are found where its conditions are narrow. */
export function representatives(
  given: readonly Term[],
  variables: readonly Term[],
  { decided, values }: Pick<Path<unknown>, "decided" | "values">,
  tries: number,
): readonly Values[] {
  const generator = new Generator(2);
  const found: Values[] = values === undefined ? [] : [values];
  const narrow = freeVariables(decided);
  for (let i = 0; i < tries; i++) {
    // Half of the time what the conditions are about stays as it is, but for one variable.
    const drawn = new Map(draw(variables, generator));
    const kept = generator.pick(variables);
    if (values !== undefined && i % 2 === 1)
      for (const v of variables) if (v !== kept && narrow.has(v)) drawn.set(v, values.get(v) ?? 0n);
    if (holds([...given, ...decided], drawn)) found.push(drawn);
  }
  return found;
}

/**
 * Values of the variables for which no path is there: what was answered, without that it can be. Undefined where the paths are all that
 * can be.
 */
export function uncovered(given: readonly Term[], paths: readonly (readonly Term[])[]): readonly Term[] | undefined {
  if (paths.some((decided) => decided.length === 0)) return undefined;
  const [[first] = []] = paths;
  if (first === undefined) return Assumptions.of(given).contradictory ? undefined : given;
  for (const literal of [first, not(first)]) {
    const behind = paths.flatMap(([head, ...rest]) => (head === literal ? [rest] : []));
    const open = uncovered([...given, literal], behind);
    if (open !== undefined) return open;
  }
  return undefined;
}

function holds(conditions: readonly Term[], values: Values): boolean {
  const at = new Evaluator(environment(values));
  return conditions.every((c) => at.holds(c));
}

/** A corner, something near it, or anything. */
function draw(variables: readonly Term[], generator: Generator): Values {
  return new Map(
    variables.map((v) => {
      const width = v.sort.kind === "bits" ? v.sort.width : 1;
      return [v, value(width, generator)] as const;
    }),
  );
}

/** Up to this width a value is drawn evenly: register numbers. */
const NARROW = 5;

function value(width: number, generator: Generator): bigint {
  if (width <= NARROW || generator.chance(0.25)) return generator.bits(width);
  const corner = 1n << BigInt(generator.below(width));
  const near = BigInt(generator.below(9)) - 4n;
  return BigInt.asUintN(width, generator.chance(0.5) ? corner + near : near - corner);
}

export function environment(values: Values) {
  return { variable: (v: Term): bigint => values.get(v) ?? 0n };
}
