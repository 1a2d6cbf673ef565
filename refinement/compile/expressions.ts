/**
 * Terms of at most 64 bits (and bools) to WebAssembly. A value is an i64, kept zero-extended from its width; where only
 * its low bits matter ("dirty") the mask is left out. A bool is an i32 of 0 or 1. Wider values: wide.ts.
 */
import { InternalDefect, unreachable } from "../errors.js";
import { definitionOf } from "../terms/definitions.js";
import type { Term } from "../terms/term.js";
import { emitAccessible, emitLoad, emitProbe, type Probe } from "./access.js";
import type { Binding, Bindings } from "./binding.js";
import type { MemoryPlace } from "./layout.js";
import { argument, isWide, scalarWidth } from "./scalars.js";
import { type Piece, pieces } from "./lower.js";
import type { Plan, Scope } from "./plan.js";
import { type Support, termLimbs } from "./support.js";
import { Unsupported } from "./unsupported.js";
import type { FunctionBuilder, PlainInstruction } from "./wasm.js";
import { type Limb, Wide } from "./wide.js";

const ONES = 0xffff_ffff_ffff_ffffn;

/** No value of the term is greater. */
function bound(term: Term): bigint {
  const all = (1n << BigInt(scalarWidth(term))) - 1n;
  switch (term.op) {
    case "const":
      return term.value;
    case "zext":
      return bound(argument(term, 0));
    case "ite": {
      const [a, b] = [bound(argument(term, 1)), bound(argument(term, 2))];
      if (a > b) return a;
      return b;
    }
    case "bvand":
      return term.args.reduce((least, arg) => (arg.op === "const" && arg.value < least ? arg.value : least), all);
    case "concat": {
      const top = term.args.findIndex((arg) => arg.op !== "const" || arg.value !== 0n);
      if (top < 0) return 0n;
      return (1n << BigInt(term.args.slice(top).reduce((sum, arg) => sum + scalarWidth(arg), 0))) - 1n;
    }
    default:
      return all;
  }
}

/** Generates more code before a read of `bytes` bytes of memory at the address in an i64 local. */
export type OnRead = (place: MemoryPlace, probe: Probe, address: number, bytes: number) => void;

export class Expressions {
  private readonly onRead: OnRead | undefined;
  readonly code: FunctionBuilder;
  readonly support: Support;
  private readonly plan: Plan;
  private readonly bindings: Bindings;
  private readonly locals = new Map<Term, number>();
  private readonly probes: {
    readonly key: string;
    readonly scope: Scope;
    readonly address: number;
    readonly probe: Probe;
  }[] = [];
  private readonly wide: Wide;
  private scope: Scope;

  /** The plan is finished; code is appended to `code`, starting in the plan's root. */
  constructor(code: FunctionBuilder, support: Support, plan: Plan, bindings: Bindings, onRead?: OnRead) {
    this.code = code;
    this.onRead = onRead;
    this.support = support;
    this.plan = plan;
    this.bindings = bindings;
    this.scope = plan.root;
    this.wide = new Wide(this, code, plan);
  }

  /** Computes what `scope`, about to be entered from here, and others share. */
  prepare(scope: Scope): void {
    for (const term of this.plan.before(scope)) this.keep(term);
  }

  /** Generates `body` as the code of `scope`, which must have been prepared. */
  within(scope: Scope, body: () => void): void {
    const outer = this.scope;
    this.scope = scope;
    body();
    this.scope = outer;
  }

  /** Computes a term into locals, for later. */
  keep(term: Term): void {
    if (isWide(term)) {
      this.wide.limbs(term);
      return;
    }
    if (this.locals.has(term) || this.plan.trivial(term)) return;
    this.compute(term, false);
    const local = this.code.local(term.sort.kind === "bool" ? "i32" : "i64");
    this.code.set(local);
    this.locals.set(term, local);
  }

  /** A local (i64, or i32 for a bool) with the term's value. */
  local(term: Term): number {
    const known = this.locals.get(term);
    if (known !== undefined) return known;
    const binding = this.bindings(term);
    if (binding !== undefined && binding.kind === "local") return binding.local;
    this.push(term);
    const local = this.code.local(term.sort.kind === "bool" ? "i32" : "i64");
    this.code.set(local);
    if (!this.plan.trivial(term) && this.plan.shared(term)) this.locals.set(term, local);
    return local;
  }

  limbs(term: Term): readonly Limb[] {
    return this.wide.limbs(term);
  }

