/** The installed qemu-system-riscv64 or -riscv32 as a black box: bare-metal programs, traced instruction by instruction. */
import { readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import type {
  Emulator,
  EmulatorFactory,
  EmulatorProgram,
  Pacing,
  Snapshot,
  TraceEvent,
  Tracing,
} from "../../refinement/emulator.js";
import { InternalDefect, UserError } from "../../refinement/errors.js";
import { readElf } from "../../refinement/execute/elf.js";
import type { State } from "../../refinement/execute/state.js";
import { makeFolder } from "../../refinement/make-folder.js";
import { variable } from "../../refinement/machine.js";
import { MemoryValue } from "../../refinement/terms/value.js";
import { cacheFolder, compile, digestOf, findProgram, missing, versionOf } from "../shared/programs.js";
import { singleStepOption } from "../shared/qemu.js";
import { MachineProcess } from "./machine-process.js";
import { type Options, readOptions } from "./options.js";
import { programs } from "./programs.js";
import type { Source, Xlen } from "./programs/source.js";
import { TraceReader } from "./trace.js";

const RAM = 0x8000_0000n;
const MEGABYTES = 16;
/** What of it the programs use, and is compared at the end. */
const COMPARED = 1 << 20;
const HEADERS = ["harness.h", "tables.h"];
const SCRIPT = "program.ld";
const FOLDER = "qemu-system-lockstep";
const MTIP = 1n << 7n;

const factory: EmulatorFactory = async (guest, options, directory) => {
  const chosen = readOptions(options);
  const [emulator, compiler] = await Promise.all([findProgram(chosen.program), findProgram(chosen.compiler)]);
  if (emulator === undefined || compiler === undefined) {
    return {
      missing: [
        ...(emulator === undefined ? [missing(chosen.program)] : []),
        ...(compiler === undefined ? [missing(chosen.compiler)] : []),
      ],
    };
  }
  const width = variable(guest, "pc")?.sort;
  if (width?.kind !== "bits" || (width.width !== 32 && width.width !== 64) || variable(guest, "mode") === undefined)
    throw new UserError(`${guest.name} is no RISC-V machine with modes: ${chosen.program} is compared with one`);
  return { emulator: await QemuSystem.open(chosen, emulator, compiler, width.width, directory) };
};
export default factory;

class QemuSystem implements Emulator, Tracing {
  readonly tracing = this;
  readonly identity: string;
  readonly room = undefined;
  readonly pacing: Pacing = { inputs, ended: (state) => state.get("off") === 1n };
  private readonly emulator: string;
  private readonly compiler: string;
  private readonly cpu: string;
  private readonly singleStep: string;
  private readonly xlen: Xlen;
  private readonly guest: string;

  private constructor(
    identity: string,
    paths: { readonly emulator: string; readonly compiler: string; readonly guest: string },
    cpu: string,
    singleStep: string,
    xlen: Xlen,
  ) {
    this.identity = identity;
    this.emulator = paths.emulator;
    this.compiler = paths.compiler;
    this.guest = paths.guest;
    this.cpu = cpu;
    this.singleStep = singleStep;
    this.xlen = xlen;
  }

  static async open(
    options: Options,
    emulator: string,
    compiler: string,
    xlen: Xlen,
    directory: string,
  ): Promise<QemuSystem> {
    const guest = path.join(directory, "guest");
    const version = await versionOf(emulator);
    const headers = [...HEADERS, SCRIPT].map((file) => path.join(guest, file));
    const text = programs(xlen)
      .map((p) => p.text)
      .join("\n");
    const identity = [
      version,
      `-cpu ${options.cpu}`,
      await versionOf(compiler),
      `sources ${await digestOf(headers, text)}`,
    ].join("; ");
    return new QemuSystem(identity, { emulator, compiler, guest }, options.cpu, singleStepOption(version), xlen);
  }

  async programs(): Promise<readonly EmulatorProgram[]> {
    return programs(this.xlen).map(({ name }) => ({ name, elf: name }));
  }

  private async elfOf(name: string): Promise<string> {
    const source = programs(this.xlen).find((p) => p.name === name);
    if (source === undefined) throw new InternalDefect(`there is no program ${name}`);
    const file = await this.written(source);
    const arch = `rv${this.xlen}imac_zicsr_zifencei`;
    return compile({
      compiler: this.compiler,
      name: `system${this.xlen}-${name}`,
      folder: FOLDER,
      sources: [file],
      headers: [...HEADERS, SCRIPT].map((header) => path.join(this.guest, header)),
      flags: [
        `-march=${arch}`,
        `-mabi=${this.xlen === 64 ? "lp64" : "ilp32"}`,
        `-I${this.guest}`,
        `-Wl,-T,${path.join(this.guest, SCRIPT)}`,
        ...["-nostdlib", "-static", "-no-pie", "-Wl,--no-relax", "-Wl,--build-id=none", "-Wa,-mno-relax"],
      ],
    });
  }

  /** The program's text as a file, whose name says what is in it. */
  private async written({ name, text }: Source): Promise<string> {
    const folder = cacheFolder(FOLDER);
    const file = path.join(folder, `system${this.xlen}-${name}-${await digestOf([], text)}.S`);
    await makeFolder(folder);
    await writeFile(`${file}.${process.pid}`, text);
    await rename(`${file}.${process.pid}`, file);
    return file;
  }

  async memoryOf(program: EmulatorProgram): Promise<MemoryValue> {
    const file = await this.elfOf(program.name);
    const image = readElf(await readFile(file), file);
    const end = RAM + BigInt(MEGABYTES << 20);
    const empty = MemoryValue.empty(
      this.xlen,
      Object.assign((_: unknown, address: bigint) => address >= RAM && address < end, { granularity: 4096 }),
    );
    return image.segments.reduce((memory, s) => memory.storeBytes(s.address, s.data), empty);
  }

  async *trace(program: EmulatorProgram, signal: AbortSignal): AsyncGenerator<TraceEvent> {
    const file = await this.elfOf(program.name);
    const image = readElf(await readFile(file), file);
    const last = image.symbols.get("last_instruction");
    const run = new MachineProcess(this.emulator, this.cpu, MEGABYTES, this.singleStep, file);
    const reader = new TraceReader(this.xlen);
    let started = false;
    try {
      for await (const chunk of run.log(signal)) {
        for (const { state, mip } of reader.push(chunk)) {
          // The boot code comes first.
          started ||= state.get("pc") === image.entry;
          if (started) yield { kind: "state", state: new Map([...state, ["mip", mip]]) };
        }
        const { ready } = reader;
        if (ready === undefined || ready.state.get("pc") !== last) continue;
        yield { kind: "state", state: ready.state };
        yield { kind: "memory", address: RAM, bytes: await run.memory(RAM, COMPARED) };
        return;
      }
    } finally {
      run.kill();
    }
  }

  resume(): undefined {
    return undefined;
  }

  async *execute(): AsyncGenerator<State> {}

  async close(): Promise<void> {}
}

/** Time is what makes the timer's interrupt pending where the emulator shows it so. */
function inputs(state: State, shown: Snapshot): State {
  const [time, compare, mip] = [state.get("mtime"), state.get("mtimecmp"), shown.get("mip")];
  if (typeof time !== "bigint" || typeof compare !== "bigint" || typeof mip !== "bigint") return new Map();
  const pending = (mip & MTIP) !== 0n;
  if (pending === time >= compare) return new Map();
  return new Map([["mtime", pending ? compare : compare - 1n]]);
}
