import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCampaign } from "../../../refinement/campaign/campaign.js";
import type { Crew } from "../../../refinement/campaign/crew.js";
import type { CampaignEvent } from "../../../refinement/campaign/events.js";
import { Executor } from "../../../refinement/campaign/executor.js";
import { mayMatch } from "../../../refinement/campaign/block-names.js";
import { type CampaignOptions, defaultOptions, matches } from "../../../refinement/campaign/options.js";
import type { Report } from "../../../refinement/campaign/report.js";
import { readCounterexample } from "../../../refinement/counterexample-file.js";
import { UserError } from "../../../refinement/errors.js";
import type { Refinement } from "../../../refinement/refinement.js";
import { and, constant, eq, not } from "../../../refinement/terms/build.js";
import { ANY, BOOLEAN, machine, refinement, state, step, word } from "../diagram/by-hand.js";
import { type Break, counter } from "../diagram/counter.js";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "commute-campaign-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Loads hand-made refinements as if each were in a file. */
async function given(
  ...refinements: Refinement[]
): Promise<{ files: string[]; load: NonNullable<CampaignOptions["load"]> }> {
  const files = refinements.map((r) => path.join(directory, `${r.name}.yaml`));
  for (const [i, file] of files.entries()) await writeFile(file, `refinement: ${refinements[i]?.name}`);
  return {
    files,
    load: async (file) => {
      const found = refinements[files.indexOf(file)];
      if (found === undefined) throw new UserError(`${file}: no such refinement`);
      return { ...found, file };
    },
  };
}

async function run(refinements: Refinement[], options: Partial<CampaignOptions> = {}) {
  const { files, load } = await given(...refinements);
  const events: CampaignEvent[] = [];
  const { report, findings } = await runCampaign(
    files,
    { ...defaultOptions(), date: "2026-01-01", load, ...options },
    (event) => events.push(event),
  );
  return { report, findings, events };
}

function verdictsOf(report: Report): Record<string, string> {
  return Object.fromEntries(report.refinements.flatMap((r) => r.obligations.map((o) => [o.name, o.verdict])));
}

const shown = (report: Report): string[] =>
  report.refinements.flatMap((r) => r.obligations.map((o) => `${o.name} ${o.verdict} ${o.by}`));

