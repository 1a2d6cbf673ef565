/** The counterexamples of a report, for a reader: one of each kind whole, of the others what they are. */
import type { Finding, RefinementReport } from "../refinement/campaign/report.js";

/** So many counterexamples of a refinement are shown whole; all of them are saved. */
const SHOWN = 5;

/** Of those that are alike, the first is shown; of the others, what they are. */
export async function renderFindings(r: RefinementReport, findings: readonly Finding[]): Promise<string[]> {
  const { renderCounterexample } = await import("../refinement/counterexample-text.js");
  const { loadRefinement } = await import("../spec/notation/index.js");
  const refinement = await loadRefinement(r.file, r.fault === undefined ? {} : { fault: r.fault });
  const alike = new Map<string, Finding[]>();
  for (const f of findings) {
    const { obligation, variable } = f.counterexample.cause;
    // Of a translator, instructions of one name are alike, whatever their operands.
    const [of = ""] = obligation.split("/").slice(0, 2).join("/").split(" ");
    const key = `${of} ${variable.replace(/\[.*?\]/, "")}`;
    alike.set(key, [...(alike.get(key) ?? []), f]);
  }
  const groups = [...alike.values()];
  const lines = groups
    .slice(0, SHOWN)
    .flatMap(([first, ...others]) => [
      "",
      ...(first === undefined ? [] : renderCounterexample(first.counterexample, refinement).split("\n")),
      ...others
        .filter((f, i) => isOtherCause(f, [first, ...others.slice(0, i)]))
        .map((f) => `  also ${f.obligation}: ${titleOf(f)}`),
    ]);
  const left = groups.slice(SHOWN).flat().length;
  return left === 0 ? lines : [...lines, "", `and ${left} more; --save DIR keeps them all`];
}

/** The same cause found by two methods is one bug. */
function isOtherCause(f: Finding, earlier: readonly (Finding | undefined)[]): boolean {
  const { obligation, variable } = f.counterexample.cause;
  return !earlier.some(
    (e) => e?.counterexample.cause.obligation === obligation && e.counterexample.cause.variable === variable,
  );
}

function titleOf({ obligation, counterexample }: Finding): string {
  return counterexample.title.replace(`${obligation}: `, "");
}
