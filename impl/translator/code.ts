/** Host code under construction: x86-64 instructions with labels, and what is known of some of them. */
import { encodeX86, numberPlaces } from "../../refinement/assembly/x86/index.js";
import type { ImmediateOperand, MemoryOperand, Operand, RegisterOperand } from "../../refinement/decoded.js";
import { InternalDefect } from "../../refinement/errors.js";
import type { Environment } from "../../refinement/terms/evaluate.js";
import type { Hole, TrapValue } from "../../refinement/translation.js";
import { Open, type Quantity, termOf, valueIn } from "../../refinement/translation/quantity.js";
import { decideForm } from "./forms.js";

/** The general-purpose registers, in the order of their encodings. */
export const REGISTERS = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const; // prettier-ignore
export type Register = (typeof REGISTERS)[number];

export type Width = 8 | 16 | 32 | 64;

export interface Label {
  readonly name: string;
}

export interface Address {
  readonly base?: Register;
  readonly index?: Register;
  readonly scale?: 1 | 2 | 4 | 8;
  readonly displacement: Quantity;
}

/** An operand as rules write it: its number may be open. */
export type CodeOperand =
  | RegisterOperand
  | (Omit<ImmediateOperand, "value"> & { readonly value: Quantity })
  | (Omit<MemoryOperand, "displacement"> & { readonly displacement: Quantity });

/** What an exit is for: see `Exit` in refinement/translation.ts. */
export interface Leaving {
  readonly guest: Quantity | undefined;
  readonly interrupt: boolean;
  readonly trap: string | undefined;
  readonly value: TrapValue<Quantity> | undefined;
}

interface Item {
  readonly mnemonic: string;
  readonly operands: readonly (CodeOperand | Label)[];
  /** The guest instruction that a fault here belongs to. */
  readonly guest: Quantity | undefined;
  readonly leaving: (Leaving & { readonly from: number }) | undefined;
}

/** Addresses of assembled code. */
export interface Assembled {
  readonly bytes: Uint8Array;
  readonly faults: readonly { readonly host: bigint; readonly guest: Quantity }[];
  readonly exits: readonly AssembledExit[];
  /** Where the bytes are those of one case of an open number. */
  readonly holes: readonly Hole[];
}

export interface AssembledExit extends Leaving {
  /** Of the return. */
  readonly host: bigint;
  /** Where the code begins that does nothing but leave. */
  readonly site: bigint;
}

export class Code {
  private readonly items: Item[] = [];
  private readonly labels = new Map<Label, number>();
  private guest: Quantity | undefined;
  private exits: number;

  /** The exits are numbered from `firstExit` on: each leaves its number in eax. */
  constructor(firstExit = 0) {
    this.exits = firstExit;
  }

  label(name: string): Label {
    return { name };
  }

  /** The label stands for the place reached so far. */
  place(label: Label): void {
    this.labels.set(label, this.items.length);
  }

  emit(mnemonic: string, ...operands: readonly (CodeOperand | Label)[]): void {
    for (const operand of operands) if (!isLabel(operand)) decideForm(mnemonic, operand);
    this.items.push({ mnemonic, operands, guest: this.guest, leaving: undefined });
  }

  /** What `action` emits may fault, and then belongs to the guest instruction at `guest`. */
  faulting(guest: Quantity, action: () => void): void {
    this.guest = guest;
    action();
    this.guest = undefined;
  }

  /** How many instructions there are so far. */
  get length(): number {
    return this.items.length;
  }

  /** From the instruction number `from` on there is nothing but leaving. */
  leave(leaving: Leaving, from: number): void {
    this.emit("mov", register("rax", 32), immediate(BigInt(this.exits++), 32));
    this.items.push({ mnemonic: "ret", operands: [], guest: undefined, leaving: { ...leaving, from } });
  }

  /** Jumps begin long and shrink until nothing changes. Open numbers have the `values` of one of their cases. */
  assemble(origin: bigint, values: Environment = NONE_OPEN): Assembled {
    const fixed = this.items.map((item) => (item.operands.some(isLabel) ? undefined : encode(item, [], values)));
    let lengths: readonly number[] = this.items.map((item) =>
      item.operands.some(isLabel) ? (item.mnemonic === "jmp" ? 5 : 6) : 0,
    );
    lengths = lengths.map((length, i) => fixed[i]?.length ?? length);
    let encoded: readonly Uint8Array[] = [];
    for (;;) {
      const starts = startsOf(lengths);
      encoded = this.items.map((item, i) => fixed[i] ?? this.jump(item, i, starts, lengths[i] ?? 0, values));
      const found = encoded.map((bytes) => bytes.length);
      if (found.every((length, i) => length === lengths[i])) break;
      lengths = found;
    }
    const starts = startsOf(lengths);
    const at = (i: number): bigint => origin + BigInt(starts[i] ?? 0);
    return {
      bytes: Uint8Array.from(encoded.flatMap((bytes) => [...bytes])),
      faults: this.items.flatMap(({ guest }, i) => (guest === undefined ? [] : [{ host: at(i), guest }])),
      exits: this.items.flatMap(({ leaving }, i) => {
        if (leaving === undefined) return [];
        const { from, ...rest } = leaving;
        return [{ ...rest, host: at(i), site: at(from) }];
      }),
      holes: this.items.flatMap((item, i) => holesOf(item, encoded[i] ?? new Uint8Array(), starts[i] ?? 0)),
    };
  }

