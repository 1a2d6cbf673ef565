/** `steps`: which guest steps a host transition stands for, by cases. */
import type { Machine, Transition } from "../../../refinement/machine.js";
import type { GuestStep, StepCase } from "../../../refinement/refinement.js";
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { argumentCount, didYouMean } from "../diagnostics.js";
import { coerce, condition } from "../elaborate/coerce.js";
import type { Context } from "../elaborate/context.js";
import { matchCases } from "../elaborate/match.js";
import { executeStatement } from "../elaborate/statements.js";
import { BOOL_TYPE } from "../elaborate/types.js";
import { single } from "../elaborate/value.js";
import { guarded } from "../machine/guarded.js";
import { type Elaboration, type Given, contextFor } from "../machine/transitions.js";
import type { BlockEntry } from "../read/definition.js";
import type { Block, Expression, Span, WithNode } from "../syntax/ast.js";

const ALWAYS: StepCase = { condition: build.TRUE, steps: [], environment: false };

/** The cases of one entry; the last one's condition is true. */
export function stepCases(
  entry: BlockEntry,
  guest: Machine,
  elaboration: Elaboration,
  given: readonly Given[],
): readonly StepCase[] {
  const found = guarded(elaboration.diagnostics, entry.place, () => {
    const cx = contextFor(elaboration, entry, given);
    return blockCases(cx, entry.block, guest);
  });
  return found ?? [ALWAYS];
}

function blockCases(cx: Context, block: Block, guest: Machine): readonly StepCase[] {
  return cx.scoped(() => {
    const last = block.statements.at(-1);
    for (const statement of block.statements) if (statement !== last) executeStatement(cx, statement);
    if (last?.kind === "if" && last.else !== undefined) {
      const test = condition(cx, cx.evaluate(last.condition, BOOL_TYPE), last.condition.span, "the condition of `if`");
      return choose(test ?? build.TRUE, blockCases(cx, last.then, guest), blockCases(cx, last.else, guest));
    }
    if (last?.kind !== "expression") return wrong(cx, last?.span ?? block.span);
    return cases(cx, last.expression, guest);
  });
}

function wrong(cx: Context, span: Span): readonly StepCase[] {
  cx.report(
    "E_STEPS",
    span,
    `\`${cx.text(span)}\` names no steps: write step, stutter, environment, a guest transition, S then S, or condition ? S : S`,
  );
  return [ALWAYS];
}

/** The first list under a condition, then the second. */
function choose(test: Term, then: readonly StepCase[], otherwise: readonly StepCase[]): readonly StepCase[] {
  return [...then.map((c) => ({ ...c, condition: build.and(test, c.condition) })), ...otherwise];
}

function cases(cx: Context, node: Expression, guest: Machine): readonly StepCase[] {
  switch (node.kind) {
    case "conditional": {
      const value = cx.evaluate(node.condition, BOOL_TYPE);
      if (value.kind === "truth") return cases(cx, value.value ? node.then : node.else, guest);
      const test = condition(cx, value, node.condition.span, "the condition of `? :`") ?? build.TRUE;
      return choose(test, cases(cx, node.then, guest), cases(cx, node.else, guest));
    }
    case "match": {
      const list = matchCases(cx, node) ?? [];
      return list.flatMap((c) =>
        blockCases(cx, c.arm.body, guest).map((s) => ({ ...s, condition: build.and(c.condition, s.condition) })),
      );
    }
    case "then":
      return sequence(cx, cases(cx, node.first, guest), cases(cx, node.second, guest), node.span);
    case "with":
      return withChoices(cx, node, guest);
    case "name":
      return [named(cx, node.name, node.span, guest)];
    case "call": {
      const step = call(cx, node.callee.name, node.arguments, node.span, guest);
      return step === undefined ? [ALWAYS] : [{ condition: build.TRUE, steps: [step], environment: false }];
    }
    default:
      return wrong(cx, node.span);
  }
}

function sequence(
  cx: Context,
  first: readonly StepCase[],
  second: readonly StepCase[],
  span: Span,
): readonly StepCase[] {
  if ([...first, ...second].some((c) => c.environment))
    cx.report("E_STEPS", span, "`environment` stands alone: it is no guest step that others could follow");
  return first.flatMap((a) =>
    second.map((b) => ({
      condition: build.and(a.condition, b.condition),
      steps: [...a.steps, ...b.steps],
      environment: false,
    })),
  );
}

function named(cx: Context, name: string, span: Span, guest: Machine): StepCase {
  switch (name) {
    case "stutter":
      return ALWAYS;
    case "environment":
      return { ...ALWAYS, environment: true };
    case "step":
      return { condition: build.TRUE, steps: [{ kind: "any", choices: new Map() }], environment: false };
    default: {
      const step = call(cx, name, [], span, guest);
      return step === undefined ? ALWAYS : { condition: build.TRUE, steps: [step], environment: false };
    }
  }
}

function call(
  cx: Context,
  name: string,
  list: readonly Expression[],
  span: Span,
  guest: Machine,
): GuestStep | undefined {
  const transition = guest.transitions.find((t) => t.name === name);
  if (transition === undefined) {
    const known = ["step", "stutter", "environment", ...guest.transitions.map((t) => t.name)];
    cx.report("E_STEPS", span, `the guest has no transition \`${name}\`${didYouMean(name, known)}`);
    return undefined;
  }
  if (list.length !== transition.parameters.length) {
    cx.report(
      "E_ARGUMENTS",
      span,
      `the guest's \`${name}\` takes ${argumentCount(transition.parameters)}, not ${list.length}`,
    );
    return undefined;
  }
  const args = list.flatMap((argument, i) => {
    const parameter = transition.parameters[i];
    if (parameter === undefined) return [];
    const value = coerce(
      cx,
      cx.evaluate(argument, parameter.type),
      parameter.type,
      argument.span,
      `\`${parameter.name}\` of the guest's \`${name}\``,
    );
    return value === undefined ? [] : [single(value)];
  });
  if (args.length < list.length) return undefined;
  return { kind: "transition", transition: name, arguments: args, choices: new Map() };
}

/** `S with choice = e`: what the host makes of a value that the guest's definition leaves open. */
function withChoices(cx: Context, node: WithNode, guest: Machine): readonly StepCase[] {
  const list = cases(cx, node.step, guest);
  return list.map((c) => ({
    ...c,
    steps: c.steps.map((step) => {
      const choices = new Map(step.choices);
      const transitions =
        step.kind === "any" ? guest.transitions : guest.transitions.filter((t) => t.name === step.transition);
      for (const { name, value } of node.choices) {
        const term = choice(cx, name.name, name.span, value, transitions);
        if (term !== undefined) choices.set(name.name, term);
      }
      return { ...step, choices };
    }),
  }));
}

function choice(
  cx: Context,
  name: string,
  span: Span,
  node: Expression,
  transitions: readonly Transition[],
): Term | undefined {
  const all = transitions.flatMap((t) => t.choices);
  const found = all.find((p) => p.name === name);
  if (found === undefined) {
    cx.report(
      "E_CHOOSE",
      span,
      `the guest makes no choice \`${name}\` here${didYouMean(
        name,
        all.map((p) => p.name),
      )}`,
    );
    return undefined;
  }
  const value = coerce(cx, cx.evaluate(node, found.type), found.type, node.span, `the choice \`${name}\``);
  return value === undefined ? undefined : single(value);
}
