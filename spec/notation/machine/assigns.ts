/** What a body has done to the state. */
import type { Term } from "../../../refinement/terms/term.js";
import type { Context } from "../elaborate/context.js";

/** State variables whose value is another than before; none where every path ends in a raise. */
export function assigns(cx: Context): ReadonlyMap<string, Term> {
  const changed = new Map<string, Term>();
  if (cx.dead) return changed;
  for (const declaration of cx.world.state.values()) {
    if (declaration.name === "trap") continue;
    for (const [key, before] of declaration.terms) {
      const after = cx.store.get(key);
      if (after !== undefined && after !== before) changed.set(key, after);
    }
  }
  return changed;
}
