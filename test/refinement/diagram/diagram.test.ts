import { describe, expect, it } from "vitest";
import { goalTerm, type Obligation, obligations } from "../../../refinement/diagram.js";
import { proveByRewriting } from "../../../refinement/terms/assume.js";
import { add, and, constant, eq, FALSE, implies, ite, select, store, TRUE } from "../../../refinement/terms/build.js";
import { Evaluator, environmentOf } from "../../../refinement/terms/evaluate.js";
import type { Term } from "../../../refinement/terms/term.js";
import { FileValue, type Value } from "../../../refinement/terms/value.js";
import { freeVariables } from "../../../refinement/terms/variables.js";
import { ANY, machine, refinement, state, step, STUTTER, take, when, word } from "./by-hand.js";
import { type Break, counter } from "./counter.js";

function named(all: readonly Obligation[], name: string): Obligation {
  const found = all.find((o) => o.name === name);
  if (found === undefined) throw new Error(`no obligation ${name} among ${all.map((o) => o.name).join(", ")}`);
  return found;
}

/** Every assignment of values to small variables. */
function* assignments(variables: readonly Term[]): Generator<ReadonlyMap<string, Value>> {
  const [first, ...rest] = variables;
  if (first === undefined) {
    yield new Map();
    return;
  }
  for (const others of assignments(rest)) {
    for (const value of valuesOf(first)) yield new Map([...others, [first.name, value]]);
  }
}

function valuesOf({ sort }: Term): readonly Value[] {
  const numbers = (width: number) => Array.from({ length: 2 ** width }, (_, i) => BigInt(i));
  switch (sort.kind) {
    case "bool":
      return [0n, 1n];
    case "bits":
      return numbers(sort.width);
    case "file":
      return [0n, 1n].map((k) => new FileValue(Array.from({ length: sort.count }, (_, i) => BigInt(i) * 5n + k)));
    case "memory":
      throw new Error("too many memories");
  }
}

/** Variables of goals that do not follow from the hypotheses, by trying everything. */
function open(o: Obligation): string[] {
  return o.parts().flatMap(({ hypotheses, goals }) =>
    goals
      .filter((goal) => {
        const claim = implies(and(...hypotheses), goalTerm(goal));
        return [...assignments([...freeVariables(claim)])].some(
          (values) => !new Evaluator(environmentOf(values)).holds(claim),
        );
      })
      .map((goal) => goal.variable),
  );
}

describe("obligations", () => {
  it("are those of theory.md, by name", () => {
    expect(obligations(counter()).map((o) => o.name)).toEqual([
      "initial",
      "invariant/prepare",
      "invariant/commit",
      "commute/prepare",
      "commute/commit/tick",
      "commute/commit/enabled",
      "progress/prepare",
      "progress",
      "materialize/interrupt",
      "inverse",
    ]);
  });

  it("hold of a correct host", () => {
    for (const o of obligations(counter())) expect([o.name, open(o)]).toEqual([o.name, []]);
  });

  const culprits: readonly [Break, string, string][] = [
    ["initial", "initial", "initial"],
    ["invariant", "invariant/prepare", "prepared"],
    ["commute", "commute/commit/tick", "count"],
    ["trap", "commute/commit/tick", "trap"],
    ["trap-value", "commute/commit/tick", "trap.value"],
    ["enabled", "commute/commit/enabled", "enabled"],
    ["progress", "progress/prepare", "rank"],
    ["stuck", "progress", "enabled"],
    ["materialize", "materialize/interrupt", "precise"],
    ["inverse", "inverse", "count"],
  ];
  it.each(culprits)("a host broken in %s fails %s at %s", (broken, name, variable) => {
    const all = obligations(counter(broken));
    expect(open(named(all, name))).toContain(variable);
    const others = all.filter((o) => o.name.split("/")[0] !== name.split("/")[0]);
    for (const o of others) expect([o.name, open(o)]).toEqual([o.name, []]);
  });

  it("without a rank cannot be stated for a host that stutters", () => {
    expect(named(obligations(counter("no-rank")), "progress/prepare").unsupported).toContain("no rank");
  });
});

