/** docs/findings.md, from impl/qemu/findings.yaml: each disagreement with what both sides' code does, and a run that shows it. */
import type { ExaminedFinding } from "./files.js";

export function findingsPage(findings: readonly ExaminedFinding[]): string {
  return [
    "# Findings in QEMU",
    "",
    "What `commute check qemu`, `qemu-rv64imac_zba_zbb` and `qemu-rv64u_fd` refute in the installed QEMU, examined one by one. This page is written",
    "from `impl/qemu/findings.yaml` (`npm run validate`); `test/impl/qemu/findings.test.ts` has QEMU translate each block again, sees it refuted in",
    "the variable that is named, and runs it. `commute check` runs every block that it refutes, too, where QEMU can hold its memory, and says what",
    "came of it (`run`); and it names the findings that explain a refuted obligation wholly (`known`): those with which it is proved, for all states,",
    "of a guest that departs from the manual as QEMU does (`impl/qemu/rv64imac_zba_zbb/as-qemu.yaml`). What the manuals say is told in our words.",
    ...findings.flatMap(lines),
    "",
  ].join("\n");
}

function lines(f: ExaminedFinding): readonly string[] {
  return [
    "",
    `## ${f.name}`,
    "",
    `\`${f.instruction}\`: ${f.differs}. At fault: ${f.fault}; seen in ${f["seen-in"].join(", ")}; refinement \`${f.refinement}\`.`,
    "",
    `${f.source}: ${f.sentence.trim()}${f.because === undefined ? "" : ` (${f.because.trim()})`}.`.replace(
      /\.\.$/,
      ".",
    ),
    "",
    `Guest code, at ${hex(f.guest.pc)}, and what QEMU makes of it (an extract):`,
    "",
    "```",
    ...f.guest.assembly.split("; ").map((text) => text.trim()),
    "",
    ...f.host,
    "```",
    "",
    ...runLines(f),
  ];
}

function runLines(f: ExaminedFinding): readonly string[] {
  const { run } = f;
  const system = f["system-run"];
  if (system !== undefined)
    return [`In system mode the trap's value is ${hex(system.qemu)}, where the manual has ${hex(system.manual)}.`];
  if (run === undefined) return [];
  const registers = Object.entries(run.before).map(([name, value]) => `${name} = ${hex(value)}`);
  const memory = run.memory === undefined ? [] : [`the bytes ${run.memory.bytes} at ${hex(run.memory.address)}`];
  const also = Object.entries(run.also ?? {}).map(([name, value]) => ` and ${name} is ${hex(value)}`);
  const wanted = typeof run.manual === "number" ? hex(run.manual) : `the trap \`${run.manual}\``;
  const code = run.code === undefined ? "Run" : `Run with a load behind it (\`${run.code}\`)`;
  return [
    `${code} from ${[...registers, ...memory].join(", ")}: ${run.variable} is ${hex(run.qemu)}${also.join("")}, where the manual has ${wanted}.`,
  ];
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
