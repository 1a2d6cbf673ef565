/**
 * A native solver, a process a query: nothing is left over from one query to the next, and a solver that hangs or goes
 * astray is killed with its query.
 */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { EnvironmentFailure } from "../errors.js";
import {
  type Backend,
  GRACE_MS,
  INTERRUPTED,
  killedForTime,
  type Limits,
  nonsense,
  outOfMemory,
  reasonUnknown,
  type Reply,
  type Script,
  speaksOfMemory,
} from "./backend.js";

/** More than any model we ask for; a solver that says more has gone astray. */
const MAX_OUTPUT = 4 << 20;

/** How a solver is called. */
export interface Invocation {
  readonly command: string;
  readonly args: (limits: Limits) => readonly string[];
}

export function z3Invocation(executable: string): Invocation {
  return {
    command: executable,
    args: (limits) => ["-smt2", "-in", `-t:${Math.ceil(limits.timeoutMs)}`, `-memory:${limits.memoryMb}`],
  };
}

/** cvc5 has no option that limits its memory: the shell does, where there is one. */
export function cvc5Invocation(executable: string): Invocation {
  const own = (limits: Limits): string[] => [
    "--lang=smt2",
    "--produce-models",
    "--incremental",
    `--tlimit-per=${Math.ceil(limits.timeoutMs)}`,
  ];
  if (process.platform === "win32") return { command: executable, args: own };
  return {
    command: "/bin/sh",
    args: (limits) => ["-c", `ulimit -v ${limits.memoryMb * 1024}; exec "$0" "$@"`, executable, ...own(limits)],
  };
}

export class Native implements Backend {
  readonly name: string;
  private readonly invocation: Invocation;
  private readonly running = new Set<Conversation>();

  constructor(name: string, invocation: Invocation) {
    this.name = name;
    this.invocation = invocation;
  }

  async ask(script: Script, limits: Limits): Promise<Reply> {
    if (limits.signal?.aborted === true) return INTERRUPTED;
    const conversation = new Conversation(this.invocation.command, this.invocation.args(limits));
    this.running.add(conversation);
    const onAbort = (): void => conversation.end("aborted");
    limits.signal?.addEventListener("abort", onAbort);
    const timer = setTimeout(() => conversation.end("late"), limits.timeoutMs + GRACE_MS);
    try {
      return await this.converse(conversation, script, limits);
    } finally {
      clearTimeout(timer);
      limits.signal?.removeEventListener("abort", onAbort);
      conversation.end("done");
      this.running.delete(conversation);
    }
  }

  async discard(): Promise<void> {
    for (const conversation of this.running) conversation.end("aborted");
  }

  private async converse(conversation: Conversation, script: Script, limits: Limits): Promise<Reply> {
    const check = await conversation.say(`${script.check}\n`);
    if (check === "unsat") return { answer: "unsat" };
    if (check === "sat") {
      const values = script.values === undefined ? "" : await conversation.say(`${script.values}\n`);
      if (values !== undefined && !values.startsWith("(error")) return { answer: "sat", values };
      return this.broken(conversation, values, limits);
    }
    if (check === "unknown" || check === "timeout") {
      const reason =
        check === "unknown" ? await conversation.say("(get-info :reason-unknown)\n") : "(:reason-unknown timeout)";
      if (reason !== undefined && !reason.startsWith("(error")) {
        return { answer: "unknown", reason: reasonUnknown(reason, limits) };
      }
      return this.broken(conversation, reason, limits);
    }
    return this.broken(conversation, check, limits);
  }

