/**
 * Validates the machines of spec/ against what no one here wrote, and writes docs/validation.md: `npm run validate`.
 */
import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { integerOption } from "../cli/options.js";
import { type Session, session } from "../cli/session.js";
import type { CommonOptions } from "../cli/terminal/output.js";
import { collect } from "./collect.js";
import type { Chapter, Source } from "./files.js";
import { evidence, EVIDENCE, examined, FINDINGS, plan, REPORT, report } from "./report.js";

interface Options extends CommonOptions {
  readonly cases?: number;
  readonly seed: number;
}

const program = new Command("npm run validate --")
  .description("run the machines of spec/ beside emulators, processors and assemblers, and write docs/validation.md")
  .argument("[CHAPTER...]", "only chapters whose titles contain one of these; the evidence for the others is kept")
  .option("--cases <N>", "for each instruction (default: what the plan says, over a million in all)", integerOption(1))
  .option("--seed <N>", "of everything random", integerOption(0), 42)
  .option("-q, --quiet", "no progress")
  .option("--no-color", "no colours")
  .addHelpText(
    "after",
    `
Exit code 0: the report is complete. 1: something disagrees, or an instruction has neither evidence nor an exception.

Examples:
  npm run validate
  npm run validate -- eBPF --cases 1000`,
  )
  .action((titles: readonly string[], options: Options) => session(options, (s) => validate(titles, options, s)));

async function validate(titles: readonly string[], options: Options, { out, signal }: Session): Promise<number> {
  const whole = await plan();
  const isWanted = ({ title }: Chapter): boolean => titles.length === 0 || titles.some((t) => title.includes(t));
  const wanted = whole.chapters.filter(isWanted);
  if (wanted.length === 0) {
    out.complain(
      `no chapter is called ${titles.join(" or ")}; there are: ${whole.chapters.map((c) => c.title).join(", ")}`,
    );
    return 2;
  }
  const kept = wanted.length === whole.chapters.length ? [] : await evidence();
  const sources: Source[] = [];
  for (const chapter of whole.chapters) {
    if (!isWanted(chapter)) {
      sources.push(...kept.filter((source) => chapter.machines.includes(source.machine)));
      continue;
    }
    const done = wanted.indexOf(chapter);
    const onProgress = (part: number, what: string): void =>
      out.progress.update({ done: done + part, total: wanted.length, running: what });
    sources.push(...(await collect(chapter, { seed: options.seed, cases: options.cases, signal, onProgress })));
  }
  // What took long is kept first, whatever may be wrong with the rest of the report.
  await writeFile(EVIDENCE, `${JSON.stringify(sources, undefined, 2)}\n`);
  const { text, gaps } = await report(whole, sources);
  await writeFile(REPORT, text);
  await writeFile(FINDINGS, await examined());
  for (const gap of gaps) out.complain(gap);
  out.line(gaps.length === 0 ? "docs/validation.md is complete" : `docs/validation.md lacks ${gaps.length} entries`);
  return gaps.length === 0 ? 0 : 1;
}

await program.parseAsync();