  /**
   * Pushes the value: i32 for a bool, i64 for bits. If `dirty`, bits from the term's width up may be anything.
   */
  push(term: Term, dirty = false): void {
    if (term.op === "const") {
      if (term.sort.kind === "bool") this.code.i32(Number(term.value));
      else this.code.i64(term.value);
      return;
    }
    const known = this.locals.get(term);
    if (known !== undefined) {
      this.code.get(known);
      return;
    }
    const binding = this.bindings(term);
    if (binding !== undefined) {
      this.pushBinding(term, binding);
      return;
    }
    if (this.plan.shared(term)) {
      this.compute(term, false);
      const local = this.code.local(term.sort.kind === "bool" ? "i32" : "i64");
      this.code.tee(local);
      this.locals.set(term, local);
      return;
    }
    this.compute(term, dirty);
  }

  bindingOf(term: Term): Binding | undefined {
    return this.bindings(term);
  }

  private pushBinding(term: Term, binding: Binding): void {
    switch (binding.kind) {
      case "local":
        this.code.get(binding.local);
        return;
      case "cell":
        if (binding.base === undefined) this.code.i32(0);
        else this.code.get(binding.base);
        this.code.memory(term.sort.kind === "bool" ? "i32.load" : "i64.load", binding.address);
        return;
      case "file":
      case "memory":
        throw new InternalDefect(`the ${binding.kind} ${term.name} is used as a scalar`);
      default:
        unreachable(binding);
    }
  }

  /** Pushes an i64 whose 64 bits are the sign-extended value. */
  private pushSigned(term: Term): void {
    const width = scalarWidth(term);
    if (term.op === "const") {
      this.code.i64(BigInt.asIntN(width, term.value));
      return;
    }
    if (term.op === "sext" && !this.locals.has(term) && !this.plan.shared(term)) {
      this.pushSigned(argument(term, 0));
      return;
    }
    this.push(term, true);
    this.signExtend(width);
  }

  private signExtend(width: number): void {
    switch (width) {
      case 64:
        return;
      case 8:
        this.code.emit("i64.extend8_s");
        return;
      case 16:
        this.code.emit("i64.extend16_s");
        return;
      case 32:
        this.code.emit("i64.extend32_s");
        return;
      default:
        this.code.i64(BigInt(64 - width));
        this.code.emit("i64.shl");
        this.code.i64(BigInt(64 - width));
        this.code.emit("i64.shr_s");
    }
  }

  private mask(width: number, dirty: boolean): void {
    if (dirty || width >= 64) return;
    this.code.i64((1n << BigInt(width)) - 1n);
    this.code.emit("i64.and");
  }

  private compute(term: Term, dirty: boolean): void {
    const { code } = this;
    const width = scalarWidth(term);
    switch (term.op) {
      case "const":
        this.push(term);
        return;
      case "var":
        throw new InternalDefect(`the variable ${term.name} is nowhere`);
      case "not":
        this.push(argument(term, 0));
        code.emit("i32.eqz");
        return;
      case "and":
      case "or":
        this.junction(term);
        return;
      case "eq":
        this.equal(argument(term, 0), argument(term, 1));
        return;
      case "ult":
      case "ule":
        this.compare(term, "i64.lt_u", "i64.le_u", false);
        return;
      case "slt":
      case "sle":
        this.compare(term, "i64.lt_s", "i64.le_s", true);
        return;
      case "ite":
        this.choice(term, dirty);
        return;
      case "bvnot":
        this.push(argument(term, 0), true);
        code.i64(ONES);
        code.emit("i64.xor");
        this.mask(width, dirty);
        return;
      case "bvand": {
        const masked = term.args.some((arg) => arg.op === "const");
        this.fold(term.args, "i64.and", dirty || masked);
        return;
      }
      case "bvor":
        this.fold(term.args, "i64.or", dirty);
        return;
      case "bvxor":
        this.fold(term.args, "i64.xor", dirty);
        return;
      case "add":
        this.sum(term.args);
        this.mask(width, dirty);
        return;
      case "mul":
        this.fold(term.args, "i64.mul", true);
        this.mask(width, dirty);
        return;
      case "udiv":
      case "urem":
      case "sdiv":
      case "srem":
        this.divide(term, dirty);
        return;
      case "shl":
      case "lshr":
      case "ashr":
        this.shift(term, dirty);
        return;
      case "concat":
        this.concat(term, dirty);
        return;
      case "extract":
        this.extract(term, dirty);
        return;
      case "zext":
        this.push(argument(term, 0));
        return;
      case "sext":
        this.pushSigned(argument(term, 0));
        this.mask(width, dirty);
        return;
      case "select":
        this.pushElement(argument(term, 0), argument(term, 1), 0);
        return;
      case "load":
        this.load(term);
        return;
      case "accessible":
        this.accessible(term);
        return;
      case "apply":
        if (definitionOf(term.name) === undefined) this.external(term, [{ push: true }]);
        else this.defined(term);
        return;
      case "store":
      case "lambda":
      case "write":
        throw new InternalDefect(`${term.op} has not been lowered`);
      default:
        unreachable(term.op);
    }
  }

