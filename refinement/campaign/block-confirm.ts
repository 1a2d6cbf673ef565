/** A model of a block's obligations is only a hint: it is run concretely before anyone sees it, and made small. */
import { recordOfState } from "../counterexample-state.js";
import type { Code as CodeText, Counterexample } from "../counterexample.js";
import { InternalDefect } from "../errors.js";
import type { Violation } from "../execute/commute.js";
import { zeroState } from "../execute/concrete.js";
import type { Decode } from "../execute/decoded.js";
import type { State } from "../execute/state.js";
import type { TranslatorRefinement, View } from "../refinement.js";
import { constantDifference } from "../terms/linear.js";
import type { Term } from "../terms/term.js";
import { MemoryValue, type Value } from "../terms/value.js";
import type { GuestBlock, Translation } from "../translation.js";
import { WHIMS } from "../translation/block-run.js";
import { ConcreteBlock } from "../translation/concrete.js";
import { type Disassemble, guestText, hostText } from "../translation/listing.js";
import { memoryName } from "../translation/regions.js";
import { type Start, viewOf } from "../translation/start.js";
import { apart, type Range } from "./apart.js";
import type { Case } from "./case.js";
import type { Confirmation } from "./confirm.js";
import type { Inquiry } from "./context.js";
import { titleOf } from "./describe.js";
import { causeOf, shrink } from "./shrink.js";

/** What a decoder library does for the host's machine code. */
export interface HostTools {
  readonly decode: Decode;
  readonly disassemble: Disassemble;
}

/** Distances between the places that are tried for the host's regions. */
const ROOM = 1n << 32n;
/** Systems grant and deny memory by pages. */
const PAGE = 0x1000n;

type Judged =
  | { readonly kind: "violated"; readonly counterexample: () => Counterexample }
  | Exclude<Confirmation, { kind: "refuted" }>;

export class BlockConfirmation {
  private readonly refinement: TranslatorRefinement;
  private readonly block: GuestBlock;
  private readonly translation: Translation;
  private readonly tools: HostTools;
  private readonly inquiry: Inquiry;
  private readonly concrete: ConcreteBlock;

  constructor(
    refinement: TranslatorRefinement,
    block: GuestBlock,
    translation: Translation,
    tools: HostTools,
    inquiry: Inquiry,
  ) {
    this.refinement = refinement;
    this.block = block;
    this.translation = translation;
    this.tools = tools;
    this.inquiry = inquiry;
    this.concrete = new ConcreteBlock(refinement, block.name, block, translation, tools.decode);
  }

  /** `at`: the host address where the model's state stands. */
  confirm(obligation: string, at: bigint, model: ReadonlyMap<string, Value>, by: string): Confirmation {
    const found = this.judge(obligation, at, model, by);
    return found.kind === "violated" ? { kind: "refuted", counterexample: found.counterexample() } : found;
  }

  /** The same, with a counterexample that is made small where somebody wants it. */
  judge(obligation: string, at: bigint, model: ReadonlyMap<string, Value>, by: string): Judged {
    const start = this.concrete.starts.find((s) => s.address === at);
    if (start === undefined) throw new InternalDefect(`nothing starts at ${at}`);
    const state = this.stateOf(model, start);
    let reason = "the step commutes";
    for (const whim of WHIMS) {
      const judgement = this.concrete.judge(state, start, whim, obligation);
      if (judgement.kind === "outside") {
        reason = judgement.because;
        continue;
      }
      const violation = judgement.violations.find((v) => v.obligation === obligation);
      if (violation === undefined) continue;
      if (!violation.certain) {
        reason = "the guest leaves more open than can be tried";
        continue;
      }
      const counterexample = (): Counterexample => this.counterexample(state, start, violation, by, whim);
      return { kind: "violated", counterexample };
    }
    if (this.concrete.leavesOpen)
      return { kind: "undecided", by, reason: `what the guest leaves open may allow it (${reason})` };
    return { kind: "defect", reason: `a model of ${by} does not reproduce (${reason}): a defect of the checker` };
  }

