/**
 * A machine's own steps as one WebAssembly function. An instruction set becomes a predecoding interpreter: the word at an
 * address is decoded once, into a record of its handler's number and operands; the loop finds the record by address and
 * jumps to the handler with `br_table`. Whatever depends on the operands alone is computed at decode time too.
 * Transitions that are no instruction (and all those of a machine without instructions) are tried in order by their guards.
 */
import { InternalDefect } from "../errors.js";
import { type Instruction, type InstructionSet, type Machine, type Transition, variable } from "../machine.js";
import * as t from "../terms/build.js";
import { substitute } from "../terms/substitute.js";
import { bits } from "../terms/sort.js";
import type { Term } from "../terms/term.js";
import type { Binding, Bindings } from "./binding.js";
import {
  allocateCache,
  type DecodeCache,
  emitForgetRecords,
  emitRecordAddress,
  emitRemember,
  HANDLER,
  NO_HANDLER,
  NORMAL,
  OPERANDS,
  shiftOf,
  TAG,
} from "./decode-cache.js";
import { emitDecoder } from "./decoder.js";
import { DefinedFunctions } from "./defined.js";
import { type EffectContext, emitEffect, emitScalars, placeBinding, stateBindings } from "./effects.js";
import { type Fetching, fetchingOf } from "./fetching.js";
import type { MemoryPlace, ScalarPlace, StateLayout } from "./layout.js";
import { Lowering } from "./lower.js";
import { fieldOf, Operands } from "./operands.js";
import { emitCodeWritten, emitEnterRegion, MOST_REGIONS, type RegionLinks } from "./region-links.js";
import { isWideKey, type Source, sourceOf } from "./source.js";
import type { Callee, Support } from "./support.js";
import { FunctionBuilder, type Label } from "./wasm.js";

/** What `run` returns. */
export const STATUS = {
  /** All steps asked for are done. */
  limit: 0,
  /** The last step ended in a trap. */
  trap: 1,
  /** No transition is enabled. */
  stuck: 2,
} as const;

export interface Interpreter {
  /** (limit: i64) → status: i32. */
  readonly run: FunctionBuilder;
  /** Where `run` leaves the number of steps done (i64). */
  readonly steps: number;
  /** (address, bytes): drops the records that the bytes belong to. */
  readonly invalidate: FunctionBuilder | undefined;
  /** Forgets remembered values of defined functions. */
  readonly forget: Callee;
  /** The memory that instructions are fetched from. */
  readonly codeMemory: MemoryPlace | undefined;
  readonly cache: DecodeCache | undefined;
  /** Names of the variables that remembered values depend on, memories aside. */
  readonly remembered: ReadonlySet<string>;
  /** How hot code gets in; undefined where the machine cannot have any. */
  readonly regions: RegionLinks | undefined;
  /** Cells of the choices that the definition leaves open, by the names of their terms. */
  readonly choices: ReadonlyMap<string, ScalarPlace>;
}

export interface InterpreterOptions {
  /** As in `EffectContext`. */
  readonly log?: (place: MemoryPlace) => Callee | undefined;
  /** Put before the names of the exported functions, `run` and `invalidate`. */
  readonly prefix?: string;
  /** Lets regions of hot code be linked in. */
  readonly regions?: boolean;
}

export function emitInterpreter(support: Support, state: StateLayout, options: InterpreterOptions = {}): Interpreter {
  return new InterpreterEmitter(support, state, options).emit();
}

class InterpreterEmitter {
  private readonly support: Support;
  private readonly state: StateLayout;
  private readonly machine: Machine;
  private readonly options: InterpreterOptions;
  private readonly lowering = new Lowering(true);
  private readonly defined: DefinedFunctions;
  private readonly choices = new Map<string, ScalarPlace>();
  private readonly choiceBindings = new Map<Term, Binding>();
  private readonly stateBindings: ReadonlyMap<Term, Binding>;
  private readonly steps: number;
  private regions: RegionLinks | undefined;

