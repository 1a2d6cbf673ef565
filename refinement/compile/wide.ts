/**
 * Values of more than 64 bits, as 64-bit limbs in locals, least significant first. The top limb is kept zero-extended.
 */
import { InternalDefect, unreachable } from "../errors.js";
import type { Term } from "../terms/term.js";
import type { Binding } from "./binding.js";
import { limbsOf } from "./layout.js";
import { type Piece, pieces } from "./lower.js";
import type { Plan } from "./plan.js";
import { argument, isWide, scalarWidth } from "./scalars.js";
import type { Support } from "./support.js";
import type { FunctionBuilder } from "./wasm.js";

export type Limb =
  | { readonly kind: "local"; readonly local: number }
  | { readonly kind: "constant"; readonly value: bigint };

/** What the wide values need of the narrow ones: `Expressions`. */
export interface Narrow {
  readonly support: Support;
  local(term: Term): number;
  bindingOf(term: Term): Binding | undefined;
  pushElement(file: Term, index: Term, limb: number): void;
  loadPiece(load: Term, at: number, bytes: Piece): void;
  external(term: Term, results: readonly ({ readonly push: true } | { readonly local: number })[]): void;
}

const ZERO: Limb = { kind: "constant", value: 0n };

function constantLimbs(value: bigint, width: number): Limb[] {
  return Array.from({ length: limbsOf(width) }, (_, i) => ({
    kind: "constant",
    value: BigInt.asUintN(64, value >> BigInt(64 * i)),
  }));
}

export class Wide {
  private readonly expressions: Narrow;
  private readonly code: FunctionBuilder;
  private readonly plan: Plan;
  private readonly memo = new Map<Term, readonly Limb[]>();

  constructor(expressions: Narrow, code: FunctionBuilder, plan: Plan) {
    this.expressions = expressions;
    this.code = code;
    this.plan = plan;
  }

  push(limb: Limb): void {
    if (limb.kind === "constant") this.code.i64(limb.value);
    else this.code.get(limb.local);
  }

  /** The limbs of a bit vector of any width. */
  limbs(term: Term): readonly Limb[] {
    const known = this.memo.get(term);
    if (known !== undefined) return known;
    if (!isWide(term)) {
      if (term.op === "const") return constantLimbs(term.value, 64);
      return [{ kind: "local", local: this.expressions.local(term) }];
    }
    const limbs = this.compute(term);
    if (this.plan.shared(term)) this.memo.set(term, limbs);
    return limbs;
  }

  /** Takes the i64 on the stack. */
  private keep(): Limb {
    const local = this.code.local("i64");
    this.code.set(local);
    return { kind: "local", local };
  }

  private limb(limbs: readonly Limb[], i: number): Limb {
    return limbs[i] ?? ZERO;
  }

  private compute(term: Term): readonly Limb[] {
    const width = scalarWidth(term);
    const count = limbsOf(width);
    switch (term.op) {
      case "const":
        return constantLimbs(term.value, width);
      case "var":
        return this.variable(term, count);
      case "ite": {
        const condition = this.expressions.local(argument(term, 0));
        const a = this.limbs(argument(term, 1));
        const b = this.limbs(argument(term, 2));
        return this.each(count, (i) => {
          this.push(this.limb(a, i));
          this.push(this.limb(b, i));
          this.code.get(condition);
          this.code.emit("select");
        });
      }
      case "bvnot": {
        const a = this.limbs(argument(term, 0));
        const inverted = this.each(count, (i) => {
          this.push(this.limb(a, i));
          this.code.i64(-1n);
          this.code.emit("i64.xor");
        });
        return this.trim(inverted, width);
      }
      case "bvand":
        return this.bitwise(term, count, "i64.and");
      case "bvor":
        return this.bitwise(term, count, "i64.or");
      case "bvxor":
        return this.bitwise(term, count, "i64.xor");
      case "add":
        return this.trim(
          this.reduce(term, (a, b) => this.add(a, b, count)),
          width,
        );
      case "mul":
        return this.trim(
          this.reduce(term, (a, b) => this.multiply(a, b, count)),
          width,
        );
      case "shl":
      case "lshr":
      case "ashr":
        return this.shift(term, width, count);
      case "concat":
        return this.concat(term, count);
      case "extract": {
        const inner = this.limbs(argument(term, 0));
        return this.trim(
          this.each(count, (i) => this.window(inner, term.lo + 64 * i)),
          width,
        );
      }
      case "zext": {
        const inner = this.limbs(argument(term, 0));
        return Array.from({ length: count }, (_, i) => this.limb(inner, i));
      }
      case "sext": {
        const inner = argument(term, 0);
        return this.trim(this.signed(inner, count), width);
      }
      case "select":
        return this.each(count, (i) => this.expressions.pushElement(argument(term, 0), argument(term, 1), i));
      case "udiv":
      case "urem":
      case "sdiv":
      case "srem":
      case "apply": {
        const results = Array.from(
          { length: count },
          () => ({ kind: "local", local: this.code.local("i64") }) as const,
        );
        this.expressions.external(term, results);
        return results;
      }
      case "load":
        return this.load(term, count);
      case "not":
      case "and":
      case "or":
      case "eq":
      case "ult":
      case "ule":
      case "slt":
      case "sle":
      case "accessible":
      case "store":
      case "lambda":
      case "write":
        throw new InternalDefect(`${term.op} is not a wide bit vector`);
      default:
        return unreachable(term.op);
    }
  }

