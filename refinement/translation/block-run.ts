/** One run of a block and its translation from one host state, judged wherever host and guest are held against each other. */
import { accessTerms } from "./access-terms.js";
import type { Difference } from "../counterexample.js";
import { InternalDefect, unreachable } from "../errors.js";
import type { Violation } from "../execute/commute.js";
import { apply, environment } from "../execute/concrete.js";
import { differences, variableOf } from "../execute/difference.js";
import type { State } from "../execute/state.js";
import type { Machine } from "../machine.js";
import type { GuestRegion, TranslatorRefinement, View } from "../refinement.js";
import { constant } from "../terms/build.js";
import { Evaluator, hashedApply } from "../terms/evaluate.js";
import type { Access } from "../terms/term.js";
import { FileValue, MemoryValue } from "../terms/value.js";
import type { Exit, FaultEntry, Point, Translation, TrapValue } from "../translation.js";
import { guestVariables } from "./abstraction.js";
import type { Code, HostStep } from "./code.js";
import { contains, type GuestBytes } from "./guest.js";
import { GuestRun } from "./guest-run.js";
import { hex } from "./regions.js";
import { widthOfValue } from "./trap-value.js";
import { covers, isSeen, type Start, viewOf } from "./start.js";

export type BlockJudgement =
  | { readonly kind: "outside"; readonly because: string }
  | {
      readonly kind: "run";
      readonly violations: readonly Violation[];
      /** It ended in an access of the host's that faults, not where it leaves. */
      readonly faulted: boolean;
      /** Reckoned when it is asked for. */
      readonly end: (() => BlockEnd) | undefined;
    };

/** Where the host leaves the block, or an access of the guest's faults: what the guest is shown there. */
export interface BlockEnd {
  /** α of the host's state, with the program counter that the translation tells. */
  readonly state: State;
  /** The trap that it leaves for is one of these; none where the guest goes on. */
  readonly traps: readonly string[];
}

const MOST_HOST_STEPS = 20_000;
/** So far around a region nothing else lies. */
export const GUARD = 1n << 20n;

/** What the definition leaves open of host instructions is taken so: all zero, all ones, mixed. */
export const WHIMS = [0, 1, 2, 3] as const;
export type Whim = (typeof WHIMS)[number];

interface ConcreteAccess {
  readonly access: Access;
  readonly address: bigint;
  readonly bytes: number;
}

/** Addresses of the host's own: a region, code or data. */
export interface Own {
  readonly lo: bigint;
  readonly hi: bigint;
  readonly name: string;
}

/** A block and its translation, as a run needs them. */
export interface Parts {
  readonly refinement: TranslatorRefinement;
  readonly name: string;
  readonly translation: Translation;
  readonly code: Code;
  readonly guestCode: GuestBytes;
  readonly exits: ReadonlyMap<bigint, Exit>;
  readonly points: ReadonlyMap<bigint, Point>;
  readonly guestRegion: GuestRegion | undefined;
}

export class Run {
  private readonly of: Parts;
  private readonly before: State;
  private readonly start: Start;
  private readonly whim: Whim;
  private readonly own: readonly Own[];
  private readonly wanted: string | undefined;
  private readonly choice: bigint;
  /** Bits that the guest's definition left open in this run. */
  open = 0;
  private readonly memory: string;
  private readonly counter: string;
  /** The states that the host and the guest begin in. */
  private readonly hostStart: State;
  readonly guestStart: State;
  private trespassed = false;
  private end: (() => BlockEnd) | undefined;
  private choices = 0;

