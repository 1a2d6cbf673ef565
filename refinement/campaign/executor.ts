/**
 * Carries out tasks: in a worker thread, or in this one.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Missing } from "../emulator.js";
import { EnvironmentFailure, unreachable, UserError } from "../errors.js";
import type { Machine } from "../machine.js";
import type { Known, Refinement } from "../refinement.js";
import type { OnQuery, SolverChoice } from "../solver/solver.js";
import type { GuestBlock, Translation } from "../translation.js";
import { openTranslator, type Opened } from "../translation/open.js";
import type { OpenBlock } from "../translation/open-block.js";
import type { Verdict } from "../verdict.js";
import type { HostTools } from "./block-confirm.js";
import { validateBlock } from "./blocks.js";
import type { Inquiry } from "./context.js";
import { explained } from "./explained.js";
import { validateOpenBlock } from "./open-blocks.js";
import { Discharger, Solvers } from "./discharge.js";
import { exploreRefinement } from "./exploration.js";
import { type Load, selected, type Testers } from "./options.js";
import type { Settled } from "./report.js";
import { during, type Phase, type Spent, takeSpent, waiting } from "./spent.js";
import type { EmulatorTesterModule, MachineTesterModule, TesterResult, TranslatorTesterModule } from "./tester.js";

export type Task =
  | { readonly kind: "prove"; readonly obligation: string }
  | { readonly kind: "explore" }
  /** `only`: globs of the obligations that a black box is tested for; a machine's tests judge whole families. */
  | { readonly kind: "test"; readonly only?: readonly string[] }
  /** Of a translator: one block and what it was translated to. */
  | { readonly kind: "block"; readonly block: GuestBlock; readonly translation: Translation }
  /** Of a translator that can answer for all operands: a block whose operands are open. */
  | { readonly kind: "open"; readonly block: OpenBlock };

/** What is the same for all tasks of a run. Plain data. */
export interface Settings {
  readonly seed: number;
  readonly cases: number | undefined;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly solver: SolverChoice;
  readonly smt2Dir: string | undefined;
  readonly date: string;
  readonly testers: Testers;
}

export interface Request {
  readonly file: string;
  readonly fault: string | undefined;
  readonly task: Task;
  readonly settings: Settings;
}

export type Reply =
  | { readonly kind: "settled"; readonly settled: readonly Settled[]; readonly spent?: Spent }
  | { readonly kind: "missing"; readonly missing: readonly Missing[] }
  /** It could not be carried out: `defect` where a bug of ours is to blame, else what failed around us. Errors lose their class between threads. */
  | { readonly kind: "failed"; readonly by: string; readonly reason: string };

export type OnProgress = (done: number, total: number) => void;
/** Told of what a long task has found, while it goes on: all that is known of it if it is cut off. */
export type OnFound = (settled: Settled) => void;

/** What a task does where nothing else is said. */
const PHASE: Readonly<Record<Task["kind"], Phase>> = {
  prove: "executing",
  block: "executing",
  open: "executing",
  explore: "exploring",
  test: "testing",
};

/** Reachable states, and initial ones, of an exploration. */
const EXPLORED_STATES = 1 << 19;
/** Of those, so many after the first counterexample: a few seconds, for other causes. */
const AFTERMATH = 1 << 13;

export class Executor {
  private readonly load: Load;
  private readonly refinements = new Map<string, Promise<Refinement>>();
  private readonly dischargers = new Map<string, Discharger>();
  private readonly translators = new Map<string, Promise<Opened>>();
  private readonly knownGuests = new Map<string, Promise<Machine>>();
  private solvers: Solvers | undefined;

  constructor(load: Load) {
    this.load = load;
  }

  async run(
    request: Request,
    signal: AbortSignal | undefined,
    onProgress: OnProgress | undefined,
    onFound?: OnFound,
  ): Promise<Reply> {
    takeSpent();
    try {
      const reply = await waiting(PHASE[request.task.kind], () => this.carryOut(request, signal, onProgress, onFound));
      return reply.kind === "settled" ? { ...reply, spent: takeSpent() } : reply;
    } catch (error) {
      if (error instanceof UserError) throw error;
      if (error instanceof EnvironmentFailure) return { kind: "failed", by: error.what, reason: error.message };
      const message = error instanceof Error ? error.message : String(error);
      return { kind: "failed", by: "defect", reason: `a defect of the checker, please report it: ${message}` };
    }
  }

