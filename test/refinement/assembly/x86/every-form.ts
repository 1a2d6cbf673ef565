/** Instructions of every opcode that a machine's mnemonics have, with every register, place in memory and kind of number. */
import { OpCodeOperandKind as Kind } from "iced-x86";
import path from "node:path";
import {
  encodeForm,
  type Wanted,
  type WantedInstruction,
  type WantedMemory,
} from "../../../../refinement/assembly/x86/encode.js";
import { type Form, formsByName, shapeOf } from "../../../../refinement/assembly/x86/forms.js";
import { isString } from "../../../../refinement/assembly/x86/names.js";
import { operandOf } from "../../../../refinement/assembly/x86/registers.js";
import type { DecodedInstruction, MemoryOperand, RegisterOperand } from "../../../../refinement/decoded.js";
import type { DecodedInstructionSet } from "../../../../refinement/machine.js";
import { loadMachine } from "../../../../spec/notation/index.js";
import { Register } from "iced-x86";

export const ADDRESS = 0x40_0000n;

let loaded: Promise<DecodedInstructionSet> | undefined;

export function x8664(): Promise<DecodedInstructionSet> {
  loaded ??= loadMachine(path.resolve("spec/x86-64/x86-64.yaml")).then(({ decoded }) => {
    if (decoded === undefined) throw new Error("x86-64 is decoded by a library");
    return decoded;
  });
  return loaded;
}

export interface Sample {
  readonly instruction: DecodedInstruction;
  readonly bytes: Uint8Array;
  /** Of the machine. */
  readonly block: string;
}

/** Forms that no sample was found for are an error of the caller's. */
export async function everyForm(): Promise<{ readonly samples: readonly Sample[]; readonly empty: readonly string[] }> {
  const set = await x8664();
  const samples: Sample[] = [];
  const empty: string[] = [];
  const blocks = new Map<string, string | undefined>();
  for (const mnemonic of new Set(set.blocks.map((b) => b.mnemonic))) {
    for (const form of formsByName().get(mnemonic) ?? []) {
      let found = 0;
      for (const wanted of instructions(mnemonic, form)) {
        const encoded = encodeForm(form, wanted, ADDRESS);
        if (encoded === undefined) continue;
        const shape = shapeOfOperands(encoded.instruction);
        if (!blocks.has(shape)) {
          const known = set.form(encoded.instruction);
          blocks.set(shape, known.kind === "form" ? known.block.name : undefined);
        }
        const block = blocks.get(shape);
        if (block === undefined) continue;
        found++;
        samples.push({ instruction: encoded.instruction, bytes: encoded.bytes, block });
      }
      if (found === 0) empty.push(`${mnemonic} ${form.operands.map((k) => Kind[k]).join(" ")}`);
    }
  }
  return { samples, empty };
}

/** What decides which block an instruction belongs to. */
function shapeOfOperands({ mnemonic, operandSize, operands }: DecodedInstruction): string {
  const shapes = operands.map((o) => `${o.kind} ${o.kind === "target" ? "" : o.width}`);
  return [mnemonic, operandSize, ...shapes].join(", ");
}

function* instructions(mnemonic: string, form: Form): Generator<WantedInstruction> {
  const plain = { mnemonic, lock: false, repeat: "none", segment: undefined } as const;
  const sizes = { operandSize: undefined, addressSize: form.addressSize === 32 ? 32 : undefined } as const;
  if (isString(mnemonic)) {
    for (const repeat of ["none", "f3", "f2"] as const) {
      if (repeat === "f2" && mnemonic !== "cmps" && mnemonic !== "scas") continue;
      for (const addressSize of [64, 32] as const) {
        const segments = form.operands.includes(Kind.seg_rSI) ? [undefined, Register.FS, Register.GS] : [undefined];
        for (const segment of segments)
          yield { ...plain, repeat, segment, operandSize: undefined, addressSize, operands: [] };
      }
    }
    return;
  }
  const choices = form.operands.map((kind) => [...operands(kind, form)]);
  const operandSize = NOT_TOLD.has(mnemonic) && form.operandSize !== 0 ? form.operandSize : undefined;
  if (choices.length === 0) yield { ...plain, ...sizes, operandSize, operands: [] };
  for (const [i, all] of choices.entries()) {
    for (const [n, choice] of all.entries()) {
      // The others move on as well, so that registers meet.
      const others = choices.map((c, j) => (j === i ? choice : c[(n + 3 * j + 1) % c.length]));
      const whole = others.filter((o) => o !== undefined);
      if (whole.length < choices.length) continue;
      yield { ...plain, ...sizes, operandSize, operands: whole };
      if (whole[0]?.kind === "memory" && n % 4 === 0)
        yield { ...plain, ...sizes, operandSize, lock: true, operands: whole };
    }
  }
}

