import { describe, expect, it } from "vitest";
import { bytesOfWord, encode } from "../../../refinement/assembly/index.js";
import { Simulator } from "../../../refinement/compile/simulator.js";
import { stepAny } from "../../../refinement/execute/concrete.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Machine, StateVariable } from "../../../refinement/machine.js";
import * as t from "../../../refinement/terms/build.js";
import { FileValue, MemoryValue, type Value, valueEquals } from "../../../refinement/terms/value.js";
import { handmadeRv64 } from "./handmade.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { Random, randomValue } from "./random-terms.js";
import { randomState, randomWord } from "./states.js";

/** What differs, in words; undefined where the states are equal. */
function difference(machine: Machine, expected: State, got: State): string | undefined {
  for (const v of machine.variables) {
    const [a, b] = [expected.get(v.name), got.get(v.name)];
    if (a === undefined || b === undefined || !valueEquals(a, b))
      return `${v.name}: ${show(a)} expected, got ${show(b)}`;
  }
  return undefined;
}

function show(value: Value | undefined): string {
  if (value === undefined) return "nothing";
  if (typeof value === "bigint") return value.toString(16);
  if (value instanceof MemoryValue)
    return [...value.written()]
      .map(([a, b]) => `${a.toString(16)}:${b}`)
      .join(" ")
      .slice(0, 300);
  return value.elements.map((e) => e.toString(16)).join(" ");
}

/** Runs `simulator` and the reference from the same state; what differs after `steps`. */
function compare(machine: Machine, simulator: Simulator, state: State, steps: number, hot = false): string | undefined {
  let expected = state;
  let done = 0;
  while (done < steps) {
    const next = stepAny(machine, expected);
    if (next === undefined) break;
    expected = next.state;
    done++;
  }
  simulator.load(state);
  if (hot) simulator.compileHere();
  const outcome = simulator.run(steps);
  if (outcome.steps !== done) return `${done} steps expected, got ${outcome.steps} (${outcome.reason})`;
  return difference(machine, expected, simulator.state());
}

const CASES = 60;

const handmade = handmadeRv64();
const machines: readonly Machine[] = [
  handmade,
  ...(await Promise.all(
    ["tiny/tiny", "riscv/rv32im", "riscv/rv64im", "riscv/rv32u", "riscv/rv64u"].map((name) =>
      loadMachine(`spec/${name}.yaml`),
    ),
  )),
];

describe.each(machines.map((m) => [m.name, m] as const))(
  "the simulator of %s agrees with the reference evaluator",
  (_, machine) => {
    const simulator = new Simulator(machine);
    const instructions = machine.instructionSet?.instructions ?? [];
    const width = machine.instructionSet?.wordWidth ?? 0;

    it.each(instructions.map((i) => [i.name, i] as const))("%s", (_, instruction) => {
      const random = new Random(instructions.indexOf(instruction));
      for (let i = 0; i < CASES; i++) {
        const state = randomState(random, machine, randomWord(random, instruction));
        expect(compare(machine, simulator, state, 1)).toBeUndefined();
      }
    });

    it("on words that are no instruction", () => {
      const random = new Random(3);
      for (let i = 0; i < CASES; i++) {
        const state = randomState(random, machine, random.bits(width));
        expect(compare(machine, simulator, state, 1)).toBeUndefined();
      }
    });

    it("on words one bit away from an instruction", () => {
      const random = new Random(5);
      for (let i = 0; i < 2 * CASES; i++) {
        const word = randomWord(random, random.pick(instructions)) ^ (1n << BigInt(random.below(width)));
        expect(compare(machine, simulator, randomState(random, machine, word), 1)).toBeUndefined();
      }
    });

    it("on random programs, self-modifying ones included", () => {
      const random = new Random(4);
      for (let i = 0; i < 40; i++)
        expect(compare(machine, simulator, randomProgram(random, machine), 30)).toBeUndefined();
    });

    it("on random programs compiled as regions, self-modifying ones included", () => {
      const random = new Random(6);
      for (let i = 0; i < 60; i++) {
        const state = randomProgram(random, machine);
        expect(compare(machine, simulator, state, random.chance(2) ? 30 : random.below(12), true)).toBeUndefined();
      }
    });
  },
);

