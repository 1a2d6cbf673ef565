/**
 * One part of an obligation: rewriting, then random refutation, then the solver on the leaves that are still open.
 */
import type { Counterexample } from "../counterexample.js";
import { type Goal, goalTerm, type Obligation, type Part } from "../diagram.js";
import { refuteByRandom } from "../solver/random.js";
import { not } from "../terms/build.js";
import type { Term } from "../terms/term.js";
import type { Substitution } from "../terms/substitute.js";
import type { Value } from "../terms/value.js";
import { candidates, instantiate, someChoice } from "./choices.js";
import type { Confirmation } from "./confirm.js";
import { ask, type Proving } from "./context.js";
import type { Named } from "./equalities.js";
import type { Budget } from "../terms/assume.js";
import { QUICK, rewriting, THOROUGH } from "./rewriting.js";
import { during, waiting } from "./spent.js";

export type PartOutcome =
  | { readonly kind: "proved"; readonly by: string }
  | { readonly kind: "refuted"; readonly by: string; readonly counterexample: Counterexample }
  | { readonly kind: "unknown"; readonly by: string; readonly reason: string };

/** With one candidate for the choices: where it fails, the step may commute with another (`permitted`). */
type Outcome = PartOutcome | { readonly kind: "permitted" };

const RANDOM_TRIES = 300;
/** Candidates for the guest's choices that are worth a solver's time. */
const SOLVED_CANDIDATES = 3;

/** `names`, if any, are what the part may forget of its terms (sweep.ts). */
export async function provePart(
  context: Proving,
  obligation: Obligation,
  part: Part,
  names: Substitution | undefined,
): Promise<PartOutcome> {
  const attempt = (goals: readonly Term[]): Promise<Outcome> =>
    new Attempt(context, obligation, part, goals, names).run();
  if (part.choices.length === 0) return final(await attempt(part.goals.map(goalTerm)));

  const tried = candidates(part).map((chosen) => instantiate(part.goals, chosen));
  if (tried.some((goals) => closed(part, goals))) return { kind: "proved", by: "rewrite" };
  const some = someChoice(part);
  if (some !== undefined && rewriting(part.hypotheses, some).proved) return { kind: "proved", by: "rewrite" };
  let undecided: PartOutcome | undefined;
  for (const goals of tried.slice(0, SOLVED_CANDIDATES)) {
    const outcome = await attempt(goals.map(goalTerm));
    if (outcome.kind === "proved" || outcome.kind === "refuted") return outcome;
    if (outcome.kind === "unknown") undecided ??= outcome;
  }
  if (some !== undefined) return final(await attempt([some]));
  const reason =
    "no candidate for what the guest leaves open works for all states; give one in steps: `with choice = …`";
  return undecided ?? { kind: "unknown", by: "choices", reason };
}

function closed(part: Part, goals: readonly Goal[]): boolean {
  return goals.every((goal) => rewriting(part.hypotheses, goalTerm(goal)).proved);
}

function final(outcome: Outcome): PartOutcome {
  if (outcome.kind !== "permitted") return outcome;
  return {
    kind: "unknown",
    by: "choices",
    reason: "the formula fails where the step commutes: a defect of the checker",
  };
}

/** An attempt to show that the hypotheses of a part imply all of `goals`. */
class Attempt {
  private readonly context: Proving;
  private readonly obligation: Obligation;
  private readonly part: Part;
  private readonly goals: readonly Term[];
  private readonly names: Substitution | undefined;
  /** The part's hypotheses with names. */
  private readonly general: readonly Term[];
  private undecided: PartOutcome | undefined;
  private by = "rewrite";

  constructor(
    context: Proving,
    obligation: Obligation,
    part: Part,
    goals: readonly Term[],
    names: Substitution | undefined,
  ) {
    this.context = context;
    this.obligation = obligation;
    this.part = part;
    this.goals = goals;
    this.names = names;
    this.general = names === undefined ? [] : part.hypotheses.map((h) => names.apply(h));
  }

