/**
 * Changes variables so that a term comes to have a wanted value: the value is pushed down through operators that can be
 * inverted, one argument at a time, to a variable, an element or bytes (A. Niemetz, M. Preiner, A. Biere, "Propagation based
 * local search for bit-precise reasoning", 2017). One push may spoil what another achieved; repeated, at random, they
 * find states that satisfy the hypotheses of real obligations within some tens of pushes.
 */
import { argument, widthOf } from "../terms/construct.js";
import { maskOf, scalarWidth, toSigned } from "../terms/operators.js";
import { type Assignment, ScalarLeaf } from "./assignment.js";
import type { Corners } from "./corners.js";
import type { Generator } from "./generator.js";
import { type Compiler, leafOf, type Node, originOf } from "./nodes.js";

export class Repair {
  private readonly compiler: Compiler;
  private readonly assignment: Assignment;
  private readonly corners: Corners;
  private readonly generator: Generator;
  /** Pushes left before this repair gives up. */
  private fuel = 0;

  constructor(compiler: Compiler, assignment: Assignment, corners: Corners, generator: Generator) {
    this.compiler = compiler;
    this.assignment = assignment;
    this.corners = corners;
    this.generator = generator;
  }

  /**
   * Tries to make `node` worth `target`. False where nothing was changed. Values of nodes are stale afterwards: the caller
   * lets the clock tick.
   */
  push(node: Node, target: bigint): boolean {
    this.fuel = 200;
    return this.to(node, target) || this.shake(node);
  }

  /** Draws anew some variable that `node` depends on. */
  shake(node: Node): boolean {
    this.fuel = 50;
    for (let at = node; ; ) {
      const next = at.args.length === 0 ? undefined : this.generator.pick(at.args);
      if (next === undefined || at.term.op === "select" || at.term.op === "load" || at.term.op === "accessible") {
        const width = scalarWidth(at.term.sort);
        return this.to(at, width === 1 ? at.big() ^ 1n : this.corners.draw(width));
      }
      at = next;
    }
  }

  private to(node: Node, target: bigint): boolean {
    if (node.big() === target) return true;
    if (this.fuel-- <= 0) return false;
    const { term } = node;
    switch (term.op) {
      case "const":
      case "apply":
        return false;
      case "var": {
        const leaf = this.assignment.leaf(term);
        return leaf instanceof ScalarLeaf && leaf.write(target);
      }
      case "select":
        return this.element(node, target);
      case "load":
        return this.bytes(node, target);
      case "accessible":
        return this.permission(node, target === 1n);
      case "ite":
        return this.branch(node, target);
      case "not":
        return this.through(node, 0, target ^ 1n);
      case "and":
        return this.connective(node, target, 1n);
      case "or":
        return this.connective(node, target, 0n);
      case "eq":
        return target === 1n ? this.equal(node) : this.different(node);
      case "ult":
      case "ule":
      case "slt":
      case "sle":
        return this.order(node, target === 1n);
      case "concat":
        return this.parts(node, target);
      default:
        return this.anyArgument(node, (i) => this.inverse(node, i, target));
    }
  }

  private through(node: Node, i: number, target: bigint): boolean {
    const arg = node.args[i];
    return arg !== undefined && this.to(arg, target);
  }

  /** The first argument, in random order, for which `wanted` has a value that can be pushed into it. */
  private anyArgument(node: Node, wanted: (i: number) => bigint | undefined): boolean {
    const order = node.args.length === 1 ? [0] : this.generator.shuffled([...node.args.keys()]);
    for (const i of order) {
      if (node.args[i]?.term.op === "const") continue;
      const target = wanted(i);
      if (target !== undefined && this.through(node, i, target)) return true;
    }
    return false;
  }

  private element(node: Node, target: bigint): boolean {
    const file = this.compiler.file(argument(node.term, 0));
    const index = node.args[0];
    if (index === undefined) return false;
    const other = file.find(target);
    if (other !== undefined && this.generator.chance(0.2) && this.to(index, BigInt(other))) return true;
    if (file.write(Number(index.big()), target)) return true;
    return this.to(index, BigInt(other ?? this.generator.below(file.sort.count)));
  }