  private async carryOut(
    request: Request,
    signal: AbortSignal | undefined,
    onProgress: OnProgress | undefined,
    onFound: OnFound | undefined,
  ): Promise<Reply> {
    const { file, fault, task } = request;
    const key = JSON.stringify([file, fault]);
    let loading = this.refinements.get(key);
    if (loading === undefined) {
      loading = waiting("reading", () => this.load(file, fault));
      this.refinements.set(key, loading);
    }
    const refinement = await loading;
    switch (task.kind) {
      case "prove":
        return this.prove(key, refinement, task.obligation, request.settings, signal);
      case "explore":
        return explored(refinement, request.settings, signal, onProgress, onFound);
      case "test":
        return tested(refinement, task.only, request.settings, signal, onProgress, onFound);
      case "block":
        return this.validate(refinement, task.block, task.translation, request.settings, signal);
      case "open":
        return this.validateOpen(key, refinement, task.block, request.settings, signal);
      default:
        return unreachable(task);
    }
  }

  async close(): Promise<void> {
    for (const opening of this.translators.values()) {
      const opened = await opening;
      if ("translator" in opened) await opened.translator.close();
    }
    await this.solvers?.close();
  }

  private async prove(
    key: string,
    refinement: Refinement,
    name: string,
    settings: Settings,
    signal: AbortSignal | undefined,
  ): Promise<Reply> {
    if (refinement.form !== "machine") return unsupported(name, "prove", onlyBy(refinement));
    const solvers = this.solversFor(settings);
    let discharger = this.dischargers.get(key);
    if (discharger === undefined) {
      discharger = new Discharger(refinement, { ...settings, signal }, solvers);
      this.dischargers.set(key, discharger);
    }
    const obligation = discharger.obligations.find((o) => o.name === name);
    if (obligation === undefined) return unsupported(name, "prove", "there is no such obligation");
    return { kind: "settled", settled: [await discharger.discharge(obligation)] };
  }

  private async validate(
    refinement: Refinement,
    block: GuestBlock,
    translation: Translation,
    settings: Settings,
    signal: AbortSignal | undefined,
  ): Promise<Reply> {
    if (refinement.form !== "translator") return unsupported(`commute/${block.name}`, "prove", onlyBy(refinement));
    const inquiry = this.inquiry(refinement, settings, signal);
    const tools = await hostTools();
    const settled = await validateBlock(refinement, block, translation, tools, inquiry);
    const guest = (known: Known, findings: readonly string[]): Promise<Machine> => this.knownGuest(known, findings);
    return {
      kind: "settled",
      settled: await explained(refinement, guest, block, translation, tools, inquiry, settled),
    };
  }

  private knownGuest(known: Known, findings: readonly string[]): Promise<Machine> {
    const key = JSON.stringify([known.guest, findings]);
    const loading = this.knownGuests.get(key) ?? waiting("reading", () => loadKnown(known, findings));
    this.knownGuests.set(key, loading);
    return loading;
  }

  private async validateOpen(
    key: string,
    refinement: Refinement,
    block: OpenBlock,
    settings: Settings,
    signal: AbortSignal | undefined,
  ): Promise<Reply> {
    if (refinement.form !== "translator") return unsupported(`commute/${block.name}`, "prove", onlyBy(refinement));
    let opening = this.translators.get(key);
    if (opening === undefined) {
      opening = openTranslator(refinement);
      this.translators.set(key, opening);
    }
    const opened = await opening;
    if ("missing" in opened) return { kind: "missing", missing: opened.missing };
    const inquiry = this.inquiry(refinement, settings, signal);
    const { translator } = opened;
    return {
      kind: "settled",
      settled: await validateOpenBlock(refinement, translator, block, await hostTools(), inquiry),
    };
  }

  private inquiry({ name }: Refinement, settings: Settings, signal: AbortSignal | undefined): Inquiry {
    const solvers = this.solversFor(settings);
    const { seed, timeoutMs, memoryMb, date } = settings;
    return { name, seed, timeoutMs, memoryMb, date, signal, solver: () => solvers.get() };
  }

  private solversFor({ solver, smt2Dir }: Settings): Solvers {
    this.solvers ??= new Solvers(solver, smt2Dir === undefined ? undefined : queryWriter(smt2Dir));
    return this.solvers;
  }
}

export async function loadByNotation(file: string, fault: string | undefined): Promise<Refinement> {
  const { loadRefinement } = await import("../../spec/notation/index.js");
  return loadRefinement(file, fault === undefined ? {} : { fault });
}

/** The known guest with these findings. */
export async function loadKnown({ guest, findings: parameters }: Known, findings: readonly string[]): Promise<Machine> {
  const { loadMachine } = await import("../../spec/notation/index.js");
  const given = findings.map((name) => [parameters.get(name) ?? name, true]);
  return loadMachine(guest, { parameters: Object.fromEntries(given) });
}

/** What the campaign has loaded before it gave out the task. */
export async function loadAgain(file: string, fault: string | undefined): Promise<Refinement> {
  const { loadRefinement } = await import("../../spec/notation/index.js");
  return loadRefinement(file, { again: true, ...(fault === undefined ? {} : { fault }) });
}

function unsupported(obligation: string, method: Settled["method"], what: string): Reply {
  return {
    kind: "settled",
    settled: [{ obligation, method, verdict: { verdict: "unsupported", what }, more: [], ms: 0 }],
  };
}

