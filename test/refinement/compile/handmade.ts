/**
 * A small RISC-V machine put together by hand, independent of the notation: most of RV64I and some of M.
 */
import type {
  Effect,
  Field,
  FieldPiece,
  Instruction,
  Machine,
  Raise,
  StateVariable,
  TrapDeclaration,
  Transition,
  Type,
} from "../../../refinement/machine.js";
import * as t from "../../../refinement/terms/build.js";
import { substitute } from "../../../refinement/terms/substitute.js";
import { type Sort, bits, file, memory } from "../../../refinement/terms/sort.js";
import type { Access, Term } from "../../../refinement/terms/term.js";

const X = t.variable("x", file(32, 64));
const PC = t.variable("pc", bits(64));
const MEM = t.variable("mem", memory(64));
const TRAP = t.variable("trap", bits(3));
const VALUE = t.variable("trap.value", bits(64));

const TRAPS: readonly TrapDeclaration[] = [
  { name: "load_fault", parameters: [{ name: "address", type: { kind: "bits", width: 64 } }], code: 1, cause: 5 },
  { name: "store_fault", parameters: [{ name: "address", type: { kind: "bits", width: 64 } }], code: 2, cause: 7 },
  { name: "fetch_fault", parameters: [{ name: "address", type: { kind: "bits", width: 64 } }], code: 3, cause: 1 },
  { name: "illegal", parameters: [{ name: "word", type: { kind: "bits", width: 32 } }], code: 4, cause: 2 },
  { name: "ecall", parameters: [], code: 5, cause: 8 },
];

function stateVariable(name: string, type: Type, sort: Sort, term: Term, implicit = false): StateVariable {
  return {
    name,
    type,
    sort,
    term,
    fixed: name === "x" ? new Map([[0, 0n]]) : new Map(),
    faults: name === "mem" ? { fetch: "fetch_fault", load: "load_fault", store: "store_fault" } : {},
    implicit,
  };
}

const VARIABLES: readonly StateVariable[] = [
  stateVariable("pc", { kind: "bits", width: 64 }, bits(64), PC),
  stateVariable("x", { kind: "file", count: 32, element: { kind: "bits", width: 64 } }, file(32, 64), X),
  stateVariable("mem", { kind: "memory", address: 64 }, memory(64), MEM),
  stateVariable(
    "trap",
    { kind: "enum", name: "", members: ["none", ...TRAPS.map((x) => x.name)] },
    bits(3),
    TRAP,
    true,
  ),
  stateVariable("trap.value", { kind: "bits", width: 64 }, bits(64), VALUE, true),
];

const piece = (at: number, lo: number, width: number): FieldPiece => ({ at, lo, width });
const FIELDS = {
  rd: [5, [piece(7, 0, 5)]],
  rs1: [5, [piece(15, 0, 5)]],
  rs2: [5, [piece(20, 0, 5)]],
  i: [12, [piece(20, 0, 12)]],
  s: [12, [piece(25, 5, 7), piece(7, 0, 5)]],
  b: [13, [piece(31, 12, 1), piece(7, 11, 1), piece(25, 5, 6), piece(8, 1, 4)]],
  u: [32, [piece(12, 12, 20)]],
  j: [21, [piece(31, 20, 1), piece(12, 12, 8), piece(20, 11, 1), piece(21, 1, 10)]],
} as const;
type FieldName = keyof typeof FIELDS;
type Operands = Readonly<Record<FieldName, Term>>;

const WORD = t.load(MEM, PC, 4);
const FETCHABLE = t.accessible(MEM, "fetch", PC, 4);

function wordField(pieces: readonly FieldPiece[], width: number): Term {
  return pieces.reduce(
    (sum, p) =>
      t.bvor(sum, t.shl(t.zext(t.extract(WORD, p.at + p.width - 1, p.at), width), t.constant(width, BigInt(p.lo)))),
    t.constant(width, 0n),
  );
}

