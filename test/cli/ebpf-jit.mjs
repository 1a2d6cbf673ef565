/**
 * A small compiler of whole eBPF programs to x86-64 functions `u64 run(void *context, void *stackTop)`, over the translator protocol: a
 * prologue that saves what the convention preserves, a mapping of registers, an epilogue. Its argument plants a mistake.
 */
import { createInterface } from "node:readline";

const [RAX, RCX, RDX, RBX, RBP, RSI, RDI, R8, R13, R14, R15] = [0, 1, 2, 3, 5, 6, 7, 8, 13, 14, 15];
/** R0 … R10 of eBPF. */
const MAP = [RAX, RDI, RSI, RDX, RCX, R8, RBX, R13, R14, R15, RBP];
const PRESERVED = [RBP, RBX, R13, R14, R15];
const AT = 0x7f00_0000_0000n;
const fault = process.argv[2];

class Unsupported extends Error {}

class Program {
  bytes = [];
  points = [];
  faults = [];
  exits = [];
  /** Displacements to fill in: where they stand, and the slot that they lead to. */
  jumps = [];
  /** Host offset of each slot. */
  starts = [];

  constructor(pc, code) {
    this.pc = pc;
    this.slots = code.length / 8;
    this.prologue();
    for (let slot = 0; slot < this.slots; slot++) this.instruction(slot, code.subarray(8 * slot, 8 * slot + 8));
    this.starts.push(this.bytes.length);
    // Behind the last instruction the program is left as it is.
    this.exits.push({ ...this.here(this.slots), view: "inside" });
    this.bytes.push(0x0f, 0x0b);
    for (const { at, slot } of this.jumps) {
      const to = this.starts[slot];
      if (to === undefined) throw new Unsupported("a jump out of the program");
      this.bytes.splice(at, 4, ...word(to - at - 4));
    }
  }

  here(slot) {
    return { host: hex(AT + BigInt(this.bytes.length)), guest: hex(this.pc + 8n * BigInt(slot)) };
  }

  /** REX.W, the opcode, and both registers. */
  pair(opcode, reg, rm) {
    this.bytes.push(0x48 | ((reg >> 3) << 2) | (rm >> 3), ...opcode, 0xc0 | ((reg & 7) << 3) | (rm & 7));
  }

  memory(opcode, reg, base, offset) {
    this.bytes.push(
      0x48 | ((reg >> 3) << 2) | (base >> 3),
      opcode,
      0x80 | ((reg & 7) << 3) | (base & 7),
      ...word(offset),
    );
  }

  /** Strings go up (`cld`); the registers of eBPF that the caller does not give are 0. */
  prologue() {
    this.bytes.push(0xfc);
    for (const r of PRESERVED) this.bytes.push(...(r > 7 ? [0x41] : []), 0x50 | (r & 7));
    this.pair([0x8b], RBP, RSI);
    for (const r of MAP) if (r !== RDI && r !== RBP) this.pair([0x33], r, r);
  }

  epilogue() {
    const order = fault === "pops-in-the-wrong-order" ? [R14, R15, R13, RBX, RBP] : PRESERVED.toReversed();
    for (const r of order) this.bytes.push(...(r > 7 ? [0x41] : []), 0x58 | (r & 7));
  }

  jump(opcode, slot) {
    this.bytes.push(...opcode, 0, 0, 0, 0);
    this.jumps.push({ at: this.bytes.length - 4, slot });
  }

  instruction(slot, bytes) {
    this.starts.push(this.bytes.length);
    this.points.push({ ...this.here(slot), view: "inside" });
    const [opcode, registers] = bytes;
    const [dst, src] = [MAP[registers & 15], MAP[registers >> 4]];
    const [offset, imm] = [bytes.readInt16LE(2), bytes.readInt32LE(4)];
    const ARITHMETIC = { 0: 0x03, 1: 0x2b, 4: 0x0b, 5: 0x23, 10: 0x33, 11: 0x8b };
    const CONDITION = { 1: 0x84, 2: 0x87, 3: 0x83, 5: 0x85, 6: 0x8f, 7: 0x8d, 10: 0x82, 11: 0x86, 12: 0x8c, 13: 0x8e };
    const [kind, operation, register] = [opcode & 7, opcode >> 4, (opcode & 8) !== 0];
    if (kind === 7 && ARITHMETIC[operation] !== undefined && offset === 0) {
      if (register) this.pair([ARITHMETIC[operation]], dst, src);
      else if (operation === 11) this.bytes.push(0x48 | (dst >> 3), 0xc7, 0xc0 | (dst & 7), ...word(imm));
      else this.bytes.push(0x48 | (dst >> 3), 0x81, (ARITHMETIC[operation] - 3) | 0xc0 | (dst & 7), ...word(imm));
    } else if (kind === 7 && operation === 2 && register) this.pair([0x0f, 0xaf], dst, src);
    else if (opcode === 0x79) {
      this.faults.push({ ...this.here(slot), view: "inside" });
      this.memory(0x8b, dst, src, offset);
    } else if (opcode === 0x7b) {
      this.faults.push({ ...this.here(slot), view: "inside" });
      this.memory(0x89, src, dst, offset);
    } else if (opcode === 0x05) this.jump([0xe9], slot + 1 + offset);
    else if (kind === 5 && CONDITION[operation] !== undefined) {
      if (register) this.pair([0x3b], dst, src);
      else this.bytes.push(0x48 | (dst >> 3), 0x81, 0xf8 | (dst & 7), ...word(imm));
      const signed = fault === "compares-as-signed" && operation === 3;
      this.jump([0x0f, signed ? 0x8d : CONDITION[operation]], slot + 1 + offset);
    } else if (opcode === 0x95) {
      this.epilogue();
      this.exits.push({ ...this.here(slot), trap: "exited", view: "done" });
      this.bytes.push(0xc3);
    } else throw new Unsupported(`opcode 0x${opcode.toString(16)}`);
  }
}

function word(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function hex(value) {
  return `0x${value.toString(16)}`;
}

function translate(pc, code) {
  const { bytes, points, faults, exits } = new Program(BigInt(pc), Buffer.from(code, "hex"));
  return {
    host: { address: hex(AT), code: Buffer.from(bytes).toString("hex") },
    entry: hex(AT),
    points,
    faults,
    exits,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = translate(request.translate.pc, request.translate.code);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    answer = { unsupported: error.message };
  }
  console.log(JSON.stringify({ id: request.id, ...answer }));
}