  async run(): Promise<Outcome> {
    const open = this.rewrite([...new Set(this.goals)], QUICK);
    for (const goal of open) {
      const outcome = await this.randomly(goal);
      if (outcome !== undefined) return outcome;
    }
    const hard = this.rewrite(open, THOROUGH);
    const named = hard.length === 0 ? undefined : await this.named(hard);
    for (const goal of hard) {
      if (this.context.signal?.aborted === true) return { kind: "unknown", by: "interrupted", reason: "interrupted" };
      if (named !== undefined && (await this.followsFrom(named, goal))) continue;
      const outcome = await this.solve(goal);
      if (outcome !== undefined) return outcome;
    }
    return this.undecided ?? { kind: "proved", by: this.by };
  }

  /** The goals that remain; first all with names, then without: those under the same hypotheses share what is known. */
  private rewrite(goals: readonly Term[], budget: Budget): readonly Term[] {
    const { names } = this;
    const rest =
      names === undefined ? goals : goals.filter((goal) => !rewriting(this.general, names.apply(goal), budget).proved);
    return rest.filter((goal) => !rewriting(this.part.hypotheses, goal, budget).proved);
  }

  private async randomly(goal: Term): Promise<Outcome | undefined> {
    const options = { seed: this.context.seed, tries: RANDOM_TRIES };
    const model = during("trying", () => refuteByRandom(this.part.hypotheses, goal, options));
    return model === undefined ? undefined : this.judge(model, "random");
  }

  private async named(goals: readonly Term[]): Promise<Named | undefined> {
    return this.context.equal?.(this.obligation, [...this.part.hypotheses, ...goals]);
  }

  /** Whether the goal holds whatever the values are that have a name. */
  private async followsFrom({ names, by }: Named, goal: Term): Promise<boolean> {
    const hypotheses = this.part.hypotheses.map((h) => names.apply(h));
    const result = rewriting(hypotheses, names.apply(goal), THOROUGH);
    const context = { ...this.context, timeoutMs: this.context.timeoutMs / 2 };
    let solver = by;
    for (const leaf of result.proved ? [] : result.open) {
      const answer = await ask(context, this.obligation, [...leaf.hypotheses, not(leaf.goal)]);
      if (answer.answer !== "unsat") return false;
      solver = answer.solver;
    }
    if (solver !== "rewrite") this.by = solver;
    return true;
  }

  /** Leaf by leaf; an outcome only where there is no use in going on. */
  private async solve(goal: Term): Promise<Outcome | undefined> {
    const result = rewriting(this.part.hypotheses, goal, QUICK);
    for (const leaf of result.proved ? [] : result.open) {
      const answer = await ask(this.context, this.obligation, [...leaf.hypotheses, not(leaf.goal)]);
      this.by = answer.solver;
      if (answer.answer === "sat") return this.judge(answer.model, answer.solver);
      if (answer.answer === "unknown") this.undecided ??= { kind: "unknown", by: answer.solver, reason: answer.reason };
    }
    return undefined;
  }

  private async judge(model: ReadonlyMap<string, Value>, by: string): Promise<Outcome | undefined> {
    const { context, obligation, part } = this;
    return this.outcome(await waiting("trying", () => context.confirm(obligation, part, model, by)), by);
  }

  private outcome(confirmation: Confirmation, by: string): Outcome | undefined {
    switch (confirmation.kind) {
      case "refuted":
        return { kind: "refuted", by, counterexample: confirmation.counterexample };
      case "permitted":
        return { kind: "permitted" };
      case "undecided":
        this.undecided ??= { kind: "unknown", by: confirmation.by, reason: confirmation.reason };
        return undefined;
      case "defect":
        this.undecided ??= { kind: "unknown", by, reason: confirmation.reason };
        return undefined;
    }
  }
}
