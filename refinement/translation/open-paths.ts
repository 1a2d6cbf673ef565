/** What a translator answers for all values of a block's operands, path by path; and that it is what it answers for single ones. */
import { decode } from "../assembly/decode.js";
import { bytesToWord } from "../assembly/encoding.js";
import { widthOfLength } from "../assembly/words.js";
import { InternalDefect, unreachable } from "../errors.js";
import type { InstructionSet, Machine } from "../machine.js";
import { print } from "../terms/print.js";
import { Evaluator } from "../terms/evaluate.js";
import type { Term } from "../terms/term.js";
import type {
  Hole,
  OpenAnswer,
  OpenTranslation,
  OpenTranslator,
  Translation,
  TranslationRequest,
  Translator,
} from "../translation.js";
import { closedBlock, type OpenBlock, type OpenCode, openCode } from "./open-block.js";
import { environment, explore, type Path, representatives, uncovered, type Values } from "./paths.js";
import { hex } from "./regions.js";
import { mapTrapValue } from "./trap-value.js";

/** The code of one path, its holes filled with the numbers of `values`. */
export interface Written {
  readonly decided: readonly Term[];
  readonly fits: ReadonlyMap<Term, Term>;
  readonly values: Values;
  readonly translation: OpenTranslation;
}

export interface Doubtful {
  readonly decided: readonly Term[];
  write(values: Values): Written;
}

export type OpenPaths =
  | {
      readonly kind: "paths";
      readonly code: OpenCode;
      readonly paths: readonly Written[];
      /** Answers for which no values were found, and none were excluded: how each is written, should there be some. */
      readonly doubtful: readonly Doubtful[];
    }
  | { readonly kind: "unsupported"; readonly what: string }
  | { readonly kind: "problem"; readonly reason: string };

export function openPaths(guest: Machine, translator: OpenTranslator, block: OpenBlock): OpenPaths {
  const code = openCode(guest, block);
  const { pc, instructions, given, variables } = code;
  try {
    const paths = explore(
      given,
      variables,
      (decisions): OpenAnswer => translator.translate({ pc, instructions, decisions }),
    );
    if (paths === undefined) return { kind: "problem", reason: "it asks too much of the operands" };
    const missing = uncovered(
      given,
      paths.map((p) => p.decided),
    );
    if (missing !== undefined) return { kind: "problem", reason: "its paths do not cover all operands" };
    return writtenOf(code, paths);
  } catch (error) {
    // Whatever it throws is its own failure, and this block's.
    return { kind: "problem", reason: messageOf(error) };
  }
}

function writtenOf(code: OpenCode, paths: readonly Path<OpenAnswer>[]): OpenPaths {
  const written: Written[] = [];
  const doubtful: Doubtful[] = [];
  for (const { decided, fits, values, answer } of paths) {
    switch (answer.kind) {
      case "unsupported":
        return answer;
      case "translated":
        {
          const write = (v: Values): Written => ({
            decided,
            fits,
            values: v,
            translation: answer.translation(environment(v)),
          });
          if (values === undefined) doubtful.push({ decided, write });
          else written.push(write(values));
        }
        break;
      default:
        unreachable(answer);
    }
  }
  return { kind: "paths", code, paths: written, doubtful };
}

/** All that is said of the block, as plain data; undefined where there is more, which is written for operands yet to be found. */
export function contentOf(found: OpenPaths): unknown {
  if (found.kind !== "paths") return found;
  if (found.doubtful.length > 0) return undefined;
  return found.paths.map(({ decided, translation: t }) =>
    same([
      decided.map(print),
      {
        ...t,
        holes: [],
        points: t.points.map(inPrint),
        faults: t.faults.map(inPrint),
        exits: t.exits.map((e) => inPrint({ ...e, value: mapTrapValue(e.value, print) })),
      },
      t.holes.map((h) => ({ ...h, value: print(h.value) })),
    ]),
  );
}

function inPrint<T extends { readonly guest: Term | undefined }>(of: T): unknown {
  return { ...of, guest: of.guest === undefined ? undefined : print(of.guest) };
}

/** Values of one path that are tried, besides those that its code was written with. */
const TRIES = 12;

/**
 * Holds what the translator answers for single values of each path against the path's code with these values in its holes. What
 * differs, in words.
 */
export async function misrepresented(
  guest: Machine,
  translator: Translator,
  { code, paths }: Extract<OpenPaths, { kind: "paths" }>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const set = guest.instructionSet;
  if (set === undefined) throw new InternalDefect(`${guest.name} has no encodings`);
  const tried = paths.flatMap((path) => {
    const others = representatives(code.given, code.variables, path, TRIES);
    return others.map((values) => ({ path, values, request: closedBlock(set, code, values) }));
  });
  for (const { request } of tried) {
    const other = otherwiseDecoded(guest, set, code, request);
    if (other !== undefined) return other;
  }
  let n = 0;
  const requests = tried.map((t) => t.request);
  try {
    for await (const answer of translator.translate(requests, signal)) {
      const of = tried[n++];
      if (of === undefined) break;
      const what = `for ${text(of.request)}`;
      if (answer.kind !== "translated")
        return `it answers for all operands, and ${what} ${answer.kind === "error" ? answer.reason : "not"}`;
      if (same(filled(of.path.translation, of.values)) !== same(answer.translation))
        return `what it answers for all operands is not what it answers ${what}`;
    }
  } catch (error) {
    return messageOf(error);
  }
  return n < tried.length ? "it gave no answer for single operands" : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An instruction that these values make another one of. */
function otherwiseDecoded(
  guest: Machine,
  set: InstructionSet,
  { instructions }: OpenCode,
  { code }: TranslationRequest,
): string | undefined {
  let at = 0;
  for (const { instruction } of instructions) {
    const { length } = instruction.encoding;
    const word = bytesToWord(code.subarray(at, at + widthOfLength(set, length) / 8));
    if (decode(guest, word)?.instruction !== instruction) return `${hex(word)} is not ${instruction.name}`;
    at += length;
  }
  return undefined;
}

/** The translation with these values of what is open. */
export function filled({ holes, ...open }: OpenTranslation, values: Values): Translation {
  const at = new Evaluator(environment(values));
  const code = Uint8Array.from(open.host.code);
  for (const hole of holes) fill(code, hole, at.number(hole.value));
  return {
    ...open,
    host: { ...open.host, code },
    points: open.points.map((p) => ({ ...p, guest: at.number(p.guest) })),
    faults: open.faults.map((f) => ({ ...f, guest: at.number(f.guest) })),
    exits: open.exits.map((e) => ({
      ...e,
      guest: e.guest === undefined ? undefined : at.number(e.guest),
      value: mapTrapValue(e.value, (v) => at.number(v)),
    })),
  };
}

function fill(code: Uint8Array, { at, bytes }: Hole, value: bigint): void {
  for (let i = 0; i < bytes; i++) code[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

function same(what: unknown): string {
  return JSON.stringify(what, (_, v: unknown) => {
    if (typeof v === "bigint") return hex(v);
    if (v instanceof Uint8Array) return Buffer.from(v).toString("hex");
    return v;
  });
}

function text({ pc, code }: TranslationRequest): string {
  return `${Buffer.from(code).toString("hex")} at ${hex(pc)}`;
}
