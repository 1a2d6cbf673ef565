/**
 * Terms compiled to closures, for evaluating the same terms on thousands of states. A value is computed when it is needed
 * and kept until the next tick, so that of an if-then-else, an `and`, an `or` only what decides is ever looked at. Bools
 * and narrow bit vectors are JavaScript numbers, wide ones bigints.
 */
import { InternalDefect } from "../errors.js";
import { and, constant, eq, select } from "../terms/build.js";
import { argument, boundVariable, fileSortOf, widthOf } from "../terms/construct.js";
import { hashedApply } from "../terms/evaluate.js";
import { maskOf, scalarWidth, toSigned } from "../terms/operators.js";
import { Substitution } from "../terms/substitute.js";
import { intern, type Term } from "../terms/term.js";
import { type Assignment, FileLeaf, MemoryLeaf, ScalarLeaf } from "./assignment.js";
import { inFile } from "./flatten.js";

/** Up to this width values are numbers: 32-bit operators and exact sums. */
const NARROW = 32;

/** Time, as far as values are concerned: they hold until the next tick. Counts the values computed. */
class Clock {
  now = 1;
  work = 0;
}

export class NarrowNode {
  readonly wide = false;
  readonly term: Term;
  readonly args: readonly Node[];
  private readonly clock: Clock;
  private readonly compute: () => number;
  private computed = 0;
  private value = 0;

  constructor(clock: Clock, term: Term, args: readonly Node[], compute: () => number) {
    this.clock = clock;
    this.term = term;
    this.args = args;
    this.compute = compute;
  }

  get(): number {
    if (this.computed !== this.clock.now) {
      this.clock.work++;
      this.value = this.compute();
      this.computed = this.clock.now;
    }
    return this.value;
  }

  big(): bigint {
    return BigInt(this.get());
  }
}

export class WideNode {
  readonly wide = true;
  readonly term: Term;
  readonly args: readonly Node[];
  private readonly clock: Clock;
  private readonly compute: () => bigint;
  private computed = 0;
  private value = 0n;

  constructor(clock: Clock, term: Term, args: readonly Node[], compute: () => bigint) {
    this.clock = clock;
    this.term = term;
    this.args = args;
    this.compute = compute;
  }

  big(): bigint {
    if (this.computed !== this.clock.now) {
      this.clock.work++;
      this.value = this.compute();
      this.computed = this.clock.now;
    }
    return this.value;
  }
}

export type Node = NarrowNode | WideNode;

/** A memory as it is written in the term: nothing is computed but what a read comes across. */
export type MemoryNode =
  | { readonly kind: "leaf"; readonly leaf: MemoryLeaf }
  | {
      readonly kind: "write";
      readonly width: number;
      readonly below: MemoryNode;
      readonly address: Node;
      readonly bytes: number;
      readonly value: Node;
    }
  | { readonly kind: "ite"; readonly condition: NarrowNode; readonly yes: MemoryNode; readonly no: MemoryNode };

/** The write that a byte of memory comes from, as the byte's number in it; or the leaf that holds it. */
export type Origin =
  | { readonly kind: "write"; readonly value: Node; readonly byte: number }
  | { readonly kind: "leaf"; readonly leaf: MemoryLeaf };

export function originOf(memory: MemoryNode, address: bigint): Origin {
  let at = memory;
  for (;;) {
    switch (at.kind) {
      case "leaf":
        return at;
      case "ite":
        at = at.condition.get() === 1 ? at.yes : at.no;
        break;
      case "write": {
        const distance = BigInt.asUintN(at.width, address - at.address.big());
        if (distance < BigInt(at.bytes))
          return { kind: "write", value: at.value, byte: lastByte(distance, at.bytes, at.width) };
        at = at.below;
        break;
      }
    }
  }
}

/** Of the bytes of a write that fall on one address, the last one counts: there are several only in a tiny address space. */
function lastByte(distance: bigint, bytes: number, width: number): number {
  let byte = Number(distance);
  if (width < 16) while (byte + 2 ** width < bytes) byte += 2 ** width;
  return byte;
}

/** Compiles terms to nodes over one assignment. */
export class Compiler {
  readonly clock = new Clock();
  private readonly assignment: Assignment;
  /** Variables that stand for a term. */
  private readonly definitions: ReadonlyMap<Term, Term>;
  private readonly nodes = new Map<Term, Node>();
  private readonly memories = new Map<Term, MemoryNode>();

  constructor(assignment: Assignment, definitions: ReadonlyMap<Term, Term>) {
    this.assignment = assignment;
    this.definitions = definitions;
  }

  /** The terms that have been compiled. */
  terms(): Iterable<Term> {
    return this.nodes.keys();
  }

