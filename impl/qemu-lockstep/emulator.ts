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
  TraceEvent,
} from "../../refinement/emulator.js";
import { EnvironmentFailure, InternalDefect, UserError } from "../../refinement/errors.js";
import type { State } from "../../refinement/execute/state.js";
import type { Machine } from "../../refinement/machine.js";
import { FileValue, MemoryValue } from "../../refinement/terms/value.js";
import {
  type CaseInput,
  type CaseOutput,
  CaseRunner,
  type Died,
  MAX_BATCH,
  SIGILL,
  SIGSEGV,
  SIGTRAP,
} from "./case-runner.js";
import { memoryOf, readImage } from "./image.js";
import { isConfined, isUnmappable, PAGE, ROOM_MEMORY, RUNNER_BASE, WINDOWS, windowAt } from "./layout.js";
import { type Options, readOptions } from "./options.js";
import { compile, digestOf, findProgram, missing, processorModel, singleStepOption, versionOf } from "./toolchain.js";
import { TraceReader } from "./trace.js";
import { TraceProcess } from "./trace-process.js";
import { addressOf, kindOf } from "./words.js";

/** The names that the guest's definition has for what Linux reports as signals. */
const TRAPS = [
  "instruction_address_misaligned",
  "instruction_access_fault",
  "illegal_instruction",
  "breakpoint",
  "load_access_fault",
  "store_access_fault",
  "environment_call",
] as const;
type TrapName = (typeof TRAPS)[number];

/** In the folder `guest`. */
const GUEST_FILES = ["case-runner.c", "system.h", "start.c", "library.c", "library.h"];

const A0 = 10;
const A7 = 17;
const SYS_WRITE = 64n;
const MINUS_ENOSYS = BigInt.asUintN(64, -38n);

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
  return { emulator: await Qemu.open(chosen, emulator, compiler, codes, directory) };
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

class Qemu implements Emulator {
  readonly identity: string;
  readonly room: CaseRoom;
  private readonly emulator: string;
  private readonly compiler: string;
  private readonly model: string;
  private readonly sources: readonly string[];
  /** The folder of what the programs are linked with. */
  private readonly guest: string;
  private readonly traps: ReadonlyMap<TrapName, bigint>;
  private readonly runner: CaseRunner;

  private constructor(
    identity: string,
    emulator: string,
    compiler: string,
    model: string,
    sources: readonly string[],
    guest: string,
    traps: ReadonlyMap<TrapName, bigint>,
    runner: string,
  ) {
    this.identity = identity;
    this.emulator = emulator;
    this.compiler = compiler;
    this.model = model;
    this.sources = sources;
    this.guest = guest;
    this.traps = traps;
    this.runner = new CaseRunner([emulator, "-cpu", model, runner]);
    this.room = {
      memory: ROOM_MEMORY,
      code: WINDOWS.filter((w) => w.execute),
      data: WINDOWS.filter((w) => !w.execute),
      cost,
    };
  }

  static async open(
    options: Options,
    emulator: string,
    compiler: string,
    traps: ReadonlyMap<TrapName, bigint>,
    directory: string,
  ): Promise<Qemu> {
    const guest = path.join(directory, "guest");
    const runner = await compile(
      compiler,
      "case-runner",
      [path.join(guest, "case-runner.c")],
      [path.join(guest, "system.h")],
      [`-Wl,-Ttext-segment=0x${RUNNER_BASE.toString(16)}`],
    );
    const model = await processorModel(emulator, options.cpu, runner);
    const sources = options.programs.map((p) => path.resolve(directory, p));
    const identity = [
      await versionOf(emulator),
      `-cpu ${model}`,
      await versionOf(compiler),
      `${os.cpus()[0]?.model} (${os.arch()})`,
      `sources ${await digestOf([...sources, ...GUEST_FILES.map((file) => path.join(guest, file))])}`,
    ].join("; ");
    return new Qemu(identity, emulator, compiler, model, sources, guest, traps, runner);
  }

