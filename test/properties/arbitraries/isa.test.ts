import { describe, expect, test } from "vitest";
import { instructions } from "../../../properties/arbitraries/instructions.js";
import { operands } from "../../../properties/arbitraries/operands.js";
import { programs } from "../../../properties/arbitraries/programs.js";
import { states } from "../../../properties/arbitraries/states.js";
import { anatomyOf, type InstructionClass } from "../../../properties/anatomy.js";
import { stateWithProgram } from "../../../properties/begin.js";
import { addressOf, encodeProgram, type Program } from "../../../properties/program.js";
import { randomAt } from "../../../properties/random.js";
import { running } from "../../../properties/start.js";
import { coveredBits, decode, encode, longestLength } from "../../../refinement/assembly/index.js";
import { environment, stepAny } from "../../../refinement/execute/concrete.js";
import { wellFormed } from "../../../refinement/execute/well-formed.js";
import type { Machine } from "../../../refinement/machine.js";
import { Evaluator } from "../../../refinement/terms/evaluate.js";
import { FileValue, MemoryValue } from "../../../refinement/terms/value.js";
import { specMachine, toyMachine } from "../toys.js";
import { obeysLaws } from "./laws.js";

const machines: readonly (readonly [string, () => Promise<Machine>])[] = [
  ["toy", () => toyMachine("toy")],
  ["tiny", () => specMachine("tiny/tiny")],
  ["rv32im", () => specMachine("riscv/rv32im")],
  ["rv64im", () => specMachine("riscv/rv64im")],
  ["rv32imac", () => specMachine("riscv/rv32imac")],
  ["rv64imac", () => specMachine("riscv/rv64imac")],
];

function anatomy(machine: Machine): NonNullable<ReturnType<typeof anatomyOf>> {
  const found = anatomyOf(machine);
  if (found === undefined) throw new Error(`${machine.name} has no instruction set`);
  return found;
}

function draw<T>(arbitrary: { draw(random: ReturnType<typeof randomAt>): T }, count: number): T[] {
  return Array.from({ length: count }, (_, i) => arbitrary.draw(randomAt(i, 3)));
}

