/**
 * What a translation of a block has to keep, as obligations (theory.md) over all host states:
 *
 *   commute/BLOCK/exit+N      where the host leaves at offset N, α gives the guest's state after its instructions
 *   commute/BLOCK/point+N     the same where the translator says that α holds
 *   commute/BLOCK/host+N      the host neither faults by itself nor goes astray at offset N
 *   materialize/BLOCK/+N      where the access at offset N faults, so does the guest's instruction that the fault map names, on the
 *                             same address, and α gives the state before that instruction
 *   …/never                   (of any of the first three and the last) that it cannot come to this: what is known instead, where no
 *                             state leads there
 */
import { InternalDefect, unreachable, UserError } from "../errors.js";
import { type Choice, type Goal, goalTerm, type Obligation, type Part } from "../diagram.js";
import type { Decode } from "../execute/decoded.js";
import { termOf } from "../execute/symbolic.js";
import type { StateVariable } from "../machine.js";
import type { TranslatorRefinement, View } from "../refinement.js";
import {
  and,
  constant,
  FALSE,
  implies,
  ite,
  load,
  not,
  or,
  select,
  sub,
  TRUE,
  variable,
  zext,
} from "../terms/build.js";
import type { Assumptions } from "../terms/assume.js";
import { bits } from "../terms/sort.js";
import type { Term } from "../terms/term.js";
import { Substitution } from "../terms/substitute.js";
import { freeVariables } from "../terms/variables.js";
import type { Exit, FaultEntry, Point, Translation, TranslationRequest, TrapValue } from "../translation.js";
import { type Abstracted, abstracted, guestState, guestVariables, readWritten } from "./abstraction.js";
import { Code } from "./code.js";
import { GuestBytes, type GuestCode, GuestExecution, type GuestNode, type GuestRaise } from "./guest.js";
import { atEntry, covers, isSeen, type Start, startsOf, viewOf } from "./start.js";
import { mapTrapValue } from "./trap-value.js";
import { entryState, type HostBounds, type HostEvent, HostExecution } from "./host.js";
import { type HostAccess, type HostState, Layout, RegionReader } from "./regions.js";
import { loopHeads } from "./well-formed.js";

/** A part, and the host address where its state stands. */
export interface BlockPart extends Part {
  readonly start: bigint;
  /** Holds with the hypotheses; rewriting is better off without it where it is not needed. */
  readonly further: readonly Term[];
}

export interface BlockObligation extends Obligation {
  /** What the exploration did not get through. */
  readonly unknown: string | undefined;
  /** Of exits for interrupts alone, at which the guest has executed nothing, and nobody says when they may be taken. */
  readonly idle: boolean;
  parts(): readonly BlockPart[];
}

interface Found {
  readonly parts: BlockPart[];
  unsupported: string | undefined;
  unknown: string | undefined;
  idle: boolean;
}

/** Guest instructions from one point on, in one run; more is `unknown`. */
const MOST_STEPS = 2000;
/** Ways that the guest's runs are followed where it does not come to what the host says: in a loop they would double each time round. */
const MOST_WAYS = 8;

/** A block and its translation, as they are held against each other. */
export interface Pair {
  readonly name: string;
  readonly guest: GuestCode;
  readonly translation: Translation<Term>;
  /** The translation's host code. */
  readonly code: Code;
  /** What is known of the numbers that are open; and what is known further, but is a hindrance where it is not needed. */
  readonly given: readonly Term[];
  readonly further: readonly Term[];
  /** Puts numbers in the place of terms that are known to equal them. */
  readonly equal: Substitution;
}

export function blockObligations(
  refinement: TranslatorRefinement,
  name: string,
  block: TranslationRequest,
  translation: Translation,
  decode: Decode,
  bounds?: HostBounds,
): readonly BlockObligation[] {
  const guest = new GuestBytes(refinement.guest, block);
  const code = new Code(refinement, translation, decode);
  return pairObligations(
    refinement,
    {
      name,
      guest,
      translation: inTerms(translation, guest),
      code,
      given: [],
      further: [],
      equal: new Substitution(new Map()),
    },
    bounds,
  );
}

