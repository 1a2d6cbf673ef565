/** Assignments that nobody can see: of a variable that is assigned again before it is read, or before the state is wanted. */
import type { Machine } from "../machine.js";
import { freeVariables } from "../terms/variables.js";
import { type Block, deciding, type Step } from "./flow.js";

/**
 * The block without dead assignments to bools, the flags of an instruction set. At every place where a block can be left (its
 * end, a raise, a store that may reach code) the state is whole.
 */
export function withoutDeadFlags(machine: Machine, block: Block): Block {
  const flags = new Map(machine.variables.filter((v) => v.type.kind === "bool").map((v) => [v.name, v.term] as const));
  let dead = new Set<string>();
  const steps: Step[] = [];
  for (const step of [...block.steps].reverse()) {
    if ([...step.effect.assigns.values()].some((value) => value.sort.kind === "memory")) dead = new Set();
    const assigns = new Map([...step.effect.assigns].filter(([name]) => !dead.has(name)));
    const kept: Step = { ...step, effect: { raises: step.effect.raises, assigns } };
    steps.push(kept);
    if (step.effect.raises.length > 0) {
      dead = new Set();
      continue;
    }
    for (const name of assigns.keys()) if (flags.has(name)) dead.add(name);
    const read = freeVariables([...assigns.values(), ...deciding(step.flow)]);
    for (const [name, term] of flags) if (read.has(term)) dead.delete(name);
  }
  return { pc: block.pc, steps: steps.reverse() };
}
