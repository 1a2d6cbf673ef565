/** Parts of values: slices of bits, bytes of memory. */
import * as build from "../../../refinement/terms/build.js";
import type { Access, Term } from "../../../refinement/terms/term.js";
import type { AccessNode, SliceNode } from "../syntax/ast.js";
import { coerce } from "./coerce.js";
import { evaluateConstant } from "./constants.js";
import type { Context } from "./context.js";
import { MAX_WIDTH, bitsType } from "./types.js";
import { type Val, describe, single } from "./value.js";

/** The bounds of `e[hi:lo]`, where they are right. */
export function sliceBounds(cx: Context, node: SliceNode, base: Val): { hi: number; lo: number } | undefined {
  const hi = evaluateConstant(cx, node.hi, "the high bit of a slice");
  const lo = evaluateConstant(cx, node.lo, "the low bit of a slice");
  if (base.kind === "wrong" || hi === undefined || lo === undefined) return undefined;
  const text = cx.text(node.base.span);
  if (base.kind !== "typed" || base.type.kind !== "bits") {
    cx.report("E_TYPE", node.base.span, `a slice is taken of bits; \`${text}\` is ${describe(base)}`);
    return undefined;
  }
  if (lo < 0n || hi < lo || hi >= BigInt(base.type.width)) {
    const remedy = hi < lo ? "the high bit comes first" : `\`${text}\` has bits ${base.type.width - 1} to 0`;
    cx.report("E_RANGE", node.span, `there is no slice [${hi}:${lo}]: ${remedy}`);
    return undefined;
  }
  return { hi: Number(hi), lo: Number(lo) };
}

/** Base, address and size of an access to memory. */
export interface MemoryAccess {
  readonly memory: Term;
  readonly address: Term;
  readonly bytes: number;
}

export function memoryAccess(cx: Context, node: AccessNode, base: Val): MemoryAccess | undefined {
  const address = base.kind === "typed" && base.type.kind === "memory" ? bitsType(base.type.address) : undefined;
  const at = cx.evaluate(node.address, address);
  const bytes = evaluateConstant(cx, node.bytes, "the number of bytes of an access");
  if (base.kind === "wrong") return undefined;
  const text = cx.text(node.base.span);
  if (base.kind !== "typed" || address === undefined) {
    cx.report(
      "E_TYPE",
      node.base.span,
      `\`${text}\` is ${describe(base)}, no memory; [address, bytes] reads memory only`,
    );
    return undefined;
  }
  const where = coerce(cx, at, address, node.address.span, `an address of \`${text}\``);
  if (bytes !== undefined && (bytes < 1n || bytes > BigInt(MAX_WIDTH / 8))) {
    cx.report("E_RANGE", node.bytes.span, `an access is to 1 to ${MAX_WIDTH / 8} bytes, not ${bytes}`);
    return undefined;
  }
  if (where === undefined || bytes === undefined) return undefined;
  return { memory: single(base), address: single(where), bytes: Number(bytes) };
}

/** The trap that an inaccessible access raises, where the body may raise. */
export function faultUnless(cx: Context, at: MemoryAccess, kind: Access, trap: string): void {
  if (!cx.permissions.raise) return;
  const declaration = cx.world.trap?.table.traps.find((t) => t.name === trap);
  if (declaration === undefined) return;
  const denied = build.not(build.accessible(at.memory, kind, at.address, at.bytes));
  cx.raise(denied, trap, declaration.parameters.length === 0 ? [] : [at.address]);
}