  constructor(support: Support, state: StateLayout, options: InterpreterOptions) {
    this.support = support;
    this.state = state;
    this.machine = state.machine;
    this.options = options;
    this.stateBindings = stateBindings(state);
    this.steps = support.layout.allocate(8);
    this.defined = new DefinedFunctions(
      support,
      this.lowering,
      this.plain,
      termsOf(this.machine),
      options.prefix ?? "",
    );
    support.defined = this.defined;
    for (const transition of this.machine.transitions) {
      for (const choice of transition.choices) {
        const place = support.layout.place(choice.term.sort);
        if (place.kind !== "scalar") throw new InternalDefect("a choice that is no scalar");
        this.choices.set(choice.term.name, place);
        this.choiceBindings.set(choice.term, placeBinding(place));
      }
    }
  }

  emit(): Interpreter {
    const isa = this.machine.instructionSet;
    const handlers = isa === undefined ? [] : this.machine.transitions.filter((x) => x.instruction !== undefined);
    const source = isa === undefined ? undefined : sourceOf(this.state, isa);
    const links = this.links(source, handlers);
    const operandsEnd = this.mostOperands(handlers);
    const recordSize = Math.max(64, 2 ** Math.ceil(Math.log2(operandsEnd + 16)));
    if (links !== undefined) this.regions = { ...links, slot: operandsEnd };
    const cache = isa === undefined ? undefined : allocateCache(this.support.layout, recordSize, source !== undefined);
    const invalidate =
      source?.memory === undefined || cache === undefined
        ? undefined
        : this.emitInvalidate(source, cache, shiftOf(isa));
    const { module } = this.support;

    const other = module.function([], ["i32"]);
    const decode =
      isa === undefined ? undefined : module.function(["i64", "i32"], ["i32"], `${this.options.prefix ?? ""}decode`);
    const run = module.function(["i64"], ["i32"], `${this.options.prefix ?? ""}run`);
    const context = { source, invalidate, cache };
    this.emitOther(other, context);
    const operands = new Map<Instruction, Operands>();
    this.emitRun(run, handlers, operands, other, decode, context, shiftOf(isa));
    if (isa !== undefined && decode !== undefined && cache !== undefined) {
      this.emitDecode(decode, isa, handlers, operands, source, cache);
    }
    if (this.regions?.fetching.isDirect === false) this.emitLocate(this.regions.fetching);
    this.defined.finish();
    return {
      run,
      steps: this.steps,
      forget: this.defined.forget,
      invalidate,
      codeMemory: source?.memory,
      cache,
      regions: this.regions,
      remembered: this.defined.reads,
      choices: this.choices,
    };
  }

  /** () → the key of the instruction at the program counter, or −1 where none can be executed. */
  private emitLocate({ fetched, local }: Fetching): void {
    const code = this.support.module.function([], ["i64"], `${this.options.prefix ?? ""}locate`);
    emitScalars(code, this.support, this.lowering, this.plain, [t.and(t.TRUE, ...local)]);
    code.emit("i32.eqz");
    code.if(() => {
      code.i64(-1n);
      code.emit("return");
    });
    emitScalars(code, this.support, this.lowering, this.plain, [fetched.key]);
  }

  /** Regions know code by the program counter, and need to be told when it is written. */
  private links(source: Source | undefined, handlers: readonly Transition[]): Omit<RegionLinks, "slot"> | undefined {
    const isa = this.machine.instructionSet;
    if (this.options.regions !== true || isa === undefined || source?.memory === undefined) return undefined;
    const pc = variable(this.machine, isa.programCounter);
    if (pc === undefined) return undefined;
    const conditions = source.settled ? [isa.ready] : [isa.ready, isa.fetchable, source.unbroken];
    const fetched = { key: source.key, reads: source.reads, conditions };
    const fetching = fetchingOf(this.machine, pc, fetched, this.defined.reads, source.settled);
    if (fetching === undefined) return undefined;
    const { layout } = this.support;
    return {
      fetching,
      defined: this.defined.shared,
      generation: this.defined.generation,
      verified: layout.allocate(8 * MOST_REGIONS),
      handler: handlers.length,
      normal: NORMAL,
      remaining: layout.allocate(8),
      stale: layout.allocate(8),
      bounds: layout.allocate(16),
      shift: shiftOf(isa),
    };
  }

