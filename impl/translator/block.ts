/** One block: guest instructions up to the first that transfers control, as x86-64 code that is called with the context in rdi. */
import { decode } from "../../refinement/assembly/decode.js";
import { bytesToWord } from "../../refinement/assembly/index.js";
import { lengthOfWord } from "../../refinement/assembly/words.js";
import type { Instruction, InstructionSet, Machine } from "../../refinement/machine.js";
import { constant, sext, zext } from "../../refinement/terms/build.js";
import { Substitution } from "../../refinement/terms/substitute.js";
import type { Term } from "../../refinement/terms/term.js";
import type { OpenAnswer, OpenRequest, OpenTranslation, Translation } from "../../refinement/translation.js";
import { mapTrapValue } from "../../refinement/translation/trap-value.js";
import { type Decisions, type Quantity, quantity, sum, termOf } from "../../refinement/translation/quantity.js";
import { type Assembled, type AssembledExit, type Code, immediate, memory } from "./code.js";
import { CONTEXT } from "./context.js";
import { DESIGN, type Design, endsBlock } from "./design.js";
import type { Emitter, Operands, Trap } from "./emitter.js";
import { OpenRegisters, ZERO } from "./guest-register.js";

/** Guest instructions of a block at most. */
export const LONGEST = 32;

export interface GuestInstruction {
  /** A base instruction's, also where a compressed one stands for it. */
  readonly name: string;
  readonly operands: Operands;
  readonly length: number;
}

export type Block =
  | {
      readonly kind: "translated";
      readonly translation: Translation;
      /** Those of the translation, with where each begins. */
      readonly exits: readonly AssembledExit[];
      readonly guestBytes: number;
    }
  | { readonly kind: "unsupported"; readonly what: string };

/** Nothing is asked of numbers that are known. */
const NOTHING_OPEN: Decisions = {
  within: (term) => {
    throw new RangeError(`nothing decides about ${term.op}`);
  },
};

export class BlockTranslator {
  private readonly guest: Machine;
  private readonly set: InstructionSet;
  private readonly design: Design;

  constructor(guest: Machine, set: InstructionSet, design: Design = DESIGN) {
    this.guest = guest;
    this.set = set;
    this.design = design;
  }

  /** The block at `pc`, whose bytes `code` begins with, for the host address `origin`; its exits are numbered from `firstExit` on. */
  translate(pc: bigint, code: Uint8Array, origin: bigint, firstExit = 0): Block {
    const instructionAt = (at: number): GuestInstruction | undefined =>
      at < code.length ? this.decode(code.subarray(at)) : undefined;
    const written = write(this.design, pc, firstExit, instructionAt);
    if (written.kind === "unsupported") return written;
    const assembled = written.host.assemble(origin);
    return {
      kind: "translated",
      translation: translationOf(assembled, pc, origin),
      exits: assembled.exits,
      guestBytes: written.guestBytes,
    };
  }

  /** The same for every value of what is open. */
  translateOpen({ pc, instructions, decisions }: OpenRequest, origin: bigint): OpenAnswer {
    const open = new OpenRegisters(decisions);
    const starts = new Map<number, GuestInstruction>();
    let end = 0;
    for (const { instruction, fields } of instructions) {
      const guest = guestInstruction(instruction, fields, decisions, open);
      starts.set(end, guest);
      end += guest.length;
    }
    const start = quantity(pc, decisions);
    const written = write(this.design, start, 0, (at) => starts.get(at));
    if (written.kind === "unsupported") return written;
    return {
      kind: "translated",
      translation: (values) => openTranslationOf(written.host.assemble(origin, values), start, origin),
    };
  }

  /** The instruction that these bytes begin with; undefined where they are none, or too few. */
  decode(code: Uint8Array): GuestInstruction | undefined {
    const shortest = this.set.parcels.length;
    if (code.length < shortest) return undefined;
    const length = lengthOfWord(this.set, bytesToWord(code.subarray(0, shortest)));
    if (code.length < length) return undefined;
    const decoded = decode(this.guest, bytesToWord(code.subarray(0, length)));
    if (decoded === undefined) return undefined;
    const { instruction } = decoded;
    const fields = new Map(
      instruction.encoding.fields.map((f) => [f.name, constant(f.width, decoded.fields.get(f.name) ?? 0n)]),
    );
    return guestInstruction(instruction, fields, NOTHING_OPEN, new OpenRegisters(NOTHING_OPEN));
  }
}