  private load(term: Term, count: number): readonly Limb[] {
    const parts = pieces(term.bytes);
    return this.each(count, (i) => {
      for (const part of parts.filter((p) => Math.floor(p.at / 8) === i)) {
        this.expressions.loadPiece(term, part.at, part.bytes);
        if (part.at % 8 === 0) continue;
        this.code.i64(BigInt(8 * (part.at % 8)));
        this.code.emit("i64.shl", "i64.or");
      }
    });
  }

  private each(count: number, limb: (i: number) => void): Limb[] {
    return Array.from({ length: count }, (_, i) => {
      limb(i);
      return this.keep();
    });
  }

  /** Clears what stands above the width in the top limb. */
  private trim(limbs: readonly Limb[], width: number): readonly Limb[] {
    const used = width % 64;
    const top = limbs.at(-1);
    if (used === 0 || top === undefined) return limbs;
    this.push(top);
    this.code.i64((1n << BigInt(used)) - 1n);
    this.code.emit("i64.and");
    return [...limbs.slice(0, -1), this.keep()];
  }

  private variable(term: Term, count: number): readonly Limb[] {
    const binding = this.expressions.bindingOf(term);
    if (binding === undefined || binding.kind !== "cell")
      throw new InternalDefect(`the variable ${term.name} is nowhere`);
    return this.each(count, (i) => {
      if (binding.base === undefined) this.code.i32(0);
      else this.code.get(binding.base);
      this.code.memory("i64.load", binding.address + 8 * i);
    });
  }

  private bitwise(term: Term, count: number, instruction: "i64.and" | "i64.or" | "i64.xor"): readonly Limb[] {
    const args = term.args.map((arg) => this.limbs(arg));
    return this.each(count, (i) => {
      args.forEach((arg, k) => {
        this.push(this.limb(arg, i));
        if (k > 0) this.code.emit(instruction);
      });
    });
  }

  private reduce(term: Term, combine: (a: readonly Limb[], b: readonly Limb[]) => readonly Limb[]): readonly Limb[] {
    const [first, ...rest] = term.args.map((arg) => this.limbs(arg));
    if (first === undefined) throw new InternalDefect(`${term.op} without arguments`);
    return rest.reduce(combine, first);
  }

  private add(a: readonly Limb[], b: readonly Limb[], count: number): readonly Limb[] {
    const { code } = this;
    let carry: number | undefined;
    return Array.from({ length: count }, (_, i): Limb => {
      const x = this.limb(a, i);
      const sum = code.local("i64");
      this.push(x);
      this.push(this.limb(b, i));
      code.emit("i64.add");
      code.set(sum);
      const last = i === count - 1;
      const out = code.local("i64");
      const next = code.local("i32");
      if (!last) {
        code.get(sum);
        this.push(x);
        code.emit("i64.lt_u");
        code.set(next);
      }
      code.get(sum);
      if (carry !== undefined) {
        code.get(carry);
        code.emit("i64.extend_i32_u", "i64.add");
      }
      code.set(out);
      if (!last && carry !== undefined) {
        code.get(out);
        code.get(sum);
        code.emit("i64.lt_u");
        code.get(next);
        code.emit("i32.or");
        code.set(next);
      }
      carry = next;
      return { kind: "local", local: out };
    });
  }

