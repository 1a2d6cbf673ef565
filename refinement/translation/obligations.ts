/**
 * What a translation of a block has to keep, as obligations (theory.md) over all host states:
 *
 *   commute/BLOCK/exit+N      where the host leaves at offset N, α gives the guest's state after its instructions
 *   commute/BLOCK/point+N     the same where the translator says that α holds
 *   commute/BLOCK/host+N      the host neither faults by itself nor goes astray at offset N
 *   materialize/BLOCK/+N      where the access at offset N faults, so does the guest's instruction that the fault map names, on the
 *                             same address, and α gives the state before that instruction
 */
import { InternalDefect, unreachable, UserError } from "../errors.js";
import type { Choice, Goal, Obligation, Part } from "../diagram.js";
import type { Decode } from "../execute/decoded.js";
import { termOf } from "../execute/symbolic.js";
import type { TranslatorRefinement } from "../refinement.js";
import { and, constant, FALSE, ite, load, not, or, select, sub, TRUE, variable } from "../terms/build.js";
import type { Assumptions } from "../terms/assume.js";
import { bits } from "../terms/sort.js";
import type { Term } from "../terms/term.js";
import { freeVariables } from "../terms/variables.js";
import type { Exit, FaultEntry, Point, Translation, TranslationRequest } from "../translation.js";
import { type Abstracted, abstracted, guestState, guestVariables } from "./abstraction.js";
import { Code } from "./code.js";
import { covers, type Start, startsOf } from "./start.js";
import { GuestCode, GuestExecution, type GuestNode, type GuestRaise } from "./guest.js";
import { entryState, type HostBounds, type HostEvent, HostExecution } from "./host.js";
import { type HostAccess, Layout } from "./regions.js";
import { loopHeads } from "./well-formed.js";

/** A part, and where its host state stands. */
export interface BlockPart extends Part {
  readonly start: Start;
}

export interface BlockObligation extends Obligation {
  /** What the exploration did not get through. */
  readonly unknown: string | undefined;
  parts(): readonly BlockPart[];
}

interface Found {
  readonly parts: BlockPart[];
  unsupported: string | undefined;
  unknown: string | undefined;
}

/** Guest instructions from one point on, in one run; more is `unknown`. */
const MOST_STEPS = 2000;

export function blockObligations(
  refinement: TranslatorRefinement,
  name: string,
  block: TranslationRequest,
  translation: Translation,
  decode: Decode,
  bounds?: HostBounds,
): readonly BlockObligation[] {
  return new Validation(refinement, name, block, translation, decode, bounds).obligations();
}

/** What of an event holds in which part of the guest's runs. */
interface Meeting {
  readonly hypotheses: readonly Term[];
  readonly assumptions: Assumptions;
  readonly node: GuestNode;
  /** `at` the node wanted; `trapped` or `left` the block before it; `lost` in a loop. */
  readonly kind: "at" | "trapped" | "left" | "lost";
}

class Validation {
  private readonly refinement: TranslatorRefinement;
  private readonly name: string;
  private readonly block: TranslationRequest;
  private readonly translation: Translation;
  private readonly layout: Layout;
  private readonly code: Code;
  private readonly host: HostExecution;
  private readonly found = new Map<string, Found>();

  constructor(
    refinement: TranslatorRefinement,
    name: string,
    block: TranslationRequest,
    translation: Translation,
    decode: Decode,
    bounds: HostBounds | undefined,
  ) {
    this.refinement = refinement;
    this.name = name;
    this.block = block;
    const { host } = translation;
    this.code = new Code(refinement.host, host, decode);
    const heads = loopHeads(this.code);
    const points = translation.points.map((p) => ({ ...p, cut: p.cut || heads.has(p.host) }));
    this.translation = { ...translation, points };
    const data = [{ address: host.address, bytes: host.code }, ...host.data];
    this.layout = new Layout(refinement.host, refinement.regions, refinement.limit, data);
    this.host = new HostExecution(refinement, this.layout, this.code, this.translation, bounds);
  }

  obligations(): readonly BlockObligation[] {
    const { entry, points } = this.translation;
    for (const start of startsOf(entry, this.block.pc, points)) this.segment(start);
    return [...this.found].map(([name, { parts, unsupported, unknown }]) => ({
      name,
      kind: name.startsWith("materialize/") ? "materialize" : "commute",
      of: this.name,
      unsupported,
      unknown,
      parts: () => parts,
    }));
  }

  /** From one place where α holds to the next. */
  private segment(start: Start): void {
    const { refinement, layout } = this;
    const state = entryState(refinement.host, layout, start.address);
    const a = abstracted(refinement, layout, state);
    const code = new GuestCode(refinement.guest, this.block);
    const guest = new GuestExecution(code, start.pc, guestState(refinement, a));
    for (const event of this.host.run(start.address, state, [])) this.judge(event, guest, start);
  }

