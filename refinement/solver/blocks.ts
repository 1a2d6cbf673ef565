/**
 * Which reads lie next to each other, whatever the state: at constant distances from one address.
 */
import { widthOf } from "../terms/construct.js";
import { toSigned } from "../terms/operators.js";
import type { Term } from "../terms/term.js";
import { split } from "./distances.js";

/** `units` neighbouring units of a base variable from `address` up, unit 0 lowest in `value`. */
export interface Read {
  readonly address: Term;
  readonly units: number;
  readonly value: Term;
}

/** Neighbouring reads: `units` from the address `start` up, in which each read begins `at` units above it. */
export interface Block {
  readonly start: Term;
  readonly units: number;
  readonly members: readonly { readonly read: Read; readonly at: number }[];
}

/** Parts reads into blocks. Those that overlap share one; those that merely touch do so up to `most` units. */
export function blocksOf(reads: readonly Read[], most: number): readonly Block[] {
  const clusters = new Map<Term | undefined, { read: Read; offset: bigint }[]>();
  for (const read of reads) {
    const { base, offset } = split(read.address);
    const cluster = clusters.get(base) ?? [];
    clusters.set(base, cluster);
    cluster.push({ read, offset: toSigned(offset, widthOf(read.address)) });
  }
  return [...clusters.values()].flatMap((cluster) => {
    cluster.sort((a, b) => (a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : 0));
    const blocks: { start: Term; low: bigint; units: number; members: { read: Read; at: number }[] }[] = [];
    for (const { read, offset } of cluster) {
      const last = blocks.at(-1);
      const at = last === undefined ? 0n : offset - last.low;
      const units = Number(at) + read.units;
      if (last !== undefined && (at < BigInt(last.units) || (at === BigInt(last.units) && units <= most))) {
        last.units = Math.max(last.units, units);
        last.members.push({ read, at: Number(at) });
      } else {
        blocks.push({ start: read.address, low: offset, units: read.units, members: [{ read, at: 0 }] });
      }
    }
    return blocks;
  });
}