describe("a campaign", () => {
  it("reports every obligation in the diagram's order", async () => {
    const { report, findings, events } = await run([counter()]);
    expect(report).toMatchObject({ version: 1, verdict: "holds", seed: 42 });
    expect(report.refinements[0]).toMatchObject({
      name: "counter-none",
      kind: "test",
      verdict: "holds",
      assumptions: [],
    });
    expect(Object.keys(verdictsOf(report))).toEqual([
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
    expect(findings).toEqual([]);
    expect(events[0]).toMatchObject({ kind: "planned", total: 10, done: 0 });
    expect(events.filter((e) => e.kind === "settled")).toHaveLength(10);
  });

  it("is refuted by one wrong obligation, and keeps the counterexample", async () => {
    const saveDir = path.join(directory, "saved");
    const { report, findings } = await run([counter(), counter("commute")], { saveDir });
    expect(report.verdict).toBe("refuted");
    expect(report.refinements.map((r) => r.verdict)).toEqual(["holds", "refuted"]);
    const wrong = report.refinements[1]?.obligations.find((o) => o.verdict === "refuted");
    expect(wrong).toMatchObject({ name: "commute/commit/tick", method: "prove", by: "random" });
    expect(wrong?.counterexample).toContain(saveDir);
    expect(findings).toMatchObject([
      { refinement: "counter-commute", obligation: "commute/commit/tick", method: "prove" },
    ]);
    expect((await readdir(saveDir, { recursive: true })).some((f) => f.endsWith(".yaml"))).toBe(true);
  });

  it("selects obligations", async () => {
    const { report } = await run([counter()], { only: ["commute/*", "{initial,inverse}"] });
    expect(Object.keys(verdictsOf(report))).toEqual([
      "initial",
      "commute/prepare",
      "commute/commit/tick",
      "commute/commit/enabled",
      "inverse",
    ]);
    const none = await run([counter()], { only: ["nothing"] });
    expect(none.report.verdict).toBe("inconclusive");
  });

  it("collects the errors of all files before it checks any", async () => {
    const { files, load } = await given(counter());
    const broken = [path.join(directory, "a.yaml"), ...files, path.join(directory, "b.yaml")];
    const running = runCampaign(broken, { ...defaultOptions(), load });
    await expect(running).rejects.toThrow(/a\.yaml.*\n.*b\.yaml/);
  });

  it("leaves what the budget does not pay for unknown", async () => {
    const { report } = await run([counter()], { budgetMs: 0.001 });
    expect(report.verdict).toBe("inconclusive");
    expect(new Set(report.refinements[0]?.obligations.map((o) => `${o.verdict} ${o.by}`))).toContain("unknown budget");
  });

  it("stops when interrupted and reports what is done", async () => {
    const controller = new AbortController();
    const { files, load } = await given(counter());
    let seen = 0;
    const { report } = await runCampaign(files, { ...defaultOptions(), load, signal: controller.signal }, (event) => {
      if (event.kind === "settled" && ++seen === 3) controller.abort();
    });
    expect(report.interrupted).toBe(true);
    const all = report.refinements[0]?.obligations ?? [];
    expect(all.filter((o) => o.verdict === "proved")).toHaveLength(3);
    expect(all.filter((o) => o.by === "interrupted")).toHaveLength(all.length - 3);
  });
});

describe("pieces of an obligation", () => {
  const mode = state("mode", BOOLEAN);
  const d = state("d", word(2));
  const of = (third: boolean) => {
    const m = state("m", BOOLEAN);
    const guest = machine("guest", {
      state: { c: word(2), m: BOOLEAN },
      transitions: {
        up: { guard: m, assigns: { c: constant(2, 1n) } },
        down: { guard: not(m), assigns: { c: constant(2, 2n) } },
        ...(third ? { never: { guard: and(m, not(m)), assigns: {} } } : {}),
      },
    });
    const host = machine("host", {
      state: { d: word(2), mode: BOOLEAN },
      transitions: {
        rise: { guard: mode, assigns: { d: constant(2, 1n) } },
        fall: { guard: not(mode), assigns: { d: constant(2, 2n) } },
      },
    });
    return refinement("pieces", {
      guest,
      host,
      abstraction: { c: d, m: mode },
      steps: { rise: [step(ANY)], fall: [step(ANY)] },
    });
  };

  it("that cannot arise are none where another transition has them", async () => {
    const { report } = await run([of(false)]);
    expect(report.verdict).toBe("holds");
    expect(Object.keys(verdictsOf(report)).filter((name) => name.startsWith("commute"))).toEqual([
      "commute/rise/up",
      "commute/rise/enabled",
      "commute/fall/down",
      "commute/fall/enabled",
    ]);
  });

  it("that arise nowhere are vacuous", async () => {
    const { report } = await run([of(true)]);
    expect(report.verdict).toBe("inconclusive");
    expect(verdictsOf(report)).toMatchObject({ "commute/rise/never": "vacuous", "commute/fall/never": "vacuous" });
  });
});

describe("exploration and tests", () => {
  const start = and(
    ...(["next", "low", "high"] as const).map((v) => eq(state(v, word(2)), constant(2, 0n))),
    eq(state("tval", word(4)), constant(4, 0n)),
    not(state("carry", BOOLEAN)),
  );
  const explored = (broken: Break) => ({ ...counter(broken), explore: [{ name: "start", term: start }] });

  it("join proofs in one report", async () => {
    const { report } = await run([explored("none")]);
    const methods = report.refinements[0]?.obligations.filter((o) => o.method === "explore");
    expect(methods?.map((o) => [o.name, o.verdict, o.count])).toEqual([
      ["initial", "explored", 33],
      ["invariant/prepare", "explored", 33],
      ["invariant/commit", "explored", 33],
      ["commute/prepare", "explored", 33],
      ["commute/commit", "explored", 33],
      ["progress/prepare", "explored", 33],
      ["progress", "explored", 33],
      ["materialize/interrupt", "explored", 33],
    ]);
  });

  it("that are cut off keep what they found", async () => {
    const controller = new AbortController();
    const { files, load } = await given(explored("commute"));
    const found: string[] = [];
    const executor = new Executor(load);
    const crew = {
      size: 1,
      run: (...[request, , onProgress, onFound]: Parameters<Crew["run"]>) =>
        executor
          .run(request, undefined, onProgress, (settled) => {
            onFound?.(settled);
            found.push(settled.obligation);
            controller.abort();
          })
          .then(() => Promise.reject(new Error("ended"))),
      close: async () => undefined,
    };
    const { report } = await runCampaign(files, {
      ...defaultOptions(),
      load,
      modes: ["explore"],
      signal: controller.signal,
      crew,
    });
    expect(found.length).toBeGreaterThan(0);
    expect(shown(report)).toContain("commute/commit refuted states");
    expect(shown(report).at(-1)).toBe("commute/* unknown interrupted");
    expect(report.verdict).toBe("refuted");
  });

  it("give the shortest schedule as counterexample", async () => {
    const { report, findings } = await run([explored("commute")], { modes: ["explore"] });
    expect(verdictsOf(report)).toMatchObject({ "commute/commit": "refuted", "commute/prepare": "explored" });
    expect(findings[0]?.counterexample.schedule).toHaveLength(8);
    expect(findings[0]?.counterexample.obligation).toBe("commute/commit/tick");
  });

  it("save the smallest counterexample of a cause, whichever method found it", async () => {
    const saveDir = path.join(directory, "smallest");
    const { report, findings } = await run([explored("commute")], { saveDir });
    const tick = findings.filter((f) => f.counterexample.obligation === "commute/commit/tick");
    expect(tick.map((f) => [f.method, f.counterexample.schedule.length])).toEqual([
      ["prove", 1],
      ["explore", 8],
    ]);
    const files = report.refinements[0]?.obligations.flatMap((o) => o.counterexample ?? []) ?? [];
    expect(files).toHaveLength(2);
    expect(new Set(files).size).toBe(1);
    expect((await readCounterexample(files[0] ?? "")).schedule).toHaveLength(1);
  });

  it("come from the modules that the campaign is given", async () => {
    const module = path.join(directory, "tester.mjs");
    await writeFile(
      module,
      `export async function testRefinement(r, o) {
         o.onProgress(1, 2);
         return [{ name: "commute/*", verdict: { verdict: "tested", cases: o.cases, seed: o.seed } }];
       }
       export async function testEmulator() { return { missing: [{ program: "qemu", remedy: "install it" }] }; }`,
    );
    const testers = { machine: module, emulator: module, translator: module };
    const { report, events } = await run([counter()], { modes: ["test"], testers, cases: 7, seed: 3 });
    expect(report.refinements[0]?.obligations).toMatchObject([
      { name: "commute/*", verdict: "tested", method: "test", by: "cases", count: 7, seed: 3 },
    ]);
    expect(events).toContainEqual(expect.objectContaining({ kind: "progress", part: 1, of: 2 }));

    const { guest, assumptions, faults, mapping } = counter();
    const common = { name: "box", title: "box", kind: "test", file: "box.yaml", fault: undefined };
    const emulator = { kind: "module", module, options: {} } as const;
    const box: Refinement = { form: "emulator", ...common, guest, assumptions, faults, mapping, emulator };
    const skipped = await run([box], { testers });
    expect(skipped.report.refinements[0]).toMatchObject({ skipped: [{ program: "qemu" }], obligations: [] });
    const beside = await run([counter(), box], { testers });
    expect(beside.report.verdict).toBe("holds");
    const named = await run([counter(), box], { testers, named: true });
    expect(named.report.verdict).toBe("inconclusive");
    const proved = await run([box], { testers, modes: ["prove"] });
    expect(proved.report.refinements[0]?.obligations).toMatchObject([{ verdict: "unsupported" }]);
  });
});

describe("a task that is cut off", () => {
  const refuted = (name: string, variable: string) =>
    `{ name: "${name}", verdict: { verdict: "refuted", by: "cases", counterexample: { ...C, obligation: "${name}", cause: { obligation: "${name}", variable: "${variable}" } } } }`;

  /** A tester that finds some things and then goes on until it is stopped, or for ever. */
  async function tester(name: string, body: string): Promise<CampaignOptions["testers"]> {
    const [finding] = (await run([counter("commute")], { modes: ["prove"] })).findings;
    const c = JSON.stringify(finding?.counterexample, (_, v) => (typeof v === "bigint" ? Number(v) : v));
    const module = path.join(directory, `${name}.mjs`);
    await writeFile(
      module,
      `const C = ${c};
       const stopped = (signal) => new Promise((resolve) => signal.addEventListener("abort", resolve));
       ${body}`,
    );
    return { machine: module, emulator: module, translator: undefined };
  }

  function box(): Refinement {
    const { guest, assumptions, faults, mapping } = counter();
    const emulator = { kind: "module", module: "box.js", options: {} } as const;
    return {
      form: "emulator",
      name: "box",
      title: "",
      kind: "",
      file: "",
      fault: undefined,
      guest,
      assumptions,
      faults,
      mapping,
      emulator,
    };
  }

  it("keeps the obligations of a black box that were settled, and the rest is unknown: never a whole answer", async () => {
    const testers = await tester(
      "box",
      `export async function testEmulator(r, o) {
         const results = [{ name: "commute/a", verdict: { verdict: "tested", cases: 3, seed: 1 } }];
         for (const result of results) o.onResult(result);
         await stopped(o.signal);
         return results;
       }
       export const emulatorIdentity = async () => "box";`,
    );
    const cacheDir = path.join(directory, "cut");
    const { report } = await run([box()], { testers, budgetMs: 1_500, cacheDir });
    expect(shown(report)).toEqual(["commute/a tested cases", "commute/* unknown budget"]);
    expect(report.verdict).toBe("inconclusive");
    const again = await run([box()], { testers, budgetMs: 1_500, cacheDir });
    expect(again.report.refinements[0]?.obligations.some((o) => o.cached)).toBe(false);
  });

  it("keeps counterexamples of a worker that is ended, as findings and in files", async () => {
    const testers = await tester(
      "machine",
      `export async function testRefinement(r, o) {
         o.onResult(${refuted("commute/commit/tick", "n")});
         o.onResult(${refuted("commute/commit/tick", "m")});
         await new Promise(() => {});
       }`,
    );
    const executor = new Executor(async () => counter());
    const saveDir = path.join(directory, "cut-off");
    const options = { testers, modes: ["test"] as const, budgetMs: 1_500, saveDir };
    const crew = {
      size: 1,
      /** As a worker thread: its answer never comes once it is ended. */
      run: (...[request, signal, onProgress, onFound]: Parameters<Crew["run"]>) =>
        Promise.race([
          executor.run(request, undefined, onProgress, onFound),
          new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(new Error("ended")))),
        ]),
      close: async () => undefined,
    };
    const { report, findings } = await run([counter()], { ...options, crew });
    expect(shown(report)).toEqual(["commute/commit/tick refuted cases", "commute/* unknown budget"]);
    expect(report.verdict).toBe("refuted");
    expect(findings.map((f) => f.counterexample.cause.variable)).toEqual(["n", "m"]);
    expect((await readdir(saveDir, { recursive: true })).filter((f) => f.endsWith(".yaml"))).toHaveLength(2);
  });

  it("that fails in the middle keeps them as well", async () => {
    const testers = await tester(
      "failing",
      `export async function testRefinement(r, o) {
         o.onResult(${refuted("commute/commit/tick", "n")});
         throw new Error("a slip");
       }`,
    );
    const { report } = await run([counter()], { testers, modes: ["test"] });
    expect(shown(report)).toEqual(["commute/commit/tick refuted cases", "commute/* unknown defect"]);
  });
});

