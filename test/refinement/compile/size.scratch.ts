import { loadRefinement } from "../../../spec/notation/index.js";
import { print } from "../../../refinement/terms/print.js";
for (const f of ["impl/pipeline"]) {
  const r = await loadRefinement(f + "/refinement.yaml");
  if (r.form !== "machine") continue;
  const x = r.abstraction.get("x")!;
  const show = (t: any, d: number): string => d === 0 ? `#${t.id}:${t.op}` : t.args.length === 0 ? print(t) : `${t.op}(${t.args.map((a: any) => show(a, d - 1)).join(", ")})`;
  console.log(show(x, 6));
  console.log(show(r.abstraction.get("mem")!, 4));
}