describe("files", () => {
  const index = state("i", word(2));
  const three = { kind: "file", count: 3, element: word(4) } as const;
  const bump = (x: Term): Term => store(x, index, add(select(x, index), constant(4, 1n)));
  const x = state("x", three);
  const guest = machine("guest", {
    state: { x: three, i: word(2) },
    transitions: { bump: { assigns: { x: bump(x) } } },
  });
  const y = state("y", three);
  const fileHost = (effect: Term) =>
    refinement("files", {
      guest,
      host: machine("host", { state: { y: three, i: word(2) }, transitions: { go: { assigns: { y: effect } } } }),
      abstraction: { x: y, i: index },
      steps: { go: [step(take("bump"))] },
    });

  it("are compared at every index within them", () => {
    const o = named(obligations(fileHost(bump(y))), "commute/go");
    expect(open(o)).toEqual([]);
    const wrong = named(obligations(fileHost(store(bump(y), constant(2, 1n), constant(4, 0n)))), "commute/go");
    expect(open(wrong)).toEqual(["x"]);
  });

  it("that are the same term need no comparison", () => {
    const [part] = named(obligations(fileHost(bump(y))), "commute/go").parts();
    expect(part?.goals.map((g) => g.variable)).toEqual(["enabled", "i"]);
  });

  it("are not compared beyond their end", () => {
    const wrong = fileHost(ite(eq(index, constant(2, 3n)), y, bump(y)));
    expect(open(named(obligations(wrong), "commute/go"))).toEqual([]);
  });
});

describe("steps", () => {
  const c = state("c", word(3));
  const d = state("d", word(3));
  const k = state("k", word(2));
  const add3 = (t: Term, by: number): Term => add(t, constant(3, BigInt(by)));
  const guest = machine("guest", {
    state: { c: word(3) },
    transitions: {
      one: { assigns: { c: add3(c, 1) } },
      skip: { parameters: { by: word(3) }, assigns: { c: add(c, state("skip(by)", word(3))) } },
    },
  });
  const host = (by: number) =>
    machine("host", { state: { d: word(3), k: word(2) }, transitions: { go: { assigns: { d: add3(d, by) } } } });
  const of = (by: number, ...cases: ReturnType<typeof step>[]) =>
    obligations(
      refinement("steps", {
        guest,
        host: host(by),
        abstraction: { c: d },
        steps: { go: cases },
        rank: k,
        invariant: { k: TRUE },
      }),
    );

  it("compose", () => {
    expect(open(named(of(2, step(ANY, ANY)), "commute/go/one"))).toEqual([]);
    expect(open(named(of(1, step(ANY, ANY)), "commute/go/one"))).toEqual(["c"]);
    expect(open(named(of(5, step(take("one"), take("skip", constant(3, 4n)))), "commute/go"))).toEqual([]);
    expect(open(named(of(0, STUTTER), "commute/go"))).toEqual([]);
    expect(open(named(of(1, STUTTER), "commute/go"))).toEqual(["c"]);
  });

  it("come by cases, each under the negation of those before it", () => {
    const cases = of(
      1,
      when(eq(k, constant(2, 0n)), STUTTER),
      when(eq(k, constant(2, 1n)), step(ANY)),
      step(take("one")),
    );
    expect(cases.map((o) => o.name)).toEqual([
      "initial",
      "invariant/go",
      "commute/go/stutter",
      "commute/go/one",
      "commute/go/enabled",
      "commute/go",
      "progress/go",
      "progress",
    ]);
    expect(open(named(cases, "commute/go/stutter"))).toEqual(["c"]);
    expect(open(named(cases, "commute/go/one"))).toEqual([]);
    expect(open(named(cases, "commute/go"))).toEqual([]);
    const [last] = named(cases, "commute/go").parts();
    expect(
      proveByRewriting(last?.hypotheses ?? [], and(...[0n, 1n].map((v) => eq(eq(k, constant(2, v)), FALSE)))).proved,
    ).toBe(true);
  });

  it("of the environment need no rank", () => {
    const all = of(0, { condition: TRUE, steps: [], environment: true });
    expect(all.map((o) => o.name)).not.toContain("progress/go");
  });

  it("leave what the guest leaves open to a variable of its own", () => {
    const open2 = machine("open", {
      state: { c: word(3) },
      transitions: { any: { choices: { v: word(3) }, assigns: { c: state("any(v)", word(3)) } } },
    });
    const all = obligations(
      refinement("choice", { guest: open2, host: host(1), abstraction: { c: d }, steps: { go: [step(ANY, ANY)] } }),
    );
    const [part] = named(all, "commute/go/any").parts();
    expect(part?.choices.map((choice) => choice.variable.name)).toEqual(["0:any(v)", "1:any(v)"]);
    expect([...freeVariables((part?.goals ?? []).map(goalTerm))].map((v) => v.name).sort()).toEqual(["1:any(v)", "d"]);
  });
});
