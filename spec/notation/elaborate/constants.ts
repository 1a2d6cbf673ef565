/** Expressions that must be constant. */
import type { Expression } from "../syntax/ast.js";
import type { Context } from "./context.js";

/** A constant integer, for widths, bounds and counts; `what` needs it. */
export function evaluateConstant(cx: Context, node: Expression, what: string): bigint | undefined {
  const value = cx.evaluate(node, undefined);
  if (value.kind === "int") return value.value;
  if (value.kind === "wrong") return undefined;
  if (value.kind === "typed" && value.type.kind === "bits" && value.terms[0]?.op === "const")
    return value.terms[0].value;
  cx.report(
    "E_CONSTANT",
    node.span,
    `${what} must be a constant; \`${cx.text(node.span)}\` is known only when the machine runs`,
  );
  return undefined;
}
