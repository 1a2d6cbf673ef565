/**
 * The obligations of theory.md as formulas over all states, one short function for each of the six.
 *
 *            guest^n
 *     a  ─────────────▶  a'
 *     ▲                  ▲
 *   α │                  │ α
 *     c  ─────────────▶  c'
 *            host: T
 *
 * Each obligation is a conjunction of parts; a part says that its hypotheses imply its goals for every value of the free
 * variables: those of the host state c (of the guest state a for `inverse`) and the inputs of T. What the guest leaves
 * open is existential: *some* value of each of the part's choices makes its goals hold.
 */
import { InternalDefect } from "./errors.js";
import { commuteName, drivingTransitions, mustProgress, stepCases, transitionNamed } from "./execute/commute.js";
import { ownTransitions } from "./execute/concrete.js";
import { anyState, nextState, type Reader, reader, type SymbolicState, termOf } from "./execute/symbolic.js";
import { wellFormedTerm } from "./execute/well-formed.js";
import type { Machine, Transition } from "./machine.js";
import type { GuestStep, MachineRefinement, MaterializationPoint, StepCase } from "./refinement.js";
import { accessible, constant, eq, implies, ite, load, not, or, select, TRUE, ult, variable } from "./terms/build.js";
import { bits } from "./terms/sort.js";
import type { Term } from "./terms/term.js";

/** Of `host` and `guest`, equal scalars: the guest's value is the one that ought to be. */
export interface Goal {
  /** A guest variable; or a conjunct of I, `enabled`, `precise`, `rank`, `initial`, and then `guest` is TRUE. */
  readonly variable: string;
  readonly host: Term;
  readonly guest: Term;
}

/** A value that the guest's definition leaves open, and the refinement's own idea of it. */
export interface Choice {
  readonly variable: Term;
  readonly witness: Term | undefined;
}

export interface Part {
  readonly hypotheses: readonly Term[];
  readonly goals: readonly Goal[];
  readonly choices: readonly Choice[];
}

export type ObligationKind = "initial" | "invariant" | "commute" | "progress" | "materialize" | "inverse";

export interface Obligation {
  readonly name: string;
  readonly kind: ObligationKind;
  /** The host transition or materialization point that it is about. */
  readonly of: string | undefined;
  /** Why it cannot be stated. */
  readonly unsupported: string | undefined;
  /** Built when asked for: names alone are cheap. A proof may give what it knows of α(c), part by part. */
  parts(cut?: CutUnder): readonly Part[];
}

/**
 * Terms over the guest state that have been shown to equal simpler ones over the host state, in α(c) where `hypotheses`
 * hold: they stand for one another when the guest takes its steps.
 */
export type Cut = ReadonlyMap<Term, Term>;
export type CutUnder = (hypotheses: readonly Term[], first: Transition | undefined) => Cut;

const NO_CUT: CutUnder = () => new Map();

/** Every obligation of a refinement, in the order of theory.md, host transitions in order of declaration. */
export function obligations(refinement: MachineRefinement): readonly Obligation[] {
  const d = new Diagram(refinement);
  return [
    initial(d),
    ...refinement.host.transitions.map((t) => invariant(d, t)),
    ...refinement.host.transitions.flatMap((t) => commute(d, t)),
    ...refinement.host.transitions.flatMap((t) => progress(d, t)),
    ...goesOn(d),
    ...refinement.materialize.map((point) => materialize(d, point)),
    ...inverse(d),
  ];
}

/** Every initial host state satisfies I and abstracts to an initial guest state. */
function initial(d: Diagram): Obligation {
  return obligation("initial", "initial", undefined, () => [
    {
      hypotheses: [d.host.initial, wellFormedTerm(d.host), ...d.assumptions],
      goals: [...d.invariant(d.c), holds("initial", d.at(d.alpha(d.c))(d.guest.initial))],
      choices: [],
    },
  ]);
}

/** I(c) ∧ guard_T(c) ⇒ I(T(c)) */
function invariant(d: Diagram, t: Transition): Obligation {
  return obligation(`invariant/${t.name}`, "invariant", t.name, () => [
    {
      hypotheses: [...d.assumed, t.guard],
      goals: [...d.invariant(d.after(t)), holds("types", d.hostAt(d.after(t))(wellFormedTerm(d.host)))],
      choices: [],
    },
  ]);
}

