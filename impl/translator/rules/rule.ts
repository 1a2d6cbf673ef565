import type { Emitter } from "../emitter.js";

/** How one guest instruction is translated: everything that it does, but for going on to the next one. */
export type Rule = (e: Emitter) => void;

/** By the guest's names. A rule that ends the block is in `control` or `traps`. */
export type Rules = Readonly<Record<string, Rule>>;
