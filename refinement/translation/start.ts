/** Where a stretch of a translation begins, and what a fault map says of it. */
import type { FaultEntry, Point } from "../translation.js";

/** At the entry, or at a point that cuts the block. */
export interface Start {
  readonly address: bigint;
  /** The guest's program counter there. */
  readonly pc: bigint;
  /** Guest instructions that must have been executed where a point that cuts is reached: without it a loop could go round for ever. */
  readonly least: number;
}

/**
 * The stretches of a translation, the one from the entry first; `points` have all their cuts. Where the entry is the head of a loop
 * itself, its stretch is that of the cut.
 */
export function startsOf(entry: bigint, pc: bigint, points: readonly Point[]): readonly Start[] {
  const cuts = points.filter((p) => p.cut).map((p): Start => ({ address: p.host, pc: p.guest, least: 1 }));
  const isEntry = (s: Start): boolean => s.address === entry && s.pc === pc;
  return [cuts.find(isEntry) ?? { address: entry, pc, least: 0 }, ...cuts.filter((s) => !isEntry(s))];
}

export function covers({ host, until }: FaultEntry, address: bigint): boolean {
  return until === undefined ? host === address : address >= host && address < until;
}
