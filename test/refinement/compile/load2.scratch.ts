import { loadRefinement } from "../../../spec/notation/index.js";
import { CompiledLockstep } from "../../../refinement/compile/lockstep.js";
import { assemble } from "../../../refinement/assembly/index.js";
import { zeroState } from "../../../refinement/execute/concrete.js";
import { MemoryValue } from "../../../refinement/terms/value.js";
const text = `top: addi x5,x5,1
add x6,x6,x5
slli x7,x6,13
xor x6,x6,x7
srli x7,x6,7
xor x6,x6,x7
mul x8,x6,x5
sub x9,x9,x8
sw x8,8(x10)
lw x11,8(x10)
add x12,x12,x11
sltu x15,x14,x13
bne x17,x0,top`;
for (const f of ["impl/interpreter", "impl/pipeline"]) {
  const r = await loadRefinement(f + "/refinement.yaml");
  if (r.form !== "machine") continue;
  const s = new CompiledLockstep(r);
  let bytes: Uint8Array;
  bytes = assemble(r.guest, text, 0n);
  const st = new Map(zeroState(r.host));
  for (const v of r.host.variables) { if (v.sort.kind === "memory") st.set(v.name, MemoryValue.empty(32).storeBytes(0n, bytes)); }
  const rf = r.host.variables.find((v) => v.sort.kind === "file" && v.sort.count === 32)!.name;
  const file = st.get(rf)!; st.set(rf, (file as any).set(17n, 1n).set(10n, 0x2000n));
  for (const checks of [{ invariant: false, points: false }, { invariant: true, points: false }, { invariant: true, points: true }]) {
    s.load(st);
    for (let k = 0; k < 3; k++) {
      const t0 = process.cpuUsage().user; const o = s.runAuto(f.includes("pipe") ? 100_000 : 1_000_000, [], checks); const dt = (process.cpuUsage().user - t0) / 1000;
      console.log(f, JSON.stringify(checks), o.reason, o.violation, o.hostSteps, o.guestSteps, (o.guestSteps / dt / 1000).toFixed(2), "M guest/s", (o.hostSteps / dt / 1000).toFixed(2), "M host/s");
    }
  }
  console.log(s.compareMemories());
}
