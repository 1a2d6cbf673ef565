/** The files of this folder, checked as they are read: the plan, the evidence and, beside each implementation, its findings. */
import { readFile } from "node:fs/promises";
import { Ajv, type Schema, type ValidateFunction } from "ajv";
import { parse } from "yaml";
import { UserError } from "../refinement/errors.js";

/** `semantics`: what an instruction does, beside something that runs it; `encoding`: its words and text, beside an assembler. */
export const ASPECTS = ["semantics", "encoding"] as const;
export type Aspect = (typeof ASPECTS)[number];

/** `plan.yaml`: which machines are validated by what, and which instructions by nothing, with the reason. */
export interface Plan {
  readonly chapters: readonly Chapter[];
}

/** An architecture's machines and what stands beside them. */
export interface Chapter {
  readonly title: string;
  /** Machines of spec/, by name. */
  readonly machines: readonly string[];
  /** Machines of other chapters whose blocks these have as well, so that what speaks for those speaks for these. */
  readonly inherits: readonly string[];
  /** Emulator refinements to run: their guest is `machine`, each obligation gets so many cases. */
  readonly refinements: readonly { readonly name: string; readonly machine: string; readonly cases: number }[];
  /** Test files that compare encodings with an assembler and write down what they compared (test/evidence.ts). */
  readonly tests: readonly string[];
  readonly exceptions: readonly Exception[];
}

/** Instructions without evidence of one aspect, and why that has to be so. */
export interface Exception {
  readonly instructions: readonly string[];
  readonly aspect: Aspect;
  readonly reason: string;
}

/** `evidence.json`: instructions of one machine beside one thing that no one here wrote. */
export interface Source {
  readonly machine: string;
  readonly aspect: Aspect;
  /** What it was compared with, version included. */
  readonly against: string;
  /** What gives these figures again. */
  readonly command: string;
  /** By instruction: cases in which both agreed. */
  readonly cases: Readonly<Record<string, number>>;
  /** By program: instructions run in lockstep. */
  readonly programs: Readonly<Record<string, number>>;
}

/** `findings.yaml` of an implementation: a disagreement, examined. */
export interface Finding {
  readonly name: string;
  readonly instruction: string;
  readonly differs: string;
  /** Whose fault it is. */
  readonly fault: string;
  /** The document and section, and what it says there. */
  readonly source: string;
  readonly sentence: string;
  readonly because?: string;
}

/** A finding of impl/qemu: with the code on both sides, and a run that shows it. */
export interface ExaminedFinding extends Finding {
  readonly refinement: string;
  readonly "seen-in": readonly string[];
  readonly guest: { readonly pc: number; readonly code: string; readonly assembly: string };
  /** Assembly, without what comes before and behind it. */
  readonly host: readonly string[];
  /** Under user-mode QEMU, from these registers and this memory. */
  readonly run?: {
    readonly code?: string;
    readonly before: Readonly<Record<string, number>>;
    readonly memory?: { readonly address: number; readonly bytes: string };
    readonly also?: Readonly<Record<string, number>>;
    readonly variable: string;
    readonly manual: number | string;
    readonly qemu: number;
  };
  /** In system mode: what mtval is in the first trap of a bare-metal program. */
  readonly "system-run"?: { readonly manual: number; readonly qemu: number };
}

const TEXT = { type: "string" };
const TEXTS = { type: "array", items: TEXT, default: [] };
const COUNTS = { type: "object", additionalProperties: { type: "integer", minimum: 0 } };
const ASPECT = { enum: [...ASPECTS] };

function record(properties: Readonly<Record<string, Schema>>, required = Object.keys(properties)): Schema {
  return { type: "object", properties, required, additionalProperties: false };
}

function arrayOf(items: Schema): Schema {
  return { type: "array", items };
}

/** One that may be left out. */
function listOf(items: Schema): Schema {
  return { type: "array", items, default: [] };
}

const ajv = new Ajv({ useDefaults: true, allErrors: true });

const isPlan = ajv.compile<Plan>(
  record({
    chapters: listOf(
      record(
        {
          title: TEXT,
          machines: TEXTS,
          inherits: TEXTS,
          refinements: listOf(record({ name: TEXT, machine: TEXT, cases: { type: "integer", minimum: 1 } })),
          tests: TEXTS,
          exceptions: listOf(record({ instructions: TEXTS, aspect: ASPECT, reason: TEXT })),
        },
        ["title", "machines"],
      ),
    ),
  }),
);

const isEvidence = ajv.compile<readonly Source[]>(
  arrayOf(record({ machine: TEXT, aspect: ASPECT, against: TEXT, command: TEXT, cases: COUNTS, programs: COUNTS })),
);

const isFindings = ajv.compile<{ readonly findings: readonly Finding[] }>({
  type: "object",
  properties: {
    findings: listOf({
      type: "object",
      properties: {
        name: TEXT,
        instruction: TEXT,
        differs: TEXT,
        fault: TEXT,
        source: TEXT,
        sentence: TEXT,
        because: TEXT,
      },
      required: ["name", "instruction", "differs", "fault", "source", "sentence"],
    }),
  },
  required: ["findings"],
});

const NUMBERS = { type: "object", additionalProperties: { type: "number" } };
const isExamined = ajv.compile<{ readonly findings: readonly ExaminedFinding[] }>(
  record({
    findings: listOf({
      type: "object",
      properties: {
        "seen-in": TEXTS,
        guest: record({ pc: { type: "number" }, code: TEXT, assembly: TEXT }),
        host: TEXTS,
        run: record(
          {
            code: TEXT,
            before: NUMBERS,
            memory: record({ address: { type: "number" }, bytes: TEXT }),
            also: NUMBERS,
            variable: TEXT,
            manual: { anyOf: [{ type: "number" }, TEXT] },
            qemu: { type: "number" },
          },
          ["before", "variable", "manual", "qemu"],
        ),
        "system-run": { type: "object", required: ["manual", "qemu"] },
      },
      required: [
        "name",
        "instruction",
        "differs",
        "fault",
        "source",
        "sentence",
        "refinement",
        "seen-in",
        "guest",
        "host",
      ],
    }),
  }),
);

export const readExamined = async (file: string): Promise<readonly ExaminedFinding[]> =>
  (await read(file, parse, isExamined)).findings;
export const readPlan = (file: string): Promise<Plan> => read(file, parse, isPlan);
export const readEvidence = (file: string): Promise<readonly Source[]> => read(file, JSON.parse, isEvidence);
export const readFindings = async (file: string): Promise<readonly Finding[]> =>
  (await read(file, parse, isFindings)).findings;

async function read<T>(file: string, parsed: (text: string) => unknown, isRight: ValidateFunction<T>): Promise<T> {
  const value = parsed(await readFile(file, "utf8"));
  if (isRight(value)) return value;
  throw new UserError(`${file}: ${ajv.errorsText(isRight.errors, { dataVar: "the file", separator: "; " })}`);
}