  constructor(
    of: Parts,
    before: State,
    start: Start,
    whim: Whim,
    own: readonly Own[],
    wanted: string | undefined,
    open: bigint,
  ) {
    this.of = of;
    this.before = before;
    this.start = start;
    this.whim = whim;
    this.own = own;
    this.wanted = wanted;
    this.choice = open;
    const set = of.refinement.host.decoded;
    if (set === undefined) throw new InternalDefect("the host has no decoder");
    this.memory = set.memory;
    this.counter = set.programCounter;
    this.hostStart = this.beginning();
    const counter = of.refinement.guest.instructionSet?.programCounter ?? "pc";
    this.guestStart = this.abstract(this.hostStart, viewOf(of.refinement, start.view)).set(counter, start.pc);
  }

  go(): BlockJudgement {
    if (this.broken(this.hostStart, viewOf(this.of.refinement, this.start.view)).length > 0)
      return { kind: "outside", because: "the invariant does not hold where the run begins" };
    const guest = new GuestRun(this.of.guestCode, this.guestStart, this.choice);
    const judgement = this.run(guest);
    this.open = guest.used;
    // What the guest accesses is known when it has run.
    return this.trespassed ? { kind: "outside", because: "the guest accesses the host's own memory" } : judgement;
  }

  private run(guest: GuestRun): BlockJudgement {
    const seen: Violation[] = [];
    const ends = (last: readonly Violation[], faulted = false): BlockJudgement => ({
      kind: "run",
      violations: [...seen, ...last],
      faulted,
      end: this.end,
    });
    let state = this.hostStart;
    let from = this.start.address;
    for (let steps = 0; steps < MOST_HOST_STEPS; steps++) {
      const address = numberIn(state, this.counter);
      const point = steps > 0 ? this.of.points.get(address) : undefined;
      if (point !== undefined) seen.push(...this.atPoint(state, address, point, guest));
      const exit = this.of.exits.get(address);
      if (exit !== undefined) return ends(this.atExit(state, address, exit, guest));
      if (point?.cut === true) return ends([]);
      const fetched = this.of.code.at(address);
      if (fetched.kind === "unsupported") return { kind: "outside", because: fetched.what };
      // What a helper does is to be blamed on the instruction that calls it.
      const place = this.of.code.contains(address) ? address : from;
      if (fetched.kind === "outside") return ends(this.astray(from, `leaves its code for ${hex(address)}`));
      if (fetched.kind === "undecodable") return ends(this.astray(address, "executes what is no instruction"));
      const accesses = this.accesses(fetched, state);
      if (typeof accesses === "string") return ends(this.astray(place, accesses));
      const next = this.step(fetched, this.withCode(state, accesses));
      if (numberIn(next, "trap") !== 0n)
        return ends(this.trapped(state, next, { ...fetched, address: place }, accesses, guest), true);
      state = next;
      from = place;
    }
    return { kind: "outside", because: "the host does not come to an end" };
  }

  // ---- the host

  private beginning(): State {
    let memory = this.memoryIn(this.before).withPermissions((access, address) => this.hostMay(access, address));
    for (const d of this.of.translation.host.data) memory = memory.storeBytes(d.address, d.bytes);
    const { register = "", at = 0n } = this.of.guestRegion ?? {};
    return new Map([
      ...this.before,
      [this.memory, memory],
      ...(register === "" ? [] : [[register, at] as const]),
      [this.counter, this.start.address],
      ["trap", 0n],
      ["trap.value", 0n],
    ]);
  }

  private hostMay(access: Access, address: bigint): boolean {
    const own = this.own.find(({ lo, hi }) => address >= lo && address < hi);
    if (own !== undefined) return access !== "store" || (own.name !== "code" && own.name !== "data");
    return address < this.of.refinement.limit && this.granted(access, address);
  }

  /** What the state says of the guest's memory, as far as its region has it so. */
  private granted(access: Access, address: bigint): boolean {
    const { permissions } = this.memoryIn(this.before);
    const readable = access === "load" && this.of.guestRegion?.writeOnly === false && permissions("store", address);
    return readable || permissions(access, address);
  }

