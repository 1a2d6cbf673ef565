/**
 * Which code is hot, and what becomes of it. The program counter is looked at every now and then; where it is found again
 * and again, the instructions around are gathered along their jumps and compiled as a region, which the interpreter enters
 * through its records of predecoded instructions. Stores to a region's code discard it.
 */
import { decode, longestLength, wordFrom } from "../assembly/index.js";
import { InternalDefect } from "../errors.js";
import type { Instruction, InstructionSet } from "../machine.js";
import * as t from "../terms/build.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import type { Instance } from "./instance.js";
import { conditionsAt } from "./fetching.js";
import { type DecodeCache, HANDLER, TAG } from "./decode-cache.js";
import { MOST_REGIONS, type RegionLinks } from "./region-links.js";
import type { PagedMemory } from "./paged.js";
import { type Block, constantOf, flowOf, gather, type Step } from "./flow.js";
import { compileRegion, type Guard, isCompilable, type RegionHost } from "./region-code.js";
import { usualOf } from "./usual.js";

/** Instructions in a region, at most. */
const MOST_STEPS = 400;
/** Regions discarded before a program is taken for one that rewrites itself, and left to the interpreter. */
const PATIENCE = 32;
/** Samples in the same 256 bytes that make them hot. */
const HOT = 3;
const BUCKET_BITS = 8n;

interface Region {
  /** Of the instructions' words in memory. */
  readonly addresses: ReadonlySet<bigint>;
  readonly entries: readonly Entry[];
  readonly slot: number;
}

/** A block that the interpreter may enter by: the program counter there, and the address of the word. */
interface Entry {
  readonly pc: bigint;
  readonly key: bigint;
  readonly number: number;
}

/** An instruction where it was found. */
interface Located {
  readonly step: Step;
  readonly key: bigint;
  /** Hold as long as it is this instruction that stands at its program counter. */
  readonly conditions: readonly Term[];
}

interface InterpreterHost extends RegionHost {
  readonly links: RegionLinks;
  readonly cache: DecodeCache;
}

export class Regions {
  private readonly host: InterpreterHost;
  private readonly instance: Instance;
  private readonly isa: InstructionSet;
  private readonly cache: DecodeCache;
  private readonly handlers: readonly Instruction[];
  private readonly memory: PagedMemory;
  private readonly decodeAt: WebAssembly.ExportedFunction;
  private readonly imports: Readonly<Record<string, WebAssembly.ExportedFunction>>;
  private readonly locateHere: WebAssembly.ExportedFunction | undefined;
  private readonly pcTerm: Term;
  private regions: Region[] = [];
  private readonly samples = new Map<bigint, number>();
  private readonly freeSlots: number[] = [];
  private discarded = 0;

  constructor(host: InterpreterHost, instance: Instance, isa: InstructionSet, pc: Term) {
    this.host = host;
    this.instance = instance;
    this.isa = isa;
    this.cache = host.cache;
    this.handlers = host.machine.transitions.flatMap((x) => x.instruction ?? []);
    this.memory = instance.memory(host.codeMemory);
    this.decodeAt = instance.function("decode");
    const exported = ["invalidate", ...[...host.links.defined.values()].map((f) => f.exported)];
    this.imports = Object.fromEntries(exported.map((name) => [name, instance.function(name)]));
    this.locateHere = host.links.fetching.isDirect ? undefined : instance.function("locate");
    this.pcTerm = pc;
    instance.codeWritten = (address, bytes) => this.written(BigInt.asUintN(64, address), bytes);
    this.setBounds();
  }

  private get links(): RegionLinks {
    return this.host.links;
  }

  get count(): number {
    return this.regions.length;
  }

  /** Forgets everything: the code may be another. */
  reset(): void {
    for (const region of this.regions) this.freeSlots.push(region.slot);
    this.regions = [];
    this.samples.clear();
    this.discarded = 0;
    this.setBounds();
  }

  /**
   * Notes where the machine is while it runs. True if it is in known territory, where looking again soon tells nothing new.
   */
  sample(): boolean {
    const pc = this.readPc();
    const key = this.locate(pc);
    if (key === undefined) return false;
    if (this.regions.some((r) => r.addresses.has(key))) return true;
    if (this.regions.length >= MOST_REGIONS || this.discarded >= PATIENCE) return true;
    const bucket = key >> BUCKET_BITS;
    const seen = (this.samples.get(bucket) ?? 0) + 1;
    this.samples.set(bucket, seen);
    if (seen % HOT !== 0 || seen > 4 * HOT) return seen > 4 * HOT;
    this.compile(pc);
    return false;
  }