  /** Schoolbook multiplication modulo 2^(64·count). */
  private multiply(a: readonly Limb[], b: readonly Limb[], count: number): readonly Limb[] {
    const { code } = this;
    let total: readonly Limb[] = Array.from({ length: count }, () => ZERO);
    for (let j = 0; j < count; j++) {
      const y = this.limb(b, j);
      if (y === ZERO || (y.kind === "constant" && y.value === 0n)) continue;
      const low: Limb[] = Array.from({ length: j }, () => ZERO);
      const high: Limb[] = Array.from({ length: j + 1 }, () => ZERO);
      for (let i = 0; i + j < count; i++) {
        const x = this.limb(a, i);
        this.push(x);
        this.push(y);
        code.emit("i64.mul");
        low.push(this.keep());
        if (i + j + 1 === count) break;
        this.push(x);
        this.push(y);
        code.call(this.expressions.support.mulhu);
        high.push(this.keep());
      }
      total = this.add(this.add(total, low, count), high, count);
    }
    return total;
  }

  /** Pushes 64 bits of a value from bit `lo` up; zeros beyond its limbs. */
  private window(limbs: readonly Limb[], lo: number): void {
    const { code } = this;
    const first = Math.floor(lo / 64);
    const shift = lo % 64;
    this.push(this.limb(limbs, first));
    if (shift === 0) return;
    code.i64(BigInt(shift));
    code.emit("i64.shr_u");
    this.push(this.limb(limbs, first + 1));
    code.i64(BigInt(64 - shift));
    code.emit("i64.shl", "i64.or");
  }

  /** Pushes `width` ≤ 64 bits from `lo` up, dirty above. */
  slice(term: Term, lo: number, width: number): void {
    const limbs = this.limbs(term);
    if ((lo % 64) + width <= 64) {
      this.push(this.limb(limbs, Math.floor(lo / 64)));
      if (lo % 64 > 0) {
        this.code.i64(BigInt(lo % 64));
        this.code.emit("i64.shr_u");
      }
      return;
    }
    this.window(limbs, lo);
  }

  private concat(term: Term, count: number): readonly Limb[] {
    const { code } = this;
    const pieces: (() => void)[][] = Array.from({ length: count }, () => []);
    let at = 0;
    for (const part of [...term.args].reverse()) {
      const limbs = this.limbs(part);
      const shift = at % 64;
      limbs.forEach((limb, i) => {
        if (limb.kind === "constant" && limb.value === 0n) return;
        const index = Math.floor(at / 64) + i;
        pieces[index]?.push(() => {
          this.push(limb);
          if (shift === 0) return;
          code.i64(BigInt(shift));
          code.emit("i64.shl");
        });
        if (shift === 0) return;
        pieces[index + 1]?.push(() => {
          this.push(limb);
          code.i64(BigInt(64 - shift));
          code.emit("i64.shr_u");
        });
      });
      at += scalarWidth(part);
    }
    return this.each(count, (i) => {
      const parts = pieces[i] ?? [];
      if (parts.length === 0) code.i64(0n);
      parts.forEach((piece, k) => {
        piece();
        if (k > 0) code.emit("i64.or");
      });
    });
  }

  /** The value sign-extended to `count` limbs, nothing trimmed. */
  private signed(term: Term, count: number): readonly Limb[] {
    const { code } = this;
    const width = scalarWidth(term);
    const limbs = this.limbs(term);
    const shift = BigInt(64 * limbs.length - width);
    this.push(this.limb(limbs, limbs.length - 1));
    if (shift > 0n) {
      code.i64(shift);
      code.emit("i64.shl");
      code.i64(shift);
      code.emit("i64.shr_s");
    }
    const top = this.keep();
    this.push(top);
    code.i64(63n);
    code.emit("i64.shr_s");
    const sign = this.keep();
    return Array.from({ length: count }, (_, i) => {
      if (i < limbs.length - 1) return this.limb(limbs, i);
      return i === limbs.length - 1 ? top : sign;
    });
  }

