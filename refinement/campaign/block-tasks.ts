/** The tasks of a translator: each block of its source, translated here and validated wherever there is a hand free. */
import { EnvironmentFailure, unreachable } from "../errors.js";
import type { TranslatorRefinement } from "../refinement.js";
import type {
  BlockOptions,
  GuestBlock,
  OpenTranslator,
  Translation,
  TranslationAnswer,
  Translator,
} from "../translation.js";
import { openTranslator } from "../translation/open.js";
import { contentOf, openPaths } from "../translation/open-paths.js";
import { openBlocksOf } from "../translation/open-sweep.js";
import { blocksOf, showing } from "../translation/sweep.js";
import type { Verdict } from "../verdict.js";
import { mayMatch } from "./block-names.js";
import type { CampaignOptions } from "./options.js";
import type { Draft } from "./plan.js";

/** Blocks of a sweep, where nothing is said. */
const DEFAULT_BLOCKS = 400;

export async function blockTasks(
  refinement: TranslatorRefinement,
  options: CampaignOptions,
): Promise<readonly Draft[]> {
  const { modes, only } = options;
  if (modes !== undefined && !modes.includes("prove")) {
    const verdict: Verdict = {
      verdict: "unsupported",
      what: "a translator's blocks are proved, one by one, or tested",
    };
    return modes.filter((m) => m !== "test").map((method) => answered(refinement, "commute/*", verdict, method));
  }
  const opened = await openTranslator(refinement).catch((error: unknown) => {
    if (!(error instanceof EnvironmentFailure)) throw error;
    return { failed: error };
  });
  if ("failed" in opened) {
    const verdict: Verdict = { verdict: "unknown", by: opened.failed.what, reason: opened.failed.message };
    return [answered(refinement, "commute/*", verdict, "prove")];
  }
  if ("missing" in opened) {
    const draft = answered(refinement, "commute/*", { verdict: "unsupported", what: "" }, "prove");
    return [{ ...draft, answer: { kind: "missing", missing: opened.missing } }];
  }
  const { translator } = opened;
  const signal = options.signal ?? new AbortController().signal;
  try {
    const source: BlockOptions = {
      count: options.cases ?? DEFAULT_BLOCKS,
      seed: options.seed,
      elf: options.blocksFrom,
    };
    const wanted = (name: string): boolean => only === undefined || only.some((glob) => mayMatch(glob, name));
    const blocks: GuestBlock[] = [];
    const beyond: Draft[] = [];
    for await (const block of sourceOf(refinement, translator, source, options.cases !== undefined, signal)) {
      if (!wanted(block.name)) continue;
      const { unsupported } = block;
      if (unsupported === undefined) blocks.push(block);
      else beyond.push(draftOf(refinement, block, { kind: "unsupported", what: unsupported }));
    }
    const drafts = [...(await drafted(refinement, translator, blocks, signal)), ...beyond];
    const { open } = translator;
    const swept = open !== undefined && sweeps(refinement, source, options.cases !== undefined);
    return swept ? [...drafts, ...openDrafts(refinement, translator.identity, open, options, wanted)] : drafts;
  } finally {
    await translator.close();
  }
}

/** The blocks of a sweep have open operands; an answer depends on all that the translator makes of them. */
function openDrafts(
  refinement: TranslatorRefinement,
  identity: string,
  open: OpenTranslator,
  { seed, cases }: CampaignOptions,
  wanted: (name: string) => boolean,
): readonly Draft[] {
  const blocks = openBlocksOf(refinement.guest, open.together, seed, wanted);
  return spread(blocks, cases).map((block) => {
    const found = contentOf(openPaths(refinement.guest, open, block));
    const content = found === undefined ? null : JSON.stringify([identity, block, found]);
    const about = `commute/${block.name}`;
    const cost = block.instructions.length;
    return { refinement, task: { kind: "open", block }, method: "prove", about, cost, content };
  });
}

/** So many of them from everywhere; all, where nothing is said. */
function spread<T>(all: readonly T[], count: number | undefined): readonly T[] {
  if (count === undefined || count >= all.length) return all;
  return all.filter((_, i) => Math.floor((i * count) / all.length) !== Math.floor(((i - 1) * count) / all.length));
}

/** Whether there are other blocks than those of a program, or those that show a seeded fault; `wanted`: somebody asks for so many. */
function sweeps({ faults, fault: planted }: TranslatorRefinement, { elf }: BlockOptions, wanted: boolean): boolean {
  const fault = faults.find((f) => f.name === planted);
  return elf === undefined && (wanted || fault === undefined || fault.blocks.length + fault.programs.length === 0);
}