  /** The host state that a model describes, its regions put where nothing else is. */
  private stateOf(model: ReadonlyMap<string, Value>, start: Start): State {
    const { host, regions } = this.refinement;
    const state = new Map(zeroState(host));
    for (const v of host.variables) {
      const value = model.get(v.name);
      if (value !== undefined && !(value instanceof MemoryValue)) state.set(v.name, value);
    }
    const bases = this.placed(state, viewOf(this.refinement, start.view));
    const memory = host.variables.find((v) => v.sort.kind === "memory")?.name ?? "";
    let bytes = MemoryValue.empty(64);
    for (const r of regions) {
      const contents = model.get(memoryName(r.name));
      if (!(contents instanceof MemoryValue)) continue;
      const at = r.kind === "guest" ? r.at : bases.get(r.base);
      if (typeof at !== "bigint") throw new InternalDefect(`the base of ${r.name} is no number`);
      for (const [offset, byte] of contents.written())
        bytes = bytes.store(BigInt.asUintN(64, at + offset), 1, BigInt(byte));
      if (r.kind === "guest")
        bytes = bytes.withPermissions((access, address) =>
          contents.permissions(access, BigInt.asUintN(64, address - r.at)),
        );
    }
    state.set(memory, bytes);
    return state;
  }

  /** Puts the regions where nothing else is, by the registers that tell where they lie; gives their bases by register. */
  private placed(state: Map<string, Value>, view: View): ReadonlyMap<string, bigint> {
    const { host, regions, limit } = this.refinement;
    const names = [...new Set(regions.flatMap((r) => (r.kind === "based" ? [r.base] : [])))];
    const bases = new Map<string, bigint>();
    for (const [i, name] of names.entries()) {
      const base = limit - ROOM * BigInt(i + 1) * 16n;
      bases.set(name, base);
      const term = view.entry.get(name);
      const teller =
        term === undefined ? undefined : host.variables.find((v) => distanceFrom(term, v.term) !== undefined);
      const distance = term === undefined || teller === undefined ? 0n : (distanceFrom(term, teller.term) ?? 0n);
      state.set(teller?.name ?? name, BigInt.asUintN(64, base - distance));
    }
    return bases;
  }

  /** The regions of the host's own. */
  private ownRanges(state: State, start: Start): readonly Range[] {
    const { regions } = this.refinement;
    const { entry } = viewOf(this.refinement, start.view);
    return regions.flatMap((r) => {
      if (r.kind !== "based" || entry.has(r.base)) return [];
      const base = state.get(r.base);
      return typeof base === "bigint" ? [{ lo: base - r.below, hi: base + r.size }] : [];
    });
  }

  private counterexample(
    state: State,
    start: Start,
    violation: Violation,
    by: string,
    whim: (typeof WHIMS)[number],
  ): Counterexample {
    const { refinement, block, translation, inquiry } = this;
    const judge = (c: Case): Violation | undefined => {
      const judgement = this.concrete.judge(c.state, start, whim, violation.obligation);
      return judgement.kind === "run"
        ? judgement.violations.find((v) => v.obligation === violation.obligation)
        : undefined;
    };
    const first = causeOf(violation);
    const same = (candidate: State): boolean => {
      const found = judge({ state: candidate, args: new Map() });
      return found?.certain === true && causeOf(found) === first;
    };
    const memory = refinement.host.decoded?.memory ?? "";
    const usual = apart(state, memory, this.ownRanges(state, start), PAGE, same);
    const shrunk = shrink(refinement.host, { state: usual, args: new Map() }, violation, judge, PAGE);
    // At the entry, wherever a later translation has it, unless it names a place.
    const counter = refinement.host.decoded?.programCounter ?? "";
    const place = start.address === translation.entry ? 0n : start.address;
    const guest: CodeText = guestText(refinement.guest, block);
    return {
      title: titleOf(shrunk.violation, undefined),
      refinement: refinement.name,
      obligation: violation.obligation,
      fault: refinement.fault,
      found: {
        by: "prove",
        solver: by === "random" ? undefined : by,
        seed: by === "random" ? inquiry.seed : undefined,
        date: inquiry.date,
      },
      machines: { guest: refinement.guest.digest, host: refinement.host.digest },
      guest,
      host: hostText(translation.host, this.tools.disassemble),
      state: recordOfState(refinement.host, new Map(shrunk.case.state).set(counter, place)),
      inaccessible: shrunk.inaccessible,
      schedule: [],
      differs: shrunk.violation.differs,
      expect: "refuted",
      cause: { obligation: violation.obligation, variable: shrunk.violation.differs[0]?.variable ?? "" },
    };
  }
}

function distanceFrom(term: Term, register: Term): bigint | undefined {
  return term.sort === register.sort && term.sort.kind === "bits" ? constantDifference(term, register) : undefined;
}
