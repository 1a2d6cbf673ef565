/**
 * Asks solvers whether assertions can hold together. An answer `sat` has been checked: its model, evaluated with the
 * real operators, satisfies every assertion.
 */
import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";
import { UserError, unreachable } from "../errors.js";
import { Unfolding } from "../terms/definitions.js";
import type { Term } from "../terms/term.js";
import type { Value } from "../terms/value.js";
import type { Backend } from "./backend.js";
import { decide } from "./decide.js";
import { cvc5Invocation, Native, z3Invocation } from "./native.js";
import { Z3Wasm } from "./z3-wasm.js";

const SOLVER_CHOICES = ["auto", "z3-wasm", "z3", "cvc5"] as const;
/** `auto` is z3-wasm, which is there on every machine and gives the same answers on all of them. */
export type SolverChoice = (typeof SOLVER_CHOICES)[number];

export type Answer =
  | { readonly answer: "unsat" }
  /** A value for each free variable of the assertions, by name; what the solver did not care about is zero. */
  | { readonly answer: "sat"; readonly model: ReadonlyMap<string, Value> }
  | { readonly answer: "unknown"; readonly reason: string };

export interface SolveOptions {
  /** For the whole call, whatever number of queries it takes. */
  readonly timeoutMs: number;
  /** Default 1024. */
  readonly memoryMb?: number;
  /** Ends the call with `unknown`, reason `interrupted`. */
  readonly signal?: AbortSignal;
  /** For `onQuery`: what is asked. */
  readonly label?: string;
}

export interface Solver {
  /** `z3-wasm`, `z3`, `cvc5` */
  readonly name: string;
  /**
   * Calls run one after the other: open several solvers to use several cores. Throws an EnvironmentFailure if the solver
   * died or answered nonsense twice in a row, on two instances.
   */
  solve(assertions: readonly Term[], options: SolveOptions): Promise<Answer>;
  close(): Promise<void>;
}

/** Sees every query before it is asked: a name unique within the solver and the text up to `(check-sat)`. */
export type OnQuery = (name: string, text: string) => void;

export interface OpenOptions {
  readonly onQuery?: OnQuery;
  /** A native solver's executable; otherwise it is looked for on PATH. */
  readonly executable?: string;
  /** What runs in z3-wasm's thread instead of z3-solver. */
  readonly module?: URL;
  /** How long z3-wasm's thread may take to be ready. */
  readonly startMs?: number;
}

/** Loads nothing before the first query. A native solver that is not installed is a UserError. */
export async function openSolver(choice: SolverChoice, options: OpenOptions = {}): Promise<Solver> {
  return new QueuedSolver(backend(choice, options), options.onQuery);
}

function backend(choice: SolverChoice, options: OpenOptions): Backend {
  switch (choice) {
    case "auto":
    case "z3-wasm":
      return new Z3Wasm(options.module, options.startMs);
    case "z3":
      return new Native("z3", z3Invocation(options.executable ?? installed("z3")));
    case "cvc5":
      return new Native("cvc5", cvc5Invocation(options.executable ?? installed("cvc5")));
    default:
      return unreachable(choice);
  }
}

function installed(program: string): string {
  const found = findOnPath(program);
  if (found !== undefined) return found;
  throw new UserError(`the solver ${program} is not on PATH: install it, or use --solver z3-wasm, which is built in`);
}

/** The path of an executable file on PATH. */
export function findOnPath(program: string): string | undefined {
  const names = process.platform === "win32" ? [`${program}.exe`] : [program];
  for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
    if (folder === "") continue;
    for (const name of names) {
      const file = path.join(folder, name);
      if (isExecutable(file)) return file;
    }
  }
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

class QueuedSolver implements Solver {
  readonly name: string;
  private readonly backend: Backend;
  private readonly onQuery: OnQuery | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private queries = 0;

  constructor(backend: Backend, onQuery: OnQuery | undefined) {
    this.name = backend.name;
    this.backend = backend;
    this.onQuery = onQuery;
  }

  solve(assertions: readonly Term[], options: SolveOptions): Promise<Answer> {
    const turn = this.last.then(() =>
      decide(this.backend, unfold(assertions), {
        timeoutMs: options.timeoutMs,
        memoryMb: options.memoryMb ?? 1024,
        signal: options.signal,
        onQuery: (kind, text) => this.onQuery?.(`${options.label ?? "query"}-${++this.queries}-${kind}`, text),
      }),
    );
    this.last = turn.catch(() => undefined);
    return turn;
  }

  close(): Promise<void> {
    return this.backend.discard();
  }
}

/** A solver is told what defined functions mean. */
function unfold(assertions: readonly Term[]): readonly Term[] {
  const unfolding = new Unfolding();
  return assertions.map((term) => unfolding.apply(term));
}