export function pairObligations(
  refinement: TranslatorRefinement,
  pair: Pair,
  bounds?: HostBounds,
): readonly BlockObligation[] {
  return new Validation(refinement, pair, bounds).obligations();
}

/** The guest's addresses as terms. */
function inTerms(translation: Translation, { start }: GuestCode): Translation<Term> {
  const term = (address: bigint): Term => constant(start.sort.kind === "bits" ? start.sort.width : 0, address);
  return {
    ...translation,
    points: translation.points.map((p) => ({ ...p, guest: term(p.guest) })),
    faults: translation.faults.map((f) => ({ ...f, guest: term(f.guest) })),
    exits: translation.exits.map((e) => ({
      ...e,
      guest: e.guest === undefined ? undefined : term(e.guest),
      value: mapTrapValue(e.value, term),
    })),
  };
}

/** What of an event has to hold where the guest has come to a meeting. */
interface Claim {
  readonly meeting: Meeting;
  readonly goals: readonly Goal[];
  /** What the guest's definition has left open there. */
  readonly open: readonly Term[];
}

/** What of an event holds in which part of the guest's runs. */
interface Meeting {
  readonly hypotheses: readonly Term[];
  readonly assumptions: Assumptions;
  readonly node: GuestNode;
  /** `at` the node wanted; `trapped` or `left` the block before it; `lost` in a loop. */
  readonly kind: "at" | "trapped" | "left" | "lost";
}

/** From one place to the next. */
interface Segment {
  readonly start: Start<Term>;
  readonly layout: Layout;
  readonly guest: GuestExecution;
  /** What registers held at the entry, by name, over the host's state at the start. */
  readonly atEntry: ReadonlyMap<string, Term>;
  /** Whether an interrupt was requested there. */
  readonly requested: Term | undefined;
}

class Validation {
  private readonly refinement: TranslatorRefinement;
  private readonly name: string;
  private readonly guest: GuestCode;
  private readonly given: readonly Term[];
  private readonly further: readonly Term[];
  private readonly equal: Substitution;
  private readonly translation: Translation<Term>;
  private readonly code: Code;
  private readonly bounds: HostBounds | undefined;
  private readonly found = new Map<string, Found>();

  constructor(refinement: TranslatorRefinement, pair: Pair, bounds: HostBounds | undefined) {
    const { translation } = pair;
    this.refinement = refinement;
    this.name = pair.name;
    this.guest = pair.guest;
    this.given = pair.given;
    this.further = pair.further;
    this.code = pair.code;
    const heads = loopHeads(this.code);
    const points = translation.points.map((p) => ({ ...p, cut: p.cut || heads.has(p.host) }));
    this.translation = { ...translation, points };
    this.equal = pair.equal;
    this.bounds = bounds;
  }

  obligations(): readonly BlockObligation[] {
    const { entry, points } = this.translation;
    for (const start of startsOf(entry, this.guest.start, points)) this.segment(start);
    return [...this.found].map(([name, { parts, unsupported, unknown, idle }]) => ({
      name,
      kind: name.startsWith("materialize/") ? "materialize" : "commute",
      of: this.name,
      unsupported,
      unknown,
      idle,
      parts: () => parts,
    }));
  }

  /** From one place where α holds to the next. */
  private segment(start: Start<Term>): void {
    const { refinement } = this;
    const { host } = this.translation;
    const view = viewOf(refinement, start.view);
    const data = [{ address: host.address, bytes: host.code }, ...host.data];
    const layout = new Layout(refinement.host, refinement.regions, refinement.limit, data, view);
    const state = entryState(refinement.host, layout, start.address);
    const reader = new RegionReader(layout, refinement.host.variables, state);
    const a = abstracted(refinement, layout, state, view);
    const segment: Segment = {
      start,
      layout,
      guest: new GuestExecution(this.guest, start.pc, guestState(refinement, a)),
      atEntry: this.entryRegisters(reader, view),
      requested:
        refinement.request === undefined
          ? undefined
          : readWritten(refinement, reader, "the request", refinement.request),
    };
    const invariant = readWritten(refinement, reader, "a view's invariant", view.invariant);
    const execution = new HostExecution(refinement, layout, this.code, this.translation, this.equal, this.bounds);
    const given = invariant === TRUE ? this.given : [...this.given, invariant];
    for (const event of execution.run(start.address, state, given)) this.judge(event, segment);
  }

