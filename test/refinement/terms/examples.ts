/**
 * For each rule, terms that make it fire: plain terms over arguments in normal form, at any width `w` for which it makes
 * sense. Shapes whose width follows from others are scaled from `w`, so that 32 and 64 are as good as 1 to 4.
 */
import * as b from "../../../refinement/terms/build.js";
import { BOOL, bits, file, memory, type Sort } from "../../../refinement/terms/sort.js";
import { type Access, compareTerms, intern, type Op, type Payload, type Term } from "../../../refinement/terms/term.js";

export type Example = (w: number) => readonly Term[];

/** A plain term: the rules see it as it stands. */
function raw(op: Op, sort: Sort, args: readonly Term[], payload: Payload = {}): Term {
  return intern(op, sort, args, payload);
}

const v = (name: string, w: number): Term => b.variable(`${name}${w}`, bits(w));
const A = (w: number): Term => v("a", w);
const B = (w: number): Term => v("b", w);
const C = (w: number): Term => v("c", w);
const p = b.variable("p", BOOL);
const q = b.variable("q", BOOL);
const r = b.variable("r", BOOL);
const k = (w: number, value: bigint | number): Term => b.constant(w, BigInt(value));
const ones = (w: number): Term => k(w, -1n);
const min = (w: number): Term => k(w, 1n << BigInt(w - 1));
const max = (w: number): Term => k(w, (1n << BigInt(w - 1)) - 1n);
/** Two constants that differ at every width. */
const j1 = (w: number): Term => k(w, 1);
const j2 = (w: number): Term => k(w, w === 1 ? 0 : 2);

const unary = (op: Op, a: Term): Term => raw(op, a.sort, [a]);
const infix = (op: Op, ...ts: readonly Term[]): Term => raw(op, first(ts).sort, ts);
const test = (op: Op, ...ts: readonly Term[]): Term => raw(op, BOOL, ts);
const choose = (c: Term, a: Term, d: Term): Term => raw("ite", a.sort, [c, a, d]);
const join = (...ts: readonly Term[]): Term => raw("concat", bits(ts.reduce((sum, t) => sum + widthOf(t), 0)), ts);
const slice = (t: Term, hi: number, lo: number): Term => raw("extract", bits(hi - lo + 1), [t], { hi, lo });
const extended = (op: "zext" | "sext", t: Term, width: number): Term => raw(op, bits(width), [t]);

function first(ts: readonly Term[]): Term {
  const [t] = ts;
  if (t === undefined) throw new RangeError("no term");
  return t;
}

function widthOf(t: Term): number {
  if (t.sort.kind !== "bits") throw new RangeError("no bits");
  return t.sort.width;
}

/** Only from a width on. */
const from =
  (least: number, example: Example): Example =>
  (w) =>
    w < least ? [] : example(w);

/** Two constants that stand behind a condition. */
const pick = (w: number, c: Term = p): Term => b.ite(c, k(w, 3), k(w, 0));
const mask = (w: number, c: Term = p): Term => b.ite(c, ones(w), k(w, 0));
const bit1 = (t: Term): Term => b.eq(t, k(1, 1));

function bitwise(op: "bvand" | "bvor" | "bvxor"): Record<string, Example> {
  return {
    [`${op}.fold`]: (w) => [infix(op, k(w, 5), k(w, 6))],
    [`${op}.sort`]: (w) => [
      infix(op, B(w), A(w)),
      infix(op, A(w), A(w)),
      infix(op, A(w), k(w, 0)),
      infix(op, A(w), ones(w)),
      infix(op, B(w), infix("bvand", A(w), C(w)), A(w)),
      infix(op, b.bvnot(A(w)), B(w)),
      infix(op, A(w), k(w, 3), k(w, 1)),
    ],
    [`${op}.piecewise`]: (w) =>
      [
        infix(op, b.concat(A(w), B(w)), b.concat(C(w), A(w))),
        infix(op, b.concat(A(w), k(w, 0)), v("d", 2 * w)),
        infix(op, b.zext(A(w), 2 * w), b.concat(B(w), k(w, 0))),
      ].filter((t) => op !== "bvxor" || t.args.every((arg) => arg.op === "concat" || arg.op === "zext")),
    [`${op}.choice`]: from(2, (w) => [infix(op, pick(w), k(w, 2))]),
    [`${op}.flags`]: () => [
      infix(op, b.boolToBits(p), b.boolToBits(q)),
      infix(op, b.boolToBits(p), b.ite(q, k(1, 0), k(1, 1)), b.boolToBits(r)),
    ],
    [`${op}.sext`]: (w) => [infix(op, b.sext(A(w), w + 2), b.sext(B(w), w + 2))],
  };
}

const memoryAt = (w: number): Term => b.variable(`m${w}`, memory(w));
const filesOf = (w: number): readonly Term[] => [b.variable(`f${w}`, file(4, w)), b.variable(`g${w}`, file(3, w))];
const plus = (t: Term, n: number): Term => b.add(t, k(widthOf(t), n));
const access = (m: Term, a: Term, how: Access, bytes: number): Term =>
  raw("accessible", BOOL, [m, a], { bytes, access: how });
const read = (m: Term, a: Term, bytes: number): Term => raw("load", bits(8 * bytes), [m, a], { bytes });
const put = (m: Term, a: Term, bytes: number, value: Term): Term => raw("write", m.sort, [m, a, value], { bytes });