/** A compressed one as the one that it stands for. */
function guestInstruction(
  instruction: Instruction,
  fields: ReadonlyMap<string, Term>,
  decisions: Decisions,
  registers: OpenRegisters,
): GuestInstruction {
  const { expands, encoding, name } = instruction;
  const { length } = encoding;
  if (expands === undefined) return { name, length, operands: operandsOf(fields, decisions, registers) };
  const byTerm = new Map(encoding.fields.flatMap((f) => [[f.term, fields.get(f.name) ?? f.term] as const]));
  const substitution = new Substitution(byTerm);
  const values = new Map([...expands.operands].map(([operand, term]) => [operand, substitution.apply(term)]));
  return { name: expands.instruction, length, operands: operandsOf(values, decisions, registers) };
}

function operandsOf(values: ReadonlyMap<string, Term>, decisions: Decisions, registers: OpenRegisters): Operands {
  const extended = (field: string, extend: (t: Term, width: number) => Term): Quantity => {
    const value = values.get(field);
    return value === undefined ? 0n : quantity(extend(value, 64), decisions);
  };
  return {
    register: (field) => {
      const number = values.get(field);
      return number === undefined ? ZERO : registers.of(number);
    },
    signed: (field) => extended(field, sext),
    unsigned: (field) => extended(field, zext),
  };
}

/** Code for a block, and how long the block is. */
type Written =
  | { readonly kind: "written"; readonly host: Code; readonly guestBytes: number }
  | { readonly kind: "unsupported"; readonly what: string };

/** `instructionAt`: the one that begins so many bytes behind `pc`, if one does. */
function write(
  design: Design,
  pc: Quantity,
  firstExit: number,
  instructionAt: (at: number) => GuestInstruction | undefined,
): Written {
  const host = new design.Code(firstExit);
  const registers = new design.Registers(host);
  const traps: Trap[] = [];
  const interrupted = host.label("interrupted");
  let last: Emitter | undefined;
  let at = 0;
  for (let count = 0; ; count++) {
    const instruction = count < LONGEST ? instructionAt(at) : undefined;
    const rule = instruction === undefined ? undefined : design.rules[instruction.name];
    if (instruction === undefined || rule === undefined) {
      if (last === undefined) return { kind: "unsupported", what: instruction?.name ?? "what is no instruction" };
      last.writeBack();
      last.exit(last.next);
      break;
    }
    if (count === design.pollsBefore) {
      host.emit("cmp", memory(CONTEXT.interrupt, 32), immediate(0n, 32));
      host.emit(design.leavesBy, interrupted);
    }
    const [here, next] = [BigInt(at), BigInt(at + instruction.length)];
    const emitter = new design.Emitter(host, registers, instruction.operands, sum(pc, here), sum(pc, next), traps);
    rule(emitter);
    last = emitter;
    at += instruction.length;
    if (endsBlock(instruction.name)) break;
  }
  for (const trap of traps) {
    host.place(trap.label);
    last.exit(trap.pc, { trap: trap.name, value: trap.value });
  }
  host.place(interrupted);
  last.exit(pc, { interrupt: true });
  return { kind: "written", host, guestBytes: at };
}

function translationOf({ bytes, faults, exits }: Assembled, pc: bigint, origin: bigint): Translation {
  const guest = (q: Quantity): bigint => termOf(q).value;
  return {
    host: { address: origin, code: bytes, data: [] },
    entry: origin,
    points: [{ host: origin, guest: pc, cut: false }],
    faults: faults.map((fault) => ({ host: fault.host, guest: guest(fault.guest), until: undefined })),
    exits: exits.map(({ site: _, ...exit }) => ({
      ...exit,
      guest: exit.guest === undefined ? undefined : guest(exit.guest),
      value: mapTrapValue(exit.value, guest),
    })),
    calls: [],
  };
}

function openTranslationOf({ bytes, faults, exits, holes }: Assembled, pc: Quantity, origin: bigint): OpenTranslation {
  return {
    host: { address: origin, code: bytes, data: [] },
    entry: origin,
    points: [{ host: origin, guest: termOf(pc), cut: false }],
    faults: faults.map((fault) => ({ host: fault.host, guest: termOf(fault.guest), until: undefined })),
    exits: exits.map(({ site: _, ...exit }) => ({
      ...exit,
      guest: exit.guest === undefined ? undefined : termOf(exit.guest),
      value: mapTrapValue(exit.value, termOf),
    })),
    calls: [],
    holes,
  };
}
