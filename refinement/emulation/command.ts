/**
 * An emulator that is a program of the user's, in any language: a child process that makes one step for each line of JSON that it is
 * sent. A failure costs the case; the next one is given to a new process.
 */
import type { CaseRoom, Emulator, EmulatorCase, Missing, Seen } from "../emulator.js";
import { EnvironmentFailure } from "../errors.js";
import { fetchedWord } from "../execute/concrete.js";
import type { Machine } from "../machine.js";
import { LineProcess } from "../process/line-process.js";
import { commandIdentity, findProgram } from "../process/programs.js";
import type { ProgramSource, RoomSource } from "../refinement.js";
import { caseRoom } from "./room.js";
import { readStep, requestLine } from "./step-protocol.js";

export function openStepCommand(
  guest: Machine,
  source: ProgramSource,
  room: RoomSource,
): { readonly emulator: Emulator } | { readonly missing: readonly Missing[] } {
  const [program = ""] = source.command;
  const file = findProgram(program, source.directory);
  if (file === undefined)
    return {
      missing: [{ program, remedy: `\`command\` names it: build it, or give its path from ${source.directory}` }],
    };
  return { emulator: new StepEmulator(guest, source, room, file) };
}

class StepEmulator implements Emulator {
  readonly identity: string;
  readonly room: CaseRoom;
  readonly exempt: ReadonlyMap<string, string>;
  private readonly guest: Machine;
  private readonly source: ProgramSource;
  private readonly given: RoomSource;
  private readonly file: string;
  private running: LineProcess | undefined;
  private id = 0;

  constructor(guest: Machine, source: ProgramSource, room: RoomSource, file: string) {
    this.guest = guest;
    this.source = source;
    this.given = room;
    this.file = file;
    this.room = caseRoom(guest, room);
    this.exempt = room.exempt;
    this.identity = `${source.command[0]} ${commandIdentity(source.command, source.directory, file)}`;
  }

  async *execute(cases: readonly EmulatorCase[], signal: AbortSignal): AsyncGenerator<Seen> {
    for (const c of cases) {
      signal.throwIfAborted();
      yield await this.one(c, signal);
    }
  }

  private async one(c: EmulatorCase, signal: AbortSignal): Promise<Seen> {
    this.running ??= new LineProcess(this.file, this.source);
    const id = ++this.id;
    const line = requestLine(id, this.guest, this.given, c, codeOf(this.guest, c));
    let reason: string;
    try {
      const answer = await this.running.ask(line, this.source.timeoutMs, signal);
      const read =
        answer.kind === "failed"
          ? { error: answer.reason, said: false }
          : readStep(answer.line, id, this.guest, this.room, c.state);
      if (!("error" in read)) return read;
      // After nonsense, nobody knows what the next line would be an answer to.
      if (!read.said) await this.close();
      reason = read.error;
    } catch (error) {
      await this.close();
      throw error;
    }
    throw new EnvironmentFailure(this.source.command[0] ?? "the emulator", `${reason}, asked ${about(line)}`);
  }

  async close(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    await running?.kill();
  }
}

/** The bytes of the instruction; of a guest whose instructions a library decodes, as many as it looks at. Empty where none can be fetched. */
function codeOf(guest: Machine, { state, patches }: EmulatorCase): string {
  const { instructionSet } = guest;
  const pc = state.get(instructionSet?.programCounter ?? guest.decoded?.programCounter ?? "");
  if (instructionSet !== undefined && fetchedWord(instructionSet, state) === undefined) return "";
  const patch = patches.find((p) => p.address === pc);
  return patch === undefined ? "" : Buffer.from(patch.bytes).toString("hex");
}

function about(line: string): string {
  return /"code":"[^"]*"/.exec(line)?.[0] ?? "";
}
