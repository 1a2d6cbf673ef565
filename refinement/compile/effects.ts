/**
 * Effects to WebAssembly: every condition, argument and new value is computed from the state before; only then is
 * anything written, in place.
 */
import { InternalDefect, unreachable } from "../errors.js";
import type { Effect, Machine } from "../machine.js";
import * as t from "../terms/build.js";
import type { Term } from "../terms/term.js";
import { emitStore } from "./access.js";
import type { Binding, Bindings } from "./binding.js";
import { Expressions, type OnRead } from "./expressions.js";
import { isWide } from "./scalars.js";
import type { FilePlace, MemoryPlace, Place, ScalarPlace, StateLayout } from "./layout.js";
import type { FileWrite, Lowering, MemoryWrite } from "./lower.js";
import { Plan, type Scope } from "./plan.js";
import { type Cases, divided } from "./split.js";
import type { Callee, Support } from "./support.js";
import { Unsupported } from "./unsupported.js";
import type { FunctionBuilder } from "./wasm.js";
import type { Limb } from "./wide.js";

/** Where an effect's code goes and what surrounds it. */
export interface EffectContext {
  readonly code: FunctionBuilder;
  readonly support: Support;
  readonly lowering: Lowering;
  /** The state before, and the transition's inputs. */
  readonly bindings: Bindings;
  /** Where the new values go; the same places as the state before, or those of another state. */
  readonly target: StateLayout;
  /** Scalars kept in an i64 local instead of their place. */
  readonly promoted: ReadonlyMap<string, number>;
  /**
   * The i64 local that an element of a file is kept in instead of its place, by constant index (undefined: one that is not
   * constant; throws `Unsupported` if the file is kept in locals).
   */
  readonly element?: (place: FilePlace, index: number | undefined) => number | undefined;
  /** The target's memories already hold what their new values start from. */
  readonly copied: boolean;
  /** Drops predecoded instructions at (address, bytes) of this memory; undefined where there never are any. */
  readonly invalidate: (place: MemoryPlace) => Callee | undefined;
  /** Forgets what depends on this variable of the state, now that it changes; undefined where nothing does. */
  readonly forget?: (name: string) => Callee | undefined;
  /** Notes (address, bytes) about to be written to this memory; undefined where nobody wants to know. */
  readonly log: (place: MemoryPlace) => Callee | undefined;
}

/** The bindings of a state: each variable's term to its place. */
export function stateBindings(
  state: StateLayout,
  promoted: ReadonlyMap<string, number> = new Map(),
): Map<Term, Binding> {
  const bindings = new Map<Term, Binding>();
  for (const [v, place] of state) {
    const local = promoted.get(v.name);
    if (local !== undefined) bindings.set(v.term, { kind: "local", local });
    else bindings.set(v.term, placeBinding(place));
  }
  return bindings;
}

export function placeBinding(place: Place): Binding {
  switch (place.kind) {
    case "scalar":
      return { kind: "cell", base: undefined, address: place.address };
    case "file":
    case "memory":
      return place;
    default:
      return unreachable(place);
  }
}

/** Pushes the values of scalar terms, in order (bools as i32, bits of at most 64 as i64). */
export function emitScalars(
  code: FunctionBuilder,
  support: Support,
  lowering: Lowering,
  bindings: Bindings,
  terms: readonly Term[],
  onRead?: OnRead,
): void {
  const lowered = terms.map((term) => lowering.scalar(term));
  const plan = new Plan((term) => bindings(term) !== undefined);
  for (const term of lowered) plan.use(term, plan.root);
  plan.finish();
  const expressions = new Expressions(code, support, plan, bindings, onRead);
  for (const term of lowered) expressions.push(term);
}

