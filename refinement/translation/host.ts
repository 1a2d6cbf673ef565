/**
 * Symbolic execution of a translation: every path through the host's code from the entry to where the guest's state can be seen.
 */
import { InternalDefect } from "../errors.js";
import type { Machine } from "../machine.js";
import type { TranslatorRefinement } from "../refinement.js";
import { and, constant, FALSE, implies, not, TRUE, ule, variable } from "../terms/build.js";
import { Assumptions } from "../terms/assume.js";
import type { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import type { Exit, Point, Translation } from "../translation.js";
import type { Code, HostStep } from "./code.js";
import { neverIn } from "./interval.js";
import { hex, type HostAccess, type HostState, type Layout, RegionReader, Unplaced } from "./regions.js";

/** What the host comes to, and under which conditions; the conditions exclude each other. */
export interface HostEvent {
  readonly what: HostOutcome;
  /** Address of the host instruction concerned, which has not been executed. */
  readonly address: bigint;
  readonly hypotheses: readonly Term[];
  readonly assumptions: Assumptions;
  readonly state: HostState;
}

export type HostOutcome =
  | { readonly kind: "exit"; readonly exit: Exit<Term> }
  /** The path goes on behind it, unless it is the beginning of a loop. */
  | { readonly kind: "point"; readonly point: Point<Term> }
  /** The access that faults is to the guest's memory. */
  | {
      readonly kind: "fault";
      readonly trap: string;
      readonly arguments: readonly Term[];
      readonly accesses: readonly HostAccess[];
    }
  /** The host does what it never may: an exception of its own, a jump out of the code, an access outside its regions. */
  | { readonly kind: "astray"; readonly why: string }
  | { readonly kind: "unsupported"; readonly what: string }
  | { readonly kind: "unknown"; readonly why: string };

/** Bounds on one exploration; more is `unknown`. */
export interface HostBounds {
  readonly instructions: number;
  readonly paths: number;
}

export const DEFAULT_BOUNDS: HostBounds = { instructions: 20_000, paths: 512 };

interface Path {
  readonly address: bigint;
  /** The instruction that led here. */
  readonly from: bigint;
  readonly state: HostState;
  readonly hypotheses: readonly Term[];
  readonly assumptions: Assumptions;
  readonly steps: number;
}

export class HostExecution {
  readonly layout: Layout;
  private readonly machine: Machine;
  private readonly code: Code;
  private readonly exits: ReadonlyMap<bigint, Exit<Term>>;
  private readonly points: ReadonlyMap<bigint, Point<Term>>;
  private readonly programCounter: string;
  private readonly equal: Substitution;
  private readonly bounds: HostBounds;
  private executed = 0;
  private fresh = 0;

  constructor(
    refinement: TranslatorRefinement,
    layout: Layout,
    code: Code,
    translation: Translation<Term>,
    equal: Substitution,
    bounds: HostBounds = DEFAULT_BOUNDS,
  ) {
    const { host } = refinement;
    if (host.decoded === undefined) throw new InternalDefect(`${host.name} has no decoder`);
    this.machine = host;
    this.layout = layout;
    this.code = code;
    this.exits = new Map(translation.exits.map((e) => [e.host, e]));
    this.points = new Map(translation.points.map((p) => [p.host, p]));
    this.programCounter = host.decoded.programCounter;
    this.equal = equal;
    this.bounds = bounds;
  }

  /** Everything that can happen from `address` on, in the states that the hypotheses allow. */
  run(address: bigint, state: HostState, hypotheses: readonly Term[]): readonly HostEvent[] {
    const events: HostEvent[] = [];
    let paths = 1;
    const waiting: Path[] = [
      { address, from: address, state, hypotheses, assumptions: Assumptions.of(hypotheses), steps: 0 },
    ];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      const over = this.executed >= this.bounds.instructions || paths > this.bounds.paths;
      if (over) {
        const why = `more than ${this.bounds.instructions} instructions or ${this.bounds.paths} paths from one point: a loop must pass through a point`;
        events.push(eventOf(path, { kind: "unknown", why }));
        continue;
      }
      const next = this.advance(path, events);
      paths += Math.max(0, next.length - 1);
      waiting.push(...next);
    }
    return events;
  }

  /** One instruction; what comes of it is told, and the paths that go on are given back. */
  private advance(path: Path, events: HostEvent[]): readonly Path[] {
    const { address } = path;
    const point = path.steps > 0 ? this.points.get(address) : undefined;
    if (point !== undefined) events.push(eventOf(path, { kind: "point", point }));
    const exit = this.exits.get(address);
    if (exit !== undefined) {
      events.push(eventOf(path, { kind: "exit", exit }));
      return [];
    }
    if (point?.cut === true) return [];
    const fetched = this.code.at(address);
    // What becomes of leaving the code is to be blamed on the instruction that leads out of it.
    const here = this.code.contains(address) ? path : { ...path, address: path.from };
    switch (fetched.kind) {
      case "outside":
        events.push(eventOf(here, { kind: "astray", why: `leaves its code for ${hex(address)}, which is no exit` }));
        return [];
      case "undecodable":
        events.push(
          eventOf(path, { kind: "astray", why: `executes bytes at ${hex(address)} that are no instruction` }),
        );
        return [];
      case "unsupported":
        events.push(eventOf(here, { kind: "unsupported", what: `host code: ${fetched.what}` }));
        return [];
      case "instruction":
      case "helper":
        break;
    }
    this.executed++;
    try {
      return this.execute(here, fetched, events);
    } catch (error) {
      if (!(error instanceof Unplaced)) throw error;
      const why = `the instruction at ${hex(here.address)} ${error.message}`;
      events.push(eventOf(here, error.certain ? { kind: "astray", why } : { kind: "unknown", why }));
      return [];
    }
  }

  private execute(path: Path, of: HostStep, events: HostEvent[]): readonly Path[] {
    const { effect, choices } = of;
    const accesses: HostAccess[] = [];
    const given = new Map(of.numbers);
    for (const c of choices) given.set(c.term, variable(`host.${this.fresh++}.${c.name}`, c.term.sort));
    const reader = new RegionReader(this.layout, this.machine.variables, path.state, given, (a) => accesses.push(a));

    let { hypotheses, assumptions } = path;
    const assume = (...more: readonly Term[]): void => {
      for (const t of more) {
        if (t === TRUE) continue;
        hypotheses = [...hypotheses, t];
        assumptions = assumptions.with(t);
      }
    };
    // The accesses are known once all the terms are read.
    const raises = effect.raises.map((r) => ({
      trap: r.trap,
      condition: reader.read(r.condition),
      arguments: r.arguments.map((a) => reader.read(a)),
    }));
    const memory = effect.assigns.get(this.layout.memory.name);
    const memories = memory === undefined ? path.state.memories : reader.readMemory(memory);
    const scalars = new Map(path.state.scalars);
    for (const [name, term] of effect.assigns)
      if (name !== this.layout.memory.name) scalars.set(name, this.equal.apply(reader.read(term)));

    for (const access of accesses) assume(assumptions.simplify(this.layout.readable(access)));
    for (const raise of raises) {
      const possible = this.possible(raise.condition, accesses);
      const condition = assumptions.simplify(possible);
      if (condition === FALSE) continue;
      const there = { ...path, hypotheses: [...hypotheses, condition], assumptions: assumptions.with(condition) };
      if (!there.assumptions.contradictory)
        events.push(eventOf(there, this.faultOf(path, of, raise, possible, accesses)));
      assume(not(condition));
      if (assumptions.contradictory) return [];
    }
    // The guest can access nothing at the limit and beyond: where it could, it was below.
    for (const access of accesses) {
      const granted = this.layout.granted(access);
      const range = this.layout.range(access);
      if (granted !== undefined && range !== undefined)
        assume(assumptions.simplify(implies(granted, ule(range.address, constant(this.layout.width, range.hi)))));
    }
    if (assumptions.contradictory) return [];
    const after: Path = {
      address: path.address,
      from: path.address,
      state: { scalars, memories },
      hypotheses,
      assumptions,
      steps: path.steps + 1,
    };
    const target = scalars.get(this.programCounter);
    if (target === undefined) throw new InternalDefect(`${this.machine.name} has no ${this.programCounter}`);
    return this.targets(after, target, events);
  }

  /** Where in regions no access faults, and in the guest's memory none that the guest may do. */
  private possible(condition: Term, accesses: readonly HostAccess[]): Term {
    let possible = condition;
    for (const access of accesses) {
      const range = this.layout.range(access);
      if (range === undefined || !neverIn(condition, range)) continue;
      if (access.place.kind === "based") return FALSE;
      const granted = this.layout.granted(access);
      if (granted !== undefined) possible = and(possible, not(granted));
    }
    return possible;
  }

  /** `condition`: as it was read, since what is simplified may write the address in another way than the access does. */
  private faultOf(
    { address }: Path,
    of: HostStep,
    raise: { readonly trap: string; readonly arguments: readonly Term[] },
    condition: Term,
    accesses: readonly HostAccess[],
  ): HostOutcome {
    const guest = accesses.filter((a) => a.place.kind === "guest");
    const isAccess = guest.some((a) => {
      const granted = this.layout.granted(a);
      return granted !== undefined && Assumptions.of([condition, granted]).contradictory;
    });
    return isAccess
      ? { kind: "fault", trap: raise.trap, arguments: raise.arguments, accesses: guest }
      : { kind: "astray", why: `${of.name} at ${hex(address)} raises ${raise.trap}` };
  }

  /** The paths to the places where the program counter can be. */
  private targets(path: Path, target: Term, events: HostEvent[]): readonly Path[] {
    const simple = target.op === "const" ? target : path.assumptions.simplify(target);
    if (simple.op === "const") return [{ ...this.arrived(path, simple), address: simple.value }];
    const [condition, yes, no] = simple.args;
    if (simple.op === "ite" && condition !== undefined && yes !== undefined && no !== undefined) {
      return [
        { condition: not(condition), to: no },
        { condition, to: yes },
      ].flatMap((branch) => {
        const assumptions = path.assumptions.with(branch.condition);
        if (assumptions.contradictory) return [];
        const hypotheses = [...path.hypotheses, branch.condition];
        return this.targets({ ...path, assumptions, hypotheses }, branch.to, events);
      });
    }
    const why = `the instruction at ${hex(path.address)} jumps to an address that is not known, and is no exit`;
    events.push(eventOf(path, { kind: "astray", why }));
    return [];
  }

  private arrived(path: Path, at: Term): Path {
    const scalars = new Map(path.state.scalars).set(this.programCounter, at);
    return { ...path, state: { ...path.state, scalars } };
  }
}

function eventOf(path: Path, what: HostOutcome): HostEvent {
  const { address, hypotheses, assumptions, state } = path;
  return { what, address, hypotheses, assumptions, state };
}

/** The state in which the host enters at `address`: every variable stands for itself, but for what is known of the guest's region. */
export function entryState(machine: Machine, layout: Layout, address: bigint): HostState {
  const scalars = new Map<string, Term>();
  for (const v of machine.variables) {
    if (v === layout.memory) continue;
    scalars.set(v.name, v.term);
  }
  const counter = machine.decoded?.programCounter;
  const trap = machine.variables.find((v) => v.name === "trap");
  for (const region of layout.regions)
    if (region.kind === "guest" && region.register !== undefined)
      scalars.set(region.register, constant(layout.width, region.at));
  if (counter !== undefined) scalars.set(counter, constant(layout.width, address));
  if (trap?.sort.kind === "bits") scalars.set("trap", constant(trap.sort.width, 0n));
  return { scalars, memories: layout.initial() };
}
