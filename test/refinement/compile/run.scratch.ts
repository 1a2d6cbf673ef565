import { readFileSync } from "node:fs";
import { loadMachine } from "../../../spec/notation/index.js";
import { runProgram } from "../../../refinement/execute/run.js";
const m = await loadMachine("spec/riscv/rv64im.yaml");
const bytes = readFileSync(process.argv[2]!);
const cpu = process.cpuUsage().user;
const r = await runProgram(m, { kind: "elf", file: "hello", bytes }, { stdout: (b) => process.stdout.write(b), ...(process.argv[3] === "trace" ? { trace: console.log, maxSteps: 60 } : {}) });
console.log(r, (r.steps / r.seconds / 1e6).toFixed(0), "M/s", (r.steps / (process.cpuUsage().user - cpu)).toFixed(0), "M/cpu-s");