  programs(): Promise<readonly EmulatorProgram[]> {
    const shared = ["start.c", "library.c"].map((file) => path.join(this.guest, file));
    const headers = ["system.h", "library.h"].map((file) => path.join(this.guest, file));
    return Promise.all(
      this.sources.map(async (source) => {
        const name = path.basename(source, ".c");
        return { name, elf: await compile(this.compiler, name, [source, ...shared], headers) };
      }),
    );
  }

  async memoryOf(program: EmulatorProgram): Promise<MemoryValue> {
    return memoryOf(await readImage(program.elf));
  }

  async *trace(program: EmulatorProgram, signal: AbortSignal): AsyncGenerator<TraceEvent> {
    const run = new TraceProcess(
      this.emulator,
      this.model,
      program.elf,
      singleStepOption(await versionOf(this.emulator)),
    );
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
    if (trapped.get("trap") !== this.traps.get("environment_call") || x.get(BigInt(A7)) !== SYS_WRITE) return undefined;
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
        const dear = cost(next.state) === "dear";
        if (dear && batch.length > 0) break;
        batch.push(next);
        if (dear) break;
      }
      yield* this.batch(batch, signal);
      at += batch.length;
    }
  }

  private async *batch(cases: readonly EmulatorCase[], signal: AbortSignal): AsyncGenerator<State> {
    const inputs = cases.map(input);
    const result = await this.runner.run(inputs, signal);
    if (result.kind === "results") {
      for (const [i, c] of cases.entries()) {
        const [asked, got] = [inputs[i], result.outputs[i]];
        if (asked === undefined || got === undefined) throw new InternalDefect("a case without an answer");
        yield this.answer(c, asked, got);
      }
    } else if (cases.length === 1 && cases[0] !== undefined) {
      yield this.death(cases[0], result.died);
    } else {
      for (const c of cases) yield* this.batch([c], signal);
    }
  }

  /** The state after, from the signal that ended the case. */
  private answer(c: EmulatorCase, asked: CaseInput, got: CaseOutput): State {
    const word = Number(asked.word);
    const completed = (): State => this.state(c, got.pc, got.x, got.changes);
    if (got.pc !== asked.pc) {
      // The next instruction is an ebreak or cannot be fetched, so this one came to its end.
      const served = kindOf(word) === "ecall" && got.pc === asked.pc + 4n && got.x[A0] === MINUS_ENOSYS;
      if (!served) return completed();
      return this.state(c, asked.pc, got.x.with(A0, asked.x[A0] ?? 0n), got.changes, "environment_call", 0n);
    }
    switch (got.signal) {
      case SIGTRAP:
        return this.state(c, got.pc, got.x, got.changes, "breakpoint", 0n);
      case SIGILL:
        return this.state(c, got.pc, got.x, got.changes, "illegal_instruction", undefined);
      case SIGSEGV: {
        if (!ROOM_MEMORY.accessible("fetch", got.pc, 4)) {
          return this.state(c, got.pc, got.x, got.changes, "instruction_access_fault", got.address);
        }
        const trap = kindOf(word) === "store" ? "store_access_fault" : "load_access_fault";
        return this.state(c, got.pc, got.x, got.changes, trap, faultAddress(asked, got.address));
      }
      default:
        return completed(); // It never came to an end: a jump to itself, or a hang.
    }
  }

  /** User-mode QEMU knows no signal for exception 0 and gives up, telling the registers but not the target. */
  private death(c: EmulatorCase, died: Died): State {
    if (died.registers === undefined || !/unhandled CPU exception (0x)?0\b/.test(died.message)) {
      throw new EnvironmentFailure("qemu-riscv64", `it died on a case: ${died.message}`);
    }
    return this.state(c, died.registers.pc, died.registers.x, [], "instruction_address_misaligned", undefined);
  }

  private state(
    c: EmulatorCase,
    pc: bigint,
    x: readonly bigint[],
    changes: CaseOutput["changes"],
    trap?: TrapName,
    value?: bigint,
  ): State {
    const before = c.state.get("mem");
    if (!(before instanceof MemoryValue)) throw new InternalDefect("a case without memory");
    const memory = changes.reduce((m, change) => m.store(change.address, 8, change.value), before);
    const after = new Map<string, bigint | FileValue | MemoryValue>([
      ["pc", pc],
      ["x", new FileValue(x)],
      ["mem", memory],
      ["trap", trap === undefined ? 0n : (this.traps.get(trap) ?? 0n)],
    ]);
    if (trap === undefined) after.set("trap.value", 0n);
    else if (value !== undefined) after.set("trap.value", value);
    return after;
  }

  async close(): Promise<void> {
    await this.runner.close();
  }
}

