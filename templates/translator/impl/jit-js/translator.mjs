// Translates RV64I to x86-64. It reads one request a line and answers each with one line: see docs/formats.md.
//
// The code that it makes is a function of one argument, the context in rdi: register x[i] at rdi + 8 i, the pc at rdi + 256.
// Guest addresses are host addresses. rax and rcx are for the work within an instruction.
import { createInterface } from "node:readline";

const HOST = 0x7f00_0000_0000n; // where the code will lie
const PC = 256;

class Block {
  constructor(pc) {
    this.pc = BigInt(pc);
    this.current = this.pc; // the instruction at hand
    this.bytes = [];
    this.points = [];
    this.faults = [];
    this.exits = [];
  }

  emit(...bytes) {
    this.bytes.push(...bytes);
  }

  emit32(value) {
    for (let i = 0n; i < 4n; i++) this.bytes.push(Number((BigInt(value) >> (8n * i)) & 0xffn));
  }

  emit64(value) {
    for (let i = 0n; i < 8n; i++) this.bytes.push(Number((BigInt(value) >> (8n * i)) & 0xffn));
  }

  get here() {
    return HOST + BigInt(this.bytes.length);
  }

  // ---- guest registers

  loadRax(reg) {
    if (reg === 0)
      this.emit(0x31, 0xc0); // xor eax, eax
    else this.at(0x87, reg, 0x48, 0x8b); // mov rax, [rdi + 8 reg]
  }

  loadRcx(reg) {
    if (reg === 0) this.emit(0x31, 0xc9);
    else this.at(0x8f, reg, 0x48, 0x8b);
  }

  storeRax(reg) {
    if (reg !== 0) this.at(0x87, reg, 0x48, 0x89);
  }

  storeRcx(reg) {
    if (reg !== 0) this.at(0x8f, reg, 0x48, 0x89);
  }

  at(modrm, reg, ...opcode) {
    this.emit(...opcode, modrm);
    this.emit32(8 * reg);
  }

  rcxImmediate(value) {
    this.emit(0x48, 0xc7, 0xc1); // mov rcx, imm32
    this.emit32(value);
  }

  // ---- memory: an access at [rax + offset] that may fault

  access(offset, ...opcode) {
    this.faults.push({ host: this.here, guest: this.pc });
    this.emit(...opcode);
    this.emit32(offset);
  }

  // ---- ways out

  leaveTo(guest) {
    this.emit(0x48, 0xb8); // mov rax, guest
    this.emit64(BigInt.asUintN(64, guest));
    this.leave();
  }

  leave() {
    this.emit(0x48, 0x89, 0x87); // mov [rdi + PC], rax
    this.emit32(PC);
    this.exits.push({ host: this.here });
    this.emit(0xc3); // ret
  }

  trap(guest, trap) {
    this.emit(0x48, 0xb8);
    this.emit64(guest);
    this.emit(0x48, 0x89, 0x87);
    this.emit32(PC);
    this.exits.push({ host: this.here, guest, trap });
    this.emit(0xc3);
  }

  // To a branch's or jump's target, which must be a multiple of 4.
  jump(guest, target) {
    if (target % 4n === 0n) this.leaveTo(target);
    else this.trap(guest, "instruction_address_misaligned");
  }

  // A forward jump (0f cc rel32); `patch` gives it its target.
  forward(opcode) {
    this.emit(0x0f, opcode);
    this.emit32(0);
    return this.bytes.length;
  }

  patch(from) {
    const distance = this.bytes.length - from;
    for (let i = 0; i < 4; i++) this.bytes[from - 4 + i] = (distance >> (8 * i)) & 0xff;
  }
}

const bits = (word, hi, lo) => (word >>> lo) & (2 ** (hi - lo + 1) - 1);
const signed = (value, width) => (value << (32 - width)) >> (32 - width);

