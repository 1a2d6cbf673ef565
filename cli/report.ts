/** A refinement's verdicts for a reader: a table of kinds of obligation by method, what is not well by name, what it rests on. */
import { dirname } from "node:path";
import type { ObligationReport, RefinementReport } from "../refinement/campaign/report.js";
import { explanationText } from "../refinement/counterexample.js";
import { isGood, type Method } from "../refinement/verdict.js";
import type { Colors } from "./terminal/output.js";
import { duration } from "./terminal/progress.js";
import { operandCoverage } from "./operand-coverage.js";
import { table } from "./terminal/table.js";
import { colorOf } from "./terminal/verdict-color.js";

const METHODS: readonly Method[] = ["prove", "explore", "test"];

export function renderRefinement(report: RefinementReport, colors: Colors): string[] {
  const { bold, dim, yellow } = colors;
  const fault = report.fault === undefined ? "" : yellow(` with the seeded fault ${report.fault}`);
  const head = `${bold(report.name)}${fault}  ${dim(report.title)}`;
  if (report.skipped !== undefined) {
    const missing = report.skipped.map(({ program, remedy }) => `${program} is not installed: ${remedy}`);
    return [head, `  ${yellow("skipped")}: ${missing.join("; ")}`];
  }
  const operands = operandCoverage(report.obligations);
  return [
    head,
    ...verdictTable(report.obligations, colors).map((line) => `  ${line}`),
    ...problems(report.obligations, colors).map((line) => `  ${line}`),
    ...covered(report.obligations).map((line) => `  ${dim("tests ran")} ${line}`),
    ...(operands === undefined ? [] : [`  ${dim("covers")} ${operands}`]),
    ...(report.assumptions.length === 0
      ? [dim("  assumes nothing")]
      : report.assumptions.map((text) => `  ${dim("assumes")} ${text}`)),
    ...spent(report).map((line) => `  ${dim("time went to")} ${line}`),
    `  ${conclusion(report, colors)}`,
  ];
}

/** Under this share of the whole, a phase is of no interest. */
const SHARE = 0.01;

/** `solving 1.2 s (60%), rewriting 800 ms (40%)`: of all threads together, what took most first. */
function spent(report: RefinementReport): string[] {
  if (report.obligations.every((o) => o.cached === true)) return [];
  const phases = Object.entries(report.spent ?? {});
  const whole = phases.reduce((sum, [, ms]) => sum + ms, 0);
  const shown = phases.filter(([, ms]) => ms > 0 && ms >= SHARE * whole).sort(([, a], [, b]) => b - a);
  if (shown.length === 0) return [];
  return [
    shown.map(([phase, ms]) => `${phase} ${duration(ms / 1000)} (${Math.round((100 * ms) / whole)}%)`).join(", "),
  ];
}

function verdictTable(obligations: readonly ObligationReport[], colors: Colors): string[] {
  const methods = METHODS.filter((m) => obligations.some((o) => o.method === m));
  const kinds = [...new Set(obligations.map(kindOf))];
  const rows = kinds.map((kind) => {
    const cells = methods.map((method) => obligations.filter((o) => o.method === method && kindOf(o) === kind));
    return [kind, ...cells.map((members) => cell(members, colors))];
  });
  const totals = methods.map((method) => colors.dim(total(obligations.filter((o) => o.method === method))));
  return table([["obligation", ...methods].map(colors.dim), ...rows, ["", ...totals]]);
}

/** What the tests executed, each once: a test has one coverage for all that it judges. */
function covered(obligations: readonly ObligationReport[]): string[] {
  return [
    ...new Set(obligations.flatMap((o) => (o.coverage === undefined || o.method !== "test" ? [] : [o.coverage]))),
  ];
}

/** `commute/cycle/addi` → `commute`; the obligations of a black box by program and instruction likewise. */
function kindOf({ name }: ObligationReport): string {
  return name.split("/")[0] ?? name;
}

/** `20 proved: 18 rewrite, 2 z3-wasm`; the number left out where it is one. */
function cell(members: readonly ObligationReport[], colors: Colors): string {
  if (members.length === 0) return "";
  const verdicts = count(members.map((o) => o.verdict)).map(([verdict, n]) => {
    const isFamily = members.length === 1 && members[0]?.name.endsWith("/*") === true;
    const text = members.length === 1 ? verdict : `${n} ${verdict}`;
    return colorOf(colors, verdict)(isFamily ? `all ${verdict}` : text);
  });
  const by = count(members.filter((o) => o.method === "prove").map((o) => o.by));
  const how = by.map(([name, n]) => (by.length === 1 ? name : `${n} ${name}`)).join(", ");
  return how === "" ? verdicts.join(", ") : `${verdicts.join(", ")} ${colors.dim(`(${how})`)}`;
}