/** I(c) ∧ guard_T(c) ⇒ α(T(c)) = guest^n(α(c)), every guest variable, memory and trap included. */
function commute(d: Diagram, t: Transition): readonly Obligation[] {
  const cases = stepCases(d.refinement, t.name);
  const pieces = cases.flatMap((chosen, i) => {
    const firsts =
      chosen.steps[0]?.kind === "any" ? [...ownTransitions(d.guest).map((g) => g.name), undefined] : [undefined];
    return firsts.map((first) => ({
      name: commuteName(t.name, cases, chosen, first),
      part: (cut: CutUnder) => {
        const hypotheses = [...d.assumed, t.guard, ...inCase(cases, i)];
        return d.guestReaches(d.alpha(d.after(t)), chosen.steps, first, hypotheses, cut);
      },
    }));
  });
  return [...new Set(pieces.map((piece) => piece.name))].map((name) =>
    obligation(name, "commute", t.name, (cut) =>
      pieces.filter((piece) => piece.name === name).map((piece) => piece.part(cut)),
    ),
  );
}

/** n = 0 ⇒ ρ(T(c)) < ρ(c) */
function progress(d: Diagram, t: Transition): readonly Obligation[] {
  const cases = stepCases(d.refinement, t.name);
  const { rank } = d.refinement;
  if (!cases.some(mustProgress)) return [];
  const parts = () =>
    cases.flatMap((chosen, i) => {
      if (!mustProgress(chosen) || rank === undefined) return [];
      const hypotheses = [...d.assumed, t.guard, ...inCase(cases, i)];
      return [{ hypotheses, goals: [holds("rank", ult(d.hostAt(d.after(t))(rank), rank))], choices: [] }];
    });
  const missing = rank === undefined ? `${t.name} can stutter and the refinement gives no rank` : undefined;
  return [obligation(`progress/${t.name}`, "progress", t.name, parts, missing)];
}

/** I(c) ∧ some guest step is enabled in α(c) ⇒ some host step is in c, without the environment's help. */
function goesOn(d: Diagram): readonly Obligation[] {
  if (d.guest.transitions.length === 0) return [];
  const own = drivingTransitions(d.refinement);
  const parts = (): readonly Part[] => [
    {
      hypotheses: [...d.assumed, d.untrapped(d.alpha(d.c)), d.someStepOfGuest(d.alpha(d.c))],
      goals: [holds("enabled", or(...own.map((t) => t.guard)))],
      choices: own.flatMap((t) => t.parameters.map((p) => ({ variable: p.term, witness: undefined }))),
    },
  ];
  return [obligation("progress", "progress", undefined, parts)];
}

/** At P: μ(c) is precise, and α(μ(c)) is the guest state at an instruction boundary that the guest really passes. */
function materialize(d: Diagram, point: MaterializationPoint): Obligation {
  return obligation(`materialize/${point.name}`, "materialize", point.name, (cut) => {
    const materialized = new Map([...d.c, ...point.by]);
    const read = d.hostAt(materialized);
    const seen = new Map(d.guest.variables.map((v) => [v.name, read(termOf(point.view, v.name))]));
    const precise = holds("precise", read(point.precise));
    const cases = point.steps.length === 0 ? [STAY] : point.steps;
    return cases.flatMap((chosen, i) => {
      const firsts =
        chosen.steps[0]?.kind === "any" ? [...ownTransitions(d.guest).map((g) => g.name), undefined] : [undefined];
      return firsts.map((first) => {
        const part = d.guestReaches(seen, chosen.steps, first, [...d.assumed, point.at, ...inCase(cases, i)], cut);
        return { ...part, goals: [precise, ...part.goals] };
      });
    });
  });
}

/** α(γ(a)) = a; and γ(a), where a has not trapped, satisfies I. */
function inverse(d: Diagram): readonly Obligation[] {
  const gamma = d.refinement.concretize;
  if (gamma === undefined) return [];
  return [
    obligation("inverse", "inverse", undefined, () => {
      const a = anyState(d.guest);
      const c = new Map(d.host.variables.map((v) => [v.name, termOf(gamma, v.name)]));
      const read = d.hostAt(c);
      const back = d.equal(d.alpha(c), a);
      const untrapped = d.untrapped(a);
      return [
        {
          hypotheses: [wellFormedTerm(d.guest), ...d.assumptions.map(read), ...back.hypotheses],
          goals: [
            ...back.goals,
            holds("types", read(wellFormedTerm(d.host))),
            ...d.invariant(c).map((goal) => holds(goal.variable, implies(untrapped, goal.host))),
          ],
          choices: [],
        },
      ];
    }),
  ];
}

const STAY: StepCase = { condition: TRUE, steps: [], environment: false };

/** Case `i` applies where its condition holds and no earlier one's does. */
function inCase(cases: readonly StepCase[], i: number): readonly Term[] {
  return cases.slice(0, i + 1).map((c, k) => (k < i ? not(c.condition) : c.condition));
}

