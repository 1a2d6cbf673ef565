/**
 * Which tasks a refinement gives rise to, what their answers depend on, and which to begin with.
 */
import { readFile } from "node:fs/promises";
import { obligations } from "../diagram.js";
import { EnvironmentFailure, unreachable } from "../errors.js";
import type { Refinement, TranslatorRefinement } from "../refinement.js";
import { hasEngine } from "../translation/open.js";
import { size } from "../terms/variables.js";
import type { Method } from "../verdict.js";
import { digest } from "./cache.js";
import { blockTasks } from "./block-tasks.js";
import type { Reply, Task } from "./executor.js";
import { explorable } from "./exploration.js";
import { checkerIdentity } from "./identity.js";
import { type CampaignOptions, selected } from "./options.js";
import type { Spent } from "./spent.js";
import type { EmulatorTesterModule } from "./tester.js";

export interface Planned {
  readonly refinement: Refinement;
  readonly task: Task;
  readonly method: Method;
  /** The obligation, or the family of obligations, that it is about. */
  readonly about: string;
  /** A guess, to begin with what is cheap. */
  readonly cost: number;
  readonly keys: Keys | undefined;
  /** What it took to know of the task. */
  readonly spent?: Spent;
  /** What is known without carrying it out. */
  readonly answer?: Exclude<Reply, { readonly kind: "failed" }>;
}

/** A task before it is known where its answer lies; `content`: what else that depends on, or null where that cannot be told. */
export type Draft = Omit<Planned, "keys"> & { readonly content?: string | null };

/** Where an answer lies in the cache: one that holds always, with this solver, with this solver, seed and number of cases. */
export interface Keys {
  readonly always: string;
  readonly solver: string;
  readonly seed: string;
}

const KIND_COST = { initial: 1, inverse: 1, progress: 2, materialize: 3, invariant: 4, commute: 3 } as const;
const EXPLORE_COST = 1e6;
const TEST_COST = 2e6;
/** With a fault planted, tests come first: they find most of them in seconds, where proofs may search long in vain. */
const FAULT_TEST_COST = 0;
const EMULATOR_COST = 1e7;

/** In the order of the report: proofs as in diagram.ts, then exploration, then tests. */
export async function plan(refinement: Refinement, options: CampaignOptions): Promise<readonly Planned[]> {
  const keys = await keysOf(refinement, options);
  const drafts = await draftsOf(refinement, options);
  return drafts.map(({ content, ...t }) => ({
    ...t,
    keys: content === null ? undefined : keys(t.method, content ?? t.about),
  }));
}

async function draftsOf(refinement: Refinement, options: CampaignOptions): Promise<readonly Draft[]> {
  switch (refinement.form) {
    case "machine":
      return machineTasks(refinement, options);
    case "emulator":
      return emulatorTasks(refinement, options);
    case "translator":
      return [...(await blockTasks(refinement, options)), ...(await translatorTests(refinement, options))];
    default:
      return unreachable(refinement);
  }
}

function machineTasks(refinement: Extract<Refinement, { form: "machine" }>, options: CampaignOptions): Draft[] {
  const { modes, only, testers, fault } = options;
  const tasks: Draft[] = [];
  if (modes === undefined || modes.includes("prove")) {
    const { host } = refinement;
    const weight = size([host.initial, ...host.transitions.flatMap((t) => [t.guard, ...t.effect.assigns.values()])]);
    for (const { name, kind } of obligations(refinement)) {
      if (!selected(only, name)) continue;
      const task: Task = { kind: "prove", obligation: name };
      tasks.push({ refinement, task, method: "prove", about: name, cost: weight * KIND_COST[kind] });
    }
  }
  const explores = modes === undefined ? refinement.explore.length > 0 : modes.includes("explore");
  if (explores && explorable(refinement).some((name) => selected(only, name))) {
    tasks.push({ refinement, task: { kind: "explore" }, method: "explore", about: "*", cost: EXPLORE_COST });
  }
  const tests = modes === undefined ? testers.machine !== undefined : modes.includes("test");
  if (tests && selectsTests(only)) {
    tasks.push({
      refinement,
      task: { kind: "test" },
      method: "test",
      about: "*",
      cost: fault === undefined ? TEST_COST : FAULT_TEST_COST,
    });
  }
  return tasks;
}

