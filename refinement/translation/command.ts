/**
 * A translator that is a program of the user's, in any language: a child process that answers one line of JSON for each that it is
 * sent. It may crash, hang, flood and lie: each costs the block in question, and the run goes on.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import type { Missing } from "../emulator.js";
import type { TranslatorSource } from "../refinement.js";
import type { TranslationAnswer, TranslationRequest, Translator } from "../translation.js";
import { excerpt, LONGEST_LINE, readAnswer, requestLine } from "./protocol.js";

type Command = Extract<TranslatorSource, { kind: "command" }>;

/** After so many failures in a row the program is not started again. */
const PATIENCE = 3;
/** Bytes that are kept of what it says on stderr. */
const LONGEST_COMPLAINT = 4096;

export function openCommand(
  source: Command,
): { readonly translator: Translator } | { readonly missing: readonly Missing[] } {
  const [program = ""] = source.command;
  const file = findProgram(program, source.directory);
  if (file === undefined)
    return {
      missing: [{ program, remedy: `\`command\` names it: build it, or give its path from ${source.directory}` }],
    };
  return { translator: new CommandTranslator(source, file) };
}

/** A name without a slash is looked for as the shell does; a path is relative to the refinement's folder. */
function findProgram(program: string, directory: string): string | undefined {
  const folders = program.includes("/") ? [directory] : (process.env["PATH"] ?? "").split(path.delimiter);
  return folders.map((folder) => path.resolve(folder, program)).find((file) => existsSync(file));
}

class CommandTranslator implements Translator {
  readonly identity: string;
  private readonly source: Command;
  private readonly program: string;
  private running: Running | undefined;
  private failures = 0;
  private id = 0;

  constructor(source: Command, program: string) {
    this.source = source;
    this.program = program;
    this.identity = identityOf(source, program);
  }

  async *translate(requests: readonly TranslationRequest[], signal: AbortSignal): AsyncIterable<TranslationAnswer> {
    for (const request of requests) {
      signal.throwIfAborted();
      yield await this.one(request, signal);
    }
  }

  private async one(request: TranslationRequest, signal: AbortSignal): Promise<TranslationAnswer> {
    if (this.failures >= PATIENCE)
      return { kind: "error", reason: `not asked: the program has failed ${PATIENCE} times in a row` };
    this.running ??= new Running(this.program, this.source);
    const id = ++this.id;
    const answer = await this.running.ask(requestLine(id, request), this.source.timeoutMs, signal);
    if (answer.kind === "line") {
      const read = readAnswer(answer.line, id);
      // After nonsense, nobody knows what the next line would be an answer to.
      if (read.kind === "error" && !read.reason.startsWith("the translator says")) await this.restart();
      else this.failures = 0;
      return read;
    }
    await this.restart();
    return { kind: "error", reason: answer.reason };
  }

  private async restart(): Promise<void> {
    this.failures++;
    await this.close();
  }

  async close(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    await running?.kill();
  }
}

/** The program and the files that the command names, by content. */
function identityOf({ command, directory }: Command, program: string): string {
  const hash = createHash("sha256").update(JSON.stringify(command));
  for (const word of [program, ...command.slice(1)]) {
    const file = path.resolve(directory, word);
    try {
      hash.update(readFileSync(file));
    } catch {
      // An argument that is no file is in the command itself.
    }
  }
  return hash.digest("hex");
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;
type Heard = { readonly kind: "line"; readonly line: string } | { readonly kind: "failed"; readonly reason: string };

class Running {
  private readonly child: Child;
  private readonly exited: Promise<void>;
  private pending = "";
  private complaint = "";
  private ended: string | undefined;
  private wake: () => void = () => undefined;

  constructor(program: string, { command, directory }: Command) {
    this.child = spawn(program, command.slice(1), { cwd: directory, stdio: ["pipe", "pipe", "pipe"] });
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
  async ask(line: string, timeoutMs: number, signal: AbortSignal): Promise<Heard> {
    if (this.pending !== "") return this.failed(`it said something unasked: ${excerpt(this.pending)}`);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.wake();
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

  private failed(reason: string): Heard {
    const said = excerpt(this.complaint);
    return { kind: "failed", reason: said === "" ? reason : `${reason} (it said: ${said})` };
  }

  async kill(): Promise<void> {
    if (this.ended === undefined) this.child.kill("SIGKILL");
    await this.exited;
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) stream.destroy();
  }
}