  node(t: Term): Node {
    const known = this.nodes.get(t);
    if (known !== undefined) return known;
    const definition = t.op === "var" ? this.definitions.get(t) : undefined;
    const made = definition === undefined ? this.compile(t) : this.node(definition);
    this.nodes.set(t, made);
    return made;
  }

  bool(t: Term): NarrowNode {
    return narrow(this.node(t));
  }

  memory(t: Term): MemoryNode {
    const known = this.memories.get(t);
    if (known !== undefined) return known;
    const made = this.compileMemory(t);
    this.memories.set(t, made);
    return made;
  }

  file(t: Term): FileLeaf {
    const leaf = t.op === "var" ? this.assignment.leaf(t) : undefined;
    if (!(leaf instanceof FileLeaf)) throw new InternalDefect(`a read of a ${t.op} where a file variable is needed`);
    return leaf;
  }

  private compileMemory(t: Term): MemoryNode {
    switch (t.op) {
      case "var": {
        const leaf = this.assignment.leaf(t);
        if (!(leaf instanceof MemoryLeaf)) throw new InternalDefect(`${t.name} is no memory`);
        return { kind: "leaf", leaf };
      }
      case "write":
        return {
          kind: "write",
          width: widthOf(argument(t, 1)),
          below: this.memory(argument(t, 0)),
          address: this.node(argument(t, 1)),
          bytes: t.bytes,
          value: this.node(argument(t, 2)),
        };
      case "ite":
        return {
          kind: "ite",
          condition: this.bool(argument(t, 0)),
          yes: this.memory(argument(t, 1)),
          no: this.memory(argument(t, 2)),
        };
      default:
        throw new InternalDefect(`a ${t.op} where a memory is needed`);
    }
  }

  private compile(t: Term): Node {
    switch (t.op) {
      case "const":
        return t.sort.kind === "bits" && t.sort.width > NARROW
          ? this.wide(t, [], () => t.value)
          : this.narrowConstant(t);
      case "var": {
        const leaf = this.assignment.leaf(t);
        if (!(leaf instanceof ScalarLeaf)) throw new InternalDefect(`${t.name} is no scalar`);
        return this.either(t, [], () => leaf.read());
      }
      case "select": {
        if (argument(t, 0).op !== "var") return this.node(readThrough(t));
        const file = this.file(argument(t, 0));
        const index = narrow(this.node(argument(t, 1)));
        return this.either(t, [index], () => file.read(index.get()));
      }
      case "load": {
        const memory = this.memory(argument(t, 0));
        const address = this.node(argument(t, 1));
        const width = widthOf(argument(t, 1));
        return this.either(t, [address], () => loadFrom(memory, address.big(), t.bytes, width));
      }
      case "accessible": {
        const memory = this.memory(argument(t, 0));
        const address = this.node(argument(t, 1));
        return this.narrow(t, [address], () => (leafOf(memory).accessible(t.access, address.big(), t.bytes) ? 1 : 0));
      }
      case "apply": {
        const args = t.args.map((arg) => this.node(arg));
        return this.either(t, args, () =>
          hashedApply(
            t,
            args.map((arg) => arg.big()),
          ),
        );
      }
      case "store":
      case "lambda":
      case "write":
        throw new InternalDefect(`a ${t.op} where a scalar is needed`);
      default: {
        const args = t.args.map((arg) => this.node(arg));
        return this.operator(t, args);
      }
    }
  }

  private operator(t: Term, args: readonly Node[]): Node {
    const width = scalarWidth(t.sort);
    const first = args[0];
    if (first === undefined) throw new InternalDefect(`${t.op} without arguments`);
    const second = args[1] ?? first;
    if (t.op === "ite") {
      const condition = narrow(first);
      const third = args[2] ?? first;
      if (!second.wide && !third.wide) {
        return this.narrow(t, args, () => (condition.get() === 1 ? second.get() : third.get()));
      }
      return this.wide(t, args, () => (condition.get() === 1 ? second.big() : third.big()));
    }
    if (args.every((arg) => !arg.wide)) {
      const narrowArgs = args.map(narrow);
      const compute = narrowOperator(t, width, narrowArgs, narrow(first), narrow(second));
      if (compute !== undefined) return this.narrow(t, args, compute);
    }
    const compute = wideOperator(t, width, args, first, second);
    return this.either(t, args, compute);
  }

  private narrowConstant(t: Term): NarrowNode {
    const value = Number(t.value);
    return this.narrow(t, [], () => value);
  }

  /** A node of the term's own kind for a computation in bigints. */
  private either(t: Term, args: readonly Node[], compute: () => bigint): Node {
    if (scalarWidth(t.sort) > NARROW) return this.wide(t, args, compute);
    return this.narrow(t, args, () => Number(compute()));
  }