function holds(name: string, host: Term): Goal {
  return { variable: name, host, guest: TRUE };
}

function obligation(
  name: string,
  kind: ObligationKind,
  of: string | undefined,
  build: (cut: CutUnder) => readonly Part[],
  unsupported?: string,
): Obligation {
  return { name, kind, of, unsupported, parts: (cut = NO_CUT) => build(cut) };
}

// ------------------------------------------------------------------------------------- the corners of the diagram

/** A guest state in mid-run, what must have held to get there, and the choices made on the way. */
interface GuestRun {
  readonly state: SymbolicState;
  readonly goals: readonly Goal[];
  readonly choices: readonly Choice[];
}

/** The corners and edges of the diagram of one refinement, each built once. */
class Diagram {
  readonly refinement: MachineRefinement;
  readonly guest: Machine;
  readonly host: Machine;
  /** Any host state. */
  readonly c: SymbolicState;
  /** What is taken on trust and is a formula. */
  readonly assumptions: readonly Term[];
  private readonly readers = new Map<SymbolicState, Reader>();
  private readonly abstracted = new Map<SymbolicState, SymbolicState>();
  private readonly moved = new Map<Transition, SymbolicState>();

  constructor(refinement: MachineRefinement) {
    this.refinement = refinement;
    this.guest = refinement.guest;
    this.host = refinement.host;
    this.c = anyState(refinement.host);
    this.assumptions = refinement.assumptions.flatMap(({ condition }) => (condition === undefined ? [] : [condition]));
  }

  /** What every obligation about a reachable host state assumes of it. */
  get assumed(): readonly Term[] {
    return [wellFormedTerm(this.host), ...this.invariant(this.c).map((goal) => goal.host), ...this.assumptions];
  }

  /** The conjuncts of I at `c`, and that α(c) is a well-formed guest state: I is what α is meant to hold for. */
  invariant(c: SymbolicState): readonly Goal[] {
    const read = this.hostAt(c);
    return [
      ...this.refinement.invariant.map(({ name, term }) => holds(name, read(term))),
      holds("abstraction", this.at(this.alpha(c))(wellFormedTerm(this.guest))),
    ];
  }

  /** T(c) */
  after(t: Transition): SymbolicState {
    return remember(this.moved, t, () => nextState(this.host, t, this.c));
  }

  /** α(c) */
  alpha(c: SymbolicState): SymbolicState {
    return remember(this.abstracted, c, () => {
      const read = this.hostAt(c);
      return new Map(this.guest.variables.map((v) => [v.name, read(termOf(this.refinement.abstraction, v.name))]));
    });
  }

  /** Terms over the host's variables, in `c`. */
  hostAt(c: SymbolicState): Reader {
    return remember(this.readers, c, () => reader(this.host, c));
  }

  /** Terms over the guest's variables, in `a`. */
  at(a: SymbolicState): Reader {
    return remember(this.readers, a, () => reader(this.guest, a));
  }

  /** In `a` a transition of the guest is enabled, with some arguments. */
  someStepOfGuest(a: SymbolicState): Term {
    const guards = this.guest.transitions.map((g) => {
      const args = new Map(g.parameters.map((p) => [p.term, variable(`guest:${p.term.name}`, p.term.sort)]));
      return reader(this.guest, a, args)(g.guard);
    });
    return or(...guards);
  }

  untrapped(a: SymbolicState): Term {
    const trap = a.get("trap");
    return trap === undefined || trap.sort.kind !== "bits" ? TRUE : eq(trap, constant(trap.sort.width, 0n));
  }

  /**
   * `hypotheses` ⇒ `target` = guest^n(α(c)), for the steps `steps`. Where the first is any step of the guest, the part is
   * the one in which that is `first`, and its guard a hypothesis; without `first` it is the part that says some step is enabled.
   */
  guestReaches(
    target: SymbolicState,
    steps: readonly GuestStep[],
    first: string | undefined,
    hypotheses: readonly Term[],
    cut: CutUnder,
  ): Part {
    const a = this.alpha(this.c);
    const [step, ...rest] = steps;
    let run: GuestRun = { state: a, goals: [], choices: [] };
    const known = [...hypotheses];
    if (step?.kind === "any") {
      const g = first === undefined ? undefined : transitionNamed(this.guest, first);
      const equal = cut(hypotheses, g);
      const read = equal.size === 0 ? this.at(a) : reader(this.guest, a, equal);
      if (g === undefined) {
        const guards = ownTransitions(this.guest).map((own) => read(own.guard));
        return { hypotheses, goals: [holds("enabled", or(...guards))], choices: [] };
      }
      known.push(read(g.guard));
      run = this.take(run, g, [], step, 0, equal);
    } else if (step !== undefined) {
      run = this.step(run, step, 0);
    }
    run = rest.reduce((sofar, next, i) => this.step(sofar, next, i + 1), run);
    const same = this.equal(target, run.state);
    return {
      hypotheses: [...known, ...same.hypotheses],
      goals: [...run.goals, ...same.goals],
      choices: run.choices,
    };
  }

