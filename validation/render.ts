/** docs/validation.md, from the evidence. */
import type { Machine } from "../refinement/machine.js";
import { type Entry, entries, sourcesOf } from "./completeness.js";
import { ASPECTS, type Aspect, type Chapter, type Finding, type Source } from "./files.js";

/** Findings of one implementation. */
export interface Findings {
  /** The implementation's folder, relative to the project's root. */
  readonly folder: string;
  readonly findings: readonly Finding[];
}

export interface Part {
  readonly chapter: Chapter;
  readonly machines: readonly Machine[];
}

export function render(parts: readonly Part[], sources: readonly Source[], findings: readonly Findings[]): string {
  return [
    "# What the machines were validated against",
    "",
    "Made by `npm run validate`; do not edit. A checker is as good as the definitions that it trusts. Each instruction of `spec/` was",
    "run beside something that no one here wrote, from states biased to corners, every variable of the state compared; and its words",
    "and its text were compared with an assembler's. The figures are cases in which both sides agreed. A test refuses an",
    "instruction that is missing here without a reason.",
    "",
    ...parts.flatMap((part) => chapterLines(part, sources)),
    "# Disagreements",
    "",
    "Every disagreement was examined against the manual, whose rule is given in its sense, not always word by word.",
    "",
    ...findings.flatMap(findingLines),
  ].join("\n");
}

function chapterLines({ chapter, machines }: Part, sources: readonly Source[]): readonly string[] {
  const own = sourcesOf(chapter, sources);
  const all = entries(chapter, machines, sources);
  const columns = own.map((source, i) => ({ source, letter: letter(i) }));
  return [
    `# ${chapter.title}`,
    "",
    `Machines: ${machines.map((m) => `\`${m.name}\``).join(", ")}. ${all.length} instructions.`,
    "",
    row(["", "machine", "what", "beside", "cases", "again by"]),
    row(["---", "---", "---", "---", "---:", "---"]),
    ...columns.map(({ source, letter }) =>
      row([
        `**${letter}**`,
        `\`${source.machine}\``,
        source.aspect,
        escaped(source.against),
        number(sum(Object.values(source.cases))),
        `\`${source.command}\``,
      ]),
    ),
    "",
    ...columns.flatMap(({ source, letter }) => programLines(source, letter)),
    row(["instruction", ...ASPECTS]),
    row(["---", ...ASPECTS.map(() => "---")]),
    ...all.map((entry) => row([`\`${entry.instruction}\``, ...ASPECTS.map((aspect) => cell(entry, aspect, columns))])),
    "",
    ...exceptionLines(chapter),
  ];
}

function programLines(source: Source, letter: string): readonly string[] {
  const programs = Object.entries(source.programs);
  if (programs.length === 0) return [];
  const listed = programs.map(([name, count]) => `${name} (${number(count)})`).join(", ");
  return [`Programs in lockstep in **${letter}**, with the steps that were compared: ${listed}.`, ""];
}

function cell(entry: Entry, aspect: Aspect, columns: readonly { source: Source; letter: string }[]): string {
  const found = entry.evidence[aspect].map(
    ({ source, cases }) => `${columns.find((c) => c.source === source)?.letter} ${number(cases)}`,
  );
  if (found.length > 0) return found.join(", ");
  return entry.excused[aspect] === undefined ? "**nothing**" : "exception";
}

function exceptionLines({ exceptions }: Chapter): readonly string[] {
  if (exceptions.length === 0) return [];
  return [
    "Exceptions:",
    "",
    ...exceptions.map(
      ({ instructions, aspect, reason }) =>
        `- ${aspect} of ${instructions.map((i) => `\`${i}\``).join(", ")}: ${reason}`,
    ),
    "",
  ];
}

function findingLines({ folder, findings }: Findings): readonly string[] {
  return [
    `## ${folder}`,
    "",
    ...findings.flatMap(({ name, instruction, differs, fault, source, sentence, because }) => [
      `- **${name}** (\`${instruction}\`): ${differs}. At fault: ${fault}. ${source}: ${sentence.trim().replace(/\.$/, "")}.${because === undefined ? "" : ` ${capital(because.trim())}.`}`,
    ]),
    "",
  ];
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function escaped(text: string): string {
  return text.replaceAll("|", "\\|");
}

function letter(i: number): string {
  return String.fromCharCode("A".charCodeAt(0) + i);
}

function number(n: number): string {
  return n.toLocaleString("en-US");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, "");
}