  private judge(event: HostEvent, guest: GuestExecution, start: Start): void {
    const offset = (event.address - this.translation.host.address).toString(16);
    const { what } = event;
    const commute = `commute/${this.name}`;
    switch (what.kind) {
      case "exit":
        this.add(`${commute}/exit+${offset}`, start, this.atExit(event, what.exit, guest));
        break;
      case "point":
        this.add(`${commute}/point+${offset}`, start, this.atPoint(event, what.point, guest, start.least));
        break;
      case "fault":
        this.add(`materialize/${this.name}/+${offset}`, start, this.atFault(event, what, guest));
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
    start: Start,
    parts: readonly Part[],
    why: { readonly unsupported?: string; readonly unknown?: string } = {},
  ): void {
    let known = this.found.get(name);
    if (known === undefined) {
      known = { parts: [], unsupported: undefined, unknown: undefined };
      this.found.set(name, known);
    }
    known.parts.push(...parts.map((p) => ({ ...p, start })));
    known.unsupported ??= why.unsupported;
    known.unknown ??= why.unknown;
  }

  // ---- where the host's states are held against the guest's

  private atExit(event: HostEvent, exit: Exit, guest: GuestExecution): readonly Part[] {
    const a = this.abstracted(event);
    const told = a.programCounter === undefined ? undefined : event.assumptions.simplify(a.programCounter);
    // Where α gives a constant, the guest may have come to it without leaving the block.
    const pc = exit.guest ?? (told?.op === "const" ? told.value : undefined);
    // In a loop, the fault map tells which instruction it has come from.
    const current = this.mapped(event.address)?.guest;
    const raising = exit.guest ?? current;
    const wanted = (node: GuestNode): boolean => {
      if (exit.interrupt) return node === guest.start;
      if (exit.trap !== undefined) return isAt(node, raising);
      const arrived = isAt(node, pc) && (current === undefined || node.last === current);
      return node.steps > 0 && (arrived || guest.step(node) === undefined);
    };
    const goals = this.preserved(event);
    return this.meetings(event, guest, wanted).map((meeting) => {
      if (meeting.kind !== "at") return this.missed(meeting);
      const same = this.same(a, meeting, exit.guest);
      const trap = exit.trap === undefined ? [] : [this.raises(guest, meeting.node, exit.trap)];
      return part(meeting, [...same, ...goals, ...trap], trap.length === 0 ? [] : guest.step(meeting.node)?.choices);
    });
  }

  private atPoint(event: HostEvent, point: Point, guest: GuestExecution, least: number): readonly Part[] {
    const wanted = (node: GuestNode): boolean => node.steps >= (point.cut ? least : 0) && isAt(node, point.guest);
    // What follows a cut knows only this of the registers.
    const goals = point.cut ? [...this.preserved(event), ...this.bases(event)] : [];
    return this.meetings(event, guest, wanted).map((meeting) =>
      meeting.kind === "at"
        ? part(meeting, [...this.same(this.abstracted(event), meeting, point.guest), ...goals])
        : this.missed(meeting),
    );
  }

  private atFault(
    event: HostEvent,
    fault: { readonly trap: string; readonly arguments: readonly Term[]; readonly accesses: readonly HostAccess[] },
    guest: GuestExecution,
  ): readonly Part[] {
    const entry = this.mapped(event.address);
    if (entry === undefined) return [never(event.hypotheses, "fault map")];
    return this.meetings(event, guest, (node) => isAt(node, entry.guest)).map((meeting) => {
      if (meeting.kind !== "at") return this.missed(meeting);
      const same = this.same(this.abstracted(event), meeting, entry.guest);
      const goals = [...same, ...this.sameFault(fault, guest, meeting.node)];
      return part(meeting, goals, guest.step(meeting.node)?.choices);
    });
  }

  private mapped(address: bigint): FaultEntry | undefined {
    return this.translation.faults.find((f) => covers(f, address));
  }

  /** The guest's runs under the event's hypotheses, each to the first node wanted or to its end. */
  private meetings(event: HostEvent, guest: GuestExecution, wanted: (node: GuestNode) => boolean): readonly Meeting[] {
    const met: Meeting[] = [];
    const visit = (node: GuestNode, hypotheses: readonly Term[], assumptions: Assumptions): void => {
      if (wanted(node)) {
        met.push({ kind: "at", node, hypotheses, assumptions });
        return;
      }
      const step = node.steps >= MOST_STEPS ? undefined : guest.step(node);
      if (step === undefined) {
        met.push({ kind: node.steps >= MOST_STEPS ? "lost" : "left", node, hypotheses, assumptions });
        return;
      }
      let known = [...hypotheses];
      let under = assumptions;
      for (const raise of step.raises) {
        const condition = under.simplify(raise.condition);
        if (condition === FALSE) continue;
        const there = under.with(condition);
        if (!there.contradictory)
          met.push({ kind: "trapped", node, hypotheses: [...known, condition], assumptions: there });
        known = [...known, not(condition)];
        under = under.with(not(condition));
        if (under.contradictory) return;
      }
      for (const next of step.next) {
        const condition = under.simplify(next.condition);
        if (condition === FALSE) continue;
        const there = condition === TRUE ? under : under.with(condition);
        if (!there.contradictory) visit(next.node, condition === TRUE ? known : [...known, condition], there);
      }
    };
    visit(guest.start, event.hypotheses, event.assumptions);
    return met;
  }

  private abstracted(event: HostEvent): Abstracted {
    return abstracted(this.refinement, this.layout, event.state);
  }

  /** α of the host's state is the guest's. */
  private same(host: Abstracted, { node }: Meeting, pc: bigint | undefined): readonly Goal[] {
    const { refinement } = this;
    const goals: Goal[] = [this.samePlace(host, node, pc)];
    for (const v of guestVariables(refinement)) {
      const after = termOf(node.state, v.name);
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
          goals.push({ variable: `${v.name}[${i}]`, host: e, guest: select(after, constant(index, BigInt(i))) });
      } else {
        goals.push({ variable: v.name, host: termIn(host.scalars, v.name), guest: after });
      }
    }
    return goals;
  }