/** Instructions whose size no operand tells. */
const NOT_TOLD: ReadonlySet<string> = new Set(["push", "enter", "leave", "nop"]);

function* operands(kind: Kind, form: Form): Generator<Wanted> {
  const shape = shapeOf(kind);
  switch (shape?.kind) {
    case "register":
      yield* registers(shape.width);
      if (shape.memory) yield* places(form.memoryWidth);
      return;
    case "fixed": {
      const register = operandOf(shape.register);
      if (register !== undefined) yield register;
      return;
    }
    case "memory":
      if (shape.absolute)
        for (const displacement of [0n, 0x1122_3344_5566_7788n, -8n])
          yield place(form.memoryWidth, { displacement, index: undefined, base: undefined });
      else yield* places(form.memoryWidth);
      return;
    case "immediate": {
      if (shape.only !== undefined) yield { kind: "number", value: shape.only };
      const half = 1n << BigInt(shape.encoded - 1);
      for (const value of [0n, 1n, -1n, 5n, half - 1n, -half, 0x42n]) yield { kind: "number", value };
      return;
    }
    case "target":
      for (const distance of [0n, 2n, 0x70n, -0x70n, 0x1234n, -0x12345n])
        yield { kind: "address", address: ADDRESS + distance };
      return;
    default:
  }
}

function* registers(width: RegisterOperand["width"]): Generator<RegisterOperand> {
  for (let index = 0; index < 16; index++) yield { kind: "register", file: "gpr", index, width, high: false };
  if (width === 8)
    for (let index = 0; index < 4; index++) yield { kind: "register", file: "gpr", index, width, high: true };
}

function place(width: MemoryOperand["width"], of: Partial<WantedMemory>): WantedMemory {
  const whole = {
    segment: "none",
    base: 0,
    index: undefined,
    scale: 1,
    displacement: 0n,
    addressSize: 64,
    ...of,
  } as const;
  const override = whole.segment === "none" ? undefined : whole.segment === "fs" ? Register.FS : Register.GS;
  return { kind: "memory", width, override, ...whole };
}

/** Every base and index, rsp, rbp, r12 and r13 with their special encodings among them, and every kind of displacement. */
function* places(width: MemoryOperand["width"]): Generator<WantedMemory> {
  const none = undefined;
  for (let base = 0; base < 16; base++) {
    yield place(width, { base, displacement: base % 3 === 0 ? 0n : base % 3 === 1 ? -0x80n : 0x12345n });
    if (base !== 4) yield place(width, { base: 15 - base, index: base, scale: ([1, 2, 4, 8] as const)[base % 4] ?? 1 });
  }
  for (const displacement of [0n, 1n, 0x7fn, 0x80n, -0x81n, 0x7fff_ffffn, -0x8000_0000n]) {
    yield place(width, { base: 5, displacement });
    yield place(width, { base: "rip", displacement });
    yield place(width, { base: none, index: none, displacement });
    yield place(width, { base: none, index: 5, scale: 8, displacement });
    yield place(width, { base: 12, index: 13, scale: 2, displacement });
    yield place(width, { base: 13, index: 12, scale: 1, displacement, segment: "gs" });
  }
  for (const segment of ["fs", "gs"] as const) {
    yield place(width, { segment, base: none, displacement: 0x28n });
    yield place(width, { segment, base: 4, displacement: 8n });
  }
  const narrow = { addressSize: 32 } as const;
  yield place(width, { ...narrow, base: 0 });
  yield place(width, { ...narrow, base: 12, index: 5, scale: 4, displacement: -4n, segment: "fs" });
  yield place(width, { ...narrow, base: "rip", displacement: 0x10n });
  yield place(width, { ...narrow, base: none, displacement: 0x1234n });
  yield place(width, { ...narrow, base: none, index: 9, scale: 2, displacement: 0x1234n });
}

/** As if it were `shift` bytes shorter: targets are told from its end. */
export function moved(instruction: DecodedInstruction, shift: number): DecodedInstruction {
  return {
    ...instruction,
    operands: instruction.operands.map((o) =>
      o.kind === "target" ? { ...o, displacement: BigInt.asIntN(64, o.displacement + BigInt(shift)) } : o,
    ),
  };
}
