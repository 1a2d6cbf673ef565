/** Translates a block and validates what comes of it, or of a change to it; what is refuted says by which findings it is explained. */
import { decodeX86, disassembleX86 } from "../../../refinement/assembly/x86/index.js";
import { validateBlock } from "../../../refinement/campaign/blocks.js";
import { Solvers } from "../../../refinement/campaign/discharge.js";
import { loadKnown } from "../../../refinement/campaign/executor.js";
import { explained } from "../../../refinement/campaign/explained.js";
import type { Settled } from "../../../refinement/campaign/report.js";
import type { TranslatorRefinement } from "../../../refinement/refinement.js";
import type { GuestBlock, Translation, Translator } from "../../../refinement/translation.js";
import { answersOf } from "./need-qemu.js";

export async function validate(
  refinement: TranslatorRefinement,
  translator: Translator,
  block: GuestBlock,
  change: (translation: Translation) => Translation = (t) => t,
): Promise<readonly Settled[]> {
  const [answer] = await answersOf(translator, [block]);
  if (answer?.kind !== "translated") throw new Error(`${block.name} is not translated: ${JSON.stringify(answer)}`);
  const solvers = new Solvers("auto", undefined);
  try {
    const tools = { decode: decodeX86, disassemble: disassembleX86 };
    const inquiry = {
      name: refinement.name,
      seed: 1,
      timeoutMs: 20_000,
      memoryMb: 512,
      signal: undefined,
      date: "2026-11-27",
      solver: () => solvers.get(),
    };
    const translation = change(answer.translation);
    const settled = await validateBlock(refinement, block, translation, tools, inquiry);
    return await explained(refinement, loadKnown, block, translation, tools, inquiry, settled);
  } finally {
    await solvers.close();
  }
}
