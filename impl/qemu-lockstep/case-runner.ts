/**
 * Talks to guest/case-runner.c, which runs inside QEMU: layouts, batches and cases in, results out. All numbers are 64-bit
 * little-endian; the records are the structs of the C source.
 */
import { EnvironmentFailure, InternalDefect } from "../../refinement/errors.js";
import { CaseProcess } from "../shared/case-process.js";
import { encodeWindows, type Window } from "../shared/windows.js";

const MAX_PATCHES = 4;
const MAX_CHANGES = 4;
export const MAX_BATCH = 256;

const INPUT_WORDS = 40 + 3 * MAX_PATCHES;
const OUTPUT_WORDS = 38 + 2 * MAX_CHANGES;
/** Behind these, where the runner is compiled with floating-point registers. */
const FLOAT_WORDS = 32;

export const SIGILL = 4n;
export const SIGTRAP = 5n;
export const SIGBUS = 7n;
export const SIGSEGV = 11n;
export const SIGVTALRM = 26n;

/** The numbers of the C source. */
export const DOES = { nothing: 0n, loads: 1n, stores: 2n, jumps: 4n } as const;
export type Does = keyof typeof DOES;

export interface Reservation {
  readonly address: bigint;
  readonly bytes: 0 | 4 | 8;
}

export interface CaseInput {
  readonly pc: bigint;
  /** x0 … x31. */
  readonly x: readonly bigint[];
  /** f0 … f31, where the runner is compiled with them. */
  readonly f?: readonly bigint[] | undefined;
  readonly word: bigint;
  /** Bytes of the word. */
  readonly length: 2 | 4;
  /** What the word does with what stands at `address`; it may jump wherever it does. */
  readonly does: Does;
  readonly address: bigint;
  /** A reservation that is registered beforehand, by a load-reserved of so many bytes; of 0 for none. */
  readonly reservation: Reservation;
  /** The reservation to look for afterwards; of 0 bytes for none. */
  readonly probe: Reservation;
  /** Up to four, of up to 8 bytes, little-endian. */
  readonly patches: readonly { readonly address: bigint; readonly length: number; readonly value: bigint }[];
}

export interface CaseOutput {
  readonly pc: bigint;
  /** x0 … x31. */
  readonly x: readonly bigint[];
  /** f0 … f31, where the runner is compiled with them. */
  readonly f: readonly bigint[] | undefined;
  readonly signal: bigint;
  /** si_addr. */
  readonly address: bigint;
  /** Aligned double words that the instruction changed. */
  readonly changes: readonly { readonly address: bigint; readonly value: bigint }[];
  /** Whether there was a reservation where `probe` asked. */
  readonly reserved: boolean;
}

/** QEMU gave up: its message and the registers that it printed. */
export interface Died {
  readonly message: string;
  /** Undefined where it printed none. */
  readonly registers: { readonly pc: bigint; readonly x: readonly bigint[] } | undefined;
}

export type BatchResult =
  | { readonly kind: "results"; readonly outputs: readonly CaseOutput[] }
  | { readonly kind: "died"; readonly died: Died };

/** One process, started when needed and again after it died. Batches are run one after the other. */
export class CaseRunner {
  private readonly command: readonly [string, ...string[]];
  private readonly windows: readonly Window[];
  /** 64-bit words of floating-point registers behind each record. */
  private readonly floatWords: number;
  private readonly timeoutMs: number;
  private process: CaseProcess | undefined;

  constructor(
    command: readonly [string, ...string[]],
    windows: readonly Window[],
    { floats = false, timeoutMs = 60_000 }: { readonly floats?: boolean; readonly timeoutMs?: number } = {},
  ) {
    this.command = command;
    this.windows = windows;
    this.floatWords = floats ? FLOAT_WORDS : 0;
    this.timeoutMs = timeoutMs;
  }

  async run(cases: readonly CaseInput[], signal: AbortSignal): Promise<BatchResult> {
    signal.throwIfAborted();
    const result = await this.batch(cases, false, signal);
    // A write where nobody looked: look everywhere, and see which case it was.
    return result === "stray" ? this.careful(cases, signal) : result;
  }