/** A random state, and code around its program counter; jumps are short, so that some go round in circles. */
function randomProgram(random: Random, machine: Machine): State {
  const instructions = machine.instructionSet?.instructions ?? [];
  const word = (): bigint => {
    const instruction = random.pick(instructions);
    const jump = instruction.encoding.fields.find((f) => f.width >= 13 && f.pieces.length > 2);
    if (jump === undefined || random.chance(4)) return randomWord(random, instruction);
    const values = instruction.encoding.fields.map((f) => {
      const offset = BigInt.asUintN(f.width, 4n * BigInt(random.below(16)) - 28n);
      return [f.name, f === jump ? offset : random.bits(f.width)] as const;
    });
    return encode(instruction, new Map(values));
  };
  const state = new Map(randomState(random, machine, word()));
  const at = state.get("pc");
  let memory = state.get("mem");
  if (typeof at !== "bigint") throw new TypeError();
  if (memory instanceof MemoryValue) {
    let end = at - 16n;
    for (let k = 0; k < 24; k++) {
      const isa = machine.instructionSet;
      const bytes = isa === undefined ? new Uint8Array() : bytesOfWord(isa, word());
      memory = memory.storeBytes(end, bytes);
      end += BigInt(bytes.length);
    }
    state.set("mem", memory);
  } else {
    state.set("rom", new FileValue(Array.from({ length: 16 }, word)));
  }
  return state;
}

const hosts = await Promise.all(
  [
    "interpreter/interpreter",
    "pipeline/pipeline",
    "tiny-interpreter/tiny-interpreter",
    "tiny-pipeline/tiny-pipeline",
  ].map((name) => loadMachine(`impl/${name}.yaml`)),
);

describe("machines without instructions run by their transitions", () => {
  it.each(hosts.map((m) => [m.name, m] as const))("%s", (_, machine) => {
    const simulator = new Simulator(machine);
    const random = new Random(9);
    for (let i = 0; i < 40; i++) {
      const state = new Map<string, Value>();
      for (const v of machine.variables) state.set(v.name, wellFormedValue(random, v));
      expect(compare(machine, simulator, state, 12)).toBeUndefined();
    }
  });
});

/** Any value that the variable's type allows. */
function wellFormedValue(random: Random, v: StateVariable): Value {
  if (v.type.kind === "enum") return BigInt(random.below(v.type.members.length));
  const value = v.implicit ? 0n : randomValue(random, v.term);
  if (!(value instanceof FileValue) || v.type.kind !== "file") return value;
  const { element } = v.type;
  const members = element.kind === "enum" ? element.members.length : undefined;
  return new FileValue(
    value.elements.map((e, i) => v.fixed.get(i) ?? (members === undefined ? e : BigInt(random.below(members)))),
  );
}

describe("the comparison can fail", () => {
  it.each([
    ["a result", "add", "x", "x"],
    ["a wide multiplication", "mulhu", "x", "x"],
    ["a store's width", "sw", "mem", "mem"],
    ["a trap that is forgotten", "lw", "trap", "pc"],
  ])("on %s", (_, wrong, variable, first) => {
    const right = handmadeRv64();
    const broken = handmadeRv64((name, original, o) => {
      if (name !== wrong) return original;
      if (variable === "trap") return { raises: [], assigns: original.assigns };
      const assigns = new Map(original.assigns);
      const value = assigns.get(variable);
      if (value === undefined) return original;
      const [base, , stored] = value.args;
      if (value.sort.kind === "memory" && base !== undefined && stored !== undefined && value.args[1] !== undefined) {
        assigns.set(variable, t.write(base, value.args[1], 2, t.extract(stored, 15, 0)));
      } else {
        const x = t.variable("x", value.sort);
        assigns.set(variable, t.store(x, o.rd, t.bvxor(t.select(value, o.rd), t.constant(64, 4n))));
      }
      return { raises: original.raises, assigns };
    });
    const simulator = new Simulator(broken);
    const instruction = right.instructionSet?.instructions.find((i) => i.name === wrong);
    if (instruction === undefined) throw new TypeError();
    const random = new Random(11);
    const found = Array.from({ length: CASES }, () =>
      compare(right, simulator, randomState(random, right, randomWord(random, instruction)), 1),
    ).find((d) => d !== undefined);
    expect(found).toContain(`${first}:`);
  });
});