/** Stores the values of scalar terms of any width at places in linear memory. */
export function emitCells(
  code: FunctionBuilder,
  support: Support,
  lowering: Lowering,
  bindings: Bindings,
  cells: readonly { readonly term: Term; readonly place: ScalarPlace }[],
): void {
  const lowered = cells.map(({ term, place }) => ({ term: lowering.scalar(term), place }));
  const plan = new Plan((term) => bindings(term) !== undefined);
  for (const { term } of lowered) plan.use(term, plan.root);
  plan.finish();
  const expressions = new Expressions(code, support, plan, bindings);
  for (const { term, place } of lowered) {
    if (!isWide(term)) {
      code.i32(0);
      expressions.push(term);
      if (term.sort.kind === "bool") code.emit("i64.extend_i32_u");
      code.memory("i64.store", place.address);
      continue;
    }
    expressions.limbs(term).forEach((limb, i) => {
      code.i32(0);
      if (limb.kind === "constant") code.i64(limb.value);
      else code.get(limb.local);
      code.memory("i64.store", place.address + 8 * i);
    });
  }
}

interface ScalarUpdate {
  readonly kind: "scalar";
  readonly name: string;
  readonly place: ScalarPlace;
  readonly value: Term;
}
interface FileUpdate {
  readonly kind: "file";
  readonly name: string;
  readonly place: FilePlace;
  readonly writes: readonly { readonly write: FileWrite; readonly scope: Scope | undefined }[];
}
interface MemoryUpdate {
  readonly kind: "memory";
  readonly place: MemoryPlace;
  readonly writes: readonly MemoryWrite[];
}
/** An effect's cases, each with the scope that it is computed in. */
type PlannedCases =
  | { readonly scope: Scope; readonly updates: readonly Update[] }
  | {
      readonly scope: Scope;
      readonly condition: Term;
      readonly taken: PlannedCases;
      readonly otherwise: PlannedCases;
    };
type Update = ScalarUpdate | FileUpdate | MemoryUpdate;

/** A test that comes before an effect, and what is done instead of it where the condition holds. */
export interface Unless {
  readonly condition: Term;
  readonly leave: () => void;
}

/**
 * Generates the effect; `trapped` generates what follows where the transition ends in a trap. Locals (i32, or i64 for bits)
 * with the values that the terms `also` had before the effect.
 */
export function emitEffect(
  context: EffectContext,
  machine: Machine,
  effect: Effect,
  trapped: () => void,
  also: readonly Term[] = [],
  unless?: Unless,
): readonly number[] {
  return new EffectEmitter(context, machine).emit(effect, trapped, also, unless);
}

class EffectEmitter {
  private readonly context: EffectContext;
  private readonly machine: Machine;
  private readonly code: FunctionBuilder;
  private readonly plan: Plan;
  private readonly loops = new Map<Term, number>();
  private readonly bindings: Bindings;

  constructor(context: EffectContext, machine: Machine) {
    this.context = context;
    this.machine = machine;
    this.code = context.code;
    this.bindings = (term) => {
      const local = this.loops.get(term);
      return local === undefined ? context.bindings(term) : { kind: "local", local };
    };
    this.plan = new Plan((term) => this.bindings(term) !== undefined);
  }

  emit(effect: Effect, trapped: () => void, also: readonly Term[], unless: Unless | undefined): readonly number[] {
    const { plan, code } = this;
    const { lowering } = this.context;
    if (effect.cases !== undefined && effect.raises.length === 0 && also.length === 0 && unless === undefined) {
      this.emitCases(effect.cases);
      return [];
    }
    const test = unless === undefined ? undefined : lowering.scalar(unless.condition);
    if (test !== undefined) plan.use(test, plan.root);
    const raises = effect.raises.map((raise) => {
      const condition = lowering.scalar(raise.condition);
      const { code: number, value } = this.trap(raise.trap, raise.arguments);
      const scope = plan.child(plan.root);
      plan.use(condition, plan.root);
      plan.use(value, scope);
      return { condition, number, value, scope };
    });
    const updates = [...effect.assigns].map(([name, value]) => this.update(name, value));
    const asked = also.map((term) => lowering.scalar(term));
    for (const term of asked) plan.use(term, plan.root);
    plan.finish();

    const expressions = new Expressions(code, this.context.support, plan, this.bindings);
    if (test !== undefined && unless !== undefined) {
      expressions.push(test);
      code.if(unless.leave);
    }
    for (const raise of raises) {
      expressions.push(raise.condition);
      expressions.prepare(raise.scope);
      code.if(() => {
        expressions.within(raise.scope, () => {
          const value = this.scalarValue(expressions, raise.value);
          this.storeScalar("trap.value", this.scalarPlace("trap.value"), value);
          this.storeScalar("trap", this.scalarPlace("trap"), [{ kind: "constant", value: BigInt(raise.number) }]);
          trapped();
        });
      });
    }
    const stores = updates.map((update) => this.prepare(expressions, update));
    const answers = asked.map((term) => this.own(expressions, term));
    for (const store of stores) store();
    return answers;
  }

