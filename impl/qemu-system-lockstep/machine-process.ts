/**
 * One run of a program under QEMU's system emulator, one instruction at a time, logging the state before each.
 * Virtual time is instructions executed (`-icount`), so that interrupts come at the same place every time. At the power
 * switch the machine stops instead of ending (`-no-shutdown`); its memory is asked for through the monitor.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { EnvironmentFailure } from "../../refinement/errors.js";
import { LIMITS, LoggedProcess } from "../shared/logged-process.js";

/** Without an answer of the monitor's for so long, it hangs. */
const SILENCE_MS = 60_000;

/**
 * The log goes to 3, a pipe to `cat`: Node's own pipes are sockets, which `-D` cannot open by name. The limit is for programs that
 * never end when nobody is there any more to kill the emulator.
 */
const SCRIPT = 'ulimit -t 600; { "$@"; } 3>&1 1>&4 | cat';

export class MachineProcess {
  private readonly run: LoggedProcess;
  private readonly program: string;
  private monitor = "";

  constructor(program: string, cpu: string, megabytes: number, singleStep: string, elf: string) {
    this.program = path.basename(program);
    const args = [
      program,
      ...["-machine", "virt", "-cpu", cpu, "-m", `${megabytes}M`, "-bios", "none", "-display", "none"],
      ...["-serial", "none", "-monitor", "stdio", "-icount", "shift=0", singleStep, "-no-reboot", "-no-shutdown"],
      ...["-d", "exec,cpu,nochain", "-D", "/dev/fd/3", "-kernel", elf],
    ];
    this.run = new LoggedProcess(SCRIPT, args, ["pipe", "pipe", "pipe", "ignore", "pipe"], LIMITS);
    this.run.readable(4).on("data", (chunk: Buffer) => {
      this.monitor = (this.monitor + chunk.toString()).slice(-4096);
    });
  }

  /** The log, piece by piece; the process waits while nobody asks for the next. */
  async *log(signal: AbortSignal): AsyncGenerator<Buffer> {
    yield* this.run.log(signal);
    const { why, complaint } = this.run;
    if (why !== undefined) throw new EnvironmentFailure(this.program, `${why}. ${complaint}`);
  }

  /** Physical memory as it is, once the program has come to its end; then the emulator is told to go. */
  async memory(address: bigint, size: number): Promise<Uint8Array> {
    const folder = await mkdtemp(path.join(os.tmpdir(), "commute-memory-"));
    const file = path.join(folder, "memory");
    try {
      this.run.input?.write(`pmemsave 0x${address.toString(16)} ${size} "${file}"\nquit\n`);
      this.drain();
      const timer = setTimeout(() => this.run.kill("its monitor does not answer"), SILENCE_MS);
      await this.run.exited;
      clearTimeout(timer);
      return await readFile(file);
    } catch (error) {
      const said = `${this.run.complaint} ${this.monitor}`.trim();
      throw new EnvironmentFailure(this.program, `does not give its memory: ${said}`, { cause: error });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Nobody wants what is left of the log, and the emulator cannot go before it is taken. */
  private drain(): void {
    const log = this.run.readable(1);
    // Whoever iterates over it has it paused, and keeps it so as long as it listens.
    log.removeAllListeners("readable");
    log.on("data", () => undefined);
    log.resume();
  }

  kill(): void {
    this.run.kill();
  }
}
