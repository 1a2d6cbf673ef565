// An emulator for tests: RV32I by hand, behind the step protocol. Its argument is a mistake in an instruction, or in manners.
import { createInterface } from "node:readline";

const mistake = process.argv[2] ?? "none";
let asked = 0;

class Trap extends Error {
  constructor(name, value) {
    super(name);
    this.value = value;
  }
}

function hex(value) {
  return `0x${(value >>> 0).toString(16)}`;
}

function emulate({ state, memory }) {
  const x = Array.from({ length: 32 }, (_, i) => (i === 0 ? 0 : Number(state[`x[${i}]`] ?? 0) | 0));
  const bytes = new Map();
  for (const [name, content] of Object.entries(state)) {
    const address = /^mem\[(.*)\]$/.exec(name)?.[1];
    if (address === undefined) continue;
    for (const [i, byte] of Buffer.from(content, "hex").entries()) bytes.set(Number(address) + i, byte);
  }
  const allows = (letter, address) =>
    memory.some(
      ({ address: start, size, access }) =>
        access.includes(letter) && address >= Number(start) && address < Number(start) + Number(size),
    );
  const check = (letter, address, size, trap) => {
    for (let i = 0; i < size; i++) if (!allows(letter, (address + i) >>> 0)) throw new Trap(trap, address);
  };
  const peek = (address, size) => {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = (value << 8) | (bytes.get((address + i) >>> 0) ?? 0);
    return value;
  };
  const after = {};
  const pc = Number(state.pc ?? 0) >>> 0;
  const load = (address, size) => {
    check("r", address >>> 0, size, "load_access_fault");
    return peek(address, size);
  };
  const store = (address, size, value) => {
    if (mistake !== "store-anywhere") check("w", address >>> 0, size, "store_access_fault");
    const content = Buffer.from(Array.from({ length: size }, (_, i) => (value >>> (8 * i)) & 0xff));
    after[`mem[${hex(address)}]`] = content.toString("hex");
  };
  try {
    check("x", pc, 4, "instruction_access_fault");
    const word = peek(pc, 4);
    const [rd, funct3, rs1, rs2, funct7] = [
      (word >> 7) & 31,
      (word >> 12) & 7,
      (word >> 15) & 31,
      (word >> 20) & 31,
      word >>> 25,
    ];
    const immI = word >> 20;
    const immS = ((word >> 25) << 5) | rd;
    const immB = ((word >> 31) << 12) | ((rd & 1) << 11) | ((funct7 & 63) << 5) | (rd & 30);
    const immJ = ((word >> 31) << 20) | (word & 0xff000) | (((word >> 20) & 1) << 11) | (((word >> 21) & 0x3ff) << 1);
    const illegal = () => {
      throw new Trap("illegal_instruction", word);
    };
    let next = (pc + 4) >>> 0;
    const jump = (target) => {
      if ((target & 3) !== 0) throw new Trap("instruction_address_misaligned", target);
      next = target >>> 0;
    };
    let result;
    const less = (a, b) => (mistake === "sltu-signed" ? a < b : a >>> 0 < b >>> 0);
    const alu = (a, b, f7) => {
      switch (funct3) {
        case 0:
          return f7 === 32 ? a - b : a + b;
        case 1:
          return a << (mistake === "sll-unmasked" && b >>> 0 > 31 ? 0 : b);
        case 2:
          return a < b ? 1 : 0;
        case 3:
          return less(a, b) ? 1 : 0;
        case 4:
          return a ^ b;
        case 5:
          return f7 === 32 ? a >> b : a >>> b;
        case 6:
          return a | b;
        default:
          return a & b;
      }
    };
    switch (word & 127) {
      case 0x37:
        result = word & 0xfffff000;
        break;
      case 0x17:
        result = pc + (word & 0xfffff000);
        break;
      case 0x6f:
        result = next;
        jump(pc + immJ);
        break;
      case 0x67:
        if (funct3 !== 0) illegal();
        result = next;
        jump((x[rs1] + immI) & ~1);
        break;
      case 0x63: {
        const [a, b] = [x[rs1], x[rs2]];
        const taken = [a === b, a !== b, undefined, undefined, a < b, a >= b, a >>> 0 < b >>> 0, a >>> 0 >= b >>> 0][
          funct3
        ];
        if (taken === undefined) illegal();
        if (taken) jump(pc + immB);
        break;
      }
      case 0x03: {
        const address = x[rs1] + immI;
        if (funct3 === 0) result = (load(address, 1) << 24) >> 24;
        else if (funct3 === 1) result = (load(address, 2) << 16) >> 16;
        else if (funct3 === 2) result = load(address, 4);
        else if (funct3 === 4) result = load(address, 1);
        else if (funct3 === 5) result = mistake === "lhu-signed" ? (load(address, 2) << 16) >> 16 : load(address, 2);
        else illegal();
        break;
      }
      case 0x23:
        if (funct3 > 2) illegal();
        store(x[rs1] + immS, 1 << funct3, x[rs2]);
        break;
      case 0x13:
        if (funct3 === 1 && funct7 !== 0) illegal();
        if (funct3 === 5 && funct7 !== 0 && funct7 !== 32) illegal();
        result = alu(x[rs1], funct3 === 1 || funct3 === 5 ? rs2 : immI, funct3 === 5 ? funct7 : 0);
        break;
      case 0x33:
        if (funct7 !== 0 && !(funct7 === 32 && (funct3 === 0 || funct3 === 5))) illegal();
        result = alu(x[rs1], funct3 === 1 || funct3 === 5 ? x[rs2] & 31 : x[rs2], funct7);
        if (mistake === "sll-unmasked" && funct3 === 1 && x[rs2] >>> 0 > 31) result = 0;
        break;
      case 0x0f:
        if (funct3 !== 0) illegal();
        break;
      case 0x73:
        if (word === 0x73) throw new Trap("environment_call");
        if (word === 0x00100073) throw new Trap("breakpoint");
        illegal();
        break;
      default:
        illegal();
    }
    if (result !== undefined && (rd !== 0 || mistake === "writes-x0")) after[`x[${rd}]`] = hex(result);
    return { ...after, pc: hex(next) };
  } catch (trap) {
    if (!(trap instanceof Trap)) throw trap;
    const value = trap.value === undefined ? {} : { "trap.value": hex(trap.value) };
    return { trap: trap.message, ...value, ...(mistake === "store-anywhere" ? after : {}) };
  }
}