  private jump(item: Item, i: number, starts: readonly number[], length: number, values: Environment): Uint8Array {
    const end = (starts[i] ?? 0) + length;
    const targets = item.operands.filter(isLabel).map((label): Operand => {
      const target = this.labels.get(label);
      if (target === undefined) throw new InternalDefect(`the label ${label.name} is nowhere`);
      return { kind: "target", displacement: BigInt((starts[target] ?? 0) - end) };
    });
    return encode(item, targets, values, length);
  }
}

const NONE_OPEN: Environment = {
  variable(v) {
    throw new InternalDefect(`no value is given for \`${v.name}\``);
  },
};

/** Encodings of what has no target: the same instructions come again and again. */
const encodings = new Map<string, Uint8Array>();
const MOST_ENCODINGS = 1 << 14;

/** `targets`: what the labels among the operands stand for, in order; `length`: what those are told with. */
function encode(item: Item, targets: readonly Operand[], values: Environment, length?: number): Uint8Array {
  const waiting = [...targets];
  const operands = item.operands.map((operand): Operand => {
    if (!isLabel(operand)) return closed(operand, values);
    const target = waiting.shift();
    if (target === undefined) throw new InternalDefect(`the label ${operand.name} has no target`);
    return target;
  });
  const key = length === undefined ? `${item.mnemonic} ${JSON.stringify(operands, text)}` : undefined;
  const known = key === undefined ? undefined : encodings.get(key);
  if (known !== undefined) return known;
  const bytes = encodeX86({
    mnemonic: item.mnemonic,
    prefixes: { lock: false, rep: "none" },
    operands,
    ...(length === undefined ? {} : { length }),
  });
  if (bytes === undefined) throw new InternalDefect(`x86-64 has no ${item.mnemonic} ${JSON.stringify(operands, text)}`);
  if (key !== undefined && encodings.size < MOST_ENCODINGS) encodings.set(key, bytes);
  return bytes;
}

function isLabel(operand: CodeOperand | Label): operand is Label {
  return "name" in operand;
}

function closed(operand: CodeOperand, values: Environment): Operand {
  switch (operand.kind) {
    case "register":
      return operand;
    case "immediate":
      return { ...operand, value: BigInt.asUintN(operand.width, valueIn(operand.value, values)) };
    case "memory":
      return { ...operand, displacement: BigInt.asIntN(64, valueIn(operand.displacement, values)) };
    default:
      return operand satisfies never;
  }
}

/** The open numbers of an instruction, whose bytes stand `start` bytes behind the beginning of the code. */
function holesOf({ operands }: Item, bytes: Uint8Array, start: number): readonly Hole[] {
  const open = operands.flatMap((operand) => {
    if (isLabel(operand) || operand.kind === "register") return [];
    if (operand.kind === "immediate")
      return operand.value instanceof Open ? [{ kind: operand.kind, value: operand.value }] : [];
    const { displacement } = operand;
    return displacement instanceof Open ? [{ kind: "displacement", value: displacement }] : [];
  });
  if (open.length === 0) return [];
  const places = numberPlaces(bytes);
  return open.flatMap(({ kind, value }) => {
    const place = places.find((p) => p.kind === kind);
    return place === undefined ? [] : [{ at: start + place.offset, bytes: place.size, value: termOf(value) }];
  });
}

/** Where each item starts, and the end. */
function startsOf(lengths: readonly number[]): readonly number[] {
  const starts = [0];
  for (const length of lengths) starts.push((starts.at(-1) ?? 0) + length);
  return starts;
}

function text(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

export function register(name: Register, width: Width = 64): RegisterOperand {
  return { kind: "register", file: "gpr", index: REGISTERS.indexOf(name), width, high: false };
}

/** `value` modulo 2^width: of an operation on 64 bits it has to fit in 32, sign-extended. */
export function immediate(value: Quantity, width: Width = 64): CodeOperand {
  return { kind: "immediate", value, width };
}

export function memory({ base, index, scale = 1, displacement }: Address, width: 0 | Width = 64): CodeOperand {
  return {
    kind: "memory",
    width,
    segment: "none",
    stack: base === "rsp" || base === "rbp",
    base: base === undefined ? undefined : REGISTERS.indexOf(base),
    index: index === undefined ? undefined : REGISTERS.indexOf(index),
    scale,
    displacement,
    addressSize: 64,
  };
}
