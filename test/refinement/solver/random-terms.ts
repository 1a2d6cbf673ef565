/**
 * Random terms over a few variables of every sort, for comparing what solvers and evaluators say about them.
 */
import { Generator } from "../../../refinement/solver/generator.js";
import * as b from "../../../refinement/terms/build.js";
import { bits, BOOL, file, memory, type Sort } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";

export interface Shape {
  readonly variables: readonly Term[];
  /** Widths of bit vectors that may occur. */
  readonly widths: readonly number[];
}

export const SCALARS: Shape = {
  variables: [b.variable("p", BOOL), b.variable("x", bits(3)), b.variable("y", bits(3)), b.variable("z", bits(2))],
  widths: [1, 2, 3],
};

export const FILES: Shape = {
  variables: [b.variable("x", bits(2)), b.variable("y", bits(2)), b.variable("f", file(3, 2)), b.variable("p", BOOL)],
  widths: [1, 2],
};

export const WIDE: Shape = {
  variables: ["x", "y", "z"].map((name) => b.variable(name, bits(64))).concat(b.variable("p", BOOL)),
  widths: [1, 8, 32, 33, 64],
};

/** Every operator on memory, in address spaces from tiny to full. */
export function memoryShape(address: number): Shape {
  return {
    variables: [
      b.variable("m", memory(address)),
      b.variable("a", bits(address)),
      b.variable("b", bits(address)),
      b.variable("v", bits(16)),
      b.variable("f", file(4, address)),
      b.variable("p", BOOL),
    ],
    widths: [1, 8, 16, address],
  };
}

export class RandomTerms {
  readonly generator: Generator;
  private readonly shape: Shape;

  constructor(seed: number, shape: Shape) {
    this.generator = new Generator(seed);
    this.shape = shape;
  }

  bool(depth: number): Term {
    const g = this.generator;
    const again = (): Term => this.bool(depth - 1);
    const width = g.pick(this.shape.widths) ?? 1;
    const two = (make: (x: Term, y: Term) => Term): Term =>
      make(this.bits(width, depth - 1), this.bits(width, depth - 1));
    if (depth <= 0) return this.leaf(BOOL) ?? b.bool(g.chance(0.5));
    switch (g.below(13)) {
      case 0:
        return this.leaf(BOOL) ?? again();
      case 1:
        return b.not(again());
      case 2:
        return b.and(again(), again(), again());
      case 3:
        return b.or(again(), again());
      case 4:
        return b.ite(again(), again(), again());
      case 5:
        return b.eq(again(), again());
      case 6:
        return two(b.ult);
      case 7:
        return two(b.ule);
      case 8:
        return two(b.slt);
      case 9:
        return two(b.sle);
      case 10:
        return this.accessible(depth) ?? two(b.eq);
      case 11:
        return b.apply("holds", BOOL, [this.bits(width, depth - 1)]);
      default:
        return two(b.eq);
    }
  }

  bits(width: number, depth: number): Term {
    const g = this.generator;
    const again = (): Term => this.bits(width, depth - 1);
    if (depth <= 0) {
      const leaf = g.chance(0.75) ? this.leaf(bits(width)) : undefined;
      return leaf ?? b.constant(width, g.chance(0.5) ? g.bits(width) : BigInt(g.below(3) - 1));
    }
    switch (g.below(24)) {
      case 0:
        return b.bvnot(again());
      case 1:
        return b.bvand(again(), again());
      case 2:
        return b.bvor(again(), again(), again());
      case 3:
        return b.bvxor(again(), again());
      case 4:
        return b.add(again(), again());
      case 5:
        return b.sub(again(), again());
      case 6:
        return b.mul(again(), again());
      case 7:
        return b.udiv(again(), again());
      case 8:
        return b.urem(again(), again());
      case 9:
        return b.sdiv(again(), again());
      case 10:
        return b.srem(again(), again());
      case 11:
        return b.shl(again(), again());
      case 12:
        return b.lshr(again(), again());
      case 13:
        return b.ashr(again(), again());
      case 14:
        return b.ite(this.bool(depth - 1), again(), again());
      case 15:
        return this.concat(width, depth) ?? again();
      case 16: {
        const wider = this.shape.widths.find((w) => w > width);
        if (wider === undefined) return again();
        const lo = g.below(wider - width + 1);
        return b.extract(this.bits(wider, depth - 1), lo + width - 1, lo);
      }
      case 17:
      case 18: {
        const narrower = this.shape.widths.filter((w) => w < width);
        const from = g.pick(narrower);
        if (from === undefined) return again();
        return g.chance(0.5) ? b.zext(this.bits(from, depth - 1), width) : b.sext(this.bits(from, depth - 1), width);
      }
      case 19:
        return b.apply("f", bits(width), [this.bool(depth - 1), again()]);
      default:
        return this.read(width, depth) ?? this.leaf(bits(width)) ?? again();
    }
  }

