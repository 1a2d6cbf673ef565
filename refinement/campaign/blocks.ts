/**
 * Validates the translation of one block: its obligations proved or refuted, each refutation run concretely and made small.
 */
import { recordOfState } from "../counterexample-state.js";
import type { Code as CodeText, Counterexample } from "../counterexample.js";
import type { Obligation } from "../diagram.js";
import { EnvironmentFailure, InternalDefect, UserError } from "../errors.js";
import type { Violation } from "../execute/commute.js";
import { zeroState } from "../execute/concrete.js";
import type { Decode } from "../execute/decoded.js";
import type { State } from "../execute/state.js";
import type { TranslatorRefinement } from "../refinement.js";
import { MemoryValue, type Value } from "../terms/value.js";
import type { GuestBlock, Translation } from "../translation.js";
import { Code } from "../translation/code.js";
import { WHIMS } from "../translation/block-run.js";
import { ConcreteBlock } from "../translation/concrete.js";
import { type Disassemble, guestText, hostText } from "../translation/listing.js";
import { type BlockObligation, blockObligations } from "../translation/obligations.js";
import { memoryName } from "../translation/regions.js";
import type { Start } from "../translation/start.js";
import { problemOf } from "../translation/well-formed.js";
import type { Verdict } from "../verdict.js";
import type { Confirmation } from "./confirm.js";
import type { Inquiry, Proving } from "./context.js";
import { titleOf } from "./describe.js";
import { provePart } from "./prove.js";
import type { Settled } from "./report.js";
import { shrink } from "./shrink.js";
import { contradictory, vacuity } from "./vacuity.js";

/** What a decoder library does for the host's machine code. */
export interface HostTools {
  readonly decode: Decode;
  readonly disassemble: Disassemble;
}

/** Distances between the places that are tried for the host's regions. */
const ROOM = 1n << 32n;

export class BlockValidation {
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

  /** Every obligation of the block. A translation that is not as it must be is one `unknown`. */
  async settle(): Promise<readonly Settled[]> {
    const whole = `commute/${this.block.name}`;
    const problem = problemOf(
      this.block,
      this.translation,
      new Code(this.refinement.host, this.translation.host, this.tools.decode),
      this.refinement.guest,
    );
    if (problem !== undefined) return [settled(whole, { verdict: "unknown", by: "translator", reason: problem }, 0)];
    const began = performance.now();
    let obligations: readonly BlockObligation[];
    try {
      obligations = blockObligations(this.refinement, this.block.name, this.block, this.translation, this.tools.decode);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return [settled(whole, { verdict: "unsupported", what: error.message }, performance.now() - began)];
    }
    const result: Settled[] = [];
    // What executing the block took is told with its first obligation.
    let since = began;
    for (const obligation of obligations) {
      const verdict = await this.verdict(obligation).catch((error: unknown): Verdict => {
        if (error instanceof EnvironmentFailure) return { verdict: "unknown", by: error.what, reason: error.message };
        throw error;
      });
      const now = performance.now();
      result.push(settled(obligation.name, verdict, now - since));
      since = now;
    }
    // A fault or an exit that cannot come about is no obligation, as long as something of the block can.
    const possible = result.filter(({ verdict }) => verdict.verdict !== "vacuous");
    return possible.some(({ obligation }) => !isNever(obligation)) ? possible : result;
  }

