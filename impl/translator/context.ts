/** Where the guest's state lives between blocks: at rdi, in memory that only the translator's own code touches. */
import type { Quantity } from "../../refinement/translation/quantity.js";
import type { Address } from "./code.js";

/** So far from the context's beginning. */
export type Place<Distance extends Quantity = bigint> = Address & { readonly displacement: Distance };

const at = <Distance extends Quantity>(displacement: Distance): Place<Distance> => ({ base: "rdi", displacement });

export const CONTEXT = {
  /** Registers stand first, 8 bytes each. */
  x: at,
  pc: at<bigint>(256n),
  /** Not 0 where an interrupt waits: blocks leave at once. */
  interrupt: at<bigint>(264n),
  /** A byte: whether there is a reservation; and its address. */
  reserved: at<bigint>(272n),
  reservation: at<bigint>(280n),
} as const;

export const CONTEXT_SIZE = 288;