describe.each(machines)("%s", (name, load) => {
  test("operands obey the laws and can be encoded", async () => {
    const machine = await load();
    for (const { instruction } of anatomy(machine).instructions) {
      const fields = new Map(instruction.encoding.fields.map((f) => [f.name, coveredBits(f)]));
      obeysLaws(
        operands(machine, instruction),
        (values) => values.size === fields.size && [...values].every(([n, v]) => (v & ~(fields.get(n) ?? 0n)) === 0n),
        6,
      );
    }
  });

  test("instructions obey the laws and decode to what was drawn", async () => {
    const machine = await load();
    const { isa } = anatomy(machine);
    obeysLaws(
      instructions(machine),
      (operation) => {
        if (operation.kind === "word") return operation.word >= 0n && operation.word >> BigInt(isa.wordWidth) === 0n;
        const instruction = isa.instructions.find((i) => i.name === operation.name);
        if (instruction === undefined) return false;
        return decode(machine, encode(instruction, operation.fields))?.instruction === instruction;
      },
      40,
    );
  });

  test("every instruction and every class of them is drawn, and words that are none", async () => {
    const machine = await load();
    const drawn = draw(instructions(machine), 4000);
    const names = new Set(drawn.map((o) => (o.kind === "word" ? "" : o.name)));
    for (const { instruction } of anatomy(machine).instructions) expect(names).toContain(instruction.name);
    expect(drawn.some((o) => o.kind === "word" && decode(machine, o.word) === undefined)).toBe(true);
  });

  test("programs obey the laws", async () => {
    const machine = await load();
    obeysLaws(programs(machine), (program) => program.length <= 12, 20);
    const lengths = new Set(draw(programs(machine), 300).map((p) => p.length));
    expect(lengths.has(0)).toBe(true);
    expect(lengths.size).toBeGreaterThan(8);
  });

  test("targets are met where a field can say them, from anywhere", async () => {
    const machine = await load();
    const { instructions: all, programCounter, isa } = anatomy(machine);
    const jumps = all.filter((a) => a.target !== undefined);
    expect(jumps.length).toBeGreaterThan(0);
    const width = programCounter.sort.kind === "bits" ? programCounter.sort.width : 0;
    for (const { instruction } of jumps) {
      for (const start of [0n, BigInt(longestLength(isa)) * 2n, (1n << BigInt(width)) - BigInt(longestLength(isa))]) {
        for (const target of [-2, -1, 1, 2, 3]) {
          const files = isa.fieldFiles.get(instruction.name);
          const fields = new Map(
            instruction.encoding.fields.map((f, i) => [f.name, files?.has(f.name) ? BigInt(i) & coveredBits(f) : 0n]),
          );
          const program: Program = [{ kind: "instruction", name: instruction.name, fields, target }];
          const taken = targetsOf(machine, program, start);
          expect(taken, `${instruction.name} at ${start} by ${target}`).toContain(
            addressOf(anatomy(machine), program, start, target),
          );
        }
      }
    }
  });

  test("states obey the laws", async () => {
    const machine = await load();
    obeysLaws(states(machine, { codeLength: 5 }), (start) => wellFormed(machine, running(start)), 12);
  });

  test("registers repeat, are corners, and point at data and code", async () => {
    const machine = await load();
    const drawn = draw(states(machine, { codeLength: 5 }), 200);
    let equal = 0;
    let zero = 0;
    for (const { state } of drawn) {
      for (const value of state.values()) {
        if (!(value instanceof FileValue)) continue;
        equal += value.elements.filter((e, i) => e !== 0n && value.elements.indexOf(e) !== i).length;
        zero += value.elements.filter((e) => e === 0n).length;
      }
    }
    expect(equal).toBeGreaterThan(20);
    expect(zero).toBeGreaterThan(50);
  });

  test("a program lies where the machine fetches it, and steps stay well formed", async () => {
    const machine = await load();
    const { isa, programCounter } = anatomy(machine);
    const random = states(machine, { codeLength: 4 });
    for (const [i, program] of draw(programs(machine, { maxLength: 4 }), 60).entries()) {
      const start = random.draw(randomAt(i));
      let state = stateWithProgram(machine, program, start);
      const counter = state.get(programCounter.name);
      if (typeof counter !== "bigint") throw new Error("no program counter");
      const [first] = encodeProgram(anatomy(machine), program, counter);
      // A program at the end of a small memory may overwrite its own beginning.
      if (first !== undefined && counter < 0xf0n) {
        expect(new Evaluator(environment(state)).number(isa.word)).toBe(first);
      }
      for (let step = 0; step < 6; step++) {
        const next = stepAny(machine, state);
        if (next === undefined) break;
        state = next.state;
        expect(wellFormed(machine, state)).toBe(true);
      }
    }
  });

  if (name.startsWith("rv")) {
    test("the classes of instructions are what the manual says", async () => {
      const machine = await load();
      const classOf = new Map(anatomy(machine).instructions.map((a) => [a.instruction.name, a.class]));
      const expected: readonly (readonly [InstructionClass, readonly string[]])[] = [
        ["control", ["jal", "jalr", "beq", "bne", "blt", "bge", "bltu", "bgeu"]],
        ["memory", ["lb", "lh", "lw", "lbu", "lhu", "sb", "sh", "sw"]],
        ["trap", ["ecall", "ebreak"]],
        ["plain", ["add", "addi", "lui", "auipc", "mul", "div", "fence"]],
      ];
      for (const [wanted, names] of expected) for (const n of names) expect([n, classOf.get(n)]).toEqual([n, wanted]);
    });

    test("accesses reach into denied bytes, across pages and around the address space", async () => {
      const machine = await load();
      const outcomes = new Map<string, number>();
      const seen = (what: string): void => void outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
      for (const [i, program] of draw(programs(machine), 600).entries()) {
        let state = stateWithProgram(
          machine,
          program,
          states(machine, { codeLength: program.length }).draw(randomAt(i)),
        );
        for (let step = 0; step < 8; step++) {
          const next = stepAny(machine, state);
          if (next === undefined) break;
          const memory = next.state.get("mem");
          if (memory instanceof MemoryValue && memory !== state.get("mem")) seen("store");
          state = next.state;
          const trap = machine.traps.find((t) => BigInt(t.code) === state.get("trap"));
          if (trap !== undefined) seen(trap.name);
        }
      }
      for (const what of [
        "store",
        "load_access_fault",
        "store_access_fault",
        "instruction_access_fault",
        "illegal_instruction",
        // With 16-bit instructions no target is misaligned.
        ...(name.includes("c") ? [] : ["instruction_address_misaligned"]),
        "breakpoint",
        "environment_call",
      ]) {
        expect(outcomes.get(what) ?? 0, what).toBeGreaterThan(3);
      }
    });
  }
});

/** The targets that executing the one instruction can lead to, over registers that are equal, ascending, descending. */
function targetsOf(machine: Machine, program: Program, start: bigint): readonly unknown[] {
  const { programCounter } = anatomy(machine);
  const fillers = [() => 0n, () => 1n, (i: number) => BigInt(i & 3), (i: number) => BigInt(3 - (i & 3))];
  return fillers.map((filler) => {
    const state = new Map(running({ state: states(machine).draw(randomAt(1)).state, inaccessible: [] }));
    for (const v of machine.variables) {
      if (v.sort.kind === "file" && v !== anatomy(machine).place?.variable) {
        state.set(v.name, new FileValue(Array.from({ length: v.sort.count }, (_, i) => v.fixed.get(i) ?? filler(i))));
      }
    }
    state.set(programCounter.name, start);
    const placed = stateWithProgram(machine, program, { state, inaccessible: [] });
    return stepAny(machine, placed)?.state.get(programCounter.name);
  });
}
