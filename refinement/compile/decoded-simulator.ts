/**
 * A machine whose instructions a library decodes, at speed: each instruction is decoded and specialized once, and compiled with those
 * that it leads to. `execute/decoded.ts` is the reference. Choices that the definition leaves open are 0 unless `choose` says otherwise.
 */
import type { RunOutcome } from "../execute/engine.js";
import { InternalDefect } from "../errors.js";
import { type CodeBytes, type Decode, type Fetched, fetchAt, numbersOf, trapOf } from "../execute/decoded.js";
import { packTrap, trapNamed } from "../execute/concrete.js";
import type { State } from "../execute/state.js";
import { type DecodedInstructionSet, type Machine, variable } from "../machine.js";
import * as t from "../terms/build.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import type { Value } from "../terms/value.js";
import { DISPATCH, type Dispatch, emitDispatch, isLinked, link, unlink } from "./decoded-dispatch.js";
import { type Block, constantOf, flowOf, gather, type Step } from "./flow.js";
import type { CompiledModule, Instance } from "./instance.js";
import { Layout, type Place } from "./layout.js";
import { withoutDeadFlags } from "./liveness.js";
import type { PagedMemory } from "./paged.js";
import { compileRegion, isCompilable } from "./region-code.js";
import { Unsupported } from "./unsupported.js";

/** Instructions in a region, at most: of code that is met for the first time, each of which costs a millisecond, and of hot code. */
const MOST_STEPS = { cold: 16, hot: 256 } as const;
/** With more regions than this all are forgotten. */
const MOST_REGIONS = 8192;
/** Steps in one call of compiled code; where it is after them is taken for hot. */
const CHUNK = 1_000_000;

/** Of an address within a page. */
const PAGE_BITS = 12n;

/** Bounds that no address is between. */
const NOWHERE = [(1n << 64n) - 1n, 0n] as const;

const dispatches = new WeakMap<Machine, Dispatch>();

/** As `RunOutcome`, or the instruction at the program counter is none that the machine has: it was not executed. */
export type DecodedOutcome =
  | RunOutcome
  | { readonly reason: "unsupported"; readonly why: string; readonly steps: number };

interface Region {
  readonly start: bigint;
  readonly slot: number;
  readonly isHot: boolean;
  readonly steps: ReadonlyMap<bigint, Step>;
  readonly entries: readonly bigint[];
  readonly run: WebAssembly.ExportedFunction;
}

/** A region before it is put to work. */
interface Code {
  readonly module: CompiledModule;
  readonly slot: number;
  readonly entries: readonly bigint[];
}

export class DecodedSimulator {
  readonly machine: Machine;
  private readonly isa: DecodedInstructionSet;
  private readonly decode: Decode;
  private readonly dispatch: Dispatch;
  private readonly instance: Instance;
  private readonly code: PagedMemory;
  private readonly bytes: CodeBytes;
  private readonly call: WebAssembly.ExportedFunction;
  private readonly invalidate: WebAssembly.ExportedFunction;
  private regions = new Map<bigint, Region>();
  /** Regions of one instruction, for where the steps left are fewer than a block's. */
  private singles = new Map<bigint, Region>();
  /** By page number: the regions with instructions that begin or end there. */
  private readonly onPage = new Map<bigint, Set<Region>>();
  private readonly freeSlots: number[] = [];
  private readonly chosen = new Map<string, bigint>();
  private total = 0;

  /** The state is all zero, all memory accessible. */
  constructor(machine: Machine, decode: Decode) {
    const isa = machine.decoded;
    if (isa === undefined) throw new InternalDefect(`${machine.name} has no decoder`);
    this.machine = machine;
    this.isa = isa;
    this.decode = decode;
    let dispatch = dispatches.get(machine);
    if (dispatch === undefined) {
      dispatch = emitDispatch(machine, new Layout());
      dispatches.set(machine, dispatch);
    }
    this.dispatch = dispatch;
    this.instance = dispatch.module.instantiate();
    this.call = this.instance.function("run");
    this.invalidate = this.instance.function("invalidate");
    this.code = this.instance.memory(dispatch.host.codeMemory);
    const { code, invalidate } = this;
    this.bytes = {
      fetchable: (address) => code.accessible("fetch", address, 1),
      byte: (address) => code.readByte(address),
    };
    this.code.invalidate = (address, count) => {
      invalidate(BigInt.asIntN(64, address), count);
    };
    this.instance.codeWritten = (address, count) => this.written(BigInt.asUintN(64, address), count);
    this.setBounds(...NOWHERE);
  }

