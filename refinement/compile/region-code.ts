/**
 * A region: instructions that are executed often, with the jumps between them, as one WebAssembly function. Operands and
 * program counters are constants in it, elements of register files locals. It counts steps exactly, traps exactly, and
 * leaves for the interpreter wherever it cannot go on: at a computed jump, outside itself, before the step limit, or before
 * a step that is not what it mostly is.
 */
import type { Effect, Machine } from "../machine.js";
import * as t from "../terms/build.js";
import type { Term } from "../terms/term.js";
import type { Bindings } from "./binding.js";
import { type DefinedFunction, ImportedFunctions } from "./defined.js";
import { type EffectContext, emitEffect, emitScalars, stateBindings, type Unless } from "./effects.js";
import { type Block, deciding, type Flow, type Step } from "./flow.js";
import { CompiledModule } from "./instance.js";
import { type DecodeCache, emitRecordAddress, HANDLER, TAG } from "./decode-cache.js";
import type { RegionLinks } from "./region-links.js";
import { type FilePlace, type Layout, type MemoryPlace, SealedLayout, type StateLayout } from "./layout.js";
import { Lowering } from "./lower.js";
import { Support } from "./support.js";
import { Unsupported } from "./unsupported.js";
import { FunctionBuilder, type Label } from "./wasm.js";

/** What a region's code shares with the interpreter that it is linked to. */
export interface RegionHost {
  readonly machine: Machine;
  /** The variable that is the program counter. */
  readonly programCounter: string;
  readonly state: StateLayout;
  readonly layout: Layout;
  readonly scratch: number;
  readonly links: Pick<RegionLinks, "handler" | "slot" | "remaining" | "stale" | "shift">;
  readonly cache: Pick<DecodeCache, "address" | "entries" | "recordSize">;
  /** Functions that the interpreter's module shares. */
  readonly defined: ReadonlyMap<string, DefinedFunction>;
  /** Where the program counter is. */
  readonly pc: number;
  readonly codeMemory: MemoryPlace;
}

/** What a region asks before its first instruction, where what stands at an address depends on more than memory. */
export interface Guard {
  /** Cells (i64) with the values that the code was made for. */
  readonly context: readonly { readonly address: number; readonly value: bigint }[];
  /** Hold of the state as long as the instructions are what they were, whatever the program counter. */
  readonly conditions: readonly Term[];
  /** Changes whenever the conditions may have another outcome (i64). */
  readonly generation: number;
  /** Twice the generation in which they were asked, plus whether they held (i64). */
  readonly verified: number;
  /** How far the key of a record is from the program counter. */
  readonly distance: bigint;
}

/** Files whose elements are kept in locals. */
function isKept(place: FilePlace): boolean {
  return place.limbs === 1;
}

class Elements {
  private readonly locals = new Map<number, number>();
  private readonly written = new Set<number>();
  private readonly make: () => number;

  constructor(make: () => number) {
    this.make = make;
  }

  /** The local of the element at this address. */
  of(address: number): number {
    let local = this.locals.get(address);
    if (local === undefined) {
      local = this.make();
      this.locals.set(address, local);
    }
    return local;
  }

  write(address: number): number {
    this.written.add(address);
    return this.of(address);
  }

  get all(): ReadonlyMap<number, number> {
    return this.locals;
  }

  get changed(): readonly (readonly [number, number])[] {
    return [...this.locals].filter(([address]) => this.written.has(address));
  }
}