  private samePlace(host: Abstracted, node: GuestNode, pc: bigint | undefined): Goal {
    const set = this.refinement.guest.instructionSet;
    const name = set?.programCounter ?? "pc";
    const guest = node.programCounter;
    if (guest.sort.kind !== "bits") throw new InternalDefect("a program counter is bits");
    if (pc !== undefined) return { variable: name, host: constant(guest.sort.width, pc), guest };
    if (host.programCounter === undefined)
      throw new UserError(
        `${this.refinement.file}: the translator names an exit without a guest address, and the abstraction gives no \`${name}\` for it`,
      );
    return { variable: name, host: host.programCounter, guest };
  }

  private preserved(event: HostEvent): readonly Goal[] {
    return this.refinement.preserve.map((name) => this.unchanged(event, name));
  }

  private bases(event: HostEvent): readonly Goal[] {
    const names = this.refinement.regions.flatMap((r) => (r.kind === "based" ? [r.base] : []));
    return [...new Set(names)].map((name) => this.unchanged(event, name));
  }

  private unchanged(event: HostEvent, name: string): Goal {
    const v = this.refinement.host.variables.find((candidate) => candidate.name === name);
    if (v === undefined) throw new InternalDefect(`the host has no ${name}`);
    return { variable: name, host: termIn(event.state.scalars, name), guest: v.term };
  }

  /** The guest raises this trap in the node. */
  private raises(guest: GuestExecution, node: GuestNode, trap: string): Goal {
    return { variable: "trap", host: when(guest.step(node)?.raises ?? [], (r) => r.trap === trap), guest: TRUE };
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
    // By cases of what is raised first; where nothing is, the goal above fails already.
    const seen = raises.reduceRight<Term | undefined>((rest, r) => {
      const [at] = r.arguments;
      if (at === undefined || at.sort !== address.sort) return rest;
      return rest === undefined ? at : ite(r.condition, at, rest);
    }, undefined);
    if (seen === undefined || seen.sort.kind !== "bits") return goals;
    const told = sub(address, constant(seen.sort.width, place.region.at));
    return [...goals, { variable: "trap.value", host: told, guest: seen }];
  }

  /** The guest does not come to where the host says that it is: it traps before, or goes elsewhere. */
  private missed({ node, hypotheses, kind }: Meeting): Part {
    const variable = kind === "trapped" ? "trap" : (this.refinement.guest.instructionSet?.programCounter ?? "pc");
    return {
      hypotheses,
      goals: [{ variable, host: FALSE, guest: TRUE }],
      choices: existential(node.choices, hypotheses),
    };
  }
}

function isAt(node: GuestNode, address: bigint | undefined): boolean {
  return node.programCounter.op === "const" && node.programCounter.value === address;
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

/** `more`: choices of the instruction at the node, where its traps are among the goals. */
function part({ hypotheses, node }: Meeting, goals: readonly Goal[], more: readonly Term[] = []): Part {
  const open = [...node.choices, ...more];
  return { hypotheses, goals: goals.filter((g) => g.host !== g.guest), choices: existential(open, hypotheses) };
}

/**
 * What the guest leaves open may be chosen to suit the goals; but where it has decided which way the guest goes, the hypotheses say so,
 * and the goals have to hold for every choice that leads there.
 */
function existential(open: readonly Term[], hypotheses: readonly Term[]): readonly Choice[] {
  if (open.length === 0) return [];
  const decided = freeVariables(hypotheses);
  return open.filter((choice) => !decided.has(choice)).map((variable) => ({ variable, witness: undefined }));
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
