/**
 * Comparison of an abstracted host state with a guest state kept beside it, in generated code. Scalars and files are
 * compared whole. Of memory, which was equal at the comparison before, the bytes are compared that may have changed since:
 * those that either side wrote (`WriteLog`), and those that the abstraction itself writes, now or at the comparison before.
 */
import { InternalDefect } from "../errors.js";
import type { StateVariable } from "../machine.js";
import * as t from "../terms/build.js";
import type { Term } from "../terms/term.js";
import { emitLoad, emitProbe } from "./access.js";
import { emitLoop } from "./effects.js";
import type { Bindings } from "./binding.js";
import { Expressions } from "./expressions.js";
import { isWide } from "./scalars.js";
import type { FilePlace, MemoryPlace, Place, ScalarPlace } from "./layout.js";
import type { ElementWrite, Lowering, MemoryWrite } from "./lower.js";
import { Plan, type Scope } from "./plan.js";
import type { Callee, Support } from "./support.js";
import type { FunctionBuilder } from "./wasm.js";

const CAPACITY = 4096;
/** Files of at most so many limbs are compared without a loop. */
const MOST_UNROLLED = 256;
const ENTRY = 16;

/** Addresses written to a memory since they were last compared: how many (i32), then (address i64, bytes i32) each. */
export class WriteLog {
  readonly address: number;
  /** (address: i64, bytes: i32) */
  readonly append: FunctionBuilder;

  constructor(support: Support) {
    this.address = support.layout.allocate(8 + ENTRY * CAPACITY);
    const code = support.module.function(["i64", "i32"], []);
    this.append = code;
    const count = code.local("i32");
    code.i32(0);
    code.memory("i32.load", this.address);
    code.tee(count);
    code.i32(CAPACITY);
    code.emit("i32.ge_u");
    code.if(() => code.emit("unreachable"));
    code.get(count);
    code.i32(Math.log2(ENTRY));
    code.emit("i32.shl");
    code.get(0);
    code.memory("i64.store", this.address + 8);
    code.get(count);
    code.i32(Math.log2(ENTRY));
    code.emit("i32.shl");
    code.get(1);
    code.memory("i32.store", this.address + 16);
    code.i32(0);
    code.get(count);
    code.i32(1);
    code.emit("i32.add");
    code.memory("i32.store", this.address);
  }

  pushCount(code: FunctionBuilder): void {
    code.i32(0);
    code.memory("i32.load", this.address);
  }
}

/** A guest variable, what it should be as a term over host state, and where it is. */
export interface Compared {
  readonly variable: StateVariable;
  readonly term: Term;
  readonly place: Place;
  /** Of a memory. */
  readonly log: WriteLog | undefined;
  /** Further writes whose addresses are to be compared, over the term's own memory. */
  readonly also: Term | undefined;
}

type Item =
  | { readonly kind: "scalar"; readonly index: number; readonly place: ScalarPlace; readonly term: Term }
  | {
      readonly kind: "chain";
      readonly index: number;
      readonly place: FilePlace;
      readonly base: FilePlace;
      readonly writes: readonly ElementWrite[];
    }
  | {
      readonly kind: "file";
      readonly index: number;
      readonly place: FilePlace;
      readonly element: Term;
      readonly loop: number;
      readonly scope: Scope;
    }
  | {
      readonly kind: "memory";
      readonly index: number;
      readonly place: MemoryPlace;
      readonly byte: Term;
      readonly log: WriteLog;
      readonly pending: readonly MemoryWrite[];
      readonly address: number;
      /** What follows only if something is logged, and the loop in it. */
      readonly branch: Scope;
      readonly scope: Scope;
    };

/**
 * Generates the comparison at the end of `code`. `differs(i)` generates what happens where number i of `compared` differs;
 * it leaves the function. Falls through where nothing does.
 */