function contextOf(
  host: RegionHost,
  support: Support,
  code: FunctionBuilder,
  elements: Elements,
  invalidate: { readonly index: number },
  effect: Effect,
): EffectContext {
  const kept = new Map<Term, { readonly name: string; readonly address: number }>();
  for (const [v, place] of host.state)
    if (place.kind === "scalar" && place.limbs === 1 && v.type.kind === "bits" && !v.implicit)
      kept.set(v.term, { name: v.name, address: place.address });
  const promoted = new Map<string, number>();
  for (const { name, address } of kept.values())
    if (effect.assigns.has(name)) promoted.set(name, elements.write(address));
  const state = stateBindings(host.state);
  const bindings: Bindings = (term) => {
    if (term.op === "select" && term.args[0]?.op === "var") {
      const place = state.get(term.args[0]);
      const index = term.args[1];
      if (place?.kind === "file" && isKept(place) && index !== undefined) {
        if (index.op !== "const") throw new Unsupported("select", "an element chosen at run time");
        return Number(index.value) < place.count
          ? { kind: "local", local: elements.of(place.address + 8 * Number(index.value)) }
          : undefined;
      }
    }
    const scalar = kept.get(term);
    return scalar === undefined ? state.get(term) : { kind: "local", local: elements.of(scalar.address) };
  };
  return {
    code,
    support,
    lowering: new Lowering(host.defined.size > 0),
    bindings,
    target: host.state,
    promoted,
    element: (place, index) => {
      if (!isKept(place)) return undefined;
      if (index === undefined) throw new Unsupported("store", "an element chosen at run time");
      return elements.write(place.address + 8 * index);
    },
    copied: false,
    invalidate: (place) => (place === host.codeMemory ? invalidate : undefined),
    log: () => undefined,
  };
}

function supportOf(host: RegionHost): { readonly support: Support; readonly invalidate: { readonly index: number } } {
  const support = new Support(new SealedLayout(host.layout.end), host.scratch);
  const invalidate = support.module.importFunction("invalidate", ["i64", "i32"], []);
  support.defined = new ImportedFunctions(support, host.defined);
  return { support, invalidate };
}

function writesMemory(step: Step): boolean {
  return [...step.effect.assigns.values()].some((value) => value.sort.kind === "memory");
}

/** Whether the instruction can be part of a region. */
export function isCompilable(host: RegionHost, step: Step): boolean {
  if (step.effect.assigns.has("trap") || step.effect.assigns.has(host.programCounter)) return false;
  const { support, invalidate } = supportOf(host);
  const trial = new FunctionBuilder(0, { parameters: [], results: [] });
  try {
    const context = contextOf(host, support, trial, new Elements(() => trial.local("i64")), invalidate, step.effect);
    const leave = (): void => trial.emit("return");
    emitEffect(context, host.machine, step.effect, leave, deciding(step.flow), unlessOf(step, leave));
    return true;
  } catch (error) {
    if (error instanceof Unsupported) return false;
    throw error;
  }
}

function unlessOf({ unless }: Step, leave: () => void): Unless | undefined {
  return unless === undefined || unless === t.FALSE ? undefined : { condition: unless, leave };
}

/** `slot` is the region's number in the table. The module exports `region`: (number of the block to begin with) → 1 if the last step ended in a trap, else 0. */
export function compileRegion(host: RegionHost, blocks: readonly Block[], slot: number, guard?: Guard): CompiledModule {
  // Which elements the region uses is known once it has been generated.
  const trial = supportOf(host);
  const used = new Elements(() => 0);
  const body = trial.support.module.function(["i32"], ["i32"]);
  new RegionEmitter(host, trial.support, body, used, trial.invalidate, blocks, slot, guard).emit();

  const { support, invalidate } = supportOf(host);
  const code = support.module.function(["i32"], ["i32"], "region");
  const elements = new Elements(() => code.local("i64"));
  for (const address of used.all.keys()) elements.of(address);
  for (const [address] of used.changed) elements.write(address);
  new RegionEmitter(host, support, code, elements, invalidate, blocks, slot, guard).emit();
  return new CompiledModule(support);
}

class RegionEmitter {
  private readonly host: RegionHost;
  private readonly support: Support;
  private readonly code: FunctionBuilder;
  private readonly elements: Elements;
  private readonly invalidate: { readonly index: number };
  private readonly blocks: readonly Block[];
  private readonly slot: number;
  private readonly guard: Guard | undefined;
  private readonly numbers: ReadonlyMap<bigint, number>;
  private readonly remaining: number;
  private readonly pc: number;
  private readonly next = 0;
  private readonly trapped: number;

