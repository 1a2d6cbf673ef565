/** Definitions that the user names; the notation is imported only when one is. */
import { UserError } from "../refinement/errors.js";
import type { InstructionSet, Machine } from "../refinement/machine.js";
import type { Refinement } from "../refinement/refinement.js";
import { discover, find } from "./project.js";

export async function machineNamed(text: string): Promise<Machine> {
  const { file } = await find(await discover(), "machine", text);
  const { loadMachine } = await import("../spec/notation/index.js");
  return loadMachine(file);
}

export async function refinementNamed(text: string, fault?: string): Promise<Refinement> {
  const { file } = await find(await discover(), "refinement", text);
  const { loadRefinement } = await import("../spec/notation/index.js");
  return loadRefinement(file, fault === undefined ? {} : { fault });
}

/** The instruction set of a machine for `command`, which needs one. */
export function instructionSetOf(machine: Machine, command: string): InstructionSet {
  if (machine.instructionSet === undefined) {
    throw new UserError(`${machine.name} has no instructions with an encoding, and \`commute ${command}\` needs them`);
  }
  return machine.instructionSet;
}
