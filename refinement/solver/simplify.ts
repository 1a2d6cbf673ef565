/**
 * Makes a found state simple: as much as possible zero, small or accessible, so that a reader sees what matters.
 */
import type { Assignment, Place } from "./assignment.js";

/** Each value is offered simpler ones, the simplest first, and takes the first with which the state still `works`. */
export function simplify(assignment: Assignment, works: () => boolean): void {
  for (let pass = 0; pass < 2; pass++) {
    let changed = false;
    for (const place of assignment.places()) if (simplifyPlace(place, works)) changed = true;
    if (!changed) return;
  }
}

function simplifyPlace(place: Place, works: () => boolean): boolean {
  const before = place.read();
  for (const simpler of candidates(before, place.width)) {
    if (!place.write(simpler)) return false;
    if (works()) return true;
  }
  place.write(before);
  return false;
}

function candidates(value: bigint, width: number): bigint[] {
  const all = [0n, 1n, BigInt.asUintN(width, -1n), 1n << BigInt(width - 1)];
  for (const keep of [4, 8, 16, 32]) if (keep < width) all.push(BigInt.asUintN(keep, value));
  const result: bigint[] = [];
  for (const candidate of all) {
    if (candidate === value) return result;
    if (!result.includes(candidate)) result.push(candidate);
  }
  return result;
}