  constructor(
    host: RegionHost,
    support: Support,
    code: FunctionBuilder,
    elements: Elements,
    invalidate: { readonly index: number },
    blocks: readonly Block[],
    slot: number,
    guard: Guard | undefined,
  ) {
    this.host = host;
    this.support = support;
    this.code = code;
    this.elements = elements;
    this.invalidate = invalidate;
    this.blocks = blocks;
    this.slot = slot;
    this.guard = guard;
    this.numbers = new Map(blocks.map((b, i) => [b.pc, i]));
    this.remaining = code.local("i64");
    this.pc = code.local("i64");
    this.trapped = code.local("i32");
  }

  emit(): void {
    const { code, host, elements, guard } = this;
    if (guard !== undefined) this.emitGuard(guard);
    code.i32(0);
    code.memory("i64.load", host.links.remaining);
    code.set(this.remaining);
    for (const [address, local] of elements.all) {
      code.i32(0);
      code.memory("i64.load", address);
      code.set(local);
    }
    code.block((exit) => {
      code.loop((again) => {
        this.emitBlocks([], exit, again);
      });
    });
    for (const [address, local] of elements.changed) {
      code.i32(0);
      code.get(local);
      code.memory("i64.store", address);
    }
    code.i32(0);
    code.get(this.pc);
    code.memory("i64.store", host.pc);
    code.i32(0);
    code.get(this.remaining);
    code.memory("i64.store", host.links.remaining);
    code.get(this.trapped);
  }

  /** Returns without a step done where the code is not what has to be executed. */
  private emitGuard({ context, conditions, generation, verified }: Guard): void {
    const { code, support } = this;
    const verify = support.module.function([], ["i32"]);
    const state = stateBindings(this.host.state);
    const lowering = new Lowering(this.host.defined.size > 0);
    verify.i32(1);
    emitScalars(verify, support, lowering, (term) => state.get(term), conditions);
    for (const _ of conditions) verify.emit("i32.and");
    code.block((enter) => {
      code.block((refuse) => {
        for (const { address, value } of context) {
          code.i32(0);
          code.memory("i64.load", address);
          code.i64(value);
          code.emit("i64.ne");
          code.brIf(refuse);
        }
        code.i32(0);
        code.memory("i64.load", verified);
        code.i64(1n);
        code.emit("i64.shr_u");
        code.i32(0);
        code.memory("i64.load", generation);
        code.emit("i64.ne");
        code.if(() => {
          code.i32(0);
          code.i32(0);
          code.memory("i64.load", generation);
          code.i64(1n);
          code.emit("i64.shl");
          code.call(verify);
          code.emit("i64.extend_i32_u", "i64.or");
          code.memory("i64.store", verified);
        });
        code.i32(0);
        code.memory("i64.load", verified);
        code.emit("i32.wrap_i64");
        code.i32(1);
        code.emit("i32.and");
        code.brIf(enter);
      });
      code.i32(0);
      code.emit("return");
    });
  }

  /** The last block is outermost, so that the code of each stands within the labels of all behind it. */
  private emitBlocks(labels: Label[], exit: Label, again: Label): void {
    const { code } = this;
    const nest = (i: number): void => {
      if (i < 0) {
        code.get(this.next);
        code.brTable(labels, exit);
        return;
      }
      code.block((label) => {
        labels[i] = label;
        nest(i - 1);
      });
      this.emitBlock(i, labels, exit, again);
    };
    nest(this.blocks.length - 1);
  }

  private emitBlock(number: number, labels: readonly Label[], exit: Label, again: Label): void {
    const { code } = this;
    const block = this.blocks[number];
    if (block === undefined) return;
    const count = block.steps.length;
    code.loop((self) => {
      code.get(this.remaining);
      code.i64(BigInt(count));
      code.emit("i64.lt_u");
      code.if(() => this.leave(exit, block.pc, 0));
      code.get(this.remaining);
      code.i64(BigInt(count));
      code.emit("i64.sub");
      code.set(this.remaining);
      block.steps.forEach((step, k) => {
        const left = count - k - 1;
        code.scoped(() => {
          const context = contextOf(this.host, this.support, code, this.elements, this.invalidate, step.effect);
          const answers = emitEffect(
            context,
            this.host.machine,
            step.effect,
            () => {
              code.i32(1);
              code.set(this.trapped);
              this.leave(exit, step.pc, left);
            },
            deciding(step.flow),
            unlessOf(step, () => this.leave(exit, step.pc, left + 1)),
          );
          if (writesMemory(step)) {
            code.i32(0);
            code.memory("i32.load", this.host.links.stale);
            code.if(() => this.emitExit(step.flow, [...answers], exit, left));
          }
          if (left === 0) this.emitFlow(step.flow, [...answers], { number, labels, exit, again, self });
        });
      });
    });
  }

