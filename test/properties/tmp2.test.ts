import { test } from "vitest";
import { Cases } from "../../properties/case.js";
import { CoverageCounter } from "../../properties/coverage.js";
import { programs } from "../../properties/arbitraries/programs.js";
import { randomAt } from "../../properties/random.js";
import { loadRefinement } from "../../spec/notation/index.js";
test.each((process.env["REFS"] ?? "test/properties/machines/toy-refinement.yaml").split(","))("%s", async (file) => {
    let t = performance.now(); const lap = (w: string) => { console.log(w, Math.round((performance.now() - t) * 100) / 100); t = performance.now(); };
    const r = await loadRefinement(file);
    if (r.form !== "machine") return;
    lap("load");
    const cases = new Cases(r);
    lap("compile");
    const P = programs(r.guest);
    const N = 300;
    const ps = Array.from({ length: N }, (_, i) => P.draw(randomAt(i)));
    lap("programs per " + N);
    const cs = ps.map((p, i) => cases.draw(randomAt(i, 1), "guest", p));
    lap("draw");
    const bs = cs.map((c) => cases.begin(c));
    lap("begin");
    for (const b of bs) if (b) cases["usable"](b);
    lap("usable");
    let steps = 0, g = 0, els = 0, sus = 0;
    for (const [i, b] of bs.entries()) { const c = cs[i]; if (b === undefined || c === undefined || cases["siever"] === undefined) { els++; continue; } const s = cases["siever"].run(b.host, c.schedule, cases.limits(c).hostSteps); steps += s.hostSteps; g += s.guestSteps; if (s.suspicious) sus++; }
    lap(`sieve only: host ${steps} guest ${g} susp ${sus} els ${els}`);
    const cov = new CoverageCounter(r); let f = 0;
    for (const c of cs.slice(0, 30)) { const o = cases.run(c, cov); f += o?.failures.length ?? 0; }
    lap(`reference 30: host ${cov.hostSteps} guest ${cov.guestSteps} fail ${f}`);
}, 600000);
