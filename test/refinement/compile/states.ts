/**
 * Random and corner states of a machine with an instruction set, the instruction to execute in place.
 */
import { bytesOfWord, encode, isWordOf, representable, shortestLength } from "../../../refinement/assembly/index.js";
import { anatomyOf } from "../../../properties/anatomy.js";
import { zeroState } from "../../../refinement/execute/concrete.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Field, Instruction, Machine } from "../../../refinement/machine.js";
import { FileValue, MemoryValue, type Permissions, type Value } from "../../../refinement/terms/value.js";
import type { Random } from "./random-terms.js";

function fieldValue(random: Random, field: Field): bigint {
  for (let tries = 0; tries < 200; tries++) {
    const value = random.chance(2) ? random.corner(field.width) : random.bits(field.width);
    const cleared =
      value & field.pieces.reduce((mask, p) => mask | (((1n << BigInt(p.width)) - 1n) << BigInt(p.lo)), 0n);
    if (representable(field, cleared)) return cleared;
  }
  return 0n;
}

/** Fields at random; often two or three of the same width are equal, or zero. */
export function randomWord(random: Random, instruction: Instruction): bigint {
  for (;;) {
    const word = anyWord(random, instruction);
    if (isWordOf(instruction, word)) return word;
  }
}

function anyWord(random: Random, instruction: Instruction): bigint {
  const values = new Map<string, bigint>();
  for (const field of instruction.encoding.fields) {
    const same = [...values].find(
      ([name]) => instruction.encoding.fields.find((f) => f.name === name)?.width === field.width,
    );
    values.set(field.name, same !== undefined && random.chance(3) ? same[1] : fieldValue(random, field));
  }
  return encode(instruction, values);
}

function permissions(random: Random, pages: readonly bigint[]): Permissions | undefined {
  switch (random.below(4)) {
    case 0: {
      const denied = random.pick(["fetch", "load", "store"] as const);
      return (access) => access !== denied;
    }
    case 1: {
      const edge = (random.pick(pages) & ~0xfffn) + BigInt(random.pick([0, 3, 4095, 4093]));
      const access = random.pick(["fetch", "load", "store"] as const);
      return (a, address) => a !== access || address !== edge;
    }
    default:
      return undefined;
  }
}

/** A state of which the machine's next word is `word`. */
export function randomState(random: Random, machine: Machine, word: bigint): State {
  const isa = machine.instructionSet;
  if (isa === undefined) throw new RangeError("a machine without instructions");
  const state = new Map<string, Value>(zeroState(machine));
  const pc = machine.variables.find((v) => v.name === isa.programCounter);
  if (pc === undefined || pc.sort.kind !== "bits") throw new RangeError("no program counter");
  const pcWidth = pc.sort.width;
  const step = BigInt(shortestLength(isa));
  const aligned = BigInt.asUintN(pcWidth, random.corner(pcWidth) & -step);
  const at =
    isa.parcels.length === 1 || random.chance(8)
      ? random.corner(pcWidth)
      : random.chance(2)
        ? aligned
        : random.bits(pcWidth) & -step;
  const near = (width: number): bigint => {
    const page = random.chance(2) ? 0x1000n * BigInt(random.below(5)) : at & ~0xfffn;
    return BigInt.asUintN(width, page + random.pick([0n, 1n, 4n, 4090n, 4093n, 4095n, 4096n, -1n, -4n, -8n]));
  };
  const value = (width: number): bigint => {
    switch (random.below(4)) {
      case 0:
        return near(width);
      case 1:
        return BigInt.asUintN(width, at + BigInt(random.below(16)) - 8n);
      default:
        return random.corner(width);
    }
  };
  for (const v of machine.variables) {
    if (v.implicit) continue;
    switch (v.sort.kind) {
      case "bool":
        state.set(v.name, BigInt(random.below(2)));
        break;
      case "bits":
        state.set(v.name, v.name === isa.programCounter ? at : value(v.sort.width));
        break;
      case "file": {
        const { count, element } = v.sort;
        let file = new FileValue(Array.from({ length: count }, () => value(element)));
        for (const [index, fixed] of v.fixed) file = file.set(BigInt(index), fixed);
        state.set(v.name, file);
        break;
      }
      case "memory":
        state.set(v.name, randomMemory(random, v.sort.address, near(v.sort.address), at));
        break;
    }
  }
  place(machine, state, at, word);
  return state;
}

function randomMemory(random: Random, width: number, near: bigint, at: bigint): MemoryValue {
  const salt = BigInt(random.below(256));
  const background = random.chance(16)
    ? (a: bigint): number => Number((a * 37n + (a >> 8n) + salt) & 0xffn)
    : undefined;
  let memory = MemoryValue.empty(width, permissions(random, [near, at]), background);
  for (let i = 0; i < 3; i++) memory = memory.store(near + BigInt(8 * i), 8, random.corner(64));
  return memory;
}

function place(machine: Machine, state: Map<string, Value>, at: bigint, word: bigint): void {
  const isa = machine.instructionSet;
  const from = isa === undefined ? undefined : anatomyOf(machine)?.place?.variable.name;
  if (isa === undefined || from === undefined) return;
  const source = state.get(from);
  if (source instanceof MemoryValue) state.set(from, source.storeBytes(at, bytesOfWord(isa, word)));
  if (source instanceof FileValue) state.set(from, source.set(at, word));
}
