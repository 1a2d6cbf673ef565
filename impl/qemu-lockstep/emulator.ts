/**
 * The installed qemu-riscv64 as a black box: real programs, traced instruction by instruction, and single instructions from
 * given states.
 */
import os from "node:os";
import path from "node:path";
import type {
  CaseRoom,
  Emulator,
  EmulatorCase,
  EmulatorFactory,
  EmulatorProgram,
  Snapshot,
  Tracing,
  TraceEvent,
} from "../../refinement/emulator.js";
import { EnvironmentFailure, InternalDefect, UserError } from "../../refinement/errors.js";
import type { State } from "../../refinement/execute/state.js";
import type { Machine } from "../../refinement/machine.js";
import { FileValue, type MemoryValue } from "../../refinement/terms/value.js";
import { CaseRunner, MAX_BATCH } from "./case-runner.js";
import { memoryOf, readImage } from "./image.js";
import { RUNNER_BASE } from "./layout.js";
import { type Options, readOptions } from "./options.js";
import { digestOf, findProgram, missing, versionOf } from "../shared/programs.js";
import { extensionsOf, type Model, processorModel, singleStepOption } from "../shared/qemu.js";
import { QemuProcess } from "../shared/qemu-process.js";
import { type Guest, RiscvCases, TRAPS, type TrapName } from "./riscv-cases.js";
import { architectureFlags, compile } from "./toolchain.js";
import { TraceReader } from "./trace.js";

/** From the folder `guest`. */
const RUNNER_HEADERS = ["system.h", "../../shared/windows.h"];
const GUEST_FILES = ["case-runner.c", ...RUNNER_HEADERS, "start.c", "library.c", "library.h"];

const A0 = 10;
const A7 = 17;
const SYS_WRITE = 64n;

const factory: EmulatorFactory = async (guest, options, directory) => {
  const chosen = readOptions(options);
  const codes = trapCodes(guest);
  const [emulator, compiler] = await Promise.all([findProgram(chosen.program), findProgram(chosen.compiler)]);
  if (emulator === undefined || compiler === undefined) {
    return {
      missing: [
        ...(emulator === undefined ? [missing(chosen.program)] : []),
        ...(compiler === undefined ? [missing(chosen.compiler)] : []),
      ],
    };
  }
  return { emulator: await Qemu.open(chosen, { emulator, compiler }, guest, codes, directory) };
};
export default factory;

function trapCodes(guest: Machine): ReadonlyMap<TrapName, bigint> {
  return new Map(
    TRAPS.map((name) => {
      const trap = guest.traps.find((t) => t.name === name);
      if (trap === undefined)
        throw new UserError(`${guest.name} has no trap ${name}: qemu-riscv64 is compared with a RISC-V machine`);
      return [name, BigInt(trap.code)];
    }),
  );
}

function guestOf(machine: Machine): Guest {
  const isa = machine.instructionSet;
  const pc = machine.variables.find((v) => v.name === "pc")?.sort;
  if (isa === undefined || pc?.kind !== "bits") throw new UserError(`${machine.name} is no RISC-V machine`);
  return {
    xlen: pc.width === 32 ? 32 : 64,
    compressed: isa.parcels.length === 2,
    atomics: machine.variables.some((v) => v.name === "reservation.valid"),
    floats: machine.variables.some((v) => v.name === "f"),
  };
}

interface Programs {
  readonly emulator: string;
  readonly compiler: string;
}

interface Parts {
  readonly identity: string;
  /** What the emulator says of itself. */
  readonly version: string;
  readonly programs: Programs;
  readonly options: Options;
  readonly model: Model;
  readonly sources: readonly string[];
  /** The folder of what the programs are linked with. */
  readonly folder: string;
  readonly guest: Guest;
  readonly traps: ReadonlyMap<TrapName, bigint>;
  /** The compiled case runner. */
  readonly runner: string;
}

class Qemu implements Emulator, Tracing {
  readonly tracing = this;
  readonly identity: string;
  readonly room: CaseRoom;
  private readonly parts: Parts;
  private readonly cases: RiscvCases;
  private readonly runner: CaseRunner;

  private constructor(parts: Parts) {
    this.identity = parts.identity;
    this.parts = parts;
    this.cases = new RiscvCases(parts.guest, parts.model, parts.version, parts.traps);
    const { layout } = this.cases;
    this.runner = new CaseRunner([parts.programs.emulator, "-cpu", parts.model.cpu, parts.runner], layout.windows, {
      floats: parts.guest.floats,
    });
    this.room = {
      memory: layout.memory,
      code: layout.windows.filter((w) => w.execute),
      data: layout.windows.filter((w) => !w.execute),
      cost: (state) => this.cases.cost(state),
      lacks: (state) => this.cases.lacks(state),
    };
  }

