/** One run of a program under user-mode QEMU, with a log (`-d …`). */
import { EnvironmentFailure } from "../../refinement/errors.js";
import { type Limits, LIMITS, LoggedProcess } from "./logged-process.js";

/** No program that is run here writes more; one that does has gone wild. */
const MAX_OUTPUT = 1 << 26;

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
  private readonly run: LoggedProcess;
  private readonly outputs: Buffer[] = [];
  private outputSize = 0;
  private status = "";

  /** `options` go before `-D`; `log` are the items of `-d`. */
  constructor(emulator: string, options: readonly string[], log: string, elf: string, limits: Partial<Limits> = {}) {
    const args = [emulator, ...options, "-d", log, "-D", "/dev/fd/3", elf];
    this.run = new LoggedProcess(SCRIPT, args, ["ignore", "pipe", "pipe", "ignore", "pipe", "pipe"], {
      ...LIMITS,
      ...limits,
    });
    this.run.readable(4).on("data", (chunk: Buffer) => {
      this.status += chunk.toString();
    });
    this.run.readable(5).on("data", (chunk: Buffer) => {
      this.outputs.push(chunk);
      this.outputSize += chunk.length;
      if (this.outputSize > MAX_OUTPUT) this.run.kill("it writes without end");
    });
  }

  /** The log, piece by piece; the process waits while nobody asks for the next. */
  log(signal: AbortSignal): AsyncGenerator<Buffer> {
    return this.run.log(signal);
  }

  /** How it ended. Throws if it did not end by itself. */
  async end(): Promise<Ended> {
    await this.run.closed;
    const { why, complaint } = this.run;
    if (why !== undefined) throw new EnvironmentFailure("qemu-riscv64", why);
    const status = Number.parseInt(this.status, 10);
    if (Number.isNaN(status)) throw new EnvironmentFailure("qemu-riscv64", `it was killed. ${complaint}`);
    return { status, output: Buffer.concat(this.outputs), complaint };
  }
}
