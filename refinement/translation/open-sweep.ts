/**
 * The blocks of a sweep over all operands: every instruction with its registers in every class, and those whose translations meet, in
 * twos and threes.
 */
import type { Instruction, InstructionSet, Machine } from "../machine.js";
import { Generator } from "../solver/generator.js";
import type { Term } from "../terms/term.js";
import { Assumptions } from "../terms/assume.js";
import { TRUE } from "../terms/build.js";
import { constantDifference } from "../terms/linear.js";
import { freeVariables } from "../terms/variables.js";
import { InternalDefect, UserError } from "../errors.js";
import { type ClassedInstruction, fixedRegisters, instructionNamed, type OpenBlock, openCode } from "./open-block.js";

/** Threes of instructions, which are too many to take all of them. */
const THREES = 150;
/** Classes of registers that are tried for one pair; most in which the second names registers that the first does. */
const PAIR_CLASSES = 3;

/** Those whose names are `wanted`. */
export function openBlocksOf(
  guest: Machine,
  together: readonly string[],
  seed: number,
  wanted: (name: string) => boolean = () => true,
): readonly OpenBlock[] {
  const set = guest.instructionSet;
  if (set === undefined) throw new UserError(`${guest.name} has no encodings to make blocks of`);
  const singles = set.instructions.flatMap((i) => singleBlocks(set, i));
  const placed = set.instructions.filter((i) => isPlaced(guest, set, i)).map((i) => placedBlock(set, i));
  const blocks = [...singles, ...placed, ...sequences(guest, set, together, seed)].filter((b) => wanted(b.name));
  // Some encodings exclude a register: there is no such instruction.
  return blocks.filter((b) => !Assumptions.of(openCode(guest, b).given).contradictory);
}

/** One for each class of registers, and one elsewhere. */
function singleBlocks(set: InstructionSet, instruction: Instruction): readonly OpenBlock[] {
  const { name } = instruction;
  const fields = registerFields(set, instruction);
  const fixed = fixedRegisters(set, { name, registers: {} });
  const blocks = classesOf(fields, fixed).map((registers) => block([{ name, registers }], set, "low"));
  // High up, where no address fits into an immediate, with registers that are all different.
  return [...blocks, ...blocks.slice(0, 1).map((b): OpenBlock => ({ ...b, name: `${b.name} high up`, place: "high" }))];
}

/** With some registers, wherever it stands: what it does depends on where it is. */
function placedBlock(set: InstructionSet, instruction: Instruction): OpenBlock {
  const { name } = instruction;
  const registers = Object.fromEntries(registerFields(set, instruction).map((f, i) => [f.name, f.first + 1 + i]));
  const { name: text, instructions } = block([{ name, registers }], set, "any");
  return { name: `${text} anywhere`, place: "any", instructions };
}

/** Whether the instruction reads its address for more than to go on behind itself. */
function isPlaced(guest: Machine, set: InstructionSet, instruction: Instruction): boolean {
  const counter = counterOf(guest, set);
  const reads = [...instruction.effect.assigns].some(
    ([name, t]) => name !== set.programCounter && freeVariables(t).has(counter),
  );
  return reads || !isNext(guest, set, instruction);
}

/** Whether the program counter goes behind the instruction, if that does not trap. */
function isNext(guest: Machine, set: InstructionSet, { effect, encoding }: Instruction): boolean {
  const counter = counterOf(guest, set);
  const after = effect.assigns.get(set.programCounter);
  return after !== undefined && constantDifference(after, counter) === BigInt(encoding.length);
}

function counterOf(guest: Machine, { programCounter }: InstructionSet): Term {
  const counter = guest.variables.find((v) => v.name === programCounter);
  if (counter === undefined) throw new InternalDefect(`${guest.name} has no ${programCounter}`);
  return counter.term;
}

interface RegisterField {
  readonly name: string;
  readonly first: number;
  readonly width: number;
}

function registerFields({ fieldFiles }: InstructionSet, { name, encoding }: Instruction): readonly RegisterField[] {
  const files = fieldFiles.get(name);
  const fields = encoding.fields.flatMap((f) => {
    const first = files?.get(f.name)?.first;
    return first === undefined ? [] : [{ name: f.name, first, width: f.width }];
  });
  return fields.sort((a, b) => (a.name < b.name ? -1 : 1));
}

