import { afterAll, describe, expect, it } from "vitest";
import { Discharger, Solvers } from "../../../refinement/campaign/discharge.js";
import { checkStep } from "../../../refinement/execute/commute.js";
import { stateOfRecord } from "../../../refinement/counterexample-state.js";
import type { MachineRefinement } from "../../../refinement/refinement.js";
import { add, and, bvnot, constant, eq, extract, ite, ne, TRUE, urem, zext } from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import type { Verdict } from "../../../refinement/verdict.js";
import { ANY, machine, refinement, state, step, take, word } from "../diagram/by-hand.js";
import { type Break, counter } from "../diagram/counter.js";

const solvers = new Solvers("auto", undefined);
afterAll(() => solvers.close());

async function verdicts(r: MachineRefinement, timeoutMs = 20_000): Promise<Record<string, Verdict>> {
  const options = { seed: 42, timeoutMs, memoryMb: 1024, signal: undefined, date: "2026-01-01" };
  const discharger = new Discharger(r, options, solvers);
  const found: Record<string, Verdict> = {};
  for (const o of discharger.obligations) found[o.name] = (await discharger.discharge(o)).verdict;
  return found;
}

function names(found: Record<string, Verdict>): Record<string, string> {
  return Object.fromEntries(Object.entries(found).map(([name, v]) => [name, v.verdict]));
}

describe("a correct refinement", () => {
  it("is proved, obligation by obligation", async () => {
    const found = await verdicts(counter());
    expect(Object.values(names(found)).every((v) => v === "proved")).toBe(true);
    expect(found["initial"]).toEqual({ verdict: "proved", by: "rewrite" });
  });
});

describe("a wrong one", () => {
  const culprits: readonly [Break, string, string][] = [
    ["initial", "initial", "initial"],
    ["invariant", "invariant/prepare", "prepared"],
    ["commute", "commute/commit/tick", "count"],
    ["trap", "commute/commit/tick", "trap"],
    ["trap-value", "commute/commit/tick", "trap.value"],
    ["stuck", "progress", "enabled"],
    ["enabled", "commute/commit/enabled", "enabled"],
    ["progress", "progress/prepare", "rank"],
    ["materialize", "materialize/interrupt", "precise"],
    ["inverse", "inverse", "count"],
  ];
  it.each(culprits)(
    "in %s is refuted at %s, %s, by a small counterexample that runs",
    async (broken, name, variable) => {
      const r = counter(broken);
      const found = await verdicts(r);
      const verdict = found[name];
      if (verdict?.verdict !== "refuted") throw new Error(`${name} is ${JSON.stringify(verdict)}`);
      const { counterexample } = verdict;
      expect(counterexample.differs.map((d) => d.variable)).toContain(variable);
      expect(counterexample).toMatchObject({ obligation: name, expect: "refuted", refinement: `counter-${broken}` });
      expect(Object.keys(counterexample.state).length).toBeLessThan(6);
      const [last] = counterexample.schedule;
      if (last !== undefined) {
        const report = checkStep(r, stateOfRecord(r.host, counterexample.state), last);
        expect(report.violations.map((v) => v.obligation)).toContain(name);
      }
      for (const [other, v] of Object.entries(found)) {
        if (other.split("/")[0] !== name.split("/")[0]) expect([other, v.verdict]).toEqual([other, "proved"]);
      }
    },
  );

  it("whose invariant contradicts itself is vacuous", async () => {
    const found = names(await verdicts(counter("vacuous")));
    expect(found["commute/commit/tick"]).toBe("vacuous");
    expect(found["invariant/prepare"]).toBe("vacuous");
    expect(found["progress/prepare"]).toBe("vacuous");
    // That no initial state satisfies I is no vacuity but plainly wrong.
    expect(found["initial"]).toBe("refuted");
  });

  it("without a rank is unsupported, not proved", async () => {
    expect((await verdicts(counter("no-rank")))["progress/prepare"]?.verdict).toBe("unsupported");
  });
});

it("a step that could be any of several of the guest's is not taken for one of them", async () => {
  const a = state("a", word(4));
  const go = (by: bigint) => ({ assigns: { a: add(a, constant(4, by)) } });
  const guest = machine("either", { state: { a: word(4) }, transitions: { up: go(1n), down: go(15n) } });
  const host = machine("one", { state: { a: word(4) }, transitions: { go: go(1n) } });
  const found = await verdicts(refinement("several", { guest, host, abstraction: { a }, steps: { go: [step(ANY)] } }));
  expect(found["commute/go/down"]).toMatchObject({
    verdict: "unknown",
    by: "steps",
    reason: expect.stringMatching(/`up`, `down`.*in `steps`/),
  });
});

