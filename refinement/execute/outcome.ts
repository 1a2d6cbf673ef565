/** How a run ends, and what is said of it. */
import type { TrapDeclaration } from "../machine.js";
import { widthOf } from "./concrete.js";

export interface RunResult {
  readonly exitCode: number;
  readonly reason: "exit" | "halted" | "trap" | "limit" | "interrupted" | "unsupported";
  /** What to tell the user, where the program did not exit by itself. */
  readonly message: string | undefined;
  readonly steps: number;
  readonly seconds: number;
  /** What an eBPF program returned, and its context after it; undefined where it did not exit, and of other machines. */
  readonly returned?: { readonly r0: bigint; readonly context: Uint8Array } | undefined;
  /**
   * The memory between the symbols `begin_signature` and `end_signature`, as the RISC-V architecture tests want it: a
   * 32-bit word a line, in hexadecimal. Throws `UserError` for a program without these symbols.
   */
  readonly signature: () => string;
}

export type End = Pick<RunResult, "exitCode" | "reason" | "message">;

export const INTERRUPTED: End = { exitCode: 130, reason: "interrupted", message: "interrupted" };

/** SIGXCPU. */
const OUT_OF_STEPS = 152;

export function outOfSteps(steps: number, where: string): End {
  const message = `stopped after ${steps} instructions (--max-steps), ${where}`;
  return { exitCode: OUT_OF_STEPS, reason: "limit", message };
}

/** Steps between looks at the clock and at a signal. */
export const SLICE = 20_000_000;

/** `load_access_fault(address: 0x0)` */
export function trapText(trap: TrapDeclaration, packed: bigint): string {
  if (trap.parameters.length === 0) return trap.name;
  let rest = packed;
  const parts: string[] = [];
  for (const p of [...trap.parameters].reverse()) {
    const width = widthOf(p);
    parts.unshift(`${p.name}: 0x${BigInt.asUintN(width, rest).toString(16)}`);
    rest >>= BigInt(width);
  }
  return `${trap.name}(${parts.join(", ")})`;
}