// On rax and rcx, by funct3.
const WIDE = {
  0: [0x48, 0x01, 0xc8], // add rax, rcx
  1: [0x48, 0xd3, 0xe0], // shl rax, cl
  2: [0x48, 0x39, 0xc8, 0x0f, 0x9c, 0xc0, 0x0f, 0xb6, 0xc0], // cmp rax, rcx; setl al; movzx eax, al
  3: [0x48, 0x39, 0xc8, 0x0f, 0x92, 0xc0, 0x0f, 0xb6, 0xc0], // cmp rax, rcx; setb al; movzx eax, al
  4: [0x48, 0x31, 0xc8], // xor rax, rcx
  5: [0x48, 0xd3, 0xe8], // shr rax, cl
  6: [0x48, 0x09, 0xc8], // or rax, rcx
  7: [0x48, 0x21, 0xc8], // and rax, rcx
};
const SUB = [0x48, 0x29, 0xc8]; // sub rax, rcx
const SRA = [0x48, 0xd3, 0xf8]; // sar rax, cl

const SIGN_EXTEND = [0x48, 0x63, 0xc0]; // movsxd rax, eax
const NARROW = {
  0: [0x01, 0xc8, ...SIGN_EXTEND], // add eax, ecx
  1: [0xd3, 0xe0, ...SIGN_EXTEND], // shl eax, cl
  5: [0xd3, 0xe8], // shr eax, cl: the upper half is zero
};
const SUBW = [0x29, 0xc8, ...SIGN_EXTEND]; // sub eax, ecx
const SRAW = [0xd3, 0xf8, ...SIGN_EXTEND]; // sar eax, cl

// To rax from [rax + disp32], by funct3: lb, lh, lw, ld, lbu, lhu, lwu.
const LOADS = {
  0: [0x48, 0x0f, 0xbe, 0x80],
  1: [0x48, 0x0f, 0xbf, 0x80],
  2: [0x48, 0x63, 0x80],
  3: [0x48, 0x8b, 0x80],
  4: [0x0f, 0xb6, 0x80],
  5: [0x0f, 0xb7, 0x80],
  6: [0x8b, 0x80],
};
// From rcx to [rax + disp32]: sb, sh, sw, sd.
const STORES = { 0: [0x88, 0x88], 1: [0x66, 0x89, 0x88], 2: [0x89, 0x88], 3: [0x48, 0x89, 0x88] };

// The second byte of jcc: je, jne, jl, jge, jb, jae.
const BRANCHES = { 0: 0x84, 1: 0x85, 4: 0x8c, 5: 0x8d, 6: 0x82, 7: 0x83 };