  private step(of: HostStep, state: State): State {
    const inputs = new Map([...of.numbers].map(([number, value]) => [number.name, value.value]));
    for (const { term } of of.choices) {
      const width = term.sort.kind === "bits" ? term.sort.width : 1;
      inputs.set(term.name, BigInt.asUintN(width, this.whimsical()));
    }
    const at = new Evaluator({
      variable(v) {
        const value = state.get(v.name) ?? inputs.get(v.name);
        if (value === undefined) throw new InternalDefect(`no value is given for \`${v.name}\``);
        return value;
      },
    });
    return apply(this.of.refinement.host, of.effect, state, at);
  }

  /** Where an access is to the code itself, memory has to hold it; elsewhere that would only cost time. */
  private withCode(state: State, accesses: readonly ConcreteAccess[]): State {
    const { host } = this.of.translation;
    const end = host.address + BigInt(host.code.length);
    if (!accesses.some((a) => a.address < end && a.address + BigInt(a.bytes) > host.address)) return state;
    return new Map(state).set(this.memory, this.memoryIn(state).storeBytes(host.address, host.code));
  }

  private whimsical(): bigint {
    const n = BigInt(this.choices++);
    switch (this.whim) {
      case 0:
        return 0n;
      case 1:
        return -1n;
      default:
        return hashedApply(constant(64, 0n), [n, BigInt(this.whim)]);
    }
  }

  /** What the instruction accesses in this state; or in words why that is in no region. */
  private accesses(of: HostStep, state: State): readonly ConcreteAccess[] | string {
    const at = new Evaluator({ variable: (v) => state.get(v.name) ?? of.numbers.get(v)?.value ?? 0n });
    const list = accessTerms(of.effect).map(({ access, address, bytes }) => ({
      access,
      address: at.number(address),
      bytes,
    }));
    const outside = list.find((a) => this.inGuard(a.address, BigInt(a.bytes)));
    return outside === undefined
      ? list
      : `${outside.access}s ${outside.bytes} bytes at ${hex(outside.address)}, outside its regions`;
  }

  /** Beside a region of the host's own, or across its edge; of code and data only the latter. */
  private inGuard(address: bigint, bytes: bigint): boolean {
    const last = address + bytes - 1n;
    if (this.own.some((o) => address >= o.lo && last < o.hi)) return false;
    return this.own.some(({ lo, hi, name }) => {
      const guard = name === "code" || name === "data" ? 0n : GUARD;
      return address < hi + guard && last + guard >= lo;
    });
  }

  // ---- the guest

  /** α of a host state, but for the program counter. */
  private abstract(state: State, view: View): Map<string, bigint | FileValue | MemoryValue> {
    const { refinement } = this.of;
    const at = new Evaluator(environment(state));
    const result = new Map<string, bigint | FileValue | MemoryValue>();
    for (const v of refinement.guest.variables) if (v.implicit) result.set(v.name, 0n);
    for (const v of guestVariables(refinement)) {
      if (v.sort.kind === "memory") {
        result.set(v.name, this.guestView(this.memoryIn(state)));
        continue;
      }
      const term = view.abstraction.get(v.name);
      if (term === undefined) throw new InternalDefect(`the abstraction says nothing of ${v.name}`);
      let value = at.value(term);
      if (value instanceof FileValue) for (const [i, fixed] of v.fixed) value = value.set(BigInt(i), fixed);
      result.set(v.name, value);
    }
    return result;
  }

  private guestView(memory: MemoryValue): MemoryValue {
    const at = this.of.guestRegion?.at ?? 0n;
    const permissions = (access: Access, address: bigint): boolean => {
      const host = BigInt.asUintN(64, address + at);
      if (this.own.some(({ lo, hi }) => host >= lo - GUARD && host < hi + GUARD)) {
        this.trespassed = true;
        return true;
      }
      return host < this.of.refinement.limit && this.granted(access, host);
    };
    if (at === 0n) return memory.withPermissions(permissions);
    return MemoryValue.empty(memory.addressWidth, permissions, (a) => memory.readByte(a + at));
  }

