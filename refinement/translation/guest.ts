/**
 * Symbolic execution of a block of the guest's code: which instructions it has is known, and registers and memory are not, nor need the
 * numbers in the code be, nor its address. Every state that the guest can pass through is a node of a tree, built as far as it is asked
 * for.
 */
import { decode } from "../assembly/decode.js";
import { lengthOfWord, widthOfLength, wordFrom } from "../assembly/words.js";
import { InternalDefect, UserError } from "../errors.js";
import { reader, type Reader, type SymbolicState, termOf } from "../execute/symbolic.js";
import type { Effect, Field, Instruction, InstructionSet, Machine, Parameter } from "../machine.js";
import { and, constant, not, TRUE, variable } from "../terms/build.js";
import { constantDifference } from "../terms/linear.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import type { OpenInstruction, TranslationRequest } from "../translation.js";

/** One instruction of a block: what it does, its numbers put in. */
export interface GuestInstruction {
  readonly name: string;
  readonly effect: Effect;
  readonly choices: readonly Parameter[];
}

/** A trap that the guest may raise in a node: the first of a node whose condition holds. */
export interface GuestRaise {
  readonly condition: Term;
  readonly trap: string;
  readonly arguments: readonly Term[];
}

/** A state that the guest passes through, `steps` instructions after its start. */
export interface GuestNode {
  readonly steps: number;
  /** Address of the last of them. */
  readonly last: Term | undefined;
  readonly state: SymbolicState;
  /** So far from the block's beginning, or in the last state of a block whatever the last instruction says. */
  readonly programCounter: Term;
  /** What the definition left open on the way here. */
  readonly choices: readonly Term[];
}

/** What comes of the instruction at a node. */
export interface GuestStep {
  readonly instruction: GuestInstruction;
  /** What its definition leaves open. */
  readonly choices: readonly Term[];
  readonly raises: readonly GuestRaise[];
  /** By where the program counter goes, where nothing is raised; the conditions exclude each other. */
  readonly next: readonly { readonly condition: Term; readonly node: GuestNode }[];
}

/** The code of a block, by the distance from its beginning. */
export interface GuestCode {
  readonly machine: Machine;
  /** Where it stands. */
  readonly start: Term;
  /** Bytes. */
  readonly length: number;
  at(offset: number): GuestInstruction;
}

/** How far behind the beginning of the code an address in it is; undefined where it is not known to be in it. */
export function offsetIn({ start, length }: GuestCode, address: Term): number | undefined {
  const distance = constantDifference(address, start);
  return distance !== undefined && distance < BigInt(length) ? Number(distance) : undefined;
}

/** Whether the address is in the block. */
export function contains({ pc, code }: TranslationRequest, address: bigint): boolean {
  return address >= pc && address < pc + BigInt(code.length);
}

/** Code whose bytes are known. */
export class GuestBytes implements GuestCode {
  readonly machine: Machine;
  readonly start: Term;
  readonly block: TranslationRequest;
  private readonly set: InstructionSet;
  private readonly known = new Map<number, GuestInstruction>();

  /** Throws a `UserError` for a machine whose instructions no bit pattern gives. */
  constructor(machine: Machine, block: TranslationRequest) {
    const set = encodedSet(machine);
    this.machine = machine;
    this.set = set;
    this.block = block;
    this.start = constant(counterWidth(machine, set), block.pc);
  }

  get length(): number {
    return this.block.code.length;
  }

  at(offset: number): GuestInstruction {
    let instruction = this.known.get(offset);
    if (instruction === undefined) {
      instruction = this.read(offset);
      this.known.set(offset, instruction);
    }
    return instruction;
  }

  /** Whether some instruction that was read leaves something open. */
  get leavesOpen(): boolean {
    return [...this.known.values()].some((i) => i.choices.length > 0);
  }

  private read(offset: number): GuestInstruction {
    const { machine, set } = this;
    const { pc, code } = this.block;
    const { word, size } = wordAt(set, code, offset);
    if (offset + size > code.length)
      throw new UserError(`the block's code ends inside the instruction at 0x${(pc + BigInt(offset)).toString(16)}`);
    const found = decode(machine, word);
    if (found !== undefined) {
      const { instruction, fields } = found;
      return guestInstruction(instruction, (f) => constant(f.width, fields.get(f.name) ?? 0n));
    }
    const illegal = machine.transitions.find((t) => t.name === "illegal");
    if (illegal === undefined)
      throw new UserError(
        `the word 0x${word.toString(16)} is no instruction of ${machine.name}, which has no trap for it`,
      );
    const numbers = new Map([[set.word, constant(set.wordWidth, word)]]);
    return { name: "illegal", effect: specialized(illegal.effect, numbers), choices: illegal.choices };
  }
}

/** Code some of whose numbers are open. */
export class OpenGuestCode implements GuestCode {
  readonly machine: Machine;
  readonly start: Term;
  readonly length: number;
  private readonly known = new Map<number, GuestInstruction>();