  /** What they held there, as the view finds it. */
  private entryRegisters(reader: RegionReader, view: View): ReadonlyMap<string, Term> {
    const read = (v: StateVariable): Term =>
      readWritten(this.refinement, reader, `a view's \`entry\` of \`${v.name}\``, atEntry(view, v));
    return new Map(this.kept().map((v) => [v.name, read(v)]));
  }

  /** The registers whose value at the entry matters: those that are preserved, and the bases of regions. */
  private kept(): readonly StateVariable[] {
    const { preserve, regions, host } = this.refinement;
    const names = new Set([...preserve, ...regions.flatMap((r) => (r.kind === "based" ? [r.base] : []))]);
    return host.variables.filter((v) => names.has(v.name));
  }

  private judge(event: HostEvent, segment: Segment): void {
    const { start } = segment;
    const offset = (event.address - this.translation.host.address).toString(16);
    const { what } = event;
    const commute = `commute/${this.name}`;
    switch (what.kind) {
      case "exit":
        this.add(`${commute}/exit+${offset}`, start, this.atExit(event, what.exit, segment), {
          idle: what.exit.interrupt && segment.requested === undefined,
        });
        break;
      case "point":
        this.add(`${commute}/point+${offset}`, start, this.atPoint(event, what.point, segment));
        break;
      case "fault":
        this.add(`materialize/${this.name}/+${offset}`, start, this.atFault(event, what, segment));
        break;
      case "astray":
        this.add(`${commute}/host+${offset}`, start, [never(event.hypotheses, "host")]);
        break;
      case "unsupported":
        this.add(`${commute}/host+${offset}`, start, [], { unsupported: what.what });
        break;
      case "unknown":
        this.add(`${commute}/host+${offset}`, start, [], { unknown: what.why });
        break;
      default:
        unreachable(what);
    }
  }

  private add(
    name: string,
    { address }: Start<Term>,
    parts: readonly Part[],
    why: { readonly unsupported?: string; readonly unknown?: string; readonly idle?: boolean } = {},
  ): void {
    let known = this.found.get(name);
    if (known === undefined) {
      known = { parts: [], unsupported: undefined, unknown: undefined, idle: true };
      this.found.set(name, known);
    }
    known.parts.push(...parts.map((p) => ({ ...p, start: address, further: this.further })));
    known.unsupported ??= why.unsupported;
    known.unknown ??= why.unknown;
    known.idle &&= why.idle === true;
  }

  // ---- where the host's states are held against the guest's

  private atExit(event: HostEvent, exit: Exit<Term>, segment: Segment): readonly Part[] {
    const { guest } = segment;
    const view = viewOf(this.refinement, exit.view);
    const a = this.abstracted(event, segment, view);
    const given = a.programCounter === undefined ? undefined : event.assumptions.simplify(a.programCounter);
    // Where α gives an address in the block, the guest may have come to it without leaving the block.
    const pc = exit.guest ?? given;
    // In a loop, the fault map tells which instruction it has come from.
    const current = this.mapped(event.address)?.guest;
    const raising = exit.guest ?? current;
    const wanted = (node: GuestNode): boolean => {
      if (exit.interrupt) return node === guest.start;
      if (exit.trap !== undefined) return isAt(node, raising);
      const arrived = isAt(node, pc) && (current === undefined || node.last === current);
      return node.steps > 0 && (arrived || guest.step(node) === undefined);
    };
    const goals = [...this.invariant(event, segment, view), ...this.preserved(event, segment)];
    if (exit.interrupt && segment.requested !== undefined)
      goals.push({ variable: "request", host: segment.requested, guest: TRUE });
    const told = exit.value === undefined ? undefined : held(exit.value, event.state, segment.layout);
    const claims = this.meetings(event, guest, wanted).map((meeting) => {
      if (meeting.kind !== "at") return this.missed(meeting, guest);
      const same = this.same(a, meeting, exit.guest, view);
      const trap = exit.trap === undefined ? [] : this.raises(guest, meeting.node, exit.trap, told);
      return claim(meeting, [...same, ...goals, ...trap], trap.length === 0 ? [] : guest.step(meeting.node)?.choices);
    });
    return partsOf(event, claims);
  }