  // ---- where they meet

  private atExit(state: State, address: bigint, exit: Exit, guest: GuestRun): readonly Violation[] {
    const obligation = `commute/${this.of.name}/exit+${this.offset(address)}`;
    const told = exit.guest ?? this.toldCounter(state);
    const current = this.mapped(address)?.guest;
    const raising = exit.guest ?? current;
    const pc = exit.trap === undefined ? told : raising;
    this.ended(state, pc, exit.trap === undefined ? [] : [exit.trap], viewOf(this.of.refinement, exit.view));
    const met = guest.find(({ pc, steps, last }) => {
      if (exit.interrupt) return steps === 0;
      if (exit.trap !== undefined) return pc === raising;
      const arrived = pc === told && (current === undefined || last === current);
      return steps > 0 && (arrived || !contains(this.of.guestCode.block, pc));
    });
    if (met === undefined) return this.missed(obligation, guest, exit.guest, exit.trap);
    const view = viewOf(this.of.refinement, exit.view);
    const differs = [
      ...this.compare(state, met.state, exit.guest, view),
      ...this.broken(state, view),
      ...this.preserved(state, this.of.refinement.preserve, viewOf(this.of.refinement, undefined)),
    ];
    if (exit.interrupt && !this.requested())
      differs.push({ variable: "request", guest: "none", host: "taken for granted" });
    if (exit.trap !== undefined) {
      const after = guest.trapOf(met);
      const raised = this.trapOf(after);
      if (raised !== exit.trap) differs.push({ variable: "trap", guest: raised, host: exit.trap });
      else if (after !== undefined && exit.value !== undefined) {
        const [wanted, told] = [valueOfTrap(this.of.refinement.guest, after), this.held(exit.value, state)];
        if (wanted !== undefined && wanted !== told)
          differs.push({ variable: "trap.value", guest: hex(wanted), host: hex(told) });
      }
    }
    return this.violate(obligation, differs);
  }

  /** What the host has there. */
  private held(value: TrapValue, state: State): bigint {
    switch (value.kind) {
      case "constant":
        return value.value;
      case "register":
        return numberIn(state, value.register);
      case "memory": {
        const region = this.of.refinement.regions.find((r) => r.name === value.region);
        if (region?.kind !== "based") throw new InternalDefect(`there is no region \`${value.region}\``);
        const base = this.entryValue(this.hostStart, region.base, viewOf(this.of.refinement, this.start.view));
        return this.memoryIn(state).load(BigInt.asUintN(64, base + value.offset), value.bytes);
      }
      default:
        return unreachable(value);
    }
  }

  private atPoint(state: State, address: bigint, point: Point, guest: GuestRun): readonly Violation[] {
    const obligation = `commute/${this.of.name}/point+${this.offset(address)}`;
    if (this.wanted !== undefined && this.wanted !== obligation) return [];
    const least = point.cut ? this.start.least : 0;
    const met = guest.find(({ pc, steps }) => steps >= least && pc === point.guest);
    if (met === undefined) return this.missed(obligation, guest, point.guest, undefined);
    const { regions, preserve } = this.of.refinement;
    const bases = regions.flatMap((r) => (r.kind === "based" ? [r.base] : []));
    const view = viewOf(this.of.refinement, point.view);
    const differs = [
      ...this.compare(state, met.state, point.guest, view),
      ...this.broken(state, view),
      ...(point.cut ? this.preserved(state, [...new Set([...preserve, ...bases])], view) : []),
    ];
    return this.violate(obligation, differs);
  }

