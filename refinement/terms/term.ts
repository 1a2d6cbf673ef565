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
 * | `apply` | any number of scalars → sort | `name`: of an uninterpreted function |
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

const OPS: readonly Op[] = [
  "const",
  "var",
  "not",
  "and",
  "or",
  "eq",
  "ite",
  "ult",
  "ule",
  "slt",
  "sle",
  "bvnot",
  "bvand",
  "bvor",
  "bvxor",
  "add",
  "mul",
  "udiv",
  "urem",
  "sdiv",
  "srem",
  "shl",
  "lshr",
  "ashr",
  "concat",
  "extract",
  "zext",
  "sext",
  "select",
  "store",
  "lambda",
  "load",
  "write",
  "accessible",
  "apply",
];
const opNumbers = new Map<Op, number>(OPS.map((op, i) => [op, i]));

interface SortNumber {
  /** Dense, in order of first use. */
  readonly id: number;
  readonly hash: number;
}
const sortNumbers = new Map<Sort, SortNumber>();

function sortNumber(sort: Sort): SortNumber {
  let number = sortNumbers.get(sort);
  if (number === undefined) {
    number = { id: sortNumbers.size, hash: hashString(sortToString(sort)) };
    sortNumbers.set(sort, number);
  }
  return number;
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

/** Buckets of a hash table: `heads[hash & mask]` starts a chain through `chain[id]`. */
let heads = new Int32Array(1 << 14).fill(-1);
let mask = heads.length - 1;
const chain: number[] = [];
const terms: Term[] = [];

function grow(): void {
  heads = new Int32Array(heads.length * 2).fill(-1);
  mask = heads.length - 1;
  for (const term of terms) {
    const bucket = term.hash & mask;
    chain[term.id] = heads[bucket] ?? -1;
    heads[bucket] = term.id;
  }
}

const NO_PAYLOAD: Payload = {};

/** The one term of this shape. Checks nothing and simplifies nothing. */
export function intern(op: Op, sort: Sort, args: readonly Term[], payload: Payload = NO_PAYLOAD): Term {
  let hash = mix(opNumbers.get(op) ?? 0, sortNumber(sort).hash);
  for (let i = 0; i < args.length; i++) hash = mix(hash, args[i]?.hash ?? 0);
  const value = payload.value ?? 0n;
  const name = payload.name ?? "";
  const hi = payload.hi ?? 0;
  const lo = payload.lo ?? 0;
  const bytes = payload.bytes ?? 0;
  const access = payload.access ?? "load";
  if (payload !== NO_PAYLOAD) {
    hash = mix(hash, hi * 4099 + lo + bytes * 64);
    if (payload.value !== undefined) hash = mix(hash, hashValue(value));
    if (payload.name !== undefined) hash = mix(hash, hashString(name));
    if (payload.access !== undefined) hash = mix(hash, hashString(access));
  }
  let id = heads[hash & mask] ?? -1;
  while (id >= 0) {
    const term = terms[id];
    if (
      term !== undefined &&
      term.hash === hash &&
      term.op === op &&
      term.sort === sort &&
      term.value === value &&
      term.name === name &&
      term.hi === hi &&
      term.lo === lo &&
      term.bytes === bytes &&
      term.access === access &&
      sameArguments(term.args, args)
    )
      return term;
    id = chain[id] ?? -1;
  }
  const term: Term = { id: terms.length, hash, op, sort, args, value, name, hi, lo, bytes, access };
  terms.push(term);
  const bucket = hash & mask;
  chain.push(heads[bucket] ?? -1);
  heads[bucket] = term.id;
  if (terms.length > heads.length) grow();
  return term;
}

function sameArguments(a: readonly Term[], b: readonly Term[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Number of distinct terms alive, for reports and benchmarks. */
export function termCount(): number {
  return terms.length;
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
