/** A campaign's report as JUnit XML: a suite for each refinement, a case for each obligation. */
import { explanationText } from "../refinement/counterexample.js";
import type { Finding, ObligationReport, RefinementReport, Report } from "../refinement/campaign/report.js";
import { unreachable } from "../refinement/errors.js";

export function junit(report: Report, findings: readonly Finding[]): string {
  const suites = report.refinements.map((r) =>
    suite(
      r,
      findings.filter((f) => f.refinement === r.name),
    ),
  );
  const total = report.refinements.flatMap((r) => r.obligations);
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="commute" tests="${total.length}" ${counts(total)} time="${report.seconds.toFixed(3)}">
${suites.join("\n")}
</testsuites>
`;
}

function suite(refinement: RefinementReport, findings: readonly Finding[]): string {
  const { name, obligations, assumptions, skipped } = refinement;
  const time = obligations.reduce((sum, o) => sum + o.ms, 0) / 1000;
  const properties = [
    ...assumptions.map((text) => property("assumption", text)),
    ...(skipped ?? []).map(({ program, remedy }) => property("skipped", `${program} is needed: ${remedy}`)),
  ];
  const cases = obligations.map((o) =>
    testcase(
      name,
      o,
      findings.find((f) => f.obligation === o.name && f.method === o.method),
    ),
  );
  return [
    `  <testsuite name="${escapeXml(name)}" tests="${obligations.length}" ${counts(obligations)} time="${time.toFixed(3)}">`,
    ...(properties.length === 0 ? [] : ["    <properties>", ...properties, "    </properties>"]),
    ...cases,
    "  </testsuite>",
  ].join("\n");
}

function property(name: string, value: string): string {
  return `      <property name="${name}" value="${escapeXml(value)}"/>`;
}

function testcase(suiteName: string, obligation: ObligationReport, finding: Finding | undefined): string {
  const { name, method, ms } = obligation;
  const head = `    <testcase classname="${escapeXml(suiteName)}" name="${escapeXml(`${name} (${method})`)}" time="${(ms / 1000).toFixed(3)}"`;
  const problem = problemOf(obligation, finding);
  return problem === undefined ? `${head}/>` : `${head}>\n      ${problem}\n    </testcase>`;
}

function problemOf(obligation: ObligationReport, finding: Finding | undefined): string | undefined {
  switch (obligation.verdict) {
    case "proved":
    case "explored":
    case "tested":
      return undefined;
    case "refuted": {
      const title = finding?.counterexample.title ?? obligation.name;
      const known = obligation.known === undefined ? [] : [explanationText(obligation.known)];
      const body = [obligation.counterexample ?? title, ...known].join("; ");
      return `<failure type="refuted" message="${escapeXml(title)}">${escapeXml(body)}</failure>`;
    }
    case "unknown":
    case "unsupported":
    case "vacuous": {
      const reason = obligation.reason ?? obligation.by;
      return `<error type="${obligation.verdict}" message="${escapeXml(reason)}"/>`;
    }
    default:
      return unreachable(obligation.verdict);
  }
}

function counts(obligations: readonly ObligationReport[]): string {
  const problems = obligations.map((o) => problemOf(o, undefined));
  const failures = problems.filter((p) => p?.startsWith("<failure")).length;
  const errors = problems.filter((p) => p?.startsWith("<error")).length;
  return `failures="${failures}" errors="${errors}"`;
}

/** Text for an attribute or element; what XML 1.0 cannot carry becomes U+FFFD. */
export function escapeXml(text: string): string {
  return [...text].map((c) => ENTITIES[c] ?? (isXmlCharacter(c.codePointAt(0) ?? 0) ? c : "\uFFFD")).join("");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  "\n": "&#10;",
  "\r": "&#13;",
  "\t": "&#9;",
};

function isXmlCharacter(code: number): boolean {
  return (code >= 0x20 && code <= 0xd7ff) || (code >= 0xe000 && code <= 0xfffd) || code >= 0x10000;
}
