import type { Random } from "fast-check";
import { coveredBits, encode, isWordOf } from "../../refinement/assembly/index.js";
import type { Field, Instruction, Machine } from "../../refinement/machine.js";
import { anatomyOf } from "../anatomy.js";
import { pick } from "../random.js";
import { Drawn } from "./drawn.js";
import { values } from "./values.js";

/** Operand fields of one instruction, by name. */
export type Operands = ReadonlyMap<string, bigint>;

/**
 * Operands of an instruction. Registers come from a handful, so that instructions depend on each other, and are often
 * equal or register 0; immediates are corners, or small and aligned, so that accesses meet.
 */
export function operands(machine: Machine, instruction: Instruction): Drawn<Operands> {
  return new OperandsArbitrary(machine, instruction);
}

interface Operand {
  readonly name: string;
  /** Bits that a word can hold; the others are 0. */
  readonly mask: bigint;
  /** Number of elements, where the field names a register. */
  readonly registers: number | undefined;
  /** Of an instruction that accesses memory. */
  readonly offset: boolean;
  readonly values: Drawn<bigint>;
}

/** Draws for operands with which the word is this instruction, where its encoding excludes some. */
const PATIENCE = 50;

class OperandsArbitrary extends Drawn<Operands> {
  private readonly instruction: Instruction;
  private readonly operands: readonly Operand[];

  constructor(machine: Machine, instruction: Instruction) {
    super();
    this.instruction = instruction;
    const offset =
      anatomyOf(machine)?.instructions.some((a) => a.instruction === instruction && a.class === "memory") ?? false;
    const files = machine.instructionSet?.fieldFiles.get(instruction.name);
    this.operands = instruction.encoding.fields.map((field) => ({
      name: field.name,
      mask: coveredBits(field),
      registers: registerCount(machine, field, files?.get(field.name)?.file),
      offset,
      values: values({ kind: "bits", width: field.width }),
    }));
  }

  override draw(random: Random): Operands {
    let drawn = this.any(random);
    for (let i = 0; i < PATIENCE && !this.isInstruction(drawn); i++) drawn = this.any(random);
    return drawn;
  }

  private any(random: Random): Operands {
    const drawn = new Map<string, bigint>();
    const registers: bigint[] = [];
    for (const operand of this.operands) {
      if (operand.registers === undefined) {
        drawn.set(operand.name, immediate(random, operand) & operand.mask);
      } else {
        const register = registerNumber(random, operand.registers, registers) & operand.mask;
        registers.push(register);
        drawn.set(operand.name, register);
      }
    }
    return drawn;
  }

  override *smaller(value: Operands): Iterable<Operands> {
    const isOne = this.isInstruction(value);
    for (const operand of this.operands) {
      for (const candidate of operand.values.smaller(value.get(operand.name) ?? 0n)) {
        if ((candidate & ~operand.mask) !== 0n) continue;
        const smaller = new Map(value).set(operand.name, candidate);
        if (!isOne || this.isInstruction(smaller)) yield smaller;
      }
    }
  }

  private isInstruction(value: Operands): boolean {
    return isWordOf(this.instruction, encode(this.instruction, value));
  }

  override size(value: Operands): bigint {
    let size = 0n;
    for (const field of value.values()) size += field;
    return size;
  }
}

function registerCount(machine: Machine, field: Field, file: string | undefined): number | undefined {
  const sort = machine.variables.find((v) => v.name === file)?.sort;
  return sort?.kind === "file" ? Math.min(sort.count, 2 ** field.width) : undefined;
}

function registerNumber(random: Random, count: number, drawn: readonly bigint[]): bigint {
  const chance = random.nextInt(0, 99);
  if (chance < 20) return pick(random, drawn) ?? 0n;
  if (chance < 30) return 0n;
  if (chance < 85) return BigInt(random.nextInt(0, Math.min(3, count - 1)));
  return BigInt(random.nextInt(0, count - 1));
}

function immediate(random: Random, operand: Operand): bigint {
  const chance = random.nextInt(0, 99);
  if (chance < (operand.offset ? 50 : 25)) return BigInt(4 * random.nextInt(-6, 6));
  if (chance < (operand.offset ? 80 : 40)) return BigInt(random.nextInt(-9, 9));
  return operand.values.draw(random);
}
