/**
 * Lowering: terms whose reads look through stores, choices and lambdas become terms that read only the state's own files
 * and memories, and files and memories as values become lists of guarded writes onto them. What remains is scalar.
 */
import { InternalDefect } from "../errors.js";
import { boundVariable, fileSortOf } from "../terms/construct.js";
import { bits } from "../terms/sort.js";
import * as t from "../terms/build.js";
import { type FunctionDefinition, definitionOf, unfold } from "../terms/definitions.js";
import type { Term } from "../terms/term.js";
import { occurs } from "../terms/variables.js";
import { Unsupported } from "./unsupported.js";

/** An element's new value, under a condition over the state before. Applied in order. */
export interface ElementWrite {
  readonly kind: "element";
  readonly condition: Term;
  readonly index: Term;
  readonly value: Term;
}

/** Every element's new value as a function of its index, the variable `loop`. */
export interface WholeWrite {
  readonly kind: "whole";
  readonly loop: Term;
  readonly value: Term;
}

export type FileWrite = ElementWrite | WholeWrite;

export interface MemoryWrite {
  readonly condition: Term;
  readonly address: Term;
  readonly bytes: Piece;
  readonly value: Term;
}

/** Bytes that one WebAssembly access moves. */
export type Piece = 1 | 2 | 4 | 8;

function argument(term: Term, i: number): Term {
  const arg = term.args[i];
  if (arg === undefined) throw new InternalDefect(`${term.op} has no argument ${i}`);
  return arg;
}

function widthOf(term: Term): number {
  return term.sort.kind === "bits" ? term.sort.width : 1;
}

/** The file or memory that a chain of writes and choices starts from, if all its branches start from the same. */
function parentOf(term: Term, memo: Map<Term, Term | undefined>): Term | undefined {
  switch (term.op) {
    case "store":
    case "write":
      return argument(term, 0);
    case "ite": {
      if (memo.has(term)) return memo.get(term);
      let a: Term | undefined = argument(term, 1);
      let b: Term | undefined = argument(term, 2);
      while (a !== b && a !== undefined && b !== undefined) {
        if (a.id > b.id) a = parentOf(a, memo);
        else b = parentOf(b, memo);
      }
      const common = a === b ? a : undefined;
      memo.set(term, common);
      return common;
    }
    default:
      return undefined;
  }
}

/** What the function looks at is the state itself, and everything fits a register. */
function isCallable(term: Term, { parameters, inputs, body }: FunctionDefinition): boolean {
  return widthOf(body) <= 64 && parameters.every((p, i) => (i < inputs ? widthOf(p) <= 64 : term.args[i] === p));
}

export class Lowering {
  private readonly calls: boolean;
  private loops = 0;
  private readonly memo = new Map<Term, Term>();
  private readonly parents = new Map<Term, Term | undefined>();
  private readonly selects = new Map<Term, Map<Term, Term>>();
  private readonly loads = new Map<string, Term>();

  /** With `calls`, applications of defined functions to the state as it is stay what they are; else they are unfolded. */
  constructor(calls = false) {
    this.calls = calls;
  }

  /** A scalar term that reads only variables. */
  scalar(term: Term): Term {
    if (term.args.length === 0) return term;
    const known = this.memo.get(term);
    if (known !== undefined) return known;
    const lowered = this.lower(term);
    this.memo.set(term, lowered);
    return lowered;
  }

  private lower(term: Term): Term {
    switch (term.op) {
      case "select":
        return this.select(argument(term, 0), this.scalar(argument(term, 1)));
      case "load":
        return this.load(argument(term, 0), this.scalar(argument(term, 1)), term.bytes);
      case "accessible":
        return this.accessible(term, argument(term, 0), this.scalar(argument(term, 1)));
      case "store":
      case "lambda":
      case "write":
        throw new InternalDefect(`${term.op} is not a scalar`);
      case "apply": {
        const definition = definitionOf(term.name);
        if (definition === undefined) return this.inside(term);
        if (this.calls && isCallable(term, definition)) return this.inside(term);
        return this.scalar(unfold(term) ?? term);
      }
      default:
        return this.inside(term);
    }
  }

  private inside(term: Term): Term {
    let changed = false;
    const args: Term[] = [];
    for (const arg of term.args) {
      const lowered = this.scalar(arg);
      if (lowered !== arg) changed = true;
      args.push(lowered);
    }
    return changed ? t.rebuild(term, args) : term;
  }

  /** The element of `file` at an already lowered index. */
  select(file: Term, index: Term): Term {
    let known = this.selects.get(file);
    if (known === undefined) {
      known = new Map();
      this.selects.set(file, known);
    }
    let result = known.get(index);
    if (result === undefined) {
      result = this.resolveSelect(file, index);
      known.set(index, result);
    }
    return result;
  }