  constructor(machine: Machine, start: Term, instructions: readonly OpenInstruction[]) {
    this.machine = machine;
    this.start = start;
    let at = 0;
    for (const { instruction, fields } of instructions) {
      this.known.set(
        at,
        guestInstruction(instruction, (f) => fields.get(f.name) ?? constant(f.width, 0n)),
      );
      at += instruction.encoding.length;
    }
    this.length = at;
  }

  at(offset: number): GuestInstruction {
    const instruction = this.known.get(offset);
    if (instruction === undefined) throw new InternalDefect(`no instruction begins at ${offset}`);
    return instruction;
  }
}

function guestInstruction(
  { name, encoding, effect, choices }: Instruction,
  value: (f: Field) => Term,
): GuestInstruction {
  const numbers = new Map(encoding.fields.map((f) => [f.term, value(f)]));
  return { name, effect: specialized(effect, numbers), choices };
}

function encodedSet(machine: Machine): InstructionSet {
  if (machine.instructionSet === undefined)
    throw new UserError(`the guest ${machine.name} has no encodings: a translator's guest is an instruction set`);
  return machine.instructionSet;
}

function counterWidth(machine: Machine, { programCounter }: InstructionSet): number {
  const counter = machine.variables.find((v) => v.name === programCounter);
  if (counter?.sort.kind !== "bits") throw new InternalDefect("a program counter is bits");
  return counter.sort.width;
}

/** The word that stands in some bytes, and how many of them it takes; bytes behind the last are zero. */
export function wordAt(
  set: InstructionSet,
  bytes: Uint8Array,
  at: number,
): { readonly word: bigint; readonly size: number } {
  let bits = 0n;
  for (let i = Math.ceil(set.wordWidth / 8) - 1; i >= 0; i--) bits = (bits << 8n) | BigInt(bytes[at + i] ?? 0);
  return { word: wordFrom(set, bits), size: widthOfLength(set, lengthOfWord(set, bits)) / 8 };
}

function specialized(effect: Effect, numbers: ReadonlyMap<Term, Term>): Effect {
  const substitution = new Substitution(numbers);
  return {
    raises: effect.raises.map((r) => ({
      condition: substitution.apply(r.condition),
      trap: r.trap,
      arguments: r.arguments.map((a) => substitution.apply(a)),
    })),
    assigns: new Map([...effect.assigns].map(([name, term]) => [name, substitution.apply(term)])),
  };
}

export class GuestExecution {
  readonly code: GuestCode;
  readonly start: GuestNode;
  private readonly machine: Machine;
  private readonly programCounter: string;
  private readonly steps = new Map<GuestNode, GuestStep>();

  /** From `programCounter` in `state`, whose own is not looked at. */
  constructor(code: GuestCode, programCounter: Term, state: SymbolicState) {
    this.code = code;
    this.machine = code.machine;
    this.programCounter = encodedSet(code.machine).programCounter;
    this.start = {
      steps: 0,
      last: undefined,
      state: new Map(state).set(this.programCounter, programCounter),
      programCounter,
      choices: [],
    };
  }

  /** What the guest does in this node; undefined where it has left the block. */
  step(node: GuestNode): GuestStep | undefined {
    const offset = offsetIn(this.code, node.programCounter);
    if (offset === undefined) return undefined;
    let step = this.steps.get(node);
    if (step === undefined) {
      step = this.execute(node, this.code.at(offset));
      this.steps.set(node, step);
    }
    return step;
  }

  private execute(node: GuestNode, instruction: GuestInstruction): GuestStep {
    const choices = new Map(
      instruction.choices.map((c) => [c.term, variable(`${node.steps}:${c.term.name}`, c.term.sort)]),
    );
    const read: Reader = reader(this.machine, node.state, choices);
    const raises: GuestRaise[] = [];
    for (const r of instruction.effect.raises) {
      const condition = read(r.condition);
      raises.push({ condition, trap: r.trap, arguments: r.arguments.map(read) });
    }
    const state = new Map(node.state);
    for (const [name, term] of instruction.effect.assigns) state.set(name, read(term));
    const after: Omit<GuestNode, "programCounter"> = {
      steps: node.steps + 1,
      last: node.programCounter,
      state,
      choices: [...node.choices, ...choices.values()],
    };
    const target = termOf(state, this.programCounter);
    const next = alternatives(target).map(({ condition, value }) => ({
      condition,
      node: { ...after, programCounter: value, state: new Map(state).set(this.programCounter, value) },
    }));
    return { instruction, choices: [...choices.values()], raises, next };
  }
}

/** The values that a choice between values has, and when. */
function alternatives(t: Term, under: Term = TRUE): readonly { readonly condition: Term; readonly value: Term }[] {
  const [condition, yes, no] = t.args;
  if (t.op !== "ite" || condition === undefined || yes === undefined || no === undefined)
    return [{ condition: under, value: t }];
  return [...alternatives(yes, and(under, condition)), ...alternatives(no, and(under, not(condition)))];
}
