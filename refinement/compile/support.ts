/**
 * What generated code calls: slow paths in JavaScript, and arithmetic that WebAssembly lacks.
 */
import type { Term } from "../terms/term.js";
import { limbsOf, type Layout } from "./layout.js";
import { type FunctionBuilder, ModuleBuilder } from "./wasm.js";

export interface Callee {
  readonly index: number;
}

/** Imported functions; `instance.ts` implements them. Memories are named by their number. */
export interface Imports {
  /** (memory, address, bytes) → value: a load of up to 8 bytes that the page table does not settle. */
  readonly load: Callee;
  /** (memory, address, bytes, value) */
  readonly store: Callee;
  /** (memory, access: 0 fetch, 1 load, 2 store, address, bytes) → 0 or 1 */
  readonly accessible: Callee;
  /** (memory, address, bytes): instructions there are predecoded from now on. */
  readonly markCode: Callee;
  /** (address, bytes): code of regions may have been written. */
  readonly codeWritten: Callee;
  /** (number): computes the term `externals[number]` on the arguments in the scratch area, leaving the result there. */
  readonly external: Callee;
}

/** Calls defined functions by name. */
export interface Definer {
  /** The arguments are on the stack; leaves the value, an i64. */
  emitCall(code: FunctionBuilder, name: string): void;
}

const SCRATCH_LIMBS = 128;

export class Support {
  readonly module = new ModuleBuilder();
  readonly layout: Layout;
  readonly imports: Imports;
  /** Terms that JavaScript computes: division wider than 64 bits, uninterpreted functions. */
  readonly externals: Term[] = [];
  /** Where their arguments and results pass. */
  readonly scratch: number;
  readonly scratchLimbs = SCRATCH_LIMBS;
  /** Where defined functions are called rather than unfolded. */
  defined: Definer | undefined;
  private highMultiply: FunctionBuilder | undefined;

  /** `scratch` is another module's area, where that one's memory is shared. */
  constructor(layout: Layout, scratch = layout.allocate(8 * SCRATCH_LIMBS)) {
    this.layout = layout;
    this.scratch = scratch;
    const { module } = this;
    this.imports = {
      load: module.importFunction("load", ["i32", "i64", "i32"], ["i64"]),
      store: module.importFunction("store", ["i32", "i64", "i32", "i64"], []),
      accessible: module.importFunction("accessible", ["i32", "i32", "i64", "i32"], ["i32"]),
      markCode: module.importFunction("markCode", ["i32", "i64", "i32"], []),
      codeWritten: module.importFunction("codeWritten", ["i64", "i32"], []),
      external: module.importFunction("external", ["i32"], []),
    };
  }

  /** The number of a term for `external`. */
  external(term: Term): number {
    const known = this.externals.indexOf(term);
    if (known >= 0) return known;
    this.externals.push(term);
    return this.externals.length - 1;
  }

  /** (a, b) → the high 64 bits of their unsigned 128-bit product, from four 32-bit products. */
  get mulhu(): FunctionBuilder {
    if (this.highMultiply !== undefined) return this.highMultiply;
    const f = this.module.function(["i64", "i64"], ["i64"]);
    this.highMultiply = f;
    const [a, b] = [0, 1];
    const [low, cross, other] = [f.local("i64"), f.local("i64"), f.local("i64")];
    const half = (local: number, high: boolean): void => {
      f.get(local);
      if (high) {
        f.i64(32n);
        f.emit("i64.shr_u");
      } else {
        f.i64(0xffff_ffffn);
        f.emit("i64.and");
      }
    };
    const product = (highOfA: boolean, highOfB: boolean): void => {
      half(a, highOfA);
      half(b, highOfB);
      f.emit("i64.mul");
    };
    product(false, false);
    f.i64(32n);
    f.emit("i64.shr_u");
    f.set(low);
    product(true, false);
    f.get(low);
    f.emit("i64.add");
    f.set(cross);
    product(false, true);
    half(cross, false);
    f.emit("i64.add");
    f.set(other);
    product(true, true);
    half(cross, true);
    f.emit("i64.add");
    half(other, true);
    f.emit("i64.add");
    return f;
  }
}

/** Limbs of a scalar term's value; a bool takes one. */
export function termLimbs(term: Term): number {
  return term.sort.kind === "bits" ? limbsOf(term.sort.width) : 1;
}