  private atPoint(event: HostEvent, point: Point<Term>, segment: Segment): readonly Part[] {
    const { guest, start } = segment;
    const view = viewOf(this.refinement, point.view);
    const wanted = (node: GuestNode): boolean => node.steps >= (point.cut ? start.least : 0) && isAt(node, point.guest);
    // What follows a cut knows only this of the registers.
    const found = point.cut ? this.entryFound(event, segment, view) : [];
    const goals = [...this.invariant(event, segment, view), ...found];
    const claims = this.meetings(event, guest, wanted).map((meeting) =>
      meeting.kind === "at"
        ? claim(meeting, [...this.same(this.abstracted(event, segment, view), meeting, point.guest, view), ...goals])
        : this.missed(meeting, guest),
    );
    return partsOf(event, claims);
  }

  private atFault(
    event: HostEvent,
    fault: { readonly trap: string; readonly arguments: readonly Term[]; readonly accesses: readonly HostAccess[] },
    segment: Segment,
  ): readonly Part[] {
    const { guest } = segment;
    const entry = this.mapped(event.address);
    if (entry === undefined) return [never(event.hypotheses, "fault map")];
    const view = viewOf(this.refinement, entry.view);
    const claims = this.meetings(event, guest, (node) => isAt(node, entry.guest)).map((meeting) => {
      if (meeting.kind !== "at") return this.missed(meeting, guest);
      const same = this.same(this.abstracted(event, segment, view), meeting, entry.guest, view);
      const goals = [...same, ...this.sameFault(fault, guest, meeting.node)];
      return claim(meeting, goals, guest.step(meeting.node)?.choices);
    });
    return partsOf(event, claims);
  }

  private mapped(address: bigint): FaultEntry<Term> | undefined {
    return this.translation.faults.find((f) => covers(f, address));
  }

  /**
   * The guest's runs under the event's hypotheses, each to the first node wanted or to its end. Where none of those that go on from a node
   * comes to one, it is missed there already: that is one claim, and the shortest.
   */
  private meetings(event: HostEvent, guest: GuestExecution, wanted: (node: GuestNode) => boolean): readonly Meeting[] {
    let ways = 0;
    const visit = (node: GuestNode, hypotheses: readonly Term[], assumptions: Assumptions): readonly Meeting[] => {
      const here = { node, hypotheses, assumptions };
      if (wanted(node)) return [{ kind: "at", ...here }];
      if (node.steps >= MOST_STEPS || ways >= MOST_WAYS) return [{ kind: "lost", ...here }];
      const step = guest.step(node);
      if (step === undefined) return [{ kind: "left", ...here }];
      const met: Meeting[] = [];
      let known = hypotheses;
      let under = assumptions;
      for (const raise of step.raises) {
        const condition = under.simplify(raise.condition);
        if (condition === FALSE) continue;
        const there = under.with(condition);
        if (!there.contradictory)
          met.push({ kind: "trapped", node, hypotheses: [...known, condition], assumptions: there });
        known = [...known, not(condition)];
        under = under.with(not(condition));
        if (under.contradictory) break;
      }
      for (const next of under.contradictory ? [] : step.next) {
        const condition = under.simplify(next.condition);
        if (condition === FALSE) continue;
        const there = condition === TRUE ? under : under.with(condition);
        if (there.contradictory) continue;
        if (met.length > 0) ways++;
        met.push(...visit(next.node, condition === TRUE ? known : [...known, condition], there));
      }
      const [first] = met;
      return first === undefined || met.length === 1 || met.some((m) => m.kind === "at")
        ? met
        : [{ ...first, hypotheses, assumptions }];
    };
    return visit(guest.start, event.hypotheses, event.assumptions);
  }

  private abstracted(event: HostEvent, { layout }: Segment, view: View): Abstracted {
    return abstracted(this.refinement, layout, event.state, view);
  }

