/** Machine and refinement files → machines and refinements of terms, whatever the files come from. Needs no platform. */
import type { Machine } from "../../refinement/machine.js";
import type { Refinement } from "../../refinement/refinement.js";
import { Diagnostics } from "./diagnostics.js";
import type { Files } from "./files.js";
import { type Edit, outcomeOf } from "./read/edits.js";
import { type ParameterValue, parametersFrom } from "./read/machine-file.js";
import { machineFrom, refinementFrom } from "./refinement/load.js";

export interface MachineOptions {
  /** Values for the machine's parameters, instead of those its file gives. */
  readonly parameters?: Readonly<Record<string, ParameterValue>>;
  /** Edits of its text before it is read. */
  readonly edits?: readonly Edit[];
}

export interface RefinementOptions {
  /** The name of a seeded fault to load the refinement with. */
  readonly fault?: string;
  /** It has been loaded before, and nothing was wrong with it: mistakes are found only where they are in the way. */
  readonly again?: boolean;
}

/** The machine that a file defines. Throws a UserError with everything that is wrong with it. */
export async function machineIn(files: Files, file: string, options: MachineOptions = {}): Promise<Machine> {
  const diagnostics = new Diagnostics();
  const outcomes = (options.edits ?? []).map(outcomeOf);
  const elaborated = await machineFrom(
    files,
    file,
    parametersFrom(options.parameters ?? {}, { file, line: 1, column: 1 }),
    outcomes,
    diagnostics,
  );
  for (const { edit, applied, found } of outcomes) {
    if (applied) continue;
    const where = edit.kind === "function" ? edit.name : edit.path.join(".");
    diagnostics.report(
      "E_FAULT",
      edit.text.place(0),
      found === undefined
        ? `there is nothing at \`${where}\` to edit`
        : `the text to replace occurs ${found} times at \`${where}\`; it must occur exactly once`,
    );
  }
  diagnostics.throwIfAny();
  if (elaborated === undefined) throw new TypeError("a machine that could not be read has diagnostics");
  return elaborated.machine;
}

/** The refinement that a file defines, its machines included. Throws a UserError with everything that is wrong with them. */
export async function refinementIn(files: Files, file: string, options: RefinementOptions = {}): Promise<Refinement> {
  const diagnostics = new Diagnostics(options.again !== true);
  const refinement = await refinementFrom(files, file, options.fault, diagnostics);
  diagnostics.throwIfAny();
  if (refinement === undefined) throw new TypeError("a refinement that could not be read has diagnostics");
  return refinement;
}
