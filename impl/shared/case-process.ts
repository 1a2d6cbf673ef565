/**
 * A program that runs cases: a process that is sent a layout once and then batches, and answers each with as many bytes as are
 * expected. What hangs is killed.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { EnvironmentFailure } from "../../refinement/errors.js";

export type Answer =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** It ended instead; what it said on stderr. */
  | { readonly kind: "died"; readonly complaint: string };

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

export class CaseProcess {
  private readonly child: Child;
  private readonly name: string;
  private readonly exited: Promise<void>;
  private readonly received: Buffer[] = [];
  private size = 0;
  private complaint = "";
  private wake: () => void = () => {};
  private over = false;

  constructor(command: readonly [string, ...string[]], layout: Uint8Array) {
    const [program, ...args] = command;
    this.name = program;
    this.child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdin.on("error", () => {}); // the process died: its exit tells why
    this.child.stdout.on("data", (chunk: Buffer) => {
      this.received.push(chunk);
      this.size += chunk.length;
      this.wake();
    });
    this.child.stderr.on("data", (chunk: Buffer) => {
      if (this.complaint.length < 1 << 16) this.complaint += chunk.toString();
    });
    this.exited = new Promise((resolve) => {
      const end = (): void => {
        this.over = true;
        this.wake();
        resolve();
      };
      this.child.on("close", end);
      this.child.on("error", (error) => {
        this.complaint += error.message;
        end();
      });
    });
    this.child.stdin.write(layout);
  }

  /** Sends bytes and waits for as many as are expected. */
  async exchange(request: Uint8Array, expected: number, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
    const timer = setTimeout(() => void this.kill(`no answer within ${timeoutMs} ms`), timeoutMs);
    const abort = (): void => void this.kill("aborted");
    signal.addEventListener("abort", abort, { once: true });
    try {
      this.child.stdin.write(request);
      while (this.size < expected && !this.over) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
    signal.throwIfAborted();
    if (this.size > expected) throw new EnvironmentFailure(this.name, "the case runner answers more than it was asked");
    if (this.size < expected) return { kind: "died", complaint: this.complaint };
    const bytes = new Uint8Array(expected);
    let at = 0;
    for (const chunk of this.received.splice(0)) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    this.size = 0;
    return { kind: "bytes", bytes };
  }

  async kill(why = ""): Promise<void> {
    if (!this.over) this.complaint += why;
    this.child.kill("SIGKILL");
    await this.exited;
  }
}
