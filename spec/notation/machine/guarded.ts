/** Runs an elaboration; one that grows beyond all bounds becomes a diagnostic. */
import type { Place } from "../../../refinement/errors.js";
import type { Diagnostics } from "../diagnostics.js";
import { MAX_CALLS, MAX_STEPS, TooLarge } from "../elaborate/context.js";

export function guarded<T>(diagnostics: Diagnostics, place: Place, body: () => T): T | undefined {
  try {
    return body();
  } catch (error) {
    if (error instanceof TooLarge) {
      // What comes after has no budget left, through no fault of its own.
      if (diagnostics.has("E_SIZE")) return undefined;
      const message = `this grows beyond ${MAX_STEPS} steps or ${MAX_CALLS} nested calls once functions are inlined and loops unrolled; make it smaller`;
      diagnostics.report("E_SIZE", place, message);
      return undefined;
    }
    // The depth of what is nested is limited by the stack where nothing else limits it.
    if (error instanceof RangeError && error.message.includes("call stack")) {
      diagnostics.report("E_NESTING", place, "this is nested too deeply once functions are inlined; split it");
      return undefined;
    }
    throw error;
  }
}
