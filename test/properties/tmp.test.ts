import { test } from "vitest";
import { testRefinement } from "../../properties/lockstep.js";
import { loadRefinement } from "../../spec/notation/index.js";
import { renderCounterexample } from "../../refinement/counterexample-text.js";
test.each((process.env["REFS"] ?? "test/properties/machines/toy-refinement.yaml").split(","))("%s", async (file) => {
  const t0 = performance.now();
  const faults = (process.env["FAULTS"] ?? "").split(",");
  for (const fault of faults) {
    try {
    const r = await loadRefinement(file, fault === "" ? {} : { fault });
    if (r.form !== "machine") return;
    const all = fault === "all" ? r.faults.map((f) => f.name) : [fault];
    const t1 = performance.now();
    const results = await testRefinement(r, { seed: 42, cases: process.env["CASES"] ? Number(process.env["CASES"]) : undefined });
    const t2 = performance.now();
    console.log(file, fault, all.length, "load", Math.round(t1 - t0), "ms", Math.round(t2 - t1));
    for (const x of results) console.log("  ", x.name, x.verdict.verdict, "reason" in x.verdict ? x.verdict.reason : "", "cases" in x.verdict ? x.verdict.cases : "");
    const c = results[0]?.coverage;
    console.log(c?.runs, c?.hostSteps, c?.guestSteps, c?.stutters, c?.stuck, [...(c?.host ?? [])].join(" "), [...(c?.guest ?? [])].join(" "), [...(c?.points ?? [])].join(" "));
    for (const x of results) if (x.verdict.verdict === "refuted") console.log(renderCounterexample(x.verdict.counterexample, r));
    } catch (e) { console.log(file, fault, String(e)); }
  }
}, 600000);
