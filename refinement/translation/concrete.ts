/**
 * A block run concretely: the host's instructions and the guest's by evaluation of their definitions, from one host state. What the
 * solver or a random draw suggests is believed only where this run shows it.
 */
import { InternalDefect } from "../errors.js";
import type { Decode } from "../execute/decoded.js";
import type { State } from "../execute/state.js";
import type { GuestRegion, TranslatorRefinement, View } from "../refinement.js";
import { environment } from "../execute/concrete.js";
import { Evaluator } from "../terms/evaluate.js";
import type { Exit, Point, Translation, TranslationRequest } from "../translation.js";
import { type BlockJudgement, GUARD, type Own, type Parts, Run, type Whim } from "./block-run.js";
import { Code } from "./code.js";
import { GuestBytes } from "./guest.js";
import { type Start, startsOf, viewOf } from "./start.js";
import { loopHeads } from "./well-formed.js";

/** Bits of what the guest leaves open in one run, all values of which are tried. */
const MOST_OPEN = 6;

export class ConcreteBlock {
  /** Where a run can begin, the entry first. */
  readonly starts: readonly Start[];
  private readonly refinement: TranslatorRefinement;
  private readonly name: string;
  private readonly translation: Translation;
  private readonly code: Code;
  private readonly guestCode: GuestBytes;
  private readonly exits: ReadonlyMap<bigint, Exit>;
  private readonly points: ReadonlyMap<bigint, Point>;
  private readonly guestRegion: GuestRegion | undefined;

  constructor(
    refinement: TranslatorRefinement,
    name: string,
    block: TranslationRequest,
    translation: Translation,
    decode: Decode,
  ) {
    this.refinement = refinement;
    this.name = name;
    this.translation = translation;
    this.code = new Code(refinement, translation, decode);
    this.guestCode = new GuestBytes(refinement.guest, block);
    const heads = loopHeads(this.code);
    this.exits = new Map(translation.exits.map((e) => [e.host, e]));
    this.points = new Map(translation.points.map((p) => [p.host, { ...p, cut: p.cut || heads.has(p.host) }]));
    this.starts = startsOf(translation.entry, block.pc, [...this.points.values()]);
    const guest = refinement.regions.find((r) => r.kind === "guest");
    this.guestRegion = guest?.kind === "guest" ? guest : undefined;
  }

  /** Whether the definition of some instruction of the block leaves something open. */
  get leavesOpen(): boolean {
    return this.guestCode.leavesOpen;
  }

  /** The guest's state that a host state at the entry stands for; or why it cannot be one. */
  guestStart(before: State): State | string {
    const [entry] = this.starts;
    if (entry === undefined) return "there is no entry";
    const own = this.ownAddresses(before, viewOf(this.refinement, entry.view));
    return typeof own === "string" ? own : new Run(this.parts(), before, entry, 0, own, undefined, 0n).guestStart;
  }

  /**
   * Runs from `start` in the host state `before`; every place where host and guest are held against each other is judged, or those of
   * one obligation.
   */
  judge(before: State, start: Start, whim: Whim, obligation?: string): BlockJudgement {
    const own = this.ownAddresses(before, viewOf(this.refinement, start.view));
    if (typeof own === "string") return { kind: "outside", because: own };
    const run = (open: bigint): Run => new Run(this.parts(), before, start, whim, own, obligation, open);
    const first = run(0n);
    const judgement = first.go();
    if (judgement.kind === "outside" || judgement.violations.length === 0 || first.open === 0) return judgement;
    // Where the guest's definition leaves something open, some choice of it must suit; a few bits can be tried.
    if (first.open > MOST_OPEN)
      return { ...judgement, violations: judgement.violations.map((v) => ({ ...v, certain: false })) };
    for (let open = 1n; open < 1n << BigInt(first.open); open++) {
      const other = run(open).go();
      if (other.kind === "outside" || other.violations.length === 0) return other;
    }
    return judgement;
  }

  private parts(): Parts {
    const { refinement, name, translation, code, guestCode, exits, points, guestRegion } = this;
    return { refinement, name, translation, code, guestCode, exits, points, guestRegion };
  }

  /** The addresses of the host's own regions, code and data; or why they cannot lie so. */
  private ownAddresses(state: State, view: View): readonly Own[] | string {
    const { regions, limit } = this.refinement;
    const own: Own[] = [];
    for (const r of regions) {
      if (r.kind !== "based") continue;
      const found = view.entry.get(r.base);
      const base = found === undefined ? state.get(r.base) : new Evaluator(environment(state)).number(found);
      if (typeof base !== "bigint") throw new InternalDefect(`the state has no ${r.base}`);
      if (base < r.below || base > limit - r.size) return `the region ${r.name} lies beyond the limit`;
      own.push({ lo: base - r.below, hi: base + r.size, name: r.name });
    }
    const { host } = this.translation;
    own.push({ lo: host.address, hi: host.address + BigInt(host.code.length), name: "code" });
    for (const d of host.data) own.push({ lo: d.address, hi: d.address + BigInt(d.bytes.length), name: "data" });
    for (const [i, a] of own.entries())
      for (const b of own.slice(0, i)) {
        const apart = a.name === "data" || b.name === "data" ? 0n : GUARD;
        if (a.lo < b.hi + apart && b.lo < a.hi + apart) return `the regions ${b.name} and ${a.name} overlap`;
      }
    return own;
  }
}