const x = (index: Term): Term => t.select(X, index);
const set = (rd: Term, value: Term): Term =>
  t.store(X, rd, t.ite(t.eq(rd, t.constant(5, 0n)), t.constant(64, 0n), value));
const four = t.add(PC, t.constant(64, 4n));

interface Definition {
  readonly name: string;
  readonly mask: bigint;
  readonly match: bigint;
  readonly fields: readonly FieldName[];
  readonly effect: (o: Operands) => Effect;
}

const raise = (condition: Term, trap: string, ...args: Term[]): Raise => ({ condition, trap, arguments: args });
const effect = (assigns: Record<string, Term>, ...raises: Raise[]): Effect => ({
  raises,
  assigns: new Map(Object.entries({ pc: four, ...assigns })),
});

const definitions: Definition[] = [];
function define(
  name: string,
  mask: bigint,
  match: bigint,
  fields: readonly FieldName[],
  body: (o: Operands) => Effect,
): void {
  definitions.push({ name, mask, match, fields, effect: body });
}

function register(name: string, funct7: bigint, funct3: bigint, opcode: bigint, f: (a: Term, b: Term) => Term): void {
  define(name, 0xfe00707fn, (funct7 << 25n) | (funct3 << 12n) | opcode, ["rd", "rs1", "rs2"], (o) =>
    effect({ x: set(o.rd, f(x(o.rs1), x(o.rs2))) }),
  );
}
function immediate(name: string, funct3: bigint, opcode: bigint, f: (a: Term, b: Term) => Term): void {
  define(name, 0x707fn, (funct3 << 12n) | opcode, ["rd", "rs1", "i"], (o) =>
    effect({ x: set(o.rd, f(x(o.rs1), t.sext(o.i, 64))) }),
  );
}
const amount = (b: Term): Term => t.bvand(b, t.constant(64, 63n));
const flag = (b: Term): Term => t.zext(t.boolToBits(b), 64);
const word = (v: Term): Term => t.sext(t.extract(v, 31, 0), 64);
const high = (a: Term, b: Term): Term => t.extract(t.mul(a, b), 127, 64);