describe("what cannot be decided in time", () => {
  it("is unknown and says why", async () => {
    const a = state("a", word(64));
    const b = state("b", word(64));
    const m = state("m", word(64));
    const vars = { a: word(64), b: word(64), m: word(64) };
    const guest = machine("guest", { state: vars, transitions: { go: { assigns: { a: urem(add(a, b), m) } } } });
    const host = machine("host", {
      state: vars,
      transitions: {
        go: {
          assigns: { a: urem(add(urem(a, m), urem(b, m)), m) },
          guard: and(
            eq(extract(a, 63, 62), constant(2, 0n)),
            eq(extract(b, 63, 62), constant(2, 0n)),
            eq(extract(m, 63, 62), constant(2, 0n)),
            ne(m, constant(64, 0n)),
          ),
        },
      },
    });
    const hard = refinement("hard", { guest, host, abstraction: { a, b, m }, steps: { go: [step(take("go"))] } });
    const verdict = (await verdicts(hard, 400))["commute/go"];
    expect(verdict).toMatchObject({ verdict: "unknown", by: "z3-wasm" });
    expect(verdict?.verdict === "unknown" && verdict.reason).toMatch(/timeout/);
  });
});

describe("what the guest leaves open", () => {
  const flag = state("flag", word(8));
  const x = state("x", word(8));
  const choice = state("go(v)", word(8));
  const guestOf = (value: Term) =>
    machine("guest", {
      state: { flag: word(8), x: word(8) },
      transitions: { go: { choices: { v: word(8) }, assigns: { flag: value, x: add(x, constant(8, 1n)) } } },
    });
  const hostOf = (value: Term, after: Term = add(x, constant(8, 1n))) =>
    machine("host", {
      state: { flag: word(8), x: word(8) },
      transitions: { go: { assigns: { flag: value, x: after } } },
    });
  const of = (guestValue: Term, hostValue: Term, after?: Term) =>
    refinement("open", {
      guest: guestOf(guestValue),
      host: hostOf(hostValue, after),
      abstraction: { flag, x },
      steps: { go: [step(ANY)] },
    });

  it("may be anything that it permits", async () => {
    expect((await verdicts(of(choice, bvnot(flag))))["commute/go/go"]).toEqual({ verdict: "proved", by: "rewrite" });
    expect((await verdicts(of(choice, constant(8, 7n))))["commute/go/go"]).toEqual({
      verdict: "proved",
      by: "rewrite",
    });
  });

  it("is refuted where it permits no such value", async () => {
    const even = add(choice, choice);
    expect((await verdicts(of(even, constant(8, 7n))))["commute/go/go"]).toMatchObject({
      verdict: "refuted",
      counterexample: { cause: { variable: "flag" } },
    });
    expect((await verdicts(of(even, constant(8, 6n))))["commute/go/go"]?.verdict).toBe("proved");
  });

  it("does not excuse what is not open", async () => {
    expect((await verdicts(of(choice, flag, x)))["commute/go/go"]).toMatchObject({
      verdict: "refuted",
      counterexample: { cause: { variable: "x" } },
    });
  });

  it("needs one value for all that it flows to", async () => {
    const guest = machine("guest", {
      state: { flag: word(8), x: word(8) },
      transitions: { go: { choices: { v: word(8) }, assigns: { flag: choice, x: choice } } },
    });
    const both = (first: Term, second: Term) =>
      refinement("both", { guest, host: hostOf(first, second), abstraction: { flag, x }, steps: { go: [step(ANY)] } });
    expect((await verdicts(both(x, x)))["commute/go/go"]?.verdict).toBe("proved");
    expect((await verdicts(both(x, flag)))["commute/go/go"]?.verdict).toBe("refuted");
  });

  it("is asked of the solver where there are too many values to try", async () => {
    const wide = { flag: word(32), x: word(8) };
    const wideFlag = state("flag", word(32));
    const guest = machine("guest", {
      state: wide,
      transitions: {
        go: { choices: { v: word(32) }, assigns: { flag: add(state("go(v)", word(32)), state("go(v)", word(32))) } },
      },
    });
    const to = (value: Term) =>
      refinement("wide", {
        guest,
        host: machine("host", { state: wide, transitions: { go: { assigns: { flag: value } } } }),
        abstraction: { flag: wideFlag, x },
        steps: { go: [step(ANY)] },
      });
    expect((await verdicts(to(constant(32, 5n))))["commute/go/go"]).toMatchObject({ verdict: "refuted" });
    // Every even value is permitted, but no candidate of ours finds half of it.
    expect((await verdicts(to(ite(TRUE, zext(constant(8, 6n), 32), wideFlag))))["commute/go/go"]?.verdict).not.toBe(
      "refuted",
    );
  });
});
