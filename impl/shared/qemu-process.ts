/**
 * One run of a program under user-mode QEMU, with a log (`-d …`). The log comes through a pipe, never through a file, so it cannot
 * grow unread; the process group is killed with SIGKILL, since QEMU can ignore everything else.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { Readable } from "node:stream";
import { EnvironmentFailure, InternalDefect } from "../../refinement/errors.js";

/** No program that is run here writes more; one that does has gone wild. */
const MAX_OUTPUT = 1 << 26;

export interface Limits {
  /** Bytes of log. */
  readonly log: number;
  /** Without a byte of log for so long, it hangs. */
  readonly silenceMs: number;
  /** For the whole run. */
  readonly totalMs: number;
}

const LIMITS: Limits = { log: 2 ** 34, silenceMs: 60_000, totalMs: 3_600_000 };

export interface Ended {
  readonly status: number;
  /** What the program wrote to stdout. */
  readonly output: Buffer;
  /** What it or QEMU wrote to stderr, as far as it is of use. */
  readonly complaint: string;
}

/** The log goes to 3, a pipe to `cat`: Node's own pipes are sockets, which `-D` cannot open by name. No core files are written. */
const SCRIPT = 'ulimit -c 0; { "$@"; echo $? >&4; } 3>&1 1>&5 | cat';

export class QemuProcess {
  private readonly child: ChildProcess;
  private readonly outputs: Buffer[] = [];
  private outputSize = 0;
  private status = "";
  private complaint = "";
  private readonly exited: Promise<void>;
  private why: string | undefined;
  private readonly limits: Limits;

  /** `options` go before `-D`; `log` are the items of `-d`. */
  constructor(emulator: string, options: readonly string[], log: string, elf: string, limits: Partial<Limits> = {}) {
    this.limits = { ...LIMITS, ...limits };
    const args = [emulator, ...options, "-d", log, "-D", "/dev/fd/3", elf];
    this.child = spawn("sh", ["-c", SCRIPT, "sh", ...args], {
      stdio: ["ignore", "pipe", "pipe", "ignore", "pipe", "pipe"],
      detached: true,
    });
    this.exited = new Promise((resolve) => {
      this.child.on("close", () => resolve());
      this.child.on("error", (error) => {
        this.why = error.message;
        resolve();
      });
    });
    this.pipe(2).on("data", (chunk: Buffer) => {
      if (this.complaint.length < 1 << 16) this.complaint += chunk.toString();
    });
    this.pipe(4).on("data", (chunk: Buffer) => {
      this.status += chunk.toString();
    });
    this.pipe(5).on("data", (chunk: Buffer) => {
      this.outputs.push(chunk);
      this.outputSize += chunk.length;
      if (this.outputSize > MAX_OUTPUT) this.kill("it writes without end");
    });
  }

  private pipe(fd: number): Readable {
    const stream = this.child.stdio[fd];
    if (!(stream instanceof Readable)) throw new InternalDefect(`file descriptor ${fd} of the emulator is no pipe`);
    return stream;
  }

  /** The log, piece by piece; the process waits while nobody asks for the next. */
  async *log(signal: AbortSignal): AsyncGenerator<Buffer> {
    let size = 0;
    const abort = (): void => this.kill("aborted");
    signal.addEventListener("abort", abort, { once: true });
    const whole = setTimeout(() => this.kill(`it takes more than ${this.limits.totalMs} ms`), this.limits.totalMs);
    let timer = setTimeout(() => this.kill("it is silent"), this.limits.silenceMs);
    try {
      for await (const chunk of this.pipe(1)) {
        clearTimeout(timer);
        if (!Buffer.isBuffer(chunk)) throw new InternalDefect("a pipe without an encoding gives buffers");
        size += chunk.length;
        if (size > this.limits.log) this.kill("its log grows without end");
        yield chunk;
        timer = setTimeout(() => this.kill("it is silent"), this.limits.silenceMs);
      }
      signal.throwIfAborted();
    } finally {
      clearTimeout(timer);
      clearTimeout(whole);
      signal.removeEventListener("abort", abort);
      this.kill();
    }
  }

  /** How it ended. Throws if it did not end by itself. */
  async end(): Promise<Ended> {
    await this.exited;
    if (this.why !== undefined) throw new EnvironmentFailure("qemu-riscv64", this.why);
    const status = Number.parseInt(this.status, 10);
    if (Number.isNaN(status)) throw new EnvironmentFailure("qemu-riscv64", `it was killed. ${this.complaint}`);
    return { status, output: Buffer.concat(this.outputs), complaint: this.complaint };
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