  private async verdict(obligation: BlockObligation): Promise<Verdict> {
    const { inquiry } = this;
    const possible = obligation.parts().filter((part) => !contradictory(part));
    let by = "rewrite";
    let undecided: Verdict | undefined;
    for (const part of possible) {
      const proving: Proving = {
        ...inquiry,
        confirm: async (o, _, model, how) => this.confirm(o, part.start, model, how),
      };
      const outcome = await provePart(proving, obligation, part, undefined);
      switch (outcome.kind) {
        case "refuted":
          return { verdict: "refuted", by: outcome.by, counterexample: outcome.counterexample };
        case "unknown":
          undecided ??= { verdict: "unknown", by: outcome.by, reason: outcome.reason };
          break;
        case "proved":
          if (outcome.by !== "rewrite") by = outcome.by;
          break;
      }
    }
    if (obligation.unsupported !== undefined) return { verdict: "unsupported", what: obligation.unsupported };
    if (obligation.unknown !== undefined) return { verdict: "unknown", by: "execution", reason: obligation.unknown };
    if (undecided !== undefined) return undecided;
    // That nothing goes wrong by itself holds all the more where it cannot come to that.
    if (isNever(obligation.name)) return { verdict: "proved", by };
    const about = await vacuity(inquiry, obligation, possible);
    switch (about.kind) {
      case "possible":
        return { verdict: "proved", by };
      case "impossible":
        return { verdict: "vacuous", by: about.by, reason: "its antecedent can never hold" };
      case "unknown":
        return { verdict: "unknown", by: about.by, reason: about.reason };
    }
  }

  /** A model is only a hint: it is run before anyone sees it. */
  private confirm(
    obligation: Pick<Obligation, "name">,
    start: Start,
    model: ReadonlyMap<string, Value>,
    by: string,
  ): Confirmation {
    const state = this.stateOf(model);
    let reason = "the step commutes";
    for (const whim of WHIMS) {
      const judgement = this.concrete.judge(state, start, whim, obligation.name);
      if (judgement.kind === "outside") {
        reason = judgement.because;
        continue;
      }
      const violation = judgement.violations.find((v) => v.obligation === obligation.name);
      if (violation === undefined) continue;
      if (!violation.certain) {
        reason = "the guest leaves more open than can be tried";
        continue;
      }
      return { kind: "refuted", counterexample: this.counterexample(state, start, violation, by, whim) };
    }
    if (this.concrete.leavesOpen)
      return { kind: "undecided", by, reason: `what the guest leaves open may allow it (${reason})` };
    return { kind: "defect", reason: `a model of ${by} does not reproduce (${reason}): a defect of the checker` };
  }

  /** The host state that a model describes, its regions put where nothing else is. */
  private stateOf(model: ReadonlyMap<string, Value>): State {
    const { host, regions, limit } = this.refinement;
    const state = new Map(zeroState(host));
    for (const v of host.variables) {
      const value = model.get(v.name);
      if (value !== undefined && !(value instanceof MemoryValue)) state.set(v.name, value);
    }
    const bases = [...new Set(regions.flatMap((r) => (r.kind === "based" ? [r.base] : [])))];
    for (const [i, base] of bases.entries()) state.set(base, limit - ROOM * BigInt(i + 1) * 16n);
    const memory = host.variables.find((v) => v.sort.kind === "memory")?.name ?? "";
    let bytes = MemoryValue.empty(64);
    for (const r of regions) {
      const contents = model.get(memoryName(r.name));
      if (!(contents instanceof MemoryValue)) continue;
      const at = r.kind === "guest" ? r.at : state.get(r.base);
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

  private counterexample(
    state: State,
    start: Start,
    violation: Violation,
    by: string,
    whim: (typeof WHIMS)[number],
  ): Counterexample {
    const { refinement, block, translation, inquiry } = this;
    const shrunk = shrink(refinement.host, { state, args: new Map() }, violation, (c) => {
      const judgement = this.concrete.judge(c.state, start, whim, violation.obligation);
      return judgement.kind === "run"
        ? judgement.violations.find((v) => v.obligation === violation.obligation)
        : undefined;
    });
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

/** All that it says is that it does not come to this. */
function isNever(obligation: string): boolean {
  return /\/host\+[0-9a-f]+$/.test(obligation);
}

function settled(obligation: string, verdict: Verdict, ms: number): Settled {
  return { obligation, method: "prove", verdict, more: [], ms };
}