  /** One more step of the guest, its being enabled a goal; any step is merged over all transitions. */
  private step(run: GuestRun, step: GuestStep, index: number): GuestRun {
    const read = this.at(run.state);
    if (step.kind === "transition") {
      const g = transitionNamed(this.guest, step.transition);
      const parameters = new Map(g.parameters.map((p, i) => [p.term, argument(step, i)]));
      const guard = reader(this.guest, run.state, parameters)(g.guard);
      const taken = this.take(run, g, step.arguments, step, index);
      return { ...taken, goals: [...taken.goals, holds("enabled", guard)] };
    }
    const branches = ownTransitions(this.guest).map((g) => ({
      guard: read(g.guard),
      taken: this.take({ ...run, goals: [], choices: [] }, g, [], step, index),
    }));
    const merged = this.guest.variables.map((v): [string, Term] => [
      v.name,
      branches.reduceRight((rest, b) => ite(b.guard, termOf(b.taken.state, v.name), rest), termOf(run.state, v.name)),
    ]);
    return {
      state: new Map(merged),
      goals: [...run.goals, holds("enabled", or(...branches.map((b) => b.guard)))],
      choices: [...run.choices, ...branches.flatMap((b) => b.taken.choices)],
    };
  }

  /** Takes the guest transition `g`; what it leaves open becomes a fresh variable. */
  private take(
    run: GuestRun,
    g: Transition,
    args: readonly Term[],
    step: GuestStep,
    index: number,
    known?: ReadonlyMap<Term, Term>,
  ): GuestRun {
    const choices = g.choices.map((p) => ({
      name: p.name,
      variable: variable(`${index}:${p.term.name}`, p.term.sort),
      witness: step.choices.get(p.name),
    }));
    const inputs = new Map<string, Term>(choices.map((choice) => [choice.name, choice.variable]));
    for (const [i, p] of g.parameters.entries()) {
      const arg = args[i];
      if (arg === undefined) throw new InternalDefect(`${g.name} is given no argument for ${p.name}`);
      inputs.set(p.name, arg);
    }
    return {
      state: nextState(this.guest, g, run.state, inputs, known),
      goals: run.goals,
      choices: [...run.choices, ...choices],
    };
  }

  /**
   * Two guest states are equal: scalars as they are, files and memories at an element of unknown index. Where an index
   * can lie beyond a file's end, that it does not is a hypothesis.
   */
  equal(
    host: SymbolicState,
    guest: SymbolicState,
  ): { readonly hypotheses: readonly Term[]; readonly goals: readonly Goal[] } {
    const hypotheses: Term[] = [];
    const goals: Goal[] = [];
    for (const { name, sort } of this.guest.variables) {
      const [h, g] = [termOf(host, name), termOf(guest, name)];
      if (h === g || sort.kind === "bool" || sort.kind === "bits") {
        if (sort.kind === "bool" || sort.kind === "bits") goals.push({ variable: name, host: h, guest: g });
        continue;
      }
      if (sort.kind === "file") {
        const index = variable(`${name}[]`, bits(sort.index));
        if (sort.count < 2 ** sort.index) hypotheses.push(ult(index, constant(sort.index, BigInt(sort.count))));
        goals.push({ variable: name, host: select(h, index), guest: select(g, index) });
      } else {
        const address = variable(`${name}[]`, bits(sort.address));
        goals.push({ variable: name, host: load(h, address, 1), guest: load(g, address, 1) });
        goals.push(
          ...(["fetch", "load", "store"] as const).map((access) => ({
            variable: name,
            host: accessible(h, access, address, 1),
            guest: accessible(g, access, address, 1),
          })),
        );
      }
    }
    return { hypotheses, goals };
  }
}

function argument(step: Extract<GuestStep, { kind: "transition" }>, i: number): Term {
  const term = step.arguments[i];
  if (term === undefined) throw new InternalDefect(`${step.transition} is given too few arguments`);
  return term;
}

function remember<K, V>(memo: Map<K, V>, key: K, make: () => V): V {
  const known = memo.get(key);
  if (known !== undefined) return known;
  const value = make();
  memo.set(key, value);
  return value;
}

/** What a goal says. */
export function goalTerm(goal: Goal): Term {
  return goal.host === goal.guest ? TRUE : eq(goal.host, goal.guest);
}
