/** Every form of operands that the decoder knows for the machine's instructions has a meaning, or is refused by name. */
import { describe, expect, test } from "vitest";
import type { DecodedInstruction } from "../../../refinement/decoded.js";
import { freeVariables } from "../../../refinement/terms/variables.js";
import { everyForm } from "../../refinement/assembly/x86/every-form.js";
import { isa, library, machine } from "./run.js";

/** Kinds and widths, whatever the registers. */
function shapeOf({ mnemonic, prefixes, operandSize, addressSize, operands }: DecodedInstruction): string {
  const shapes = operands.map((o) => {
    const where = o.kind === "memory" ? `${o.segment}${o.stack}${o.base === "rip"}` : "";
    return `${o.kind}${o.kind === "target" ? "" : o.width}${where}${o.kind === "register" && o.high}`;
  });
  return [mnemonic, prefixes.rep, operandSize, addressSize, ...shapes].join();
}

describe("every form of operands", () => {
  test("has an effect over the state and its own numbers and choices", { timeout: 120_000 }, async () => {
    const { samples } = await everyForm();
    const shapes = new Map(samples.map((s) => [shapeOf(s.instruction), s.instruction]));
    expect(shapes.size).toBeGreaterThan(1500);
    const state = new Set(machine.variables.map((v) => v.term));
    const wrong: string[] = [];
    for (const [shape, instruction] of shapes) {
      const form = isa.form(instruction);
      if (form.kind !== "form") {
        wrong.push(`${shape}: ${form.reason}`);
        continue;
      }
      const { raises, assigns } = form.effect;
      const inputs = new Set([...state, ...[...form.parameters, ...form.choices].map((p) => p.term)]);
      const terms = [...assigns.values(), ...raises.flatMap((r) => [r.condition, ...r.arguments])];
      for (const free of freeVariables(terms)) if (!inputs.has(free)) wrong.push(`${shape}: ${free.name} is unknown`);
      for (const [name, term] of assigns)
        if (machine.variables.find((v) => v.name === name)?.sort !== term.sort) wrong.push(`${shape}: ${name}`);
      if (form.values(instruction).length !== form.parameters.length) wrong.push(`${shape}: numbers`);
      // All but what always ends in a trap go on somewhere.
      const ends = raises.some((r) => r.condition.op === "const");
      if (!ends && !assigns.has("rip")) wrong.push(`${shape}: rip stays`);
    }
    expect(wrong).toEqual([]);
  });

  test("is elaborated once, whatever the numbers in the code", () => {
    const form = (text: string): unknown => {
      const reading = library.decode(library.assemble(text, 0n, () => true, "<test>").bytes);
      return reading.kind === "instruction" ? isa.form(reading.instruction) : undefined;
    };
    expect(form("add dword ptr [rbx + 0x12345], 7")).toBe(form("add dword ptr [rbx - 1], 0x1234567"));
    expect(form("add eax, 7")).not.toBe(form("add ecx, 7"));
  });

  test("that no block is for is refused", () => {
    const reading = library.decode(library.assemble("mov eax, 5", 0n, () => true, "<test>").bytes);
    if (reading.kind !== "instruction") throw new Error("mov is an instruction");
    const { instruction } = reading;
    const reason = (change: Partial<DecodedInstruction>): string => {
      const form = isa.form({ ...instruction, ...change });
      return form.kind === "unsupported" ? form.reason : "none";
    };
    expect(reason({})).toBe("none");
    expect(reason({ mnemonic: "vaddps" })).toBe("there is no instruction `vaddps`");
    expect(reason({ operands: instruction.operands.slice(1) })).toBe("`mov` has no form with operands immediate 32");
    const narrow = { kind: "immediate", value: 1n, width: 16 } as const;
    expect(reason({ operands: [...instruction.operands.slice(0, 1), narrow] })).toMatch(/register 32, immediate 16/);
    expect(reason({ mnemonic: "enter", operandSize: 16, operands: [narrow, { ...narrow, width: 8 }] })).toMatch(
      /no form/,
    );
  });
});