  private resolveSelect(file: Term, index: Term): Term {
    switch (file.op) {
      case "var":
        return t.select(file, index);
      case "store": {
        const below = this.select(argument(file, 0), index);
        const at = this.scalar(argument(file, 1));
        const hit = t.and(t.eq(at, index), inRange(file, index));
        return t.ite(hit, this.scalar(argument(file, 2)), below);
      }
      case "ite":
        return t.ite(
          this.scalar(argument(file, 0)),
          this.select(argument(file, 1), index),
          this.select(argument(file, 2), index),
        );
      case "lambda":
        return this.scalar(t.select(file, index));
      default:
        throw new Unsupported(file.op, "a file of this form cannot be read");
    }
  }

  /** `bytes` bytes of `memory` at an already lowered address. */
  load(memory: Term, address: Term, bytes: number): Term {
    if (memory.op === "var") return t.load(memory, address, bytes);
    const key = `${memory.id} ${address.id} ${bytes}`;
    let result = this.loads.get(key);
    if (result === undefined) {
      result = this.resolveLoad(memory, address, bytes);
      this.loads.set(key, result);
    }
    return result;
  }

  private resolveLoad(memory: Term, address: Term, bytes: number): Term {
    if (memory.op === "ite") {
      return t.ite(
        this.scalar(argument(memory, 0)),
        this.load(argument(memory, 1), address, bytes),
        this.load(argument(memory, 2), address, bytes),
      );
    }
    if (memory.op !== "write") throw new Unsupported(memory.op, "a memory of this form cannot be read");
    const below = argument(memory, 0);
    const at = this.scalar(argument(memory, 1));
    const value = this.scalar(argument(memory, 2));
    const n = memory.bytes;
    const width = widthOf(address);
    const distance = t.sub(address, at);
    const spaces = 1n << BigInt(width);
    if (BigInt(n) > spaces) throw new Unsupported("write", "more bytes than the address space has");
    const parts: Term[] = [];
    for (let i = bytes - 1; i >= 0; i--) {
      const offset = t.constant(width, BigInt(i));
      const from = t.add(distance, offset);
      const covered = BigInt(n) === spaces ? t.TRUE : t.ult(from, t.constant(width, BigInt(n)));
      parts.push(t.ite(covered, byteAt(value, from, n), this.load(below, t.add(address, offset), 1)));
    }
    const mixed = parts.length === 1 && parts[0] !== undefined ? parts[0] : t.concat(...parts);
    const room = spaces - BigInt(n) - BigInt(bytes);
    if (bytes === 1 || room < 0n) return mixed;
    const apart = t.ule(t.sub(distance, t.constant(width, BigInt(n))), t.constant(width, room));
    const rest = t.ite(apart, this.load(below, address, bytes), mixed);
    return bytes <= n ? t.ite(t.eq(at, address), t.extract(value, 8 * bytes - 1, 0), rest) : rest;
  }

  private accessible(term: Term, memory: Term, address: Term): Term {
    switch (memory.op) {
      case "var":
        return t.accessible(memory, term.access, address, term.bytes);
      case "write":
        return this.accessible(term, argument(memory, 0), address);
      case "ite":
        return t.ite(
          this.scalar(argument(memory, 0)),
          this.accessible(term, argument(memory, 1), address),
          this.accessible(term, argument(memory, 2), address),
        );
      default:
        throw new Unsupported(memory.op, "a memory of this form cannot be asked for access");
    }
  }

  /** What turns the file variable `target` into `value`. */
  fileWrites(target: Term, value: Term): readonly FileWrite[] {
    if (!this.rootedAt(target, value)) return [this.wholeFile(value)];
    const out: FileWrite[] = [];
    this.walk(target, value, t.TRUE, (store, condition) => {
      const index = this.scalar(argument(store, 1));
      out.push({
        kind: "element",
        condition: t.and(condition, inRange(store, index)),
        index,
        value: this.scalar(argument(store, 2)),
      });
    });
    return out;
  }

  /**
   * A file as a variable with elements replaced, the later ones last: a chain of stores, or a function of the index that
   * looks like one. Undefined where it is not of this form.
   */
  fileChain(value: Term): { readonly base: Term; readonly writes: readonly ElementWrite[] } | undefined {
    let root: Term | undefined = value;
    while (root !== undefined && root.op !== "var") root = parentOf(root, this.parents);
    if (root !== undefined) {
      const writes = this.fileWrites(root, value).flatMap((w) => (w.kind === "element" ? [w] : []));
      return { base: root, writes };
    }
    return value.op === "lambda" ? this.lambdaChain(value) : undefined;
  }

  /** `i ↦ i == a ? v : … f[i]` is f with v at a. */
  private lambdaChain(value: Term): { readonly base: Term; readonly writes: readonly ElementWrite[] } | undefined {
    const bound = boundVariable(value);
    const writes: ElementWrite[] = [];
    let body = argument(value, 0);
    while (body.op === "ite") {
      const [condition, hit, rest] = [argument(body, 0), argument(body, 1), argument(body, 2)];
      const conjuncts = condition.op === "and" ? condition.args : [condition];
      const match = conjuncts.find((c) => c.op === "eq" && c.args.includes(bound));
      const index = match?.args.find((arg) => arg !== bound);
      if (match === undefined || index === undefined) return undefined;
      const others = conjuncts.filter((c) => c !== match);
      if ([index, hit, ...others].some((term) => occurs(bound, term))) return undefined;
      const at = this.scalar(index);
      writes.push({
        kind: "element",
        condition: t.and(...others.map((c) => this.scalar(c)), inRange(value, at)),
        index: at,
        value: this.scalar(hit),
      });
      body = rest;
    }
    const [base, index] = body.args;
    if (
      body.op !== "select" ||
      base === undefined ||
      base.op !== "var" ||
      index !== bound ||
      base.sort !== value.sort
    ) {
      return undefined;
    }
    return { base, writes: writes.reverse() };
  }

