/**
 * Guest registers in host registers, within one block. What is in hand is a host register, or a number that the translator
 * knows; what the guest has written goes back to the context only when it must (`writeBack`).
 */
import { fitsSigned, fitsUnsigned, type Quantity } from "../../refinement/translation/quantity.js";
import { type Code, immediate, memory, type Register, register } from "./code.js";
import { type GuestRegister, ZERO } from "./guest-register.js";

/** Those that no instruction needs for itself (rax, rcx, rdx), that the calling convention lets be lost, and not rdi. */
const POOL: readonly Register[] = ["rsi", "r8", "r9", "r10", "r11"];

export interface Held {
  host: Register | undefined;
  /** The value, where it is known; `host`, if there is one, holds it as well. */
  known: Quantity | undefined;
  /** The context does not have it yet. */
  dirty: boolean;
}

export class Registers {
  protected readonly code: Code;
  /** By guest register, the longest unused first. */
  protected readonly held = new Map<GuestRegister, Held>();

  constructor(code: Code) {
    this.code = code;
  }

  /** A host register that holds the guest's; valid until three others have been asked for. */
  read(guest: GuestRegister): Register {
    const held = this.take(guest);
    if (held.host !== undefined) return held.host;
    const host = this.free();
    if (held.known !== undefined) load(this.code, host, held.known);
    else this.code.emit("mov", register(host), memory(guest.place));
    held.host = host;
    return host;
  }

  /** The value of a guest register, where the translator knows it. */
  known(guest: GuestRegister): Quantity | undefined {
    return guest === ZERO ? 0n : this.held.get(guest)?.known;
  }

  /** A host register for a new value of the guest's, which is not x0. */
  write(guest: GuestRegister): Register {
    const held = this.take(guest);
    held.host ??= this.free();
    held.known = undefined;
    held.dirty = true;
    return held.host;
  }

  /** The guest register, which is not x0, now has this value; nothing is emitted before somebody needs it. */
  define(guest: GuestRegister, value: Quantity): void {
    const held = this.take(guest);
    held.host = undefined;
    held.known = value;
    held.dirty = true;
  }

  /** The context gets what it does not have. What is in hand stays there. */
  writeBack(): void {
    for (const [guest, held] of this.held) this.store(guest, held);
  }

  private take(guest: GuestRegister): Held {
    const held = this.held.get(guest) ?? { host: undefined, known: guest === ZERO ? 0n : undefined, dirty: false };
    this.held.delete(guest);
    this.held.set(guest, held);
    return held;
  }

  private free(): Register {
    const used = new Set([...this.held.values()].map((h) => h.host));
    const unused = POOL.find((host) => !used.has(host));
    if (unused !== undefined) return unused;
    for (const [guest, held] of this.held) {
      const { host } = held;
      if (host === undefined) continue;
      if (held.known === undefined) {
        this.spill(guest, held);
        this.held.delete(guest);
      }
      held.host = undefined;
      return host;
    }
    return POOL[0] ?? "rsi";
  }

  /** The guest register is about to lose its host register. */
  protected spill(guest: GuestRegister, held: Held): void {
    this.store(guest, held);
  }

  private store(guest: GuestRegister, held: Held): void {
    if (!held.dirty) return;
    held.dirty = false;
    const place = memory(guest.place);
    if (held.host !== undefined) {
      this.code.emit("mov", place, register(held.host));
    } else if (held.known !== undefined) {
      if (fits32(held.known)) {
        this.code.emit("mov", place, immediate(held.known));
      } else {
        load(this.code, "rax", held.known);
        this.code.emit("mov", place, register("rax"));
      }
    }
  }
}

/** Whether an instruction on 64 bits can have the number as its immediate: 32 bits, sign-extended. */
export function fits32(value: Quantity): boolean {
  return fitsSigned(value, 32);
}

/** The shortest instruction that leaves the flags alone. */
export function load(code: Code, host: Register, value: Quantity): void {
  if (fitsUnsigned(value, 32)) code.emit("mov", register(host, 32), immediate(value, 32));
  else code.emit("mov", register(host), immediate(value));
}