describe("the cache of a campaign", () => {
  it("answers a second run, and says so", async () => {
    const cacheDir = path.join(directory, "cache");
    const first = await run([counter("commute")], { cacheDir });
    const second = await run([counter("commute")], { cacheDir });
    expect(first.report.refinements[0]?.obligations.some((o) => o.cached)).toBe(false);
    expect(second.report.refinements[0]?.obligations.every((o) => o.cached)).toBe(true);
    expect(second.findings).toEqual(
      JSON.parse(
        JSON.stringify(first.findings, (_, v) => (typeof v === "bigint" ? `${v}n` : v)),
        (_, v) => (/^\d+n$/.test(v) ? BigInt(v.slice(0, -1)) : v),
      ),
    );
    expect(second.events[0]).toMatchObject({ kind: "planned", done: 10, total: 10 });
    const other = await run([{ ...counter("commute"), host: { ...counter("commute").host, digest: "changed" } }], {
      cacheDir,
    });
    expect(other.report.refinements[0]?.obligations.some((o) => o.cached)).toBe(false);
  });

  it("keeps what depends on the seed apart", async () => {
    const cacheDir = path.join(directory, "seeds");
    await run([counter("commute")], { cacheDir, seed: 1 });
    const { report } = await run([counter("commute")], { cacheDir, seed: 2 });
    const cached = report.refinements[0]?.obligations.filter((o) => o.cached).map((o) => o.verdict);
    expect(new Set(cached)).toEqual(new Set(["proved"]));
  });

  it("is not asked when queries are to be written", async () => {
    const cacheDir = path.join(directory, "smt2-cache");
    await run([counter()], { cacheDir });
    const smt2Dir = path.join(directory, "smt2");
    const { report } = await run([counter()], { cacheDir, smt2Dir });
    expect(report.refinements[0]?.obligations.some((o) => o.cached)).toBe(false);
    const solved = report.refinements[0]?.obligations.filter((o) => o.by === "z3-wasm") ?? [];
    const written = await readdir(smt2Dir);
    for (const o of solved) expect(written.some((f) => f.includes(o.name.replaceAll("/", "-")))).toBe(true);
    expect(solved.length).toBeGreaterThan(0);
  });
});

