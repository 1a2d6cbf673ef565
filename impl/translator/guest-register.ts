/**
 * A register of the guest's, as rules see it: they can tell two apart and which of them is x0, and nothing else, so that what holds of
 * some registers holds of all that are equal in the same way.
 */
import type { Term } from "../../refinement/terms/term.js";
import { concat, constant, zext } from "../../refinement/terms/build.js";
import { type Decisions, type Quantity, quantity } from "../../refinement/translation/quantity.js";
import { CONTEXT } from "./context.js";
import type { Address } from "./code.js";

export class GuestRegister {
  /** Where the context keeps it. */
  readonly place: Address;

  constructor(displacement: Quantity) {
    this.place = CONTEXT.x(displacement);
  }
}

const KNOWN = Array.from({ length: 32 }, (_, i) => new GuestRegister(BigInt(8 * i)));

/** x0, which has a place that nobody reads. */
export const ZERO = known(0n);

export function known(number: bigint): GuestRegister {
  const found = KNOWN[Number(number)];
  if (found === undefined) throw new RangeError(`there is no register x${number}`);
  return found;
}

/** Registers whose numbers are open: equal terms are one register, different ones are not. */
export class OpenRegisters {
  private readonly decisions: Decisions;
  private readonly found = new Map<Term, GuestRegister>();

  constructor(decisions: Decisions) {
    this.decisions = decisions;
  }

  of(number: Term): GuestRegister {
    if (number.op === "const") return known(number.value);
    let register = this.found.get(number);
    if (register === undefined) {
      const displacement = zext(concat(number, constant(3, 0n)), 64);
      register = new GuestRegister(quantity(displacement, this.decisions));
      this.found.set(number, register);
    }
    return register;
  }
}