  /** Bytes of the largest record. */
  private mostOperands(handlers: readonly Transition[]): number {
    let most = 0;
    for (const handler of handlers) {
      const { instruction } = handler;
      if (instruction === undefined) continue;
      const operands = new Operands(instruction);
      const trial = new FunctionBuilder(0, { parameters: ["i64"], results: ["i32"] });
      trial.block((label) => {
        emitEffect(
          this.handlerContext(trial, operands, 0, new Map(), undefined),
          this.machine,
          instruction.effect,
          () => {
            trial.i32(0);
            trial.br(label);
          },
        );
        trial.i32(0);
      }, "i32");
      most = Math.max(most, operands.list.length);
    }
    return OPERANDS + 8 * most;
  }

  private handlerContext(
    code: FunctionBuilder,
    operands: Operands,
    record: number,
    promoted: ReadonlyMap<string, number>,
    invalidate: Callee | undefined,
    memory?: MemoryPlace,
  ): EffectContext {
    const state = stateBindings(this.state, promoted);
    const bindings: Bindings = (term) => {
      const operand = operands.of(term);
      if (operand !== undefined) return { kind: "cell", base: record, address: operand.offset };
      return state.get(term) ?? this.choiceBindings.get(term);
    };
    return this.context(code, bindings, promoted, invalidate, memory);
  }

  private context(
    code: FunctionBuilder,
    bindings: Bindings,
    promoted: ReadonlyMap<string, number>,
    invalidate: Callee | undefined,
    memory: MemoryPlace | undefined,
  ): EffectContext {
    return {
      code,
      support: this.support,
      lowering: this.lowering,
      bindings,
      target: this.state,
      promoted,
      copied: false,
      invalidate: (place) => (place === memory ? invalidate : undefined),
      forget: (name) => (this.defined.reads.has(name) ? this.defined.forget : undefined),
      log: (place) => this.options.log?.(place),
    };
  }

  private readonly plain: Bindings = (term) => this.stateBindings.get(term) ?? this.choiceBindings.get(term);

  /** The transitions that are no instruction: → 0 none is enabled, 1 one was fired, 2 it ended in a trap. */
  private emitOther(
    code: FunctionBuilder,
    around: { readonly source: Source | undefined; readonly invalidate: Callee | undefined },
  ): void {
    for (const transition of this.machine.transitions) {
      if (transition.instruction !== undefined || transition.parameters.length > 0) continue;
      emitScalars(code, this.support, this.lowering, this.plain, [transition.guard]);
      code.if(() => {
        code.scoped(() => {
          const context = this.context(code, this.plain, new Map(), around.invalidate, around.source?.memory);
          emitEffect(context, this.machine, transition.effect, () => {
            code.i32(2);
            code.emit("return");
          });
          this.returnIfTrapped(code, transition);
          code.i32(1);
          code.emit("return");
        });
      });
    }
    code.i32(0);
  }

  /** For an effect that assigns `trap` itself. */
  private returnIfTrapped(code: FunctionBuilder, transition: Transition): void {
    if (!transition.effect.assigns.has("trap")) return;
    this.pushTrapped(code);
    code.if(() => {
      code.i32(2);
      code.emit("return");
    });
  }

  private pushTrapped(code: FunctionBuilder): void {
    const trap = this.state.of("trap");
    if (trap.kind !== "scalar") throw new InternalDefect("`trap` is not a scalar");
    code.i32(0);
    code.memory("i64.load", trap.address);
    code.emit("i64.eqz", "i32.eqz");
  }

