/** The machine of the notation's own description, word for word, and the error that it shows. */
import { expect, test } from "vitest";
import { transition, variable } from "../../../refinement/machine.js";
import { print } from "../../../refinement/terms/print.js";
import { machineOf, mistakes } from "./memory-files.js";

const RV64I = `machine: rv64i
title: RISC-V RV64I base integer instruction set
source: The RISC-V Instruction Set Manual, Volume I, version 20240411, chapter 4
state:
  pc:  bits(64)
  x:   { type: "bits(64)[32]", fixed: { 0: 0 } }   # x[0] reads 0, writes to it vanish
  mem: bytes(64)                                   # byte-addressed, little-endian, 64-bit addresses
fetch: { from: "mem[pc, 4]", length: 4 }
next: pc = pc + 4                                  # unless the instruction assigns pc
functions:
  jump(target: bits(64)): |
    if target[1:0] != 0 { raise misaligned_fetch(target) }
    pc = target
  branch(taken: bool, offset: bits(13)): |
    if taken { jump(pc + sext(offset)) }
traps:
  misaligned_fetch(address: bits(64))
instructions:
  addi:
    encoding: imm[11:0] rs1 000 rd 0010011
    assembly: addi rd, rs1, imm
    execute:  x[rd] = x[rs1] + sext(imm)
  sltu:
    encoding: 0000000 rs2 rs1 011 rd 0110011
    assembly: sltu rd, rs1, rs2
    execute:  x[rd] = zext(x[rs1] <u x[rs2])
  sraw:
    encoding: 0100000 rs2 rs1 101 rd 0111011
    assembly: sraw rd, rs1, rs2
    execute:  x[rd] = sext(x[rs1][31:0] >>s x[rs2][4:0])
  beq:
    encoding: imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011
    assembly: beq rs1, rs2, pc + imm
    execute:  branch(x[rs1] == x[rs2], imm)
  ld:
    encoding: imm[11:0] rs1 011 rd 0000011
    assembly: ld rd, imm(rs1)
    execute:  x[rd] = mem[x[rs1] + sext(imm), 8]
`;

test("the machine of the notation's description", async () => {
  const machine = await machineOf(RV64I);
  expect(machine.variables.map((v) => v.name)).toEqual(["pc", "x", "mem", "trap", "trap.value"]);
  expect(machine.transitions.map((t) => t.name)).toEqual(["addi", "sltu", "sraw", "beq", "ld"]);
  expect(variable(machine, "x")?.fixed).toEqual(new Map([[0, 0n]]));
  expect(machine.traps).toEqual([
    {
      name: "misaligned_fetch",
      parameters: [{ name: "address", type: { kind: "bits", width: 64 } }],
      code: 1,
      cause: undefined,
    },
  ]);
  const set = machine.instructionSet;
  expect(set?.programCounter).toBe("pc");
  expect(set?.parcels.lengths).toEqual([4]);
  expect(set?.wordWidth).toBe(32);
  const beq = set?.instructions.find((i) => i.name === "beq");
  expect(beq?.encoding.mask).toBe(0x707fn);
  expect(beq?.encoding.match).toBe(0x63n);
  expect(beq?.encoding.fields.map((f) => [f.name, f.width])).toEqual([
    ["imm", 13],
    ["rs2", 5],
    ["rs1", 5],
  ]);
  expect(beq?.encoding.fields[0]?.pieces).toEqual([
    { at: 31, lo: 12, width: 1 },
    { at: 25, lo: 5, width: 6 },
    { at: 8, lo: 1, width: 4 },
    { at: 7, lo: 11, width: 1 },
  ]);
  expect(beq?.line).toBe(31);
  expect(beq?.assembly).toBe("beq rs1, rs2, pc + imm");
  expect(set?.fieldFiles.get("addi")).toEqual(
    new Map([
      ["rs1", { file: "x", first: 0 }],
      ["rd", { file: "x", first: 0 }],
    ]),
  );
  const addi = set?.instructions.find((i) => i.name === "addi");
  expect(print(addi?.effect.assigns.get("pc") ?? machine.initial)).toBe("pc + 64'd4");
  expect(transition(machine, "beq")?.effect.raises).toHaveLength(1);
});

test("the error that the notation's description shows", async () => {
  const wrong = RV64I.replace("x[rd] = x[rs1] + sext(imm)", "x[rd] = x[rs1] + imm");
  const [first, ...more] = await mistakes(machineOf(wrong));
  expect(more).toEqual([]);
  expect(first).toEqual({
    code: "E_WIDTH",
    place: { file: "m.yaml", line: 22, column: 23 },
    message: "`x[rs1] + imm` adds bits(64) and bits(12); widen with sext(imm) or zext(imm)",
  });
});

test("a machine of named transitions", async () => {
  const machine = await machineOf(`machine: lock
state:
  lock:  enum { free, held }
  owner: bits(1)
init: lock == free && owner == 0
transitions:
  acquire(cpu: bits(1)):
    guard:  lock == free
    effect: |
      lock = held
      owner = cpu
  release:
    guard: lock == held
    effect: lock = free
`);
  const acquire = transition(machine, "acquire");
  expect(acquire?.parameters.map((p) => p.term.name)).toEqual(["acquire(cpu)"]);
  expect(print(acquire?.guard ?? machine.initial)).toBe("lock != 1'b1");
  expect([...(acquire?.effect.assigns ?? [])].map(([k, v]) => `${k} = ${print(v)}`)).toEqual([
    "lock = 1'b1",
    "owner = acquire(cpu)",
  ]);
  expect(machine.instructionSet).toBeUndefined();
  expect(machine.traps).toEqual([]);
});
