/**
 * The elaborator against an interpreter: random programs of the notation, run here statement by statement on concrete values
 * with early exits, and there made into terms over all paths, must do the same.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { transition } from "../../../refinement/machine.js";
import { Evaluator } from "../../../refinement/terms/evaluate.js";
import { FileValue, MemoryValue, type Value, valueEquals } from "../../../refinement/terms/value.js";
import { machineOf } from "./memory-files.js";

/** A concrete run. */
interface Run {
  a: bigint;
  b: bigint;
  w: bigint;
  f: boolean;
  op: number;
  x: bigint[];
  mem: MemoryValue;
  pc: bigint;
  moved: boolean;
  locals: Map<string, bigint>;
}

class Trap extends Error {
  readonly trap: string;
  readonly value: bigint;
  constructor(trap: string, value: bigint) {
    super(trap);
    this.trap = trap;
    this.value = value;
  }
}

/** A piece of program: how it is written, and what it does. */
interface Code<T> {
  readonly text: string;
  readonly run: (r: Run) => T;
}

type Bits = Code<bigint>;
type Bool = Code<boolean>;
type Action = Code<void>;

const M4 = 15n;
const signed = (v: bigint): bigint => (v > 7n ? v - 16n : v);

function load(r: Run, address: bigint): bigint {
  if (!r.mem.accessible("load", address, 1)) throw new Trap("load_fault", address);
  return r.mem.load(address, 1) & M4;
}