  /** Everything is computed from the state before, but only for the case that there is. */
  private emitCases(cases: NonNullable<Effect["cases"]>): void {
    const planned = this.planCases(divided(cases), this.plan.root);
    this.plan.finish();
    const { code, context } = this;
    this.generateCases(new Expressions(code, context.support, this.plan, this.bindings), planned);
  }

  private planCases(cases: Cases, scope: Scope): PlannedCases {
    if (cases.kind === "assigns")
      return { scope, updates: [...cases.assigns].map(([name, value]) => this.update(name, value, scope)) };
    const condition = this.context.lowering.scalar(cases.condition);
    this.plan.use(condition, scope);
    const within = (part: Cases): PlannedCases => this.planCases(part, this.plan.child(scope));
    return { scope, condition, taken: within(cases.taken), otherwise: within(cases.otherwise) };
  }

  private generateCases(expressions: Expressions, planned: PlannedCases): void {
    if ("updates" in planned) {
      const stores = planned.updates.map((update) => this.prepare(expressions, update));
      for (const store of stores) store();
      return;
    }
    const { condition, taken, otherwise } = planned;
    expressions.push(condition);
    for (const { scope } of [taken, otherwise]) expressions.prepare(scope);
    const generate = (part: PlannedCases) => (): void =>
      expressions.within(part.scope, () => this.generateCases(expressions, part));
    this.code.if(generate(taken), generate(otherwise));
  }

  private trap(name: string, args: readonly Term[]): { code: number; value: Term } {
    const declaration = this.machine.traps.find((trap) => trap.name === name);
    if (declaration === undefined) throw new InternalDefect(`machine ${this.machine.name} has no trap ${name}`);
    const width = this.machine.variables.find((v) => v.name === "trap.value")?.sort;
    if (width === undefined || width.kind !== "bits") throw new InternalDefect("a machine with traps lacks trap.value");
    const parts = args.map((arg) => {
      const lowered = this.context.lowering.scalar(arg);
      return lowered.sort.kind === "bool" ? t.boolToBits(lowered) : lowered;
    });
    const [first] = parts;
    if (first === undefined) return { code: declaration.code, value: t.constant(width.width, 0n) };
    return { code: declaration.code, value: t.zext(parts.length === 1 ? first : t.concat(...parts), width.width) };
  }

  private scalarPlace(name: string): ScalarPlace {
    const place = this.context.target.of(name);
    if (place.kind !== "scalar") throw new InternalDefect(`${name} is not a scalar`);
    return place;
  }

