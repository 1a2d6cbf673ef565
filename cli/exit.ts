/** Exit codes beside those of a verdict (refinement/verdict.ts). */
export const WRONG_USE = 2;
export const FAILED = 4;
export const INTERRUPTED = 130;

/** Ends the process with `process.exitCode` once everything written has reached its reader. */
export async function exit(): Promise<never> {
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write("", done))));
  process.exit();
}
