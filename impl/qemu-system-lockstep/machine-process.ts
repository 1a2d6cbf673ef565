/**
 * One run of a program under QEMU's system emulator, one instruction at a time, logging the state before each. The log comes through a pipe, so it cannot grow
 * unread. Virtual time is instructions executed (`-icount`), so that interrupts come at the same place every time. At the power
 * switch the machine stops instead of ending (`-no-shutdown`); its memory is asked for through the monitor.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { EnvironmentFailure, InternalDefect } from "../../refinement/errors.js";

const MAX_LOG = 2 ** 34;
/** Without a byte of log for so long, it hangs. */
const SILENCE_MS = 60_000;

/**
 * The log goes to 3, a pipe to `cat`: Node's own pipes are sockets, which `-D` cannot open by name. The limit is for programs that
 * never end when nobody is there any more to kill the emulator.
 */
const SCRIPT = 'ulimit -t 600; { "$@"; } 3>&1 1>&4 | cat';

export class MachineProcess {
  private readonly child: ChildProcess;
  private readonly program: string;
  private complaint = "";
  private monitor = "";
  private why: string | undefined;
  private readonly exited: Promise<void>;

  constructor(program: string, cpu: string, megabytes: number, singleStep: string, elf: string) {
    this.program = path.basename(program);
    const args = [
      program,
      ...["-machine", "virt", "-cpu", cpu, "-m", `${megabytes}M`, "-bios", "none", "-display", "none"],
      ...["-serial", "none", "-monitor", "stdio", "-icount", "shift=0", singleStep, "-no-reboot", "-no-shutdown"],
      ...["-d", "exec,cpu,nochain", "-D", "/dev/fd/3", "-kernel", elf],
    ];
    this.child = spawn("sh", ["-c", SCRIPT, "sh", ...args], {
      stdio: ["pipe", "pipe", "pipe", "ignore", "pipe"],
      detached: true,
    });
    this.exited = new Promise((resolve) => {
      // Not "close", which waits for every pipe to be read to its end.
      this.child.on("exit", () => resolve());
      this.child.on("error", (error) => {
        this.why = error.message;
        resolve();
      });
    });
    this.readable(2).on("data", (chunk: Buffer) => {
      if (this.complaint.length < 1 << 16) this.complaint += chunk.toString();
    });
    this.readable(4).on("data", (chunk: Buffer) => {
      this.monitor = (this.monitor + chunk.toString()).slice(-4096);
    });
  }

  private readable(fd: number): Readable {
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
      for await (const chunk of this.readable(1)) {
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
    if (this.why !== undefined) throw new EnvironmentFailure(this.program, `${this.why}. ${this.complaint}`);
  }

  /** Physical memory as it is, once the program has come to its end; then the emulator is told to go. */
  async memory(address: bigint, size: number): Promise<Uint8Array> {
    const folder = await mkdtemp(path.join(os.tmpdir(), "commute-memory-"));
    const file = path.join(folder, "memory");
    try {
      this.child.stdin?.write(`pmemsave 0x${address.toString(16)} ${size} "${file}"\nquit\n`);
      this.drain();
      const timer = setTimeout(() => this.kill("its monitor does not answer"), SILENCE_MS);
      await this.exited;
      clearTimeout(timer);
      return await readFile(file);
    } catch (error) {
      const said = `${this.complaint} ${this.monitor}`.trim();
      throw new EnvironmentFailure(this.program, `does not give its memory: ${said}`, { cause: error });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Nobody wants what is left of the log, and the emulator cannot go before it is taken. */
  private drain(): void {
    const log = this.readable(1);
    // Whoever iterates over it has it paused, and keeps it so as long as it listens.
    log.removeAllListeners("readable");
    log.on("data", () => undefined);
    log.resume();
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