  private bytes(node: Node, target: bigint): boolean {
    const memory = this.compiler.memory(argument(node.term, 0));
    const address = node.args[0];
    if (address === undefined) return false;
    if (this.generator.chance(0.05)) return this.to(address, this.corners.draw(scalarWidth(address.term.sort)));
    const written = new Map<Node, bigint>();
    for (let i = 0; i < node.term.bytes; i++) {
      const at = address.big() + BigInt(i);
      const byte = (target >> BigInt(8 * i)) & 0xffn;
      const origin = originOf(memory, at);
      if (origin.kind === "leaf") origin.leaf.store(at, 1, byte);
      else {
        const value = written.get(origin.value) ?? origin.value.big();
        const shift = BigInt(8 * origin.byte);
        written.set(origin.value, (value & ~(0xffn << shift)) | (byte << shift));
      }
    }
    let all = true;
    for (const [value, wanted] of written) if (!this.to(value, wanted)) all = false;
    return all;
  }

  private permission(node: Node, granted: boolean): boolean {
    const address = node.args[0];
    if (address === undefined) return false;
    const leaf = leafOf(this.compiler.memory(argument(node.term, 0)));
    leaf.grant(node.term.access, address.big(), node.term.bytes, granted);
    return true;
  }

  private branch(node: Node, target: bigint): boolean {
    const [condition, yes, no] = node.args;
    if (condition === undefined || yes === undefined || no === undefined) return false;
    const holds = condition.big();
    const [taken, other] = holds === 1n ? [yes, no] : [no, yes];
    const flip = (): boolean => this.to(condition, holds ^ 1n);
    if (other.big() === target && this.generator.chance(0.7) && flip()) return true;
    if (this.generator.chance(0.8) && this.to(taken, target)) return true;
    return this.to(other, target) && flip();
  }

  /** `and` with its unit 1, `or` with 0: to the unit every argument has to go, away from it any one. */
  private connective(node: Node, target: bigint, unit: bigint): boolean {
    if (target !== unit) return this.anyArgument(node, () => target);
    let all = true;
    for (const arg of node.args) if (!this.to(arg, unit)) all = false;
    return all;
  }

  private equal(node: Node): boolean {
    const [a, b] = node.args;
    if (a === undefined || b === undefined) return false;
    const [first, second] = this.generator.chance(0.5) ? [a, b] : [b, a];
    return this.to(first, second.big()) || this.to(second, first.big());
  }

  private different(node: Node): boolean {
    return this.anyArgument(node, (i) => {
      const arg = node.args[i];
      if (arg === undefined) return undefined;
      const width = scalarWidth(arg.term.sort);
      if (width === 1) return arg.big() ^ 1n;
      const drawn = this.generator.chance(0.5)
        ? this.corners.draw(width)
        : arg.big() ^ (1n << BigInt(this.generator.below(width)));
      return drawn === arg.big() ? drawn ^ 1n : drawn;
    });
  }

  /** a < b or a ≤ b or neither: one side goes to where it belongs, to the very edge every other time. */
  private order(node: Node, wanted: boolean): boolean {
    const { op } = node.term;
    const [a, b] = node.args;
    if (a === undefined || b === undefined) return false;
    const width = widthOf(a.term);
    const signed = op === "slt" || op === "sle";
    const strict = op === "ult" || op === "slt";
    // Signed order is unsigned order with the sign bit flipped.
    const flip = signed ? 1n << BigInt(width - 1) : 0n;
    const [x, y] = [a.big() ^ flip, b.big() ^ flip];
    const max = maskOf(width);
    const between = (lo: bigint, hi: bigint, edge: bigint): bigint | undefined => {
      if (lo > hi) return undefined;
      if (this.generator.chance(0.5)) return edge;
      const drawn = this.corners.draw(width);
      return drawn >= lo && drawn <= hi ? drawn : lo + (drawn % (hi - lo + 1n));
    };
    // With d = 1 for a strict relation that should hold or a weak one that should not: x ≤ y − d, or x ≥ y + d.
    const d = strict === wanted ? 1n : 0n;
    return this.anyArgument(node, (i) => {
      let value: bigint | undefined;
      if (wanted) value = i === 0 ? between(0n, y - d, y - d) : between(x + d, max, x + d);
      else value = i === 0 ? between(y + d, max, y + d) : between(0n, x - d, x - d);
      return value === undefined ? undefined : value ^ flip;
    });
  }

