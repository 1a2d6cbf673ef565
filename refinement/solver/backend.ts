/**
 * A program that decides queries, seen as text in and text out. Each query runs on a clean instance or after a reset:
 * nothing of an earlier query can matter to a later one.
 */
import { EnvironmentFailure } from "../errors.js";

/** A query as text: everything up to and including `(check-sat)`, and what to send once the answer is `sat`. */
export interface Script {
  readonly check: string;
  /** A `(get-value (…))`, or `undefined` where there is nothing to ask for. */
  readonly values: string | undefined;
}

export interface Limits {
  /** Wall-clock time for the query. */
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly signal: AbortSignal | undefined;
}

export type Reply =
  | { readonly answer: "unsat" }
  | { readonly answer: "sat"; readonly values: string }
  | { readonly answer: "unknown"; readonly reason: string };

export interface Backend {
  /** As in `--solver` and in reports. */
  readonly name: string;
  /** Throws an EnvironmentFailure if the solver dies or answers nonsense; a fresh instance serves the next call. */
  ask(script: Script, limits: Limits): Promise<Reply>;
  /** Ends every instance; the next query starts a fresh one. */
  discard(): Promise<void>;
}

/** What a solver gets beyond the query's own time limit before it is killed. */
export const GRACE_MS = 1000;

export const INTERRUPTED = { answer: "unknown", reason: "interrupted" } as const;

export function killedForTime(timeoutMs: number): Reply {
  return { answer: "unknown", reason: `timeout: no answer after ${timeoutMs} ms, and the solver had to be killed` };
}

export function outOfMemory(memoryMb: number): Reply {
  return { answer: "unknown", reason: `memory: the solver needs more than ${memoryMb} MB` };
}

/** An answer that no solver gives. */
export function nonsense(solver: string, text: string): EnvironmentFailure {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return new EnvironmentFailure(solver, `answered nonsense: ${JSON.stringify(shown)}`);
}

/** How solvers say in `(get-info :reason-unknown)` or in an `(error …)` that memory ran out. */
export function speaksOfMemory(text: string): boolean {
  return /memout|out of memory|max\. memory exceeded|bad_alloc/i.test(text);
}

/** The reason in `(:reason-unknown …)`, in words for a report. */
export function reasonUnknown(text: string, limits: Limits): string {
  const inner = /:reason-unknown\s+(?:"([^"]*)"|\|?([^)|]*)\|?)/.exec(text);
  const reason = (inner?.[1] ?? inner?.[2] ?? "").trim();
  if (/timeout|canceled|interrupted/i.test(reason)) return `timeout: no answer within ${limits.timeoutMs} ms`;
  if (speaksOfMemory(reason)) return `memory: the solver needs more than ${limits.memoryMb} MB`;
  return reason === "" ? "the solver gave up" : `the solver gave up: ${reason}`;
}