const { nibble, bool, action } = fc.letrec<{ nibble: Bits; bool: Bool; action: Action }>((tie) => {
  const small = fc.integer({ min: 0, max: 15 }).map(BigInt);
  const constants: fc.Arbitrary<Bits> = small.map((v) => ({ text: `4'd${v}`, run: () => v }));
  const binary = (operator: string, run: (a: bigint, b: bigint) => bigint): fc.Arbitrary<Bits> =>
    fc.tuple(tie("nibble"), tie("nibble")).map(([l, r]) => ({
      text: `(${l.text} ${operator} ${r.text})`,
      run: (s) => {
        const left = l.run(s);
        return run(left, r.run(s)) & M4;
      },
    }));
  const nibbleArb: fc.Arbitrary<Bits> = fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    constants,
    fc.constant<Bits>({ text: "a", run: (r) => r.a }),
    fc.constant<Bits>({ text: "b", run: (r) => r.b }),
    fc.constant<Bits>({ text: "w[5:2]", run: (r) => (r.w >> 2n) & M4 }),
    fc.constant<Bits>({ text: "v", run: (r) => r.locals.get("v") ?? 0n }),
    tie("nibble").map((e): Bits => ({ text: `x[${e.text}[1:0]]`, run: (r) => r.x[Number(e.run(r) & 3n)] ?? 0n })),
    tie("nibble").map((e): Bits => ({ text: `mem[${e.text}, 1][3:0]`, run: (r) => load(r, e.run(r)) })),
    tie("nibble").map((e): Bits => ({ text: `double(${e.text})`, run: (r) => (2n * e.run(r)) & M4 })),
    tie("nibble").map(
      (e): Bits => ({
        text: `bump(${e.text})`,
        run: (r) => {
          const by = e.run(r);
          r.a = (r.a + by) & M4;
          return r.a;
        },
      }),
    ),
    tie("nibble").map(
      (e): Bits => ({
        text: `(sext(${e.text}[2:0]) + 4'd1)`,
        run: (r) => {
          const low = e.run(r) & 7n;
          return ((low > 3n ? low + 8n : low) + 1n) & M4;
        },
      }),
    ),
    fc.tuple(tie("nibble"), tie("nibble")).map(
      ([p, q]): Bits => ({
        text: `(zext(${p.text}[1:0]) - ${q.text})`,
        run: (r) => {
          const left = p.run(r) & 3n;
          return (left - q.run(r)) & M4;
        },
      }),
    ),
    tie("nibble").map((e): Bits => ({ text: `(-~${e.text})`, run: (r) => (e.run(r) + 1n) & M4 })),
    binary("+", (l, r) => l + r),
    binary("-", (l, r) => l - r),
    binary("*", (l, r) => l * r),
    binary("&", (l, r) => l & r),
    binary("|", (l, r) => l | r),
    binary("^", (l, r) => l ^ r),
    binary("/u", (l, r) => (r === 0n ? 15n : l / r)),
    binary("%s", (l, r) => (r === 0n ? l : signed(l) % signed(r))),
    binary("<<", (l, r) => (r > 3n ? 0n : l << r)),
    binary(">>u", (l, r) => l >> r),
    binary(">>s", (l, r) => signed(l) >> r),
    fc.tuple(tie("bool"), tie("nibble"), tie("nibble")).map(
      ([c, t, e]): Bits => ({
        text: `(${c.text} ? ${t.text} : ${e.text})`,
        run: (r) => (c.run(r) ? t.run(r) : e.run(r)),
      }),
    ),
    fc.tuple(tie("nibble"), tie("nibble"), tie("nibble")).map(
      ([p, q, z]): Bits => ({
        text: `match op { p => ${p.text}, q => ${q.text}, z => ${z.text} }`,
        run: (r) => [p, q, z][r.op]?.run(r) ?? 0n,
      }),
    ),
  );
  const comparison = (operator: string, run: (a: bigint, b: bigint) => boolean): fc.Arbitrary<Bool> =>
    fc.tuple(tie("nibble"), tie("nibble")).map(([l, r]) => ({
      text: `${l.text} ${operator} ${r.text}`,
      run: (s) => {
        const left = l.run(s);
        return run(left, r.run(s));
      },
    }));
  const boolArb: fc.Arbitrary<Bool> = fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constant<Bool>({ text: "f", run: (r) => r.f }),
    fc.constant<Bool>({ text: "(op == q)", run: (r) => r.op === 1 }),
    tie("nibble").map((e): Bool => ({ text: `bool(${e.text}[2])`, run: (r) => ((e.run(r) >> 2n) & 1n) === 1n })),
    comparison("==", (l, r) => l === r).map((c): Bool => ({ ...c, text: `(${c.text})` })),
    comparison("<u", (l, r) => l < r).map((c): Bool => ({ ...c, text: `(${c.text})` })),
    comparison(">=s", (l, r) => signed(l) >= signed(r)).map((c): Bool => ({ ...c, text: `(${c.text})` })),
    tie("bool").map((e): Bool => ({ text: `!${e.text}`, run: (r) => !e.run(r) })),
    fc
      .tuple(tie("bool"), tie("bool"))
      .map(([l, r]): Bool => ({ text: `(${l.text} && ${r.text})`, run: (s) => l.run(s) && r.run(s) })),
    fc
      .tuple(tie("bool"), tie("bool"))
      .map(([l, r]): Bool => ({ text: `(${l.text} || ${r.text})`, run: (s) => l.run(s) || r.run(s) })),
  );
  const assign = (place: string, run: (r: Run, v: bigint) => void): fc.Arbitrary<Action> =>
    tie("nibble").map((e) => ({ text: `${place} = ${e.text}`, run: (r) => run(r, e.run(r)) }));
  const block = (list: readonly Action[]): Action => ({
    text: `{\n${list.map((s) => s.text).join("\n")}\n}`,
    run: (r) => {
      for (const s of list) s.run(r);
    },
  });
  const statements = fc.array(tie("action"), { maxLength: 3, depthIdentifier: "s" });
  const actionArb: fc.Arbitrary<Action> = fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    assign("a", (r, v) => {
      r.a = v;
    }),
    assign("v", (r, v) => {
      r.locals.set("v", v);
    }),
    assign("w[6:3]", (r, v) => {
      r.w = (r.w & ~0x78n) | (v << 3n);
    }),
    assign("pc", (r, v) => {
      r.pc = v;
      r.moved = true;
    }),
    tie("bool").map(
      (e): Action => ({
        text: `f = ${e.text}`,
        run: (r) => {
          r.f = e.run(r);
        },
      }),
    ),
    fc.tuple(tie("nibble"), tie("nibble")).map(
      ([i, e]): Action => ({
        text: `x[${i.text}[1:0]] = ${e.text}`,
        run: (r) => {
          const at = Number(i.run(r) & 3n);
          const v = e.run(r);
          if (at !== 0) r.x[at] = v;
        },
      }),
    ),
    fc.tuple(tie("nibble"), tie("nibble")).map(
      ([i, e]): Action => ({
        text: `mem[${i.text}, 1] = ${e.text} ++ 4'd0`,
        run: (r) => {
          const at = i.run(r);
          const v = e.run(r);
          if (!r.mem.accessible("store", at, 1)) throw new Trap("store_fault", at);
          r.mem = r.mem.store(at, 1, v << 4n);
        },
      }),
    ),
    tie("nibble").map(
      (e): Action => ({
        text: `set(${e.text})`,
        run: (r) => {
          const v = e.run(r);
          if (v === 3n) throw new Trap("three", v);
          r.b = v;
        },
      }),
    ),
    fc.tuple(tie("bool"), statements, statements).map(
      ([c, t, e]): Action => ({
        text: `if ${c.text} ${block(t).text} else ${block(e).text}`,
        run: (r) => (c.run(r) ? block(t).run(r) : block(e).run(r)),
      }),
    ),
    fc.tuple(tie("bool"), tie("nibble")).map(
      ([c, e]): Action => ({
        text: `if ${c.text} { raise three(${e.text}) }`,
        run: (r) => {
          if (c.run(r)) throw new Trap("three", e.run(r));
        },
      }),
    ),
    fc.tuple(statements, statements, statements).map(
      ([p, q, z]): Action => ({
        text: `match op {\np => ${block(p).text}\nz => ${block(z).text}\n_ => ${block(q).text}\n}`,
        run: (r) => block([p, q, z][r.op] ?? []).run(r),
      }),
    ),
    tie("nibble").map(
      (e): Action => ({
        text: `for i in 1..3 {\nx[i] = x[i] + ${e.text}\n}`,
        run: (r) => {
          for (const i of [1, 2]) r.x[i] = ((r.x[i] ?? 0n) + e.run(r)) & M4;
        },
      }),
    ),
  );
  return { nibble: nibbleArb, bool: boolArb, action: actionArb };
});
void nibble;
void bool;

