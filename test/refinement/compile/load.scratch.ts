import { loadMachine, loadRefinement } from "../../../spec/notation/index.js";
import { Simulator } from "../../../refinement/compile/simulator.js";
import { CompiledLockstep } from "../../../refinement/compile/lockstep.js";
import { zeroState } from "../../../refinement/execute/concrete.js";
for (const f of ["spec/tiny/tiny.yaml", "spec/riscv/rv32im.yaml", "spec/riscv/rv64im.yaml"]) {
  try { const m = await loadMachine(f); console.log(f, m.transitions.length); let t0 = performance.now(); const s = new Simulator(m); console.log("simulator", performance.now() - t0); } catch (e) { console.log(f, String(e).slice(0, 2000), e instanceof Error ? e.stack?.slice(0, 1500) : ""); }
}
for (const f of ["impl/tiny-interpreter", "impl/interpreter", "impl/tiny-pipeline", "impl/pipeline"]) {
  try { const r = await loadRefinement(f + "/refinement.yaml"); console.log(f, r.form); if (r.form !== "machine") continue; let t0 = performance.now(); const s = new CompiledLockstep(r); console.log("lockstep", performance.now() - t0); s.load(zeroState(r.host)); console.log(s.runAuto(100)); } catch (e) { console.log(f, String(e).slice(0, 2000), e instanceof Error ? e.stack?.slice(0, 1500) : ""); }
}
