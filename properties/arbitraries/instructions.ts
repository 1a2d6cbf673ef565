import type { Random } from "fast-check";
import type { Machine } from "../../refinement/machine.js";
import { encode } from "../../refinement/assembly/encoding.js";
import { type Anatomy, anatomyOf, type InstructionAnatomy, type InstructionClass } from "../anatomy.js";
import type { InstructionOperation, Operation } from "../program.js";
import { pick } from "../random.js";
import { Drawn } from "./drawn.js";
import { type Operands, operands } from "./operands.js";
import { values } from "./values.js";

/**
 * Instructions of a machine, from its encodings: every class often enough, now and then a word that is no instruction.
 * Targets of jumps are left to the program that the instruction is for.
 */
export function instructions(machine: Machine): InstructionsArbitrary {
  const anatomy = anatomyOf(machine);
  if (anatomy === undefined) throw new RangeError(`machine ${machine.name} has no instruction set`);
  return new InstructionsArbitrary(machine, anatomy);
}

/** Out of the sum of those that the machine has. */
const WEIGHTS: Readonly<Record<InstructionClass | "word", number>> = {
  plain: 50,
  memory: 26,
  control: 16,
  trap: 4,
  word: 4,
};

interface Candidate {
  readonly anatomy: InstructionAnatomy;
  readonly operands: Drawn<Operands>;
}

export type Vocabulary = ReadonlyMap<InstructionClass | "word", readonly Candidate[]>;

export class InstructionsArbitrary extends Drawn<Operation> {
  readonly anatomy: Anatomy;
  private readonly candidates: readonly Candidate[];
  private readonly byName: ReadonlyMap<string, Candidate>;
  private readonly words: Drawn<bigint>;

  constructor(machine: Machine, anatomy: Anatomy) {
    super();
    this.anatomy = anatomy;
    this.candidates = anatomy.instructions.map((a) => ({ anatomy: a, operands: operands(machine, a.instruction) }));
    this.byName = new Map(this.candidates.map((c) => [c.anatomy.instruction.name, c]));
    this.words = values({ kind: "bits", width: anatomy.isa.wordWidth });
  }

  override draw(random: Random): Operation {
    return this.drawFrom(random, this.vocabulary(this.names()));
  }

  names(): readonly string[] {
    return this.candidates.map((c) => c.anatomy.instruction.name);
  }

  /** Instructions by class, to draw from; a name that occurs twice is twice as likely. */
  vocabulary(names: readonly string[]): Vocabulary {
    const byClass = new Map<InstructionClass | "word", Candidate[]>([["word", []]]);
    for (const candidate of names.flatMap((name) => this.byName.get(name) ?? [])) {
      const known = byClass.get(candidate.anatomy.class);
      if (known === undefined) byClass.set(candidate.anatomy.class, [candidate]);
      else known.push(candidate);
    }
    return byClass;
  }

  /** An instruction of a vocabulary, or a word. */
  drawFrom(random: Random, vocabulary: Vocabulary): Operation {
    const chosen = drawClass(random, vocabulary);
    const candidate = pick(random, vocabulary.get(chosen) ?? []);
    if (candidate === undefined) return { kind: "word", word: this.word(random) };
    const { instruction } = candidate.anatomy;
    return { kind: "instruction", name: instruction.name, fields: candidate.operands.draw(random), target: undefined };
  }

  /** True where a field alone says where control goes. */
  hasTarget(operation: Operation): operation is InstructionOperation {
    return operation.kind === "instruction" && this.byName.get(operation.name)?.anatomy.target !== undefined;
  }

  /** Half of them an instruction with one bit turned over: nearly right is what decoders get wrong. */
  private word(random: Random): bigint {
    const near = pick(random, this.candidates);
    if (near === undefined || random.nextInt(0, 1) === 0) return this.words.draw(random);
    const bit = 1n << BigInt(random.nextInt(0, this.anatomy.isa.wordWidth - 1));
    return encode(near.anatomy.instruction, near.operands.draw(random)) ^ bit;
  }

  override *smaller(value: Operation): Iterable<Operation> {
    if (value.kind === "word") {
      for (const word of this.words.smaller(value.word)) yield { kind: "word", word };
      return;
    }
    const candidate = this.byName.get(value.name);
    if (candidate === undefined) return;
    for (const fields of candidate.operands.smaller(value.fields)) yield { ...value, fields };
    if (value.target !== undefined) {
      for (const target of nearer(value.target)) yield { ...value, target };
    }
  }

  override size(value: Operation): bigint {
    if (value.kind === "word") return 1n + value.word;
    const operands = this.byName.get(value.name)?.operands.size(value.fields) ?? 0n;
    return 1n + operands + (value.target === undefined ? 0n : distance(value.target));
  }
}

function drawClass(random: Random, vocabulary: Vocabulary): InstructionClass | "word" {
  let total = 0;
  for (const name of vocabulary.keys()) total += WEIGHTS[name];
  let at = random.nextInt(0, total - 1);
  for (const name of vocabulary.keys()) {
    at -= WEIGHTS[name];
    if (at < 0) return name;
  }
  return "word";
}

/** The next instruction is the simplest target, then those after it, then those before. */
function distance(target: number): bigint {
  return BigInt(target > 0 ? 2 * (target - 1) : 1 - 2 * target);
}

function nearer(target: number): readonly number[] {
  const candidates = [1, 2, 0, -1, Math.trunc(target / 2), target - Math.sign(target)];
  return [...new Set(candidates)].filter((t) => distance(t) < distance(target));
}