/** The decoder library is loaded where host code is to be read. */
async function hostTools(): Promise<HostTools> {
  const { decodeX86, disassembleX86 } = await import("../assembly/x86/index.js");
  const decode: HostTools["decode"] = (...bytes) => during("decoding", () => decodeX86(...bytes));
  return { decode, disassemble: disassembleX86 };
}

/** How a refinement whose host is no machine definition is checked. */
function onlyBy(refinement: Refinement): string {
  return refinement.form === "translator"
    ? "a translator's blocks are proved, one by one"
    : "a black box can only be tested";
}

async function explored(
  refinement: Refinement,
  settings: Settings,
  signal: AbortSignal | undefined,
  onProgress: OnProgress | undefined,
  onFound: OnFound | undefined,
): Promise<Reply> {
  if (refinement.form !== "machine") return unsupported("commute/*", "explore", onlyBy(refinement));
  const settled = await exploreRefinement(refinement, {
    limit: EXPLORED_STATES,
    aftermath: AFTERMATH,
    date: settings.date,
    signal,
    onProgress: onProgress === undefined ? undefined : (done, waiting) => onProgress(done, done + waiting),
    onFound,
  });
  return { kind: "settled", settled };
}

async function tested(
  refinement: Refinement,
  only: readonly string[] | undefined,
  settings: Settings,
  signal: AbortSignal | undefined,
  onProgress: OnProgress | undefined,
  onFound: OnFound | undefined,
): Promise<Reply> {
  const { cases, seed, date, testers } = settings;
  const onResult = ({ name, verdict }: TesterResult): void =>
    onFound?.({ obligation: name, method: "test", verdict, more: [], ms: performance.now() - began });
  const options = { cases, seed, date, signal, onProgress, onResult };
  const began = performance.now();
  if (refinement.form === "machine") {
    if (testers.machine === undefined) return unsupported("commute/*", "test", "no tester is installed");
    const module: MachineTesterModule = await import(testers.machine);
    if (module.testRefinement === undefined)
      return unsupported("commute/*", "test", `${testers.machine} has no tester`);
    return gathered(await module.testRefinement(refinement, options), performance.now() - began);
  }
  if (refinement.form === "translator") {
    if (testers.translator === undefined)
      return unsupported("commute/*", "test", "no tester for translators is installed");
    const module: TranslatorTesterModule = await import(testers.translator);
    if (module.testTranslator === undefined)
      return unsupported("commute/*", "test", `${testers.translator} has no tester`);
    const results = await module.testTranslator(refinement, options);
    if ("missing" in results) return { kind: "missing", missing: results.missing };
    return gathered(results, performance.now() - began);
  }
  if (testers.emulator === undefined) return unsupported("commute/*", "test", "no tester for emulators is installed");
  const module: EmulatorTesterModule = await import(testers.emulator);
  if (module.testEmulator === undefined) return unsupported("commute/*", "test", `${testers.emulator} has no tester`);
  const results = await module.testEmulator(refinement, { ...options, only: (name) => selected(only, name) });
  if ("missing" in results) return { kind: "missing", missing: results.missing };
  return gathered(results, performance.now() - began);
}

/** One verdict for each name: the first refutation counts, the others are further counterexamples. */
function gathered(results: readonly TesterResult[], ms: number): Reply {
  const names = [...new Set(results.map((r) => r.name))];
  const settled = names.map((obligation): Settled => {
    const verdicts = results.filter((r) => r.name === obligation).map((r) => r.verdict);
    const counterexamples = verdicts.flatMap((v) => (v.verdict === "refuted" ? [v.counterexample] : []));
    const verdict: Verdict = verdicts.find((v) => v.verdict === "refuted") ??
      verdicts[0] ?? { verdict: "unknown", by: "cases", reason: "the tester said nothing" };
    const coverage = results.find((r) => r.name === obligation)?.coverage;
    const covers = coverage === undefined ? {} : { coverage };
    return { obligation, method: "test", verdict, more: counterexamples.slice(1), ms: ms / names.length, ...covers };
  });
  return { kind: "settled", settled };
}

/** Files named after obligation and question: the same names whatever ran before and wherever. */
function queryWriter(directory: string): OnQuery {
  const counts = new Map<string, number>();
  mkdirSync(directory, { recursive: true });
  return (name, text) => {
    const [, label = name, kind = "query"] = /^(.*)-\d+-([a-z]+)$/.exec(name) ?? [];
    const count = (counts.get(label) ?? 0) + 1;
    counts.set(label, count);
    const file = path.join(directory, `${label}-${count}-${kind}.smt2`);
    try {
      writeFileSync(file, `${text}\n`);
    } catch (error) {
      throw new EnvironmentFailure("--smt2", error instanceof Error ? error.message : String(error));
    }
  };
}
