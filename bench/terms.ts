/** Building terms in normal form, against only hash-consing them; and settling a goal by rewriting alone. */
import { performance } from "node:perf_hooks";
import { proveByRewriting } from "../refinement/terms/assume.js";
import * as b from "../refinement/terms/build.js";
import { BOOL, bits, file, memory } from "../refinement/terms/sort.js";
import { intern, type Term } from "../refinement/terms/term.js";

interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline: { readonly name: string; readonly value: number };
  readonly ratio: number;
}

const WORD = 64;
const state = {
  x: b.variable("x", file(32, WORD)),
  pc: b.variable("pc", bits(WORD)),
  mem: b.variable("mem", memory(WORD)),
};

/** The symbolic execution of one made-up but typical instruction; gives the number of constructor calls. */
function instruction(
  n: number,
  regs: Term,
  mem: Term,
): { readonly regs: Term; readonly mem: Term; readonly calls: number } {
  const rd = b.constant(5, BigInt(1 + (n % 31)));
  const rs1 = b.constant(5, BigInt((n * 7) % 32));
  const rs2 = b.constant(5, BigInt((n * 11 + 3) % 32));
  const left = b.select(regs, rs1);
  const right = b.select(regs, rs2);
  const offset = b.constant(WORD, BigInt((n * 8) % 128));
  switch (n % 6) {
    case 0:
      return { regs: b.store(regs, rd, b.add(left, right)), mem, calls: 7 };
    case 1:
      return { regs: b.store(regs, rd, b.sext(b.extract(b.sub(left, right), 31, 0), WORD)), mem, calls: 10 };
    case 2:
      return {
        regs: b.store(regs, rd, b.ite(b.ult(left, right), b.constant(WORD, 1n), b.constant(WORD, 0n))),
        mem,
        calls: 10,
      };
    case 3:
      return { regs, mem: b.write(mem, b.add(left, offset), 8, right), calls: 8 };
    case 4:
      return { regs: b.store(regs, rd, b.load(mem, b.add(left, offset), 8)), mem, calls: 9 };
    default:
      return { regs: b.store(regs, rd, b.bvand(b.shl(left, offset), b.bvnot(right))), mem, calls: 9 };
  }
}

/** Constructor calls per second while executing blocks of 12 instructions from fresh variables. */
function built(milliseconds: number): number {
  let calls = 0;
  const start = performance.now();
  for (let round = 0; performance.now() - start < milliseconds; round++) {
    let regs: Term = b.variable(`x${round}`, state.x.sort);
    let mem: Term = b.variable(`m${round}`, state.mem.sort);
    for (let n = 0; n < 12; n++) {
      const next = instruction(n + round, regs, mem);
      regs = next.regs;
      mem = next.mem;
      calls += next.calls;
    }
  }
  return (calls / (performance.now() - start)) * 1000;
}

/** Plain interning per second of as many terms, half of them new. */
function interned(milliseconds: number): number {
  let calls = 0;
  const start = performance.now();
  for (let round = 0; performance.now() - start < milliseconds; round++) {
    let t: Term = b.variable(`y${round}`, bits(WORD));
    for (let n = 0; n < 40; n++) {
      t = intern("bvxor", t.sort, [t, state.pc]);
      intern("bvxor", t.sort, [t, state.pc]);
      calls += 2;
    }
  }
  return (calls / (performance.now() - start)) * 1000;
}

/** A forwarding network against the register file after two writes: goals settled per second. */
function settled(milliseconds: number): number {
  let goals = 0;
  const start = performance.now();
  for (let round = 0; performance.now() - start < milliseconds; round++) {
    const name = (s: string): string => `${s}.${round}`;
    const x = b.variable(name("x"), file(32, WORD));
    const rs = b.variable(name("rs"), bits(5));
    const stages = ["wb", "mem", "ex"].map((s) => ({
      valid: b.variable(name(`${s}.valid`), BOOL),
      rd: b.variable(name(`${s}.rd`), bits(5)),
      value: b.variable(name(`${s}.value`), bits(WORD)),
    }));
    const zero = b.constant(5, 0n);
    let file_ = x;
    let muxes = b.select(x, rs);
    for (const { valid, rd, value } of stages) {
      file_ = b.ite(b.and(valid, b.ne(rd, zero)), b.store(file_, rd, value), file_);
      muxes = b.ite(b.and(valid, b.eq(rd, rs)), value, muxes);
    }
    const host = b.ite(b.eq(rs, zero), b.constant(WORD, 0n), muxes);
    const goal = b.eq(host, b.select(file_, rs));
    const proof = proveByRewriting([b.eq(b.select(x, zero), b.constant(WORD, 0n))], goal);
    if (!proof.proved) throw new Error("the forwarding network is right");
    goals += 1;
  }
  return (goals / (performance.now() - start)) * 1000;
}

/** Goals like these that `z3 -in` answers in a second: 24 ms each, measured on the typical obligations of the design. */
const Z3_PER_SECOND = 1000 / 24;

export default async function (): Promise<readonly Measurement[]> {
  built(200);
  interned(100);
  settled(100);
  const plain = interned(500);
  const normal = built(1000);
  const goals = settled(1000);
  return [
    {
      name: "terms built in normal form",
      value: normal,
      unit: "terms/s",
      baseline: { name: "hash-consed only", value: plain },
      ratio: normal / plain,
    },
    {
      name: "forwarding goals settled by rewriting",
      value: goals,
      unit: "goals/s",
      baseline: { name: "z3 -in, 24 ms a goal", value: Z3_PER_SECOND },
      ratio: goals / Z3_PER_SECOND,
    },
  ];
}
