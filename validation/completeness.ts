/** Which instructions of a chapter's machines have evidence of each aspect, and which have neither evidence nor an excuse. */
import type { Machine } from "../refinement/machine.js";
import { ASPECTS, type Aspect, type Chapter, type Source } from "./files.js";

/** An instruction of some of the chapter's machines and what speaks for it. */
export interface Entry {
  readonly instruction: string;
  readonly evidence: Readonly<Record<Aspect, readonly { readonly source: Source; readonly cases: number }[]>>;
  /** Reasons for lacking evidence. */
  readonly excused: Readonly<Record<Aspect, string | undefined>>;
}

/** One entry for each instruction, in order of definition; machines that extend each other share theirs. */
export function entries(chapter: Chapter, machines: readonly Machine[], sources: readonly Source[]): readonly Entry[] {
  const own = sourcesOf(chapter, sources);
  const names = new Set(machines.flatMap(instructionsOf));
  return [...names].map((instruction) => {
    const of = (aspect: Aspect) =>
      own.flatMap((source) => {
        const cases = source.aspect === aspect ? (source.cases[instruction] ?? 0) : 0;
        return cases === 0 ? [] : [{ source, cases }];
      });
    const excuse = (aspect: Aspect) =>
      chapter.exceptions.find((e) => e.aspect === aspect && e.instructions.includes(instruction))?.reason;
    return {
      instruction,
      evidence: { semantics: of("semantics"), encoding: of("encoding") },
      excused: { semantics: excuse("semantics"), encoding: excuse("encoding") },
    };
  });
}

/** What is missing, as sentences; none if the chapter is complete. */
export function gaps(chapter: Chapter, machines: readonly Machine[], sources: readonly Source[]): readonly string[] {
  const all = entries(chapter, machines, sources);
  const missing = all.flatMap(({ instruction, evidence, excused }) =>
    ASPECTS.filter((aspect) => evidence[aspect].length === 0 && excused[aspect] === undefined).map(
      (aspect) => `${chapter.title}: nothing validates the ${aspect} of ${instruction}`,
    ),
  );
  const needless = chapter.exceptions.flatMap((exception) =>
    exception.instructions.flatMap((instruction) => {
      const entry = all.find((e) => e.instruction === instruction);
      if (entry === undefined) return [`${chapter.title}: the exception ${instruction} is no instruction`];
      const has = entry.evidence[exception.aspect].length > 0;
      return has
        ? [`${chapter.title}: the ${exception.aspect} of ${instruction} is validated; it needs no exception`]
        : [];
    }),
  );
  return [...missing, ...needless];
}

/** What speaks for a chapter's machines. */
export function sourcesOf({ machines, inherits }: Chapter, sources: readonly Source[]): readonly Source[] {
  return sources.filter(({ machine }) => machines.includes(machine) || inherits.includes(machine));
}

/** Of a machine whose words a library decodes, its blocks. */
export function instructionsOf(machine: Machine): readonly string[] {
  return [...(machine.instructionSet?.instructions ?? []), ...(machine.decoded?.blocks ?? [])].map((i) => i.name);
}
