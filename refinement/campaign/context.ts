/** What discharging the obligations of one refinement shares. */
import type { Obligation, Part } from "../diagram.js";
import type { MachineRefinement } from "../refinement.js";
import type { Answer, Solver } from "../solver/solver.js";
import type { Term } from "../terms/term.js";
import type { Value } from "../terms/value.js";
import type { Confirmation } from "./confirm.js";
import type { Named } from "./equalities.js";
import type { Recording } from "./recording.js";
import { waiting } from "./spent.js";

/** What asking takes. */
export interface Inquiry {
  /** The refinement's. */
  readonly name: string;
  readonly seed: number;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly signal: AbortSignal | undefined;
  readonly date: string;
  /** Opened when first asked for. */
  solver(): Promise<Solver>;
}

/** What proving takes: a model that refutes is run concretely before it is believed. */
export interface Proving extends Inquiry {
  /** `model` satisfies the hypotheses of `part` and falsifies a goal, for one of the guest's choices at least. */
  confirm(obligation: Obligation, part: Part, model: ReadonlyMap<string, Value>, by: string): Promise<Confirmation>;
  /** What of the values in the terms is always equal, where nothing is known of it beforehand. */
  equal?(obligation: Obligation, terms: readonly Term[]): Promise<Named | undefined>;
}

export interface Context extends Inquiry {
  readonly refinement: MachineRefinement;
  readonly recording: Recording;
}

/** Asks the solver; `label` names the query in `--smt2`. */
export async function ask(
  context: Inquiry,
  obligation: Pick<Obligation, "name">,
  assertions: readonly Term[],
): Promise<Answer & { readonly solver: string }> {
  const solver = await context.solver();
  const answer = await waiting("solving", () =>
    solver.solve(assertions, {
      timeoutMs: context.timeoutMs,
      memoryMb: context.memoryMb,
      label: `${context.name}/${obligation.name}`.replace(/[^A-Za-z0-9._-]+/g, "-"),
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    }),
  );
  return { ...answer, solver: solver.name };
}
