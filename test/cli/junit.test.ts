import { describe, expect, test } from "vitest";
import { escapeXml, junit } from "../../cli/junit.js";
import type { ObligationReport, Report } from "../../refinement/campaign/report.js";

function obligation(more: Partial<ObligationReport>): ObligationReport {
  return { name: "commute/cycle", verdict: "proved", method: "prove", by: "rewrite", ms: 1500, ...more };
}

const REPORT: Report = {
  version: 1,
  verdict: "refuted",
  seconds: 2,
  seed: 42,
  refinements: [
    {
      name: "a <b> & 'c'",
      title: "t",
      kind: "k",
      file: "f",
      verdict: "refuted",
      assumptions: ['"quoted" & <tagged>'],
      obligations: [
        obligation({}),
        obligation({ name: "commute/x", verdict: "refuted", by: "random", counterexample: "c/x-1.yaml" }),
        obligation({ name: "commute/y", verdict: "unknown", by: "timeout", reason: "10 s\nwere not enough \u0000" }),
        obligation({ name: "commute/*", verdict: "tested", method: "test", by: "cases", count: 10 }),
        obligation({ name: "commute/z", verdict: "vacuous", by: "rewrite", reason: "never" }),
      ],
    },
    {
      name: "absent",
      title: "t",
      kind: "k",
      file: "f",
      verdict: "inconclusive",
      assumptions: [],
      obligations: [],
      skipped: [{ program: "qemu", remedy: "apt install <it>" }],
    },
  ],
};

/** Elements in order of appearance; throws where tags do not nest or a character has no place in XML. */
function elements(xml: string): { readonly name: string; readonly attributes: Readonly<Record<string, string>> }[] {
  const found: { name: string; attributes: Record<string, string> }[] = [];
  const open: string[] = [];
  const TOKEN = /<\?xml [^?]*\?>|<(\/?)([a-z]+)((?: [a-z]+="[^"<]*")*)(\/?)>|[^<>]+/g;
  let end = 0;
  for (const match of xml.matchAll(TOKEN)) {
    if (match.index !== end) throw new Error(`not XML at ${xml.slice(end, end + 40)}`);
    end += match[0].length;
    if (/&(?!(amp|lt|gt|quot|apos|#\d+);)/.test(match[0])) throw new Error(`a bare & in ${match[0]}`);
    const [, closing, name = "", attributes = "", empty] = match;
    if (name === "") continue;
    if (closing === "/") {
      if (open.pop() !== name) throw new Error(`</${name}> closes nothing`);
      continue;
    }
    if (empty !== "/") open.push(name);
    found.push({
      name,
      attributes: Object.fromEntries(
        [...attributes.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, k = "", v = ""]) => [k, v]),
      ),
    });
  }
  if (end !== xml.length || open.length > 0) throw new Error("not well-formed");
  return found;
}

describe("JUnit XML", () => {
  const all = elements(junit(REPORT, []));

  test("has a suite for each refinement and a case for each obligation, escaped", () => {
    const suites = all.filter((e) => e.name === "testsuite").map((e) => e.attributes);
    expect(suites[0]).toMatchObject({
      name: "a &lt;b&gt; &amp; &apos;c&apos;",
      tests: "5",
      failures: "1",
      errors: "2",
    });
    expect(suites[1]).toMatchObject({ name: "absent", tests: "0", failures: "0", errors: "0" });
    expect(all.filter((e) => e.name === "testcase").map((e) => e.attributes["name"])).toEqual([
      "commute/cycle (prove)",
      "commute/x (prove)",
      "commute/y (prove)",
      "commute/* (test)",
      "commute/z (prove)",
    ]);
    expect(all[0]?.attributes).toMatchObject({ tests: "5", failures: "1", errors: "2" });
  });

  test("only good news is without a failure or an error", () => {
    expect(all.filter((e) => e.name === "failure").map((e) => e.attributes["type"])).toEqual(["refuted"]);
    expect(all.filter((e) => e.name === "error").map((e) => e.attributes["type"])).toEqual(["unknown", "vacuous"]);
  });

  test("carries no character that XML cannot", () => {
    expect(escapeXml("a\u0000\u001b\ud800b\n")).toBe("a\ufffd\ufffd\ufffdb&#10;");
    expect(() => elements("<a><b></a>")).toThrow();
    expect(() => elements('<a x="&"/>')).toThrow();
  });
});
