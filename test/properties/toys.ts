import { fileURLToPath } from "node:url";
import { loadMachine, loadRefinement } from "../../spec/notation/index.js";
import type { Machine } from "../../refinement/machine.js";
import type { MachineRefinement } from "../../refinement/refinement.js";

function path(name: string): string {
  return fileURLToPath(new URL(`machines/${name}.yaml`, import.meta.url));
}

/** `toy` or `counter`, below test/properties/machines, with a seeded fault. */
export async function toy(name: string, fault?: string): Promise<MachineRefinement> {
  const refinement = await loadRefinement(path(`${name}-refinement`), fault === undefined ? {} : { fault });
  if (refinement.form !== "machine") throw new Error(`${name} is a black box`);
  return refinement;
}

export async function toyMachine(name: string): Promise<Machine> {
  return loadMachine(path(name));
}

/** A machine of spec/. */
export async function specMachine(file: string): Promise<Machine> {
  return loadMachine(fileURLToPath(new URL(`../../spec/${file}.yaml`, import.meta.url)));
}