/** Those that show the seeded fault, a program's, and those of a sweep where the translator cannot answer for open operands. */
async function* sourceOf(
  refinement: TranslatorRefinement,
  translator: Translator,
  options: BlockOptions,
  wanted: boolean,
  signal: AbortSignal,
): AsyncIterable<GuestBlock> {
  const fault = refinement.faults.find((f) => f.name === refinement.fault);
  if (fault !== undefined) yield* showing(refinement.guest, fault);
  const swept = sweeps(refinement, options, wanted);
  if (options.elf === undefined && (!swept || translator.open !== undefined)) return;
  const source = refinement.translator;
  const whole = source.kind === "command" && source.wholePrograms;
  if (translator.blocks === undefined) yield* await blocksOf(refinement.guest, options, whole);
  else yield* translator.blocks(options, signal);
}

async function drafted(
  refinement: TranslatorRefinement,
  translator: Translator,
  blocks: readonly GuestBlock[],
  signal: AbortSignal,
): Promise<readonly Draft[]> {
  const drafts: Draft[] = [];
  try {
    let since = performance.now();
    for await (const answer of translator.translate(blocks, signal)) {
      const block = blocks[drafts.length];
      if (block === undefined) break;
      const now = performance.now();
      drafts.push({ ...draftOf(refinement, block, answer), spent: { reading: now - since } });
      since = now;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const reason = signal.aborted ? "interrupted" : "the translator gave no answer for it";
  for (const block of blocks.slice(drafts.length)) drafts.push(draftOf(refinement, block, { kind: "error", reason }));
  return withSecondAnswers(refinement, translator, blocks, drafts, signal);
}

/** So many blocks are translated a second time. */
const ASKED_AGAIN = 16;

/**
 * The same request is always answered with the same bytes: otherwise what was proved is of one run alone. Some are asked again, the last
 * first, and a block whose answers differ has none.
 */
async function withSecondAnswers(
  refinement: TranslatorRefinement,
  translator: Translator,
  blocks: readonly GuestBlock[],
  drafts: readonly Draft[],
  signal: AbortSignal,
): Promise<readonly Draft[]> {
  const every = Math.ceil(blocks.length / ASKED_AGAIN);
  const again = blocks
    .map((block, i) => ({ block, i }))
    .filter(({ i }) => i % every === 0 && drafts[i]?.task.kind === "block")
    .reverse();
  const result = [...drafts];
  let asked = 0;
  try {
    const requests = again.map(({ block }) => block);
    for await (const answer of translator.translate(requests, signal)) {
      const { block, i } = again[asked++] ?? {};
      const task = i === undefined ? undefined : drafts[i]?.task;
      if (block === undefined || i === undefined || task?.kind !== "block") break;
      const difference = differenceOf(task.translation, answer);
      if (difference === undefined) continue;
      const reason = `asked for it a second time, the translator answers otherwise: ${difference}`;
      result[i] = draftOf(refinement, block, { kind: "error", reason });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return result;
}

/** The first part of the second answer that is not as in the first. */
function differenceOf(first: Translation, second: TranslationAnswer): string | undefined {
  switch (second.kind) {
    case "unsupported":
      return `unsupported: ${second.what}`;
    case "error":
      return second.reason;
    case "translated": {
      const [was, is] = [first, second.translation].map((t): readonly (readonly [string, unknown])[] => [
        ["host.address", t.host.address],
        ["host.code", t.host.code],
        ["host.data", t.host.data],
        ["entry", t.entry],
        ["points", t.points],
        ["faults", t.faults],
        ["exits", t.exits],
        ["calls", t.calls],
      ]);
      const named = was?.find(([, value], i) => JSON.stringify(value, plain) !== JSON.stringify(is?.[i]?.[1], plain));
      return named === undefined ? undefined : `\`${named[0]}\` differs`;
    }
    default:
      return unreachable(second);
  }
}

function draftOf(refinement: TranslatorRefinement, block: GuestBlock, answer: TranslationAnswer): Draft {
  const about = `commute/${block.name}`;
  switch (answer.kind) {
    case "unsupported":
      return answered(refinement, about, { verdict: "unsupported", what: answer.what }, "prove");
    case "error":
      return answered(refinement, about, { verdict: "unknown", by: "translator", reason: answer.reason }, "prove");
    case "translated": {
      const { translation } = answer;
      const content = JSON.stringify([block.name, block, translation], plain);
      const cost = translation.host.code.length;
      return { refinement, task: { kind: "block", block, translation }, method: "prove", about, cost, content };
    }
    default:
      return unreachable(answer);
  }
}

function answered(refinement: TranslatorRefinement, about: string, verdict: Verdict, method: Draft["method"]): Draft {
  const settled = [{ obligation: about, method, verdict, more: [], ms: 0 }];
  return {
    refinement,
    task: { kind: "prove", obligation: about },
    method,
    about,
    cost: 0,
    answer: { kind: "settled", settled },
  };
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}
