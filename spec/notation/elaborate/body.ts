/** The bodies of functions. */
import { coerce } from "./coerce.js";
import type { Context } from "./context.js";
import { typeOf } from "./declarations.js";
import { Scope } from "./scope.js";
import { NONE, type Val, WRONG } from "./value.js";
import type { FunctionDeclaration } from "./world.js";

/** The body of a function in a scope that holds its parameters. */
export function runBody(cx: Context, f: FunctionDeclaration, scope: Scope, widths: Scope): Val {
  const { result } = f.signature;
  const type = result === undefined ? undefined : cx.inUnit(f.unit, widths, () => typeOf(cx, result));
  return cx.inUnit(f.bodyUnit, new Scope(scope), () => {
    if (result === undefined) {
      cx.execute(f.body);
      return NONE;
    }
    const value = cx.evaluateBlock(f.body, type);
    if (type === undefined) return WRONG;
    if (value.kind === "none" && cx.dead) return WRONG;
    const last = f.body.statements.at(-1);
    return coerce(cx, value, type, last?.span ?? f.body.span, `the result of \`${f.name}\``) ?? WRONG;
  });
}
