/** Validates what a translator answers for all operands of one block: each path's obligations, and that the paths are all there are. */
import { InternalDefect, unreachable } from "../errors.js";
import type { TranslatorRefinement } from "../refinement.js";
import { Evaluator } from "../terms/evaluate.js";
import type { Term } from "../terms/term.js";
import type { Value } from "../terms/value.js";
import type { GuestBlock, Translator } from "../translation.js";
import { Code } from "../translation/code.js";
import { closedBlock, type OpenBlock, type OpenCode } from "../translation/open-block.js";
import { type OpenPair, openPairs } from "../translation/open-pairs.js";
import { filled, messageOf, misrepresented, type OpenPaths, openPaths } from "../translation/open-paths.js";
import { pairObligations } from "../translation/obligations.js";
import { environment, type Values } from "../translation/paths.js";
import { problemOf } from "../translation/well-formed.js";
import { BlockConfirmation, type HostTools } from "./block-confirm.js";
import { settleObligations, unusable } from "./blocks.js";
import type { Confirmation } from "./confirm.js";
import { ask, type Inquiry } from "./context.js";
import type { Settled } from "./report.js";

export async function validateOpenBlock(
  refinement: TranslatorRefinement,
  translator: Translator,
  block: OpenBlock,
  tools: HostTools,
  inquiry: Inquiry,
): Promise<readonly Settled[]> {
  if (translator.open === undefined) throw new InternalDefect(`${refinement.name} translates only known numbers`);
  const began = performance.now();
  const took = (): number => performance.now() - began;
  const first = openPaths(refinement.guest, translator.open, block);
  const found = first.kind === "paths" ? await withoutDoubt(first, block, inquiry) : first;
  switch (found.kind) {
    case "unsupported": {
      const verdict = { verdict: "unsupported", what: found.what } as const;
      return [{ obligation: `commute/${block.name}`, method: "prove", verdict, more: [], ms: took() }];
    }
    case "problem":
      return [unusable(block.name, found.reason, took())];
    case "paths":
      break;
    default:
      return unreachable(found);
  }
  const signal = inquiry.signal ?? new AbortController().signal;
  const problem =
    (await misrepresented(refinement.guest, translator, found, signal)) ?? malformed(refinement, found, tools);
  if (problem !== undefined) return [unusable(block.name, problem, took())];
  const pairs = openPairs(refinement, block.name, found, tools.decode);
  if (typeof pairs === "string") return [unusable(block.name, pairs, took())];
  const settled: Settled[] = [];
  for (const pair of pairs) {
    const confirming = new OpenConfirmation(refinement, translator, found.code, pair, tools, inquiry);
    const verdicts = await settleObligations(
      pair.pair.name,
      () => pairObligations(refinement, pair.pair),
      inquiry,
      (obligation, at, model, by) => confirming.confirm(obligation, at, model, by, signal),
    );
    const paths = pair.paths.length;
    settled.push(...verdicts.map((s) => ({ ...s, coverage: coverageOf(block, found.code), paths })));
  }
  return settled;
}

const PLACES: Readonly<Record<OpenBlock["place"], string>> = {
  any: "at every pc",
  low: "at every pc below 2^30",
  high: "at every pc from 2^33 to 2^62",
};

/** `every imm, at every pc below 2^30, for registers a, b` */
function coverageOf({ place }: OpenBlock, { variables, registers }: OpenCode): string {
  const name = (v: Term): string => v.name.replace(/^operand\./, "");
  const numbers = variables.filter((v) => !registers.includes(v) && name(v) !== "pc").map(name);
  return [
    ...(numbers.length === 0 ? [] : [`every ${numbers.join(", ")}`]),
    PLACES[place],
    ...(registers.length === 0 ? [] : [`for registers ${registers.map(name).join(", ")}`]),
  ].join(", ");
}

