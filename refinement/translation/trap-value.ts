/** Where a translation leaves to have a trap raised: what it says of the trap's value. */
import type { Machine } from "../machine.js";
import type { TrapValue } from "../translation.js";

/** The same, a constant put in other terms. */
export function mapTrapValue<From, To>(
  value: TrapValue<From> | undefined,
  constant: (value: From) => To,
): TrapValue<To> | undefined {
  return value?.kind === "constant" ? { kind: "constant", value: constant(value.value) } : value;
}

/** How many bits of it the guest's definition tells; undefined where that gives the trap no value. */
export function widthOfValue({ traps }: Machine, trap: string): number | undefined {
  const { parameters = [] } = traps.find((t) => t.name === trap) ?? {};
  const [only] = parameters;
  return parameters.length === 1 && only?.type.kind === "bits" ? only.type.width : undefined;
}
