/** What a report says of the operands that a translator was proved for. */
import { expect, test } from "vitest";
import { operandCoverage } from "../../cli/operand-coverage.js";
import type { ObligationReport } from "../../refinement/campaign/report.js";

const proved = (name: string, paths?: number): ObligationReport => ({
  name,
  verdict: "proved",
  method: "prove",
  by: "rewrite",
  ms: 1,
  ...(paths === undefined ? {} : { paths }),
});

test("instructions, classes of registers, sequences and paths, each counted once", () => {
  const all = [
    proved("commute/addi a, b, imm/exit+23", 8),
    proved("commute/addi a, b, imm/exit+2f", 8),
    proved("commute/addi a, b, imm #2/exit+20", 4),
    proved("commute/addi a, a, imm/exit+20", 2),
    proved("materialize/lw a, imm(b)/+12", 12),
    proved("materialize/lw a, imm(b)/+18/never", 12),
    proved("commute/lui a, imm[31:12]; lw b, imm(a)/exit+28", 1000),
  ];
  expect(operandCoverage(all)).toBe(
    "every operand of 2 instructions with registers in 3 classes and of 1 sequence of them, on 1,026 paths through the translator",
  );
  expect(operandCoverage(all.slice(0, 4))).toBe(
    "every operand of 1 instruction with registers in 2 classes, on 14 paths through the translator",
  );
});

test("nothing, of what was proved for known operands alone", () => {
  expect(operandCoverage([])).toBeUndefined();
  expect(operandCoverage([proved("commute/addi a0, a1, 1/exit+23")])).toBeUndefined();
});
