/**
 * A translator that is a program of the user's, in any language: a child process that answers one line of JSON for each that it is
 * sent. It may crash, hang, flood and lie: each costs the block in question, and the run goes on.
 */
import type { Missing } from "../emulator.js";
import type { TranslatorSource } from "../refinement.js";
import type { TranslationAnswer, TranslationRequest, Translator } from "../translation.js";
import { LineProcess } from "../process/line-process.js";
import { commandIdentity, findProgram } from "../process/programs.js";
import { readAnswer, requestLine } from "./protocol.js";

type Command = Extract<TranslatorSource, { kind: "command" }>;

/** After so many failures in a row the program is not started again. */
const PATIENCE = 3;

export function openCommand(
  source: Command,
  fault?: string,
): { readonly translator: Translator } | { readonly missing: readonly Missing[] } {
  const [program = ""] = source.command;
  const file = findProgram(program, source.directory);
  if (file === undefined)
    return {
      missing: [{ program, remedy: `\`command\` names it: build it, or give its path from ${source.directory}` }],
    };
  return { translator: new CommandTranslator(source, file, fault) };
}

class CommandTranslator implements Translator {
  readonly identity: string;
  private readonly source: Command;
  private readonly program: string;
  private readonly fault: string | undefined;
  private running: LineProcess | undefined;
  private failures = 0;
  private id = 0;

  constructor(source: Command, program: string, fault: string | undefined) {
    this.source = source;
    this.program = program;
    this.fault = fault;
    this.identity = commandIdentity(source.command, source.directory, program);
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
    this.running ??= new LineProcess(this.program, this.source);
    const id = ++this.id;
    const answer = await this.running.ask(requestLine(id, request, this.fault), this.source.timeoutMs, signal);
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
