import type { Value } from "../terms/value.js";

/** A concrete state: a value for each state variable of a machine, by name. */
export type State = ReadonlyMap<string, Value>;
