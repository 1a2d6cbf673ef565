/**
 * The constructors behind build.ts: each checks its arguments' sorts, interns the plain term and brings it to normal form
 * with the rules registered for its operator. The normal form of every plain term is remembered, so building the same
 * term again costs one look-up and a rule that pushes an operator through a shared graph visits each node once.
 *
 * Rules import their constructors from here, everyone else from build.ts, which registers the rules with this module.
 */
import { InternalDefect } from "../errors.js";
import type { Rule } from "./rules/rule.js";
import { BOOL, bits, type FileSort, type Sort, sortToString } from "./sort.js";
import { type Access, intern, type Op, type Payload, type Term } from "./term.js";

const tables = new Map<Op, readonly Rule[]>();
/** The normal form of each plain term, by id; a normal term is its own. */
const normals: (Term | undefined)[] = [];

/** Adds rules for an operator, to be tried in order after those it has. */
export function registerRules(op: Op, rules: readonly Rule[]): void {
  tables.set(op, [...(tables.get(op) ?? []), ...rules]);
}

/** The rules of an operator in the order in which they are tried. */
export function rulesOf(op: Op): readonly Rule[] {
  return tables.get(op) ?? [];
}

/** How many `make` calls are under way, one inside the other. */
let nesting = 0;
/** Deeper than any sensible rewriting: here a term stays plain, which is right, only not normal. */
const DEEPEST = 1200;
let overruns = 0;

/** How often rewriting was cut off because it nested too deep; 0 unless two rules undo each other. */
export function rewritingOverruns(): number {
  return overruns;
}

/** The normal form of `op` applied to normal arguments. Sorts are not checked. */
export function make(op: Op, sort: Sort, args: readonly Term[], payload?: Payload): Term {
  const raw = intern(op, sort, args, payload);
  const known = normals[raw.id];
  if (known !== undefined) return known;
  if (nesting > DEEPEST) {
    overruns += 1;
    return raw;
  }
  let result = raw;
  const rules = tables.get(op);
  if (rules !== undefined) {
    nesting += 1;
    try {
      for (let i = 0; i < rules.length; i++) {
        const rewritten = rules[i]?.apply(raw);
        if (rewritten !== undefined) {
          result = rewritten;
          break;
        }
      }
    } finally {
      nesting -= 1;
    }
  }
  normals[raw.id] = result;
  return result;
}

/** Rebuilds `term` with other arguments of the same sorts, in normal form. */
export function rebuild(term: Term, args: readonly Term[]): Term {
  switch (term.op) {
    case "const":
    case "var":
      return term;
    case "extract":
      return make("extract", term.sort, args, { hi: term.hi, lo: term.lo });
    case "load":
    case "write":
      return make(term.op, term.sort, args, { bytes: term.bytes });
    case "accessible":
      return make("accessible", term.sort, args, { bytes: term.bytes, access: term.access });
    case "apply":
      return make("apply", term.sort, args, { name: term.name });
    case "lambda":
      return bind(fileSortOf(term), boundVariable(term), only(args));
    default:
      return make(term.op, term.sort, args);
  }
}

// Leaves

export const TRUE: Term = intern("const", BOOL, [], { value: 1n });
export const FALSE: Term = intern("const", BOOL, [], { value: 0n });

export function variable(name: string, sort: Sort): Term {
  return intern("var", sort, [], { name });
}

/** The constant `value` modulo 2^width. */
export function constant(width: number, value: bigint): Term {
  return intern("const", bits(width), [], { value: BigInt.asUintN(width, value) });
}

export function bool(b: boolean): Term {
  return b ? TRUE : FALSE;
}

// Sorts of arguments

export function widthOf(t: Term): number {
  if (t.sort.kind !== "bits") throw new InternalDefect(`${t.op} of sort ${sortToString(t.sort)} where bits are needed`);
  return t.sort.width;
}

export function fileSortOf(t: Term): FileSort {
  if (t.sort.kind !== "file")
    throw new InternalDefect(`${t.op} of sort ${sortToString(t.sort)} where a file is needed`);
  return t.sort;
}

/** The address width of a memory. */
export function addressOf(t: Term): number {
  if (t.sort.kind !== "memory")
    throw new InternalDefect(`${t.op} of sort ${sortToString(t.sort)} where a memory is needed`);
  return t.sort.address;
}

export function only(args: readonly Term[]): Term {
  const first = args[0];
  if (first === undefined) throw new InternalDefect("an operator without arguments");
  return first;
}

/** The argument at `i`, which the operator has. */
export function argument(t: Term, i: number): Term {
  const arg = t.args[i];
  if (arg === undefined) throw new InternalDefect(`${t.op} has no argument ${i}`);
  return arg;
}

function needBool(op: Op, t: Term): void {
  if (t.sort !== BOOL) throw new InternalDefect(`${op} of ${sortToString(t.sort)} where a bool is needed`);
}

function needSame(op: Op, a: Term, b: Term): void {
  if (a.sort !== b.sort) throw new InternalDefect(`${op} of ${sortToString(a.sort)} and ${sortToString(b.sort)}`);
}