  private trapped(
    state: State,
    after: State,
    of: HostStep,
    accesses: readonly ConcreteAccess[],
    guest: GuestRun,
  ): readonly Violation[] {
    const { refinement } = this.of;
    const trap = trapIn(refinement.host, after);
    const denied = accesses.some(({ access, address, bytes }) => {
      const inOwn = this.own.some(({ lo, hi }) => address >= lo && address < hi);
      return !inOwn && !this.accessibleTo(access, address, bytes);
    });
    if (!denied) return this.astray(of.address, `${of.name} raises ${trap}`);
    const obligation = `materialize/${this.of.name}/+${this.offset(of.address)}`;
    const entry = this.mapped(of.address);
    if (entry === undefined) {
      return this.violate(obligation, [{ variable: "fault map", guest: "an entry", host: "none" }]);
    }
    const faults = refinement.guest.variables.flatMap(({ faults: { load, store } }) =>
      [load, store].filter((name) => name !== undefined),
    );
    this.ended(state, entry.guest, faults, viewOf(refinement, entry.view));
    const met = guest.find(({ pc }) => pc === entry.guest);
    if (met === undefined) return this.missed(obligation, guest, entry.guest, trap);
    const differs = this.compare(state, met.state, entry.guest, viewOf(refinement, entry.view));
    const faulted = guest.trapOf(met);
    const raised = this.trapOf(faulted);
    if (!faults.includes(raised)) differs.push({ variable: "trap", guest: raised, host: trap });
    else {
      const told = valueOfTrap(refinement.host, after);
      const wanted = faulted === undefined ? undefined : valueOfTrap(refinement.guest, faulted);
      const address = told === undefined ? undefined : BigInt.asUintN(64, told - (this.of.guestRegion?.at ?? 0n));
      if (address !== undefined && wanted !== undefined && address !== wanted)
        differs.push({ variable: "trap.value", guest: hex(wanted), host: hex(address) });
    }
    return this.violate(obligation, differs);
  }

  private ended(state: State, pc: bigint | undefined, traps: readonly string[], view: View): void {
    if (pc === undefined) return;
    const counter = this.of.refinement.guest.instructionSet?.programCounter ?? "pc";
    this.end = () => ({ state: this.abstract(state, view).set(counter, pc), traps });
  }

  private mapped(address: bigint): FaultEntry | undefined {
    return this.of.translation.faults.find((f) => covers(f, address));
  }

  private accessibleTo(access: Access, address: bigint, bytes: number): boolean {
    for (let i = 0n; i < BigInt(bytes); i++) if (!this.hostMay(access, BigInt.asUintN(64, address + i))) return false;
    return true;
  }

  private compare(state: State, guest: State, pc: bigint | undefined, view: View): Difference[] {
    const { refinement } = this.of;
    const counter = refinement.guest.instructionSet?.programCounter ?? "pc";
    const host = this.abstract(state, view);
    host.set(counter, pc ?? this.toldCounter(state) ?? 0n);
    const seen = new Map(guest);
    for (const v of refinement.guest.variables) {
      if (v.implicit) seen.set(v.name, 0n);
      const memory = guest.get(v.name);
      if (memory instanceof MemoryValue) host.set(v.name, this.hostBytes(memory, v.name, state));
    }
    return differences(refinement.guest, seen, host).filter(
      ({ variable }) => variable === counter || isSeen(view, variable) || isSeen(view, variableOf(variable)),
    );
  }

  /** The guest's program counter by α, where that gives it. */
  private toldCounter(state: State): bigint | undefined {
    const { guest, abstraction } = this.of.refinement;
    const given = abstraction.get(guest.instructionSet?.programCounter ?? "");
    return given === undefined ? undefined : new Evaluator(environment(state)).number(given);
  }

  /** The guest's memory, but with the host's bytes wherever either of them has written. */
  private hostBytes(guest: MemoryValue, name: string, state: State): MemoryValue {
    const at = this.of.guestRegion?.at ?? 0n;
    const host = this.memoryIn(state);
    const before = this.guestStart.get(name);
    const written = before instanceof MemoryValue ? before.differences(guest) : [];
    const touched = this.memoryIn(this.hostStart)
      .differences(host)
      .filter((h) => !this.own.some(({ lo, hi }) => h >= lo && h < hi))
      .map((h) => BigInt.asUintN(64, h - at));
    let result = guest;
    for (const a of new Set([...written, ...touched]))
      result = result.store(a, 1, BigInt(host.readByte(BigInt.asUintN(64, a + at))));
    return result;
  }

