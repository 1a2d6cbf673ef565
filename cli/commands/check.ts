import { type Command, Option } from "commander";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import type { CampaignOptions } from "../../refinement/campaign/options.js";
import type { Finding, RefinementReport, Report } from "../../refinement/campaign/report.js";
import { UserError } from "../../refinement/errors.js";
import { exitCode, type Method } from "../../refinement/verdict.js";
import { readDefinition, record } from "../definition.js";
import { INTERRUPTED } from "../exit.js";
import { renderFindings } from "../findings.js";
import { follow } from "../follow.js";
import { keepVerdict } from "../last-verdict.js";
import { durationOption, integerOption, listOption } from "../options.js";
import { discover, type Entry, find, looksLikePath, nearest, type Project, show } from "../project.js";
import { renderRefinement } from "../report.js";
import { commonOptions, type Session, session } from "../session.js";
import type { CommonOptions, Output } from "../terminal/output.js";
import { duration } from "../terminal/progress.js";
import { colorOf } from "../terminal/verdict-color.js";
import { testers } from "../testers.js";
import { writableFile, writableFolder, writeOutput } from "../files.js";

const METHODS = ["prove", "test", "explore"] as const satisfies readonly Method[];
const SOLVERS = ["auto", "z3-wasm", "z3", "cvc5"] as const;

const TIMEOUT_MS = 10_000;
/** What a planted fault makes false no patience proves, and tests and random states refute it. */
const FAULT_TIMEOUT_MS = 1_000;

interface CheckOptions extends CommonOptions {
  readonly mode?: readonly Method[];
  readonly only?: readonly string[];
  readonly budget?: number;
  readonly timeout?: number;
  readonly cases?: number;
  readonly seed: number;
  readonly jobs: number;
  readonly solver: (typeof SOLVERS)[number];
  readonly fault?: string;
  readonly blocksFrom?: string;
  readonly save?: string;
  readonly smt2?: string;
  readonly junit?: string;
  readonly cache: boolean;
}

export function addCheck(program: Command): Command {
  const some = (value: string, sofar: readonly string[] | undefined) => [...(sofar ?? []), value];
  return commonOptions(program.command("check", { isDefault: true }))
    .description("discharge the obligations of refinements (without a name: of all in the project)")
    .argument("[REFINEMENT...]", "names from `commute list`, or paths to refinement files")
    .option(
      "--mode <MODES>",
      "of prove, test and explore, separated by commas (default: all that apply)",
      listOption(METHODS),
    )
    .option(
      "--only <GLOB>",
      "only obligations whose names match; * is anything, {a,b} one of several; repeatable",
      some,
    )
    .option("--budget <TIME>", "for the whole run, as in 60s; what is not settled by then is unknown", durationOption)
    .option("--timeout <TIME>", "for one query to a solver (default: 10s; with --fault 1s)", durationOption)
    .option("--cases <N>", "cases of each test (default: as many as take a few seconds)", integerOption(1))
    .option("--seed <N>", "of everything random; the same seed gives the same report", integerOption(0), 42)
    .addOption(
      new Option("--jobs <N>", "worker threads")
        .argParser(integerOption(1))
        .default(availableParallelism(), "as many as there are processors"),
    )
    .addOption(
      new Option(
        "--solver <NAME>",
        "who decides what rewriting leaves open: z3-wasm (auto) is built in, z3 and cvc5 are found on PATH",
      )
        .choices(SOLVERS)
        .default(SOLVERS[0]),
    )
    .option("--fault <NAME>", "check with that seeded fault planted; the refinement's file describes it")
    .option("--blocks-from <ELF>", "of translators: validate the translation of that program's blocks")
    .option("--save <DIR>", "write counterexamples there, for `commute replay`")
    .option("--smt2 <DIR>", "write every query that reaches a solver there, for others to check")
    .option("--junit <FILE>", "write a JUnit XML report there")
    .option("--no-cache", "neither use nor keep earlier answers")
    .addHelpText(
      "after",
      `
Exit code 0: every obligation holds. 1: at least one is refuted. 3: none is refuted, but something is unknown,
unsupported or vacuous. A refinement whose programs are not installed is skipped; named here, it counts as 3.

Examples:
  commute check
  commute check pipeline --only 'commute/cycle/*' --mode prove
  commute check pipeline --fault load-use-rs2 --save counterexamples
  commute check --json --budget 60s > report.json`,
    )
    .action((names: readonly string[], options: CheckOptions) => {
      const commands = program.commands.map((command) => command.name());
      return session(options, (s) => check(names, options, s, commands));
    });
}