function needWidth(op: Op, t: Term, width: number): void {
  if (t.sort.kind !== "bits" || t.sort.width !== width)
    throw new InternalDefect(`${op} has ${sortToString(t.sort)} where bits(${width}) is needed`);
}

// Bool

export function not(t: Term): Term {
  needBool("not", t);
  return make("not", BOOL, [t]);
}

export function and(...ts: readonly Term[]): Term {
  for (const t of ts) needBool("and", t);
  const first = ts[0];
  return first === undefined ? TRUE : ts.length === 1 ? first : make("and", BOOL, ts);
}

export function or(...ts: readonly Term[]): Term {
  for (const t of ts) needBool("or", t);
  const first = ts[0];
  return first === undefined ? FALSE : ts.length === 1 ? first : make("or", BOOL, ts);
}

export function implies(a: Term, b: Term): Term {
  return or(not(a), b);
}

export function eq(a: Term, b: Term): Term {
  needSame("eq", a, b);
  if (a.sort.kind !== "bits" && a.sort.kind !== "bool")
    throw new InternalDefect(`eq of two ${sortToString(a.sort)}; compare files and memories by element`);
  return make("eq", BOOL, [a, b]);
}

export function ne(a: Term, b: Term): Term {
  return not(eq(a, b));
}

/** `a` where `condition` holds, else `b`; of any sort. */
export function ite(condition: Term, a: Term, b: Term): Term {
  needBool("ite", condition);
  needSame("ite", a, b);
  return make("ite", a.sort, [condition, a, b]);
}

// Comparisons

function compare(op: "ult" | "slt", a: Term, b: Term): Term {
  widthOf(a);
  needSame(op, a, b);
  return make(op, BOOL, [a, b]);
}

export function ult(a: Term, b: Term): Term {
  return compare("ult", a, b);
}
/** `a ≤ b` unsigned; its normal form is `not (b < a)`. */
export function ule(a: Term, b: Term): Term {
  return not(compare("ult", b, a));
}
export function ugt(a: Term, b: Term): Term {
  return compare("ult", b, a);
}
export function uge(a: Term, b: Term): Term {
  return not(compare("ult", a, b));
}
export function slt(a: Term, b: Term): Term {
  return compare("slt", a, b);
}
/** `a ≤ b` signed; its normal form is `not (b < a)`. */
export function sle(a: Term, b: Term): Term {
  return not(compare("slt", b, a));
}
export function sgt(a: Term, b: Term): Term {
  return compare("slt", b, a);
}
export function sge(a: Term, b: Term): Term {
  return not(compare("slt", a, b));
}

// Bits

type Associative = "bvand" | "bvor" | "bvxor" | "add" | "mul";

function associative(op: Associative, ts: readonly Term[]): Term {
  const first = ts[0];
  if (first === undefined) throw new InternalDefect(`${op} without arguments`);
  widthOf(first);
  for (let i = 1; i < ts.length; i++) {
    const t = ts[i];
    if (t !== undefined) needSame(op, first, t);
  }
  return ts.length === 1 ? first : make(op, first.sort, ts);
}

export function bvnot(t: Term): Term {
  widthOf(t);
  return make("bvnot", t.sort, [t]);
}
export function bvand(...ts: readonly Term[]): Term {
  return associative("bvand", ts);
}
export function bvor(...ts: readonly Term[]): Term {
  return associative("bvor", ts);
}
export function bvxor(...ts: readonly Term[]): Term {
  return associative("bvxor", ts);
}
export function add(...ts: readonly Term[]): Term {
  return associative("add", ts);
}
export function mul(...ts: readonly Term[]): Term {
  return associative("mul", ts);
}
/** −t, as `mul` by −1. */
export function neg(t: Term): Term {
  return mul(constant(widthOf(t), -1n), t);
}
export function sub(a: Term, b: Term): Term {
  return add(a, neg(b));
}

type Binary = "udiv" | "urem" | "sdiv" | "srem" | "shl" | "lshr" | "ashr";

function binary(op: Binary, a: Term, b: Term): Term {
  widthOf(a);
  needSame(op, a, b);
  return make(op, a.sort, [a, b]);
}

export function udiv(a: Term, b: Term): Term {
  return binary("udiv", a, b);
}
export function urem(a: Term, b: Term): Term {
  return binary("urem", a, b);
}
export function sdiv(a: Term, b: Term): Term {
  return binary("sdiv", a, b);
}
export function srem(a: Term, b: Term): Term {
  return binary("srem", a, b);
}
export function shl(a: Term, b: Term): Term {
  return binary("shl", a, b);
}
export function lshr(a: Term, b: Term): Term {
  return binary("lshr", a, b);
}
export function ashr(a: Term, b: Term): Term {
  return binary("ashr", a, b);
}

/** High part first. */
export function concat(...ts: readonly Term[]): Term {
  let width = 0;
  for (const t of ts) width += widthOf(t);
  return ts.length === 1 ? only(ts) : make("concat", bits(width), ts);
}

