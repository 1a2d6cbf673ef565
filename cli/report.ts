/** A refinement's verdicts for a reader: grouped, counted, with what they rest on. */
import type { ObligationReport, RefinementReport } from "../refinement/campaign/report.js";
import { isGood } from "../refinement/verdict.js";
import type { Colors } from "./terminal/output.js";
import { duration } from "./terminal/progress.js";
import { table } from "./terminal/table.js";
import { colorOf } from "./terminal/verdict-color.js";

/** The lines for one refinement. Where all is well obligations appear as groups; one that is not appears by name. */
export function renderRefinement(report: RefinementReport, colors: Colors): string[] {
  const { bold, dim, yellow } = colors;
  const fault = report.fault === undefined ? "" : yellow(` with the seeded fault ${report.fault}`);
  const head = `${bold(report.name)}${fault}  ${dim(report.title)}`;
  if (report.skipped !== undefined) {
    const missing = report.skipped.map(({ program, remedy }) => `    ${program} is not installed: ${remedy}`);
    return [head, `  ${yellow("skipped")}`, ...missing];
  }
  const rows = groups(report.obligations).map((group) => [
    group.name,
    group.method,
    tally(group.members, (o) => o.verdict, (verdict, text) => colorOf(colors, verdict)(text)),
    tally(group.members, (o) => o.by, (_, text) => dim(text)),
    duration(group.members.reduce((sum, o) => sum + o.ms, 0) / 1000),
  ]);
  const body = table([["obligation", "method", "verdict", "by", "time"].map(dim), ...rows], ["left", "left", "left", "left", "right"]);
  return [
    head,
    ...body.map((line) => `  ${line}`),
    ...report.obligations.filter((o) => !isGood(o.verdict)).map((o) => `  ${problem(o, colors)}`),
    ...report.assumptions.map((text) => `  ${dim("assumes")} ${text}`),
    `  ${conclusion(report, colors)}`,
  ];
}

/** `holds: 40 proved (31 by rewriting), 3 tested, from the cache` */
export function conclusion(report: RefinementReport, colors: Colors): string {
  const { obligations, verdict } = report;
  const byRewriting = obligations.filter((o) => o.verdict === "proved" && o.by === "rewrite").length;
  const parts = count(obligations.map((o) => o.verdict)).map(
    ([name, n]) => `${n} ${name}${name === "proved" && byRewriting > 0 ? ` (${byRewriting} by rewriting)` : ""}`,
  );
  const seeds = [...new Set(obligations.flatMap((o) => (o.seed === undefined ? [] : [o.seed])))];
  const tested = obligations.some((o) => o.verdict === "tested") ? `, seed ${seeds.join(", ")}` : "";
  const cached = obligations.filter((o) => o.cached === true).length;
  const from =
    cached === 0 ? "" : cached === obligations.length ? ", all from the cache" : `, ${cached} from the cache`;
  const what = parts.length === 0 ? "no obligation was checked" : parts.join(", ");
  return `${colors.bold(colorOf(colors, verdict)(verdict))}: ${what}${tested}${from}`;
}

function problem(o: ObligationReport, colors: Colors): string {
  const saved = o.counterexample === undefined ? "" : colors.dim(` → ${o.counterexample}`);
  const reason = o.reason === undefined ? "" : `: ${o.reason}`;
  return `${colorOf(colors, o.verdict)(o.verdict)} ${o.name} (${o.method}, ${o.by})${reason}${saved}`;
}

interface Group {
  readonly name: string;
  readonly method: string;
  readonly members: readonly ObligationReport[];
}

/** Obligations that differ in the last of three parts of their names belong together: `commute/cycle/addi`, `…/sub`, … */
function groups(obligations: readonly ObligationReport[]): Group[] {
  const found = new Map<string, ObligationReport[]>();
  for (const o of obligations) {
    const key = `${o.method} ${o.name.split("/").slice(0, 2).join("/")}`;
    const members = found.get(key);
    if (members === undefined) found.set(key, [o]);
    else members.push(o);
  }
  return [...found.values()].map((members) => {
    const first = members[0]?.name ?? "";
    return {
      name: members.length === 1 ? first : `${first.split("/").slice(0, 2).join("/")}/… (${members.length})`,
      method: members[0]?.method ?? "",
      members,
    };
  });
}

function tally<K extends string>(
  members: readonly ObligationReport[],
  key: (o: ObligationReport) => K,
  paint: (key: K, text: string) => string,
): string {
  const counted = count(members.map(key));
  return counted.map(([name, n]) => paint(name, counted.length === 1 ? name : `${n} ${name}`)).join(", ");
}

function count<K extends string>(names: readonly K[]): [K, number][] {
  const counted = new Map<K, number>();
  for (const name of names) counted.set(name, (counted.get(name) ?? 0) + 1);
  return [...counted];
}