async function check(
  names: readonly string[],
  options: CheckOptions,
  { out, signal }: Session,
  commands: readonly string[],
): Promise<number> {
  const project = await discover();
  notACommand(names[0], project, commands);
  const entries = await chosen(project, names, options.fault);
  if (options.save !== undefined) await writableFolder(options.save, "--save");
  if (options.smt2 !== undefined) await writableFolder(options.smt2, "--smt2");
  if (options.junit !== undefined) await writableFile(options.junit, "--junit");

  const { runCampaign } = await import("../../refinement/campaign/campaign.js");
  const { defaultOptions } = await import("../../refinement/campaign/options.js");
  const campaign: CampaignOptions = {
    ...defaultOptions(),
    modes: options.mode,
    only: options.only,
    budgetMs: options.budget,
    timeoutMs: options.timeout ?? (options.fault === undefined ? TIMEOUT_MS : FAULT_TIMEOUT_MS),
    cases: options.cases,
    seed: options.seed,
    blocksFrom: options.blocksFrom === undefined ? undefined : resolve(options.blocksFrom),
    jobs: options.jobs,
    solver: options.solver,
    fault: options.fault,
    saveDir: options.save,
    smt2Dir: options.smt2,
    signal,
    cacheDir: options.cache ? project.cache : undefined,
    named: names.length > 0,
    testers: testers(),
  };
  const { report, findings } = await runCampaign(
    entries.map((e) => e.file),
    campaign,
    follow(out),
  );
  out.progress.close();
  if (report.refinements.every((r) => r.obligations.length === 0 && r.skipped === undefined)) {
    throw new UserError(nothingChosen(options));
  }

  out.json({ ...report, refinements: report.refinements.map((r) => ({ ...r, file: show(r.file) })) });
  await render(report, findings, out);
  if (options.junit !== undefined) await writeJunit(options.junit, report, findings);
  if (options.fault === undefined && options.only === undefined && options.mode === undefined && !signal.aborted) {
    for (const r of report.refinements) if (r.skipped === undefined) await keepVerdict(project, r.file, r.verdict);
  }
  return report.interrupted === true ? INTERRUPTED : exitCode(report.verdict);
}

/** `check` is what happens without a command: a misspelt command must not be taken for a refinement. */
function notACommand(name: string | undefined, project: Project, commands: readonly string[]): void {
  if (name === undefined || process.argv[2] !== name || project.refinements.some((r) => r.name === name)) return;
  if (looksLikePath(name)) return;
  const near = nearest(name, [...commands, ...project.refinements.map((r) => r.name)]);
  const hint = near === undefined ? "`commute --help` names all commands" : `did you mean \`${near}\`?`;
  throw new UserError(`there is no command or refinement called \`${name}\`; ${hint}`);
}

/** The refinements to check. A fault must be one that each of them describes; without names, those that do are checked. */
async function chosen(
  project: Project,
  names: readonly string[],
  fault: string | undefined,
): Promise<readonly Entry[]> {
  const own = project.refinements.filter((r) => !r.isBuiltIn);
  const all = names.length > 0 ? await distinct(project, names) : own.length > 0 ? own : project.refinements;
  if (all.length === 0)
    throw new UserError("there is no refinement here to check: `commute init DIR` makes a project with one");
  if (fault === undefined) return all;
  const faults = await Promise.all(
    all.map(async (entry) => ({ entry, known: Object.keys(record((await readDefinition(entry.file))["faults"])) })),
  );
  const having = faults.filter(({ known }) => known.includes(fault));
  const lacking =
    names.length > 0 ? faults.filter(({ known }) => !known.includes(fault)) : having.length > 0 ? [] : faults;
  if (lacking.length === 0) return having.map(({ entry }) => entry);
  const near = nearest(
    fault,
    lacking.flatMap(({ known }) => known),
  );
  const hint = near === undefined ? "" : `; did you mean \`${near}\`?`;
  const lists = lacking.map(
    ({ entry, known }) => `  ${entry.name}: ${known.length === 0 ? "has no seeded faults" : known.join(", ")}`,
  );
  throw new UserError(`there is no seeded fault called \`${fault}\`${hint}\n${lists.join("\n")}`);
}

async function distinct(project: Project, names: readonly string[]): Promise<readonly Entry[]> {
  const entries = await Promise.all(names.map((name) => find(project, "refinement", name)));
  return entries.filter((entry, i) => entries.findIndex((e) => e.file === entry.file) === i);
}

function nothingChosen({ only, mode }: CheckOptions): string {
  const by = [
    ...(only === undefined ? [] : [`--only ${only.join(" --only ")}`]),
    ...(mode === undefined ? [] : [`--mode ${mode.join(",")}`]),
  ];
  return `no obligation is left to check with ${by.join(" ")}; \`commute explain REFINEMENT\` names the obligations`;
}

async function render(report: Report, findings: readonly Finding[], out: Output): Promise<void> {
  if (out.isJson) return;
  for (const r of report.refinements) {
    if (out.isQuiet && r.verdict === "holds") continue;
    for (const line of renderRefinement(r, out.colors)) out.line(line);
    const own = findings.filter((f) => f.refinement === r.name);
    if (own.length > 0) for (const line of await renderFindings(r, own)) out.line(line === "" ? "" : `  ${line}`);
    out.line();
  }
  if (!out.isQuiet) out.line(closing(report, out));
}

/** One line for the whole run: what every refinement came to, and what was not looked at. */
function closing(report: Report, out: Output): string {
  const { bold } = out.colors;
  const counts = new Map<string, number>();
  const outcome = (r: RefinementReport) => (r.skipped === undefined ? r.verdict : "skipped");
  for (const r of report.refinements) counts.set(outcome(r), (counts.get(outcome(r)) ?? 0) + 1);
  const refinements = report.refinements.length === 1 ? "1 refinement" : `${report.refinements.length} refinements`;
  const parts = [...counts].map(([name, n]) => (report.refinements.length === 1 ? name : `${n} ${name}`));
  const state = report.interrupted === true ? "interrupted" : report.verdict;
  return `${bold(colorOf(out.colors, report.verdict)(state))}: ${refinements} (${parts.join(", ")}) in ${duration(report.seconds)}, seed ${report.seed}`;
}

async function writeJunit(file: string, report: Report, findings: readonly Finding[]): Promise<void> {
  const { junit } = await import("../junit.js");
  await writeOutput(file, junit(report, findings), "--junit");
}
