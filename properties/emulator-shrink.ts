/**
 * Greedy shrinking of a single-instruction case: of the cases that are simpler in one respect, the boldest that still goes
 * wrong in the same variable is taken, until none does.
 */
import type { Emulator, EmulatorCase } from "../refinement/emulator.js";
import { type Compared, compareAll, culprits } from "./emulator-compare.js";
import { costOf } from "./emulator-cost.js";
import type { EmulatedGuest } from "./emulator-guest.js";

const MOST_ROUNDS = 60;
/** Candidates that are run at a time. */
const BATCH = 64;

export async function shrink<C extends EmulatorCase>(
  guest: EmulatedGuest<C>,
  emulator: Emulator,
  found: Compared<C>,
  signal: AbortSignal,
): Promise<Compared<C>> {
  const guilty = [...culprits(found.differs)][0] ?? "";
  let best = found;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const next = await firstFailing(
      guest,
      emulator,
      candidates(emulator, guest, best),
      guilty,
      best.transition,
      signal,
    );
    if (next === undefined) break;
    best = next;
  }
  return best;
}

/** Dear candidates are left out, unless the case is dear itself: then they are few. */
function* candidates<C extends EmulatorCase>(
  emulator: Emulator,
  guest: EmulatedGuest<C>,
  of: Compared<C>,
): Generator<C> {
  const { room } = emulator;
  if (room === undefined) return;
  const dear = costOf(guest, room, of.of.state) === "dear";
  let left = dear ? 40 : Number.POSITIVE_INFINITY;
  for (const smaller of guest.smaller(of.of)) {
    const cost = costOf(guest, room, smaller.state);
    if (cost === "impossible" || (cost === "dear" && !dear)) continue;
    if (left-- <= 0) return;
    yield smaller;
  }
}

async function firstFailing<C extends EmulatorCase>(
  guest: EmulatedGuest<C>,
  emulator: Emulator,
  among: Iterable<C>,
  guilty: string,
  transition: string | undefined,
  signal: AbortSignal,
): Promise<Compared<C> | undefined> {
  for (const batch of batches(among, BATCH)) {
    for await (const compared of compareAll(guest, emulator, batch, signal)) {
      if (compared.transition === transition && culprits(compared.differs).has(guilty)) return compared;
    }
  }
  return undefined;
}

export function* batches<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