  /** Shifts by any amount; one past the width counts as the width. */
  private shift(term: Term, width: number, count: number): readonly Limb[] {
    const { code } = this;
    const [value, amount] = [argument(term, 0), argument(term, 1)];
    const arithmetic = term.op === "ashr";
    const source = arithmetic ? this.signed(value, 2 * count + 1) : this.limbs(value);
    if (amount.op === "const") {
      const by = amount.value > BigInt(64 * count) ? 64 * count : Number(amount.value);
      if (term.op !== "shl") {
        const extended = arithmetic ? source : source.slice(0, count);
        return this.trim(
          this.each(count, (i) => this.window(extended, by + 64 * i)),
          width,
        );
      }
      const padded = [...Array.from({ length: count }, () => ZERO), ...source];
      return this.trim(
        this.each(count, (i) => this.window(padded, 64 * count - by + 64 * i)),
        width,
      );
    }
    const clamped = this.clamp(this.limbs(amount), 64n * BigInt(count));
    const within = code.local("i64");
    const whole = code.local("i64");
    code.get(clamped);
    code.i64(63n);
    code.emit("i64.and");
    code.set(within);
    code.get(clamped);
    code.i64(6n);
    code.emit("i64.shr_u");
    code.set(whole);
    const left = term.op === "shl";
    /** Pushes the limb that `i` gets when the amount is `k` whole limbs and `within` bits. */
    const moved = (i: number, k: number): void => {
      const near = this.limb(source, left ? i - k : i + k);
      const far = this.limb(source, left ? i - k - 1 : i + k + 1);
      this.push(near);
      code.get(within);
      code.emit(left ? "i64.shl" : "i64.shr_u");
      // By 64 − within, in two steps so that 0 works.
      this.push(far);
      code.i64(1n);
      code.emit(left ? "i64.shr_u" : "i64.shl");
      code.i64(63n);
      code.get(within);
      code.emit("i64.sub", left ? "i64.shr_u" : "i64.shl", "i64.or");
    };
    const result = this.each(count, (i) => {
      moved(i, 0);
      for (let k = 1; k <= count; k++) {
        moved(i, k);
        code.get(whole);
        code.i64(BigInt(k));
        code.emit("i64.ne", "select");
      }
    });
    return this.trim(result, width);
  }

  /** A local with the amount, or `most` if that is less. */
  private clamp(amount: readonly Limb[], most: bigint): number {
    const { code } = this;
    const [low, ...upper] = amount;
    if (low === undefined) throw new InternalDefect("a value without limbs");
    this.push(low);
    code.i64(most);
    this.push(low);
    code.i64(most);
    code.emit("i64.lt_u");
    if (upper.length > 0) {
      upper.forEach((limb, i) => {
        this.push(limb);
        if (i > 0) code.emit("i64.or");
      });
      code.emit("i64.eqz", "i32.and");
    }
    code.emit("select");
    const local = code.local("i64");
    code.set(local);
    return local;
  }

  /** Pushes a == b (i32). */
  equal(a: Term, b: Term): void {
    const { code } = this;
    const [x, y] = [this.limbs(a), this.limbs(b)];
    x.forEach((limb, i) => {
      this.push(limb);
      this.push(this.limb(y, i));
      code.emit("i64.xor");
      if (i > 0) code.emit("i64.or");
    });
    code.emit("i64.eqz");
  }

  /** Pushes a < b (i32). */
  less(a: Term, b: Term, signed: boolean): void {
    const { code } = this;
    const count = limbsOf(scalarWidth(a));
    const x = signed ? this.signed(a, count) : this.limbs(a);
    const y = signed ? this.signed(b, count) : this.limbs(b);
    for (let i = 0; i < count; i++) {
      this.push(this.limb(x, i));
      this.push(this.limb(y, i));
      code.emit(signed && i === count - 1 ? "i64.lt_s" : "i64.lt_u");
      if (i === 0) continue;
      // The limbs below decide where these are equal: (equal & below) | less.
      const here = code.local("i32");
      code.set(here);
      this.push(this.limb(x, i));
      this.push(this.limb(y, i));
      code.emit("i64.eq", "i32.and");
      code.get(here);
      code.emit("i32.or");
    }
  }
}