  private update(name: string, value: Term, scope = this.plan.root): Update {
    const { plan } = this;
    const { lowering, target } = this.context;
    const place = target.of(name);
    switch (place.kind) {
      case "scalar": {
        const lowered = lowering.scalar(value);
        plan.use(lowered, scope);
        return { kind: "scalar", name, place, value: lowered };
      }
      case "file": {
        const variable = this.machine.variables.find((v) => v.name === name);
        const inPlace = variable !== undefined && this.bindings(variable.term) === place;
        const writes = inPlace ? lowering.fileWrites(variable.term, value) : [lowering.wholeFile(value)];
        return { kind: "file", name, place, writes: writes.map((write) => this.fileWrite(write, scope)) };
      }
      case "memory": {
        const base = lowering.memoryBase(value);
        if (!this.context.copied && this.bindings(base) !== place) {
          throw new Unsupported("write", "one memory is assigned to another");
        }
        const writes = lowering.memoryWrites(value);
        for (const write of writes) {
          plan.use(write.condition, scope);
          plan.use(write.address, scope);
          plan.use(write.value, scope);
        }
        return { kind: "memory", place, writes };
      }
      default:
        return unreachable(place);
    }
  }

  private fileWrite(write: FileWrite, around: Scope): { readonly write: FileWrite; readonly scope: Scope | undefined } {
    const { plan } = this;
    if (write.kind === "element") {
      plan.use(write.condition, around);
      plan.use(write.index, around);
      plan.use(write.value, around);
      return { write, scope: undefined };
    }
    const scope = plan.child(around, write.loop);
    this.loops.set(write.loop, this.code.local("i64"));
    plan.use(write.value, scope);
    return { write, scope };
  }

  /** Computes what is to be written; the function that is returned writes it. */
  private prepare(expressions: Expressions, update: Update): () => void {
    switch (update.kind) {
      case "scalar": {
        const value = this.scalarValue(expressions, update.value);
        return () => this.storeScalar(update.name, update.place, value);
      }
      case "file": {
        const stores = update.writes.map(({ write, scope }) =>
          write.kind === "element"
            ? this.prepareElement(expressions, update, write.condition, write.index, write.value)
            : this.prepareWhole(expressions, update.place, write.loop, write.value, scope),
        );
        const whole = update.writes.some(({ write }) => write.kind === "whole");
        return () => {
          for (const store of stores) store();
          if (whole) this.forget(update.name);
        };
      }
      case "memory": {
        const stores = update.writes.map((write) => this.prepareWrite(expressions, update.place, write));
        return () => {
          for (const store of stores) store();
        };
      }
      default:
        return unreachable(update);
    }
  }

  /** The limbs of a value, safe from being overwritten. A bool's is a local with an i32. */
  private scalarValue(expressions: Expressions, term: Term): readonly Limb[] {
    if (isWide(term)) return expressions.limbs(term);
    if (term.op === "const") return [{ kind: "constant", value: term.value }];
    if (term.sort.kind !== "bool") return [{ kind: "local", local: this.own(expressions, term) }];
    expressions.push(term);
    this.code.emit("i64.extend_i32_u");
    const local = this.code.local("i64");
    this.code.set(local);
    return [{ kind: "local", local }];
  }

  /** A local with the value that no assignment changes: a promoted variable's own local may be about to. */
  private own(expressions: Expressions, term: Term): number {
    const binding = this.bindings(term);
    if (binding === undefined || binding.kind !== "local") return expressions.local(term);
    const local = this.code.local(term.sort.kind === "bool" ? "i32" : "i64");
    this.code.get(binding.local);
    this.code.set(local);
    return local;
  }

  private pushLimb(limb: Limb): void {
    if (limb.kind === "constant") this.code.i64(limb.value);
    else this.code.get(limb.local);
  }

  private forget(name: string): void {
    const forget = this.context.forget?.(name);
    if (forget !== undefined) this.code.call(forget);
  }

  private storeScalar(name: string, place: ScalarPlace, value: readonly Limb[]): void {
    const promoted = this.context.promoted.get(name);
    if (this.context.forget?.(name) !== undefined) this.forgetUnlessSame(name, place, value);
    value.forEach((limb, i) => {
      if (promoted !== undefined) {
        this.pushLimb(limb);
        this.code.set(promoted);
        return;
      }
      this.code.i32(0);
      this.pushLimb(limb);
      this.code.memory("i64.store", place.address + 8 * i);
    });
  }

