/**
 * The diagram on one concrete host state. Proofs confirm their models with it, tests and exploration judge steps by it,
 * saved counterexamples are replayed through it. It reads like theory.md and like diagram.ts, which says the same of all states.
 */
import type { Difference, ScheduledStep } from "../counterexample.js";
import { InternalDefect } from "../errors.js";
import { type Machine, type Parameter, type Transition, transition } from "../machine.js";
import type { GuestStep, MachineRefinement, StepCase } from "../refinement.js";
import { Evaluator } from "../terms/evaluate.js";
import type { Term } from "../terms/term.js";
import { FileValue, type Value } from "../terms/value.js";
import { type Arguments, enabled, enabledTransitions, environment, fire, inputsOf, widthOf } from "./concrete.js";
import { agree, differences } from "./difference.js";
import type { State } from "./state.js";
import { wellFormed, wellFormedTerm } from "./well-formed.js";

/** An obligation that a concrete step breaks. */
export interface Violation {
  readonly obligation: string;
  /** At least one. A conjunct of I is a variable here, as are `enabled`, `precise`, `rank`. */
  readonly differs: readonly Difference[];
  /** False where the guest's open choices were too many to try each: another choice might still commute. */
  readonly certain: boolean;
}

/** A guest step, with the choices that were made for it, and the state after it. */
export interface GuestStepTaken {
  readonly transition: string;
  readonly arguments: Readonly<Record<string, bigint>>;
  readonly state: State;
}

export interface StepReport {
  /** The state is one that the obligations speak about: well formed, I, the assumptions and the guard hold. */
  readonly applicable: boolean;
  /** What does not hold, where it is not applicable. */
  readonly because: string | undefined;
  /** α(c) */
  readonly guest: State;
  /** T(c); c itself where the step is not applicable. */
  readonly next: State;
  /** The guest steps that T stood for, with the choices that come closest to commuting. */
  readonly guestSteps: readonly GuestStepTaken[];
  /** The obligations of which this step is an instance; none where it is not applicable. */
  readonly obligations: readonly string[];
  readonly violations: readonly Violation[];
}

/** α: the guest state that a host state stands for. */
export function abstract(refinement: MachineRefinement, hostState: State): State {
  return project(refinement.guest, refinement.abstraction, new Evaluator(environment(hostState)));
}

/** The first reason why the obligations do not speak about this host state; undefined where they do. */
export function outside(refinement: MachineRefinement, at: Evaluator): string | undefined {
  if (!at.holds(wellFormedTerm(refinement.host))) return "the host state is not well formed";
  for (const conjunct of implicitInvariant(refinement)) {
    if (!conjunct.holds(at)) return `the invariant ${conjunct.name} does not hold`;
  }
  for (const { text, condition } of refinement.assumptions) {
    if (condition !== undefined && !at.holds(condition)) return `it is assumed that ${text}`;
  }
  return undefined;
}

interface Conjunct {
  readonly name: string;
  holds(at: Evaluator): boolean;
}

/** The invariant's conjuncts and, last, `abstraction`: that the abstracted state is a well-formed guest state. */
function implicitInvariant(refinement: MachineRefinement): readonly Conjunct[] {
  return [
    ...refinement.invariant.map(({ name, term }) => ({ name, holds: (at: Evaluator) => at.holds(term) })),
    {
      name: "abstraction",
      holds: (at) => {
        return wellFormed(refinement.guest, project(refinement.guest, refinement.abstraction, at));
      },
    },
  ];
}

