/**
 * What random programs need to know of an instruction set, read off its terms: which instructions transfer control and
 * how a field says where to, which touch memory, which always trap; and where in the state a program lies.
 */
import type { Field, Instruction, InstructionSet, Machine, StateVariable } from "../refinement/machine.js";
import type { Term } from "../refinement/terms/term.js";
import { extract } from "../refinement/terms/build.js";
import { evaluate } from "../refinement/terms/evaluate.js";
import { freeVariables } from "../refinement/terms/variables.js";

export type InstructionClass = "plain" | "control" | "memory" | "trap";

/** A target of a jump or branch that one field alone decides, given the program counter. */
export interface Target {
  readonly field: Field;
  /** The target, over the program counter and the field's variable. */
  readonly address: Term;
}

export interface InstructionAnatomy {
  readonly instruction: Instruction;
  readonly class: InstructionClass;
  readonly target: Target | undefined;
}

/** Where the words of a program lie: memory at an address, or elements of a file; a term over the program counter. */
export interface ProgramPlace {
  readonly variable: StateVariable;
  readonly where: Term;
}

export interface Anatomy {
  readonly isa: InstructionSet;
  readonly programCounter: StateVariable;
  readonly instructions: readonly InstructionAnatomy[];
  /** Undefined where the fetched word is not simply read from one place. */
  readonly place: ProgramPlace | undefined;
}

const known = new WeakMap<Machine, Anatomy>();

/** Undefined for a machine that is no instruction set. */
export function anatomyOf(machine: Machine): Anatomy | undefined {
  const found = known.get(machine);
  if (found !== undefined) return found;
  const isa = machine.instructionSet;
  const programCounter = machine.variables.find((v) => v.name === isa?.programCounter);
  if (isa === undefined || programCounter === undefined) return undefined;
  const anatomy: Anatomy = {
    isa,
    programCounter,
    instructions: isa.instructions.map((i) => instructionAnatomy(i, programCounter)),
    place: placeOf(machine, isa, programCounter),
  };
  known.set(machine, anatomy);
  return anatomy;
}

function instructionAnatomy(instruction: Instruction, pc: StateVariable): InstructionAnatomy {
  const { raises, assigns } = instruction.effect;
  const counter = assigns.get(pc.name);
  const jumps = counter === undefined ? [] : leaves(counter).filter((leaf) => !isSequential(leaf, pc));
  const first = jumps.map((leaf) => targetOf(instruction, leaf, pc)).find((t) => t !== undefined);
  const always = raises.some((r) => r.condition.op === "const" && r.condition.value === 1n);
  return {
    instruction,
    class: always ? "trap" : jumps.length > 0 ? "control" : touchesMemory(instruction) ? "memory" : "plain",
    target: first,
  };
}

/** The values that a term takes, conditions aside. */
function leaves(term: Term): readonly Term[] {
  const found = new Set<Term>();
  const seen = new Set<Term>();
  const visit = (t: Term): void => {
    if (seen.has(t)) return;
    seen.add(t);
    const [, yes, no] = t.args;
    if (t.op === "ite" && yes !== undefined && no !== undefined) {
      visit(yes);
      visit(no);
    } else {
      found.add(t);
    }
  };
  visit(term);
  return [...found];
}

/** `pc + length` and whatever else depends on the program counter alone. */
function isSequential(leaf: Term, pc: StateVariable): boolean {
  const free = [...freeVariables(leaf)];
  return free.length === 1 && free[0] === pc.term;
}

function targetOf(instruction: Instruction, leaf: Term, pc: StateVariable): Target | undefined {
  const others = [...freeVariables(leaf)].filter((v) => v !== pc.term);
  const [only] = others;
  if (others.length !== 1 || only === undefined) return undefined;
  const field = instruction.encoding.fields.find((f) => f.term === only);
  return field === undefined ? undefined : { field, address: leaf };
}

function touchesMemory(instruction: Instruction): boolean {
  const { raises, assigns } = instruction.effect;
  const fields = new Set(instruction.encoding.fields.map((f) => f.term));
  const roots = [...assigns.values(), ...raises.flatMap((r) => [r.condition, ...r.arguments])];
  return someSubterm(roots, (t) => {
    if (t.op === "load" || t.op === "write") return true;
    const index = t.args[1];
    return (t.op === "select" || t.op === "store") && index !== undefined && index.op !== "const" && !fields.has(index);
  });
}

function someSubterm(roots: readonly Term[], predicate: (t: Term) => boolean): boolean {
  const seen = new Set<Term>(roots);
  for (const term of seen) {
    if (predicate(term)) return true;
    for (const arg of term.args) seen.add(arg);
  }
  return false;
}

function placeOf(machine: Machine, isa: InstructionSet, pc: StateVariable): ProgramPlace | undefined {
  const reads = new Set<Term>();
  // Where the first parcel stands; the others follow.
  const seen = new Set<Term>([extract(isa.word, isa.parcels.width - 1, 0)]);
  for (const term of seen) {
    if (term.op === "load" || term.op === "select") reads.add(term);
    for (const arg of term.args) seen.add(arg);
  }
  const [read, ...more] = [...reads];
  const [base, where] = read?.args ?? [];
  const variable = machine.variables.find((v) => v.term === base);
  if (more.length > 0 || where === undefined || variable === undefined) return undefined;
  const onlyCounter = [...freeVariables(where)].every((v) => v === pc.term);
  return onlyCounter ? { variable, where } : undefined;
}

/** The value of a term over the program counter and at most one field. */
export function valueAt(term: Term, pc: StateVariable, counter: bigint, field?: Field, operand = 0n): bigint {
  const value = evaluate(term, {
    variable: (v) => (v === pc.term ? counter : v === field?.term ? operand : 0n),
  });
  return typeof value === "bigint" ? value : 0n;
}