  private emitRun(
    code: FunctionBuilder,
    handlers: readonly Transition[],
    operands: Map<Instruction, Operands>,
    other: FunctionBuilder,
    decode: FunctionBuilder | undefined,
    around: {
      readonly source: Source | undefined;
      readonly invalidate: Callee | undefined;
      readonly cache: DecodeCache | undefined;
    },
    shift: number,
  ): void {
    const isa = this.machine.instructionSet;
    const remaining = code.local("i64");
    const promoted = new Map<string, number>();
    const pcPlace = isa === undefined ? undefined : this.state.of(isa.programCounter);
    const inPlace =
      isa !== undefined && (this.defined.reads.has(isa.programCounter) || handlers.some((h) => isApart(h.instruction)));
    if (isa !== undefined && pcPlace?.kind === "scalar" && pcPlace.limbs === 1 && !inPlace) {
      promoted.set(isa.programCounter, code.local("i64"));
    }
    const flush = (): void => {
      for (const [name, local] of promoted) {
        const place = this.state.of(name);
        if (place.kind !== "scalar") continue;
        code.i32(0);
        code.get(local);
        code.memory("i64.store", place.address);
      }
    };
    const reload = (): void => {
      for (const [name, local] of promoted) {
        const place = this.state.of(name);
        if (place.kind !== "scalar") continue;
        code.i32(0);
        code.memory("i64.load", place.address);
        code.set(local);
      }
    };
    const leave = (exit: Label, status: number): void => {
      code.i32(status);
      code.br(exit);
    };
    reload();
    code.get(0);
    code.set(remaining);
    code.block((exit) => {
      if (this.machine.traps.length > 0) {
        code.get(remaining);
        code.emit("i64.eqz", "i32.eqz");
        this.pushTrapped(code);
        code.emit("i32.and");
        code.if(() => leave(exit, STATUS.stuck));
      }
      code.loop((next) => {
        code.get(remaining);
        code.emit("i64.eqz");
        code.if(() => leave(exit, STATUS.limit));
        code.get(remaining);
        code.i64(1n);
        code.emit("i64.sub");
        code.set(remaining);

        const record = code.local("i32");
        const handler = code.local("i32");
        const fallback = (): void => {
          flush();
          code.call(other);
          const outcome = code.local("i32");
          code.set(outcome);
          reload();
          code.get(outcome);
          code.emit("i32.eqz");
          code.if(() => {
            code.get(remaining);
            code.i64(1n);
            code.emit("i64.add");
            code.set(remaining);
            leave(exit, STATUS.stuck);
          });
          code.get(outcome);
          code.i32(2);
          code.emit("i32.eq");
          code.if(() => leave(exit, STATUS.trap));
          code.br(next);
        };
        if (isa === undefined || decode === undefined || around.cache === undefined) {
          fallback();
        } else {
          this.emitDispatch(
            code,
            handlers,
            operands,
            { ...around, cache: around.cache },
            {
              isa,
              decode,
              record,
              handler,
              promoted,
              shift,
              remaining,
              flush,
              reload,
              fallback,
              next,
              trapped: () => leave(exit, STATUS.trap),
            },
          );
        }
      });
      // The loop is left only by branches.
      code.emit("unreachable");
    }, "i32");
    flush();
    code.i32(0);
    code.get(0);
    code.get(remaining);
    code.emit("i64.sub");
    code.memory("i64.store", this.steps);
  }