  /** Compiles what is reached from `pc`. False where there is nothing to gain. */
  compile(pc: bigint): boolean {
    const { blocks, located } = this.gather(pc);
    const start = located.get(pc);
    if (blocks.length === 0 || start === undefined) return false;
    const { table } = this.instance;
    const slot = this.freeSlots.pop() ?? table.grow(1);
    const module = compileRegion(this.host, blocks, slot, this.guard(pc, start.key, [...located.values()], slot));
    const region = module.link(this.instance, this.imports).exports["region"];
    if (region === undefined) throw new InternalDefect("a region's module exports nothing");
    table.set(slot, region);
    const entries = blocks.flatMap((block, number): Entry[] => {
      const found = located.get(block.pc);
      return found === undefined ? [] : [{ pc: block.pc, key: found.key, number }];
    });
    this.regions.push({ addresses: new Set([...located.values()].map((at) => at.key)), entries, slot });
    this.setBounds();
    this.install();
    return true;
  }

  private guard(pc: bigint, key: bigint, located: readonly Located[], slot: number): Guard | undefined {
    const { fetching, generation, verified } = this.links;
    if (fetching.isDirect) return undefined;
    const cell = verified + 8 * slot;
    this.instance.arena.view().setBigInt64(cell, 0n, true);
    const context = fetching.context.map((v) => {
      const place = this.host.state.of(v.name);
      if (place.kind !== "scalar") throw new InternalDefect(`${v.name} is no scalar`);
      return { address: place.address, value: this.instance.readScalar(place) };
    });
    const conditions = [...new Set(located.flatMap((at) => at.conditions))];
    return { context, conditions, generation, verified: cell, distance: BigInt.asIntN(64, key - pc) };
  }

  /** Links the records of all entries to their regions: some may have been used for other addresses meanwhile. */
  install(): void {
    const { links } = this;
    const saved = this.readPc();
    for (const region of this.regions) {
      for (const { pc, key, number } of region.entries) {
        const record = this.recordOf(key);
        if (this.locate(pc) !== key) continue;
        this.writePc(pc);
        const handler = Number(this.decodeAt(BigInt.asIntN(64, key), record));
        if (handler < 0) continue;
        const view = this.instance.arena.view();
        view.setInt32(record + links.normal, handler, true);
        view.setInt32(record + HANDLER, links.handler, true);
        view.setInt32(record + links.slot, region.slot, true);
        view.setInt32(record + links.slot + 4, number, true);
        view.setBigUint64(record + links.slot + 8, pc, true);
      }
    }
    this.writePc(saved);
  }

  /** The address of the instruction that would be executed at `pc`; undefined where there is none. */
  private locate(pc: bigint): bigint | undefined {
    if (this.locateHere === undefined) return pc;
    const saved = this.readPc();
    this.writePc(pc);
    const key = this.locateHere();
    this.writePc(saved);
    return typeof key === "bigint" && key >= 0n ? key : undefined;
  }

  private recordOf(key: bigint): number {
    const index = Number((key >> BigInt(this.links.shift)) & BigInt(this.cache.entries - 1));
    return this.cache.address + index * this.cache.recordSize;
  }

  private readPc(): bigint {
    return this.instance.arena.view().getBigUint64(this.host.pc, true);
  }

  private writePc(pc: bigint): void {
    this.instance.arena.view().setBigUint64(this.host.pc, pc, true);
  }

  /** `bytes` bytes from `address` are being written, by a store that may itself stand in a region. */
  private written(address: bigint, bytes: number): void {
    const length = BigInt(longestLength(this.isa));
    const end = address + BigInt(bytes);
    const hit = this.regions.filter((r) => {
      for (let at = address - length + 1n; at < end; at++) if (r.addresses.has(at)) return true;
      return false;
    });
    if (hit.length === 0) return;
    const view = this.instance.arena.view();
    view.setInt32(this.links.stale, 1, true);
    for (const region of hit) {
      for (const { key } of region.entries) this.unlink(key, region.slot);
      this.freeSlots.push(region.slot);
      this.discarded++;
    }
    this.regions = this.regions.filter((r) => !hit.includes(r));
    this.setBounds();
  }