  private forgetUnlessSame(name: string, place: ScalarPlace, value: readonly Limb[]): void {
    value.forEach((limb, i) => {
      this.pushLimb(limb);
      this.code.i32(0);
      this.code.memory("i64.load", place.address + 8 * i);
      this.code.emit("i64.ne");
      if (i > 0) this.code.emit("i32.or");
    });
    this.code.if(() => this.forget(name));
  }

  /** Generates `body` under a condition (undefined: always). */
  private guarded(condition: number | undefined, body: () => void): void {
    if (condition === undefined) {
      body();
      return;
    }
    this.code.get(condition);
    this.code.if(body);
  }

  private condition(expressions: Expressions, condition: Term): number | undefined {
    return condition === t.TRUE ? undefined : this.own(expressions, condition);
  }

  private prepareElement(
    expressions: Expressions,
    { name, place }: FileUpdate,
    when: Term,
    index: Term,
    value: Term,
  ): () => void {
    const { code } = this;
    const size = 8 * place.limbs;
    const condition = this.condition(expressions, when);
    const at = index.op === "const" ? undefined : this.own(expressions, index);
    const limbs = this.scalarValue(expressions, value);
    const local = this.context.element?.(place, at === undefined ? Number(index.value) : undefined);
    return () =>
      this.guarded(condition, () => {
        this.forget(name);
        if (local !== undefined) {
          for (const limb of limbs) this.pushLimb(limb);
          code.set(local);
          return;
        }
        limbs.forEach((limb, i) => {
          if (at === undefined) code.i32(0);
          else {
            code.get(at);
            code.emit("i32.wrap_i64");
            expressions.scale(size);
          }
          this.pushLimb(limb);
          code.memory("i64.store", place.address + (at === undefined ? Number(index.value) * size : 0) + 8 * i);
        });
      });
  }

  private prepareWhole(
    expressions: Expressions,
    place: FilePlace,
    loop: Term,
    value: Term,
    scope: Scope | undefined,
  ): () => void {
    const { code } = this;
    const index = this.loops.get(loop);
    if (scope === undefined || index === undefined) throw new InternalDefect("a loop without a scope");
    const size = 8 * place.limbs;
    const buffer = this.context.support.layout.allocate(sizeOf(place));
    expressions.prepare(scope);
    emitLoop(code, index, place.count, () => {
      expressions.within(scope, () => {
        const limbs = this.scalarValue(expressions, value);
        limbs.forEach((limb, i) => {
          code.get(index);
          code.emit("i32.wrap_i64");
          expressions.scale(size);
          this.pushLimb(limb);
          code.memory("i64.store", buffer + 8 * i);
        });
      });
    });
    return () => this.copy(place.address, buffer, sizeOf(place));
  }

  private prepareWrite(expressions: Expressions, place: MemoryPlace, write: MemoryWrite): () => void {
    const { code, context } = this;
    const condition = this.condition(expressions, write.condition);
    const address = this.own(expressions, write.address);
    const value = this.own(expressions, write.value);
    return () =>
      this.guarded(condition, () => {
        const log = context.log(place);
        if (log !== undefined) {
          code.get(address);
          code.i32(write.bytes);
          code.call(log);
        }
        emitStore(code, context.support, place, address, write.bytes, value, context.invalidate(place));
      });
  }

  private copy(to: number, from: number, bytes: number): void {
    this.code.i32(to);
    this.code.i32(from);
    this.code.i32(bytes);
    this.code.memoryCopy();
  }
}

/** Runs `body` with the i64 local `index` at 0 … count − 1. */
export function emitLoop(code: FunctionBuilder, index: number, count: number, body: () => void): void {
  code.i64(0n);
  code.set(index);
  code.loop((again) => {
    body();
    code.get(index);
    code.i64(1n);
    code.emit("i64.add");
    code.tee(index);
    code.i64(BigInt(count));
    code.emit("i64.lt_u");
    code.brIf(again);
  });
}

function sizeOf(place: FilePlace): number {
  return 8 * place.limbs * place.count;
}