const program = fc.array(action, { minLength: 1, maxLength: 6 });

const machineText = (body: string): string => `machine: random
types: { Op: "enum { p, q, z }" }
state:
  pc: bits(4)
  a: bits(4)
  b: bits(4)
  w: bits(8)
  f: bool
  op: Op
  x: { type: "bits(4)[4]", fixed: { 0: 0 } }
  rom: bits(8)[16]
  mem: { type: bytes(4), faults: { load: load_fault, store: store_fault } }
fetch: { from: "rom[pc]" }
next: pc = pc + 1
traps:
  "three(v: bits(4))": 1
  "load_fault(at: bits(4))": 2
  "store_fault(at: bits(4))": 3
functions:
  "double(e: bits(N)): bits(N)": e + e
  "set(e: bits(4))": |
    if e == 3 { raise three(e) }
    b = e
  "bump(e: bits(4)): bits(4)": |
    a = a + e
    a
instructions:
  all:
    encoding: unused[7:0]
    execute: |
      var v: bits(4) = 0
${body.replaceAll(/^/gm, "      ")}
`;

const state = fc.record({
  pc: fc.bigInt(0n, 15n),
  a: fc.bigInt(0n, 15n),
  b: fc.bigInt(0n, 15n),
  w: fc.bigInt(0n, 255n),
  f: fc.boolean(),
  op: fc.integer({ min: 0, max: 2 }),
  x: fc.array(fc.bigInt(0n, 15n), { minLength: 3, maxLength: 3 }),
  mem: fc.array(fc.bigInt(0n, 255n), { minLength: 16, maxLength: 16 }),
  denied: fc.array(fc.bigInt(0n, 15n), { maxLength: 4 }),
});

test("random programs do as an interpreter does", { timeout: 120_000 }, async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(program, fc.array(state, { minLength: 4, maxLength: 4 }), async (code, states) => {
      const machine = await machineOf(machineText(code.map((s) => s.text).join("\n")));
      const all = transition(machine, "all");
      if (all === undefined) throw new Error("the machine has its one instruction");
      for (const s of states) {
        let mem = MemoryValue.empty(4, (_, address) => !s.denied.includes(address));
        s.mem.forEach((byte, i) => {
          mem = mem.store(BigInt(i), 1, byte);
        });
        const x = [0n, ...s.x];
        const before = new Map<string, Value>([
          ["pc", s.pc],
          ["a", s.a],
          ["b", s.b],
          ["w", s.w],
          ["f", s.f ? 1n : 0n],
          ["op", BigInt(s.op)],
          ["x", new FileValue(x)],
          ["rom", FileValue.filled(16)],
          ["mem", mem],
          ["trap", 0n],
          ["trap.value", 0n],
        ]);
        const run: Run = { ...s, x: [...x], mem, moved: false, locals: new Map() };
        let trapped: Trap | undefined;
        try {
          for (const statement of code) statement.run(run);
        } catch (error) {
          if (!(error instanceof Trap)) throw error;
          trapped = error;
        }
        const evaluator = new Evaluator({ variable: (t) => before.get(t.name) ?? 0n });
        const raised = all.effect.raises.find((r) => evaluator.holds(r.condition));
        seen.add(trapped?.trap ?? "none");
        expect(raised?.trap).toBe(trapped?.trap);
        if (trapped !== undefined) {
          expect(raised?.arguments.map((t) => evaluator.number(t))).toEqual([trapped.value]);
          continue;
        }
        const after = (name: string): Value => {
          const term = all.effect.assigns.get(name);
          return term === undefined ? (before.get(name) ?? 0n) : evaluator.value(term);
        };
        expect([after("a"), after("b"), after("w"), after("f")]).toEqual([run.a, run.b, run.w, run.f ? 1n : 0n]);
        expect(after("pc")).toBe(run.moved ? run.pc : (run.pc + 1n) & M4);
        expect(after("x")).toEqual(new FileValue(run.x));
        expect(valueEquals(after("mem"), run.mem)).toBe(true);
      }
    }),
    { numRuns: 400, seed: 20240411 },
  );
  // All ways to end have been met.
  expect([...seen].sort()).toEqual(["load_fault", "none", "store_fault", "three"]);
});
