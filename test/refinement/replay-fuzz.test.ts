/** Whatever a counterexample file says, replaying it ends in an answer or in a clear error, and soon. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { replayFile } from "../../refinement/replay.js";
import { loadRefinement } from "../../spec/notation/index.js";

const FILE = "impl/tiny-pipeline/refinement.yaml";
const LINES = `counterexample: "materialize/interrupt: r[0] is 0x1, and ought to be 0x2"
refinement: tiny-pipeline
obligation: materialize/interrupt
fault: interrupt-early
found: { by: test, seed: 42, date: 2026-11-27 }
machines:
  guest: "00"
  host: "01"
guest:
  code: "00"
  assembly:
    - add r0, r0
  pc: 0x0
state:
  r[0]: 0x1
  ifex.valid: 0x0
schedule:
  - cycle
  - cycle
  - interrupt
differs:
  - variable: r[0]
    guest: 0x2
    host: 0x1
expect: refuted
cause:
  obligation: materialize/interrupt
  variable: r[0]`.split("\n");

const VALUES = [
  ...["0x", "-1", "0x1ffffffffffffffff", "null", "true", "[]", "{}", '"zz"', "~", "2.5"],
  ...["holds", "cycle", "take_interrupt", "{ cycle: { irq: 1 } }", "no-such-fault", "branch-stale"],
  ...["initial", "inverse", "invariant/cycle", "commute/cycle/add", "progress/cycle", "materialize/none"],
];
const KEYS = ["r[9]", "r", "rom[15]", "ifex.ir", "exwb.kind", "trap", "trap.value", "mem[0x0]", "d[0x1]", "pc[0]"];

const at = fc.nat(LINES.length - 1);
const edit = fc.oneof(
  fc.record({ kind: fc.constant("value" as const), at, value: fc.constantFrom(...VALUES) }),
  fc.record({ kind: fc.constant("key" as const), at, value: fc.constantFrom(...KEYS) }),
  fc.record({ kind: fc.constant("delete" as const), at }),
  fc.record({ kind: fc.constant("copy" as const), at, to: at }),
);

/** The file with some of its lines changed, lost or repeated elsewhere. */
const files = fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) => {
  const lines = [...LINES];
  for (const e of edits) {
    const line = lines[e.at] ?? "";
    switch (e.kind) {
      case "value":
        lines[e.at] = line.includes(": ") ? line.replace(/: .*/, `: ${e.value}`) : line.replace(/- .*/, `- ${e.value}`);
        break;
      case "key":
        lines[e.at] = line.replace(/^(\s*)[^:]*:/, `$1${e.value}:`);
        break;
      case "delete":
        lines.splice(e.at, 1);
        break;
      case "copy":
        lines.splice(e.to, 0, line);
        break;
      default:
        e satisfies never;
    }
  }
  return lines.join("\n");
});

test("a counterexample file, mutated", { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "commute-"));
  const known = new Map<string | undefined, ReturnType<typeof loadRefinement>>();
  const load = (_: string, fault: string | undefined) => {
    const loading = known.get(fault) ?? loadRefinement(FILE, fault === undefined ? {} : { fault });
    known.set(fault, loading);
    return loading;
  };
  const seen = new Set<string>();
  try {
    const file = path.join(folder, "case.yaml");
    await writeFile(file, LINES.join("\n"));
    expect(await replayFile(file, { load })).toMatchObject({ got: "refuted", ok: true });
    await fc.assert(
      fc.asyncProperty(files, async (text) => {
        await writeFile(file, text);
        const { got, message } = await replayFile(file, { load });
        seen.add(got);
        if (got === "error") expect(message).toMatch(/\S/);
        expect(message ?? "").not.toMatch(/\bundefined\b|NaN|\[object/);
      }),
      { numRuns: 400, seed: 5 },
    );
  } finally {
    await rm(folder, { recursive: true });
  }
  expect([...seen].sort()).toEqual(["error", "holds", "refuted"]);
});