  private leaf(sort: Sort): Term | undefined {
    return this.generator.pick(this.shape.variables.filter((v) => v.sort === sort));
  }

  private concat(width: number, depth: number): Term | undefined {
    const low = this.generator.pick(
      this.shape.widths.filter((w) => w < width && this.shape.widths.includes(width - w)),
    );
    if (low === undefined) return undefined;
    return b.concat(this.bits(width - low, depth - 1), this.bits(low, depth - 1));
  }

  private read(width: number, depth: number): Term | undefined {
    const files = this.shape.variables.filter((v) => v.sort.kind === "file" && v.sort.element === width);
    const memories = width % 8 === 0 ? this.shape.variables.filter((v) => v.sort.kind === "memory") : [];
    const base = this.generator.pick([...files, ...memories]);
    if (base?.sort.kind === "file") return b.select(this.file(base, depth - 1), this.bits(base.sort.index, depth - 1));
    if (base?.sort.kind === "memory") {
      return b.load(this.memory(base, depth - 1), this.bits(base.sort.address, depth - 1), width / 8);
    }
    return undefined;
  }

  private accessible(depth: number): Term | undefined {
    const base = this.leafOfKind("memory");
    if (base?.sort.kind !== "memory") return undefined;
    const access = this.generator.pick(["fetch", "load", "store"] as const) ?? "load";
    const address = this.bits(base.sort.address, depth - 1);
    return b.accessible(this.memory(base, depth - 1), access, address, 1 + this.generator.below(3));
  }

  private leafOfKind(kind: Sort["kind"]): Term | undefined {
    return this.generator.pick(this.shape.variables.filter((v) => v.sort.kind === kind));
  }

  private file(base: Term, depth: number): Term {
    const sort = base.sort;
    if (depth <= 0 || sort.kind !== "file") return base;
    switch (this.generator.below(4)) {
      case 0:
        return b.store(
          this.file(base, depth - 1),
          this.bits(sort.index, depth - 1),
          this.bits(sort.element, depth - 1),
        );
      case 1:
        return b.ite(this.bool(depth - 1), this.file(base, depth - 1), this.file(base, depth - 1));
      case 2: {
        const inner = this.file(base, depth - 1);
        const other = this.bits(sort.index, depth - 1);
        const added = this.bits(sort.element, depth - 1);
        return b.lambda(sort, (i) => b.ite(b.ult(i, other), b.select(inner, b.bvxor(i, other)), added));
      }
      default:
        return base;
    }
  }

  private memory(base: Term, depth: number): Term {
    const sort = base.sort;
    if (depth <= 0 || sort.kind !== "memory") return base;
    const before = (): Term => this.memory(base, depth - 1);
    if (this.generator.chance(0.2)) return b.ite(this.bool(depth - 1), before(), before());
    if (this.generator.chance(0.3)) return base;
    const bytes = this.generator.chance(0.5) ? 1 : 2;
    return b.write(before(), this.bits(sort.address, depth - 1), bytes, this.bits(8 * bytes, depth - 1));
  }
}