  static async open(
    options: Options,
    programs: Programs,
    machine: Machine,
    traps: ReadonlyMap<TrapName, bigint>,
    directory: string,
  ): Promise<Qemu> {
    const folder = path.join(directory, "guest");
    const { emulator, compiler } = programs;
    const guest = guestOf(machine);
    const runner = await compile(
      compiler,
      `case-runner-${guest.xlen}${guest.floats ? "-floats" : ""}`,
      [path.join(folder, "case-runner.c")],
      RUNNER_HEADERS.map((file) => path.join(folder, file)),
      runnerFlags(guest),
    );
    const model = await processorModel(emulator, options.cpu, extensionsOf(options.march), runner);
    const sources = options.programs.map((p) => path.resolve(directory, p));
    const version = await versionOf(emulator);
    const identity = [
      version,
      `-cpu ${model.cpu}`,
      await versionOf(compiler),
      `${os.cpus()[0]?.model} (${os.arch()})`,
      `sources ${await digestOf([...sources, ...GUEST_FILES.map((file) => path.join(folder, file))])}`,
    ].join("; ");
    return new Qemu({ identity, version, programs, options, model, sources, folder, guest, traps, runner });
  }

  programs(): Promise<readonly EmulatorProgram[]> {
    const { folder, sources, programs, options } = this.parts;
    const shared = ["start.c", "library.c"].map((file) => path.join(folder, file));
    const headers = ["system.h", "library.h"].map((file) => path.join(folder, file));
    return Promise.all(
      sources.map(async (source) => {
        const name = path.basename(source, ".c");
        const flags = architectureFlags(compilable(options.march));
        return { name, elf: await compile(programs.compiler, name, [source, ...shared], headers, flags) };
      }),
    );
  }

  async memoryOf(program: EmulatorProgram): Promise<MemoryValue> {
    return memoryOf(await readImage(program.elf), this.parts.guest.xlen);
  }

  async *trace(program: EmulatorProgram, signal: AbortSignal): AsyncGenerator<TraceEvent> {
    const { programs, model } = this.parts;
    const singleStep = singleStepOption(await versionOf(programs.emulator));
    const run = new QemuProcess(programs.emulator, ["-cpu", model.cpu, singleStep], "cpu,nochain", program.elf);
    const reader = new TraceReader();
    for await (const chunk of run.log(signal)) {
      for (const state of reader.push(chunk)) yield { kind: "state", state };
    }
    reader.end();
    const { status, output } = await run.end();
    if (status !== 0)
      throw new EnvironmentFailure(program.elf, `the program ended with ${status}: it finds its own results wrong`);
    let at = 0;
    for (const segment of (await readImage(program.elf)).segments) {
      const size = Number(segment.size);
      yield { kind: "memory", address: segment.address, bytes: output.subarray(at, at + size) };
      at += size;
    }
    if (at !== output.length)
      throw new EnvironmentFailure(program.elf, `it wrote ${output.length} bytes, not the ${at} of its memory`);
  }

  /** The only system calls are `write`, whose result goes to a0, and the last, `exit_group`. */
  resume(trapped: State, next: Snapshot): State | undefined {
    const x = trapped.get("x");
    const pc = trapped.get("pc");
    const after = next.get("x");
    if (!(x instanceof FileValue) || !(after instanceof FileValue) || typeof pc !== "bigint") return undefined;
    const called = trapped.get("trap") === this.parts.traps.get("environment_call");
    if (!called || x.get(BigInt(A7)) !== SYS_WRITE) return undefined;
    const resumed = new Map(trapped);
    resumed.set("pc", pc + 4n);
    resumed.set("x", x.set(BigInt(A0), after.get(BigInt(A0))));
    resumed.set("trap", 0n);
    resumed.set("trap.value", 0n);
    return resumed;
  }

  async *execute(cases: readonly EmulatorCase[], signal: AbortSignal): AsyncGenerator<State> {
    for (let at = 0; at < cases.length; ) {
      const batch: EmulatorCase[] = [];
      for (const next of cases.slice(at, at + MAX_BATCH)) {
        const dear = this.cases.cost(next.state) === "dear";
        if (dear && batch.length > 0) break;
        batch.push(next);
        if (dear) break;
      }
      yield* this.batch(batch, signal);
      at += batch.length;
    }
  }

  private async *batch(cases: readonly EmulatorCase[], signal: AbortSignal): AsyncGenerator<State> {
    const inputs = cases.map((c) => this.cases.input(c));
    const result = await this.runner.run(inputs, signal);
    if (result.kind === "results") {
      for (const [i, c] of cases.entries()) {
        const [asked, got] = [inputs[i], result.outputs[i]];
        if (asked === undefined || got === undefined) throw new InternalDefect("a case without an answer");
        yield this.cases.answer(c, asked, got);
      }
    } else if (cases.length === 1 && cases[0] !== undefined) {
      yield this.cases.death(cases[0], result.died);
    } else {
      for (const c of cases) yield* this.batch([c], signal);
    }
  }

  async close(): Promise<void> {
    await this.runner.close();
  }
}

/** The runner uses no instruction of the extensions that it tests, so that it runs whatever is switched off. */
function runnerFlags({ xlen, compressed, atomics, floats }: Guest): readonly string[] {
  return [
    ...architectureFlags(`rv${xlen}im`),
    `-Wl,-Ttext-segment=0x${RUNNER_BASE[xlen].toString(16)}`,
    ...(compressed ? ["-DCOMPRESSED"] : []),
    ...(atomics ? ["-DATOMICS"] : []),
    ...(floats ? ["-DFLOATS"] : []),
  ];
}

/** Without what compilers do not know yet. */
function compilable(march: string): string {
  return march.replace("_zicond", "");
}
