/** A checker that cannot fail is worse than none: slips in the privileged definition, each of which a program must find. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { programs } from "../../../impl/qemu-system-lockstep/programs.js";
import { testEmulator } from "../../../properties/emulator.js";
import { withSlip } from "../../edited-files.js";
import { needQemu } from "./need-qemu.js";

/** File, what stands there once, what is written instead, and the program that finds it, or the beginning of the names of several of which one does. */
const SLIPS: readonly (readonly [file: string, right: string, wrong: string, program: string])[] = [
  ["privileged", "mstatus.mpp = mode\n", "mstatus.mpp = USER\n", "exceptions"],
  ["privileged", "mstatus.spie = mstatus.sie\n", "mstatus.spie = true\n", "exceptions"],
  ["privileged", "medeleg[code[3:0]]", "medeleg[cause[3:0]]", "exceptions"],
  ["privileged", "mode != MACHINE && delegated == 1", "delegated == 1", "exceptions"],
  ["privileged", "scause = cause\n", "scause = cause ^ 1\n", "exceptions"],
  ["privileged", "interrupt && tvec[1:0] == 1", "tvec[1:0] == 1", "interrupts-0"],
  [
    "privileged",
    "pending[3] == 1 ? 3 : pending[7] == 1 ? 7",
    "pending[7] == 1 ? 7 : pending[3] == 1 ? 3",
    "interrupts-0",
  ],
  ["privileged", "mode == USER || (mode == SUPERVISOR && mstatus.sie)", "mode == USER", "interrupts-0"],
  ["privileged", "mip() & mie & ~mideleg", "mip() & mie", "interrupts-0"],
  ["privileged", "mode == SUPERVISOR && !mstatus.tsr", "mode == SUPERVISOR", "exceptions"],
  ["privileged", "mode == MACHINE || !mstatus.tw,", "true,", "timer"],
  ["privileged", "mstatus.mie = mstatus.mpie\n", "mstatus.mie = true\n", "returns"],
  ["privileged", "mode = 1'd0 ++ mstatus.spp", "mode = SUPERVISOR", "returns"],
  ["csr", "mode >=u csr[9:8]", "true", "csr-numbers-u-0x0"],
  ["csr", "writes && csr[11:10] == 3", "false", "csr-mhartid"],
  ["csr", "(mode != USER || scounteren[bit] == 1)", "true", "counters"],
  ["csr", "stip = bool(new[5])", "stip = bool(new[6])", "csr-mip"],
  [
    "csr",
    "& ~mideleg) | (changed(op, old, operand)[15:0] & mideleg)",
    ") | changed(op, old, operand)[15:0]",
    "csr-sie",
  ],
  ["csr", "mode == SUPERVISOR && mstatus.tvm", "false", "exceptions"],
  ["pmp", "first >=u entry.first && last <=u entry.last", "true", "pmp-"],
  ["pmp", "last: address | size", "last: address", "pmp-"],
  ["pmp", "last: address - 1 }", "last: address }", "pmp-bounds"],
  ["pmp", "first: below(i), last", "first: below(i) + 1, last", "pmp-bounds"],
  [
    "pmp",
    "{ some: true, first: address, last: address }",
    "{ some: true, first: address, last: address + 1 }",
    "pmp-bounds",
  ],
  ["csr", "new[1] == 0 ? new : TVEC", "new[1] == 0 ? new & ~1 : TVEC", "csr-mtvec"],
  ["csr", "new[1] == 0 ? new : TVEC", "new[1] == 0 ? new & ~1 : TVEC", "csr-stvec"],
  ["pmp", "fetching => cfg[2] == 1", "fetching => cfg[0] == 1", "pmp-"],
  ["pmp", "privilege == MACHINE && cfg[7] == 0", "privilege == MACHINE", "pmp-"],
  ["paging", "(mstatus.sum && access != fetching)", "mstatus.sum", "paging-"],
  ["paging", "(mstatus.mxr && x)", "x", "paging-"],
  ["paging", "leaf.pte[0] == 0 || (leaf.pte[1] == 0 && leaf.pte[2] == 1)", "leaf.pte[0] == 0", "paging-"],
  ["paging", "!misaligned_superpage(leaf.pte, level)", "true", "paging-"],
  ["paging", "leaf.pte[7:6] != 0 || leaf.pte[4] == 1", "false", "paging-"],
  ["paging", "8'hC0 : 8'h40", "8'h40 : 8'h40", "paging-"],
  ["paging", "mstatus.mprv && mode == MACHINE", "false", "paging-"],
  ["paging", "privilege == USER ? user", "privilege == USER ? true", "paging-"],
];

/** So many slips are planted unless `COMMUTE_ALL_SLIPS` is set: each needs the machine built anew. */
const DEFAULT = 10;
const chosen = process.env.COMMUTE_ALL_SLIPS === undefined ? SLIPS.filter((_, i) => i % 3 === 0) : SLIPS;

describe("slips in the definition of RV32's modes", () => {
  beforeAll(() => {
    expect(chosen.length).toBeGreaterThanOrEqual(DEFAULT);
    const names = new Set(programs(32).map((p) => p.name));
    for (const [file, right, , program] of SLIPS) {
      const text = readFileSync(`spec/riscv/${file}.yaml`, "utf8");
      expect(text.split(right), `${file}: ${right}`).toHaveLength(2);
      expect(
        [...names].some((name) => name.startsWith(program)),
        program,
      ).toBe(true);
    }
  });

  test.for(chosen)("%s: %s → %s is found by %s", { timeout: 300_000 }, async ([file, right, wrong, program], ctx) => {
    const refinement = await needQemu(ctx, 32, withSlip(`riscv/${file}.yaml`, right, wrong));
    const several = program.endsWith("-")
      ? programs(32).filter((p) => p.name.startsWith(program))
      : [{ name: program }];
    const verdicts: string[] = [];
    for (const { name } of several) {
      const only = (obligation: string): boolean => obligation === `lockstep/${name}`;
      const tested = await testEmulator(refinement, { cases: 1, seed: 1, only });
      if ("missing" in tested) return expect.fail("it is missing");
      verdicts.push(...tested.results.map((r) => r.verdict.verdict));
      if (verdicts.includes("refuted")) break;
    }
    expect(verdicts).toContain("refuted");
  });
});