/** What it says, given the right answer; undefined for nothing. */
function said(id, answer) {
  switch (mistake) {
    case "hangs":
      return undefined;
    case "other-id":
      return JSON.stringify({ id: id + 1, state: answer });
    case "no-json":
      return "I am an emulator";
    case "no-state":
      return JSON.stringify({ id });
    case "no-number":
      return JSON.stringify({ id, state: { ...answer, pc: 12 } });
    case "unknown-variable":
      return JSON.stringify({ id, state: { ...answer, y: "0x1" } });
    case "too-wide":
      return JSON.stringify({ id, state: { ...answer, pc: "0x123456789" } });
    case "unknown-trap":
      return JSON.stringify({ id, state: { trap: "tripped" } });
    case "floods":
      return "x".repeat(5 << 20);
    case "talks-on":
      return `${JSON.stringify({ id, state: answer })}\n${JSON.stringify({ id, state: answer })}`;
    case "error":
      return JSON.stringify({ id, error: "no idea" });
    case "unsupported":
      return JSON.stringify({ id, unsupported: "all of it" });
    default:
      return JSON.stringify({ id, state: answer });
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, step } = JSON.parse(line);
  if (mistake === "crashes") process.exit(7);
  if (mistake === "crashes-once-in-20" && ++asked % 20 === 0) process.exit(7);
  const answer = said(id, emulate(step));
  if (answer !== undefined) process.stdout.write(`${answer}\n`);
});