  private fold(args: readonly Term[], instruction: PlainInstruction, dirty: boolean): void {
    args.forEach((arg, i) => {
      this.push(arg, dirty);
      if (i > 0) this.code.emit(instruction);
    });
  }

  /** Linear normal form writes a − b as a + (−1)·b. */
  private sum(args: readonly Term[]): void {
    const negated = (arg: Term): Term | undefined => {
      if (arg.op !== "mul" || arg.args.length !== 2 || this.plan.shared(arg)) return undefined;
      const minusOne = (1n << BigInt(scalarWidth(arg))) - 1n;
      const [a, b] = [argument(arg, 0), argument(arg, 1)];
      if (a.op === "const" && a.value === minusOne) return b;
      return b.op === "const" && b.value === minusOne ? a : undefined;
    };
    const plus = args.filter((arg) => negated(arg) === undefined);
    const minus = args.flatMap((arg) => negated(arg) ?? []);
    // A constant last, where the machine has an immediate for it.
    const ordered = [...plus.filter((arg) => arg.op !== "const"), ...plus.filter((arg) => arg.op === "const")];
    if (ordered.length === 0) this.code.i64(0n);
    this.fold(ordered, "i64.add", true);
    for (const arg of minus) {
      this.push(arg, true);
      this.code.emit("i64.sub");
    }
  }

  private junction(term: Term): void {
    const { code } = this;
    const conjunction = term.op === "and";
    const shape = this.plan.shape(term);
    if (shape.kind !== "chain") {
      this.fold(term.args, conjunction ? "i32.and" : "i32.or", false);
      return;
    }
    this.fold(shape.first, conjunction ? "i32.and" : "i32.or", false);
    const rest = (i: number): void => {
      const step = shape.later[i];
      if (step === undefined) return;
      this.prepare(step.scope);
      const evaluate = (): void => {
        this.within(step.scope, () => {
          this.push(step.term);
          rest(i + 1);
        });
      };
      if (conjunction) code.if(evaluate, () => code.i32(0), "i32");
      else code.if(() => code.i32(1), evaluate, "i32");
    };
    rest(0);
  }

  private equal(a: Term, b: Term): void {
    const { code } = this;
    if (a.sort.kind === "bool") {
      this.push(a);
      this.push(b);
      code.emit("i32.eq");
      return;
    }
    if (isWide(a)) {
      this.wide.equal(a, b);
      return;
    }
    const [x, y] = a.op === "const" ? [b, a] : [a, b];
    this.push(x);
    if (y.op === "const" && y.value === 0n) {
      code.emit("i64.eqz");
      return;
    }
    this.push(y);
    code.emit("i64.eq");
  }

  private compare(term: Term, less: PlainInstruction, lessOrEqual: PlainInstruction, signed: boolean): void {
    const [a, b] = [argument(term, 0), argument(term, 1)];
    const strict = term.op === "ult" || term.op === "slt";
    if (isWide(a)) {
      // a ≤ b is ¬(b < a).
      if (strict) this.wide.less(a, b, signed);
      else {
        this.wide.less(b, a, signed);
        this.code.emit("i32.eqz");
      }
      return;
    }
    for (const operand of [a, b]) {
      if (signed) this.pushSigned(operand);
      else this.push(operand);
    }
    this.code.emit(strict ? less : lessOrEqual);
  }

  private choice(term: Term, dirty: boolean): void {
    const { code } = this;
    const [condition, a, b] = [argument(term, 0), argument(term, 1), argument(term, 2)];
    const type = term.sort.kind === "bool" ? "i32" : "i64";
    const shape = this.plan.shape(term);
    if (shape.kind === "choice") {
      this.push(condition);
      this.prepare(shape.taken);
      this.prepare(shape.otherwise);
      code.if(
        () => this.within(shape.taken, () => this.push(a, dirty)),
        () => this.within(shape.otherwise, () => this.push(b, dirty)),
        type,
      );
      return;
    }
    const constants = a.op === "const" && b.op === "const";
    if (constants && type === "i64" && a.value === 1n && b.value === 0n) {
      this.push(condition);
      code.emit("i64.extend_i32_u");
      return;
    }
    if (constants && type === "i64" && a.value === 0n && b.value === 1n) {
      this.push(condition);
      code.emit("i32.eqz", "i64.extend_i32_u");
      return;
    }
    this.push(a, dirty);
    this.push(b, dirty);
    this.push(condition);
    code.emit("select");
  }

