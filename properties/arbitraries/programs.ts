import type { Random } from "fast-check";
import type { Machine } from "../../refinement/machine.js";
import { capacity, type Operation, type Program } from "../program.js";
import { oneIn } from "../random.js";
import { Drawn } from "./drawn.js";
import { type InstructionsArbitrary, instructions, type Vocabulary } from "./instructions.js";

export interface ProgramsOptions {
  /** Instructions at most; 12 by default, less where the machine cannot hold as many. */
  readonly maxLength?: number;
}

/**
 * Programs with valid control flow: jumps and branches stay inside, or leave by the end; some go astray on purpose. They
 * may store into themselves. Half of them use only a few of the instructions, so that rare ones meet. Nothing bounds
 * a loop but the number of steps of a run.
 */
export function programs(machine: Machine, options: ProgramsOptions = {}): Drawn<Program> {
  return new ProgramsArbitrary(instructions(machine), options.maxLength ?? 12);
}

class ProgramsArbitrary extends Drawn<Program> {
  private readonly instructions: InstructionsArbitrary;
  private readonly maxLength: number;
  private readonly all: Vocabulary;

  constructor(of: InstructionsArbitrary, maxLength: number) {
    super();
    this.instructions = of;
    this.maxLength = Math.min(maxLength, capacity(of.anatomy));
    this.all = of.vocabulary(of.names());
  }

  override draw(random: Random): Program {
    const length = random.nextInt(0, this.maxLength);
    const vocabulary = this.vocabulary(random);
    return Array.from({ length }, (_, index) =>
      this.aimed(random, this.instructions.drawFrom(random, vocabulary), index, length),
    );
  }

  private vocabulary(random: Random): Vocabulary {
    const names = this.instructions.names();
    if (names.length < 6 || random.nextInt(0, 1) === 0) return this.all;
    const size = random.nextInt(2, 6);
    return this.instructions.vocabulary(
      Array.from({ length: size }, () => names[random.nextInt(0, names.length - 1)] ?? ""),
    );
  }

  private aimed(random: Random, operation: Operation, index: number, length: number): Operation {
    if (!this.instructions.hasTarget(operation) || oneIn(random, 8)) return operation;
    const forward = random.nextInt(0, 99) < 65;
    const target = forward ? random.nextInt(1, Math.max(1, Math.min(5, length - index))) : -random.nextInt(0, index);
    return { ...operation, target };
  }

  override *smaller(value: Program): Iterable<Program> {
    for (let chunk = value.length; chunk > 0; chunk >>= 1) {
      for (let at = 0; at + chunk <= value.length; at += chunk) yield without(value, at, chunk);
    }
    for (let index = 0; index < value.length; index++) {
      const operation = value[index];
      if (operation === undefined) continue;
      for (const smaller of this.instructions.smaller(operation)) yield value.with(index, smaller);
    }
  }

  override size(value: Program): bigint {
    return value.reduce((size, operation) => size + this.instructions.size(operation), 0n);
  }
}

/** The program without `count` operations from `at` on; jumps over them become shorter. */
function without(program: Program, at: number, count: number): Program {
  return program.flatMap((operation, index) => {
    if (index >= at && index < at + count) return [];
    if (operation.kind === "word" || operation.target === undefined) return [operation];
    const to = index + operation.target;
    let target = operation.target;
    if (index < at && to > at) target -= Math.min(to - at, count);
    else if (index >= at + count && to < at + count) target += Math.min(at + count - to, count);
    return [{ ...operation, target }];
  });
}
