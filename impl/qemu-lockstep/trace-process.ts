/**
 * One run of a program under QEMU, logging the state before each instruction (`-singlestep -d cpu`). The log comes through a pipe, never through a file, so it cannot
 * grow unread; the process group is killed with SIGKILL, since QEMU can ignore everything else.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { Readable } from "node:stream";
import { EnvironmentFailure, InternalDefect } from "../../refinement/errors.js";

/** A program of the lockstep writes nothing but its memory; more than this is a program gone wild. */
const MAX_OUTPUT = 1 << 26;
const MAX_LOG = 2 ** 34;
/** Without a byte of log for so long, it hangs. */
const SILENCE_MS = 60_000;

export interface Ended {
  readonly status: number;
  /** What the program wrote to stdout. */
  readonly output: Buffer;
}

/** The log goes to 3, a pipe to `cat`: Node's own pipes are sockets, which `-D` cannot open by name. */
const SCRIPT = '{ "$@"; echo $? >&4; } 3>&1 1>&5 | cat';

export class TraceProcess {
  private readonly child: ChildProcess;
  private readonly outputs: Buffer[] = [];
  private outputSize = 0;
  private status = "";
  private complaint = "";
  private readonly exited: Promise<void>;
  private why: string | undefined;

  /** `singleStep` is what this version of QEMU calls it to translate one instruction at a time. */
  constructor(emulator: string, cpu: string, elf: string, singleStep = "-singlestep") {
    const args = [emulator, "-cpu", cpu, singleStep, "-d", "cpu,nochain", "-D", "/dev/fd/3", elf];
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
    let timer = setTimeout(() => this.kill("it is silent"), SILENCE_MS);
    try {
      for await (const chunk of this.pipe(1)) {
        clearTimeout(timer);
        if (!Buffer.isBuffer(chunk)) throw new InternalDefect("a pipe without an encoding gives buffers");
        size += chunk.length;
        if (size > MAX_LOG) this.kill("its log grows without end");
        yield chunk;
        timer = setTimeout(() => this.kill("it is silent"), SILENCE_MS);
      }
      signal.throwIfAborted();
    } finally {
      clearTimeout(timer);
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
    return { status, output: Buffer.concat(this.outputs) };
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
