/**
 * What QEMU's log (`-d in_asm,op_opt,out_asm`, with or without `op`) tells of a translation block.
 */

export interface LoggedInstruction {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** Host code from `host` on belongs to the guest instruction at `guest`, up to the next mark. */
export interface FaultMark {
  readonly host: bigint;
  readonly guest: bigint;
}

/** A line of the optimized intermediate code that says something about the host code. */
export interface Operation {
  readonly name: string;
  /** As printed: `x10/a0`, `tmp4`, `$0x8`, `al+leq`. */
  readonly operands: readonly string[];
  /** Globals whose memory the host code brings up to date here, in the order of the stores: `x10/a0`, `pc`. */
  readonly synced: readonly string[];
}

export interface LoggedBlock {
  /** Of the log, where the block begins. */
  readonly line: number;
  /** What was read at the guest's address, in order; empty in a log without `in_asm`. */
  readonly instructions: readonly LoggedInstruction[];
  /** Address of each guest instruction, from the intermediate code. */
  readonly boundaries: readonly bigint[];
  /** Calls, exits, accesses to guest memory, stores to the guest's state and whatever brings globals up to date; nothing else. */
  readonly operations: readonly Operation[];
  readonly address: bigint;
  readonly code: Uint8Array;
  readonly marks: readonly FaultMark[];
  /** The first address that belongs to no guest instruction: slow paths, padding. */
  readonly marksEnd: bigint;
  /** Directly behind the code. */
  readonly pool: Uint8Array;
}

/** The code around all translations, which QEMU makes once. */
export interface LoggedPrologue {
  readonly address: bigint;
  readonly code: Uint8Array;
}

/**
 * What is wrong with a log: `truncated` (a block has no end), `malformed` (a line that has no place there), `gap` (an address that does
 * not follow), `size` (another number of bytes than announced), `flood` (a block without end: QEMU prints some guest words for ever).
 */
export type ProblemName = "truncated" | "malformed" | "gap" | "size" | "flood";

export interface LogProblem {
  readonly name: ProblemName;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

export type LogEvent =
  | { readonly kind: "prologue"; readonly prologue: LoggedPrologue }
  | { readonly kind: "block"; readonly block: LoggedBlock }
  /** The block that it stands in is left out; reading goes on with the next. */
  | { readonly kind: "problem"; readonly problem: LogProblem };