  /** Leaves the region for `pc`; `undone` steps of the block were counted and are not executed. */
  private leave(exit: Label, pc: bigint, undone: number): void {
    const { code } = this;
    if (undone > 0) {
      code.get(this.remaining);
      code.i64(BigInt(undone));
      code.emit("i64.add");
      code.set(this.remaining);
    }
    code.i64(pc);
    code.set(this.pc);
    code.br(exit);
  }

  /** A computed target, as that of a return, may be an entry of this very region: its record says so. */
  private emitReturn(again: Label): void {
    const { code, guard } = this;
    const { links, cache } = this.host;
    const record = code.local("i32");
    const key = code.local("i64");
    code.get(this.pc);
    if (guard !== undefined) {
      code.i64(guard.distance);
      code.emit("i64.add");
    }
    code.tee(key);
    emitRecordAddress(code, cache, links.shift);
    code.tee(record);
    code.memory("i64.load", TAG);
    code.get(key);
    code.emit("i64.eq");
    if (guard !== undefined) {
      code.get(record);
      code.memory("i64.load", links.slot + 8);
      code.get(this.pc);
      code.emit("i64.eq", "i32.and");
    }
    code.get(record);
    code.memory("i32.load", HANDLER);
    code.i32(links.handler);
    code.emit("i32.eq", "i32.and");
    code.get(record);
    code.memory("i32.load", links.slot);
    code.i32(this.slot);
    code.emit("i32.eq", "i32.and");
    code.if(() => {
      code.get(record);
      code.memory("i32.load", links.slot + 4);
      code.set(this.next);
      code.br(again);
    });
  }

  /** Leaves the region for wherever the flow leads. */
  private emitExit(flow: Flow, answers: number[], exit: Label, undone: number): void {
    const { code } = this;
    switch (flow.kind) {
      case "static":
        this.leave(exit, flow.target, undone);
        return;
      case "dynamic":
        code.get(answers.shift() ?? 0);
        code.set(this.pc);
        code.br(exit);
        return;
      case "branch": {
        code.get(answers.shift() ?? 0);
        const otherwise = answers.splice(deciding(flow.taken).length);
        code.if(() => this.emitExit(flow.taken, answers, exit, undone));
        this.emitExit(flow.otherwise, otherwise, exit, undone);
      }
    }
  }

  private emitFlow(
    flow: Flow,
    answers: number[],
    at: {
      readonly number: number;
      readonly labels: readonly Label[];
      readonly exit: Label;
      readonly again: Label;
      readonly self: Label;
    },
  ): void {
    const { code } = this;
    switch (flow.kind) {
      case "static": {
        const number = this.numbers.get(flow.target);
        const label = number === undefined ? undefined : at.labels[number];
        if (number === undefined || label === undefined) {
          this.leave(at.exit, flow.target, 0);
        } else if (number === at.number) {
          code.br(at.self);
        } else if (number > at.number) {
          code.br(label);
        } else {
          code.i32(number);
          code.set(this.next);
          code.br(at.again);
        }
        return;
      }
      case "dynamic":
        code.get(answers.shift() ?? 0);
        code.set(this.pc);
        this.emitReturn(at.again);
        code.br(at.exit);
        return;
      case "branch": {
        code.get(answers.shift() ?? 0);
        const otherwise = answers.splice(deciding(flow.taken).length);
        code.if(() => this.emitFlow(flow.taken, answers, at));
        this.emitFlow(flow.otherwise, otherwise, at);
      }
    }
  }
}