/** What a method did as a whole: `33 in 12 s`, `6,144 states in 1.1 s`, `4,000 cases in 11 s`. */
function total(members: readonly ObligationReport[]): string {
  const counts = members.map((o) => o.count ?? 0);
  const unit = members.find((o) => o.count !== undefined)?.by;
  // The states of an exploration and the runs of a host judge all obligations at once; a black box is asked for each.
  const areShared = members.some((o) => o.method === "explore" || o.name.endsWith("/*"));
  const count = areShared ? Math.max(...counts) : counts.reduce((sum, n) => sum + n, 0);
  const amount = unit === undefined ? `${members.length}` : `${count.toLocaleString("en-US")} ${unit}`;
  return `${amount} in ${duration(members.reduce((sum, o) => sum + o.ms, 0) / 1000)}`;
}

/** `refuted: 40 proved (31 by rewriting), 3 refuted (3 known), all from the cache` */
function conclusion(report: RefinementReport, colors: Colors): string {
  const { obligations, verdict } = report;
  const byRewriting = obligations.filter((o) => o.verdict === "proved" && o.by === "rewrite").length;
  const undecided = obligations.filter((o) => o.known === "undecided").length;
  const known = obligations.filter((o) => o.known !== undefined).length - undecided;
  const explained = [
    ...(known === 0 ? [] : [`${known} known`]),
    ...(undecided === 0 ? [] : [`${undecided} not decided`]),
  ];
  const notes = new Map([
    ["proved", byRewriting === 0 ? "" : ` (${byRewriting} by rewriting)`],
    ["refuted", explained.length === 0 ? "" : ` (${explained.join(", ")})`],
  ]);
  const parts = count(obligations.map((o) => o.verdict)).map(([name, n]) => `${n} ${name}${notes.get(name) ?? ""}`);
  const cached = obligations.filter((o) => o.cached === true).length;
  const from =
    cached === 0 ? "" : cached === obligations.length ? ", all from the cache" : `, ${cached} from the cache`;
  const what = parts.length === 0 ? "no obligation was checked" : parts.join(", ");
  return `${colors.bold(colorOf(colors, verdict)(verdict))}: ${what}${from}`;
}

/** So many names are listed where many obligations have the same trouble. */
const NAMED = 6;

/** A line for each obligation that is not well; one for all that are so for the same reason. `refinement` is named in it if it is given. */
export function problems(obligations: readonly ObligationReport[], colors: Colors, refinement?: string): string[] {
  const groups = grouped(
    obligations.filter((each) => !isGood(each.verdict)),
    (o) => JSON.stringify([o.verdict, o.method, o.by, o.reason, o.known]),
  );
  return groups.flatMap((group) => {
    // Few are worth a line for each saved file, many one for the folder.
    const lines = group.length > NAMED ? [group] : grouped(group, (o) => o.counterexample ?? "");
    return lines.map((members) => problem(members, colors, refinement));
  });
}

function problem(members: readonly ObligationReport[], colors: Colors, refinement?: string): string {
  const [first] = members;
  if (first === undefined) return "";
  const { verdict, method, by, reason } = first;
  const names = members.slice(0, NAMED).map((o) => o.name);
  const more = members.length > NAMED ? ` and ${members.length - NAMED} more` : "";
  const why = reason === undefined || reason === by ? "" : `: ${reason}`;
  const known = first.known === undefined ? "" : `, ${explanationText(first.known)}`;
  const files = [...new Set(members.flatMap((o) => (o.counterexample === undefined ? [] : [o.counterexample])))];
  const [file] = files;
  const saved =
    file === undefined ? "" : ` → ${files.length === 1 ? file : `${files.length} files in ${dirname(file)}`}`;
  const of = refinement === undefined ? "" : `${refinement} `;
  return `${colorOf(colors, verdict)(verdict)} ${of}${names.join(", ")}${more} (${method}, ${by})${why}${known}${colors.dim(saved)}`;
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups.values()];
}

function count<K extends string>(names: readonly K[]): [K, number][] {
  const counted = new Map<K, number>();
  for (const name of names) counted.set(name, (counted.get(name) ?? 0) + 1);
  return [...counted];
}
