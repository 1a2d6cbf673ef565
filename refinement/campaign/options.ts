import type { Refinement } from "../refinement.js";
import type { SolverChoice } from "../solver/solver.js";
import type { Method } from "../verdict.js";
import type { Crew } from "./crew.js";

export type Load = (file: string, fault: string | undefined) => Promise<Refinement>;

export interface CampaignOptions {
  /** Undefined: all that apply. */
  readonly modes: readonly Method[] | undefined;
  /** Globs over obligation names; undefined: all. */
  readonly only: readonly string[] | undefined;
  /** For the whole run. */
  readonly budgetMs: number | undefined;
  /** For one query. */
  readonly timeoutMs: number;
  readonly memoryMb: number;
  /** Of each test; undefined: as many as the tester finds right. */
  readonly cases: number | undefined;
  readonly seed: number;
  /** Of translators: validate the translation of this program's blocks, an ELF file. */
  readonly blocksFrom: string | undefined;
  /** Worker threads; with 1 everything runs in this thread. */
  readonly jobs: number;
  readonly solver: SolverChoice;
  /** The seeded fault to load every refinement with. */
  readonly fault: string | undefined;
  /** Counterexamples are written there. */
  readonly saveDir: string | undefined;
  /** Every query that reaches a solver is written there; nothing is then answered from the cache. */
  readonly smt2Dir: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** Undefined: no cache. */
  readonly cacheDir: string | undefined;
  /** The refinements were asked for by name: one that has to be skipped counts as inconclusive. */
  readonly named: boolean;
  /** The testers of properties/, which the checker does not import. */
  readonly testers: Testers;
  /** Reads a refinement file; by default with the notation. Only for runs in this thread. */
  readonly load: Load | undefined;
  /** Who carries out the tasks; by default this thread, or `jobs` workers. */
  readonly crew: Crew | undefined;
  /** The date that counterexamples carry, `2026-11-22`. */
  readonly date: string;
}

/**
 * URLs of compiled modules: `machine` exports `testRefinement`, `emulator` exports `testEmulator`, `translator` exports `testTranslator`
 * (tester.ts).
 */
export interface Testers {
  readonly machine: string | undefined;
  readonly emulator: string | undefined;
  readonly translator: string | undefined;
}

export function defaultOptions(): CampaignOptions {
  return {
    modes: undefined,
    only: undefined,
    budgetMs: undefined,
    timeoutMs: 10_000,
    memoryMb: 2048,
    cases: undefined,
    seed: 42,
    blocksFrom: undefined,
    jobs: 1,
    solver: "auto",
    fault: undefined,
    saveDir: undefined,
    smt2Dir: undefined,
    signal: undefined,
    cacheDir: undefined,
    named: false,
    testers: { machine: undefined, emulator: undefined, translator: undefined },
    load: undefined,
    crew: undefined,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** `*` stands for any characters, `/` included; `{a,b}` for one of several, which may be globs themselves. */
export function matches(glob: string, name: string): boolean {
  const braces = pairs(glob);
  let depth = 0;
  const pattern = [...glob].map((c, i) => {
    if (c === "*") return ".*";
    if (c === "," && depth > 0) return "|";
    if (!braces.has(i)) return c.replace(/[.+?^$()|[\]\\{}]/, "\\$&");
    depth += c === "{" ? 1 : -1;
    return c === "{" ? "(?:" : ")";
  });
  return new RegExp(`^${pattern.join("")}$`).test(name);
}

/** The globs without braces that together match the same names. */
export function alternatives(glob: string): readonly string[] {
  const braces = pairs(glob);
  const start = [...glob].findIndex((c, i) => c === "{" && braces.has(i));
  if (start < 0) return [glob];
  const parts: string[] = [""];
  let depth = 0;
  for (let i = start; ; i++) {
    const c = glob[i] ?? "";
    if (braces.has(i)) depth += c === "{" ? 1 : -1;
    if (depth === 0) return parts.flatMap((part) => alternatives(glob.slice(0, start) + part + glob.slice(i + 1)));
    if (i === start) continue;
    if (c === "," && depth === 1) parts.push("");
    else parts[parts.length - 1] += c;
  }
}

/** Where the braces are that have a partner; the others stand for themselves. */
function pairs(glob: string): ReadonlySet<number> {
  const open: number[] = [];
  const found = new Set<number>();
  [...glob].forEach((c, i) => {
    if (c === "{") open.push(i);
    const partner = c === "}" ? open.pop() : undefined;
    if (partner !== undefined) found.add(partner).add(i);
  });
  return found;
}

export function selected(only: readonly string[] | undefined, name: string): boolean {
  return only === undefined || only.some((glob) => matches(glob, name));
}