  private emitDispatch(
    code: FunctionBuilder,
    handlers: readonly Transition[],
    operands: Map<Instruction, Operands>,
    around: {
      readonly source: Source | undefined;
      readonly invalidate: Callee | undefined;
      readonly cache: DecodeCache;
    },
    at: {
      readonly isa: InstructionSet;
      readonly decode: FunctionBuilder;
      readonly record: number;
      readonly handler: number;
      readonly promoted: ReadonlyMap<string, number>;
      readonly shift: number;
      readonly remaining: number;
      readonly flush: () => void;
      readonly reload: () => void;
      readonly fallback: () => void;
      readonly next: Label;
      readonly trapped: () => void;
    },
  ): void {
    const { record, handler } = at;
    const { cache, source } = around;
    const spare = cache.address + cache.entries * cache.recordSize;
    const key = code.local("i64");
    /** Decodes the word at `key` into `record`, leaving the handler's number. */
    const decodeHere = (): void => {
      at.flush();
      code.get(key);
      code.get(record);
      code.call(at.decode);
    };
    if (source === undefined) {
      code.i64(0n);
      code.set(key);
      code.i32(spare);
      code.set(record);
      decodeHere();
      code.set(handler);
    } else {
      const state = stateBindings(this.state, at.promoted);
      const bindings: Bindings = (term) => state.get(term) ?? this.choiceBindings.get(term);
      const { check, unbroken } = source;
      const asked = [check, unbroken, source.key].filter((term) => term !== t.TRUE);
      emitScalars(code, this.support, this.lowering, bindings, asked);
      code.set(key);
      const whole = code.local("i32");
      if (unbroken !== t.TRUE) code.set(whole);
      if (check !== t.TRUE) {
        code.emit("i32.eqz");
        code.if(() => at.fallback());
      }
      code.get(key);
      emitRecordAddress(code, cache, at.shift);
      if (unbroken !== t.TRUE) {
        code.i32(spare);
        code.get(whole);
        code.emit("select");
      }
      code.tee(record);
      code.memory("i64.load", TAG);
      code.get(key);
      code.emit("i64.eq");
      if (unbroken !== t.TRUE) {
        code.get(whole);
        code.emit("i32.and");
      }
      code.if(
        () => {
          code.get(record);
          code.memory("i32.load", HANDLER);
        },
        decodeHere,
        "i32",
      );
      code.set(handler);
    }
    code.loop((again) => {
      code.block((none) => {
        const labels: Label[] = [];
        const nest = (i: number): void => {
          const transition = handlers[i];
          if (transition === undefined) {
            const table = (): void => {
              code.get(handler);
              code.brTable(labels, none);
            };
            if (this.regions === undefined) {
              table();
              return;
            }
            code.block((label) => {
              labels.push(label);
              table();
            });
            emitEnterRegion(code, this.support, this.regions, {
              ...at,
              again,
              pushProgramCounter: () => this.pushProgramCounter(code, at),
            });
            return;
          }
          code.block((label) => {
            labels.push(label);
            nest(i + 1);
          });
          code.scoped(() => this.emitHandler(code, transition, operands, around, at));
          code.br(at.next);
        };
        nest(0);
      });
      if (source !== undefined && isWideKey(source.key)) {
        // An empty record's tag is −1, which this address happens to be: its word is never remembered.
        code.get(key);
        code.i64(-1n);
        code.emit("i64.eq");
        code.get(record);
        code.i32(spare);
        code.emit("i32.ne", "i32.and");
        code.if(() => {
          code.i32(spare);
          code.set(record);
          decodeHere();
          code.set(handler);
          code.br(again);
        });
      }
      at.fallback();
    });
    code.emit("unreachable");
  }

  private pushProgramCounter(
    code: FunctionBuilder,
    { isa, promoted }: { readonly isa: InstructionSet; readonly promoted: ReadonlyMap<string, number> },
  ): void {
    const local = promoted.get(isa.programCounter);
    const place = this.state.of(isa.programCounter);
    if (place.kind !== "scalar") throw new InternalDefect("the program counter is no scalar");
    if (local !== undefined) {
      code.get(local);
      return;
    }
    code.i32(0);
    code.memory("i64.load", place.address);
  }

  private emitHandler(
    code: FunctionBuilder,
    transition: Transition,
    operands: Map<Instruction, Operands>,
    around: { readonly source: Source | undefined; readonly invalidate: Callee | undefined },
    at: { readonly record: number; readonly promoted: ReadonlyMap<string, number>; readonly trapped: () => void },
  ): void {
    const { instruction } = transition;
    if (instruction === undefined) throw new InternalDefect(`${transition.name} is no instruction`);
    const mine = new Operands(instruction);
    operands.set(instruction, mine);
    if (isApart(instruction)) {
      const apart = this.support.module.function(["i32"], []);
      const context = this.handlerContext(apart, mine, 0, new Map(), around.invalidate, around.source?.memory);
      emitEffect(context, this.machine, instruction.effect, () => apart.emit("unreachable"));
      code.get(at.record);
      code.call(apart);
      return;
    }
    const context = this.handlerContext(code, mine, at.record, at.promoted, around.invalidate, around.source?.memory);
    emitEffect(context, this.machine, instruction.effect, at.trapped);
    if (instruction.effect.assigns.has("trap")) {
      this.pushTrapped(code);
      code.if(at.trapped);
    }
  }

