import { describe, expect, it } from "vitest";
import { PairLockstep } from "../../../refinement/compile/pair.js";
import { agree } from "../../../refinement/execute/difference.js";
import * as t from "../../../refinement/terms/build.js";
import { MemoryValue } from "../../../refinement/terms/value.js";
import { handmadeRv64 } from "./handmade.js";
import { Random } from "./random-terms.js";
import { randomState, randomWord } from "./states.js";

const machine = handmadeRv64();
const instructions = machine.instructionSet?.instructions ?? [];

function program(random: Random): ReturnType<typeof randomState> {
  const state = new Map(randomState(random, machine, randomWord(random, random.pick(instructions))));
  const at = state.get("pc");
  let memory = state.get("mem");
  if (typeof at !== "bigint" || !(memory instanceof MemoryValue)) throw new TypeError();
  for (let k = 0; k < 24; k++)
    memory = memory.store(at + BigInt(4 * k - 16), 4, randomWord(random, random.pick(instructions)));
  return state.set("mem", memory);
}

/** The machine with one instruction's register result, or stored byte, off by one bit. */
function broken(wrong: string): PairLockstep {
  const other = handmadeRv64((name, original, o) => {
    if (name !== wrong) return original;
    const assigns = new Map(original.assigns);
    const [x, mem] = [assigns.get("x"), assigns.get("mem")];
    if (x !== undefined) assigns.set("x", t.store(x, o.rd, t.bvxor(t.select(x, o.rd), t.constant(64, 1n))));
    const [base, address, value] = mem?.args ?? [];
    if (base !== undefined && address !== undefined && value !== undefined && mem !== undefined) {
      assigns.set("mem", t.write(base, address, mem.bytes, t.bvnot(value)));
    }
    return { raises: original.raises, assigns };
  });
  return new PairLockstep(machine, other);
}

describe("two machines side by side", () => {
  it("agree where they are the same", () => {
    const pair = new PairLockstep(machine, handmadeRv64());
    const random = new Random(1);
    for (let i = 0; i < 60; i++) {
      pair.load(program(random));
      expect(pair.run(40).reason).not.toBe("differs");
    }
  });

  it.each([
    ["addi", "x"],
    ["sb", "mem"],
    ["ld", "x"],
  ])("differ where %s does", (wrong, variable) => {
    const pair = broken(wrong);
    const random = new Random(2);
    let outcome = pair.run(0);
    for (let i = 0; i < 60 && outcome.reason !== "differs"; i++) {
      pair.load(program(random));
      outcome = pair.run(40);
    }
    expect(outcome.variable).toBe(variable);
    const [left, right] = pair.states();
    expect(agree(machine, left, right)).toBe(false);
  });
});
