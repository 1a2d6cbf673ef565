/**
 * A model is only a hint: it is run concretely through the guest and the host before anyone sees it.
 */
import type { Counterexample } from "../counterexample.js";
import { goalTerm, type Obligation, type Part } from "../diagram.js";
import { abstract, type Violation } from "../execute/commute.js";
import { enabledTransitions } from "../execute/concrete.js";
import type { Transition } from "../machine.js";
import type { MachineRefinement } from "../refinement.js";
import { and, bool, constant, eq, select } from "../terms/build.js";
import { Evaluator, environmentOf, zeroValue } from "../terms/evaluate.js";
import { bits } from "../terms/sort.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import { FileValue, type Value } from "../terms/value.js";
import { freeVariables, occurs } from "../terms/variables.js";
import { type Case, caseOf, judge, machineOf } from "./case.js";
import { ask, type Context } from "./context.js";
import { describe } from "./describe.js";
import { type Shrunk, shrink } from "./shrink.js";

export type Confirmation =
  | { readonly kind: "refuted"; readonly counterexample: Counterexample }
  /** The step commutes with some other choice of the guest's. */
  | { readonly kind: "permitted" }
  | { readonly kind: "undecided"; readonly by: string; readonly reason: string }
  /** Someone of ours is wrong: the formula fails on this model, the machines do not. */
  | { readonly kind: "defect"; readonly reason: string };

/** `model` satisfies the hypotheses of `part` and falsifies a goal, for one of the guest's choices at least. */
export async function confirm(
  context: Context,
  obligation: Obligation,
  part: Part,
  model: ReadonlyMap<string, Value>,
  by: string,
): Promise<Confirmation> {
  const found = caseOf(context.refinement, obligation, model);
  const judgement = judge(context.refinement, obligation, found);
  switch (judgement.kind) {
    case "outside":
      return {
        kind: "defect",
        reason: `a model of ${by} does not reproduce (${judgement.because}): a defect of the checker`,
      };
    case "holds": {
      if (part.choices.length > 0) return { kind: "permitted" };
      const several = obligation.kind === "commute" ? guestSteps(context.refinement, found) : [];
      if (several.length > 1) {
        const names = several.map((t) => `\`${t.name}\``).join(", ");
        const reason = `the guest can take any of ${names} here, and \`step\` stands for each: name the one that is meant in \`steps\``;
        return { kind: "undecided", by: "steps", reason };
      }
      return {
        kind: "defect",
        reason: `a model of ${by} does not reproduce (the step commutes): a defect of the checker`,
      };
    }
    case "violated":
      break;
  }
  const { violation } = judgement;
  if (!violation.certain) {
    const answer = await anyChoice(context, obligation, part, model);
    if (answer === "some") return { kind: "permitted" };
    if (answer !== "none") return { kind: "undecided", by: answer.by, reason: answer.reason };
    return {
      kind: "refuted",
      counterexample: write(context, obligation, { case: found, inaccessible: [], violation }, by),
    };
  }
  return { kind: "refuted", counterexample: refutation(context, obligation, found, violation, by) };
}

function guestSteps(refinement: MachineRefinement, { state }: Case): readonly Transition[] {
  return enabledTransitions(refinement.guest, abstract(refinement, state));
}

/** A violation that was seen, made small and written down. */
export function refutation(
  context: Context,
  obligation: Obligation,
  found: Case,
  violation: Violation,
  by: string,
): Counterexample {
  const { refinement } = context;
  const smaller = shrink(machineOf(refinement, obligation), found, violation, (c) => {
    const judgement = judge(refinement, obligation, c);
    return judgement.kind === "violated" ? judgement.violation : undefined;
  });
  return write(context, obligation, smaller, by);
}

function write(context: Context, obligation: Obligation, shrunk: Shrunk, by: string): Counterexample {
  const solver = by === "random" ? undefined : by;
  const seed = by === "random" ? context.seed : undefined;
  return describe(context.refinement, obligation, shrunk, { by: "prove", solver, seed, date: context.date });
}

/** Files with more elements than this are compared at the model's index alone. */
const MOST_INDICES = 64;

/**
 * Does any value of the guest's choices make the goals hold in the state that `model` describes? What does not depend on a
 * choice is evaluated; the rest is a question about the choices alone. `none` is certain, `some` may depend on memory
 * that is left free and is only a reason not to report.
 */
async function anyChoice(
  context: Context,
  obligation: Obligation,
  part: Part,
  model: ReadonlyMap<string, Value>,
): Promise<"some" | "none" | { readonly by: string; readonly reason: string }> {
  const open = part.choices.map((choice) => choice.variable);
  const values = (term: Term): Value => zeroValue(term.sort);
  const assertions = part.goals
    .map(goalTerm)
    .flatMap((goal) =>
      atEveryIndex(goal).map((there) => partial(there, open, new Evaluator(environmentOf(model, values)))),
    );
  const files = [...freeVariables(assertions)].flatMap((v) => contents(v, model));
  const answer = await ask(context, obligation, [...assertions, ...files]);
  switch (answer.answer) {
    case "unsat":
      return "none";
    case "sat":
      return "some";
    case "unknown":
      return { by: answer.solver, reason: answer.reason };
  }
}

/** A goal about a file at its unknown index, at each index. */
function atEveryIndex(goal: Term): readonly Term[] {
  for (const v of freeVariables(goal)) {
    if (!v.name.endsWith("[]") || v.sort.kind !== "bits" || 2 ** v.sort.width > MOST_INDICES) continue;
    const { width } = v.sort;
    return Array.from({ length: 2 ** width }, (_, i) =>
      new Substitution(new Map([[v, constant(width, BigInt(i))]])).apply(goal),
    );
  }
  return [goal];
}

/** The term with its value in place of every scalar subterm that no choice occurs in. */
function partial(term: Term, open: readonly Term[], at: Evaluator): Term {
  const known = new Map<Term, Term>();
  const visit = (t: Term): void => {
    if (known.has(t) || t.op === "lambda") return;
    if (!open.some((choice) => occurs(choice, t))) {
      if (t.sort === bits(widthOf(t))) known.set(t, constant(widthOf(t), at.number(t)));
      else if (t.sort.kind === "bool") known.set(t, bool(at.holds(t)));
      return;
    }
    for (const arg of t.args) visit(arg);
  };
  visit(term);
  return new Substitution(known).apply(term);
}

function widthOf(t: Term): number {
  return t.sort.kind === "bits" ? t.sort.width : 1;
}

/** What is known of a file that is left. */
function contents(v: Term, model: ReadonlyMap<string, Value>): readonly Term[] {
  const value = model.get(v.name);
  const { sort } = v;
  if (!(value instanceof FileValue) || sort.kind !== "file") return [];
  return [
    and(...value.elements.map((e, i) => eq(select(v, constant(sort.index, BigInt(i))), constant(sort.element, e)))),
  ];
}
