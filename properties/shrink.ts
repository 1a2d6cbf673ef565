/**
 * Making a failing case small: greedy, part by part, until nothing smaller fails in the same way.
 */

/** Candidates to try in all; a run through the reference takes about a millisecond a step. */
export interface Budget {
  left: number;
}

/**
 * The smallest value found that still fails, which `value` does. `smaller` gives candidates, boldest first; `breathe` is
 * awaited between candidates, so that a long search can be stopped.
 */
export async function smallest<T>(
  value: T,
  smaller: (value: T) => Iterable<T>,
  fails: (value: T) => boolean,
  budget: Budget,
  breathe: () => Promise<void>,
): Promise<T> {
  let best = value;
  for (let found = true; found; ) {
    found = false;
    for (const candidate of smaller(best)) {
      if (budget.left <= 0) return best;
      budget.left--;
      await breathe();
      if (!fails(candidate)) continue;
      best = candidate;
      found = true;
      break;
    }
  }
  return best;
}