  /** SMT-LIB: x/0 is all ones (signed: 1 for negative x, else −1), x%0 is x; the most negative by −1 wraps. */
  private divide(term: Term, dirty: boolean): void {
    const { code } = this;
    const width = scalarWidth(term);
    const signed = term.op === "sdiv" || term.op === "srem";
    const remainder = term.op === "urem" || term.op === "srem";
    const operand = (i: number): number => {
      const arg = argument(term, i);
      if (!signed) return this.local(arg);
      this.pushSigned(arg);
      const local = code.local("i64");
      code.set(local);
      return local;
    };
    const a = operand(0);
    const b = operand(1);
    const quotient = (): void => {
      code.get(a);
      code.get(b);
      if (signed) code.emit(remainder ? "i64.rem_s" : "i64.div_s");
      else code.emit(remainder ? "i64.rem_u" : "i64.div_u");
    };
    const byMinusOne = (): void => {
      code.i64(0n);
      code.get(a);
      code.emit("i64.sub");
    };
    code.get(b);
    code.emit("i64.eqz");
    code.if(
      () => {
        if (remainder) code.get(a);
        else if (signed) {
          code.i64(1n);
          code.i64(ONES);
          code.get(a);
          code.i64(0n);
          code.emit("i64.lt_s", "select");
        } else code.i64((1n << BigInt(width)) - 1n);
      },
      () => {
        if (!signed || remainder || width < 64) {
          quotient();
          return;
        }
        code.get(b);
        code.i64(ONES);
        code.emit("i64.eq");
        code.if(byMinusOne, quotient, "i64");
      },
      "i64",
    );
    if (signed) this.mask(width, dirty);
  }

  private shift(term: Term, dirty: boolean): void {
    const { code } = this;
    const width = scalarWidth(term);
    const [value, amount] = [argument(term, 0), argument(term, 1)];
    const arithmetic = term.op === "ashr";
    const instruction = term.op === "shl" ? "i64.shl" : arithmetic ? "i64.shr_s" : "i64.shr_u";
    const pushValue = (): void => {
      if (arithmetic) this.pushSigned(value);
      else this.push(value, term.op === "shl");
    };
    if (bound(amount) < BigInt(width)) {
      pushValue();
      this.push(amount);
      code.emit(instruction);
    } else if (arithmetic) {
      pushValue();
      const by = this.local(amount);
      code.get(by);
      code.i64(63n);
      code.get(by);
      code.i64(63n);
      code.emit("i64.lt_u", "select", instruction);
    } else {
      const by = this.local(amount);
      pushValue();
      code.get(by);
      code.emit(instruction);
      code.i64(0n);
      code.get(by);
      code.i64(BigInt(width));
      code.emit("i64.lt_u", "select");
    }
    if (term.op !== "lshr") this.mask(width, dirty);
  }

  private concat(term: Term, dirty: boolean): void {
    const { code } = this;
    const width = scalarWidth(term);
    term.args.forEach((part, i) => {
      if (i === 0) {
        this.push(part, dirty || width === 64);
        return;
      }
      code.i64(BigInt(scalarWidth(part)));
      code.emit("i64.shl");
      if (part.op === "const" && part.value === 0n) return;
      this.push(part);
      code.emit("i64.or");
    });
  }

  private extract(term: Term, dirty: boolean): void {
    const { code } = this;
    const inner = argument(term, 0);
    const width = scalarWidth(term);
    if (isWide(inner)) {
      this.wide.slice(inner, term.lo, width);
      this.mask(width, dirty);
      return;
    }
    const top = term.hi === scalarWidth(inner) - 1;
    this.push(inner, !top);
    if (term.lo > 0) {
      code.i64(BigInt(term.lo));
      code.emit("i64.shr_u");
    }
    if (!top) this.mask(width, dirty);
  }

  /** Pushes limb `limb` of a file's element. */
  pushElement(file: Term, index: Term, limb: number): void {
    const { code } = this;
    const place = this.bindings(file);
    if (place === undefined || place.kind !== "file") throw new InternalDefect(`the file ${file.name} is nowhere`);
    const size = 8 * place.limbs;
    if (index.op === "const") {
      code.i32(0);
      code.memory("i64.load", place.address + Number(index.value) * size + 8 * limb);
      return;
    }
    this.push(index);
    code.emit("i32.wrap_i64");
    this.scale(size);
    code.memory("i64.load", place.address + 8 * limb);
  }