  private async careful(cases: readonly CaseInput[], signal: AbortSignal): Promise<BatchResult> {
    const result = await this.batch(cases, true, signal);
    if (result === "stray") throw new InternalDefect("the case runner does not find the case that wrote to memory");
    return result;
  }

  private async batch(
    cases: readonly CaseInput[],
    careful: boolean,
    signal: AbortSignal,
  ): Promise<BatchResult | "stray"> {
    this.process ??= new CaseProcess(this.command, encodeWindows(this.windows));
    const running = this.process;
    const answer = await running.exchange(
      encodeBatch(cases, careful, this.floatWords),
      cases.length * (OUTPUT_WORDS + this.floatWords) * 8,
      this.timeoutMs,
      signal,
    );
    if (answer.kind === "died") {
      this.process = undefined;
      return { kind: "died", died: readDeath(answer.complaint) };
    }
    return decodeBatch(answer.bytes, cases.length, this.floatWords);
  }

  async close(): Promise<void> {
    await this.process?.kill();
    this.process = undefined;
  }
}

function encodeBatch(cases: readonly CaseInput[], careful: boolean, floatWords: number): Uint8Array {
  if (cases.length === 0 || cases.length > MAX_BATCH) throw new InternalDefect(`a batch of ${cases.length} cases`);
  const words = new BigUint64Array(2 + cases.length * (INPUT_WORDS + floatWords));
  words[0] = BigInt(cases.length);
  words[1] = careful ? 1n : 0n;
  cases.forEach((c, i) => {
    const at = 2 + i * (INPUT_WORDS + floatWords);
    words[at] = c.pc;
    for (let r = 1; r < 32; r++) words[at + r] = c.x[r] ?? 0n;
    words.set(
      [
        c.word,
        BigInt(c.length),
        DOES[c.does],
        c.address,
        c.reservation.address,
        BigInt(c.reservation.bytes),
        c.probe.address,
        BigInt(c.probe.bytes),
      ],
      at + 32,
    );
    if (c.patches.length > MAX_PATCHES) throw new InternalDefect(`a case with ${c.patches.length} patches of memory`);
    for (const [k, p] of c.patches.entries()) words.set([p.address, BigInt(p.length), p.value], at + 40 + 3 * k);
    if (floatWords > 0) words.set(c.f ?? [], at + INPUT_WORDS);
  });
  return new Uint8Array(words.buffer);
}

function decodeBatch(bytes: Uint8Array, count: number, floatWords: number): BatchResult | "stray" {
  const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  const outputs: CaseOutput[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * (OUTPUT_WORDS + floatWords);
    if (words[at + 36] !== 0n) return "stray";
    const changed = Number(words[at + 35]);
    if (changed > MAX_CHANGES)
      throw new EnvironmentFailure("case runner", `an instruction changed ${changed} double words of memory`);
    const changes: { address: bigint; value: bigint }[] = [];
    for (let k = 0; k < changed; k++) {
      changes.push({ address: words[at + 38 + 2 * k] ?? 0n, value: words[at + 39 + 2 * k] ?? 0n });
    }
    outputs.push({
      pc: words[at] ?? 0n,
      x: [0n, ...words.subarray(at + 1, at + 32)],
      f: floatWords > 0 ? [...words.subarray(at + OUTPUT_WORDS, at + OUTPUT_WORDS + floatWords)] : undefined,
      signal: words[at + 32] ?? 0n,
      address: words[at + 34] ?? 0n,
      changes,
      reserved: words[at + 37] !== 0n,
    });
  }
  return { kind: "results", outputs };
}

/** What QEMU prints when it gives up on a guest: a message, then the registers in the form of its `-d cpu` log. */
function readDeath(complaint: string): Died {
  const pc = /^\s*pc\s+([0-9a-f]{8,16})/m.exec(complaint)?.[1];
  const x = Array.from({ length: 32 }, (_, i) => new RegExp(`\\bx${i}/\\S+\\s+([0-9a-f]{8,16})`).exec(complaint)?.[1]);
  const message = complaint.split("\n").find((line) => line.trim() !== "") ?? "it ended without a word";
  if (pc === undefined || x.includes(undefined)) return { message, registers: undefined };
  return { message, registers: { pc: BigInt(`0x${pc}`), x: x.map((v) => BigInt(`0x${v ?? "0"}`)) } };
}
