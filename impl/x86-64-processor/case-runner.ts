/**
 * Talks to native/case-runner.c: layouts, batches and cases in, results out. All numbers are 64-bit little-endian; the records are
 * the structs of the C source.
 */
import { EnvironmentFailure, InternalDefect } from "../../refinement/errors.js";
import { CaseProcess } from "../shared/case-process.js";
import { encodeWindows } from "../shared/windows.js";
import { WINDOWS } from "./layout.js";

const MAX_PATCHES = 4;
const PATCH_BYTES = 16;
const MAX_CHANGES = 72;
export const MAX_BATCH = 512;

const INPUT_BYTES = 8 * 22 + 16 + MAX_PATCHES * (16 + PATCH_BYTES);
const OUTPUT_BYTES = 8 * (25 + 2 * MAX_CHANGES);

export const SIGNALS = { ILL: 4, TRAP: 5, BUS: 7, FPE: 8, SEGV: 11, VTALRM: 26 } as const;

/** Exception vectors (Intel SDM volume 3, table 6-1). */
export const VECTORS = {
  divide_error: 0,
  debug: 1,
  breakpoint: 3,
  overflow: 4,
  invalid_opcode: 6,
  stack_fault: 12,
  general_protection: 13,
  page_fault: 14,
  alignment_check: 17,
} as const;

export interface CaseInput {
  readonly rip: bigint;
  /** rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 … r15. */
  readonly gpr: readonly bigint[];
  readonly flags: bigint;
  readonly fs: bigint;
  readonly gs: bigint;
  /** Empty where nothing is to be put at rip. */
  readonly code: Uint8Array;
  /** Breakpoints behind the instruction end the case, and the trap flag is clear: for pushf, which shows it. */
  readonly breakpoints: boolean;
  readonly patches: readonly { readonly address: bigint; readonly bytes: Uint8Array }[];
}

export interface CaseOutput {
  readonly rip: bigint;
  readonly gpr: readonly bigint[];
  readonly flags: bigint;
  readonly fs: bigint;
  readonly gs: bigint;
  readonly signal: number;
  /** The exception's vector. */
  readonly exception: number;
  readonly error: bigint;
  /** cr2: of the last page fault. */
  readonly address: bigint;
  /** Aligned double words that the instruction changed. */
  readonly changes: readonly { readonly address: bigint; readonly value: bigint }[];
}

/** One process, started when needed. Batches are run one after the other. */
export class CaseRunner {
  private readonly command: readonly [string, ...string[]];
  private readonly timeoutMs: number;
  private process: CaseProcess | undefined;

  constructor(command: readonly [string, ...string[]], timeoutMs = 60_000) {
    this.command = command;
    this.timeoutMs = timeoutMs;
  }

  /** Throws `EnvironmentFailure` where the process dies of a case. */
  async run(cases: readonly CaseInput[], signal: AbortSignal): Promise<readonly CaseOutput[]> {
    signal.throwIfAborted();
    this.process ??= new CaseProcess(this.command, encodeWindows(WINDOWS));
    const running = this.process;
    const answer = await running.exchange(encodeBatch(cases), cases.length * OUTPUT_BYTES, this.timeoutMs, signal);
    if (answer.kind === "died") {
      this.process = undefined;
      throw new EnvironmentFailure("case runner", `ended while it ran cases ${answer.complaint}`.trimEnd());
    }
    return decodeBatch(answer.bytes, cases.length);
  }

  async close(): Promise<void> {
    await this.process?.kill();
    this.process = undefined;
  }
}

function encodeBatch(cases: readonly CaseInput[]): Uint8Array {
  if (cases.length === 0 || cases.length > MAX_BATCH) throw new InternalDefect(`a batch of ${cases.length} cases`);
  const bytes = new Uint8Array(8 + cases.length * INPUT_BYTES);
  const words = new BigUint64Array(bytes.buffer);
  words[0] = BigInt(cases.length);
  cases.forEach((c, i) => {
    const at = 1 + (i * INPUT_BYTES) / 8;
    words[at] = c.rip;
    for (let r = 0; r < 16; r++) words[at + 1 + r] = c.gpr[r] ?? 0n;
    words.set([c.flags, c.fs, c.gs, BigInt(c.code.length), c.breakpoints ? 1n : 0n], at + 17);
    bytes.set(c.code, 8 * (at + 22));
    if (c.patches.length > MAX_PATCHES) throw new InternalDefect(`a case with ${c.patches.length} patches of memory`);
    for (const [k, p] of c.patches.entries()) {
      if (p.bytes.length > PATCH_BYTES) throw new InternalDefect(`a patch of ${p.bytes.length} bytes`);
      const place = at + 24 + (k * (16 + PATCH_BYTES)) / 8;
      words.set([p.address, BigInt(p.bytes.length)], place);
      bytes.set(p.bytes, 8 * (place + 2));
    }
  });
  return bytes;
}

function decodeBatch(bytes: Uint8Array, count: number): CaseOutput[] {
  const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  return Array.from({ length: count }, (_, i) => {
    const at = (i * OUTPUT_BYTES) / 8;
    const word = (k: number): bigint => words[at + k] ?? 0n;
    const changed = Number(word(24));
    if (changed > MAX_CHANGES)
      throw new EnvironmentFailure("case runner", `an instruction changed ${changed} double words of memory`);
    return {
      rip: word(0),
      gpr: [...words.subarray(at + 1, at + 17)],
      flags: word(17),
      fs: word(18),
      gs: word(19),
      signal: Number(word(20)),
      exception: Number(word(21)),
      error: word(22),
      address: word(23),
      changes: Array.from({ length: changed }, (_, k) => ({ address: word(25 + 2 * k), value: word(26 + 2 * k) })),
    };
  });
}