/** Translates one instruction. True where the block ends with it; undefined where it cannot be translated. */
function instruction(b, word, pc) {
  const opcode = bits(word, 6, 0);
  const rd = bits(word, 11, 7);
  const funct3 = bits(word, 14, 12);
  const rs1 = bits(word, 19, 15);
  const rs2 = bits(word, 24, 20);
  const funct7 = bits(word, 31, 25);
  const immediate = signed(bits(word, 31, 20), 12);
  const code = (bytes) => {
    b.loadRax(rs1);
    b.loadRcx(rs2);
    b.emit(...bytes);
    b.storeRax(rd);
    return false;
  };
  const codeImmediate = (bytes, value) => {
    b.loadRax(rs1);
    b.rcxImmediate(value);
    b.emit(...bytes);
    b.storeRax(rd);
    return false;
  };
  switch (opcode) {
    case 0x37: // lui
    case 0x17: // auipc
      b.emit(0x48, 0xb8);
      b.emit64(BigInt.asUintN(64, BigInt(word & ~0xfff) + (opcode === 0x17 ? pc : 0n)));
      b.storeRax(rd);
      return false;
    case 0x13:
      if (funct3 === 1) return bits(word, 31, 26) === 0 ? codeImmediate(WIDE[1], bits(word, 25, 20)) : undefined;
      if (funct3 === 5) {
        const kind = bits(word, 31, 26);
        if (kind !== 0 && kind !== 16) return undefined;
        return codeImmediate(kind === 16 ? SRA : WIDE[5], bits(word, 25, 20));
      }
      return codeImmediate(WIDE[funct3], immediate);
    case 0x33:
      if (funct7 === 0) return code(WIDE[funct3]);
      if (funct7 === 32 && funct3 === 0) return code(SUB);
      return funct7 === 32 && funct3 === 5 ? code(SRA) : undefined;
    case 0x1b:
      if (funct3 === 0) return codeImmediate(NARROW[0], immediate);
      if (funct3 === 1 && funct7 === 0) return codeImmediate(NARROW[1], rs2);
      if (funct3 !== 5 || (funct7 !== 0 && funct7 !== 32)) return undefined;
      return codeImmediate(funct7 === 32 ? SRAW : NARROW[5], rs2);
    case 0x3b:
      if (funct7 === 0 && NARROW[funct3] !== undefined) return code(NARROW[funct3]);
      if (funct7 === 32 && funct3 === 0) return code(SUBW);
      return funct7 === 32 && funct3 === 5 ? code(SRAW) : undefined;
    case 0x03:
      if (LOADS[funct3] === undefined) return undefined;
      b.loadRax(rs1);
      b.access(immediate, ...LOADS[funct3]);
      b.storeRax(rd);
      return false;
    case 0x23:
      if (STORES[funct3] === undefined) return undefined;
      b.loadRax(rs1);
      b.loadRcx(rs2);
      b.access(signed((funct7 << 5) | rd, 12), ...STORES[funct3]);
      return false;
    case 0x63: {
      if (BRANCHES[funct3] === undefined) return undefined;
      const offset =
        (bits(word, 31, 31) << 12) | (bits(word, 7, 7) << 11) | (bits(word, 30, 25) << 5) | (bits(word, 11, 8) << 1);
      b.loadRax(rs1);
      b.loadRcx(rs2);
      b.emit(0x48, 0x39, 0xc8); // cmp rax, rcx
      const taken = b.forward(BRANCHES[funct3]);
      b.leaveTo(pc + 4n);
      b.patch(taken);
      b.jump(pc, pc + BigInt(signed(offset, 13)));
      return true;
    }
    case 0x6f: {
      const offset =
        (bits(word, 31, 31) << 20) |
        (bits(word, 19, 12) << 12) |
        (bits(word, 20, 20) << 11) |
        (bits(word, 30, 21) << 1);
      const target = pc + BigInt(signed(offset, 21));
      if (target % 4n === 0n) {
        b.emit(0x48, 0xb9); // mov rcx, pc + 4
        b.emit64(pc + 4n);
        b.storeRcx(rd);
      }
      b.jump(pc, target);
      return true;
    }
    case 0x67: {
      if (funct3 !== 0) return undefined;
      b.loadRax(rs1);
      b.emit(0x48, 0x05); // add rax, imm32
      b.emit32(immediate);
      b.emit(0x48, 0x83, 0xe0, 0xfe); // and rax, -2
      b.emit(0xa8, 0x02); // test al, 2
      const misaligned = b.forward(0x85);
      b.emit(0x48, 0xb9); // mov rcx, pc + 4
      b.emit64(pc + 4n);
      b.storeRcx(rd);
      b.leave();
      b.patch(misaligned);
      b.trap(pc, "instruction_address_misaligned");
      return true;
    }
    case 0x0f: // fence: the host's order is stronger
      return funct3 === 0 ? false : undefined;
    case 0x73:
      if (word !== 0x73 && word !== 0x100073) return undefined;
      b.trap(pc, word === 0x73 ? "environment_call" : "breakpoint");
      return true;
    default:
      return undefined;
  }
}

function translate({ pc, code }) {
  const guest = Buffer.from(code, "hex");
  const b = new Block(pc);
  let at = b.pc;
  let ended = false;
  for (let i = 0; i + 4 <= guest.length && !ended; i += 4) {
    const word = guest.readInt32LE(i);
    b.current = at;
    b.points.push({ guest: at, host: b.here });
    const end = instruction(b, word, at);
    if (end === undefined) return { unsupported: `the word 0x${(word >>> 0).toString(16)}` };
    ended = end;
    at += 4n;
  }
  if (!ended) b.leaveTo(at);
  const hex = (value) => `0x${value.toString(16)}`;
  return {
    host: { address: hex(HOST), code: Buffer.from(b.bytes).toString("hex") },
    entry: hex(HOST),
    points: b.points.map((p) => ({ guest: hex(p.guest), host: hex(p.host) })),
    faults: b.faults.map((f) => ({ host: hex(f.host), guest: hex(f.guest) })),
    exits: b.exits.map((e) => ({
      host: hex(e.host),
      ...(e.guest === undefined ? {} : { guest: hex(e.guest), trap: e.trap }),
    })),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, translate: request } = JSON.parse(line);
  console.log(JSON.stringify({ id, ...translate(request) }));
}
