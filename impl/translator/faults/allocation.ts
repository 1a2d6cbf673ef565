/** Guest registers lost track of within a block. */
import type { Register } from "../code.js";
import type { GuestRegister } from "../guest-register.js";
import { Emitter } from "../emitter.js";
import { Registers } from "../registers.js";
import type { Faults } from "./fault.js";

/** A host register is taken for another guest register; what it held is thought to be in the context. */
class Forgetting extends Registers {
  protected override spill(): void {}
}

/** A register that is written keeps the number that it was known to be. */
class Stale extends Registers {
  override write(guest: GuestRegister): Register {
    const known = this.known(guest);
    const host = super.write(guest);
    const held = this.held.get(guest);
    if (held !== undefined) held.known = known;
    return host;
  }
}

/** A result is for a register, x0 too, and is in hand for whoever reads it next. */
class WritingX0 extends Emitter {
  override result(compute: (destination: Register) => void): void {
    compute(this.registers.write(this.rd));
  }
}

export const allocation: Faults = {
  "eviction-loses-write": { Registers: Forgetting },
  "stale-constant": { Registers: Stale },
  "x0-written": { Emitter: WritingX0 },
};
