import { expect, test } from "vitest";
import { programs } from "../../../impl/qemu-system-lockstep/programs.js";
import { testEmulator } from "../../../properties/emulator.js";
import { needQemu } from "./need-qemu.js";

test.for([64, 32] as const)(
  "RV%i: QEMU's system emulator runs every program as the definition says, all registers compared",
  { timeout: 900_000 },
  async (xlen, ctx) => {
    const refinement = await needQemu(ctx, xlen);
    const tested = await testEmulator(refinement, { cases: 1, seed: 1 });
    if ("missing" in tested) return expect.fail("it is missing");
    expect(tested.results.filter((r) => r.verdict.verdict !== "tested")).toEqual([]);
    expect(tested.results.map((r) => r.name)).toEqual(programs(xlen).map((p) => `lockstep/${p.name}`));
    let steps = 0;
    for (const { name, verdict } of tested.results) {
      const count = verdict.verdict === "tested" ? (verdict.cases ?? 0) : 0;
      expect(count, name).toBeGreaterThan(200);
      steps += count;
    }
    expect(steps).toBeGreaterThan(150_000);
    expect(tested.identity).toMatch(/^QEMU emulator version .*-cpu rv/);
  },
);
