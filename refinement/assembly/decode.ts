/**
 * From a word to its instruction. The decision structure is built once for an instruction set: at each node the bits that
 * all remaining candidates fix are looked up at once, so a RISC-V word is found in three or four look-ups.
 */
import type { Instruction, InstructionSet, Machine } from "../machine.js";
import { evaluate } from "../terms/evaluate.js";
import { extractField, fieldsOf } from "./encoding.js";
import { lengthOfWord, widthOfLength } from "./words.js";

export interface Decoded {
  readonly instruction: Instruction;
  /** Unsigned values by field name. */
  readonly fields: ReadonlyMap<string, bigint>;
}

/** Numbers where words have at most 32 bits, as almost everywhere; big integers otherwise. */
type Node<W> =
  | { readonly kind: "branch"; readonly mask: W; readonly next: ReadonlyMap<W, Node<W>> }
  | { readonly kind: "leaf"; readonly candidates: readonly Candidate<W>[] };

interface Candidate<W> {
  readonly mask: W;
  readonly match: W;
  readonly instruction: Instruction;
}

interface Words<W> {
  readonly of: (word: bigint) => W;
  readonly and: (a: W, b: W) => W;
}

const small: Words<number> = { of: (word) => Number(word) | 0, and: (a, b) => a & b };
const large: Words<bigint> = { of: (word) => word, and: (a, b) => a & b };

function build<W>(words: Words<W>, candidates: readonly Instruction[], tested: bigint): Node<W> {
  const common = candidates.reduce((mask, i) => mask & i.encoding.mask, ~tested);
  if (candidates.length < 2 || common === 0n) return splitOne(words, candidates, tested);
  const groups = new Map<bigint, Instruction[]>();
  for (const candidate of candidates) {
    const key = candidate.encoding.match & common;
    groups.set(key, [...(groups.get(key) ?? []), candidate]);
  }
  const next = new Map<W, Node<W>>();
  for (const [key, group] of groups) next.set(words.of(key), build(words, group, tested | common));
  return { kind: "branch", mask: words.of(common), next };
}

/** No bit is fixed by all: set apart those that fix a bit which most of them fix, if that leaves fewer to compare. */
function splitOne<W>(words: Words<W>, candidates: readonly Instruction[], tested: bigint): Node<W> {
  if (candidates.length > 4) {
    const most = mostFixed(candidates, tested);
    const fixing = candidates.filter((i) => (i.encoding.mask & most) !== 0n);
    if (most !== 0n && fixing.length > candidates.length / 2) {
      const free = candidates.filter((i) => (i.encoding.mask & most) === 0n);
      const next = new Map<W, Node<W>>();
      for (const key of [0n, most]) {
        const group = [...fixing.filter((i) => (i.encoding.match & most) === key), ...free];
        next.set(words.of(key), build(words, group, tested | most));
      }
      return { kind: "branch", mask: words.of(most), next };
    }
  }
  return {
    kind: "leaf",
    candidates: candidates.map((instruction) => ({
      mask: words.of(instruction.encoding.mask),
      match: words.of(instruction.encoding.match),
      instruction,
    })),
  };
}

function mostFixed(candidates: readonly Instruction[], tested: bigint): bigint {
  let best = 0n;
  let most = 0;
  const union = candidates.reduce((bits, i) => bits | i.encoding.mask, 0n) & ~tested;
  for (let bit = 1n; bit <= union; bit <<= 1n) {
    if ((union & bit) === 0n) continue;
    const count = candidates.filter((i) => (i.encoding.mask & bit) !== 0n).length;
    if (count > most) [best, most] = [bit, count];
  }
  return best;
}

function find<W>(words: Words<W>, root: Node<W>, whole: bigint): Instruction | undefined {
  const word = words.of(whole);
  let node: Node<W> | undefined = root;
  while (node !== undefined && node.kind === "branch") node = node.next.get(words.and(word, node.mask));
  if (node === undefined) return undefined;
  return node.candidates.find((c) => words.and(word, c.mask) === c.match && constrained(c.instruction, whole))
    ?.instruction;
}

/** What `where` and `except` of the instruction's block say of the word's fields. */
function constrained({ encoding: { constraint, fields } }: Instruction, word: bigint): boolean {
  if (constraint === undefined) return true;
  const holds = evaluate(constraint, {
    variable: (v) => {
      const field = fields.find((f) => f.term === v);
      return field === undefined ? 0n : extractField(field, word);
    },
  });
  return holds === 1n;
}

/** Whether a word is one of this instruction, whatever others it may be. */
export function isWordOf(instruction: Instruction, word: bigint): boolean {
  const { mask, match } = instruction.encoding;
  return (word & mask) === match && constrained(instruction, word);
}

const decoders = new WeakMap<InstructionSet, (word: bigint) => Instruction | undefined>();

function decoder(set: InstructionSet): (word: bigint) => Instruction | undefined {
  let found = decoders.get(set);
  if (found === undefined) {
    if (set.wordWidth <= 32) {
      const root = build(small, set.instructions, 0n);
      found = (word) => find(small, root, word);
    } else {
      const root = build(large, set.instructions, 0n);
      found = (word) => find(large, root, word);
    }
    decoders.set(set, found);
  }
  return found;
}

/** The instruction that a word is, with its fields; `undefined` for a word that is none, or a machine without encodings. */
export function decode(machine: Machine, word: bigint): Decoded | undefined {
  const set = machine.instructionSet;
  if (set === undefined || word < 0n || word >> BigInt(widthOfLength(set, lengthOfWord(set, word))) !== 0n)
    return undefined;
  const instruction = decoder(set)(word);
  return instruction === undefined ? undefined : { instruction, fields: fieldsOf(instruction, word) };
}