register("add", 0n, 0n, 0x33n, (a, b) => t.add(a, b));
register("sub", 0x20n, 0n, 0x33n, t.sub);
register("sll", 0n, 1n, 0x33n, (a, b) => t.shl(a, amount(b)));
register("slt", 0n, 2n, 0x33n, (a, b) => flag(t.slt(a, b)));
register("sltu", 0n, 3n, 0x33n, (a, b) => flag(t.ult(a, b)));
register("xor", 0n, 4n, 0x33n, (a, b) => t.bvxor(a, b));
register("srl", 0n, 5n, 0x33n, (a, b) => t.lshr(a, amount(b)));
register("sra", 0x20n, 5n, 0x33n, (a, b) => t.ashr(a, amount(b)));
register("or", 0n, 6n, 0x33n, (a, b) => t.bvor(a, b));
register("and", 0n, 7n, 0x33n, (a, b) => t.bvand(a, b));
register("addw", 0n, 0n, 0x3bn, (a, b) => word(t.add(a, b)));
register("sraw", 0x20n, 5n, 0x3bn, (a, b) => t.sext(t.ashr(t.extract(a, 31, 0), t.zext(t.extract(b, 4, 0), 32)), 64));
register("mul", 1n, 0n, 0x33n, (a, b) => t.mul(a, b));
register("mulh", 1n, 1n, 0x33n, (a, b) => high(t.sext(a, 128), t.sext(b, 128)));
register("mulhsu", 1n, 2n, 0x33n, (a, b) => high(t.sext(a, 128), t.zext(b, 128)));
register("mulhu", 1n, 3n, 0x33n, (a, b) => high(t.zext(a, 128), t.zext(b, 128)));
register("div", 1n, 4n, 0x33n, (a, b) => t.ite(t.eq(b, t.constant(64, 0n)), t.constant(64, -1n), t.sdiv(a, b)));
register("divu", 1n, 5n, 0x33n, t.udiv);
register("rem", 1n, 6n, 0x33n, t.srem);
register("remu", 1n, 7n, 0x33n, t.urem);
immediate("addi", 0n, 0x13n, (a, b) => t.add(a, b));
immediate("slti", 2n, 0x13n, (a, b) => flag(t.slt(a, b)));
immediate("sltiu", 3n, 0x13n, (a, b) => flag(t.ult(a, b)));
immediate("xori", 4n, 0x13n, (a, b) => t.bvxor(a, b));
immediate("ori", 6n, 0x13n, (a, b) => t.bvor(a, b));
immediate("andi", 7n, 0x13n, (a, b) => t.bvand(a, b));
immediate("addiw", 0n, 0x1bn, (a, b) => word(t.add(a, b)));
define("slli", 0xfc00707fn, 0x1013n, ["rd", "rs1", "i"], (o) =>
  effect({ x: set(o.rd, t.shl(x(o.rs1), t.zext(t.extract(o.i, 5, 0), 64))) }),
);
define("srli", 0xfc00707fn, 0x5013n, ["rd", "rs1", "i"], (o) =>
  effect({ x: set(o.rd, t.lshr(x(o.rs1), t.zext(t.extract(o.i, 5, 0), 64))) }),
);
define("lui", 0x7fn, 0x37n, ["rd", "u"], (o) => effect({ x: set(o.rd, t.sext(o.u, 64)) }));
define("auipc", 0x7fn, 0x17n, ["rd", "u"], (o) => effect({ x: set(o.rd, t.add(PC, t.sext(o.u, 64))) }));
define("jal", 0x7fn, 0x6fn, ["rd", "j"], (o) => effect({ x: set(o.rd, four), pc: t.add(PC, t.sext(o.j, 64)) }));
define("jalr", 0x707fn, 0x67n, ["rd", "rs1", "i"], (o) =>
  effect({ x: set(o.rd, four), pc: t.bvand(t.add(x(o.rs1), t.sext(o.i, 64)), t.constant(64, -2n)) }),
);
function branch(name: string, funct3: bigint, taken: (a: Term, b: Term) => Term): void {
  define(name, 0x707fn, (funct3 << 12n) | 0x63n, ["rs1", "rs2", "b"], (o) =>
    effect({ pc: t.ite(taken(x(o.rs1), x(o.rs2)), t.add(PC, t.sext(o.b, 64)), four) }),
  );
}
branch("beq", 0n, t.eq);
branch("bne", 1n, t.ne);
branch("blt", 4n, t.slt);
branch("bgeu", 7n, t.uge);
function loading(name: string, funct3: bigint, bytes: number, extend: (v: Term) => Term): void {
  define(name, 0x707fn, (funct3 << 12n) | 0x03n, ["rd", "rs1", "i"], (o) => {
    const address = t.add(x(o.rs1), t.sext(o.i, 64));
    return effect(
      { x: set(o.rd, extend(t.load(MEM, address, bytes))) },
      raise(t.not(t.accessible(MEM, "load", address, bytes)), "load_fault", address),
    );
  });
}
loading("lb", 0n, 1, (v) => t.sext(v, 64));
loading("lw", 2n, 4, (v) => t.sext(v, 64));
loading("ld", 3n, 8, (v) => v);
loading("lhu", 5n, 2, (v) => t.zext(v, 64));
function storing(name: string, funct3: bigint, bytes: number): void {
  define(name, 0x707fn, (funct3 << 12n) | 0x23n, ["rs1", "rs2", "s"], (o) => {
    const address = t.add(x(o.rs1), t.sext(o.s, 64));
    return effect(
      { mem: t.write(MEM, address, bytes, t.extract(x(o.rs2), 8 * bytes - 1, 0)) },
      raise(t.not(t.accessible(MEM, "store", address, bytes)), "store_fault", address),
    );
  });
}
storing("sb", 0n, 1);
storing("sh", 1n, 2);
storing("sw", 2n, 4);
storing("sd", 3n, 8);
define("ecall", 0xffffffffn, 0x73n, [], () => effect({}, raise(t.TRUE, "ecall")));

