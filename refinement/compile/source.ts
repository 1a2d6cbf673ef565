/** Where a machine's instruction words come from. */
import { type InstructionSet, variable } from "../machine.js";
import * as t from "../terms/build.js";
import type { Term } from "../terms/term.js";
import { freeVariables } from "../terms/variables.js";
import type { Fetching } from "./fetching.js";
import type { MemoryPlace, StateLayout } from "./layout.js";
import { scalarWidth } from "./scalars.js";

/** Where the words come from, in a form that can be remembered: memory at an address, or elements that never change. */
export interface Source {
  readonly key: Term;
  readonly memory: MemoryPlace | undefined;
  /** Bytes (or elements) from there on that the longest instruction takes. */
  readonly bytes: number;
  /** The parcels of the word stand side by side, from `key` on; else it cannot be remembered. */
  readonly unbroken: Term;
  /** What must hold at each step, besides, of an instruction that was decoded earlier. */
  readonly check: Term;
  readonly reads: Fetching["fetched"]["reads"];
  /** The key is the program counter, and nothing but the memory decides what stands there. */
  readonly settled: boolean;
}

/** Undefined where they come in another way. */
export function sourceOf(state: StateLayout, isa: InstructionSet): Source | undefined {
  const { machine } = state;
  const { width, length } = isa.parcels;
  const parcels = Array.from({ length: isa.wordWidth / width }, (_, i) =>
    readsOf([t.extract(isa.word, (i + 1) * width - 1, i * width)]).filter((read) => read.op !== "accessible"),
  );
  const first = parcels[0]?.[0];
  const [from, key] = first?.args ?? [];
  if (first === undefined || from?.op !== "var" || key === undefined) return undefined;
  // What is remembered is a function of the address and of what stands there, and of nothing else.
  const together: Term[] = [];
  const found: { readonly term: Term; readonly offset: number }[] = [];
  let end = 0;
  for (const [i, reads] of parcels.entries()) {
    for (const read of reads) {
      const [base, address] = read.args;
      if (base !== from || address === undefined || read.op !== first.op) return undefined;
      const offset = address === key ? 0 : i * length;
      together.push(t.eq(address, t.add(key, t.constant(scalarWidth(key), BigInt(offset)))));
      found.push({ term: read, offset });
      end = Math.max(end, offset + (read.op === "select" ? 1 : read.bytes));
    }
  }
  const unbroken = t.and(t.TRUE, ...together);
  const place = state.of(from.name);
  const constant = !machine.transitions.some((x) => x.effect.assigns.has(from.name));
  if (unbroken === t.FALSE || (place.kind !== "memory" && !(constant && first.op === "select"))) return undefined;
  const pc = variable(machine, isa.programCounter)?.term;
  const settled = key === pc && [...freeVariables([isa.word, isa.fetchable])].every((v) => v === from || v === pc);
  return {
    key,
    memory: place.kind === "memory" ? place : undefined,
    bytes: end,
    unbroken,
    check: settled ? isa.ready : t.and(isa.ready, isa.fetchable),
    reads: found,
    settled,
  };
}

/** So wide that a key may be any number. */
export function isWideKey(key: Term): boolean {
  return key.sort.kind === "bits" && key.sort.width >= 64;
}

/** All reads of memories and files in terms, and questions whether memory is accessible. */
function readsOf(roots: readonly Term[]): readonly Term[] {
  const seen = new Set<Term>(roots);
  for (const term of seen) for (const arg of term.args) seen.add(arg);
  return [...seen].filter((x) => x.op === "load" || x.op === "select" || x.op === "accessible");
}