/** `invariant/T`, `commute/T` and `progress/T` for one step of the host. */
export function checkStep(refinement: MachineRefinement, hostState: State, step: ScheduledStep): StepReport {
  const { host } = refinement;
  const t = transitionNamed(host, step.transition);
  const args = new Map(Object.entries(step.arguments));
  const before = new Evaluator(environment(hostState, t, args));
  const guest = project(refinement.guest, refinement.abstraction, before);

  const because = outside(refinement, before) ?? (before.holds(t.guard) ? undefined : `${t.name} is not enabled`);
  if (because !== undefined) {
    return { applicable: false, because, guest, next: hostState, guestSteps: [], obligations: [], violations: [] };
  }

  const next = fire(host, t, hostState, args);
  const after = new Evaluator(environment(next));
  const cases = stepCases(refinement, t.name);
  const chosen = chooseCase(cases, before);
  const run = runGuest(
    refinement.guest,
    guest,
    chosen.steps,
    before,
    project(refinement.guest, refinement.abstraction, after),
  );

  const commutes = commuteName(t.name, cases, chosen, run.taken[0]?.transition);
  const ranked = mustProgress(chosen) && refinement.rank !== undefined;
  const obligations = [`invariant/${t.name}`, commutes];
  if (chosen.steps[0]?.kind === "any") obligations.push(commuteName(t.name, cases, chosen, undefined));
  if (ranked) obligations.push(`progress/${t.name}`);

  const violations: Violation[] = [];
  const broken = implicitInvariant(refinement).filter((conjunct) => !conjunct.holds(after));
  if (!after.holds(wellFormedTerm(host))) broken.push({ name: "types", holds: () => false });
  if (broken.length > 0) {
    violations.push({ obligation: `invariant/${t.name}`, differs: broken.map((c) => truth(c.name)), certain: true });
  }
  if (run.differs.length > 0) violations.push({ obligation: commutes, differs: run.differs, certain: run.certain });
  if (ranked && refinement.rank !== undefined) {
    const [was, is] = [before.number(refinement.rank), after.number(refinement.rank)];
    if (is >= was) {
      const differs = [{ variable: "rank", guest: `below 0x${was.toString(16)}`, host: `0x${is.toString(16)}` }];
      violations.push({ obligation: `progress/${t.name}`, differs, certain: true });
    }
  }
  return { applicable: true, because: undefined, guest, next, guestSteps: run.taken, obligations, violations };
}

/** `materialize/P` for each point P at which the host can be interrupted in this state. */
export function checkPoints(refinement: MachineRefinement, hostState: State): Violation[] {
  const before = new Evaluator(environment(hostState));
  if (outside(refinement, before) !== undefined) return [];
  const violations: Violation[] = [];
  for (const point of refinement.materialize) {
    if (!before.holds(point.at)) continue;
    const materialized = new Map(hostState);
    for (const [name, term] of point.by) materialized.set(name, before.value(term));
    const after = new Evaluator(environment(materialized));
    const seen = project(refinement.guest, point.view, after);
    const steps = point.steps.length === 0 ? [] : chooseCase(point.steps, before).steps;
    const run = runGuest(refinement.guest, abstract(refinement, hostState), steps, before, seen);
    const differs = [...(after.holds(point.precise) ? [] : [truth("precise")]), ...run.differs];
    if (differs.length > 0) violations.push({ obligation: `materialize/${point.name}`, differs, certain: run.certain });
  }
  return violations;
}

/** `progress`, of a whole state: where the guest can take a step, the host can, without the environment's help. */
export function checkGoesOn(refinement: MachineRefinement, hostState: State): Violation[] {
  const own = drivingTransitions(refinement);
  const host = canStep(refinement.host, own, hostState);
  if (host === "yes" || !guestCanStep(refinement, hostState)) return [];
  return [{ obligation: "progress", differs: [truth("enabled")], certain: host === "no" }];
}

/** Whether a transition of the guest is enabled in α(c). */
export function guestCanStep(refinement: MachineRefinement, hostState: State): boolean {
  return canStep(refinement.guest, refinement.guest.transitions, abstract(refinement, hostState)) === "yes";
}

/** What the host does by itself: not what the environment schedules, or what stands for the environment's doing alone. */
export function drivingTransitions(refinement: MachineRefinement): readonly Transition[] {
  return refinement.host.transitions.filter(
    (t) => !refinement.environment.includes(t.name) && stepCases(refinement, t.name).some((c) => !c.environment),
  );
}

/** Whether one of `among` is enabled with some arguments; `unsure` where these are too many to try each. */
function canStep(machine: Machine, among: readonly Transition[], state: State): "yes" | "no" | "unsure" {
  if (enabledTransitions(machine, state).some((t) => among.includes(t))) return "yes";
  const search = { certain: true };
  const at = new Evaluator(environment(state));
  for (const t of among) {
    if (t.parameters.length === 0) continue;
    for (const args of choices(t.parameters, new Map(), at, state, search)) {
      if (enabled(machine, t, state, args)) return "yes";
    }
  }
  return search.certain ? "no" : "unsure";
}

