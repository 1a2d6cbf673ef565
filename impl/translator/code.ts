/** Host code under construction: x86-64 instructions with labels, and what is known of some of them. */
import { encodeX86 } from "../../refinement/assembly/x86/index.js";
import type { Operand } from "../../refinement/decoded.js";
import { InternalDefect } from "../../refinement/errors.js";

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
  readonly displacement: bigint;
}

/** What an exit is for: see `Exit` in refinement/translation.ts. */
export interface Leaving {
  readonly guest: bigint | undefined;
  readonly interrupt: boolean;
  readonly trap: string | undefined;
}

interface Item {
  readonly mnemonic: string;
  readonly operands: readonly (Operand | Label)[];
  /** The guest instruction that a fault here belongs to. */
  readonly guest: bigint | undefined;
  readonly leaving: Leaving | undefined;
}

/** Addresses of assembled code. */
export interface Assembled {
  readonly bytes: Uint8Array;
  readonly faults: readonly { readonly host: bigint; readonly guest: bigint }[];
  readonly exits: readonly ({ readonly host: bigint } & Leaving)[];
}

export class Code {
  private readonly items: Item[] = [];
  private readonly labels = new Map<Label, number>();
  private guest: bigint | undefined;

  label(name: string): Label {
    return { name };
  }

  /** The label stands for the place reached so far. */
  place(label: Label): void {
    this.labels.set(label, this.items.length);
  }

  emit(mnemonic: string, ...operands: readonly (Operand | Label)[]): void {
    this.items.push({ mnemonic, operands, guest: this.guest, leaving: undefined });
  }

  /** What `action` emits may fault, and then belongs to the guest instruction at `guest`. */
  faulting(guest: bigint, action: () => void): void {
    this.guest = guest;
    action();
    this.guest = undefined;
  }

  leave(leaving: Leaving): void {
    this.items.push({ mnemonic: "ret", operands: [], guest: undefined, leaving });
  }

  /** Jumps begin long and shrink until nothing changes. */
  assemble(origin: bigint): Assembled {
    let lengths: readonly number[] = this.items.map((item) =>
      item.operands.some(isLabel) ? (item.mnemonic === "jmp" ? 5 : 6) : 0,
    );
    let encoded: readonly Uint8Array[] = [];
    for (;;) {
      const starts = startsOf(lengths);
      encoded = this.items.map((item, i) => this.encode(item, i, starts, lengths[i] ?? 0));
      const found = encoded.map((bytes) => bytes.length);
      if (found.every((length, i) => length === lengths[i])) break;
      lengths = found;
    }
    const starts = startsOf(lengths);
    const at = (i: number): bigint => origin + BigInt(starts[i] ?? 0);
    return {
      bytes: Uint8Array.from(encoded.flatMap((bytes) => [...bytes])),
      faults: this.items.flatMap(({ guest }, i) => (guest === undefined ? [] : [{ host: at(i), guest }])),
      exits: this.items.flatMap(({ leaving }, i) => (leaving === undefined ? [] : [{ host: at(i), ...leaving }])),
    };
  }

  private encode(item: Item, i: number, starts: readonly number[], length: number): Uint8Array {
    const end = (starts[i] ?? 0) + length;
    const operands = item.operands.map((operand): Operand => {
      if (!isLabel(operand)) return operand;
      const target = this.labels.get(operand);
      if (target === undefined) throw new InternalDefect(`the label ${operand.name} is nowhere`);
      return { kind: "target", displacement: BigInt((starts[target] ?? 0) - end) };
    });
    const bytes = encodeX86({
      mnemonic: item.mnemonic,
      prefixes: { lock: false, rep: "none" },
      operands,
      ...(length > 0 ? { length } : {}),
    });
    if (bytes === undefined)
      throw new InternalDefect(`x86-64 has no ${item.mnemonic} ${JSON.stringify(operands, text)}`);
    return bytes;
  }
}

function isLabel(operand: Operand | Label): operand is Label {
  return "name" in operand;
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

export function register(name: Register, width: Width = 64): Operand {
  return { kind: "register", file: "gpr", index: REGISTERS.indexOf(name), width, high: false };
}

/** `value` modulo 2^width: of an operation on 64 bits it has to fit in 32, sign-extended. */
export function immediate(value: bigint, width: Width = 64): Operand {
  return { kind: "immediate", value: BigInt.asUintN(width, value), width };
}

export function memory({ base, index, scale = 1, displacement }: Address, width: 0 | Width = 64): Operand {
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