  /** (key, record) → handler: decodes the word and fills the record, or −1 where there is no instruction. */
  private emitDecode(
    code: FunctionBuilder,
    isa: InstructionSet,
    handlers: readonly Transition[],
    operands: ReadonlyMap<Instruction, Operands>,
    source: Source | undefined,
    cache: DecodeCache,
  ): void {
    const [key, record] = [0, 1];
    emitScalars(code, this.support, this.lowering, this.plain, [isa.fetchable]);
    code.emit("i32.eqz");
    code.if(() => {
      code.i32(NO_HANDLER);
      code.emit("return");
    });
    // Of a longer word the low bits find the candidates; their guards look at all of it, and operands are read from the state.
    const isLong = isa.wordWidth > 64;
    const word = code.local("i64");
    emitScalars(code, this.support, this.lowering, this.plain, [isLong ? t.extract(isa.word, 63, 0) : isa.word]);
    code.set(word);
    const wordTerm = isLong ? isa.word : t.variable("%word", bits(isa.wordWidth));
    const inLocal: Bindings = (term) => (term === wordTerm ? { kind: "local", local: word } : undefined);
    const bindings = isLong ? this.plain : inLocal;
    const instructions = handlers.flatMap((h) => h.instruction ?? []);
    emitDecoder(code, word, instructions, (instruction) => {
      const number = instructions.indexOf(instruction);
      const guard = handlers[number]?.guard ?? t.FALSE;
      emitScalars(code, this.support, this.lowering, this.plain, [guard]);
      code.if(() => {
        code.scoped(() => {
          const fields = new Map(instruction.encoding.fields.map((f) => [f.term, fieldOf(f, wordTerm)]));
          const list = operands.get(instruction)?.list ?? [];
          const terms = list.map((operand) => substitute(operand.term, fields));
          list.forEach((operand, i) => {
            const term = terms[i];
            if (term === undefined) return;
            code.get(record);
            emitScalars(code, this.support, this.lowering, bindings, [term]);
            if (term.sort.kind === "bool") code.emit("i64.extend_i32_u");
            code.memory("i64.store", operand.offset);
          });
          code.get(record);
          code.i32(number);
          code.memory("i32.store", HANDLER);
          if (source !== undefined) {
            // The spare record is for words that cannot be remembered.
            code.get(record);
            code.i32(cache.address + cache.entries * cache.recordSize);
            code.emit("i32.ne");
            code.if(() => emitRemember(code, this.support, key, record, source, cache));
          }
          code.i32(number);
          code.emit("return");
        });
      });
    });
    code.i32(NO_HANDLER);
  }

  private emitInvalidate(source: Source, cache: DecodeCache, shift: number): FunctionBuilder {
    const code = this.support.module.function(["i64", "i32"], [], `${this.options.prefix ?? ""}invalidate`);
    const [address, bytes] = [0, 1];
    emitForgetRecords(code, source, cache, shift, address, bytes);
    this.defined.emitForgetWritten(code, address, bytes, () => {
      if (this.regions === undefined) return;
      code.i32(0);
      code.i32(1);
      code.memory("i32.store", this.regions.stale);
    });
    if (this.regions !== undefined) emitCodeWritten(code, this.support, this.regions.bounds, address, bytes);
    return code;
  }
}

/** A big effect is a function of its own: the loop stays small enough to be compiled well, and soon. */
function isApart(instruction: Instruction | undefined): boolean {
  return instruction?.effect.cases !== undefined;
}

/** All terms that code is generated from. */
function termsOf({ transitions, instructionSet: isa }: Machine): readonly Term[] {
  return [
    ...(isa === undefined ? [] : [isa.word, isa.fetchable, isa.ready]),
    ...transitions
      .flatMap((x) => [x, ...(x.instruction === undefined ? [] : [x.instruction])])
      .flatMap(({ effect }) => [
        ...effect.assigns.values(),
        ...effect.raises.flatMap((r) => [r.condition, ...r.arguments]),
      ]),
    ...transitions.map((x) => x.guard),
  ];
}