export const EXAMPLES: Readonly<Record<string, Example>> = {
  "not.fold": () => [test("not", b.TRUE), test("not", b.FALSE)],
  "not.not": () => [test("not", b.not(p))],
  "not.and": () => [test("not", b.and(p, b.not(q), r))],
  "not.or": () => [test("not", b.or(p, q))],
  "not.ite": () => [test("not", b.ite(p, q, r))],
  "and.fold": () => [test("and", b.TRUE, b.FALSE), test("and", b.TRUE, b.TRUE)],
  "and.sort": () => [
    test("and", q, p),
    test("and", p, p),
    test("and", p, b.TRUE, q),
    test("and", p, b.FALSE),
    test("and", b.and(p, q), r),
  ],
  "and.complement": () => [test("and", ...sorted(p, b.not(p))), test("and", ...sorted(p, q, b.not(q)))],
  "and.absorb": () => [
    test("and", ...sorted(p, b.or(p, q))),
    test("and", ...sorted(p, b.or(b.not(p), q))),
    test("and", ...sorted(p, b.or(b.not(p), q, r))),
  ],
  "and.values": from(2, (w) => [
    test("and", ...sorted(b.eq(A(w), j1(w)), b.eq(A(w), j2(w)))),
    test("and", ...sorted(b.eq(A(w), j1(w)), b.ne(A(w), j2(w)), p)),
  ]),
  "and.strict": from(2, (w) => [
    test("and", ...sorted(b.not(b.slt(A(w), B(w))), b.ne(A(w), B(w)))),
    test("and", ...sorted(b.not(b.ult(B(w), A(w))), b.ne(A(w), B(w)), p)),
  ]),
  "or.fold": () => [test("or", b.TRUE, b.FALSE), test("or", b.FALSE, b.FALSE)],
  "or.sort": () => [test("or", q, p), test("or", p, p), test("or", p, b.FALSE), test("or", p, b.TRUE)],
  "or.complement": () => [test("or", ...sorted(p, b.not(p))), test("or", ...sorted(p, q, b.not(q)))],
  "or.absorb": () => [test("or", ...sorted(p, b.and(p, q))), test("or", ...sorted(p, b.and(b.not(p), q)))],
  "or.values": from(2, (w) => [
    test("or", ...sorted(b.ne(A(w), j1(w)), b.ne(A(w), j2(w)))),
    test("or", ...sorted(b.ne(A(w), j1(w)), b.eq(A(w), j2(w)), p)),
  ]),
  "or.weak": from(2, (w) => [
    test("or", ...sorted(b.slt(A(w), B(w)), b.eq(A(w), B(w)))),
    test("or", ...sorted(b.ult(B(w), A(w)), b.eq(A(w), B(w)), p)),
  ]),
  "or.resolve": () => [test("or", ...sorted(b.and(p, q), b.and(b.not(p), q)))],
  "eq.bool-constant": () => [
    test("eq", p, b.TRUE),
    test("eq", b.TRUE, p),
    test("eq", p, b.FALSE),
    test("eq", b.FALSE, p),
  ],
  "eq.bool-bits": () => [test("eq", ...sorted(bit1(A(1)), bit1(B(1))))],
  "eq.bool-chain": () => [
    test("eq", b.eq(p, q), p),
    test("eq", r, b.eq(p, q)),
    test("eq", b.eq(p, q), b.eq(q, r)),
    test("eq", b.eq(p, b.eq(q, r)), b.eq(q, p)),
    test("eq", b.eq(p, q), b.eq(p, q)),
  ],
  "eq.bool-not": () => [
    test("eq", ...sorted(b.not(p), q)),
    test("eq", ...sorted(q, b.not(p))),
    test("eq", ...sorted(p, b.not(p))),
  ],

  "ite.decided": (w) => [choose(b.TRUE, A(w), B(w)), choose(b.FALSE, A(w), B(w)), choose(p, A(w), A(w))],
  "ite.not": (w) => [choose(b.not(p), A(w), B(w))],
  "ite.bool": () => [
    choose(p, b.TRUE, q),
    choose(p, b.FALSE, q),
    choose(p, q, b.TRUE),
    choose(p, q, b.FALSE),
    choose(p, q, b.not(q)),
    choose(p, p, q),
    choose(p, q, p),
    choose(p, b.not(p), q),
    choose(p, q, b.not(p)),
  ],
  "ite.bit": () => [choose(bit1(A(1)), k(1, 1), k(1, 0)), choose(bit1(A(1)), k(1, 0), k(1, 1))],
  "ite.same-condition": (w) =>
    [choose(p, b.ite(p, A(w), B(w)), C(w)), choose(p, b.ite(q, A(w), B(w)), b.ite(p, A(w), B(w)))]
      .concat([
        choose(p, raw("ite", bits(w), [p, A(w), B(w)]), C(w)),
        choose(p, C(w), raw("ite", bits(w), [p, A(w), B(w)])),
      ])
      .slice(2),
  "ite.equal": (w) => [
    choose(b.eq(A(w + 1), B(w + 1)), A(w + 1), B(w + 1)),
    choose(b.eq(A(w + 1), B(w + 1)), B(w + 1), A(w + 1)),
  ],
  "ite.join": (w) => [
    choose(p, b.ite(q, A(w), B(w)), B(w)),
    choose(p, b.ite(q, A(w), B(w)), A(w)),
    choose(p, A(w), b.ite(q, A(w), B(w))),
    choose(p, B(w), b.ite(q, A(w), B(w))),
  ],
  "ite.pieces": (w) => [
    choose(p, b.concat(A(w), B(w)), b.concat(A(w), C(w))),
    choose(p, b.concat(A(w), B(w)), b.concat(C(w), B(w))),
    choose(p, b.concat(A(w), k(2, 1), B(w)), b.concat(C(w), k(2, 3), B(w))),
    choose(p, b.concat(k(2, 1), B(w)), b.concat(k(2, 0), C(w))),
    choose(p, b.zext(A(w), w + 3), k(w + 3, 1)),
  ],
  "ite.update": (w) => [
    ...filesOf(w).map((f) => choose(p, b.store(f, v("i", 2), A(w)), b.store(f, v("i", 2), B(w)))),
    choose(p, b.write(memoryAt(w), A(w), 1, v("x", 8)), b.write(memoryAt(w), A(w), 1, v("y", 8))),
  ],

  "eq.fold": (w) => [test("eq", k(w, 1), k(w, 0)), test("eq", k(w, 1), k(w, 1)), test("eq", b.TRUE, b.FALSE)],
  "eq.same": (w) => [test("eq", A(w), A(w)), test("eq", p, p)],
  "eq.sort": (w) => [test("eq", B(w), A(w)), test("eq", k(w, 1), A(w)), test("eq", q, p)],
  "eq.bit": () => [test("eq", A(1), k(1, 0))],
  "eq.bit-not": () => [test("eq", raw("bvnot", bits(1), [A(1)]), k(1, 1))],
  "eq.bit-operation": () => [
    test("eq", b.bvand(A(1), B(1)), k(1, 1)),
    test("eq", b.bvor(A(1), B(1)), k(1, 1)),
    test("eq", b.bvxor(A(1), B(1)), k(1, 1)),
    test("eq", b.bvxor(A(1), B(1), C(1)), k(1, 1)),
  ],
  "eq.bvnot": from(2, (w) => [test("eq", b.bvnot(A(w)), k(w, 2))]),
  "eq.bvxor": from(2, (w) => [
    test("eq", b.bvxor(A(w), k(w, 2)), k(w, 1)),
    test("eq", b.bvxor(A(w), B(w), k(w, 1)), k(w, 3)),
  ]),
  "eq.bvxor-zero": from(2, (w) => [
    test("eq", b.bvxor(A(w), B(w)), k(w, 0)),
    test("eq", b.bvxor(A(w), B(w), C(w)), k(w, 0)),
  ]),
  "eq.bvor-zero": from(2, (w) => [test("eq", b.bvor(A(w), B(w)), k(w, 0))]),
  "eq.bvand-ones": from(2, (w) => [test("eq", b.bvand(A(w), B(w)), ones(w))]),
  "eq.sext": (w) => [
    test("eq", b.sext(A(w), w + 2), k(w + 2, 0)),
    test("eq", b.sext(A(w), w + 2), ones(w + 2)),
    test("eq", b.sext(A(w), w + 2), min(w + 2)),
    test("eq", b.sext(A(w), w + 2), k(w + 2, 1)),
  ],
  "eq.choice": from(2, (w) => [
    test("eq", b.ite(p, k(w, 1), A(w)), k(w, 1)),
    test("eq", b.ite(p, k(w, 1), A(w)), k(w, 2)),
    test("eq", b.ite(p, A(w), k(w, 1)), k(w, 1)),
    test("eq", b.ite(p, A(w), k(w, 1)), k(w, 2)),
  ]),
  "eq.sum": from(2, (w) => [
    test("eq", b.add(A(w), k(w, 3)), k(w, 1)),
    test("eq", b.mul(k(w, 3), A(w)), k(w, 1)),
    test("eq", b.add(A(w), b.neg(B(w))), k(w, 1)),
    test("eq", b.add(b.mul(k(w, 3), A(w)), k(w, 1)), k(w, 2)),
    test("eq", b.add(A(w), B(w), k(w, 1)), k(w, 1)),
  ]),
  "eq.pieces": (w) => [
    test("eq", b.concat(A(w), B(w)), b.concat(B(w), C(w))),
    test("eq", b.concat(A(w), B(w + 1)), b.concat(B(w + 1), C(w))),
    test("eq", b.zext(A(w), w + 2), k(w + 2, 1)),
    test("eq", b.zext(A(w), w + 2), b.zext(B(w + 1), w + 2)),
  ],
  "eq.extended": (w) => [
    test("eq", b.sext(A(w), w + 2), b.sext(B(w), w + 2)),
    test("eq", b.sext(A(w), w + 3), b.sext(B(w + 1), w + 3)),
    test("eq", b.sext(A(w), w + 3), b.zext(B(w), w + 3)),
  ],
  "eq.balance": from(2, (w) => [
    test("eq", b.add(A(w), B(w)), b.add(A(w), C(w))),
    test("eq", b.add(A(w), k(w, 1)), b.add(B(w), k(w, 2))),
    test("eq", b.sub(A(w), B(w)), C(w)),
    test("eq", b.neg(A(w)), b.neg(B(w))),
    test("eq", b.bvnot(A(w)), b.add(B(w), k(w, 1))),
  ]),
  "eq.bvxor-both": from(2, (w) => [
    test("eq", b.bvxor(A(w), B(w)), b.bvxor(A(w), C(w))),
    test("eq", A(w), b.bvxor(A(w), B(w))),
    test("eq", b.bvxor(A(w), B(w)), A(w)),
  ]),
  "eq.choices": (w) => [
    test("eq", ...sorted(b.ite(p, A(w), B(w)), b.ite(p, B(w), C(w)))),
    test("eq", ...sorted(b.ite(p, A(w), B(w)), A(w))),
    test("eq", ...sorted(b.ite(p, A(w), B(w)), B(w))),
  ],

  "ult.fold": (w) => [test("ult", k(w, 1), k(w, 0)), test("ult", k(w, 0), k(w, 1))],
  "ult.bounds": (w) => [
    test("ult", A(w), A(w)),
    test("ult", A(w), k(w, 0)),
    test("ult", A(w), k(w, 1)),
    test("ult", A(w), ones(w)),
    test("ult", ones(w), A(w)),
    test("ult", k(w, 0), A(w)),
    test("ult", k(w, -2n), A(w)),
  ],
  "ult.bit": () => [test("ult", A(1), B(1))],
  "ult.power": from(3, (w) => [
    test("ult", A(w), k(w, 2)),
    test("ult", A(w), min(w)),
    test("ult", k(w, 1), A(w)),
    test("ult", max(w), A(w)),
  ]),
  "ult.narrow": from(2, (w) => [
    test("ult", b.zext(A(w), w + 2), b.zext(B(w), w + 2)),
    test("ult", b.sext(A(w), w + 2), b.sext(B(w), w + 2)),
    test("ult", b.zext(A(w), w + 3), k(w + 3, 3)),
    test("ult", b.zext(A(w), w + 2), k(w + 2, (1n << BigInt(w)) + 1n)),
    test("ult", k(w + 2, (1n << BigInt(w)) + 1n), b.zext(A(w), w + 2)),
    test("ult", b.sext(A(w), w + 2), k(w + 2, -2n)),
  ]),
  "ult.pieces": from(2, (w) => [
    test("ult", b.concat(A(w), B(w)), b.concat(A(w), C(w))),
    test("ult", b.concat(B(w), A(w)), b.concat(C(w), A(w))),
    test("ult", b.concat(k(2, 1), A(w)), b.concat(k(2, 2), B(w))),
    test("ult", b.concat(k(2, 2), A(w)), b.concat(k(2, 2), B(w))),
    test("ult", b.concat(k(2, 2), A(w)), k(w + 2, 3)),
  ]),
  "ult.bvnot": from(2, (w) => [
    test("ult", b.bvnot(A(w)), b.bvnot(B(w))),
    ...(w < 3 ? [] : [test("ult", b.bvnot(A(w)), k(w, 3)), test("ult", k(w, 2), b.bvnot(A(w)))]),
  ]),
  "ult.carry": from(2, (w) => [
    test("ult", b.add(A(w), B(w)), A(w)),
    test("ult", b.add(A(w), B(w)), B(w)),
    test("ult", A(w), b.sub(A(w), B(w))),
    test("ult", b.add(A(w), k(w, 1)), A(w)),
    test("ult", b.add(A(w), k(w, 2)), k(w, 2)),
    test("ult", A(w), b.add(A(w), k(w, 2))),
  ]),
  "ult.carry-order": from(2, (w) => [test("ult", b.bvnot(B(w)), A(w))]),
  "ult.choice": from(3, (w) => [
    test("ult", b.ite(p, k(w, 2), ones(w)), k(w, 6)),
    test("ult", k(w, 2), b.ite(p, k(w, 2), ones(w))),
  ]),

  "slt.fold": (w) => [test("slt", k(w, 1), k(w, 0)), test("slt", k(w, 0), ones(w))],
  "slt.bounds": (w) => [
    test("slt", A(w), A(w)),
    test("slt", A(w), min(w)),
    test("slt", A(w), max(w)),
    test("slt", max(w), A(w)),
    test("slt", min(w), A(w)),
  ],
  "slt.sign": from(2, (w) => [test("slt", A(w), k(w, 0)), test("slt", ones(w), A(w))]),
  "slt.positive": from(2, (w) => [test("slt", k(w, 0), A(w)), test("slt", A(w), k(w, 1))]),
  "slt.bit": () => [test("slt", A(1), B(1))],
  "slt.narrow": from(2, (w) => [
    test("slt", b.sext(A(w), w + 2), b.sext(B(w), w + 2)),
    test("slt", b.sext(A(w), w + 2), k(w + 2, 1)),
    test("slt", b.sext(A(w), w + 2), k(w + 2, 1n << BigInt(w))),
    test("slt", b.sext(A(w), w + 2), k(w + 2, -(1n << BigInt(w)))),
    test("slt", k(w + 2, 1n << BigInt(w)), b.sext(A(w), w + 2)),
    test("slt", b.zext(A(w), w + 3), b.zext(B(w), w + 3)),
  ]),
  "slt.known-sign": from(2, (w) => [
    test("slt", b.zext(A(w), w + 1), b.zext(B(w), w + 1)),
    test("slt", b.concat(k(1, 1), A(w)), b.zext(B(w), w + 1)),
    test("slt", b.zext(A(w), w + 1), b.concat(k(1, 1), B(w))),
    test("slt", b.concat(A(1), A(w)), b.concat(A(1), B(w))),
  ]),
  "slt.bvnot": from(2, (w) =>
    [
      test("slt", b.bvnot(A(w)), b.bvnot(B(w))),
      test("slt", b.bvnot(A(w)), k(w, 1)),
      test("slt", k(w, -2n), b.bvnot(A(w))),
    ].filter((t) => t.args.every((arg) => arg.op === "bvnot") || w > 2),
  ),
  "slt.choice": from(3, (w) => [
    test("slt", b.ite(p, k(w, 2), ones(w)), k(w, 1)),
    test("slt", k(w, 1), b.ite(p, k(w, 2), ones(w))),
  ]),
  "ule.fold": (w) => [test("ule", k(w, 1), k(w, 0))],
  "sle.fold": (w) => [test("sle", k(w, 1), k(w, 0))],

  "bvnot.fold": (w) => [unary("bvnot", k(w, 1))],
  "bvnot.bvnot": (w) => [unary("bvnot", b.bvnot(A(w)))],
  "bvnot.inside": (w) => [
    unary("bvnot", b.bvand(A(w), B(w))),
    unary("bvnot", b.bvor(A(w), B(w), C(w))),
    unary("bvnot", b.concat(A(w), B(w))),
    unary("bvnot", b.zext(A(w), w + 1)),
  ],
  "bvnot.xor-constant": from(2, (w) => [unary("bvnot", b.bvxor(A(w), k(w, 1)))]),
  "bvnot.choice": from(2, (w) => [unary("bvnot", pick(w))]),
  "bvnot.sum": from(2, (w) => [
    unary("bvnot", b.add(A(w), B(w))),
    unary("bvnot", b.add(A(w), k(w, 2))),
    unary("bvnot", b.mul(k(w, 3), A(w))),
  ]),
  ...bitwise("bvand"),
  ...bitwise("bvor"),
  ...bitwise("bvxor"),
  "bvand.complement": (w) => [
    infix("bvand", ...sorted(A(w), b.bvnot(A(w)))),
    infix("bvand", ...sorted(A(w), B(w), b.bvnot(A(w)))),
  ],
  "bvor.complement": (w) => [infix("bvor", ...sorted(A(w), b.bvnot(A(w))))],
  "bvand.absorb": (w) => [infix("bvand", ...sorted(A(w), b.bvor(A(w), B(w))))],
  "bvor.absorb": (w) => [infix("bvor", ...sorted(A(w), b.bvand(A(w), B(w))))],
  "bvand.selector": (w) => [
    infix("bvand", ...sorted(A(w), mask(w))),
    infix("bvand", ...sorted(A(w), B(w), b.ite(p, k(w, 0), ones(w)))),
  ],
  "bvor.selector": (w) => [
    infix("bvor", ...sorted(A(w), mask(w))),
    infix("bvor", ...sorted(A(w), b.ite(p, k(w, 0), ones(w)))),
  ],
  "bvand.mask": from(2, (w) => [
    infix("bvand", A(w), k(w, 1)),
    infix("bvand", A(w), k(w, -2n)),
    infix("bvand", A(w), B(w), k(w, 2)),
  ]),
  "bvor.rotation": (w) => {
    const few = Math.log2(w);
    if (!Number.isInteger(few) || few === 0) return [];
    const n = b.zext(v("n", few), w);
    const rest = w < 8 ? b.sub(k(w, w), n) : b.zext(b.sub(k(8, w), b.zext(v("n", few), 8)), w);
    return [
      infix("bvor", ...sorted(b.shl(A(w), n), b.lshr(A(w), rest))),
      infix("bvor", ...sorted(b.lshr(A(w), n), b.shl(A(w), rest), B(w))),
    ];
  },
  "bvor.mask": from(2, (w) => [
    infix("bvor", A(w), k(w, 1)),
    infix("bvor", A(w), k(w, -2n)),
    infix("bvor", A(w), B(w), k(w, 2)),
  ]),

  "add.fold": (w) => [infix("add", k(w, 1), k(w, 3))],
  "add.bit": () => [infix("add", A(1), B(1))],
  "add.linear": from(2, (w) => [
    infix("add", B(w), A(w)),
    infix("add", A(w), A(w)),
    infix("add", A(w), b.neg(A(w))),
    infix("add", A(w), k(w, 1), k(w, 2)),
    infix("add", b.add(A(w), B(w)), b.neg(B(w)), C(w)),
    infix("add", b.bvnot(A(w)), k(w, 1)),
    infix("add", b.neg(A(w)), ones(w)),
    infix("add", b.shl(A(w), k(w, 1)), A(w)),
    infix("add", A(w), b.concat(v("d", w), k(w, 1))).args.length === 2
      ? infix("add", v("e", 2 * w), b.concat(A(w), k(w, 1)))
      : A(w),
    infix("add", v("e", 2 * w), b.concat(b.add(A(w), B(w)), k(w, 0))),
    infix("add", v("e", 2 * w + 1), b.zext(b.concat(A(w), k(w, 1)), 2 * w + 1)),
  ]),
  "add.disjoint": (w) => [
    infix("add", ...sorted(b.concat(A(w), k(w, 0)), b.zext(B(w), 2 * w))),
    infix("add", b.concat(A(w), k(2, 0), B(w)), b.shl(k(2 * w + 2, 1), k(2 * w + 2, w))),
  ],
  "add.choice": from(2, (w) => [infix("add", pick(w), k(w, 1))]),
  "mul.fold": (w) => [infix("mul", k(w, 3), k(w, 3))],
  "mul.bit": () => [infix("mul", A(1), B(1))],
  "mul.sort": from(2, (w) => [
    infix("mul", B(w), A(w)),
    infix("mul", A(w), k(w, 3)),
    infix("mul", k(w, 0), A(w)),
    infix("mul", A(w), k(w, 3), B(w), k(w, 2)),
    infix("mul", b.mul(A(w), B(w)), C(w)),
    infix("mul", A(w), b.concat(B(1), k(w - 1, 0))),
  ]),
  "mul.constant": from(2, (w) => [
    infix("mul", k(w, 3), b.add(A(w), B(w))),
    infix("mul", k(w, 3), b.bvnot(A(w))),
    infix("mul", k(w, 2), A(w)),
    infix("mul", ones(w), b.add(A(w), k(w, 1))),
  ]),
  "mul.power": from(2, (w) => [infix("mul", k(w, 2), A(w), B(w))]),
  "mul.choice": from(2, (w) => [infix("mul", k(w, 3), pick(w))]),
  "udiv.fold": (w) => [infix("udiv", k(w, 5), k(w, 3)), infix("udiv", k(w, 1), k(w, 0))],
  "udiv.zero": (w) => [infix("udiv", k(w, 0), A(w))],
  "urem.zero": (w) => [infix("urem", k(w, 0), A(w))],
  "sdiv.zero": (w) => [infix("sdiv", k(w, 0), A(w))],
  "srem.zero": (w) => [infix("srem", k(w, 0), A(w))],
  "udiv.power": (w) => [infix("udiv", A(w), k(w, 1)), infix("udiv", A(w), k(w, 0)), infix("udiv", A(w), k(w, 2))],
  "udiv.narrow": from(2, (w) => [
    infix("udiv", b.zext(A(w), w + 2), k(w + 2, 3)),
    infix("udiv", b.zext(A(w), w + 2), b.zext(B(w), w + 2)),
    infix("udiv", b.zext(A(1), w + 2), b.zext(B(w), w + 2)),
    infix("udiv", b.concat(k(3, 1), A(w)), b.zext(B(w), w + 3)),
  ]),
  "urem.fold": (w) => [infix("urem", k(w, 5), k(w, 3)), infix("urem", k(w, 1), k(w, 0))],
  "urem.power": (w) => [infix("urem", A(w), k(w, 1)), infix("urem", A(w), k(w, 0)), infix("urem", A(w), k(w, 2))],
  "urem.narrow": from(2, (w) => [
    infix("urem", b.zext(A(w), w + 2), k(w + 2, 3)),
    infix("urem", b.zext(A(w), w + 2), b.zext(B(w), w + 2)),
    infix("urem", b.zext(A(w), w + 2), b.zext(B(1), w + 2)),
  ]),
  "sdiv.fold": (w) => [
    infix("sdiv", k(w, 5), k(w, 3)),
    infix("sdiv", min(w), ones(w)),
    infix("sdiv", k(w, 1), k(w, 0)),
  ],
  "sdiv.one": from(2, (w) => [infix("sdiv", A(w), k(w, 1))]),
  "sdiv.minus-one": (w) => [infix("sdiv", A(w), ones(w))],
  "sdiv.narrow": from(2, (w) => [infix("sdiv", b.sext(A(w), w + 2), b.sext(B(w), w + 2))]),
  "srem.narrow": from(2, (w) => [infix("srem", b.sext(A(w), w + 2), b.sext(B(w), w + 2))]),
  "srem.fold": (w) => [
    infix("srem", k(w, 5), k(w, 3)),
    infix("srem", min(w), ones(w)),
    infix("srem", k(w, 1), k(w, 0)),
  ],
  "srem.one": (w) => [infix("srem", A(w), k(w, 1)), infix("srem", A(w), ones(w)), infix("srem", A(w), k(w, 0))],
  "shl.fold": (w) => [infix("shl", k(w, 1), k(w, 1)), infix("shl", k(w, 1), ones(w))],
  "shl.constant": (w) => [infix("shl", A(w), k(w, 0)), infix("shl", A(w), k(w, 1)), infix("shl", A(w), ones(w))],
  "shl.zero": (w) => [infix("shl", k(w, 0), A(w))],
  "lshr.fold": (w) => [infix("lshr", ones(w), k(w, 1))],
  "lshr.constant": (w) => [infix("lshr", A(w), k(w, 0)), infix("lshr", A(w), k(w, 1)), infix("lshr", A(w), ones(w))],
  "lshr.zero": (w) => [infix("lshr", k(w, 0), A(w))],
  "lshr.narrow": (w) => [
    infix("lshr", b.zext(A(w), w + 3), b.zext(B(w), w + 3)),
    infix("lshr", b.zext(A(w), w + 3), b.zext(B(1), w + 3)),
    infix("lshr", k(w + 3, 3), b.zext(B(w), w + 3)),
  ],
  "ashr.fold": (w) => [infix("ashr", min(w), k(w, 1)), infix("ashr", ones(w), ones(w))],
  "ashr.constant": (w) => [infix("ashr", A(w), k(w, 0)), infix("ashr", A(w), k(w, 1)), infix("ashr", A(w), ones(w))],
  "ashr.zero": (w) => [infix("ashr", k(w, 0), A(w)), infix("ashr", ones(w), A(w))],
  "ashr.positive": (w) => [infix("ashr", b.zext(A(w), w + 2), B(w + 2)), infix("ashr", k(w + 2, 1), B(w + 2))],
  "ashr.narrow": (w) => [
    infix("ashr", b.sext(A(w), w + 3), b.zext(B(w), w + 3)),
    infix("ashr", b.sext(A(w), w + 3), b.zext(B(1), w + 3)),
  ],

  "concat.fold": (w) => [join(k(w, 1), k(2, 2))],
  "concat.flatten": (w) => [join(b.concat(A(w), B(w)), C(w)), join(A(w), b.zext(B(w), w + 2))],
  "concat.constants": (w) => [join(k(w, 1), k(2, 2), A(w)), join(A(w), k(1, 1), k(2, 2))],
  "concat.slices": (w) => [
    join(b.extract(A(w + 2), w + 1, w), b.extract(A(w + 2), w - 1, 0)),
    join(b.extract(A(w + 4), w + 3, w + 2), b.extract(A(w + 4), w + 1, 1), B(w)),
    join(b.extract(b.add(A(w + 2), B(w + 2)), w + 1, w), b.extract(b.add(A(w + 2), B(w + 2)), w - 1, 0)),
  ],
  "concat.sign": from(2, (w) => [
    join(b.extract(A(w), w - 1, w - 1), A(w)),
    join(b.sext(b.extract(A(w), w - 1, w - 1), 3), A(w), B(w)),
  ]),
  "concat.choice": (w) => [
    join(b.ite(p, A(w), B(w)), b.ite(p, C(w), A(w))),
    join(k(w, 1), b.ite(p, k(2, 1), k(2, 2))),
    join(b.ite(p, k(2, 1), k(2, 2)), k(w, 1)),
  ],
  "concat.loads": (w) => [
    join(b.load(memoryAt(w), plus(A(w), 1), 1), b.load(memoryAt(w), A(w), 1)),
    join(b.load(memoryAt(w), plus(A(w), 3), 1), b.load(memoryAt(w), plus(A(w), 1), 2), v("x", 8)),
  ],
  "concat.bitwise": (w) => [
    join(b.bvand(hiA(w), hiB(w)), b.bvand(loA(w), loB(w))),
    join(b.bvor(hiA(w), hiB(w)), b.bvor(loA(w), loB(w))),
    join(b.bvxor(hiA(w), hiB(w)), b.bvxor(loA(w), loB(w))),
    join(b.bvnot(hiA(w)), b.bvnot(loA(w))),
  ],
  "concat.extended": (w) => [
    join(b.sext(b.extract(A(w + 3), w + 2, w), w + 2), b.extract(A(w + 3), w - 1, 0)),
    join(b.sext(b.ite(p, A(w + 1), B(w + 1)), w + 2), b.ite(p, C(w), A(w))),
  ],
  "concat.flipped": (w) => [
    join(hiA(w + 1), b.bvnot(loA(w + 1))),
    join(b.bvxor(b.extract(A(w + 2), w + 1, 2), k(w, 1)), b.bvxor(b.extract(A(w + 2), 1, 0), k(2, 1))),
  ],
  "concat.zeros": (w) => [join(k(w, 0), A(w)), join(k(2, 0), A(w), B(w))],
  "extract.fold": (w) => [slice(k(w + 1, 2), w, 1)],
  "extract.extract": (w) => [slice(b.extract(A(w + 3), w + 1, 1), w, 1)],
  "extract.pieces": (w) => [
    slice(b.concat(A(w), B(w)), w, w - 1),
    slice(b.concat(A(w), B(w), C(w)), 2 * w, w),
    slice(b.zext(A(w), w + 2), w + 1, w),
    slice(b.zext(A(w), w + 2), w, 0),
  ],
  "extract.sext": (w) => [
    slice(b.sext(A(w), w + 3), w - 1, 0),
    slice(b.sext(A(w), w + 3), w + 1, w - 1),
    slice(b.sext(A(w), w + 3), w + 2, w + 1),
  ],
  "extract.choice": (w) => [slice(b.ite(p, A(w + 1), B(w + 1)), w, 1)],
  "extract.bitwise": (w) => [
    slice(b.bvand(A(w + 1), B(w + 1)), w, 1),
    slice(b.bvor(A(w + 1), B(w + 1)), w, 1),
    slice(b.bvxor(A(w + 1), B(w + 1)), w, 1),
    slice(b.bvnot(A(w + 1)), w, 1),
  ],
  "extract.sum": (w) => [
    slice(b.add(A(w + 2), B(w + 2)), w - 1, 0),
    slice(b.add(A(w + 2), B(w + 2)), w, 1),
    slice(b.mul(A(w + 2), B(w + 2)), w, 0),
  ],
  "extract.signed-product": (w) => [
    slice(b.mul(b.zext(A(w), 2 * w), b.sext(B(w), 2 * w)), 2 * w - 1, w),
    slice(b.mul(b.sext(A(w), 2 * w), b.sext(B(w), 2 * w)), 2 * w - 1, w),
    slice(b.mul(A(w + 3), b.sext(B(w), w + 3)), w + 2, w + 1),
  ],
  "extract.shl": from(2, (w) => [
    slice(b.shl(A(w + 2), b.zext(B(1), w + 2)), w - 1, 0),
    slice(b.shl(A(w + 2), b.zext(B(w), w + 2)), w - 1, 1),
  ]),
  "zext.fold": (w) => [extended("zext", k(w, 1), w + 2)],
  "zext.zext": (w) => [extended("zext", b.zext(A(w), w + 1), w + 2)],
  "zext.constant": (w) => [extended("zext", b.concat(k(2, 2), A(w)), w + 3)],
  "zext.choice": (w) => [extended("zext", b.ite(p, k(w, 0), k(w, 1)), w + 2)].filter((t) => t.args[0]?.op === "ite"),
  "sext.fold": (w) => [extended("sext", ones(w), w + 2), extended("sext", k(w + 1, 1), w + 2)],
  "sext.sext": (w) => [extended("sext", b.sext(A(w), w + 1), w + 2)],
  "sext.pieces": (w) => [
    extended("sext", b.concat(A(w), B(w)), 2 * w + 1),
    extended("sext", b.zext(A(w), w + 1), w + 3),
  ],
  "sext.choice": (w) => [extended("sext", b.ite(p, k(w, 0), k(w, 1)), w + 2)].filter((t) => t.args[0]?.op === "ite"),
  "sext.bvnot": (w) => [extended("sext", b.bvnot(A(w)), w + 2)],

  "select.beyond": (w) =>
    filesOf(w)
      .slice(1)
      .map((f) => raw("select", bits(w), [f, k(2, 3)])),
  "select.lambda": (w) =>
    [4, 3].map((count) =>
      raw("select", bits(w), [b.lambda(file(count, w), (i) => b.ite(b.eq(i, v("j", 2)), A(w), B(w))), v("i", 2)]),
    ),
  "select.store": (w) =>
    filesOf(w).flatMap((f) => [
      raw("select", bits(w), [b.store(f, v("i", 2), A(w)), v("i", 2)]),
      raw("select", bits(w), [b.store(f, v("i", 2), A(w)), v("j", 2)]),
      raw("select", bits(w), [b.store(f, k(2, 1), A(w)), k(2, 2)]),
    ]),
  "select.choice": (w) =>
    filesOf(w).map((f) => raw("select", bits(w), [b.ite(p, b.store(f, v("i", 2), A(w)), f), v("j", 2)])),
  "store.beyond": (w) =>
    filesOf(w)
      .slice(1)
      .map((f) => raw("store", f.sort, [f, k(2, 3), A(w)])),
  "store.same": (w) => filesOf(w).map((f) => raw("store", f.sort, [f, v("i", 2), b.select(f, v("i", 2))])),
  "store.store": (w) =>
    filesOf(w).flatMap((f) => [
      raw("store", f.sort, [b.store(f, v("i", 2), A(w)), v("i", 2), B(w)]),
      raw("store", f.sort, [b.store(f, k(2, 2), A(w)), k(2, 1), B(w)]),
    ]),

  "load.choice": (w) => [read(b.ite(p, b.write(memoryAt(w), A(w), 1, v("x", 8)), memoryAt(w)), B(w), 1)],
  "load.write": (w) =>
    [0, 1, 2, 3, 5, 7].flatMap((d) => {
      const m = memoryAt(w);
      return [1, 2, 4]
        .flatMap((n) => [1, 2, 4].map((s) => ({ n, s })))
        .map(({ n, s }) => read(b.write(m, A(w), n, v("x", 8 * n)), plus(A(w), d), s))
        .filter((t) => w >= 2 || t.bytes < 4);
    }),
  "write.same": (w) => [
    put(memoryAt(w), A(w), 1, b.load(memoryAt(w), A(w), 1)),
    put(memoryAt(w), A(w), 2, b.load(memoryAt(w), A(w), 2)),
  ],
  "write.write": (w) =>
    [0, 1, 2, 3].flatMap((d) =>
      [1, 2, 4]
        .flatMap((n) => [1, 2, 4].map((s) => ({ n, s })))
        .flatMap(({ n, s }) => [
          put(b.write(memoryAt(w), A(w), n, v("x", 8 * n)), plus(A(w), d), s, v("y", 8 * s)),
          put(b.write(memoryAt(w), plus(A(w), d), n, v("x", 8 * n)), A(w), s, v("y", 8 * s)),
        ]),
    ),
  "accessible.write": (w) => [access(b.write(memoryAt(w), A(w), 1, v("x", 8)), B(w), "load", 2)],
  "accessible.choice": (w) => [
    access(raw("ite", memory(w), [p, memoryAt(w), b.variable(`n${w}`, memory(w))]), B(w), "store", 1),
  ],
};

function hiA(w: number): Term {
  return b.extract(A(w + 1), w, 1);
}
function loA(w: number): Term {
  return b.extract(A(w + 1), 0, 0);
}
function hiB(w: number): Term {
  return b.extract(B(w + 1), w, 1);
}
function loB(w: number): Term {
  return b.extract(B(w + 1), 0, 0);
}

/** In the order in which the n-ary rules put them, so that the sorting rule stands aside. */
function sorted(...ts: readonly Term[]): readonly Term[] {
  return [...ts].sort(compareTerms);
}
