import { expect, test, vi } from "vitest";
import { follow } from "../../cli/follow.js";
import { Output } from "../../cli/terminal/output.js";
import type { ObligationReport } from "../../refinement/campaign/report.js";

test("what is not well is told once a task is done: a line for all obligations with the same trouble", () => {
  const lines: string[] = [];
  const out = new Output({ color: false });
  vi.spyOn(out, "note").mockImplementation((line) => void lines.push(line));
  vi.spyOn(out.progress, "update").mockImplementation(() => undefined);
  const hear = follow(out);
  const settled = (name: string, verdict: ObligationReport["verdict"], reason?: string): void =>
    hear({
      kind: "settled",
      refinement: "vm",
      obligation: {
        name,
        verdict,
        method: "explore",
        by: "states",
        ms: 1,
        ...(reason === undefined ? {} : { reason }),
      },
      done: 1,
      total: 2,
    });
  const cut = "ended 8192 states after the first counterexample";
  settled("commute/a", "refuted");
  for (let i = 0; i < 9; i++) settled(`invariant/${i}`, "unknown", cut);
  settled("commute/b", "explored");
  expect(lines).toEqual([]);
  const task = { refinement: "vm", task: "*", method: "explore" } as const;
  hear({ kind: "ended", ...task, done: 1, total: 2 });
  expect(lines).toEqual([
    "refuted vm commute/a (explore, states)",
    `unknown vm ${[0, 1, 2, 3, 4, 5].map((i) => `invariant/${i}`).join(", ")} and 3 more (explore, states): ${cut}`,
  ]);
  hear({ kind: "ended", ...task, done: 2, total: 2 });
  expect(lines).toHaveLength(2);
});
