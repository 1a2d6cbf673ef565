/**
 * Hash-consed terms. Structurally equal terms are the same object, so `===` is structural equality and a
 * `Map<Term, …>` memoizes. `intern` is the only constructor and simplifies nothing; everyone but the rewriter
 * builds terms with the functions of `build.ts`, which do.
 */
import { type Sort, sortToString } from "./sort.js";

/** How memory is accessed: what a permission is asked for. */
export type Access = "fetch" | "load" | "store";

/**
 * Every operator, with its arguments:
 *
 * | op | arguments | payload |
 * |---|---|---|
 * | `const` | – | `value`: 0 ≤ value < 2^width (bool: 0 or 1) |
 * | `var` | – | `name` |
 * | `not` `and` `or` | bool; `and`, `or` have two or more | |
 * | `eq` | two of one scalar sort (bool or bits) | |
 * | `ite` | bool, then two of one sort (any) | |
 * | `ult` `ule` `slt` `sle` | two bits of one width → bool | |
 * | `bvnot` `bvand` `bvor` `bvxor` `add` `mul` | bits of one width; all but `bvnot` have two or more | |
 * | `udiv` `urem` `sdiv` `srem` `shl` `lshr` `ashr` | two bits of one width; SMT-LIB's meaning at 0 and past the width | |
 * | `concat` | two or more, high part first | |
 * | `extract` | one | `hi`, `lo` |
 * | `zext` `sext` | one; the sort gives the new width | |
 * | `select` | file, index → bits(element) | |
 * | `store` | file, index, element → file | |
 * | `lambda` | body (bits) → file | `name`: the bound index variable, a `var` of the index width, unique by construction |
 * | `load` | memory, address → bits(8·bytes) | `bytes` |
 * | `write` | memory, address, bits(8·bytes) → memory | `bytes` |
 * | `accessible` | memory, address → bool: all `bytes` bytes grant `access` | `bytes`, `access` |
 * | `apply` | any number → sort | `name`: of a function that is uninterpreted, with scalars for arguments, or defined (definitions.ts) |
 *
 * Negation is `mul` by −1 and subtraction an `add` of it: the linear normal form has one shape.
 */
export type Op =
  | "const"
  | "var"
  | "not"
  | "and"
  | "or"
  | "eq"
  | "ite"
  | "ult"
  | "ule"
  | "slt"
  | "sle"
  | "bvnot"
  | "bvand"
  | "bvor"
  | "bvxor"
  | "add"
  | "mul"
  | "udiv"
  | "urem"
  | "sdiv"
  | "srem"
  | "shl"
  | "lshr"
  | "ashr"
  | "concat"
  | "extract"
  | "zext"
  | "sext"
  | "select"
  | "store"
  | "lambda"
  | "load"
  | "write"
  | "accessible"
  | "apply";

export interface Term {
  /** Dense, in order of creation. Stable within a process only: never let it reach a report. */
  readonly id: number;
  /** Of the structure, 32 bits: the same in every process, whatever was built before. */
  readonly hash: number;
  readonly op: Op;
  readonly sort: Sort;
  readonly args: readonly Term[];
  /** `const` */
  readonly value: bigint;
  /** `var`, `lambda`, `apply` */
  readonly name: string;
  /** `extract` */
  readonly hi: number;
  readonly lo: number;
  /** `load`, `write`, `accessible` */
  readonly bytes: number;
  /** `accessible` */
  readonly access: Access;
}

export interface Payload {
  readonly value?: bigint;
  readonly name?: string;
  readonly hi?: number;
  readonly lo?: number;
  readonly bytes?: number;
  readonly access?: Access;
}

const OP_NUMBERS: Readonly<Record<Op, number>> = {
  const: 1,
  var: 2,
  not: 3,
  and: 4,
  or: 5,
  eq: 6,
  ite: 7,
  ult: 8,
  ule: 9,
  slt: 10,
  sle: 11,
  bvnot: 12,
  bvand: 13,
  bvor: 14,
  bvxor: 15,
  add: 16,
  mul: 17,
  udiv: 18,
  urem: 19,
  sdiv: 20,
  srem: 21,
  shl: 22,
  lshr: 23,
  ashr: 24,
  concat: 25,
  extract: 26,
  zext: 27,
  sext: 28,
  select: 29,
  store: 30,
  lambda: 31,
  load: 32,
  write: 33,
  accessible: 34,
  apply: 35,
};

function isOp(name: string): name is Op {
  return name in OP_NUMBERS;
}

/** Every operator, in the order of the table above. */
export const OPS: readonly Op[] = Object.keys(OP_NUMBERS).filter(isOp);

const sortHashes = new Map<Sort, number>();

function sortHash(sort: Sort): number {
  if (sort.kind === "bits") return sort.width;
  let hash = sortHashes.get(sort);
  if (hash === undefined) {
    hash = hashString(sortToString(sort));
    sortHashes.set(sort, hash);
  }
  return hash;
}