  private narrow(t: Term, args: readonly Node[], compute: () => number): NarrowNode {
    return new NarrowNode(this.clock, t, args, compute);
  }

  private wide(t: Term, args: readonly Node[], compute: () => bigint): WideNode {
    return new WideNode(this.clock, t, args, compute);
  }
}

/** A read of a file that is no variable, as a plain if-then-else of reads of what the file is made of. */
function readThrough(t: Term): Term {
  const file = argument(t, 0);
  const index = argument(t, 1);
  const choose = (condition: Term, yes: Term, no: Term): Term => intern("ite", t.sort, [condition, yes, no]);
  switch (file.op) {
    case "ite":
      return choose(argument(file, 0), select(argument(file, 1), index), select(argument(file, 2), index));
    case "store": {
      const hit = and(eq(argument(file, 1), index), inFile(file, index));
      return choose(hit, argument(file, 2), select(argument(file, 0), index));
    }
    case "lambda": {
      const body = new Substitution(new Map([[boundVariable(file), index]])).apply(argument(file, 0));
      return choose(inFile(file, index), body, constant(fileSortOf(file).element, 0n));
    }
    default:
      throw new InternalDefect(`a ${file.op} where a file is needed`);
  }
}

function narrow(node: Node): NarrowNode {
  if (node.wide) throw new InternalDefect(`${node.term.op} is too wide for a number`);
  return node;
}

/** The leaf that decides on permissions: writing changes none. */
export function leafOf(memory: MemoryNode): MemoryLeaf {
  let at = memory;
  for (;;) {
    switch (at.kind) {
      case "leaf":
        return at.leaf;
      case "write":
        at = at.below;
        break;
      case "ite":
        at = at.condition.get() === 1 ? at.yes : at.no;
        break;
    }
  }
}

function loadFrom(memory: MemoryNode, address: bigint, bytes: number, width: number): bigint {
  let at = memory;
  for (;;) {
    switch (at.kind) {
      case "leaf":
        return at.leaf.load(address, bytes);
      case "ite":
        at = at.condition.get() === 1 ? at.yes : at.no;
        break;
      case "write": {
        const written = at.address.big();
        const above = BigInt.asUintN(width, address - written);
        if (width >= 16) {
          if (above + BigInt(bytes) <= BigInt(at.bytes))
            return BigInt.asUintN(8 * bytes, at.value.big() >> (8n * above));
          if (above >= BigInt(at.bytes) && BigInt.asUintN(width, written - address) >= BigInt(bytes)) {
            at = at.below;
            break;
          }
        }
        return bytewise(at, address, bytes);
      }
    }
  }
}

function bytewise(memory: MemoryNode, address: bigint, bytes: number): bigint {
  let value = 0n;
  for (let i = bytes - 1; i >= 0; i--) {
    const origin = originOf(memory, address + BigInt(i));
    const byte =
      origin.kind === "leaf"
        ? origin.leaf.load(address + BigInt(i), 1)
        : (origin.value.big() >> BigInt(8 * origin.byte)) & 0xffn;
    value = (value << 8n) | byte;
  }
  return value;
}