/** `initial`, of a host state that is initial. */
export function checkInitial(refinement: MachineRefinement, hostState: State): Violation[] {
  const at = new Evaluator(environment(hostState));
  const guest = new Evaluator(environment(project(refinement.guest, refinement.abstraction, at)));
  const broken = implicitInvariant(refinement).filter((conjunct) => !conjunct.holds(at));
  const differs = broken.map((conjunct) => truth(conjunct.name));
  if (!guest.holds(refinement.guest.initial)) differs.push(truth("initial"));
  return differs.length === 0 ? [] : [{ obligation: "initial", differs, certain: true }];
}

/** `inverse`, of a well-formed guest state. */
export function checkInverse(refinement: MachineRefinement, guestState: State): Violation[] {
  if (refinement.concretize === undefined) return [];
  const hostState = concretize(refinement, refinement.concretize, guestState);
  const at = new Evaluator(environment(hostState));
  const differs = differences(refinement.guest, guestState, project(refinement.guest, refinement.abstraction, at));
  if (!at.holds(wellFormedTerm(refinement.host))) differs.push(truth("types"));
  if ((guestState.get("trap") ?? 0n) === 0n) {
    for (const conjunct of implicitInvariant(refinement)) if (!conjunct.holds(at)) differs.push(truth(conjunct.name));
  }
  return differs.length === 0 ? [] : [{ obligation: "inverse", differs, certain: true }];
}

/** γ: the host state that stands for a guest state. */
export function concretize(refinement: MachineRefinement, gamma: ReadonlyMap<string, Term>, guestState: State): State {
  return project(refinement.host, gamma, new Evaluator(environment(guestState)));
}

/** The name of the obligation that a case of a host transition belongs to; `first` is the guest transition begun with. */
export function commuteName(
  host: string,
  cases: readonly StepCase[],
  chosen: StepCase,
  first: string | undefined,
): string {
  const step = chosen.steps[0];
  if (step === undefined) return cases.length > 1 ? `commute/${host}/stutter` : `commute/${host}`;
  return step.kind === "any" ? `commute/${host}/${first ?? "enabled"}` : `commute/${host}`;
}

/** A host step that stands for no guest step has to lower the rank, unless it is the environment's. */
export function mustProgress(chosen: StepCase): boolean {
  return chosen.steps.length === 0 && !chosen.environment;
}

export function stepCases(refinement: MachineRefinement, host: string): readonly StepCase[] {
  const cases = refinement.steps.get(host);
  if (cases === undefined) throw new InternalDefect(`refinement ${refinement.name} has no steps for ${host}`);
  return cases;
}

export function transitionNamed(machine: Machine, name: string): Transition {
  const found = transition(machine, name);
  if (found === undefined) throw new InternalDefect(`machine ${machine.name} has no transition ${name}`);
  return found;
}

function chooseCase(cases: readonly StepCase[], at: Evaluator): StepCase {
  const chosen = cases.find((c) => at.holds(c.condition));
  if (chosen === undefined) throw new InternalDefect("the last case of a step holds always");
  return chosen;
}

function project(machine: Machine, terms: ReadonlyMap<string, Term>, at: Evaluator): State {
  return new Map(
    machine.variables.map((v) => {
      const term = terms.get(v.name);
      if (term === undefined) throw new InternalDefect(`no term is given for \`${v.name}\` of ${machine.name}`);
      return [v.name, at.value(term)];
    }),
  );
}

/** Something that must hold and does not. */
function truth(name: string): Difference {
  return { variable: name, guest: "true", host: "false" };
}

// ---------------------------------------------------------------------------------------------- the guest's side

interface Run {
  readonly taken: readonly GuestStepTaken[];
  readonly differs: readonly Difference[];
  readonly certain: boolean;
}

/** Choices with more bits together than this are tried by likely values only. */
const ENUMERATED_BITS = 12;
const MOST_RUNS = 1 << 14;

/**
 * Runs `steps` of the guest from `start`; `at` evaluates the arguments. Of all values for what the guest leaves open, some
 * one must end in `target`; the first such run is returned, or else the first of all.
 */
