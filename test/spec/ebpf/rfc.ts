/**
 * Which words RFC 9669 defines, written from its tables apart from the machine definition: by opcode, what the other fields of
 * the basic instruction must be. "ABI" is the conventions of Linux 6.8, by which R10 is read-only.
 */

type Allowed = (value: number) => boolean;

interface Rule {
  readonly dst: Allowed;
  readonly src: Allowed;
  readonly offset: Allowed;
  readonly imm: Allowed;
}

const zero: Allowed = (v) => v === 0;
const any: Allowed = () => true;
const read: Allowed = (v) => v <= 10; // §3.1: 0 to 10
const write: Allowed = (v) => v < 10; // ABI
const one =
  (...values: readonly number[]): Allowed =>
  (v) =>
    values.includes(v);

const K = 0;
const X = 8;
const [LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64] = [0, 1, 2, 3, 4, 5, 6, 7];

function rules(): ReadonlyMap<number, readonly Rule[]> {
  const table = new Map<number, Rule[]>();
  const rule = (opcode: number, dst: Allowed, src: Allowed, offset: Allowed, imm: Allowed): void => {
    table.set(opcode, [...(table.get(opcode) ?? []), { dst, src, offset, imm }]);
  };
  for (const kind of [ALU, ALU64]) {
    // §4.1: ADD SUB MUL DIV OR AND LSH RSH MOD XOR MOV ARSH; DIV and MOD are signed with offset 1
    for (const code of [0x0, 0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x9, 0xa, 0xb, 0xc]) {
      const offset = code === 0x3 || code === 0x9 ? one(0, 1) : zero;
      rule((code << 4) | K | kind, write, zero, offset, any);
      rule((code << 4) | X | kind, write, read, offset, zero);
    }
    rule(0x80 | K | kind, write, zero, zero, zero); // NEG
    rule(0xb0 | X | kind, write, read, kind === ALU ? one(8, 16) : one(8, 16, 32), zero); // MOVSX
  }
  // §4.2: END
  for (const opcode of [0xd0 | K | ALU, 0xd0 | X | ALU, 0xd0 | K | ALU64])
    rule(opcode, write, zero, zero, one(16, 32, 64));
  // §4.3
  for (const kind of [JMP, JMP32]) {
    for (const code of [0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0xa, 0xb, 0xc, 0xd]) {
      rule((code << 4) | K | kind, read, zero, any, any);
      rule((code << 4) | X | kind, read, read, any, zero);
    }
  }
  rule(0x00 | JMP, zero, zero, any, zero); // JA
  rule(0x00 | JMP32, zero, zero, zero, any);
  rule(0x80 | JMP, zero, one(0, 1, 2), zero, any); // CALL
  rule(0x90 | JMP, zero, zero, zero, zero); // EXIT
  // §5: mode, size, class
  const [W, H, B, DW] = [0x00, 0x08, 0x10, 0x18];
  for (const size of [W, H, B, DW]) {
    rule(0x60 | size | LDX, write, read, any, zero);
    rule(0x60 | size | ST, read, zero, any, any);
    rule(0x60 | size | STX, read, read, any, zero);
  }
  for (const size of [W, H, B]) {
    rule(0x80 | size | LDX, write, read, any, zero); // MEMSX
    rule(0x20 | size | LD, zero, zero, zero, any); // ABS
    rule(0x40 | size | LD, zero, read, zero, any); // IND
  }
  for (const size of [W, DW]) {
    // §5.3: ADD OR AND XOR and CMPXCHG read the source, with FETCH it is written, as by XCHG
    rule(0xc0 | size | STX, read, read, any, one(0x00, 0x40, 0x50, 0xa0, 0xf1));
    rule(0xc0 | size | STX, read, write, any, one(0x01, 0x41, 0x51, 0xa1, 0xe1));
  }
  rule(0x00 | DW | LD, write, one(0, 1, 2, 3, 4, 5, 6), zero, any); // §5.4
  return table;
}

const RULES = rules();
export const WIDE = 0x18;

/** `second` is the slot behind it, which counts for a wide instruction alone. */
export function isDefined(word: bigint, second: bigint): boolean {
  const field = (at: bigint, width: number): number => Number(BigInt.asUintN(width, word >> at));
  const [opcode, dst, src, offset] = [field(0n, 8), field(8n, 4), field(12n, 4), field(16n, 16)];
  const imm = field(32n, 32);
  const allowed = RULES.get(opcode)?.some((r) => r.dst(dst) && r.src(src) && r.offset(offset) && r.imm(imm)) === true;
  if (!allowed || opcode !== WIDE) return allowed;
  // §3.2: the reserved half of the second slot is zero; next_imm as well where §5.4 has no use for it.
  return BigInt.asUintN(32, second) === 0n && (src === 0 || src === 2 || src === 6 || second === 0n);
}
