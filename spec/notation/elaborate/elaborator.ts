/** Puts the parts of the elaborator together. */
import type { Diagnostics } from "../diagnostics.js";
import { Context, type ContextOptions, type Elaborator } from "./context.js";
import { evaluateExpression } from "./expressions.js";
import { blockValue, runBlock } from "./statements.js";
import type { Permissions, Unit, World } from "./world.js";

const elaborator: Elaborator = { expression: evaluateExpression, blockValue, block: runBlock };

/** A context in which the strings of `unit` can be elaborated. */
export function newContext(
  world: World,
  diagnostics: Diagnostics,
  unit: Unit,
  permissions: Permissions,
  options: ContextOptions = {},
): Context {
  return new Context(elaborator, world, diagnostics, unit, permissions, options);
}
