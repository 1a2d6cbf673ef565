/** Which expressions take their type from what stands around them. */
import type { Expression } from "../syntax/ast.js";
import type { Context } from "./context.js";
import type { NType } from "./types.js";

/**
 * True for an expression that has no width or type of its own: a plain number, `sext(e)`, a member of an enum, and what is
 * made of those alone. The other operand, or the place the value goes to, decides.
 */
export function flexible(cx: Context, node: Expression): boolean {
  switch (node.kind) {
    case "literal":
      return node.width === undefined;
    case "name":
      return flexibleName(cx, node.name);
    case "call":
      if ((node.callee.name === "sext" || node.callee.name === "zext") && node.arguments.length === 1) return true;
      return (
        cx.scope.get(node.callee.name) === undefined &&
        isTrap(cx, node.callee.name) &&
        !cx.world.functions.has(node.callee.name)
      );
    case "unary":
      return node.operator !== "!" && flexible(cx, node.operand);
    case "arithmetic":
      return flexible(cx, node.left) && flexible(cx, node.right);
    case "shift":
      return flexible(cx, node.left);
    case "conditional":
      return flexible(cx, node.then) && flexible(cx, node.else);
    case "match":
      return node.arms.every((arm) => {
        const last = arm.body.statements.at(-1);
        return last?.kind === "expression" && arm.body.statements.length === 1 && flexible(cx, last.expression);
      });
    case "record":
      return true;
    default:
      return false;
  }
}

/** The hint to give to the choices of `? :` or `match`: a width only where no choice has one of its own. */
export function firmHint(cx: Context, node: Expression, hint: NType | undefined): NType | undefined {
  return hint?.kind === "bits" && !flexible(cx, node) ? undefined : hint;
}

function isTrap(cx: Context, name: string): boolean {
  return cx.world.trap?.table.traps.some((t) => t.name === name) ?? false;
}

function flexibleName(cx: Context, name: string): boolean {
  const binding = cx.scope.get(name);
  if (binding !== undefined) return binding.kind === "value" && binding.value.kind === "int";
  if (cx.world.state.has(name)) return false;
  const parameter = cx.unit.parameters.get(name);
  if (parameter !== undefined) return parameter.kind === "int";
  const constant = cx.world.knownConstants.get(name);
  if (constant !== undefined) return constant.kind === "int";
  if (cx.world.constants.has(name)) return cx.world.constants.get(name)?.type === undefined;
  return true;
}