  /** `value`, element by element. */
  wholeFile(value: Term): WholeWrite {
    const loop = this.loopVariable(value);
    return { kind: "whole", loop, value: this.select(value, loop) };
  }

  /** A variable for a loop's counter or address, different from all others of this lowering. */
  fresh(width: number): Term {
    return t.variable(`%loop${this.loops++}`, bits(width));
  }

  /** A variable for the index of a loop over `file`. */
  loopVariable(file: Term): Term {
    return this.fresh(fileSortOf(file).index);
  }

  /** The variable whose contents the memory `value` starts from. */
  memoryBase(value: Term): Term {
    let at = value;
    while (at.op !== "var") {
      const parent = parentOf(at, this.parents);
      if (parent === undefined) throw new Unsupported(at.op, "a choice between two memories");
      at = parent;
    }
    return at;
  }

  /** What turns the memory variable that `value` starts from into it. */
  memoryWrites(value: Term): readonly MemoryWrite[] {
    const out: MemoryWrite[] = [];
    this.walk(this.memoryBase(value), value, t.TRUE, (write, around) => {
      const address = this.scalar(argument(write, 1));
      const { condition, value: chosen } = this.chosen(write, around);
      const stored = this.scalar(chosen);
      for (const { at, bytes } of pieces(write.bytes)) {
        out.push({
          condition,
          address: advance(address, at),
          bytes,
          value: t.extract(stored, 8 * (at + bytes) - 1, 8 * at),
        });
      }
    });
    return out;
  }

  /** A write that leaves what is there unless a condition holds is one under that condition. */
  private chosen(write: Term, around: Term): { readonly condition: Term; readonly value: Term } {
    const kept = t.load(argument(write, 0), argument(write, 1), write.bytes);
    let condition = around;
    let value = argument(write, 2);
    while (value.op === "ite") {
      const [choice, taken, otherwise] = [argument(value, 0), argument(value, 1), argument(value, 2)];
      if (taken !== kept && otherwise !== kept) break;
      const test = this.scalar(choice);
      condition = t.and(condition, otherwise === kept ? test : t.not(test));
      value = otherwise === kept ? taken : otherwise;
    }
    return { condition, value };
  }

  /** The stores or writes between `base` and `value`, first ones first, with the condition under which each happens. */
  private walk(base: Term, value: Term, condition: Term, visit: (write: Term, condition: Term) => void): void {
    if (value === base || condition === t.FALSE) return;
    const parent = parentOf(value, this.parents);
    if (parent === undefined) throw new InternalDefect("a chain of writes misses its base");
    this.walk(base, parent, condition, visit);
    if (value.op !== "ite") {
      visit(value, condition);
      return;
    }
    const choice = this.scalar(argument(value, 0));
    this.walk(parent, argument(value, 1), t.and(condition, choice), visit);
    this.walk(parent, argument(value, 2), t.and(condition, t.not(choice)), visit);
  }

  private rootedAt(target: Term, value: Term): boolean {
    let at: Term | undefined = value;
    while (at !== undefined && at !== target) at = parentOf(at, this.parents);
    return at === target;
  }
}

/** An index that names an element: the file's count may be less than its index can say. */
function inRange(file: Term, index: Term): Term {
  const { count, index: width } = fileSortOf(file);
  return BigInt(count) === 1n << BigInt(width) ? t.TRUE : t.ult(index, t.constant(width, BigInt(count)));
}

/** Byte number `offset` (below n) of a value of n bytes. */
function byteAt(value: Term, offset: Term, n: number): Term {
  if (n === 1) return value;
  const width = widthOf(value);
  const amount = t.mul(fit(offset, width), t.constant(width, 8n));
  return t.extract(t.lshr(value, amount), 7, 0);
}

function fit(term: Term, width: number): Term {
  const from = widthOf(term);
  return from >= width ? t.extract(term, width - 1, 0) : t.zext(term, width);
}

function advance(address: Term, by: number): Term {
  return by === 0 ? address : t.add(address, t.constant(widthOf(address), BigInt(by)));
}

/** An access of any number of bytes as accesses of 8, 4, 2 and 1. */
export function pieces(bytes: number): { readonly at: number; readonly bytes: Piece }[] {
  const out: { at: number; bytes: Piece }[] = [];
  let at = 0;
  for (const size of [8, 4, 2, 1] as const) {
    for (; bytes - at >= size; at += size) out.push({ at, bytes: size });
  }
  return out;
}
