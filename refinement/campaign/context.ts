/** What discharging the obligations of one refinement shares. */
import type { Obligation } from "../diagram.js";
import type { MachineRefinement } from "../refinement.js";
import type { Answer, Solver } from "../solver/solver.js";
import type { Term } from "../terms/term.js";
import type { Recording } from "./recording.js";

export interface Context {
  readonly refinement: MachineRefinement;
  readonly recording: Recording;
  readonly seed: number;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly signal: AbortSignal | undefined;
  readonly date: string;
  /** Opened when first asked for. */
  solver(): Promise<Solver>;
}

/** Asks the solver; `label` names the query in `--smt2`. */
export async function ask(
  context: Context,
  obligation: Obligation,
  assertions: readonly Term[],
): Promise<Answer & { readonly solver: string }> {
  const solver = await context.solver();
  const answer = await solver.solve(assertions, {
    timeoutMs: context.timeoutMs,
    memoryMb: context.memoryMb,
    label: `${context.refinement.name}/${obligation.name}`.replace(/[^A-Za-z0-9._-]+/g, "-"),
    ...(context.signal === undefined ? {} : { signal: context.signal }),
  });
  return { ...answer, solver: solver.name };
}