/** Bits `hi … lo` of `t`, both included. */
export function extract(t: Term, hi: number, lo: number): Term {
  const width = widthOf(t);
  if (!(Number.isInteger(hi) && Number.isInteger(lo) && 0 <= lo && lo <= hi && hi < width))
    throw new InternalDefect(`extract ${hi}:${lo} of bits(${width})`);
  if (lo === 0 && hi === width - 1) return t;
  return make("extract", bits(hi - lo + 1), [t], { hi, lo });
}

/** Zero-extends to `width` bits in all. */
export function zext(t: Term, width: number): Term {
  return extend("zext", t, width);
}
/** Sign-extends to `width` bits in all. */
export function sext(t: Term, width: number): Term {
  return extend("sext", t, width);
}

function extend(op: "zext" | "sext", t: Term, width: number): Term {
  const from = widthOf(t);
  if (width < from) throw new InternalDefect(`${op} of bits(${from}) to bits(${width})`);
  return width === from ? t : make(op, bits(width), [t]);
}

/** 1 where `t` holds, else 0, as bits(1). */
export function boolToBits(t: Term): Term {
  return ite(t, constant(1, 1n), constant(1, 0n));
}

/** Whether the one bit of `t` is 1. */
export function bitsToBool(t: Term): Term {
  needWidth("eq", t, 1);
  return eq(t, constant(1, 1n));
}

// Files

/** The element at `index`; 0 beyond the file's count. */
export function select(file: Term, index: Term): Term {
  const sort = fileSortOf(file);
  needWidth("select", index, sort.index);
  return make("select", bits(sort.element), [file, index]);
}

/** The file with another element at `index`; the same file where `index` is beyond its count. */
export function store(file: Term, index: Term, value: Term): Term {
  const sort = fileSortOf(file);
  needWidth("store", index, sort.index);
  needWidth("store", value, sort.element);
  return make("store", sort, [file, index, value]);
}

/** Nesting of `lambda` calls under construction: names the stand-in for the bound variable. */
let depth = 0;

/** The file whose element at `i` is `body(i)`. Equal bodies give the same term, whatever else was built before. */
export function lambda(sort: FileSort, body: (index: Term) => Term): Term {
  const standIn = variable(`%~${depth}`, bits(sort.index));
  depth += 1;
  try {
    const built = body(standIn);
    needWidth("lambda", built, sort.element);
    return bind(sort, standIn, built);
  } finally {
    depth -= 1;
  }
}

/** The variable that a `lambda` binds. */
export function boundVariable(lambda: Term): Term {
  return variable(lambda.name, bits(fileSortOf(lambda).index));
}

/**
 * Binds `index` in `body`. The bound variable is named after the height of the lambdas in the body, so that the name is a
 * function of the structure and no lambda inside binds the same one.
 */
export function bind(sort: FileSort, index: Term, body: Term): Term {
  const name = `%${lambdaHeight(body)}`;
  const bound = variable(name, index.sort);
  return make("lambda", sort, [bound === index ? body : replace(body, index, bound)], { name });
}

const heights = new Map<Term, number>();

/** How deep lambdas are nested in `t`. */
function lambdaHeight(t: Term): number {
  if (t.args.length === 0) return 0;
  const known = heights.get(t);
  if (known !== undefined) return known;
  let height = 0;
  for (const arg of t.args) height = Math.max(height, lambdaHeight(arg));
  if (t.op === "lambda") height += 1;
  heights.set(t, height);
  return height;
}

/** `t` with `to` for the variable `from`. */
export function replace(t: Term, from: Term, to: Term, memo = new Map<Term, Term>()): Term {
  if (t === from) return to;
  if (t.args.length === 0) return t;
  const known = memo.get(t);
  if (known !== undefined) return known;
  let result = t;
  if (!(t.op === "lambda" && boundVariable(t) === from)) {
    const args = t.args.map((arg) => replace(arg, from, to, memo));
    if (args.some((arg, i) => arg !== t.args[i])) result = rebuild(t, args);
  }
  memo.set(t, result);
  return result;
}

// Memory

/** `bytes` bytes from `address` up, little-endian, wrapping at the end of the address space. */
export function load(memory: Term, address: Term, bytes: number): Term {
  needWidth("load", address, addressOf(memory));
  return make("load", bits(8 * bytes), [memory, address], { bytes });
}

/** The memory with the low `bytes` bytes of `value` at `address`. */
export function write(memory: Term, address: Term, bytes: number, value: Term): Term {
  needWidth("write", address, addressOf(memory));
  needWidth("write", value, 8 * bytes);
  return make("write", memory.sort, [memory, address, value], { bytes });
}

/** Whether each of `bytes` bytes from `address` up grants `access`. Writing changes no permission. */
export function accessible(memory: Term, access: Access, address: Term, bytes: number): Term {
  needWidth("accessible", address, addressOf(memory));
  return make("accessible", BOOL, [memory, address], { bytes, access });
}

/** An uninterpreted function: equal arguments give equal results, and nothing else is known. */
export function apply(name: string, sort: Sort, args: readonly Term[]): Term {
  if (sort.kind !== "bits" && sort.kind !== "bool")
    throw new InternalDefect(`apply of ${name} to ${sortToString(sort)}; only scalars can be results`);
  return make("apply", sort, args, { name });
}