/** Where nobody says how to check it, a translator is tested too if it has a runtime; with a fault planted, if programs show that. */
async function translatorTests(
  refinement: TranslatorRefinement,
  { modes, only, testers, cases, blocksFrom }: CampaignOptions,
): Promise<Draft[]> {
  const { fault } = refinement;
  const wanted = modes?.includes("test") ?? (testers.translator !== undefined && blocksFrom === undefined);
  const shown = refinement.faults.find((f) => f.name === fault)?.programs.length ?? 0;
  if (!wanted || !selectsTests(only, shown > 0 ? [...TRANSLATED, `lockstep/${fault}`] : TRANSLATED)) return [];
  if (
    modes === undefined &&
    (fault === undefined ? !(await hasEngine(refinement)) : shown === 0 && cases === undefined)
  )
    return [];
  const cost = fault === undefined ? TEST_COST : FAULT_TEST_COST;
  return [{ refinement, task: { kind: "test" }, method: "test", about: "*", cost }];
}

function emulatorTasks(refinement: Refinement, { modes, only }: CampaignOptions): Draft[] {
  const method = modes === undefined || modes.includes("test") ? "test" : modes[0];
  switch (method) {
    case undefined:
      return [];
    case "test": {
      const task: Task = only === undefined ? { kind: "test" } : { kind: "test", only };
      return [{ refinement, task, method, about: only?.join(" ") ?? "*", cost: EMULATOR_COST }];
    }
    case "prove":
      return [{ refinement, task: { kind: "prove", obligation: "commute/*" }, method, about: "commute/*", cost: 0 }];
    case "explore":
      return [{ refinement, task: { kind: "explore" }, method, about: "commute/*", cost: 0 }];
    default:
      return unreachable(method);
  }
}

/** Tests judge families: they run where a whole family was selected. */
const FAMILIES = ["initial", "inverse", "invariant/*", "commute/*", "progress/*", "materialize/*"];

/** Of a translator. */
const TRANSLATED = ["commute/*", "materialize/*", "lockstep/*"];

function selectsTests(only: readonly string[] | undefined, families: readonly string[] = FAMILIES): boolean {
  return families.some((family) => selected(only, family));
}

/** Everything that an answer depends on: the checker, both machines, the refinement's own file and fault, the obligation. */
async function keysOf(
  refinement: Refinement,
  options: CampaignOptions,
): Promise<(method: Method, about: string) => Planned["keys"]> {
  if (options.cacheDir === undefined) return () => undefined;
  const text = await readFile(refinement.file).catch(() => undefined);
  if (text === undefined) return () => undefined;
  const common = [checkerIdentity(), text.toString("base64"), refinement.guest.digest, refinement.fault ?? ""];
  if (refinement.form !== "emulator") {
    common.push(refinement.host.digest);
    if (refinement.form === "translator") common.push(refinement.known?.digest ?? "");
  } else {
    const identity = await emulatorIdentity(refinement, options);
    if (identity === undefined) return () => undefined;
    common.push(identity);
  }
  const base = digest(common);
  const { solver, seed, cases } = options;
  return (method, about) => ({
    always: digest([base, method, about]),
    solver: digest([base, method, about, solver]),
    seed: digest([base, method, about, solver, String(seed), String(cases)]),
  });
}

async function emulatorIdentity(
  refinement: Extract<Refinement, { form: "emulator" }>,
  options: CampaignOptions,
): Promise<string | undefined> {
  if (options.testers.emulator === undefined) return undefined;
  const module: EmulatorTesterModule = await import(options.testers.emulator);
  try {
    return await module.emulatorIdentity?.(refinement);
  } catch (error) {
    // It cannot be asked what it is: the test will say why.
    if (error instanceof EnvironmentFailure) return undefined;
    throw error;
  }
}
