/** For tests that need QEMU: the refinement and its translator, or a skipped test with what would install it. */
import path from "node:path";
import type { TestContext } from "vitest";
import open from "../../../impl/qemu/translator.js";
import { findProgram } from "../../../impl/shared/programs.js";
import { missing } from "../../../impl/shared/programs.js";
import type { TranslatorRefinement } from "../../../refinement/refinement.js";
import type { TranslationAnswer, TranslationRequest, Translator } from "../../../refinement/translation.js";
import { loadRefinement } from "../../../spec/notation/index.js";

export const FOLDER = path.resolve("impl/qemu");

export type Variant = "." | "rv64imac_zba_zbb" | "rv64u_fd" | "guest-base";

export interface Opened {
  readonly refinement: TranslatorRefinement;
  readonly translator: Translator;
  readonly program: string;
}

const opened = new Map<Variant, Promise<Opened>>();

export async function needQemu(ctx: TestContext, variant: Variant = "."): Promise<Opened> {
  const program = await findProgram("qemu-riscv64");
  if (program === undefined) return ctx.skip(`qemu-riscv64 is not installed: ${missing("qemu-riscv64").remedy}`);
  const known = opened.get(variant) ?? openOne(variant, program);
  opened.set(variant, known);
  return known;
}

async function openOne(variant: Variant, program: string): Promise<Opened> {
  const refinement = await loadRefinement(path.join(FOLDER, variant, "refinement.yaml"));
  if (refinement.form !== "translator" || refinement.translator.kind !== "module")
    throw new Error("qemu is a translator that a module drives");
  const result = await open(refinement.guest, refinement.translator.options, FOLDER);
  if (!("translator" in result)) throw new Error("qemu-riscv64 is there and missing");
  return { refinement, translator: result.translator, program };
}

export async function answersOf(
  translator: Translator,
  requests: readonly TranslationRequest[],
): Promise<readonly TranslationAnswer[]> {
  const answers: TranslationAnswer[] = [];
  for await (const answer of translator.translate(requests, new AbortController().signal)) answers.push(answer);
  return answers;
}
