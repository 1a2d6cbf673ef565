import fc from "fast-check";
import { expect, test } from "vitest";
import { programs } from "../../properties/arbitraries/programs.js";
import { states } from "../../properties/arbitraries/states.js";
import { stateWithProgram } from "../../properties/begin.js";
import { randomAt } from "../../properties/random.js";
import { stepAny } from "../../refinement/execute/concrete.js";
import { differences } from "../../refinement/execute/difference.js";
import { loadMachine } from "../../spec/notation/index.js";

const machine = await loadMachine("spec/riscv/rv32im.yaml");

test("an instruction that traps changes nothing else", () => {
  let traps = 0;
  fc.assert(
    fc.property(programs(machine), fc.integer(), (program, seed) => {
      const start = states(machine, { codeLength: program.length }).draw(randomAt(seed));
      let before = stateWithProgram(machine, program, start);
      for (let step = 0; step < 20; step++) {
        const after = stepAny(machine, before)?.state;
        if (after === undefined) return;
        if (after.get("trap") !== 0n) {
          traps++;
          const changed = differences(machine, before, after).map((d) => d.variable);
          expect(changed.filter((name) => name !== "trap" && name !== "trap.value")).toEqual([]);
        }
        before = after;
      }
    }),
    { seed: 42, numRuns: 300 },
  );
  expect(traps).toBeGreaterThan(50); // a property that nothing exercised has not been tested
});
