import { Simulator } from "../../../refinement/compile/simulator.js";
import { handmadeRv64 } from "./handmade.js";
import { MemoryValue } from "../../../refinement/terms/value.js";

const r = (f7: number, rs2: number, rs1: number, f3: number, rd: number, op = 0x33) => ((f7 << 25) | (rs2 << 20) | (rs1 << 15) | (f3 << 12) | (rd << 7) | op) >>> 0;
const i = (imm: number, rs1: number, f3: number, rd: number, op = 0x13) => (((imm & 0xfff) << 20) | (rs1 << 15) | (f3 << 12) | (rd << 7) | op) >>> 0;
const s = (imm: number, rs2: number, rs1: number, f3: number) => ((((imm >> 5) & 0x7f) << 25) | (rs2 << 20) | (rs1 << 15) | (f3 << 12) | ((imm & 31) << 7) | 0x23) >>> 0;
const b = (imm: number, rs2: number, rs1: number, f3: number) => ((((imm >> 12) & 1) << 31) | (((imm >> 5) & 0x3f) << 25) | (rs2 << 20) | (rs1 << 15) | (f3 << 12) | (((imm >> 1) & 15) << 8) | (((imm >> 11) & 1) << 7) | 0x63) >>> 0;
const prog = [
  i(1, 5, 0, 5), r(0, 5, 6, 0, 6), i(13, 6, 1, 7), r(0, 7, 6, 4, 6), i(7, 6, 5, 7), r(0, 7, 6, 4, 6), i(17, 6, 1, 7), r(0, 7, 6, 4, 6),
  r(1, 5, 6, 0, 8), r(0x20, 8, 9, 0, 9), s(8, 9, 10, 3), i(8, 10, 3, 11, 3), r(0, 11, 12, 0, 12), i(0xff, 12, 7, 13), r(0, 13, 14, 3, 15), r(0, 15, 16, 0, 16), i(-1, 17, 0, 17),
  b(-17 * 4, 0, 17, 1), 0x73,
];
let mem = MemoryValue.empty(64);
prog.forEach((w, k) => { mem = mem.store(0x10000n + BigInt(4 * k), 4, BigInt(w)); });
let t0 = performance.now();
const sim = new Simulator(handmadeRv64());
console.log("compile", performance.now() - t0);
sim.write("mem", mem); sim.write("pc", 0x10000n); sim.setElement("x", 10, 0x20000n); sim.setElement("x", 17, 1n << 40n);
for (let k = 0; k < 5; k++) { t0 = process.cpuUsage().user; const o = sim.run(100_000_000); const dt = (process.cpuUsage().user - t0) / 1000; console.log(o, (o.steps / dt / 1000).toFixed(0), "M/s"); }