export function emitComparison(
  code: FunctionBuilder,
  support: Support,
  lowering: Lowering,
  bindings: Bindings,
  compared: readonly Compared[],
  differs: (index: number) => void,
): void {
  const locals = new Map<Term, number>();
  const all: Bindings = (term) => {
    const local = locals.get(term);
    return local === undefined ? bindings(term) : { kind: "local", local };
  };
  const plan = new Plan((term) => all(term) !== undefined);
  const items = compared.map((c, index) => itemOf(c, index));
  plan.finish();
  const expressions = new Expressions(code, support, plan, all);
  for (const item of items) emit(item);

  function itemOf(c: Compared, index: number): Item {
    const { place } = c;
    switch (place.kind) {
      case "scalar": {
        const term = lowering.scalar(c.term);
        plan.use(term, plan.root);
        return { kind: "scalar", index, place, term };
      }
      case "file": {
        const chain = lowering.fileChain(c.term);
        const base = chain === undefined ? undefined : bindings(chain.base);
        if (chain !== undefined && base?.kind === "file" && place.count * place.limbs <= MOST_UNROLLED) {
          for (const write of chain.writes) {
            for (const term of [write.condition, write.index, write.value]) plan.use(term, plan.root);
          }
          return { kind: "chain", index, place, base, writes: chain.writes };
        }
        const variable = lowering.loopVariable(c.term);
        const loop = code.local("i64");
        locals.set(variable, loop);
        const scope = plan.child(plan.root, variable);
        const element = lowering.select(c.term, variable);
        plan.use(element, scope);
        return { kind: "file", index, place, element, loop, scope };
      }
      case "memory": {
        if (c.log === undefined) throw new InternalDefect("a memory is compared without a log");
        const variable = lowering.fresh(place.width);
        const address = code.local("i64");
        locals.set(variable, address);
        const branch = plan.child(plan.root);
        const scope = plan.child(branch, variable);
        const byte = lowering.load(c.term, variable, 1);
        plan.use(byte, scope);
        const pending = [
          ...lowering.memoryWrites(c.term),
          ...(c.also === undefined ? [] : lowering.memoryWrites(c.also)),
        ];
        for (const write of pending) {
          plan.use(write.condition, plan.root);
          plan.use(write.address, plan.root);
        }
        return { kind: "memory", index, place, byte, log: c.log, pending, address, branch, scope };
      }
    }
  }

  function emit(item: Item): void {
    switch (item.kind) {
      case "scalar":
        emitScalar(item.index, item.place, item.term);
        return;
      case "chain":
        emitChain(item);
        return;
      case "file":
        emitFile(item);
        return;
      case "memory":
        emitMemory(item);
        return;
    }
  }

  function pushGuest(address: number, base?: () => void): void {
    if (base === undefined) code.i32(0);
    else base();
    code.memory("i64.load", address);
  }

  /** Pushes whether the term's value differs from the limbs at `address` (i32). */
  function pushDiffers(term: Term, address: number, base?: () => void): void {
    if (isWide(term)) {
      expressions.limbs(term).forEach((limb, i) => {
        pushGuest(address + 8 * i, base);
        if (limb.kind === "constant") code.i64(limb.value);
        else code.get(limb.local);
        code.emit("i64.xor");
        if (i > 0) code.emit("i64.or");
      });
      code.emit("i64.eqz", "i32.eqz");
      return;
    }
    expressions.push(term);
    if (term.sort.kind === "bool") code.emit("i64.extend_i32_u");
    pushGuest(address, base);
    code.emit("i64.ne");
  }

  function emitScalar(index: number, place: ScalarPlace, term: Term): void {
    pushDiffers(term, place.address);
    code.if(() => differs(index));
  }

  /** Patches the host's own file for as long as the comparison takes. */
  function emitChain({ index, place, base, writes }: Extract<Item, { kind: "chain" }>): void {
    const size = 8 * base.limbs;
    const patches = writes.map((write) => {
      const condition = write.condition === t.TRUE ? undefined : expressions.local(write.condition);
      const value = isWide(write.value)
        ? expressions.limbs(write.value)
        : [{ kind: "local", local: expressions.local(write.value) } as const];
      expressions.push(write.index);
      const at = code.local("i32");
      code.emit("i32.wrap_i64");
      expressions.scale(size);
      code.set(at);
      return { condition, value, at, saved: value.map(() => code.local("i64")) };
    });
    const guarded = (condition: number | undefined, body: () => void): void => {
      if (condition === undefined) {
        body();
        return;
      }
      code.get(condition);
      code.if(body);
    };
    for (const { condition, value, at, saved } of patches) {
      guarded(condition, () => {
        value.forEach((limb, i) => {
          code.get(at);
          code.memory("i64.load", base.address + 8 * i);
          code.set(saved[i] ?? 0);
          code.get(at);
          if (limb.kind === "constant") code.i64(limb.value);
          else code.get(limb.local);
          code.memory("i64.store", base.address + 8 * i);
        });
      });
    }
    for (let i = 0; i < place.count * place.limbs; i++) {
      code.i32(0);
      code.memory("i64.load", base.address + 8 * i);
      code.i32(0);
      code.memory("i64.load", place.address + 8 * i);
      code.emit("i64.xor");
      if (i > 0) code.emit("i64.or");
    }
    const different = code.local("i64");
    code.set(different);
    for (const { condition, at, saved } of [...patches].reverse()) {
      guarded(condition, () => {
        saved.forEach((local, i) => {
          code.get(at);
          code.get(local);
          code.memory("i64.store", base.address + 8 * i);
        });
      });
    }
    code.get(different);
    code.emit("i64.eqz", "i32.eqz");
    code.if(() => differs(index));
  }

  function emitFile(item: Extract<Item, { kind: "file" }>): void {
    expressions.prepare(item.scope);
    emitLoop(code, item.loop, item.place.count, () => {
      expressions.within(item.scope, () => {
        pushDiffers(item.element, item.place.address, () => {
          code.get(item.loop);
          code.emit("i32.wrap_i64");
          expressions.scale(8 * item.place.limbs);
        });
        code.if(() => differs(item.index));
      });
    });
  }

  function emitMemory(item: Extract<Item, { kind: "memory" }>): void {
    const { log, pending, place } = item;
    const before = code.local("i32");
    const count = code.local("i32");
    const at = code.local("i32");
    const offset = code.local("i32");
    if (pending.length > 0) {
      log.pushCount(code);
      code.set(before);
      for (const write of pending) emitPending(write, log.append);
    }
    log.pushCount(code);
    code.set(count);
    expressions.prepare(item.branch);
    code.get(count);
    code.if(() => {
      expressions.within(item.branch, () => expressions.prepare(item.scope));
      code.i32(0);
      code.set(at);
      code.i32(0);
      code.set(offset);
      code.loop((again) => {
        pushEntry(at);
        code.memory("i64.load", log.address + 8);
        code.get(offset);
        code.emit("i64.extend_i32_u", "i64.add");
        if (place.width < 64) {
          code.i64((1n << BigInt(place.width)) - 1n);
          code.emit("i64.and");
        }
        code.set(item.address);
        expressions.within(item.scope, () => expressions.push(item.byte));
        emitLoad(code, support, place, emitProbe(code, place, item.address, 1), item.address, 1);
        code.emit("i64.ne");
        code.if(() => differs(item.index));
        code.get(offset);
        code.i32(1);
        code.emit("i32.add");
        code.tee(offset);
        pushEntry(at);
        code.memory("i32.load", log.address + 16);
        code.emit("i32.lt_u");
        code.brIf(again);
        code.i32(0);
        code.set(offset);
        code.get(at);
        code.i32(1);
        code.emit("i32.add");
        code.tee(at);
        code.get(count);
        code.emit("i32.lt_u");
        code.brIf(again);
      });
      if (pending.length === 0) {
        setCount(log, () => code.i32(0));
        return;
      }
      // What the abstraction writes now is compared again next time: it may have been taken back.
      code.i32(log.address + 8);
      pushEntry(before);
      code.i32(log.address + 8);
      code.emit("i32.add");
      code.get(count);
      code.get(before);
      code.emit("i32.sub");
      code.i32(Math.log2(ENTRY));
      code.emit("i32.shl");
      code.memoryCopy();
      setCount(log, () => {
        code.get(count);
        code.get(before);
        code.emit("i32.sub");
      });
    });
  }

  function setCount(log: WriteLog, push: () => void): void {
    code.i32(0);
    push();
    code.memory("i32.store", log.address);
  }

  function pushEntry(number: number): void {
    code.get(number);
    code.i32(Math.log2(ENTRY));
    code.emit("i32.shl");
  }

  function emitPending(write: MemoryWrite, append: Callee): void {
    const note = (): void => {
      expressions.push(write.address);
      code.i32(write.bytes);
      code.call(append);
    };
    // The address is computed outside the branch: others may rely on its local.
    expressions.keep(write.address);
    if (write.condition === t.TRUE) {
      note();
      return;
    }
    expressions.push(write.condition);
    code.if(note);
  }
}