  private invariant(event: HostEvent, { layout }: Segment, { invariant }: View): readonly Goal[] {
    if (invariant === TRUE) return [];
    const reader = new RegionReader(layout, this.refinement.host.variables, event.state);
    const host = readWritten(this.refinement, reader, "a view's invariant", invariant);
    return [{ variable: "invariant", host, guest: TRUE }];
  }

  /** α of the host's state is the guest's. */
  private same(host: Abstracted, { node }: Meeting, pc: Term | undefined, view: View): readonly Goal[] {
    const { refinement } = this;
    const goals: Goal[] = [this.samePlace(host, node, pc)];
    for (const v of guestVariables(refinement)) {
      const after = termOf(node.state, v.name);
      if (v.sort.kind !== "file" && !isSeen(view, v.name)) continue;
      if (v.sort.kind === "memory") {
        const address = variable(`${v.name}[]`, bits(v.sort.address));
        const memory = host.memories.get(v.name);
        if (memory === undefined) throw new InternalDefect(`no memory \`${v.name}\``);
        if (memory !== after)
          goals.push({ variable: v.name, host: load(memory, address, 1), guest: load(after, address, 1) });
      } else if (v.sort.kind === "file") {
        const { index } = v.sort;
        const elements = host.files.get(v.name) ?? [];
        for (const [i, e] of elements.entries())
          if (isSeen(view, `${v.name}[${i}]`))
            goals.push({ variable: `${v.name}[${i}]`, host: e, guest: select(after, constant(index, BigInt(i))) });
      } else {
        goals.push({ variable: v.name, host: termIn(host.scalars, v.name), guest: after });
      }
    }
    return goals;
  }

  private samePlace(host: Abstracted, node: GuestNode, pc: Term | undefined): Goal {
    const set = this.refinement.guest.instructionSet;
    const name = set?.programCounter ?? "pc";
    const guest = node.programCounter;
    if (pc !== undefined) return { variable: name, host: pc, guest };
    if (host.programCounter === undefined)
      throw new UserError(
        `${this.refinement.file}: the translator names an exit without a guest address, and the abstraction gives no \`${name}\` for it`,
      );
    return { variable: name, host: host.programCounter, guest };
  }

  private preserved(event: HostEvent, segment: Segment): readonly Goal[] {
    return this.refinement.preserve.map((variable) => ({
      variable,
      host: termIn(event.state.scalars, variable),
      guest: termIn(segment.atEntry, variable),
    }));
  }

  /** The view finds what the registers held at the entry. */
  private entryFound(event: HostEvent, { layout, atEntry: held }: Segment, view: View): readonly Goal[] {
    const reader = new RegionReader(layout, this.refinement.host.variables, event.state);
    return [...this.entryRegisters(reader, view)].map(([variable, host]) => ({
      variable,
      host,
      guest: termIn(held, variable),
    }));
  }

  /** The guest raises this trap in the node, and with the value that the host has told, if it has. */
  private raises(guest: GuestExecution, node: GuestNode, trap: string, told: Term | undefined): readonly Goal[] {
    const raises = guest.step(node)?.raises ?? [];
    const goals: Goal[] = [{ variable: "trap", host: when(raises, (r) => r.trap === trap), guest: TRUE }];
    const raised = valueRaised(raises.filter((r) => r.trap === trap));
    if (told?.sort.kind !== "bits" || raised?.sort.kind !== "bits") return goals;
    const width = Math.max(told.sort.width, raised.sort.width);
    return [...goals, { variable: "trap.value", host: zext(told, width), guest: zext(raised, width) }];
  }

  /** The guest's instruction faults as the host does: an access of its own, at the same address where the host tells it. */
  private sameFault(
    fault: { readonly trap: string; readonly arguments: readonly Term[]; readonly accesses: readonly HostAccess[] },
    guest: GuestExecution,
    node: GuestNode,
  ): readonly Goal[] {
    const raises = guest.step(node)?.raises ?? [];
    const faults = new Set(
      this.refinement.guest.variables.flatMap((v) => [v.faults.load, v.faults.store].filter((t) => t !== undefined)),
    );
    const goals: Goal[] = [{ variable: "trap", host: when(raises, (r) => faults.has(r.trap)), guest: TRUE }];
    const [address] = fault.arguments;
    const place = fault.accesses[0]?.place;
    if (address === undefined || place?.kind !== "guest") return goals;
    const seen = valueRaised(raises.filter((r) => r.arguments[0]?.sort === address.sort));
    if (seen === undefined || seen.sort.kind !== "bits") return goals;
    const told = sub(address, constant(seen.sort.width, place.region.at));
    return [...goals, { variable: "trap.value", host: told, guest: seen }];
  }