  private parts(node: Node, target: bigint): boolean {
    let all = true;
    let rest = target;
    for (const arg of node.args.toReversed()) {
      const width = scalarWidth(arg.term.sort);
      if (!this.to(arg, BigInt.asUintN(width, rest))) all = false;
      rest >>= BigInt(width);
    }
    return all;
  }

  /** A value for argument i with which the operator gives `target`, the others staying as they are; or one on the way there. */
  private inverse(node: Node, i: number, target: bigint): bigint | undefined {
    const { term } = node;
    const arg = node.args[i];
    if (arg === undefined) return undefined;
    const width = scalarWidth(term.sort);
    const current = arg.big();
    const others = (combine: (x: bigint, y: bigint) => bigint, unit: bigint): bigint =>
      node.args.reduce((x, n, j) => (j === i ? x : combine(x, n.big())), unit);
    const free = (): bigint => (this.generator.chance(0.5) ? current : this.generator.bits(width));
    switch (term.op) {
      case "bvnot":
        return target ^ maskOf(width);
      case "bvxor":
        return target ^ others((x, y) => x ^ y, 0n);
      case "bvand": {
        const mask = others((x, y) => x & y, maskOf(width));
        return target | (free() & ~mask & maskOf(width));
      }
      case "bvor": {
        const set = others((x, y) => x | y, 0n);
        return (target & ~set) | (free() & set & target);
      }
      case "add":
        return BigInt.asUintN(width, target - others((x, y) => x + y, 0n));
      case "mul":
        return this.factor(
          BigInt.asUintN(
            width,
            others((x, y) => x * y, 1n),
          ),
          target,
          width,
        );
      case "zext":
        return target < 1n << BigInt(widthOf(arg.term)) ? target : undefined;
      case "sext": {
        const narrowWidth = widthOf(arg.term);
        const low = BigInt.asUintN(narrowWidth, target);
        return BigInt.asUintN(width, toSigned(low, narrowWidth)) === target ? low : undefined;
      }
      case "extract": {
        const mask = maskOf(width) << BigInt(term.lo);
        return (current & ~mask) | (target << BigInt(term.lo));
      }
      case "shl":
      case "lshr":
      case "ashr":
        return i === 0 ? this.unshift(node, target, free()) : BigInt(this.generator.below(width));
      case "udiv": {
        const divisor = others((x, y) => x + y, 0n);
        if (i === 1 || divisor === 0n) return this.corners.draw(width);
        const value = target * divisor;
        return value <= maskOf(width) ? value : undefined;
      }
      case "urem":
        return i === 0 ? target : this.corners.draw(width);
      default:
        return this.corners.draw(scalarWidth(arg.term.sort));
    }
  }

  /** x with x · factor = target modulo 2^width, if there is one: the odd part is inverted, high bits may be anything. */
  private factor(factor: bigint, target: bigint, width: number): bigint | undefined {
    if (factor === 0n) return undefined;
    let twos = 0n;
    while (((factor >> twos) & 1n) === 0n) twos++;
    if ((target & ((1n << twos) - 1n)) !== 0n) return undefined;
    const odd = factor >> twos;
    // Newton: each step doubles the number of right bits.
    let inverse = 1n;
    for (let right = 1; right < width; right *= 2) inverse = BigInt.asUintN(width, inverse * (2n - odd * inverse));
    const low = BigInt.asUintN(width - Number(twos), (target >> twos) * inverse);
    return low | BigInt.asUintN(width, this.generator.bits(width) << (BigInt(width) - twos));
  }

  private unshift(node: Node, target: bigint, free: bigint): bigint | undefined {
    const width = scalarWidth(node.term.sort);
    const by = node.args[1]?.big() ?? 0n;
    if (by >= BigInt(width)) return undefined;
    if (node.term.op === "shl") {
      const low = (target >> by) & maskOf(width - Number(by));
      return low | (free & ~maskOf(width - Number(by)) & maskOf(width));
    }
    return BigInt.asUintN(width, target << by) | (free & maskOf(Number(by)));
  }
}