/**
 * The address of a faulting access. Linux tells the first byte that is inaccessible, which in an access across pages is not the
 * access's own address; and nothing (0) for an address that no x86-64 pointer can hold.
 */
function faultAddress(asked: CaseInput, reported: bigint): bigint | undefined {
  const address = addressOf(Number(asked.word), asked.pc, asked.x);
  if (address === undefined) return reported;
  if (reported === 0n && isUnmappable(address) && address !== 0n) return undefined;
  const across = reported % PAGE === 0n && address < reported && address + 8n > reported;
  return across ? address : reported;
}

function input(c: EmulatorCase): CaseInput {
  const pc = c.state.get("pc");
  const x = c.state.get("x");
  const memory = c.state.get("mem");
  if (typeof pc !== "bigint" || !(x instanceof FileValue) || !(memory instanceof MemoryValue)) {
    throw new InternalDefect("a case's state has pc, x and mem");
  }
  const patches: CaseInput["patches"][number][] = [];
  for (const patch of c.patches) {
    for (let i = 0; i < patch.bytes.length; i += 8) {
      const address = patch.address + BigInt(i);
      const bytes = patch.bytes.subarray(i, i + 8);
      if (address === pc && bytes.length <= 4) continue; // The instruction, which is sent by itself.
      if (windowAt(address)?.write !== true)
        throw new InternalDefect(`no memory to write a patch to at 0x${address.toString(16)}`);
      patches.push({ address, length: bytes.length, value: memory.load(address, bytes.length) });
    }
  }
  return { pc, x: x.elements, word: memory.load(pc, 4), patches };
}

/** See CaseRoom.cost. */
function cost(state: State): "cheap" | "dear" | "impossible" {
  const pc = state.get("pc");
  const x = state.get("x");
  const memory = state.get("mem");
  if (typeof pc !== "bigint" || !(x instanceof FileValue) || !(memory instanceof MemoryValue) || (pc & 3n) !== 0n)
    return "impossible";
  if (!confined(pc)) return "impossible";
  if (!ROOM_MEMORY.accessible("fetch", pc, 4)) return "cheap";
  // What comes next must stop it.
  const landing = pc + 4n;
  if (!stops(memory, landing)) return "impossible";
  const word = Number(memory.load(pc, 4));
  const address = addressOf(word, pc, x.elements);
  switch (kindOf(word)) {
    case "other":
      return "cheap";
    case "ecall":
      return BigInt.asUintN(32, x.get(BigInt(A7))) >= 0x1000n ? "cheap" : "impossible";
    case "load":
      return address !== undefined && confined(address) ? "cheap" : "impossible";
    case "store":
      return address !== undefined && confined(address) && !(address < landing + 4n && address + 8n > landing)
        ? "cheap"
        : "impossible";
    case "jump":
    case "branch":
      if (address === undefined || !confined(address) || address === pc) return "impossible";
      if ((address & 2n) !== 0n) return "dear";
      return stops(memory, address) ? "cheap" : "impossible";
  }
}

/** Eight bytes from here are all in the room, in its guards or where nothing can be mapped. */
function confined(address: bigint): boolean {
  return isConfined(address) || (isUnmappable(address) && isUnmappable(BigInt.asUintN(64, address + 7n)));
}

const EBREAK = 0x00100073n;

function stops(memory: MemoryValue, address: bigint): boolean {
  return !ROOM_MEMORY.accessible("fetch", address, 4) || memory.load(address, 4) === EBREAK;
}
