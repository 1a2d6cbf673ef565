/**
 * What a comparison with somebody else's program covered, for docs/validation.md: `npm run validate` sets COMMUTE_EVIDENCE
 * to a folder and reads from there what tests leave.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Source } from "../validation/files.js";

/** `cases`: by instruction, how many words or lines both sides read alike. */
export function encodingEvidence(
  test: string,
  machine: string,
  against: string,
  cases: ReadonlyMap<string, number>,
): void {
  const folder = process.env["COMMUTE_EVIDENCE"];
  if (folder === undefined) return;
  const source: Source = {
    machine,
    aspect: "encoding",
    against,
    command: `npx vitest run ${test}`,
    cases: Object.fromEntries(cases),
    programs: {},
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, `${machine}-${against.replaceAll(/\W+/g, "-")}.json`), JSON.stringify([source]));
}
