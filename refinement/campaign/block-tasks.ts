/** The tasks of a translator: each block of its source, translated here and validated wherever there is a hand free. */
import { unreachable } from "../errors.js";
import type { TranslatorRefinement } from "../refinement.js";
import type { BlockOptions, GuestBlock, TranslationAnswer, Translator } from "../translation.js";
import { openTranslator } from "../translation/open.js";
import { blocksOf } from "../translation/sweep.js";
import type { Verdict } from "../verdict.js";
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
    const verdict: Verdict = { verdict: "unsupported", what: "a translator's blocks are proved, one by one" };
    return modes.map((method) => answered(refinement, "commute/*", verdict, method));
  }
  const opened = await openTranslator(refinement);
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
    const blocks: GuestBlock[] = [];
    for await (const block of sourceOf(refinement, translator, source, signal))
      if (only === undefined || only.some((glob) => mayMatch(glob, block.name))) blocks.push(block);
    return await drafted(refinement, translator, blocks, signal);
  } finally {
    await translator.close();
  }
}

async function* sourceOf(
  refinement: TranslatorRefinement,
  translator: Translator,
  options: BlockOptions,
  signal: AbortSignal,
): AsyncIterable<GuestBlock> {
  if (translator.blocks === undefined) yield* await blocksOf(refinement.guest, options);
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
    for await (const answer of translator.translate(blocks, signal)) {
      const block = blocks[drafts.length];
      if (block === undefined) break;
      drafts.push(draftOf(refinement, block, answer));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const reason = signal.aborted ? "interrupted" : "the translator gave no answer for it";
  for (const block of blocks.slice(drafts.length)) drafts.push(draftOf(refinement, block, { kind: "error", reason }));
  return drafts;
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

/** Whether the glob may name an obligation of the block, by what it says before its first star: `commute/add*`. */
function mayMatch(glob: string, block: string): boolean {
  const literal = glob.split(/[*{]/)[0] ?? "";
  return ["commute", "materialize"].some((kind) => {
    const own = `${kind}/${block}/`;
    return own.startsWith(literal) || literal.startsWith(own);
  });
}