describe("globs", () => {
  it("match obligations", () => {
    expect(matches("commute/*", "commute/cycle/addi")).toBe(true);
    expect(matches("{commute,invariant}/fetch*", "invariant/fetch")).toBe(true);
    expect(matches("commute/cycle/{bnz,jmp}", "commute/cycle/jmp")).toBe(true);
    expect(matches("commute/cycle/{bnz,jmp}", "commute/cycle/add")).toBe(false);
    expect(matches("commute/c.cle", "commute/cycle")).toBe(false);
    expect(matches("*/cycle*", "invariant/cycle")).toBe(true);
    expect(matches("a(b", "a(b")).toBe(true);
    for (const name of ["commute/a", "commute/bc", "commute/bd/e", "invariant/x"])
      expect(matches("{commute/{a,b{c,d/*}},invariant/*}", name), name).toBe(true);
    for (const name of ["commute/b", "commute/d/e", "commute", "a", "invariant"])
      expect(matches("{commute/{a,b{c,d/*}},invariant/*}", name), name).toBe(false);
    // Braces without a partner, and commas outside, stand for themselves.
    expect(matches("a{b,c", "a{b,c")).toBe(true);
    expect(matches("{a{b,c}", "{ac")).toBe(true);
    expect(matches("a,b}", "a,b}")).toBe(true);
    expect(matches("jal a0, {x,y}", "jal a0, y")).toBe(true);
  });

  it("leave out blocks that they cannot be about, and no others", () => {
    const obligations = [
      "commute/B",
      "commute/B/exit+2b",
      "commute/B/host+0/never",
      "materialize/B/+7f",
      "commute/B #2/point+1",
    ];
    const globs = [
      "*",
      "commute/*",
      "*add*",
      "*/exit+*",
      "commute/add/*",
      "commute/add",
      "commute/add*",
      "*sequence-67*",
      "*-67/exit+2b",
      "materialize/sequence-6*",
      "{commute,materialize}/add, a/*",
      "commute/{add,sequence-67}/{exit,host}*",
      "*/never",
      "a{b,c",
      "*#2*",
    ];
    for (const block of ["add", "addi", "add, a", "sequence-67", "sequence-6", "ab"])
      for (const glob of globs)
        if (obligations.some((o) => matches(glob, o.replace("B", block))))
          expect(mayMatch(glob, block), `${glob} ${block}`).toBe(true);
    expect(["add", "addi", "sequence-6", "ab"].filter((b) => mayMatch("*sequence-67*", b))).toEqual([]);
    expect(["addi", "add, a"].filter((b) => mayMatch("commute/add/*", b) || mayMatch("commute/{add,sub}", b))).toEqual(
      [],
    );
  });
});
