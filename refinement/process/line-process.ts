/** A program of the user's, in any language, that answers one line for each that it is sent. It may crash, hang, flood and lie. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { ProgramSource } from "../refinement.js";
import { excerpt } from "./document.js";

/** Bytes of a line; a longer answer is refused before it is whole. */
const LONGEST_LINE = 4 << 20;
/** Bytes that are kept of what it says on stderr. */
const LONGEST_COMPLAINT = 4096;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;
export type Answer =
  | { readonly kind: "line"; readonly line: string }
  | { readonly kind: "failed"; readonly reason: string };

/** One that runs. */
export class LineProcess {
  private readonly child: Child;
  private readonly exited: Promise<void>;
  private pending = "";
  private complaint = "";
  private ended: string | undefined;
  private wake: () => void = () => undefined;

  /** `file` is where the program was found that the command names. */
  constructor(file: string, { command, directory }: Pick<ProgramSource, "command" | "directory">) {
    this.child = spawn(file, command.slice(1), { cwd: directory, stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdin.on("error", () => undefined); // the process died: its exit tells why
    this.child.stdout.setEncoding("utf8");
    this.child.stdout.on("data", (chunk: string) => {
      this.pending += chunk;
      if (this.pending.length > LONGEST_LINE) this.child.stdout.pause();
      this.wake();
    });
    this.child.stderr.on("data", (chunk: Buffer) => {
      if (this.complaint.length < LONGEST_COMPLAINT) this.complaint += chunk.toString();
    });
    this.exited = new Promise((resolve) => {
      const end = (how: string): void => {
        this.ended ??= how;
        this.wake();
      };
      // What it said before it ended has been heard when its streams are closed; where they are not read, they never are.
      this.child.on("close", (code, by) => end(by === null ? `it exited with ${code}` : `it was ended by ${by}`));
      this.child.on("exit", () => resolve());
      this.child.on("error", (error) => {
        end(error.message);
        resolve();
      });
    });
  }

  /** Sends a line and waits for one. */
  async ask(line: string, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
    if (this.pending !== "") return this.failed(`it said something unasked: ${excerpt(this.pending)}`);
    let late = false;
    // Where this thread has been busy meanwhile, the answer may be waiting to be read: first that, then the verdict.
    const timer = setTimeout(() => {
      setImmediate(() => {
        late = true;
        this.wake();
      });
    }, timeoutMs);
    const abort = (): void => this.wake();
    signal.addEventListener("abort", abort, { once: true });
    try {
      this.child.stdin.write(line);
      for (;;) {
        signal.throwIfAborted();
        const end = this.pending.indexOf("\n");
        if (end >= 0) {
          const answer = this.pending.slice(0, end);
          this.pending = this.pending.slice(end + 1);
          return { kind: "line", line: answer };
        }
        if (this.pending.length > LONGEST_LINE) return this.failed(`its answer is longer than ${LONGEST_LINE} bytes`);
        if (this.ended !== undefined) return this.failed(`${this.ended} instead of answering`);
        if (late) return this.failed(`no answer within ${timeoutMs} ms`);
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  private failed(reason: string): Answer {
    const said = excerpt(this.complaint);
    return { kind: "failed", reason: said === "" ? reason : `${reason} (it said: ${said})` };
  }

  async kill(): Promise<void> {
    if (this.ended === undefined) this.child.kill("SIGKILL");
    await this.exited;
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) stream.destroy();
  }
}