  /** `view`: where the state finds what registers held at the entry. */
  private preserved(state: State, names: readonly string[], view: View): Difference[] {
    const begun = viewOf(this.of.refinement, this.start.view);
    return names.flatMap((name) => {
      const [was, is] = [this.entryValue(this.hostStart, name, begun), this.entryValue(state, name, view)];
      return was === is ? [] : [{ variable: name, guest: hex(was), host: hex(is) }];
    });
  }

  private entryValue(state: State, name: string, view: View): bigint {
    const at = view.entry.get(name);
    return at === undefined ? numberIn(state, name) : new Evaluator(environment(state)).number(at);
  }

  private broken(state: State, { invariant }: View): Difference[] {
    return new Evaluator(environment(state)).holds(invariant)
      ? []
      : [{ variable: "invariant", guest: "true", host: "false" }];
  }

  /** An interrupt was requested where the run began. */
  private requested(): boolean {
    const { request } = this.of.refinement;
    return request === undefined || new Evaluator(environment(this.hostStart)).holds(request);
  }

  /** The guest does not come to where the host says that it is. `trap`: what the host has raised there. */
  private missed(
    obligation: string,
    guest: GuestRun,
    wanted: bigint | undefined,
    trap: string | undefined,
  ): readonly Violation[] {
    const { last } = guest;
    const place = wanted === undefined ? "elsewhere" : hex(wanted);
    if (guest.trapped !== undefined) {
      const raised = this.trapOf(guest.trapped);
      const differs =
        raised === trap
          ? { guest: `${raised} at ${last === undefined ? "" : hex(last.pc)}`, host: `${trap} at ${place}` }
          : { guest: raised, host: trap ?? "none" };
      return this.violate(obligation, [{ variable: "trap", ...differs }]);
    }
    const counter = this.of.refinement.guest.instructionSet?.programCounter ?? "pc";
    return this.violate(obligation, [
      { variable: counter, guest: last === undefined ? "" : hex(last.pc), host: place },
    ]);
  }

  private trapOf(state: State | undefined): string {
    return state === undefined ? "none" : trapIn(this.of.refinement.guest, state);
  }

  private astray(address: bigint, why: string): readonly Violation[] {
    const obligation = `commute/${this.of.name}/host+${this.offset(address)}`;
    return this.violate(obligation, [{ variable: "host", guest: "goes on", host: why }]);
  }

  private violate(obligation: string, differs: readonly Difference[]): readonly Violation[] {
    return differs.length === 0 ? [] : [{ obligation, differs, certain: true }];
  }

  private offset(address: bigint): string {
    return (address - this.of.translation.host.address).toString(16);
  }

  private memoryIn(state: State): MemoryValue {
    const memory = state.get(this.memory);
    if (!(memory instanceof MemoryValue)) throw new InternalDefect("the state has no memory");
    return memory;
  }
}

function numberIn(state: State, name: string): bigint {
  const value = state.get(name);
  if (typeof value !== "bigint") throw new InternalDefect(`the state has no number \`${name}\``);
  return value;
}

function trapIn(machine: Machine, state: State): string {
  const code = state.get("trap");
  return machine.traps.find((t) => BigInt(t.code) === code)?.name ?? "none";
}

/** What a trap tells, where it has one value. */
function valueOfTrap(machine: Machine, state: State): bigint | undefined {
  const width = widthOfValue(machine, trapIn(machine, state));
  const value = state.get("trap.value");
  return width !== undefined && typeof value === "bigint" ? BigInt.asUintN(width, value) : undefined;
}
