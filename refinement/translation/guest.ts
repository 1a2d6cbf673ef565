/**
 * Symbolic execution of a block of the guest's code: the bytes are constant, so each instruction is known, and only registers and
 * memory are not. Every state that the guest can pass through is a node of a tree, built as far as it is asked for.
 */
import { decode } from "../assembly/decode.js";
import { lengthOfWord, widthOfLength, wordFrom } from "../assembly/words.js";
import { InternalDefect, UserError } from "../errors.js";
import { reader, type Reader, type SymbolicState, termOf } from "../execute/symbolic.js";
import type { Effect, InstructionSet, Machine, Parameter } from "../machine.js";
import { and, constant, not, TRUE, variable } from "../terms/build.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import type { TranslationRequest } from "../translation.js";

/** One instruction of a block: what it does, its numbers put in. */
export interface GuestInstruction {
  readonly name: string;
  readonly address: bigint;
  readonly bytes: Uint8Array;
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
  readonly last: bigint | undefined;
  readonly state: SymbolicState;
  /** A constant, or in the last state of a block whatever the last instruction says. */
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

export class GuestCode {
  readonly machine: Machine;
  readonly block: TranslationRequest;
  private readonly set: InstructionSet;
  private readonly known = new Map<bigint, GuestInstruction>();

  /** Throws a `UserError` for a machine whose instructions no bit pattern gives. */
  constructor(machine: Machine, block: TranslationRequest) {
    if (machine.instructionSet === undefined)
      throw new UserError(`the guest ${machine.name} has no encodings: a translator's guest is an instruction set`);
    this.machine = machine;
    this.set = machine.instructionSet;
    this.block = block;
  }

  /** Whether an instruction of the block begins at this address. */
  contains(address: bigint): boolean {
    const { pc, code } = this.block;
    return address >= pc && address < pc + BigInt(code.length);
  }

  at(address: bigint): GuestInstruction {
    let instruction = this.known.get(address);
    if (instruction === undefined) {
      instruction = this.read(address);
      this.known.set(address, instruction);
    }
    return instruction;
  }

  /** Whether some instruction that was read leaves something open. */
  get leavesOpen(): boolean {
    return [...this.known.values()].some((i) => i.choices.length > 0);
  }

  private read(address: bigint): GuestInstruction {
    const { machine, set } = this;
    const { pc, code } = this.block;
    const start = Number(address - pc);
    const { word, size } = wordAt(set, code, start);
    if (start + size > code.length)
      throw new UserError(`the block's code ends inside the instruction at 0x${address.toString(16)}`);
    const bytes = code.slice(start, start + size);
    const found = decode(machine, word);
    if (found !== undefined) {
      const { instruction, fields } = found;
      const numbers = new Map(
        instruction.encoding.fields.map((f) => [f.term, constant(f.width, fields.get(f.name) ?? 0n)]),
      );
      const { name, choices } = instruction;
      return { name, address, bytes, effect: specialized(instruction.effect, numbers), choices };
    }
    const illegal = machine.transitions.find((t) => t.name === "illegal");
    if (illegal === undefined)
      throw new UserError(
        `the word 0x${word.toString(16)} is no instruction of ${machine.name}, which has no trap for it`,
      );
    const numbers = new Map([[set.word, constant(set.wordWidth, word)]]);
    return { name: "illegal", address, bytes, effect: specialized(illegal.effect, numbers), choices: illegal.choices };
  }
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

  /** From `address` in `state`, whose program counter is not looked at. */
  constructor(code: GuestCode, address: bigint, state: SymbolicState) {
    this.code = code;
    this.machine = code.machine;
    const set = this.machine.instructionSet;
    if (set === undefined) throw new InternalDefect(`${this.machine.name} has no encodings`);
    this.programCounter = set.programCounter;
    const before = termOf(anyProgramCounter(this.machine, this.programCounter), this.programCounter);
    if (before.sort.kind !== "bits") throw new InternalDefect("a program counter is bits");
    const programCounter = constant(before.sort.width, address);
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
    const { programCounter } = node;
    if (programCounter.op !== "const" || !this.code.contains(programCounter.value)) return undefined;
    let step = this.steps.get(node);
    if (step === undefined) {
      step = this.execute(node, this.code.at(programCounter.value));
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
      last: instruction.address,
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

function anyProgramCounter(machine: Machine, name: string): SymbolicState {
  return new Map(machine.variables.filter((v) => v.name === name).map((v) => [v.name, v.term]));
}

/** The values that a choice between values has, and when. */
function alternatives(t: Term, under: Term = TRUE): readonly { readonly condition: Term; readonly value: Term }[] {
  const [condition, yes, no] = t.args;
  if (t.op !== "ite" || condition === undefined || yes === undefined || no === undefined)
    return [{ condition: under, value: t }];
  return [...alternatives(yes, and(under, condition)), ...alternatives(no, and(under, not(condition)))];
}
