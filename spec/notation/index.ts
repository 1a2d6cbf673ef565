/** The notation: machine and refinement files → machines and refinements of terms. */
import type { Machine } from "../../refinement/machine.js";
import type { Refinement } from "../../refinement/refinement.js";
import { type Files, nodeFiles } from "./files.js";
import { type MachineOptions, machineIn, type RefinementOptions, refinementIn } from "./load.js";

export type { Files } from "./files.js";
export type { MachineOptions, RefinementOptions } from "./load.js";
export type { Edit } from "./read/edits.js";
export { formatValue, parseScalar } from "./values.js";

/** Where files come from; the file system unless given. */
export interface From {
  readonly files?: Files;
}

/** The machine that a file defines. Throws a UserError with everything that is wrong with it. */
export function loadMachine(file: string, options: MachineOptions & From = {}): Promise<Machine> {
  return machineIn(options.files ?? nodeFiles, file, options);
}

/** The refinement that a file defines, its machines included. Throws a UserError with everything that is wrong with them. */
export function loadRefinement(file: string, options: RefinementOptions & From = {}): Promise<Refinement> {
  return refinementIn(options.files ?? nodeFiles, file, options);
}
