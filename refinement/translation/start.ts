/** Where a stretch of a translation begins, and what a fault map says of it. */
import { TRUE } from "../terms/build.js";
import { InternalDefect } from "../errors.js";
import type { TranslatorRefinement, View } from "../refinement.js";
import type { Term } from "../terms/term.js";
import type { FaultEntry, Point } from "../translation.js";

/** At the entry, or at a point that cuts the block. */
export interface Start<Guest = bigint> {
  readonly address: bigint;
  /** The guest's program counter there. */
  readonly pc: Guest;
  /** Guest instructions that must have been executed where a point that cuts is reached: without it a loop could go round for ever. */
  readonly least: number;
  readonly view: string | undefined;
}

/**
 * The stretches of a translation, the one from the entry first; `points` have all their cuts. Where the entry is the head of a loop
 * itself, its stretch is that of the cut.
 */
export function startsOf<Guest>(entry: bigint, pc: Guest, points: readonly Point<Guest>[]): readonly Start<Guest>[] {
  const cuts = points
    .filter((p) => p.cut)
    .map((p): Start<Guest> => ({ address: p.host, pc: p.guest, least: 1, view: p.view }));
  const isEntry = (s: Start<Guest>): boolean => s.address === entry && s.pc === pc && s.view === undefined;
  return [cuts.find(isEntry) ?? { address: entry, pc, least: 0, view: undefined }, ...cuts.filter((s) => !isEntry(s))];
}

/** What holds at a place that names this view, or none. */
export function viewOf({ abstraction, views }: TranslatorRefinement, name: string | undefined): View {
  if (name === undefined) return { abstraction, seen: undefined, entry: new Map(), invariant: TRUE };
  const view = views.get(name);
  if (view === undefined) throw new InternalDefect(`there is no view ${name}`);
  return view;
}

/** Whether a guest variable, or an element of a file, is compared. */
export function isSeen({ seen }: View, variable: string): boolean {
  return seen === undefined || seen.has(variable) || seen.has(variable.replace(/\[\d+\]/, ""));
}

/** Where a place finds what the host's register held at the entry. */
export function atEntry({ entry }: View, register: { readonly name: string; readonly term: Term }): Term {
  return entry.get(register.name) ?? register.term;
}

export function covers({ host, until }: Pick<FaultEntry, "host" | "until">, address: bigint): boolean {
  return until === undefined ? host === address : address >= host && address < until;
}
