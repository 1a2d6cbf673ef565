/**
 * The programs of the lockstep: bare-metal assembly, generated from a seed so that every run has the same. Whoever watches sees
 * the state after each instruction; a program only has to make things happen. What can trap stands in `attempt` or
 * `run_in`, after which the program goes on in machine mode whatever happened (guest/harness.h).
 */
import { counterProgram, csrProgram, existenceProgram, WRITABLE } from "./programs/csr.js";
import { atomicsProgram, pagingProgram, pmpBoundsProgram, pmpProgram } from "./programs/memory.js";
import type { Source, Xlen } from "./programs/source.js";
import { exceptionProgram, interruptProgram, returnProgram, timerProgram } from "./programs/traps.js";

/** All programs for one width of registers. */
export function programs(xlen: Xlen): readonly Source[] {
  return [
    ...Object.entries(WRITABLE).map(([name, csr]) => csrProgram(name, csr, xlen)),
    ...[0, 1024, 2048, 3072].flatMap((from) => ([3, 1, 0] as const).map((mode) => existenceProgram(mode, from, xlen))),
    counterProgram(xlen),
    exceptionProgram(xlen),
    returnProgram(xlen),
    ...[0, 1, 2, 3].map((part) => pagingProgram(xlen, part)),
    ...[0, 1, 2, 3].map((part) => pmpProgram(xlen, part)),
    pmpBoundsProgram(xlen),
    ...[0, 1].map((part) => interruptProgram(xlen, part)),
    timerProgram(xlen),
    atomicsProgram(xlen),
  ];
}
