/**
 * What a program imports from the package: definitions read, machines run, random programs and states for properties of one's
 * own (docs/how-to-add-a-property.md), and the types of the modules that a refinement file names (`translator: { module: … }`).
 */
export { EnvironmentFailure, InternalDefect, UserError } from "./refinement/errors.js";
export { loadMachine, loadRefinement } from "./spec/notation/index.js";

export { enabledTransitions, fire, stepAny, zeroState } from "./refinement/execute/concrete.js";
export { differences } from "./refinement/execute/difference.js";
export { assemble, disassemble } from "./refinement/assembly/index.js";

export { instructions } from "./properties/arbitraries/instructions.js";
export { operands } from "./properties/arbitraries/operands.js";
export { permissions } from "./properties/arbitraries/permissions.js";
export { programs } from "./properties/arbitraries/programs.js";
export { schedules } from "./properties/arbitraries/schedules.js";
export { states } from "./properties/arbitraries/states.js";
export { values } from "./properties/arbitraries/values.js";
export { stateWithProgram } from "./properties/begin.js";
export { testRefinement } from "./properties/lockstep.js";
export { randomAt } from "./properties/random.js";

export type { Counterexample, Difference } from "./refinement/counterexample.js";
export type { Emulator, EmulatorFactory } from "./refinement/emulator.js";
export type { Machine } from "./refinement/machine.js";
export type { Refinement } from "./refinement/refinement.js";
export type { State } from "./refinement/execute/state.js";
export type { EngineFactory, Translation, Translator, TranslatorFactory } from "./refinement/translation.js";
export type { Verdict } from "./refinement/verdict.js";
