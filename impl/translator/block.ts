/** One block: guest instructions up to the first that transfers control, as x86-64 code that is called with the context in rdi. */
import { decode } from "../../refinement/assembly/decode.js";
import { bytesToWord } from "../../refinement/assembly/index.js";
import { lengthOfWord } from "../../refinement/assembly/words.js";
import type { InstructionSet, Machine } from "../../refinement/machine.js";
import { evaluate } from "../../refinement/terms/evaluate.js";
import type { Translation } from "../../refinement/translation.js";
import { Code, immediate, type Label, memory } from "./code.js";
import { CONTEXT } from "./context.js";
import { Emitter, type Operands } from "./emitter.js";
import { Registers } from "./registers.js";
import { atomic } from "./rules/atomic.js";
import { bits } from "./rules/bits.js";
import { control } from "./rules/control.js";
import { integer } from "./rules/integer.js";
import { memoryAccess } from "./rules/memory.js";
import { multiply } from "./rules/multiply.js";
import type { Rules } from "./rules/rule.js";

/** Guest instructions of a block at most. */
const LONGEST = 32;

const STRAIGHT: Rules = { ...integer, ...multiply, ...memoryAccess, ...atomic, ...bits };

export interface GuestInstruction {
  /** A base instruction's, also where a compressed one stands for it. */
  readonly name: string;
  readonly operands: Operands;
  readonly length: number;
}

export type Block =
  | { readonly kind: "translated"; readonly translation: Translation; readonly guestBytes: number }
  | { readonly kind: "unsupported"; readonly what: string };

export class BlockTranslator {
  private readonly guest: Machine;
  private readonly set: InstructionSet;

  constructor(guest: Machine, set: InstructionSet) {
    this.guest = guest;
    this.set = set;
  }

  /** The block at `pc`, whose bytes `code` begins with, for the host address `origin`. */
  translate(pc: bigint, code: Uint8Array, origin: bigint): Block {
    const host = new Code();
    const registers = new Registers(host);
    const traps = new Map<string, Label>();
    const interrupted = host.label("interrupted");
    host.emit("cmp", memory(CONTEXT.interrupt, 32), immediate(0n, 32));
    host.emit("jne", interrupted);
    const emitterAt = (at: number, instruction: GuestInstruction): Emitter =>
      new Emitter(
        host,
        registers,
        instruction.operands,
        pc + BigInt(at),
        BigInt.asUintN(64, pc + BigInt(at + instruction.length)),
        traps,
      );
    let last: Emitter | undefined;
    let at = 0;
    for (let count = 0; ; count++) {
      const instruction = count < LONGEST && at < code.length ? this.decode(code.subarray(at)) : undefined;
      if (instruction === undefined) {
        if (last === undefined) return { kind: "unsupported", what: "what is no instruction" };
        last.writeBack();
        last.exit(last.next);
        break;
      }
      const emitter = emitterAt(at, instruction);
      const ending = control[instruction.name];
      const rule = ending ?? STRAIGHT[instruction.name];
      if (rule === undefined) {
        if (last === undefined) return { kind: "unsupported", what: instruction.name };
        last.writeBack();
        last.exit(last.next);
        break;
      }
      rule(emitter);
      last = emitter;
      at += instruction.length;
      if (ending !== undefined) break;
    }
    for (const [key, label] of traps) {
      const [address = "", name = ""] = key.split(" ");
      host.place(label);
      last.exit(BigInt(address), { trap: name });
    }
    host.place(interrupted);
    last.exit(pc, { interrupt: true });
    return { kind: "translated", translation: translationOf(host, pc, origin), guestBytes: at };
  }

  /** The instruction that these bytes begin with; undefined where they are none, or too few. */
  decode(code: Uint8Array): GuestInstruction | undefined {
    const shortest = this.set.parcels.length;
    if (code.length < shortest) return undefined;
    const length = lengthOfWord(this.set, bytesToWord(code.subarray(0, shortest)));
    if (code.length < length) return undefined;
    const decoded = decode(this.guest, bytesToWord(code.subarray(0, length)));
    if (decoded === undefined) return undefined;
    const { instruction, fields } = decoded;
    const { expands } = instruction;
    if (expands === undefined) {
      const widths = new Map(instruction.encoding.fields.map((f) => [f.name, f.width]));
      return { name: instruction.name, length, operands: operands(fields, widths) };
    }
    const byTerm = new Map(instruction.encoding.fields.map((f) => [f.term, fields.get(f.name) ?? 0n]));
    const environment = { variable: (v: (typeof instruction.encoding.fields)[number]["term"]) => byTerm.get(v) ?? 0n };
    const values = new Map<string, bigint>();
    const widths = new Map<string, number>();
    for (const [name, term] of expands.operands) {
      const value = evaluate(term, environment);
      if (typeof value === "bigint" && term.sort.kind === "bits") {
        values.set(name, value);
        widths.set(name, term.sort.width);
      }
    }
    return { name: expands.instruction, length, operands: operands(values, widths) };
  }
}

function operands(values: ReadonlyMap<string, bigint>, widths: ReadonlyMap<string, number>): Operands {
  return {
    register: (field) => Number(values.get(field) ?? 0n),
    signed: (field) => BigInt.asIntN(widths.get(field) ?? 64, values.get(field) ?? 0n),
    unsigned: (field) => values.get(field) ?? 0n,
  };
}

function translationOf(code: Code, pc: bigint, origin: bigint): Translation {
  const { bytes, faults, exits } = code.assemble(origin);
  return {
    host: { address: origin, code: bytes, data: [] },
    entry: origin,
    points: [{ host: origin, guest: pc, cut: false }],
    faults: faults.map((fault) => ({ ...fault, until: undefined })),
    exits,
    calls: [],
  };
}