  /** `said` is no answer (`undefined`: there was none): why? */
  private broken(conversation: Conversation, said: string | undefined, limits: Limits): Reply {
    if (conversation.ended === "late") return killedForTime(limits.timeoutMs);
    if (conversation.ended === "aborted") return INTERRUPTED;
    if (speaksOfMemory(`${said ?? ""}${conversation.complaints}`)) return outOfMemory(limits.memoryMb);
    if (said !== undefined && said !== "") throw nonsense(this.name, said);
    if (/interrupted by (timeout|SIGTERM)/i.test(conversation.complaints)) {
      return { answer: "unknown", reason: `timeout: no answer within ${limits.timeoutMs} ms` };
    }
    const complaint = conversation.complaints.trim().slice(0, 200);
    throw new EnvironmentFailure(
      this.name,
      `the solver died (${conversation.fate})${complaint === "" ? "" : `: ${complaint}`}`,
    );
  }
}

type End = "late" | "aborted" | "done";

/** One process, spoken to in turns: a command, then one line or one balanced expression as the answer. */
class Conversation {
  /** Why we ended it; `undefined` while it lives or if it ended by itself. */
  ended: End | undefined;
  complaints = "";
  fate = "it could not be started";
  private readonly process: ChildProcessWithoutNullStreams;
  private answer = new Answer();
  private over = false;
  private waiting: (() => void) | undefined;

  constructor(command: string, args: readonly string[]) {
    this.process = spawn(command, args, { stdio: "pipe" });
    this.process.stdout.setEncoding("utf8");
    this.process.stderr.setEncoding("utf8");
    this.process.stdout.on("data", (text: string) => {
      this.answer.push(text);
      if (this.answer.text.length > MAX_OUTPUT) this.end("done");
      this.waiting?.();
    });
    this.process.stderr.on("data", (text: string) => {
      if (this.complaints.length < 4096) this.complaints += text;
    });
    // A solver that is gone closes its input; what it did not read does not matter then.
    this.process.stdin.on("error", () => undefined);
    this.process.on("error", (error) => {
      this.complaints += error.message;
      this.finish("it could not be started");
    });
    this.process.on("close", (code, signal) => this.finish(signal === null ? `exit code ${code}` : `signal ${signal}`));
  }

  /** The answer, trimmed. If the process ends before it is whole: what there is of it, marked; `undefined` if nothing. */
  async say(command: string): Promise<string | undefined> {
    this.answer = new Answer();
    if (!this.over) this.process.stdin.write(command);
    for (;;) {
      const answer = this.answer.whole();
      if (answer !== undefined) return answer;
      if (this.over) {
        const said = this.answer.text.trim();
        return said === "" ? undefined : `${said} (cut off)`;
      }
      await new Promise<void>((resolve) => {
        this.waiting = resolve;
      });
      this.waiting = undefined;
    }
  }

  end(why: End): void {
    if (this.over) return;
    this.ended ??= why;
    this.process.stdin.destroy();
    this.process.kill("SIGKILL");
  }

  private finish(fate: string): void {
    if (this.over) return;
    this.over = true;
    this.fate = fate;
    this.waiting?.();
  }
}

/** What a solver has said since it was last spoken to; each character is looked at once, however it comes in pieces. */
class Answer {
  text = "";
  private start = -1;
  private read = 0;
  private depth = 0;
  private quote = "";

  push(text: string): void {
    this.text += text;
  }

  /** The first answer once it is whole: a word on a line, or an expression whose parentheses balance. */
  whole(): string | undefined {
    const { text } = this;
    if (this.start < 0) {
      this.start = text.search(/\S/);
      if (this.start < 0) return undefined;
      this.read = this.start;
    }
    if (text[this.start] !== "(") {
      const end = text.indexOf("\n", this.read);
      this.read = text.length;
      return end < 0 ? undefined : text.slice(this.start, end).trim();
    }
    for (; this.read < text.length; this.read++) {
      const c = text[this.read] ?? "";
      if (this.quote !== "") {
        if (c === this.quote) this.quote = "";
      } else if (c === '"' || c === "|") this.quote = c;
      else if (c === "(") this.depth++;
      else if (c === ")" && --this.depth === 0) return text.slice(this.start, this.read + 1);
    }
    return undefined;
  }
}
