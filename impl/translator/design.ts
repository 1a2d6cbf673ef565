/** What the translator is put together from; a seeded fault (faults/) replaces a part. */
import { Code } from "./code.js";
import { Emitter } from "./emitter.js";
import { Registers } from "./registers.js";
import { atomic } from "./rules/atomic.js";
import { bits } from "./rules/bits.js";
import { control } from "./rules/control.js";
import { integer } from "./rules/integer.js";
import { memoryAccess } from "./rules/memory.js";
import { multiply } from "./rules/multiply.js";
import type { Rules } from "./rules/rule.js";
import { CodeCache } from "./runtime/code-cache.js";

export interface Design {
  /** By the guest's names; what is not among them is not translated. */
  readonly rules: Rules;
  readonly Code: typeof Code;
  readonly Registers: typeof Registers;
  readonly Emitter: typeof Emitter;
  /** Number of the instruction before which a block looks whether an interrupt waits: only before the first, 0, is nothing done. */
  readonly pollsBefore: number;
  /** The jump out of the block behind the comparison of that word with 0. */
  readonly leavesBy: "je" | "jne";
  /** Of the runtime. */
  readonly CodeCache: typeof CodeCache;
}

export const DESIGN: Design = {
  rules: { ...integer, ...multiply, ...memoryAccess, ...atomic, ...bits, ...control },
  Code,
  Registers,
  Emitter,
  pollsBefore: 0,
  leavesBy: "jne",
  CodeCache,
};

/** Whether control goes elsewhere after the instruction. */
export function endsBlock(name: string): boolean {
  return control[name] !== undefined;
}
