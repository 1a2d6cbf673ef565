/**
 * Proves or refutes the obligations of one refinement, for all states.
 */
import { type Obligation, obligations } from "../diagram.js";
import { unreachable } from "../errors.js";
import type { State } from "../execute/state.js";
import { wellFormedTerm } from "../execute/well-formed.js";
import { zeroState } from "../execute/concrete.js";
import type { MachineRefinement } from "../refinement.js";
import { witnessByRandom } from "../solver/random.js";
import { type OnQuery, openSolver, type Solver, type SolverChoice } from "../solver/solver.js";
import type { Verdict } from "../verdict.js";
import { judge } from "./case.js";
import { confirm, refutation } from "./confirm.js";
import type { Context, Proving } from "./context.js";
import { provedUnlessVacuous, unlessFailing, whole } from "./parts.js";
import { type PartOutcome, provePart } from "./prove.js";
import { Recording } from "./recording.js";
import type { Settled } from "./report.js";
import { Sweeper } from "./sweep.js";
import { contradictory } from "./vacuity.js";

export interface DischargeOptions {
  readonly seed: number;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly signal: AbortSignal | undefined;
  readonly date: string;
}

/** Opens one solver, when first needed; close it when done. */
export class Solvers {
  private readonly choice: SolverChoice;
  private readonly onQuery: OnQuery | undefined;
  private opened: Promise<Solver> | undefined;

  constructor(choice: SolverChoice, onQuery: OnQuery | undefined) {
    this.choice = choice;
    this.onQuery = onQuery;
  }

  get(): Promise<Solver> {
    this.opened ??= openSolver(this.choice, this.onQuery === undefined ? {} : { onQuery: this.onQuery });
    return this.opened;
  }

  async close(): Promise<void> {
    await (await this.opened)?.close();
    this.opened = undefined;
  }
}

export class Discharger {
  readonly refinement: MachineRefinement;
  readonly obligations: readonly Obligation[];
  private readonly context: Context;
  private readonly proving: Proving;
  private readonly sweeper: Sweeper;

  constructor(refinement: MachineRefinement, options: DischargeOptions, solvers: Solvers) {
    this.refinement = refinement;
    this.obligations = obligations(refinement);
    const names = this.obligations.map((o) => o.name);
    this.context = {
      name: refinement.name,
      refinement,
      recording: new Recording(refinement, names, initialStates(refinement, options.seed), options.seed),
      seed: options.seed,
      timeoutMs: options.timeoutMs,
      memoryMb: options.memoryMb,
      signal: options.signal,
      date: options.date,
      solver: () => solvers.get(),
    };
    this.proving = { ...this.context, confirm: (...found) => confirm(this.context, ...found) };
    this.sweeper = new Sweeper(this.context, this.obligations);
  }

  async discharge(obligation: Obligation): Promise<Settled> {
    const began = performance.now();
    const verdict = await unlessFailing(this.verdict(obligation));
    return { obligation: obligation.name, method: "prove", verdict, more: [], ms: performance.now() - began };
  }

  private async verdict(obligation: Obligation): Promise<Verdict> {
    const { context } = this;
    if (obligation.unsupported !== undefined) return { verdict: "unsupported", what: obligation.unsupported };
    const cuts = await this.sweeper.cuts(obligation);
    const possible = obligation.parts(cuts?.under).filter((part) => !contradictory(part));
    const { proving } = this;
    const outcomes = async function* (): AsyncGenerator<PartOutcome> {
      for (const part of possible) yield await provePart(proving, obligation, part, cuts?.names(part));
    };
    const found = await whole(outcomes(), cuts?.by ?? "rewrite");
    switch (found.kind) {
      case "refuted":
        return found.verdict;
      case "undecided":
        return this.recorded(obligation) ?? found.verdict;
      case "proved": {
        const witnessed = possible.length > 0 && context.recording.witness(obligation.name) !== undefined;
        if (witnessed) return { verdict: "proved", by: found.by };
        return provedUnlessVacuous(context, obligation, possible, found.by);
      }
      default:
        return unreachable(found);
    }
  }

  /** What the prover could not decide, a concrete run may have refuted. */
  private recorded(obligation: Obligation): Verdict | undefined {
    const { context, refinement } = this;
    const seen = context.recording.violation(obligation.name);
    if (seen === undefined) return undefined;
    const judgement = judge(refinement, obligation, seen);
    if (judgement.kind !== "violated" || !judgement.violation.certain) return undefined;
    const counterexample = refutation(context, obligation, seen, judgement.violation, "random");
    return { verdict: "refuted", by: "random", counterexample };
  }
}

/** A few initial host states. */
function initialStates(refinement: MachineRefinement, seed: number): readonly State[] {
  const { host, assumptions } = refinement;
  const conditions = assumptions.flatMap(({ condition }) => (condition === undefined ? [] : [condition]));
  return [0, 1, 2].flatMap((i) => {
    const model = witnessByRandom([host.initial, wellFormedTerm(host), ...conditions], { seed: seed + i, tries: 100 });
    if (model === undefined) return [];
    return [new Map([...zeroState(host)].map(([name, zero]) => [name, model.get(name) ?? zero]))];
  });
}