  /** Steps done since the simulator was made, trapping ones included. */
  get steps(): number {
    return this.total;
  }

  /** Replaces the whole state. Variables that `state` does not name keep their values. */
  load(state: State): void {
    for (const [name, value] of state) this.write(name, value);
  }

  state(): State {
    return new Map(this.machine.variables.map((v) => [v.name, this.read(v.name)]));
  }

  read(name: string): Value {
    return this.instance.read(this.place(name));
  }

  write(name: string, value: Value): void {
    this.instance.write(this.place(name), value);
    if (name === this.isa.memory) this.flush();
  }

  /** A scalar, unsigned. */
  scalar(name: string): bigint {
    const place = this.place(name);
    if (place.kind !== "scalar") throw new InternalDefect(`${name} is not a scalar`);
    return this.instance.readScalar(place);
  }

  /** A byte memory, for reading and writing in place. */
  memory(name: string): PagedMemory {
    const place = this.place(name);
    if (place.kind !== "memory") throw new InternalDefect(`${name} is not a memory`);
    return this.instance.memory(place);
  }

  /** The value that the choices of this name take from now on. */
  choose(choice: string, value: bigint): void {
    this.chosen.set(choice, value);
    this.flush();
  }

  /** What stands at the program counter. */
  fetch(): Fetched {
    return fetchAt(this.isa, this.bytes, this.scalar(this.isa.programCounter), this.decode);
  }

  step(): DecodedOutcome {
    return this.run(1);
  }

  /** At most `maxSteps` instructions; each iteration of a repeated one is one. */
  run(maxSteps: number): DecodedOutcome {
    let done = 0;
    const count = (steps: number): void => {
      done += steps;
      this.total += steps;
    };
    if (this.scalar("trap") !== 0n) return { reason: "stuck", steps: 0 };
    while (done < maxSteps) {
      const pc = this.scalar(this.isa.programCounter);
      const entered = this.enter(pc);
      if (entered !== undefined) {
        if (entered.reason === "trap") count(1);
        return { ...entered, steps: done };
      }
      const chunk = Math.min(maxSteps - done, CHUNK);
      const [status, steps] = this.counted(chunk, () => this.call());
      count(steps);
      if (status === DISPATCH.trapped) return { reason: "trap", steps: done };
      if (steps === chunk) this.heat();
      if (steps > 0 || done >= maxSteps) continue;
      // The block is longer than what is left.
      const single = this.single(pc);
      const [trapped, one] = this.counted(1, () => single.run(0));
      count(one);
      if (trapped === 1) return { reason: "trap", steps: done };
    }
    return { reason: "limit", steps: done };
  }

  /** Regions of code that are compiled and still valid. */
  get regionCount(): number {
    return this.regions.size;
  }

  /** Runs code with so many steps left; its answer, and the steps that it took. */
  private counted(limit: number, code: () => WebAssembly.Scalar | undefined): readonly [number, number] {
    const { links } = this.dispatch.host;
    const before = this.instance.arena.view();
    before.setBigInt64(links.remaining, BigInt(limit), true);
    before.setInt32(links.stale, 0, true);
    const answer = Number(code());
    return [answer, limit - Number(this.instance.arena.view().getBigInt64(links.remaining, true))];
  }

