/**
 * A refutation says that the host's code, by the host's definition, is wrong. Where the translator can be run, it must do what that code
 * does: otherwise someone of ours is wrong, who read the code or wrote the definition.
 */
import { type Inaccessible, recordOfState, stateOfRecord, withPermissions } from "../counterexample-state.js";
import type { Counterexample } from "../counterexample.js";
import { EnvironmentFailure, InternalDefect, unreachable } from "../errors.js";
import type { Violation } from "../execute/commute.js";
import type { Decode } from "../execute/decoded.js";
import type { State } from "../execute/state.js";
import { elementName, type Machine } from "../machine.js";
import type { Refinement, TranslatorRefinement } from "../refinement.js";
import { FileValue, MemoryValue } from "../terms/value.js";
import type { Denied, GuestBlock, RealOutcome, Translation, Translator } from "../translation.js";
import { type BlockEnd, WHIMS } from "../translation/block-run.js";
import { ConcreteBlock } from "../translation/concrete.js";
import { contains } from "../translation/guest.js";
import { openTranslator } from "../translation/open.js";
import { hex } from "../translation/regions.js";
import type { Verdict } from "../verdict.js";
import type { Task } from "./executor.js";
import type { Settled } from "./report.js";

type Refuted = Extract<Verdict, { verdict: "refuted" }>;
type Run = NonNullable<Translator["run"]>;
type Ran = Extract<RealOutcome, { kind: "ran" }>;

/** Differences that are told of one run. */
const MOST_TOLD = 8;

/** What the translator does from the state of a counterexample. */
type Reality =
  /** What the host's code does, in everything that is seen of it; the counterexample is from the state in which that began. */
  | { readonly kind: "confirmed"; readonly text: string; readonly counterexample: Counterexample }
  | { readonly kind: "contradicted"; readonly text: string }
  /** It cannot be run from there, or nothing that differs can be seen. */
  | { readonly kind: "unseen"; readonly text: string };

/** Translators that are run to confirm refutations, opened when there is a first one. */
export class RealRuns {
  private readonly translators = new Map<TranslatorRefinement, Promise<Translator | undefined>>();

  /** The refutations with what was seen; one that the translator does not bear out is none. */
  async confirm(
    refinement: Refinement,
    task: Task,
    settled: readonly Settled[],
    signal: AbortSignal,
  ): Promise<readonly Settled[]> {
    if (refinement.form !== "translator" || task.kind !== "block") return settled;
    if (settled.every(({ verdict }) => verdict.verdict !== "refuted")) return settled;
    const translator = await this.translatorOf(refinement);
    const run = translator?.run?.bind(translator);
    if (run === undefined) return settled;
    const { decodeX86 } = await import("../assembly/x86/index.js");
    const result: Settled[] = [];
    for (const s of settled) {
      const { verdict } = s;
      if (verdict.verdict !== "refuted") {
        result.push(s);
        continue;
      }
      const { block, translation } = task;
      const seen = await look(refinement, run, block, translation, verdict.counterexample, decodeX86, signal).catch(
        (error: unknown): Reality => {
          if (error instanceof EnvironmentFailure) return { kind: "unseen", text: error.message };
          throw error;
        },
      );
      result.push({ ...s, verdict: inTheLightOf(seen, verdict) });
    }
    return result;
  }

  async close(): Promise<void> {
    for (const translator of this.translators.values()) await (await translator)?.close();
  }

  private translatorOf(refinement: TranslatorRefinement): Promise<Translator | undefined> {
    const known = this.translators.get(refinement) ?? opened(refinement);
    this.translators.set(refinement, known);
    return known;
  }
}

async function opened(refinement: TranslatorRefinement): Promise<Translator | undefined> {
  const result = await openTranslator(refinement);
  return "translator" in result ? result.translator : undefined;
}

