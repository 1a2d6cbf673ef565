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
import { type DecodeCache, HANDLER, type RegionLinks, TAG } from "./interpreter.js";
import type { PagedMemory } from "./paged.js";
import { type Block, constantOf, flowOf, gather, type Step } from "./flow.js";
import { compileRegion, isCompilable, type RegionHost } from "./region-code.js";

/** Instructions in a region, at most. */
const MOST_STEPS = 400;
const MOST_REGIONS = 256;
/** Regions discarded before a program is taken for one that rewrites itself, and left to the interpreter. */
const PATIENCE = 32;
/** Samples in the same 256 bytes that make them hot. */
const HOT = 3;
const BUCKET_BITS = 8n;

interface Region {
  readonly addresses: ReadonlySet<bigint>;
  readonly entries: ReadonlyMap<bigint, number>;
  readonly slot: number;
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
  private readonly invalidate: WebAssembly.ExportedFunction;
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
    this.invalidate = instance.function("invalidate");
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
    if (this.regions.some((r) => r.addresses.has(pc))) return true;
    if (this.regions.length >= MOST_REGIONS || this.discarded >= PATIENCE) return true;
    const bucket = pc >> BUCKET_BITS;
    const seen = (this.samples.get(bucket) ?? 0) + 1;
    this.samples.set(bucket, seen);
    if (seen % HOT !== 0 || seen > 4 * HOT) return seen > 4 * HOT;
    this.compile(pc);
    return false;
  }

  /** Compiles what is reached from `pc`. False where there is nothing to gain. */
  compile(pc: bigint): boolean {
    const { blocks, addresses } = this.gather(pc);
    if (blocks.length === 0) return false;
    const { table } = this.instance;
    const slot = this.freeSlots.pop() ?? table.grow(1);
    const module = compileRegion(this.host, blocks, slot);
    const region = module.link(this.instance, { invalidate: this.invalidate }).exports["region"];
    if (region === undefined) throw new InternalDefect("a region's module exports nothing");
    table.set(slot, region);
    this.regions.push({ addresses, entries: new Map(blocks.map((b, i) => [b.pc, i])), slot });
    this.setBounds();
    this.install();
    return true;
  }

  /** Links the records of all entries to their regions: some may have been used for other addresses meanwhile. */
  install(): void {
    const { links } = this;
    const saved = this.readPc();
    for (const region of this.regions) {
      for (const [pc, number] of region.entries) {
        const record = this.recordOf(pc);
        this.writePc(pc);
        const handler = Number(this.decodeAt(BigInt.asIntN(64, pc), record));
        if (handler < 0) continue;
        const view = this.instance.arena.view();
        view.setInt32(record + links.normal, handler, true);
        view.setInt32(record + HANDLER, links.handler, true);
        view.setInt32(record + links.slot, region.slot, true);
        view.setInt32(record + links.slot + 4, number, true);
      }
    }
    this.writePc(saved);
  }

  private recordOf(pc: bigint): number {
    const index = Number((pc >> BigInt(this.links.shift)) & BigInt(this.cache.entries - 1));
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
      for (const pc of region.entries.keys()) this.unlink(pc, region.slot);
      this.freeSlots.push(region.slot);
      this.discarded++;
    }
    this.regions = this.regions.filter((r) => !hit.includes(r));
    this.setBounds();
  }

  private unlink(pc: bigint, slot: number): void {
    const { links } = this;
    const view = this.instance.arena.view();
    const record = this.recordOf(pc);
    const linked =
      view.getInt32(record + HANDLER, true) === links.handler && view.getInt32(record + links.slot, true) === slot;
    if (linked && view.getBigUint64(record + TAG, true) === pc) {
      view.setInt32(record + HANDLER, view.getInt32(record + links.normal, true), true);
    }
  }

  private setBounds(): void {
    let [low, high] = [(1n << 64n) - 1n, 0n];
    for (const region of this.regions) {
      for (const pc of region.addresses) {
        const end = pc + BigInt(longestLength(this.isa));
        if (pc < low) low = pc;
        if (end > high) high = end;
      }
    }
    const view = this.instance.arena.view();
    view.setBigUint64(this.links.bounds, low, true);
    view.setBigUint64(this.links.bounds + 8, high, true);
  }

  // ---------------------------------------------------------------------------------------------- gathering the code

  /** Instructions reached from `start` by known jumps, nearest first, cut into blocks by address. */
  private gather(start: bigint): { readonly blocks: readonly Block[]; readonly addresses: ReadonlySet<bigint> } {
    const saved = this.readPc();
    const gathered = gather(start, MOST_STEPS, (pc) => {
      const step = this.stepAt(pc);
      return step !== undefined && isCompilable(this.host, step) ? step : undefined;
    });
    this.writePc(saved);
    return { blocks: gathered.blocks, addresses: new Set(gathered.steps.keys()) };
  }

  /** The instruction at `pc`, by the interpreter's own decoder; undefined where it may not be fetched, or is none. */
  private stepAt(pc: bigint): Step | undefined {
    this.writePc(pc);
    const spare = this.cache.address + this.cache.entries * this.cache.recordSize;
    const handler = Number(this.decodeAt(BigInt.asIntN(64, pc), spare));
    const instruction = this.handlers[handler];
    if (instruction === undefined || instruction.choices.length > 0) return undefined;
    const fields = decode(this.host.machine, wordFrom(this.isa, this.memory.read(pc, longestLength(this.isa))));
    if (fields === undefined || fields.instruction !== instruction) return undefined;
    const constants = new Map<Term, Term>([[this.pcTerm, constantOf(this.pcTerm, pc)]]);
    for (const field of instruction.encoding.fields)
      constants.set(field.term, constantOf(field.term, fields.fields.get(field.name) ?? 0n));
    return this.specialize(pc, instruction, new Substitution(constants));
  }

  private specialize(pc: bigint, { effect, encoding }: Instruction, constants: Substitution): Step | undefined {
    const assigns = new Map<string, Term>();
    for (const [name, value] of effect.assigns) assigns.set(name, constants.apply(value));
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
    return { pc, length: encoding.length, effect: { raises, assigns }, flow };
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