/** An operator whose arguments and result are numbers; `undefined` where numbers are not exact enough. */
function narrowOperator(
  t: Term,
  width: number,
  args: readonly NarrowNode[],
  a: NarrowNode,
  b: NarrowNode,
): (() => number) | undefined {
  if (width > NARROW) return undefined;
  const operand = scalarWidth(a.term.sort);
  const mask = 2 ** width - 1;
  const two = args.length === 2;
  switch (t.op) {
    case "not":
      return () => a.get() ^ 1;
    case "and":
      return () => {
        for (const arg of args) if (arg.get() === 0) return 0;
        return 1;
      };
    case "or":
      return () => {
        for (const arg of args) if (arg.get() === 1) return 1;
        return 0;
      };
    case "eq":
      return () => (a.get() === b.get() ? 1 : 0);
    case "ult":
      return () => (a.get() < b.get() ? 1 : 0);
    case "ule":
      return () => (a.get() <= b.get() ? 1 : 0);
    case "slt":
    case "sle": {
      const shift = 32 - operand;
      return t.op === "slt"
        ? () => (a.get() << shift < b.get() << shift ? 1 : 0)
        : () => (a.get() << shift <= b.get() << shift ? 1 : 0);
    }
    case "bvnot":
      return () => (a.get() ^ mask) >>> 0;
    case "bvand":
      return two ? () => (a.get() & b.get()) >>> 0 : () => args.reduce((x, n) => x & n.get(), -1) >>> 0;
    case "bvor":
      return two ? () => (a.get() | b.get()) >>> 0 : () => args.reduce((x, n) => x | n.get(), 0) >>> 0;
    case "bvxor":
      return two ? () => (a.get() ^ b.get()) >>> 0 : () => args.reduce((x, n) => x ^ n.get(), 0) >>> 0;
    case "add":
      return () => {
        let sum = 0;
        for (const arg of args) sum = (sum + arg.get()) | 0;
        return (sum & mask) >>> 0;
      };
    case "mul":
      return () => {
        let product = 1;
        for (const arg of args) product = Math.imul(product, arg.get());
        return (product & mask) >>> 0;
      };
    case "udiv":
      return () => (b.get() === 0 ? mask : Math.floor(a.get() / b.get()));
    case "urem":
      return () => (b.get() === 0 ? a.get() : a.get() % b.get());
    case "shl":
      return () => (b.get() >= width ? 0 : ((a.get() << b.get()) & mask) >>> 0);
    case "lshr":
      return () => (b.get() >= width ? 0 : a.get() >>> b.get());
    case "ashr": {
      const shift = 32 - width;
      return () => ((((a.get() << shift) >> shift) >> Math.min(b.get(), 31)) & mask) >>> 0;
    }
    case "concat":
      return () => {
        let value = 0;
        for (const arg of args) value = value * 2 ** scalarWidth(arg.term.sort) + arg.get();
        return value;
      };
    case "extract":
      return () => ((a.get() >>> t.lo) & mask) >>> 0;
    case "zext":
      return () => a.get();
    case "sext": {
      const shift = 32 - operand;
      return () => (((a.get() << shift) >> shift) & mask) >>> 0;
    }
    default:
      return undefined;
  }
}

function wideOperator(t: Term, width: number, args: readonly Node[], a: Node, b: Node): () => bigint {
  const operand = scalarWidth(a.term.sort);
  switch (t.op) {
    case "eq":
      return () => (a.big() === b.big() ? 1n : 0n);
    case "ult":
      return () => (a.big() < b.big() ? 1n : 0n);
    case "ule":
      return () => (a.big() <= b.big() ? 1n : 0n);
    case "slt":
      return () => (toSigned(a.big(), operand) < toSigned(b.big(), operand) ? 1n : 0n);
    case "sle":
      return () => (toSigned(a.big(), operand) <= toSigned(b.big(), operand) ? 1n : 0n);
    case "bvnot": {
      const mask = maskOf(width);
      return () => a.big() ^ mask;
    }
    case "bvand":
      return () => args.reduce((x, n) => x & n.big(), -1n);
    case "bvor":
      return () => args.reduce((x, n) => x | n.big(), 0n);
    case "bvxor":
      return () => args.reduce((x, n) => x ^ n.big(), 0n);
    case "add":
      return () =>
        BigInt.asUintN(
          width,
          args.reduce((x, n) => x + n.big(), 0n),
        );
    case "mul":
      return () =>
        BigInt.asUintN(
          width,
          args.reduce((x, n) => x * n.big(), 1n),
        );
    case "udiv":
      return () => (b.big() === 0n ? maskOf(width) : a.big() / b.big());
    case "urem":
      return () => (b.big() === 0n ? a.big() : a.big() % b.big());
    case "sdiv":
      return () => {
        const [x, y] = [toSigned(a.big(), width), toSigned(b.big(), width)];
        return y === 0n ? (x < 0n ? 1n : maskOf(width)) : BigInt.asUintN(width, x / y);
      };
    case "srem":
      return () => {
        const [x, y] = [toSigned(a.big(), width), toSigned(b.big(), width)];
        return y === 0n ? a.big() : BigInt.asUintN(width, x % y);
      };
    case "shl":
      return () => (b.big() >= BigInt(width) ? 0n : BigInt.asUintN(width, a.big() << b.big()));
    case "lshr":
      return () => (b.big() >= BigInt(width) ? 0n : a.big() >> b.big());
    case "ashr":
      return () => {
        const by = b.big() >= BigInt(width) ? BigInt(width) : b.big();
        return BigInt.asUintN(width, toSigned(a.big(), width) >> by);
      };
    case "concat": {
      const widths = args.map((arg) => BigInt(scalarWidth(arg.term.sort)));
      return () => args.reduce((value, arg, i) => (value << (widths[i] ?? 0n)) | arg.big(), 0n);
    }
    case "extract": {
      const lo = BigInt(t.lo);
      return () => BigInt.asUintN(width, a.big() >> lo);
    }
    case "zext":
      return () => a.big();
    case "sext":
      return () => BigInt.asUintN(width, toSigned(a.big(), operand));
    default:
      throw new InternalDefect(`${t.op} is not a scalar operator`);
  }
}
