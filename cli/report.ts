/** A refinement's verdicts for a reader: a table of kinds of obligation by method, what is not well by name, what it rests on. */
import type { ObligationReport, RefinementReport } from "../refinement/campaign/report.js";
import { isGood, type Method } from "../refinement/verdict.js";
import type { Colors } from "./terminal/output.js";
import { duration } from "./terminal/progress.js";
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
  return [
    head,
    ...verdictTable(report.obligations, colors).map((line) => `  ${line}`),
    ...problems(report.obligations, colors).map((line) => `  ${line}`),
    ...covered(report.obligations).map((line) => `  ${dim("tests ran")} ${line}`),
    ...(report.assumptions.length === 0
      ? [dim("  assumes nothing")]
      : report.assumptions.map((text) => `  ${dim("assumes")} ${text}`)),
    `  ${conclusion(report, colors)}`,
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
  return [...new Set(obligations.flatMap((o) => (o.coverage === undefined ? [] : [o.coverage])))];
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

/** `holds: 40 proved (31 by rewriting), 3 tested, all from the cache` */
function conclusion(report: RefinementReport, colors: Colors): string {
  const { obligations, verdict } = report;
  const byRewriting = obligations.filter((o) => o.verdict === "proved" && o.by === "rewrite").length;
  const parts = count(obligations.map((o) => o.verdict)).map(
    ([name, n]) => `${n} ${name}${name === "proved" && byRewriting > 0 ? ` (${byRewriting} by rewriting)` : ""}`,
  );
  const cached = obligations.filter((o) => o.cached === true).length;
  const from =
    cached === 0 ? "" : cached === obligations.length ? ", all from the cache" : `, ${cached} from the cache`;
  const what = parts.length === 0 ? "no obligation was checked" : parts.join(", ");
  return `${colors.bold(colorOf(colors, verdict)(verdict))}: ${what}${from}`;
}

/** So many names are listed where many obligations have the same trouble. */
const NAMED = 6;

/** A line for each obligation that is not well; one for all that are so for the same reason. */
function problems(obligations: readonly ObligationReport[], colors: Colors): string[] {
  const groups = new Map<string, ObligationReport[]>();
  for (const o of obligations.filter((each) => !isGood(each.verdict))) {
    const key = JSON.stringify([o.verdict, o.method, o.by, o.reason, o.counterexample]);
    groups.set(key, [...(groups.get(key) ?? []), o]);
  }
  return [...groups.values()].flatMap((members) => {
    const [first] = members;
    if (first === undefined) return [];
    const { verdict, method, by, reason, counterexample } = first;
    const names = members.slice(0, NAMED).map((o) => o.name);
    const more = members.length > NAMED ? ` and ${members.length - NAMED} more` : "";
    const why = reason === undefined || reason === by ? "" : `: ${reason}`;
    const saved = counterexample === undefined ? "" : colors.dim(` → ${counterexample}`);
    return [`${colorOf(colors, verdict)(verdict)} ${names.join(", ")}${more} (${method}, ${by})${why}${saved}`];
  });
}

function count<K extends string>(names: readonly K[]): [K, number][] {
  const counted = new Map<K, number>();
  for (const name of names) counted.set(name, (counted.get(name) ?? 0) + 1);
  return [...counted];
}