  /** Multiplies the i32 on the stack. */
  scale(size: number): void {
    const shift = Math.log2(size);
    this.code.i32(Number.isInteger(shift) ? shift : size);
    this.code.emit(Number.isInteger(shift) ? "i32.shl" : "i32.mul");
  }

  private memoryPlace(memory: Term): MemoryPlace {
    const place = this.bindings(memory);
    if (place === undefined || place.kind !== "memory")
      throw new InternalDefect(`the memory ${memory.name} is nowhere`);
    return place;
  }

  /** One look-up serves the permission check and the access that it guards. */
  private probe(place: MemoryPlace, address: Term, bytes: number): { readonly address: number; readonly probe: Probe } {
    const key = `${place.number} ${address.id} ${bytes}`;
    const known = this.probes.find((p) => p.key === key && this.scope.isWithin(p.scope));
    if (known !== undefined) return known;
    const local = this.local(address);
    const probe = emitProbe(this.code, place, local, bytes);
    this.probes.push({ key, scope: this.scope, address: local, probe });
    return { address: local, probe };
  }

  private load(term: Term): void {
    const { code } = this;
    const place = this.memoryPlace(argument(term, 0));
    const { bytes } = term;
    if (bytes === 1 || bytes === 2 || bytes === 4 || bytes === 8) {
      const { address, probe } = this.probe(place, argument(term, 1), bytes);
      this.onRead?.(place, probe, address, bytes);
      emitLoad(code, this.support, place, probe, address, bytes);
      return;
    }
    for (const piece of pieces(bytes)) {
      this.loadPiece(term, piece.at, piece.bytes);
      if (piece.at === 0) continue;
      code.i64(BigInt(8 * piece.at));
      code.emit("i64.shl", "i64.or");
    }
  }

  /** Pushes `bytes` of the bytes that the term `load` reads, from number `at` up. */
  loadPiece(load: Term, at: number, bytes: Piece): void {
    const { code } = this;
    const place = this.memoryPlace(argument(load, 0));
    const address = code.local("i64");
    this.push(argument(load, 1));
    code.i64(BigInt(at));
    code.emit("i64.add");
    this.mask(place.width, false);
    code.set(address);
    const probe = emitProbe(code, place, address, bytes);
    this.onRead?.(place, probe, address, bytes);
    emitLoad(code, this.support, place, probe, address, bytes);
  }

  private accessible(term: Term): void {
    const place = this.memoryPlace(argument(term, 0));
    const { address, probe } = this.probe(place, argument(term, 1), term.bytes);
    emitAccessible(this.code, this.support, place, probe, term.access, address, term.bytes);
  }

  /** Calls a defined function; what it looks at, it finds by itself. */
  private defined(term: Term): void {
    const { defined } = this.support;
    const definition = definitionOf(term.name);
    if (defined === undefined || definition === undefined) throw new InternalDefect(`${term.name} cannot be called`);
    for (const arg of term.args.slice(0, definition.inputs)) this.push(arg);
    defined.emitCall(this.code, term.name);
    if (term.sort.kind === "bool") this.code.emit("i32.wrap_i64");
  }

  /** Has JavaScript compute the term; pushes limb 0, or hands out all limbs in locals. */
  external(term: Term, results: readonly ({ readonly push: true } | { readonly local: number })[]): void {
    const { code, support } = this;
    const total = term.args.reduce((sum, arg) => sum + termLimbs(arg), 0);
    if (Math.max(total, termLimbs(term)) > support.scratchLimbs) throw new Unsupported(term.op, "operands too wide");
    const values = term.args.map((arg) =>
      isWide(arg) ? this.wide.limbs(arg) : [{ kind: "local", local: this.i64(arg) } as const],
    );
    let at = support.scratch;
    for (const limb of values.flat()) {
      code.i32(0);
      this.wide.push(limb);
      code.memory("i64.store", at);
      at += 8;
    }
    code.i32(support.external(term));
    code.call(support.imports.external);
    results.forEach((result, i) => {
      code.i32(0);
      if ("push" in result) {
        code.memory(term.sort.kind === "bool" ? "i32.load" : "i64.load", support.scratch + 8 * i);
        return;
      }
      code.memory("i64.load", support.scratch + 8 * i);
      code.set(result.local);
    });
  }

  /** A local with the value as an i64, bools included. */
  private i64(term: Term): number {
    if (term.sort.kind !== "bool") return this.local(term);
    this.push(term);
    this.code.emit("i64.extend_i32_u");
    const local = this.code.local("i64");
    this.code.set(local);
    return local;
  }
}
