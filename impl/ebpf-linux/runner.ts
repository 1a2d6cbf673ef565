/** Talks to host/runner.c, which loads and runs programs in the kernel. */
import { EnvironmentFailure, InternalDefect } from "../../refinement/errors.js";
import { CaseProcess } from "../shared/case-process.js";
import { WINDOW } from "./harness.js";

export const MAX_BATCH = 256;
const LOG = 512;
const HEAD = 12;

export interface Request {
  readonly slots: readonly bigint[];
  readonly context: Uint8Array;
  /** `WINDOW.size` bytes. */
  readonly window: Uint8Array;
}

export type Answer =
  | { readonly kind: "ran"; readonly r0: number; readonly context: Uint8Array; readonly window: Uint8Array }
  /** The kernel does not load it; the end of what the verifier says. */
  | { readonly kind: "refused"; readonly errno: number; readonly log: string };

export type Opened = { readonly runner: Runner } | { readonly errno: number };

export class Runner {
  /** File descriptor of the map whose value is the window, in the runner's process. */
  readonly map: number;
  private readonly process: CaseProcess;
  private readonly name: string;
  private readonly timeoutMs: number;

  private constructor(process: CaseProcess, name: string, map: number, timeoutMs: number) {
    this.process = process;
    this.name = name;
    this.map = map;
    this.timeoutMs = timeoutMs;
  }

  /** The errno of bpf(2) where it is not permitted. */
  static async open(program: string, timeoutMs = 60_000): Promise<Opened> {
    const process = new CaseProcess([program], new Uint8Array());
    const hello = await process.exchange(new Uint8Array(), 4, timeoutMs, new AbortController().signal);
    if (hello.kind === "died") throw new EnvironmentFailure(program, `it ended: ${hello.complaint}`);
    const map = new DataView(hello.bytes.buffer).getInt32(0, true);
    if (map >= 0) return { runner: new Runner(process, program, map, timeoutMs) };
    await process.kill();
    return { errno: -map };
  }

  /** Runs requests in order. */
  async run(requests: readonly Request[], signal: AbortSignal): Promise<readonly Answer[]> {
    signal.throwIfAborted();
    const sizes = requests.map((r) => HEAD + r.context.length + WINDOW.size + LOG);
    const expected = sizes.reduce((a, b) => a + b, 0);
    const answer = await this.process.exchange(encode(requests), expected, this.timeoutMs, signal);
    if (answer.kind === "died") throw new EnvironmentFailure(this.name, `it ended in the midst: ${answer.complaint}`);
    let at = 0;
    return requests.map((request, i) => {
      const bytes = answer.bytes.subarray(at, at + (sizes[i] ?? 0));
      at += bytes.length;
      return this.decode(bytes, request.context.length);
    });
  }

  private decode(bytes: Uint8Array, contextSize: number): Answer {
    const head = new DataView(bytes.buffer, bytes.byteOffset, HEAD);
    const [loadErrno, runErrno, r0] = [head.getInt32(0, true), head.getInt32(4, true), head.getUint32(8, true)];
    const context = bytes.slice(HEAD, HEAD + contextSize);
    const window = bytes.slice(HEAD + contextSize, HEAD + contextSize + WINDOW.size);
    if (loadErrno !== 0) {
      const log = Buffer.from(bytes.subarray(HEAD + contextSize + WINDOW.size)).toString("latin1");
      return { kind: "refused", errno: loadErrno, log: log.replaceAll("\0", "").trim() };
    }
    if (runErrno !== 0) throw new EnvironmentFailure(this.name, `the kernel does not run a program: errno ${runErrno}`);
    return { kind: "ran", r0, context, window };
  }

  async close(): Promise<void> {
    await this.process.kill();
  }
}

function encode(requests: readonly Request[]): Uint8Array {
  if (requests.length === 0 || requests.length > MAX_BATCH)
    throw new InternalDefect(`a batch of ${requests.length} programs`);
  const parts: Uint8Array[] = [new Uint8Array(Uint32Array.of(requests.length).buffer)];
  for (const { slots, context, window } of requests) {
    parts.push(
      new Uint8Array(Uint32Array.of(slots.length, context.length).buffer),
      new Uint8Array(BigUint64Array.from(slots).buffer),
      context,
      window,
    );
  }
  return Buffer.concat(parts);
}
