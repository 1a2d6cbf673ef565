/** An emulator that shows itself over the GDB remote protocol. */
import type { CaseRoom, Emulator, EmulatorCase, Missing, Seen } from "../../emulator.js";
import { EnvironmentFailure, UserError } from "../../errors.js";
import { ARCHITECTURES } from "../../gdb.js";
import type { Machine } from "../../machine.js";
import { commandIdentity, findProgram } from "../../process/programs.js";
import type { RoomSource, StubSource } from "../../refinement.js";
import { caseRoom } from "../room.js";
import { type Program, programFor } from "./program.js";
import { Session, type Setting } from "./session.js";
import { attachStub, type RunningStub, startStub } from "./stub.js";

type Opened = { readonly emulator: Emulator } | { readonly missing: readonly Missing[] };

export async function openGdb(guest: Machine, source: StubSource, room: RoomSource): Promise<Opened> {
  const architecture = ARCHITECTURES.get(source.architecture);
  if (architecture === undefined) throw new UserError(`there is no architecture ${source.architecture}`);
  const common = { guest, source, room, architecture };
  const { command } = source;
  if (command === undefined) {
    const setting = { ...common, toucher: undefined };
    const never = new AbortController().signal;
    let first = await attachStub(source, never);
    if (first === undefined) {
      const remedy = "start the emulator there, as in `qemu-riscv64 -g 1234 PROGRAM`";
      return { missing: [{ program: `a GDB stub at ${source.address}`, remedy }] };
    }
    const start = async (signal: AbortSignal): Promise<RunningStub> => {
      const stub = first ?? (await attachStub(source, signal));
      first = undefined;
      if (stub === undefined) throw new EnvironmentFailure(`the stub at ${source.address}`, "nobody listens any more");
      return stub;
    };
    const discard = async (): Promise<void> => first?.close();
    return { emulator: new GdbEmulator(setting, `GDB stub at ${source.address}`, start, discard) };
  }
  const [name = ""] = command;
  const file = findProgram(name, source.directory);
  if (file === undefined)
    return {
      missing: [
        { program: name, remedy: `\`command\` names it: install it, or give its path from ${source.directory}` },
      ],
    };
  const program: Program | undefined = command.some((word) => word.includes("{program}"))
    ? programFor(room.parts, architecture)
    : undefined;
  const setting = { ...common, toucher: program?.toucher };
  const identity = `${name} ${commandIdentity(command, source.directory, file)}`;
  const start = (signal: AbortSignal): Promise<RunningStub> =>
    startStub(source, command, file, program?.elf ?? new Uint8Array(), signal);
  return { emulator: new GdbEmulator(setting, identity, start, async () => undefined) };
}

class GdbEmulator implements Emulator {
  readonly identity: string;
  readonly room: CaseRoom;
  readonly exempt: ReadonlyMap<string, string>;
  private readonly setting: Setting;
  private readonly start: (signal: AbortSignal) => Promise<RunningStub>;
  private readonly discard: () => Promise<void>;
  private session: Session | undefined;

  constructor(
    setting: Setting,
    identity: string,
    start: (signal: AbortSignal) => Promise<RunningStub>,
    discard: () => Promise<void>,
  ) {
    this.setting = setting;
    this.identity = identity;
    this.room = caseRoom(setting.guest, setting.room);
    this.exempt = setting.room.exempt;
    this.start = start;
    this.discard = discard;
  }

  async *execute(cases: readonly EmulatorCase[], signal: AbortSignal): AsyncGenerator<Seen> {
    for (const c of cases) yield await this.one(c, signal);
  }

  /** After a failure the stub is started anew for the next case. */
  private async one(c: EmulatorCase, signal: AbortSignal): Promise<Seen> {
    try {
      this.session ??= await this.open(signal);
      return await this.session.step(c, signal);
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  private async open(signal: AbortSignal): Promise<Session> {
    const stub = await this.start(signal);
    try {
      return await Session.open(stub, this.setting, signal);
    } catch (error) {
      await stub.close();
      throw error;
    }
  }

  private async end(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    await session?.close();
  }

  async close(): Promise<void> {
    await this.end();
    await this.discard();
  }
}