async function look(
  refinement: TranslatorRefinement,
  run: Run,
  block: GuestBlock,
  translation: Translation,
  c: Counterexample,
  decode: Decode,
  signal: AbortSignal,
): Promise<Reality> {
  const host = stateOfRecord(refinement.host, c.state, c.inaccessible);
  if (host.get(refinement.host.decoded?.programCounter ?? "") !== 0n)
    return { kind: "unseen", text: "it begins inside the block" };
  const concrete = new ConcreteBlock(refinement, block.name, block, translation, decode);
  const state = concrete.guestStart(host);
  if (typeof state === "string") return { kind: "unseen", text: state };
  const region = refinement.regions.find((r) => r.kind === "guest");
  const at = region?.kind === "guest" ? region.at : 0n;
  const moved = <T extends Denied>(d: T, by: bigint): T => ({ ...d, address: BigInt.asUintN(64, d.address + by) });
  const asked: Began = { host, inaccessible: c.inaccessible };
  const ran = endOf(refinement, concrete, c.obligation, asked);
  if (ran === undefined) return { kind: "unseen", text: "its end is not known" };
  // What the host's code leaves for later is none of its doing.
  const length = ran.pc > block.pc && contains(block, ran.pc) ? Number(ran.pc - block.pc) : block.code.length;
  const beyond = { address: refinement.limit, bytes: (1n << 64n) - refinement.limit };
  const never = (["load", "store"] as const).map((access) => ({ access, ...beyond }));
  const denied = [...c.inaccessible, ...never].map((d) => moved(d, -at));
  const code = ran.end.traps.length === 0 ? block.code.slice(0, length) : block.code;
  const outcome = await run({ pc: block.pc, code, state, host, denied }, signal);
  if (outcome.kind === "impossible") return { kind: "unseen", text: outcome.reason };
  const memory = refinement.host.decoded?.memory ?? "";
  const began: Began =
    outcome.from === undefined
      ? asked
      : {
          host: outcome.from.host,
          inaccessible: outcome.from.denied
            .map((d) => ({ memory, ...moved(d, at) }))
            .filter(({ address }) => address < refinement.limit),
        };
  const found = endOf(refinement, concrete, c.obligation, began);
  if (found === undefined) return { kind: "unseen", text: "it cannot be begun in that state, nor in one like it" };
  const { violation, end } = found;
  if (end.traps.length === 0 && contains({ pc: block.pc, code }, found.pc))
    return { kind: "unseen", text: "it goes round in the block" };
  const shown: Counterexample = {
    ...c,
    state: recordOfState(refinement.host, began.host),
    inaccessible: began.inaccessible,
    differs: violation.differs,
  };
  return compared(shown, refinement.guest, end, outcome);
}

/** The state that a real run began in. */
interface Began {
  readonly host: State;
  readonly inaccessible: Inaccessible;
}

/** How the host's code ends from there, by the host's definition, and what it violates; undefined where that is nothing of the obligation. */
function endOf(
  refinement: TranslatorRefinement,
  concrete: ConcreteBlock,
  obligation: string,
  { host, inaccessible }: Began,
): { readonly violation: Violation; readonly end: BlockEnd; readonly pc: bigint } | undefined {
  const [start] = concrete.starts;
  if (start === undefined) return undefined;
  for (const whim of WHIMS) {
    const judgement = concrete.judge(withPermissions(host, inaccessible), start, whim, obligation);
    if (judgement.kind === "outside") continue;
    const violation = judgement.violations.find((v) => v.obligation === obligation);
    const end = judgement.end?.();
    const pc = end?.state.get(refinement.guest.instructionSet?.programCounter ?? "");
    if (violation !== undefined && end !== undefined && typeof pc === "bigint") return { violation, end, pc };
  }
  return undefined;
}

/** Everything that is seen has to be as the host's code leaves it. */
function compared(c: Counterexample, guest: Machine, end: BlockEnd, { after, memory, traps }: Ran): Reality {
  const name = guest.variables.find((v) => v.sort.kind === "memory")?.name ?? "";
  const seen = new Map([["trap", traps.length === 0 ? "none" : traps.join(" or ")]]);
  for (const [name, value] of after) seen.set(name, hex(value));
  for (const { address, bytes } of memory)
    for (const [i, byte] of bytes.entries()) seen.set(elementName(name, hex(address + BigInt(i))), hex(BigInt(byte)));
  const trapped = end.traps.length === 0 ? traps.length === 0 : traps.some((t) => end.traps.includes(t));
  const others = [...seen].filter(([of, value]) => (of === "trap" ? !trapped : value !== hex(scalarIn(end.state, of))));
  const told = (names: readonly string[]): string =>
    names
      .slice(0, MOST_TOLD)
      .map((of) => `${of} is ${seen.get(of)}`)
      .join(", ");
  if (others.length > 0) return { kind: "contradicted", text: told(others.map(([of]) => of)) };
  const differing = c.differs.map((d) => d.variable).filter((of) => seen.has(of));
  return differing.length === 0
    ? { kind: "unseen", text: "nothing that differs can be seen" }
    : { kind: "confirmed", text: told(differing), counterexample: c };
}

/** `pc`, `x[11]`, `mem[0x1000]`. */
function scalarIn(state: State, name: string): bigint {
  const [, variable = name, index] = /^(.*)\[(\w+)\]$/.exec(name) ?? [];
  const value = state.get(variable);
  if (value instanceof FileValue) return value.get(BigInt(index ?? 0));
  if (value instanceof MemoryValue) return BigInt(value.readByte(BigInt(index ?? 0)));
  if (value === undefined) throw new InternalDefect(`the guest's state has no \`${name}\``);
  return value;
}

function inTheLightOf(seen: Reality, verdict: Refuted): Verdict {
  const { counterexample: c, by } = verdict;
  const told = (of: Counterexample, run: string): Refuted => ({
    ...verdict,
    counterexample: { ...of, found: { ...of.found, run } },
  });
  switch (seen.kind) {
    case "confirmed":
      return told(seen.counterexample, `confirmed: ${seen.text}`);
    case "unseen":
      return told(c, `not confirmed: ${seen.text}`);
    case "contradicted":
      return {
        verdict: "unknown",
        by,
        reason: `run from the state of a refutation, the translator does otherwise (${seen.text}): a defect of the checker`,
      };
    default:
      return unreachable(seen);
  }
}