/** Whether operands lead to those answers for which none were found is for the solver to say. */
async function withoutDoubt(
  found: Extract<OpenPaths, { kind: "paths" }>,
  block: OpenBlock,
  inquiry: Inquiry,
): Promise<OpenPaths> {
  const paths = [...found.paths];
  for (const { decided, write } of found.doubtful) {
    const answer = await ask(inquiry, { name: `paths/${block.name}` }, [...found.code.given, ...decided]);
    if (answer.answer === "unknown")
      return { kind: "problem", reason: `whether it can come to answer so: ${answer.reason}` };
    if (answer.answer !== "sat") continue;
    try {
      paths.push(write(valuesIn(found.code, answer.model)));
    } catch (error) {
      return { kind: "problem", reason: messageOf(error) };
    }
  }
  return { ...found, paths, doubtful: [] };
}

function valuesIn({ variables }: OpenCode, model: ReadonlyMap<string, Value>): Values {
  return new Map(
    variables.map((v) => {
      const value = model.get(v.name);
      return [v, typeof value === "bigint" ? value : 0n] as const;
    }),
  );
}

function malformed(
  refinement: TranslatorRefinement,
  { code, paths }: Extract<OpenPaths, { kind: "paths" }>,
  { decode }: HostTools,
): string | undefined {
  const { guest } = refinement;
  const set = guest.instructionSet;
  if (set === undefined) throw new InternalDefect(`${guest.name} has no encodings`);
  for (const { values, translation } of paths) {
    const closed = filled(translation, values);
    const problem = problemOf(closedBlock(set, code, values), closed, new Code(refinement, closed, decode), refinement);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Runs a model's operands and state, translated as any others are. */
class OpenConfirmation {
  private readonly refinement: TranslatorRefinement;
  private readonly translator: Translator;
  private readonly code: OpenCode;
  private readonly pair: OpenPair;
  private readonly tools: HostTools;
  private readonly inquiry: Inquiry;

  constructor(
    refinement: TranslatorRefinement,
    translator: Translator,
    code: OpenCode,
    pair: OpenPair,
    tools: HostTools,
    inquiry: Inquiry,
  ) {
    this.refinement = refinement;
    this.translator = translator;
    this.code = code;
    this.pair = pair;
    this.tools = tools;
    this.inquiry = inquiry;
  }

  async confirm(
    obligation: string,
    at: bigint,
    model: ReadonlyMap<string, Value>,
    by: string,
    signal: AbortSignal,
  ): Promise<Confirmation> {
    const set = this.refinement.guest.instructionSet;
    if (set === undefined) throw new InternalDefect(`${this.refinement.guest.name} has no encodings`);
    const values = this.valuesOf(model);
    const request = closedBlock(set, this.code, values);
    const { name } = this.pair.pair;
    const block: GuestBlock = { name, ...request };
    for await (const answer of this.translator.translate([request], signal)) {
      if (answer.kind !== "translated") break;
      const confirmation = new BlockConfirmation(this.refinement, block, answer.translation, this.tools, this.inquiry);
      const { renamed, start } = this.inPath(obligation, at, values);
      return confirmation.confirm(renamed, start, model, by);
    }
    return { kind: "undecided", by, reason: "the translator does not translate the counterexample's operands" };
  }

  /** The model's operands; what it says nothing of as in the first path, and registers as there. */
  private valuesOf(model: ReadonlyMap<string, Value>): Values {
    const [first] = this.pair.paths;
    return new Map(
      this.code.variables.map((v): readonly [Term, bigint] => {
        const value = model.get(v.name);
        return [v, typeof value === "bigint" ? value : (first?.values.get(v) ?? 0n)];
      }),
    );
  }

  /** An obligation of the first path's, and a host address, in the path that these values lead to: its code may have other offsets. */
  private inPath(obligation: string, at: bigint, values: Values): { readonly renamed: string; readonly start: bigint } {
    const where = new Evaluator(environment(values));
    const { paths, instructions, pair } = this.pair;
    const which = paths.findIndex((p) => p.decided.every((c) => where.holds(c)));
    const there = (address: bigint): bigint =>
      instructions[which]?.[instructions[0]?.indexOf(address) ?? -1] ?? address;
    const [, kind = obligation, digits] = /^(.*\+)([0-9a-f]+)$/.exec(obligation) ?? [];
    const { address } = pair.translation.host;
    const offset = digits === undefined ? "" : (there(address + BigInt(`0x${digits}`)) - address).toString(16);
    return { renamed: `${kind}${offset}`, start: there(at) };
  }
}