  private unlink(key: bigint, slot: number): void {
    const { links } = this;
    const view = this.instance.arena.view();
    const record = this.recordOf(key);
    const linked =
      view.getInt32(record + HANDLER, true) === links.handler && view.getInt32(record + links.slot, true) === slot;
    if (linked && view.getBigUint64(record + TAG, true) === key) {
      view.setInt32(record + HANDLER, view.getInt32(record + links.normal, true), true);
    }
  }

  private setBounds(): void {
    let [low, high] = [(1n << 64n) - 1n, 0n];
    for (const region of this.regions) {
      for (const key of region.addresses) {
        const end = key + BigInt(longestLength(this.isa));
        if (key < low) low = key;
        if (end > high) high = end;
      }
    }
    const view = this.instance.arena.view();
    view.setBigUint64(this.links.bounds, low, true);
    view.setBigUint64(this.links.bounds + 8, high, true);
  }

  // ---------------------------------------------------------------------------------------------- gathering the code

  /** Instructions reached from `start` by known jumps, nearest first, cut into blocks by address. */
  private gather(start: bigint): {
    readonly blocks: readonly Block[];
    readonly located: ReadonlyMap<bigint, Located>;
  } {
    const saved = this.readPc();
    const located = new Map<bigint, Located>();
    const { blocks } = gather(start, MOST_STEPS, (pc) => {
      const found = this.locatedAt(pc);
      if (found === undefined || !isCompilable(this.host, found.step)) return undefined;
      located.set(pc, found);
      return found.step;
    });
    this.writePc(saved);
    return { blocks, located };
  }

  /** The instruction at `pc`, by the interpreter's own decoder; undefined where it may not be fetched, or is none. */
  private locatedAt(pc: bigint): Located | undefined {
    const key = this.locate(pc);
    if (key === undefined) return undefined;
    this.writePc(pc);
    const spare = this.cache.address + this.cache.entries * this.cache.recordSize;
    const handler = Number(this.decodeAt(BigInt.asIntN(64, key), spare));
    const instruction = this.handlers[handler];
    if (instruction === undefined || instruction.choices.length > 0) return undefined;
    const fields = decode(this.host.machine, wordFrom(this.isa, this.memory.read(key, longestLength(this.isa))));
    if (fields === undefined || fields.instruction !== instruction) return undefined;
    const { fetching } = this.links;
    const constants = new Map<Term, Term>([[this.pcTerm, constantOf(this.pcTerm, pc)]]);
    for (const v of fetching.context) {
      const place = this.host.state.of(v.name);
      if (place.kind === "scalar") constants.set(v.term, constantOf(v.term, this.instance.readScalar(place)));
    }
    const here = new Substitution(constants);
    const conditions = fetching.isDirect
      ? []
      : conditionsAt(fetching, here, key, (address) => this.memory.readByte(address));
    if (conditions === undefined) return undefined;
    for (const field of instruction.encoding.fields)
      constants.set(field.term, constantOf(field.term, fields.fields.get(field.name) ?? 0n));
    const step = this.specialize(pc, instruction, new Substitution(constants));
    return step === undefined ? undefined : { step, key, conditions };
  }

  private specialize(pc: bigint, { effect, encoding }: Instruction, constants: Substitution): Step | undefined {
    const usual = usualOf(this.host.machine, effect, constants, this.links.fetching.relied);
    if (usual === undefined) return undefined;
    const assigns = new Map(usual.assigns);
    const to = assigns.get(this.isa.programCounter);
    assigns.delete(this.isa.programCounter);
    this.dropFixed(assigns);
    const raises = effect.raises
      .map((r) => ({
        condition: constants.apply(r.condition),
        trap: r.trap,
        arguments: r.arguments.map((a) => constants.apply(a)),
      }))
      .filter((r) => r.condition !== t.FALSE);
    const flow = to === undefined ? { kind: "static" as const, target: pc } : flowOf(to);
    return { pc, length: encoding.length, effect: { raises, assigns }, unless: usual.unless, flow };
  }

  /** Leaves out what only writes the constant into an element that always holds it, as x[0] of RISC-V. */
  private dropFixed(assigns: Map<string, Term>): void {
    for (const v of this.host.machine.variables) {
      const value = assigns.get(v.name);
      if (value?.op !== "store" || value.args[0] !== v.term) continue;
      const [, index, element] = value.args;
      if (index?.op !== "const" || element?.op !== "const") continue;
      if (v.fixed.get(Number(index.value)) === element.value) assigns.delete(v.name);
    }
  }
}
