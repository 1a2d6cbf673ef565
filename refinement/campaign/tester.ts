/**
 * What the campaign expects of the testers that it is given (properties/): it must not import them.
 */
import type { Missing } from "../emulator.js";
import type { EmulatorRefinement, MachineRefinement, TranslatorRefinement } from "../refinement.js";
import type { Verdict } from "../verdict.js";

export interface TesterOptions {
  readonly cases: number | undefined;
  readonly seed: number;
  readonly date: string;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((done: number, total: number) => void) | undefined;
  /** Told of every result that is certain as soon as it is: what is kept of a test that is cut off. */
  readonly onResult: ((result: TesterResult) => void) | undefined;
}

export interface TesterResult {
  /** What was executed, and what never; for the reader. */
  readonly coverage?: string;
  /** A family, `commute/*`, or the one obligation that is refuted; several results of one name are several causes. */
  readonly name: string;
  readonly verdict: Verdict;
}

export type MachineTester = (refinement: MachineRefinement, options: TesterOptions) => Promise<readonly TesterResult[]>;

export interface EmulatorTesterOptions extends TesterOptions {
  /** The obligations to test. */
  readonly only: (obligation: string) => boolean;
}

export type EmulatorTester = (
  refinement: EmulatorRefinement,
  options: EmulatorTesterOptions,
) => Promise<readonly TesterResult[] | { readonly missing: readonly Missing[] }>;

/** Of a translator: random blocks, `commute/…` and `materialize/…`, and where it has a runtime programs, `lockstep/…`. */
export type TranslatorTester = (
  refinement: TranslatorRefinement,
  options: TesterOptions,
) => Promise<readonly TesterResult[] | { readonly missing: readonly Missing[] }>;

export interface TranslatorTesterModule {
  readonly testTranslator?: TranslatorTester;
}

export interface MachineTesterModule {
  readonly testRefinement?: MachineTester;
}

export interface EmulatorTesterModule {
  readonly testEmulator?: EmulatorTester;
  /** Everything outside the files that an answer depends on, for the cache; answers are not kept without it. */
  readonly emulatorIdentity?: (refinement: EmulatorRefinement) => Promise<string | undefined>;
}
