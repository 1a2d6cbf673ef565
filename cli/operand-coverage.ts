/** Which operands the proofs of a translator are for. */
import type { ObligationReport } from "../refinement/campaign/report.js";

/**
 * `every operand of 152 instructions with registers in 1,128 classes and of 1,610 sequences of them, on 12,345 paths through the
 * translator`; undefined where no operand was open.
 */
export function operandCoverage(obligations: readonly ObligationReport[]): string | undefined {
  const paths = new Map<string, number>();
  for (const { name, paths: n } of obligations) {
    const [, pair] = /^[a-z]+\/(.*?)\/[^/]*(\/never)?$/.exec(name) ?? [];
    if (n !== undefined && pair !== undefined) paths.set(pair, n);
  }
  if (paths.size === 0) return undefined;
  const blocks = [
    ...new Set([...paths.keys()].map((pair) => pair.replace(/ #\d+$/, "").replace(/ (anywhere|high up)$/, ""))),
  ];
  const singles = blocks.filter((b) => !b.includes(";"));
  const instructions = new Set(singles.map((b) => b.split(" ")[0]));
  const all = [...paths.values()].reduce((sum, n) => sum + n, 0);
  const sequences = blocks.length - singles.length;
  const classes = `with registers in ${counted(singles.length, "class", "classes")}`;
  const parts = [
    ...(singles.length === 0 ? [] : [`${counted(instructions.size, "instruction")} ${classes}`]),
    ...(sequences === 0 ? [] : [`${counted(sequences, "sequence")} of them`]),
  ];
  return `every operand of ${parts.join(" and of ")}, on ${counted(all, "path")} through the translator`;
}

function counted(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en-US")} ${n === 1 ? one : many}`;
}
