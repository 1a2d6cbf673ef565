/**
 * Where generated code finds the values of variables.
 */
import type { Term } from "../terms/term.js";
import type { FilePlace, MemoryPlace } from "./layout.js";

/** Where a variable's value is. */
export type Binding =
  /** A local: i32 for a bool, else i64. */
  | { readonly kind: "local"; readonly local: number }
  /** Limbs in linear memory, at an address relative to the i32 local `base` if there is one. */
  | { readonly kind: "cell"; readonly base: number | undefined; readonly address: number }
  | FilePlace
  | MemoryPlace;

export type Bindings = (term: Term) => Binding | undefined;