/** `change` may replace an instruction's effect, for machines that are wrong on purpose. */
export function handmadeRv64(
  change: (name: string, original: Effect, operands: Operands) => Effect = (_, e) => e,
): Machine {
  const running = t.eq(TRAP, t.constant(3, 0n));
  const instructions: Instruction[] = definitions.map((d) => {
    const fieldTerm = (name: FieldName): Term => t.variable(`${d.name}(${name})`, bits(FIELDS[name][0]));
    const operands: Operands = {
      rd: fieldTerm("rd"),
      rs1: fieldTerm("rs1"),
      rs2: fieldTerm("rs2"),
      i: fieldTerm("i"),
      s: fieldTerm("s"),
      b: fieldTerm("b"),
      u: fieldTerm("u"),
      j: fieldTerm("j"),
    };
    const fields: Field[] = d.fields.map((name) => ({
      name,
      type: { kind: "bits", width: FIELDS[name][0] },
      term: operands[name],
      width: FIELDS[name][0],
      pieces: FIELDS[name][1],
    }));
    return {
      name: d.name,
      encoding: { width: 32, length: 4, mask: d.mask, match: d.match, fields },
      assembly: undefined,
      choices: [],
      expands: undefined,
      effect: change(d.name, d.effect(operands), operands),
      line: 1,
    };
  });
  const matches = (i: Instruction): Term =>
    t.eq(t.bvand(WORD, t.constant(32, i.encoding.mask)), t.constant(32, i.encoding.match));
  const transitions: Transition[] = instructions.map((instruction) => {
    const map = new Map(instruction.encoding.fields.map((f) => [f.term, wordField(f.pieces, f.width)]));
    const inWord = (term: Term): Term => substitute(term, map);
    return {
      name: instruction.name,
      parameters: [],
      choices: [],
      guard: t.and(running, FETCHABLE, matches(instruction)),
      effect: {
        raises: instruction.effect.raises.map((r) => ({
          condition: inWord(r.condition),
          trap: r.trap,
          arguments: r.arguments.map(inWord),
        })),
        assigns: new Map([...instruction.effect.assigns].map(([name, term]) => [name, inWord(term)])),
      },
      instruction,
    };
  });
  const special = (name: string, guard: Term, arg: Term): Transition => ({
    name,
    parameters: [],
    choices: [],
    guard: t.and(running, guard),
    effect: { raises: [raise(t.TRUE, name, arg)], assigns: new Map() },
    instruction: undefined,
  });
  transitions.push(special("fetch_fault", t.not(FETCHABLE), PC));
  transitions.push(special("illegal", t.and(FETCHABLE, ...instructions.map((i) => t.not(matches(i)))), WORD));
  return {
    name: "handmade-rv64",
    title: "RV64I and M, most of it, by hand",
    source: undefined,
    file: "handmade.ts",
    variables: VARIABLES,
    traps: TRAPS,
    wellFormed: t.eq(t.select(X, t.constant(5, 0n)), t.constant(64, 0n)),
    initial: running,
    transitions,
    instructionSet: {
      programCounter: "pc",
      word: WORD,
      fetchable: FETCHABLE,
      ready: t.TRUE,
      wordWidth: 32,
      parcels: {
        width: 32,
        length: 4,
        first: t.variable("fetch(word)", bits(32)),
        instructionLength: t.constant(16, 4n),
        lengths: [4],
      },
      instructions,
      registerNames: new Map(),
      spelling: new Map(),
      fieldFiles: new Map(),
    },
    digest: "",
  };
}

export type { Access };