function runGuest(guest: Machine, start: State, steps: readonly GuestStep[], at: Evaluator, target: State): Run {
  const search = { tried: 0, certain: true };
  let first: Run | undefined;
  for (const { taken, blocked } of runs(guest, start, steps, at, target, search)) {
    const final = taken.at(-1)?.state ?? start;
    if (blocked) {
      first ??= { taken, differs: [{ variable: "enabled", guest: "false", host: "true" }], certain: true };
    } else if (agree(guest, final, target)) {
      return { taken, differs: [], certain: true };
    } else {
      first ??= { taken, differs: differences(guest, final, target), certain: true };
    }
    search.tried++;
    if (search.tried >= MOST_RUNS) {
      search.certain = false;
      break;
    }
  }
  if (first === undefined) throw new InternalDefect("no run of the guest was tried");
  return { ...first, certain: search.certain };
}

/** Every run of the guest, the refinement's own witnesses for choices first. */
function* runs(
  guest: Machine,
  state: State,
  steps: readonly GuestStep[],
  at: Evaluator,
  target: State,
  search: { certain: boolean },
): Generator<{ readonly taken: readonly GuestStepTaken[]; readonly blocked: boolean }> {
  const [step, ...rest] = steps;
  if (step === undefined) {
    yield { taken: [], blocked: false };
    return;
  }
  const fixed = step.kind === "any" ? new Map<string, bigint>() : parameters(guest, step, at);
  const possible =
    step.kind === "any"
      ? enabledTransitions(guest, state)
      : [transitionNamed(guest, step.transition)].filter((t) => enabled(guest, t, state, fixed));
  if (possible.length === 0) yield { taken: [], blocked: true };
  for (const t of possible) {
    for (const chosen of choices(t.choices, step.choices, at, target, search)) {
      const args = new Map([...fixed, ...chosen]);
      const next = fire(guest, t, state, args);
      const taken = { transition: t.name, arguments: Object.fromEntries(args), state: next };
      for (const run of runs(guest, next, rest, at, target, search)) {
        yield { taken: [taken, ...run.taken], blocked: run.blocked };
      }
    }
  }
}

function parameters(
  guest: Machine,
  step: Extract<GuestStep, { kind: "transition" }>,
  at: Evaluator,
): Map<string, bigint> {
  const declared = transitionNamed(guest, step.transition).parameters;
  return new Map(
    declared.map((p, i) => {
      const argument = step.arguments[i];
      if (argument === undefined) throw new InternalDefect(`${step.transition} is given no argument for ${p.name}`);
      return [p.name, at.number(argument)];
    }),
  );
}

/** Values for a transition's choices, the refinement's witness first; `search.certain` becomes false where some are left out. */
function* choices(
  open: readonly Parameter[],
  witnesses: ReadonlyMap<string, Term>,
  at: Evaluator,
  target: State,
  search: { certain: boolean },
): Generator<Arguments> {
  const few = open.reduce((sum, p) => sum + widthOf(p), 0) <= ENUMERATED_BITS;
  if (!few) search.certain = false;
  yield* product(
    open.map((p) => {
      const witness = witnesses.get(p.name);
      const likely = witness === undefined ? [] : [at.number(witness)];
      const range = [...new Set([...likely, ...(few ? allValues(p) : likelyValues(p, target))])];
      return { name: p.name, range };
    }),
  );
}

/** Every assignment of a value of its range to each name; the first names vary slowest. */
export function* product(
  ranges: readonly { readonly name: string; readonly range: readonly bigint[] }[],
): Generator<Arguments> {
  const [first, ...rest] = ranges;
  if (first === undefined) {
    yield new Map();
    return;
  }
  for (const value of first.range) for (const others of product(rest)) yield new Map([[first.name, value], ...others]);
}

/** The values of a scalar parameter's type: members of an enum, 2^width bit patterns. */
export function allValues(p: Parameter): readonly bigint[] {
  const count = p.type.kind === "enum" ? p.type.members.length : 2 ** widthOf(p);
  return Array.from({ length: count }, (_, i) => BigInt(i));
}

/** A choice usually ends up in some variable: whatever stands in the state to be reached; zero and ones. */
function likelyValues(p: Parameter, target: State): readonly bigint[] {
  const mask = (1n << BigInt(widthOf(p))) - 1n;
  return [0n, mask, ...[...target.values()].flatMap(scalars).map((v) => v & mask)];
}

function scalars(value: Value): readonly bigint[] {
  if (typeof value === "bigint") return [value];
  return value instanceof FileValue ? value.elements : [];
}

/** How many assignments the inputs of a transition have. */
export function inputCount(t: Transition): number {
  return inputsOf(t).reduce((n, p) => n * (p.type.kind === "enum" ? p.type.members.length : 2 ** widthOf(p)), 1);
}
