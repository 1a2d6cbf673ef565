/** What refinement files can say, each seen in the terms that it becomes. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { MachineRefinement, Refinement } from "../../../refinement/refinement.js";
import type { Term } from "../../../refinement/terms/term.js";
import { Evaluator, zeroValue } from "../../../refinement/terms/evaluate.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";
import { loadRefinement } from "../../../spec/notation/index.js";
import { memoryFiles, mistakes, refinementOf, short } from "./memory-files.js";

const GUEST = `machine: counter
types: { Mode: "enum { up, down }" }
state:
  n: bits(8)
  x: bits(8)[2]
  mode: Mode
  line: "record { on: bool, v: bits(4) }[2]"
  mem: bytes(4)
traps: { "over(at: bits(8))": 1, stop: 2 }
transitions:
  count(by: bits(8)):
    effect: |
      choose hint: bits(2)
      if n == 255 { raise over(n) }
      n = n + by + zext(hint)
  flip: { effect: "mode = mode == up ? Mode.down : Mode.up" }
`;

const HOST = `machine: buffer
state:
  n: bits(8)
  pending: "record { valid: bool, by: bits(8) }"
  y: { type: "bits(8)[2]", fixed: { 0: 0 } }
  on: bits(2)
  down: bool
  halted: bool
  rest: bits(4)
  mem: bytes(4)
functions:
  "commit()": |
    if pending.valid { n = n + pending.by }
    pending.valid = false
transitions:
  put(by: bits(8)):
    guard: "!pending.valid"
    effect: "pending = { valid: true, by: by }"
  settle: { guard: pending.valid, effect: commit() }
  turn: { effect: "down = !down" }
  irq: { effect: halted = true }
`;

const REFINEMENT = `refinement: buffered
title: A counter with a buffer
kind: test
guest: counter
host: ./buffer.yaml
functions:
  "is_late(): bool": pending.valid
flush: commit()
abstraction:
  n: n
  x[i]: "y[i] + 1"
  mode: "down ? Mode.down : up"
  line[i].on: "bool(on[i])"
  line[i].v: zext(i)
  mem: mem
  trap: "halted ? over(n) : none"
invariant: |
  let limit = 8'd200
  n <=u limit && !(halted && pending.valid) && y[1] == 3
steps:
  put: "by == 0 ? stutter : count(by) with hint = 2'd0"
  settle: stutter
  turn: |
    let twice = n == 7
    if twice { flip then flip then flip } else { match down { true => flip, false => count(1) then flip } }
  irq: environment
rank: zext(bits(pending.valid), 4)
materialize:
  drained:
    at: settle
    by: settle
    precise: "!pending.valid"
    view: { n: n, "x[i]": "y[i]", mode: up, "line[i]": "{ on: true, v: 3 }", mem: mem, trap: none }
  now: { at: halted, steps: "is_late() ? step : stutter" }
concretize:
  n: n
  y[i]: "x[i]"
  mem: mem
  down: mode == down
explore: { small: n == 0 }
environment: [irq]
assume:
  - nothing else writes
  - { text: the mode is even, condition: "n[0] == 0" }
mapping: [{ guest: n, host: n and the buffer }]
faults:
  lost: { title: lost, replace: commit, with: pending.valid = false, expect: { obligation: commute/settle, variable: n } }
  stuck: { in: transitions.turn.effect, replace: "!down", with: "down", materialization: true }
  gone: { in: transitions.irq.effect, replace: nothing, with: "" }
  away: { in: transitions.fly.effect, replace: nothing, with: "" }
`;

const FILES = { "counter.yaml": GUEST, "buffer.yaml": HOST, "refinement.yaml": REFINEMENT };

function asMachine(refinement: Refinement): MachineRefinement {
  if (refinement.form !== "machine") throw new Error("a refinement between machines");
  return refinement;
}

async function buffered(): Promise<MachineRefinement> {
  return asMachine(await refinementOf(FILES));
}

function value(term: Term | undefined, given: Readonly<Record<string, Value>>): Value | undefined {
  const values = new Map(Object.entries(given));
  const evaluator = new Evaluator({ variable: (t) => values.get(t.name) ?? zeroValue(t.sort) });
  return term === undefined ? undefined : evaluator.value(term);
}

const file = (...elements: number[]): FileValue => new FileValue(elements.map(BigInt));

describe("a refinement", () => {
  test("α reads the state that flush leaves", async () => {
    const { abstraction } = await buffered();
    const c = { n: 5n, "pending.valid": 1n, "pending.by": 3n, y: file(0, 9), on: 2n, down: 1n, halted: 1n };
    const a = Object.fromEntries([...abstraction].filter(([k]) => k !== "mem").map(([k, t]) => [k, value(t, c)]));
    expect(a).toEqual({
      n: 8n,
      x: file(1, 10),
      mode: 1n,
      "line.on": file(0, 1),
      "line.v": file(0, 1),
      trap: 1n,
      "trap.value": 8n,
    });
    const mem = MemoryValue.empty(4).store(3n, 1, 7n);
    const found = value(abstraction.get("mem"), { mem });
    expect(found instanceof MemoryValue && found.equals(mem)).toBe(true);
  });

  test("an invariant of one string is its conjuncts", async () => {
    const { invariant } = await buffered();
    expect(invariant.map((i) => i.name)).toEqual(["inv1", "inv2", "inv3"]);
    const holds = (c: Record<string, Value>): (Value | undefined)[] => invariant.map((i) => value(i.term, c));
    expect(holds({ n: 201n, halted: 1n, "pending.valid": 1n })).toEqual([0n, 0n, 0n]);
    expect(holds({ y: file(0, 3) })).toEqual([1n, 1n, 1n]);
  });

  test("steps are cases, the last of which always applies", async () => {
    const { steps } = await buffered();
    const of = (name: string): readonly [string, number, boolean][] =>
      (steps.get(name) ?? []).map((c) => [
        c.steps.map((s) => (s.kind === "any" ? "any" : s.transition)).join(" "),
        c.steps.length,
        c.environment,
      ]);
    expect(of("put")).toEqual([
      ["", 0, false],
      ["count", 1, false],
    ]);
    expect(of("settle")).toEqual([["", 0, false]]);
    expect(of("turn")).toEqual([
      ["flip flip flip", 3, false],
      ["flip", 1, false],
      ["count flip", 2, false],
    ]);
    expect(of("irq")).toEqual([["", 0, true]]);
    for (const cases of steps.values()) expect(value(cases.at(-1)?.condition, {})).toBe(1n);
    const [zero, count] = steps.get("put") ?? [];
    expect([value(zero?.condition, { "put(by)": 0n }), value(zero?.condition, { "put(by)": 1n })]).toEqual([1n, 0n]);
    const step = count?.steps[0];
    expect(
      step?.kind === "transition"
        ? [value(step.arguments[0], { "put(by)": 9n }), value(step.choices.get("hint"), {})]
        : [],
    ).toEqual([9n, 0n]);
    const [thrice, whenDown] = steps.get("turn") ?? [];
    expect([
      value(thrice?.condition, { n: 7n }),
      value(whenDown?.condition, { n: 7n, down: 0n }),
      value(whenDown?.condition, { down: 1n }),
    ]).toEqual([1n, 0n, 1n]);
  });

  test("rank, materialization, concretization and the rest", async () => {
    const r = await buffered();
    expect([value(r.rank, { "pending.valid": 1n }), r.rank?.sort]).toMatchObject([1n, { width: 4 }]);
    const [drained, now] = r.materialize;
    expect([drained?.name, now?.name]).toEqual(["drained", "now"]);
    expect(value(drained?.at, { "pending.valid": 1n })).toBe(1n);
    expect([...(drained?.by.keys() ?? [])].sort()).toEqual(["n", "pending.valid"]);
    expect(value(drained?.precise, { "pending.valid": 1n })).toBe(0n);
    expect([...(drained?.view.keys() ?? [])].sort()).toEqual([...r.abstraction.keys()].sort());
    expect(value(drained?.view.get("line.v"), {})).toEqual(file(3, 3));
    expect(now?.view).toBe(r.abstraction);
    expect(now?.by.size).toBe(0);
    expect(now?.steps.map((s) => s.steps.length)).toEqual([1, 0]);
    // What γ does not name is zero, fixed elements at their values.
    const a = { n: 4n, x: file(7, 8), mode: 1n };
    const gamma = Object.fromEntries(
      [...(r.concretize ?? [])].filter(([k]) => k !== "mem").map(([k, t]) => [k, value(t, a)]),
    );
    expect(gamma).toEqual({
      n: 4n,
      "pending.valid": 0n,
      "pending.by": 0n,
      y: file(7, 8),
      on: 0n,
      down: 1n,
      halted: 0n,
      rest: 0n,
    });
    expect(r.explore.map((e) => e.name)).toEqual(["small"]);
    expect(r.environment).toEqual(["irq"]);
    expect(r.assumptions.map((x) => [x.text, value(x.condition, { n: 1n })])).toEqual([
      ["nothing else writes", undefined],
      ["the mode is even", 0n],
      ["what is explored begins in states of `explore` (`small`), and nowhere else", undefined],
      ["the environment lets the host get on: `irq` can stutter, and no rank has to fall there", undefined],
    ]);
    expect(r.mapping).toEqual([{ guest: "n", host: "n and the buffer" }]);
    expect([r.name, r.title, r.kind, r.guest.name, r.host.name, r.fault]).toEqual([
      "buffered",
      "A counter with a buffer",
      "test",
      "counter",
      "buffer",
      undefined,
    ]);
  });

  test.each([
    ["at(a: bits(4), b: bits(8)): 1", undefined],
    ["at(a: bits(4), b: bits(8)):", undefined],
    ["at(a: bits(4), b: bits(8)): 2", /E_ABSTRACTION: .* has not the same traps/],
    ["at(a: bits(8), b: bits(4)): 1", /E_ABSTRACTION: .* has not the same traps/],
  ])("a host's trap %s stands for the guest's only if it is the same", async (trap, mistake) => {
    const machine = (name: string, of: string) =>
      `machine: ${name}\nstate: { n: bits(4) }\ntraps:\n  ${of}\ntransitions:\n  go: { effect: n = n }\n`;
    const loading = refinementOf({
      "g.yaml": machine("g", "at(a: bits(4), b: bits(8)): 1"),
      "h.yaml": machine("h", trap),
      "refinement.yaml": "refinement: r\nguest: g\nhost: h\nabstraction: { n: n }\nsteps: { go: go }\n",
    });
    if (mistake === undefined) await loading;
    else await expect(loading).rejects.toThrow(mistake);
  });

  test("an uninterpreted function that both sides name is an assumption", async () => {
    const machine = (name: string) =>
      `machine: ${name}\nstate: { n: bits(4) }\nuninterpreted:\n  f(a: bits(4)): bits(4)\ntransitions:\n  go: { effect: n = f(n) }\n`;
    const { assumptions } = await refinementOf({
      "g.yaml": machine("g"),
      "h.yaml": machine("h"),
      "refinement.yaml": "refinement: r\nguest: g\nhost: h\nabstraction: { n: n }\nsteps: { go: go }\n",
    });
    expect(assumptions.map((a) => a.text)).toEqual(["`f` of guest and host is the same function, whichever that is"]);
  });

  test("what of the guest no step stands for is an assumption", async () => {
    const without = REFINEMENT.replace(/put: .*/, "put: stutter").replace("count(1) then flip", "flip");
    const { assumptions } = await refinementOf({ ...FILES, "refinement.yaml": without });
    expect(assumptions.at(-1)?.text).toBe("the guest need never take `count`: no step of the host stands for it");
  });

  test("a fault changes the host, its digest, and nothing else", async () => {
    const right = await buffered();
    const lost = asMachine(await refinementOf(FILES, "lost"));
    const settle = (r: MachineRefinement): readonly string[] => [
      ...(r.host.transitions.find((t) => t.name === "settle")?.effect.assigns.keys() ?? []),
    ];
    expect([...settle(right)].sort()).toEqual(["n", "pending.valid"]);
    expect(settle(lost)).toEqual(["pending.valid"]);
    expect(lost.fault).toBe("lost");
    expect(lost.host.digest).not.toBe(right.host.digest);
    expect(lost.guest.digest).toBe(right.guest.digest);
    expect(right.faults.map((f) => [f.name, f.obligation, f.variable, f.materialization])).toEqual([
      ["lost", "commute/settle", "n", false],
      ["stuck", "*", undefined, true],
      ["gone", "*", undefined, false],
      ["away", "*", undefined, false],
    ]);
    const stuck = asMachine(await refinementOf(FILES, "stuck"));
    expect(stuck.host.transitions.find((t) => t.name === "turn")?.effect.assigns.size).toBe(0);
  });

  test("faults that cannot be put in", async () => {
    const line = REFINEMENT.split("\n").findIndex((l) => l.includes("gone:")) + 1;
    expect(short(await mistakes(refinementOf(FILES, "gone")))).toEqual([`${line}:48 E_FAULT`]);
    expect(short(await mistakes(refinementOf(FILES, "away")))).toEqual([`${line + 1}:48 E_FAULT`]);
    const [unknown] = await mistakes(refinementOf(FILES, "losd"));
    expect(unknown?.message).toBe("there is no fault `losd`; did you mean `lost`?");
  });

  test("mistakes in a fault's text stand where that text stands", async () => {
    const wrong = {
      ...FILES,
      "refinement.yaml": REFINEMENT.replace("with: pending.valid = false", "with: pending.vlid = false"),
    };
    const [mistake] = await mistakes(refinementOf(wrong, "lost"));
    const line = REFINEMENT.split("\n").findIndex((l) => l.includes("lost:")) + 1;
    expect(mistake?.place).toEqual({ file: "refinement.yaml", line, column: 55 });
    expect(mistake?.code).toBe("E_UNKNOWN");
    // Without the fault nobody reads its text.
    expect(await mistakes(refinementOf(wrong))).toEqual([]);
  });

  test("the host's own traps are the guest's, where they are the same", async () => {
    const same = {
      "guest.yaml":
        'machine: g\nstate: { n: bits(4) }\ntraps: { "over(at: bits(4))": 1 }\ntransitions: { up: { effect: "if n == 15 { raise over(n) }\\nn = n + 1" } }\n',
      "refinement.yaml": "refinement: same\nguest: guest\nhost: guest\nabstraction: { n: n }\nsteps: { up: up }\n",
    };
    const r = asMachine(await refinementOf(same));
    expect([...r.abstraction].map(([k, t]) => [k, t.op, t.name])).toEqual([
      ["n", "var", "n"],
      ["trap", "var", "trap"],
      ["trap.value", "var", "trap.value"],
    ]);
    // Other traps have to be told apart.
    const more = {
      ...same,
      "host.yaml":
        'machine: h\nstate: { n: bits(4) }\ntraps: { "under(at: bits(4))": 1, "over(at: bits(4))": 2 }\ntransitions: { up: { effect: "if n == 15 { raise over(n) }\\nn = n + 1" } }\n',
      "refinement.yaml":
        "refinement: other\nguest: guest\nhost: host\nabstraction: { n: n, trap: 'trap == under ? none : trap' }\nsteps: { up: up }\n",
    };
    expect(short(await mistakes(refinementOf(more)))).toEqual(["4:52 E_TRAP"]);
    const mapped = {
      ...more,
      "refinement.yaml": more["refinement.yaml"].replace(
        "trap == under ? none : trap",
        "trap == over ? over(trap.value) : none",
      ),
    };
    const m = asMachine(await refinementOf(mapped));
    expect([value(m.abstraction.get("trap"), { trap: 2n }), value(m.abstraction.get("trap"), { trap: 1n })]).toEqual([
      1n,
      0n,
    ]);
    expect(value(m.abstraction.get("trap.value"), { trap: 2n, "trap.value": 9n })).toBe(9n);
  });

  test("an emulator", async () => {
    const files = {
      "counter.yaml": GUEST,
      "vm/refinement.yaml":
        "refinement: box\nguest: ../counter.yaml\nemulator: { module: ./driver.ts, speed: 3, list: [a, true] }\nfaults:\n  odd: { in: transitions.flip.effect, replace: Mode.down, with: Mode.up }\n",
    };
    const load = (fault?: string): Promise<Refinement> =>
      loadRefinement("vm/refinement.yaml", { files: memoryFiles(files), ...(fault === undefined ? {} : { fault }) });
    const r = await load();
    expect(r.form === "emulator" ? r.emulator : undefined).toEqual({
      kind: "module",
      module: "vm/driver.ts",
      options: { speed: 3, list: ["a", true] },
    });
    // A fault of a black box is one of the definition it is compared with.
    expect((await load("odd")).guest.digest).not.toBe(r.guest.digest);
  });
});

test("what a browser loads needs no platform", () => {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = readFileSync(path, "utf8");
    for (const match of text.matchAll(/^(?:import|export) (?!type\b)[^;]*? from "([^"]+)";/gm)) {
      const [, target = ""] = match;
      expect(target, path).not.toMatch(/^node:/);
      if (target.startsWith(".")) visit(join(dirname(path), target.replace(/\.js$/, ".ts")));
    }
  };
  visit("spec/notation/load.ts");
  expect(seen.size).toBeGreaterThan(30);
  expect(seen).not.toContain("spec/notation/files.ts");
  expect(readdirSync("spec/notation")).toContain("files.ts");
});