  /** Makes sure that there is a record for `pc`, or says why there is none: a trap is then pending. */
  private enter(
    pc: bigint,
  ): Omit<RunOutcome, "steps"> | { readonly reason: "unsupported"; readonly why: string } | undefined {
    if (isLinked(this.instance.arena.view(), this.dispatch.host, pc)) return undefined;
    const known = this.regions.get(pc);
    if (known !== undefined) {
      this.install(known);
      return undefined;
    }
    const fetched = fetchAt(this.isa, this.bytes, pc, this.decode);
    switch (fetched.kind) {
      case "instruction":
        this.install(this.compile(pc, MOST_STEPS.cold));
        return undefined;
      case "unsupported":
        return { reason: "unsupported", why: fetched.reason };
      default: {
        const name = trapOf(this.machine, this.isa, fetched);
        if (name === undefined) return { reason: "stuck" };
        const trap = trapNamed(this.machine, name);
        const args = fetched.kind === "fault" && trap.parameters.length > 0 ? [fetched.address] : [];
        this.write("trap.value", packTrap(trap, args));
        this.write("trap", BigInt(trap.code));
        return { reason: "trap" };
      }
    }
  }

  /** Compiles the code at hand once more, with all that is around it. */
  private heat(): void {
    const pc = this.scalar(this.isa.programCounter);
    for (const region of this.regions.values()) if (region.isHot && region.steps.has(pc)) return;
    if (fetchAt(this.isa, this.bytes, pc, this.decode).kind !== "instruction") return;
    const known = this.regions.get(pc);
    if (known !== undefined) this.drop(this.instance.arena.view(), known);
    const region = this.compile(pc, MOST_STEPS.hot);
    // Its blocks are left to no region that knows less.
    const view = this.instance.arena.view();
    region.entries.forEach((entry, i) => {
      if (this.regions.get(entry)?.isHot !== true || entry === pc)
        link(view, this.dispatch.host, entry, region.slot, i);
    });
  }

  private single(pc: bigint): Region {
    let region = this.singles.get(pc);
    if (region === undefined) {
      region = this.compile(pc, 1);
      this.singles.set(pc, region);
    }
    return region;
  }

  private compile(start: bigint, most: number): Region {
    if (this.regions.size + this.singles.size >= MOST_REGIONS) this.flush();
    const { host } = this.dispatch;
    const all = gather(start, most, (pc) => this.stepAt(pc));
    const first = this.tryCompile(start, all.blocks);
    if (first !== undefined) return this.enroll(start, most, all.steps, first);
    const compilable = gather(start, most, (pc) => {
      const step = this.stepAt(pc);
      return step !== undefined && isCompilable(host, step) ? step : undefined;
    });
    const second = this.tryCompile(start, compilable.blocks);
    if (second === undefined) throw new InternalDefect(`the instruction at 0x${start.toString(16)} cannot be compiled`);
    return this.enroll(start, most, compilable.steps, second);
  }

  /** Undefined where an instruction among them cannot be compiled. */
  private tryCompile(start: bigint, blocks: readonly Block[]): Code | undefined {
    if (blocks.length === 0) return undefined;
    // The block to begin with comes first.
    const ordered = blocks
      .map((block) => withoutDeadFlags(this.machine, block))
      .sort((a, b) => Number(b.pc === start) - Number(a.pc === start));
    const slot = this.freeSlots.pop() ?? this.instance.table.grow(1);
    try {
      return { module: compileRegion(this.dispatch.host, ordered, slot), slot, entries: ordered.map((b) => b.pc) };
    } catch (error) {
      this.freeSlots.push(slot);
      if (error instanceof Unsupported) return undefined;
      throw error;
    }
  }

  private enroll(
    start: bigint,
    most: number,
    steps: ReadonlyMap<bigint, Step>,
    { module, slot, entries }: Code,
  ): Region {
    const run = module.link(this.instance, { invalidate: this.invalidate }).exports["region"];
    if (run === undefined) throw new InternalDefect("a region's module exports nothing");
    this.instance.table.set(slot, run);
    for (const step of steps.values()) this.code.markCode(step.pc, step.length);
    const region = { start, slot, isHot: most === MOST_STEPS.hot, steps, entries, run };
    if (most > 1) this.regions.set(start, region);
    for (const page of pagesOf(region)) {
      const there = this.onPage.get(page) ?? new Set();
      this.onPage.set(page, there.add(region));
    }
    this.widenBounds(steps.values());
    return region;
  }

  /** Records of the region's blocks, but for those that a region of their own stands for. */
  private install(region: Region): void {
    const view = this.instance.arena.view();
    region.entries.forEach((pc, i) => {
      if (pc === region.start || !isLinked(view, this.dispatch.host, pc))
        link(view, this.dispatch.host, pc, region.slot, i);
    });
  }

