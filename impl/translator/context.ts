/** Where the guest's state lives between blocks: at rdi, in memory that only the translator's own code touches. */
import type { Address } from "./code.js";

const at = (displacement: number): Address => ({ base: "rdi", displacement: BigInt(displacement) });

export const CONTEXT = {
  /** x0 has a place, which nobody reads. */
  x: (register: number): Address => at(8 * register),
  pc: at(256),
  /** Not 0 where an interrupt waits: blocks leave at once. */
  interrupt: at(264),
  /** A byte: whether there is a reservation; and its address. */
  reserved: at(272),
  reservation: at(280),
} as const;

export const CONTEXT_SIZE = 288;
