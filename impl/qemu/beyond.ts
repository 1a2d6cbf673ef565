/**
 * Words of instructions that QEMU has and the guest's definition has not: what F and D compute, and the CSRs that user mode may touch.
 * From The RISC-V Instruction Set Manual, Volume I, version 20240411, chapter 34.
 */

const OP_FP = 0b1010011n;
const SYSTEM = 0b1110011n;
/** rm: rounded as frm says (section 21.2); of what is exact assemblers make it 0. */
const DYNAMIC = 0b111n;
const NEAREST = 0b000n;
const [RD, RS1, RS2, RS3] = [10n, 11n, 12n, 13n];

const FORMATS = [
  ["s", 0n],
  ["d", 1n],
] as const;

/** funct5 of those with two operands that are rounded. */
const ROUNDED = { fadd: 0b00000n, fsub: 0b00001n, fmul: 0b00010n, fdiv: 0b00011n };
/** funct5, and what stands where others have rm. */
const EXACT = {
  fmin: [0b00101n, 0b000n],
  fmax: [0b00101n, 0b001n],
  fle: [0b10100n, 0b000n],
  flt: [0b10100n, 0b001n],
  feq: [0b10100n, 0b010n],
} as const;
/** Opcodes of those with three operands. */
const FUSED = { fmadd: 0b1000011n, fmsub: 0b1000111n, fnmsub: 0b1001011n, fnmadd: 0b1001111n };
/** In the place of rs2. */
const INTEGERS = { w: 0n, wu: 1n, l: 2n, lu: 3n };
const CSRS = { fflags: 0x001n, frm: 0x002n, fcsr: 0x003n, cycle: 0xc00n, time: 0xc01n, instret: 0xc02n };
/** funct3. */
const WRITES = { csrrw: 0b001n, csrrs: 0b010n, csrrc: 0b011n, csrrwi: 0b101n, csrrsi: 0b110n, csrrci: 0b111n };

function op(funct5: bigint, format: bigint, rs2: bigint, rm: bigint): bigint {
  return (funct5 << 27n) | (format << 25n) | (rs2 << 20n) | (RS1 << 15n) | (rm << 12n) | (RD << 7n) | OP_FP;
}

function csr(number: bigint, funct3: bigint, source: bigint): bigint {
  return (number << 20n) | (source << 15n) | (funct3 << 12n) | (RD << 7n) | SYSTEM;
}

/** By name, as assemblers have it. */
export function* beyondDefinition(): Generator<readonly [string, bigint]> {
  for (const [suffix, format] of FORMATS) {
    for (const [name, funct5] of Object.entries(ROUNDED)) yield [`${name}.${suffix}`, op(funct5, format, RS2, DYNAMIC)];
    for (const [name, [funct5, rm]] of Object.entries(EXACT)) yield [`${name}.${suffix}`, op(funct5, format, RS2, rm)];
    for (const [name, opcode] of Object.entries(FUSED))
      yield [`${name}.${suffix}`, (RS3 << 27n) | (op(0n, format, RS2, DYNAMIC) & ~0x7fn) | opcode];
    yield [`fsqrt.${suffix}`, op(0b01011n, format, 0n, DYNAMIC)];
    yield [`fclass.${suffix}`, op(0b11100n, format, 0n, 0b001n)];
    for (const [integer, number] of Object.entries(INTEGERS)) {
      yield [`fcvt.${integer}.${suffix}`, op(0b11000n, format, number, DYNAMIC)];
      const exact = suffix === "d" && integer.startsWith("w");
      yield [`fcvt.${suffix}.${integer}`, op(0b11010n, format, number, exact ? NEAREST : DYNAMIC)];
    }
  }
  yield ["fcvt.s.d", op(0b01000n, 0n, 1n, DYNAMIC)];
  yield ["fcvt.d.s", op(0b01000n, 1n, 0n, NEAREST)];
  for (const [name, number] of Object.entries(CSRS)) yield [`csrrs ${name}`, csr(number, WRITES.csrrs, 0n)];
  for (const [name, funct3] of Object.entries(WRITES)) yield [`${name} fcsr`, csr(CSRS.fcsr, funct3, RS1)];
}