function mix(hash: number, value: number): number {
  let h = Math.imul(hash ^ value, 0x9e3779b1);
  h ^= h >>> 15;
  return Math.imul(h, 0x85ebca77) ^ (h >>> 13);
}

const nameHashes = new Map<string, number>();

function hashString(text: string): number {
  let hash = nameHashes.get(text);
  if (hash === undefined) {
    hash = text.length;
    for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i));
    nameHashes.set(text, hash);
  }
  return hash;
}

function hashValue(value: bigint): number {
  if (value <= 0x3fffffffn) return Number(value);
  let hash = 1;
  for (let rest = value; rest > 0n; rest >>= 32n) hash = mix(hash, Number(BigInt.asIntN(32, rest)));
  return hash;
}

/**
 * An open hash table: `slots` holds ids of terms plus 1 (0 is free), probed linearly from `hash & mask`; `hashes` repeats
 * the terms' hashes, so that most of a search touches no term.
 */
let slots = new Int32Array(1 << 15);
let mask = slots.length - 1;
let hashes = new Int32Array(1 << 14);
const terms: Term[] = [];

function grow(): void {
  slots = new Int32Array(slots.length * 2);
  mask = slots.length - 1;
  for (let id = 0; id < terms.length; id++) {
    let slot = (hashes[id] ?? 0) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = id + 1;
  }
  const larger = new Int32Array(hashes.length * 2);
  larger.set(hashes);
  hashes = larger;
}

/** The one term of this shape. Checks nothing and simplifies nothing. */
export function intern(op: Op, sort: Sort, args: readonly Term[], payload?: Payload): Term {
  if (payload === undefined) return internParts(op, sort, args, 0n, "", 0, 0, 0, "load");
  return internParts(
    op,
    sort,
    args,
    payload.value ?? 0n,
    payload.name ?? "",
    payload.hi ?? 0,
    payload.lo ?? 0,
    payload.bytes ?? 0,
    payload.access ?? "load",
  );
}

/** `intern` with the payload taken apart, which is faster. */
export function internParts(
  op: Op,
  sort: Sort,
  args: readonly Term[],
  value: bigint,
  name: string,
  hi: number,
  lo: number,
  bytes: number,
  access: Access,
): Term {
  let hash = mix(OP_NUMBERS[op] * 131 + hi * 4099 + lo * 67 + bytes * 8209, sortHash(sort));
  for (let i = 0; i < args.length; i++) hash = mix(hash, args[i]?.hash ?? 0);
  if (value !== 0n) hash = mix(hash, hashValue(value));
  if (name !== "") hash = mix(hash, hashString(name));
  if (access !== "load") hash = mix(hash, access.length);
  let slot = hash & mask;
  for (let entry = slots[slot] ?? 0; entry !== 0; entry = slots[slot] ?? 0) {
    if (hashes[entry - 1] === hash) {
      const term = terms[entry - 1];
      if (
        term !== undefined &&
        term.op === op &&
        term.sort === sort &&
        term.hi === hi &&
        term.lo === lo &&
        term.bytes === bytes &&
        term.access === access &&
        term.name === name &&
        sameArguments(term.args, args) &&
        term.value === value
      )
        return term;
    }
    slot = (slot + 1) & mask;
  }
  const term: Term = { id: terms.length, hash, op, sort, args, value, name, hi, lo, bytes, access };
  terms.push(term);
  hashes[term.id] = hash;
  slots[slot] = terms.length;
  if (terms.length >= hashes.length) grow();
  return term;
}

function sameArguments(a: readonly Term[], b: readonly Term[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * A total order on terms by structure alone, so that sorted arguments are the same in every process: variables first, by
 * name, then by hash; equal hashes are told apart by comparing the structure.
 */
export function compareTerms(a: Term, b: Term): number {
  if (a === b) return 0;
  if (a.op === "var" && b.op === "var" && a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (a.op === "var" && b.op !== "var") return -1;
  if (b.op === "var" && a.op !== "var") return 1;
  if (a.hash !== b.hash) return a.hash - b.hash;
  return compareStructure(a, b);
}

function compareStructure(a: Term, b: Term): number {
  const shape =
    compareText(a.op, b.op) ||
    compareText(sortToString(a.sort), sortToString(b.sort)) ||
    compareText(a.name, b.name) ||
    compareText(a.access, b.access) ||
    a.hi - b.hi ||
    a.lo - b.lo ||
    a.bytes - b.bytes ||
    a.args.length - b.args.length;
  if (shape !== 0) return shape;
  if (a.value !== b.value) return a.value < b.value ? -1 : 1;
  for (let i = 0; i < a.args.length; i++) {
    const x = a.args[i];
    const y = b.args[i];
    if (x !== undefined && y !== undefined && x !== y) return compareTerms(x, y);
  }
  return 0;
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