type Registers = ClassedInstruction["registers"];

const LETTERS = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

/** The ways in which registers can be the same, or fixed ones. */
function classesOf(fields: readonly RegisterField[], fixed: readonly number[]): readonly Registers[] {
  let classes: readonly { readonly registers: Registers; readonly letters: number }[] = [{ registers: {}, letters: 0 }];
  for (const { name, first, width } of fields) {
    const possible = fixed.filter((n) => n >= first && n - first < 2 ** width);
    classes = classes.flatMap(({ registers, letters }) => [
      // A new one first, so that the first class is the one in which all are different.
      ...LETTERS.slice(0, letters + 1)
        .reverse()
        .map((letter, i) => ({
          registers: { ...registers, [name]: letter },
          letters: letters + (i === 0 ? 1 : 0),
        })),
      ...possible.map((n) => ({ registers: { ...registers, [name]: n }, letters })),
    ]);
  }
  return classes.map((c) => c.registers);
}

/** Twos, and some threes; all instructions but the last go on to the next. */
function sequences(
  guest: Machine,
  set: InstructionSet,
  together: readonly string[],
  seed: number,
): readonly OpenBlock[] {
  const generator = new Generator(seed);
  const all = together.map((name) => instructionNamed(set, name));
  const straight = all.filter((i) => isNext(guest, set, i) && !i.effect.raises.some((r) => r.condition === TRUE));
  const twos = straight.flatMap((a) =>
    all.flatMap((b) => Array.from({ length: PAIR_CLASSES }, () => chained(set, [a, b], generator))),
  );
  const threes = Array.from({ length: straight.length === 0 ? 0 : THREES }, () => {
    const parts = [generator.pick(straight), generator.pick(straight), generator.pick(all)];
    return chained(
      set,
      parts.filter((p) => p !== undefined),
      generator,
    );
  });
  const named = new Map([...twos, ...threes].map((b) => [b.name, b]));
  return [...named.values()];
}

/** Registers that lean to those that the instructions before name. */
function chained(set: InstructionSet, parts: readonly Instruction[], generator: Generator): OpenBlock {
  const known: string[] = [];
  const instructions = parts.map((instruction): ClassedInstruction => {
    const named = [...known];
    const registers = registerFields(set, instruction).map(({ name }) => {
      const fresh = LETTERS[known.length] ?? "a";
      const draw = generator.below(10);
      const register = draw === 0 ? 0 : draw < 7 ? (generator.pick(named) ?? fresh) : fresh;
      if (register !== 0 && !known.includes(register)) known.push(register);
      return [name, register] as const;
    });
    return { name: instruction.name, registers: Object.fromEntries(registers) };
  });
  // Each half of the registers can be encoded in its own way: what is not multiplied here is so in single instructions.
  const upper = known.filter(() => generator.chance(0.3));
  return { ...block(instructions, set, "low"), upper };
}

function block(instructions: readonly ClassedInstruction[], set: InstructionSet, place: OpenBlock["place"]): OpenBlock {
  return { name: instructions.map((i) => textOf(set, i)).join("; "), place, instructions };
}

/** As in assembly, with the class's registers: `addi a, b, imm`. */
function textOf(set: InstructionSet, { name, registers }: ClassedInstruction): string {
  const { assembly, encoding } = instructionNamed(set, name);
  const files = set.fieldFiles.get(name);
  const shown = (field: string): string => {
    const register = registers[field];
    if (typeof register !== "number") return register ?? field;
    const names = set.registerNames.get(files?.get(field)?.file ?? "");
    return names?.[register] ?? `${register}`;
  };
  const fields = encoding.fields.map((f) => f.name);
  if (assembly === undefined) return [name, fields.map(shown).join(", ")].join(" ").trim();
  const [mnemonic = name, ...operands] = assembly.replace(/\{[^}]*\}/g, "").split(" ");
  return [mnemonic, ...operands.map((o) => o.replace(/[A-Za-z_]\w*/g, shown))].join(" ");
}
