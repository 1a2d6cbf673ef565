/** Translators by test: random blocks; and programs on the translator's runtime, where it has one. */
import type { Missing } from "../refinement/emulator.js";
import { decoderLibrary } from "../refinement/assembly/library.js";
import { InternalDefect } from "../refinement/errors.js";
import type { TranslatorRefinement } from "../refinement/refinement.js";
import type { Disassemble } from "../refinement/translation/listing.js";
import { enginesOf, openTranslator } from "../refinement/translation/open.js";
import type { Verdict } from "../refinement/verdict.js";
import { testBlocks } from "./translated-blocks.js";
import { plantedPrograms, randomPrograms, testPrograms } from "./translated-programs.js";

export interface TranslatorTestOptions {
  readonly cases: number | undefined;
  readonly seed: number;
  readonly date: string;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((done: number, total: number) => void) | undefined;
  /** Told of each counterexample when it is found, and made small. */
  readonly onResult?: ((result: TranslatorTestResult) => void) | undefined;
}

export interface TranslatorTestResult {
  /** A family that nothing was found in, or the one obligation that is refuted. */
  readonly name: string;
  readonly verdict: Verdict;
  readonly coverage?: string;
}

/** Random blocks, where nobody says how many; and for so many blocks a program. */
const BLOCKS = 80;
const BLOCKS_PER_PROGRAM = 8;

/** With a seeded fault planted that programs show, those; random blocks and programs where that is not so or more is asked for. */
export async function testTranslator(
  refinement: TranslatorRefinement,
  options: TranslatorTestOptions,
): Promise<readonly TranslatorTestResult[] | { readonly missing: readonly Missing[] }> {
  const { decoded } = refinement.host;
  if (decoded === undefined) throw new InternalDefect(`${refinement.host.name} has no decoder`);
  const library = await decoderLibrary(decoded);
  const engines = await enginesOf(refinement, library.decode);
  const planted = engines === undefined ? [] : plantedPrograms(refinement);
  const wanted = options.cases ?? (planted.length > 0 ? 0 : BLOCKS);
  const results: TranslatorTestResult[] = [];
  if (engines !== undefined) {
    const random = randomPrograms(refinement.guest, options.seed, Math.ceil(wanted / BLOCKS_PER_PROGRAM));
    results.push(...(await testPrograms(refinement, engines, [...planted, ...random], options)));
  }
  if (wanted === 0) return results;
  const opened = await openTranslator(refinement);
  if ("missing" in opened) return opened;
  const disassemble: Disassemble = (bytes, address) =>
    library.disassemble(bytes, address, () => true).map((line) => ({ bytes: line.bytes, text: line.text }));
  try {
    const tools = { decode: library.decode, disassemble };
    results.push(...(await testBlocks(refinement, opened.translator, tools, wanted, options)));
  } finally {
    await opened.translator.close();
  }
  return results;
}