  /** The guest does not come to where the host says that it is: it traps before, or goes elsewhere. */
  private missed(meeting: Meeting, guest: GuestExecution): Claim {
    const { node, kind } = meeting;
    const variable = kind === "trapped" ? "trap" : (this.refinement.guest.instructionSet?.programCounter ?? "pc");
    return claim(meeting, [{ variable, host: FALSE, guest: TRUE }], kind === "at" ? [] : guest.step(node)?.choices);
  }
}

function isAt(node: GuestNode, address: Term | undefined): boolean {
  return node.programCounter === address;
}

/** Whether the first raise whose condition holds is one of these. */
function when(raises: readonly GuestRaise[], is: (raise: GuestRaise) => boolean): Term {
  const before: Term[] = [];
  const cases: Term[] = [];
  for (const r of raises) {
    if (is(r)) cases.push(and(...before, r.condition));
    before.push(not(r.condition));
  }
  return or(...cases);
}

/** What the host has there. */
function held(value: TrapValue<Term>, { scalars, memories }: HostState, { width }: Layout): Term {
  switch (value.kind) {
    case "constant":
      return value.value;
    case "register":
      return termIn(scalars, value.register);
    case "memory":
      return load(termIn(memories, value.region), constant(width, value.offset), value.bytes);
    default:
      return unreachable(value);
  }
}

/** By cases of what is raised first; where nothing is, it may be anything. */
function valueRaised(raises: readonly GuestRaise[]): Term | undefined {
  return raises.reduceRight<Term | undefined>((rest, { condition, arguments: [value] }) => {
    if (value === undefined) return rest;
    return rest === undefined ? value : ite(condition, value, rest);
  }, undefined);
}

/** `more`: choices of the instruction at the node, where its traps are among the goals or have decided the guest's way. */
function claim(meeting: Meeting, goals: readonly Goal[], more: readonly Term[] = []): Claim {
  return { meeting, goals: goals.filter((g) => g.host !== g.guest), open: [...meeting.node.choices, ...more] };
}

/**
 * The claims of an event, each under what led to it. What the guest leaves open may be chosen to suit the goals; where the choice has
 * decided which way the guest goes (whether it traps), it has to suit all of the event's claims together, each where it applies.
 */
function partsOf(event: HostEvent, claims: readonly Claim[]): readonly Part[] {
  const open = [...new Set(claims.flatMap((c) => c.open))];
  const ways = claims.map(({ meeting }) => meeting.hypotheses.slice(event.hypotheses.length));
  const decided = freeVariables(ways.flat());
  if (!open.some((choice) => decided.has(choice))) {
    return claims.map(({ meeting: { hypotheses }, goals, open: own }) => ({
      hypotheses,
      goals,
      choices: own.map(withoutWitness),
    }));
  }
  const goals = claims.flatMap((c, i) =>
    c.goals.map((goal): Goal => {
      const there = and(...(ways[i] ?? []));
      return { variable: goal.variable, host: implies(there, goalTerm(goal)), guest: TRUE };
    }),
  );
  return [{ hypotheses: event.hypotheses, goals, choices: open.map(withoutWitness) }];
}

function withoutWitness(variable: Term): Choice {
  return { variable, witness: undefined };
}

/** It must not come to this. */
function never(hypotheses: readonly Term[], variable: string): Part {
  return { hypotheses, goals: [{ variable, host: FALSE, guest: TRUE }], choices: [] };
}

function termIn(terms: ReadonlyMap<string, Term>, name: string): Term {
  const term = terms.get(name);
  if (term === undefined) throw new InternalDefect(`there is no \`${name}\``);
  return term;
}
