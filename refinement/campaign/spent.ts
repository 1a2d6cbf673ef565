/**
 * Where the time goes. A thread carries out one task at a time, so one watch a thread is enough: it is asked for what it has measured
 * when a task is done.
 */

/** In the order of the report. */
const PHASES = [
  /** Definitions from files; a translator asked, and its answers read. */
  "reading",
  /** Host machine code into instructions. */
  "decoding",
  /** Both sides executed symbolically, the obligations stated. */
  "executing",
  "rewriting",
  /** Random states and models of solvers, run concretely; counterexamples made small. */
  "trying",
  "solving",
  "exploring",
  "testing",
] as const;
export type Phase = (typeof PHASES)[number];

/** Milliseconds, of all threads together. */
export type Spent = Readonly<Partial<Record<Phase, number>>>;

class Watch {
  private readonly totals = new Map<Phase, number>();
  private readonly running: Phase[] = [];
  private since = 0;

  begin(phase: Phase): void {
    this.tick();
    this.running.push(phase);
  }

  end(): void {
    this.tick();
    this.running.pop();
  }

  /** What was measured since the last time. */
  take(): Spent {
    this.tick();
    const spent: Spent = Object.fromEntries(this.totals);
    this.totals.clear();
    return spent;
  }

  /** The time since the last tick belongs to the innermost phase. */
  private tick(): void {
    const now = performance.now();
    const phase = this.running.at(-1);
    if (phase !== undefined) this.totals.set(phase, (this.totals.get(phase) ?? 0) + now - this.since);
    this.since = now;
  }
}

const watch = new Watch();

/** Measures what `work` takes, but for the phases within it. */
export function during<T>(phase: Phase, work: () => T): T {
  watch.begin(phase);
  try {
    return work();
  } finally {
    watch.end();
  }
}

/** The same of work that is waited for. */
export async function waiting<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
  watch.begin(phase);
  try {
    return await work();
  } finally {
    watch.end();
  }
}

/** What this thread has spent since it was last asked. */
export function takeSpent(): Spent {
  return watch.take();
}

/** Undefined where nothing was measured. */
export function sum(all: readonly Spent[]): Spent | undefined {
  const totals = PHASES.flatMap((phase) => {
    const ms = all.reduce((total, spent) => total + (spent[phase] ?? 0), 0);
    return ms > 0 ? [[phase, ms] as const] : [];
  });
  return totals.length === 0 ? undefined : Object.fromEntries(totals);
}
