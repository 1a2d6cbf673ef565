/**
 * A run of an emulator that logs through a pipe, never through a file, so that the log cannot grow unread. The process group is killed
 * with SIGKILL, since QEMU can ignore everything else.
 */
import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { Readable, type Writable } from "node:stream";
import { InternalDefect } from "../../refinement/errors.js";

export interface Limits {
  /** Bytes of log. */
  readonly log: number;
  /** Without a byte of log for so long, it hangs. */
  readonly silenceMs: number;
  /** For the whole run. */
  readonly totalMs: number;
}

export const LIMITS: Limits = { log: 2 ** 34, silenceMs: 60_000, totalMs: 3_600_000 };

/** Characters that are kept of what it says on stderr. */
const LONGEST_COMPLAINT = 1 << 16;

export class LoggedProcess {
  /** What it says on stderr. */
  complaint = "";
  /** Why it was killed or could not be started. */
  why: string | undefined;
  private readonly child: ChildProcess;
  private readonly limits: Limits;
  /** It has exited, or could not be started; and its pipes have been read to their ends. */
  readonly exited: Promise<void>;
  readonly closed: Promise<void>;

  /** `script` is the shell's, and `args` are its arguments; the log comes through its stdout. */
  constructor(script: string, args: readonly string[], stdio: StdioOptions, limits: Limits) {
    this.limits = limits;
    this.child = spawn("sh", ["-c", script, "sh", ...args], { stdio, detached: true });
    const ending = (event: "exit" | "close"): Promise<void> =>
      new Promise((resolve) => {
        this.child.on(event, () => resolve());
        this.child.on("error", (error) => {
          this.why ??= error.message;
          resolve();
        });
      });
    this.exited = ending("exit");
    this.closed = ending("close");
    this.readable(2).on("data", (chunk: Buffer) => {
      if (this.complaint.length < LONGEST_COMPLAINT) this.complaint += chunk.toString();
    });
  }

  readable(fd: number): Readable {
    const stream = this.child.stdio[fd];
    if (!(stream instanceof Readable)) throw new InternalDefect(`file descriptor ${fd} of the emulator is no pipe`);
    return stream;
  }

  get input(): Writable | null {
    return this.child.stdin;
  }

  /** The log, piece by piece; the process waits while nobody asks for the next. */
  async *log(signal: AbortSignal): AsyncGenerator<Buffer> {
    const { limits } = this;
    let size = 0;
    const abort = (): void => this.kill("aborted");
    signal.addEventListener("abort", abort, { once: true });
    const whole = setTimeout(() => this.kill(`it takes more than ${limits.totalMs} ms`), limits.totalMs);
    let timer = setTimeout(() => this.kill("it is silent"), limits.silenceMs);
    try {
      for await (const chunk of this.readable(1)) {
        clearTimeout(timer);
        if (!Buffer.isBuffer(chunk)) throw new InternalDefect("a pipe without an encoding gives buffers");
        size += chunk.length;
        if (size > limits.log) this.kill("its log grows without end");
        yield chunk;
        timer = setTimeout(() => this.kill("it is silent"), limits.silenceMs);
      }
      signal.throwIfAborted();
    } finally {
      clearTimeout(timer);
      clearTimeout(whole);
      signal.removeEventListener("abort", abort);
      this.kill();
    }
  }

  kill(why?: string): void {
    if (why !== undefined) this.why ??= why;
    if (this.child.pid === undefined || this.child.exitCode !== null) return;
    try {
      process.kill(-this.child.pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  }
}
