/** What `commute run` drives: a machine's simulator, or something that keeps the machine's promise, as translated code does. */
import { EnvironmentFailure } from "../errors.js";
import type { Access } from "../terms/term.js";
import type { Value } from "../terms/value.js";

/** A byte memory in place; addresses wrap, numbers are little-endian. */
export interface EngineMemory {
  accessible(access: Access, address: bigint, bytes: number): boolean;
  read(address: bigint, bytes: number): bigint;
  readByte(address: bigint): number;
  write(address: bigint, bytes: number, value: bigint): void;
  writeByte(address: bigint, byte: number): void;
}

/** What runs the program has gone astray, by a mistake of its own: the program did nothing that would explain it. */
export class EngineFailure extends EnvironmentFailure {}

/** Why a run came to its end: all steps done, a step that ended in a trap (it counts), or no transition enabled. */
export type Reason = "limit" | "trap" | "stuck";

export interface RunOutcome {
  readonly reason: Reason;
  /** Steps done, the trapping one included. */
  readonly steps: number;
}

/** State is named as the machine's is. Between two calls of `run` it is that of the machine before some instruction. */
export interface Engine {
  /** Steps done so far, in units of its own. */
  readonly steps: number;
  read(name: string): Value;
  write(name: string, value: Value): void;
  /** A scalar, unsigned. */
  scalar(name: string): bigint;
  element(file: string, index: number): bigint;
  setElement(file: string, index: number, value: bigint): void;
  /** The same object as long as the engine lives. */
  memory(name: string): EngineMemory;
  /** About `maxSteps` steps at most; it ends earlier in a trap, which is then in `trap` and `trap.value`. */
  run(maxSteps: number): RunOutcome;
}