  private stepAt(pc: bigint): Step | undefined {
    const fetched = fetchAt(this.isa, this.bytes, pc, this.decode);
    if (fetched.kind !== "instruction") return undefined;
    const { form, instruction } = fetched;
    const { programCounter } = this.isa;
    const constants = numbersOf(form, instruction);
    const at = variable(this.machine, programCounter)?.term;
    if (at !== undefined) constants.set(at, constantOf(at, pc));
    for (const { name, term } of form.choices) constants.set(term, chosen(term, this.chosen.get(name) ?? 0n));
    const numbers = new Substitution(constants);
    const assigns = new Map<string, Term>();
    for (const [name, value] of form.effect.assigns) {
      const term = numbers.apply(value);
      if (term !== variable(this.machine, name)?.term) assigns.set(name, term);
    }
    const to = assigns.get(programCounter);
    assigns.delete(programCounter);
    const raises = form.effect.raises
      .map((r) => ({
        ...r,
        condition: numbers.apply(r.condition),
        arguments: r.arguments.map((a) => numbers.apply(a)),
      }))
      .filter((r) => r.condition !== t.FALSE);
    const flow = to === undefined ? { kind: "static" as const, target: pc } : flowOf(to);
    return { pc, length: instruction.length, effect: { raises, assigns }, flow };
  }

  /** `bytes` bytes from `address` are being written, by a store that may itself stand in a region. */
  private written(address: bigint, bytes: number): void {
    const end = address + BigInt(bytes);
    const isHit = ({ steps }: Region): boolean => {
      for (const step of steps.values()) if (step.pc < end && step.pc + BigInt(step.length) > address) return true;
      return false;
    };
    const hit = new Set<Region>();
    for (let page = address >> PAGE_BITS; page <= (end - 1n) >> PAGE_BITS; page++)
      for (const region of this.onPage.get(page) ?? []) if (isHit(region)) hit.add(region);
    if (hit.size === 0) return;
    const view = this.instance.arena.view();
    view.setInt32(this.dispatch.host.links.stale, 1, true);
    for (const region of hit) this.drop(view, region);
  }

  private drop(view: DataView, region: Region): void {
    for (const pc of region.entries) unlink(view, this.dispatch.host, pc);
    this.freeSlots.push(region.slot);
    for (const page of pagesOf(region)) this.onPage.get(page)?.delete(region);
    for (const map of [this.regions, this.singles]) if (map.get(region.start) === region) map.delete(region.start);
  }

  private flush(): void {
    const view = this.instance.arena.view();
    for (const region of [...this.regions.values(), ...this.singles.values()]) this.drop(view, region);
    this.setBounds(...NOWHERE);
  }

  /** Stores between the least and the greatest address of compiled code are looked at. */
  private setBounds(low: bigint, high: bigint): void {
    const view = this.instance.arena.view();
    view.setBigUint64(this.dispatch.bounds, low, true);
    view.setBigUint64(this.dispatch.bounds + 8, high, true);
  }

  private widenBounds(steps: Iterable<Step>): void {
    const view = this.instance.arena.view();
    let low = view.getBigUint64(this.dispatch.bounds, true);
    let high = view.getBigUint64(this.dispatch.bounds + 8, true);
    for (const { pc, length } of steps) {
      const end = pc + BigInt(length);
      if (pc < low) low = pc;
      if (end > high) high = end;
    }
    this.setBounds(low, high);
  }

  private place(name: string): Place {
    if (variable(this.machine, name) === undefined)
      throw new InternalDefect(`machine ${this.machine.name} has no variable ${name}`);
    return this.dispatch.host.state.of(name);
  }
}

function pagesOf({ steps }: Region): ReadonlySet<bigint> {
  const pages = new Set<bigint>();
  for (const { pc, length } of steps.values())
    for (const at of [pc, pc + BigInt(length - 1)]) pages.add(at >> PAGE_BITS);
  return pages;
}

function chosen(term: Term, value: bigint): Term {
  return constantOf(term, term.sort.kind === "bits" ? BigInt.asUintN(term.sort.width, value) : value);
}
