/**
 * `commute run` of a machine whose instructions a library decodes: an ELF file as a process of Linux on x86-64, or instruction bytes in
 * hexadecimal.
 */
import { type DecoderLibrary, decoderLibrary } from "../assembly/library.js";
import { DecodedSimulator } from "../compile/decoded-simulator.js";
import { UserError } from "../errors.js";
import { type DecodedInstructionSet, type Machine, variable } from "../machine.js";
import { MemoryValue } from "../terms/value.js";
import { type Elf, elfError, readElf } from "./elf.js";
import { bytesOfHex, HEX_ORIGIN, imageOf, initialStack, signatureOf, STACK_SIZE } from "./image.js";
import { pageUp, Process, type Streams } from "./linux.js";
import { isX8664, resume, TRAP, USER_END, x8664Convention } from "./linux-x86-64.js";
import { type End, INTERRUPTED, outOfSteps, type RunResult, SLICE, trapText } from "./outcome.js";
import type { ProgramSource, RunOptions } from "./run.js";
import { targetOf } from "./target.js";
import { DecodedTracer } from "./trace-decoded.js";

/** By exception vector: the signals that Linux sends (arch/x86/kernel/traps.c). */
const SIGNALS: Readonly<Record<number, number>> = { 0: 8, 1: 5, 3: 5, 4: 11, 6: 4, 12: 7, 13: 11, 14: 11 };
/** SIGILL. */
const UNSUPPORTED = 132;

export async function runDecoded(machine: Machine, source: ProgramSource, options: RunOptions): Promise<RunResult> {
  const set = machine.decoded;
  if (set === undefined) throw new UserError(`${machine.name} has no instructions to run a program with`);
  const library = await decoderLibrary(set);
  const run = new Run(machine, set, library, options);
  let elf: Elf | undefined;
  if (source.kind === "elf") elf = run.loadElf(source.file, source.bytes);
  else run.loadHex(bytesOfHex(source.text));
  const start = performance.now();
  const end = await run.execute();
  return {
    ...end,
    steps: run.simulator.steps,
    seconds: (performance.now() - start) / 1000,
    signature: () => signatureOf(run.simulator.memory(set.memory), elf, source.kind === "elf" ? source.file : "--hex"),
  };
}

class Run {
  readonly simulator: DecodedSimulator;
  private readonly machine: Machine;
  private readonly set: DecodedInstructionSet;
  private readonly library: DecoderLibrary;
  private readonly options: RunOptions;
  private process: Process | undefined;

  constructor(machine: Machine, set: DecodedInstructionSet, library: DecoderLibrary, options: RunOptions) {
    this.machine = machine;
    this.set = set;
    this.library = library;
    this.options = options;
    this.simulator = new DecodedSimulator(machine, library.decode);
  }

  loadElf(file: string, bytes: Uint8Array): Elf {
    const { machine, set, simulator } = this;
    const target = targetOf(machine);
    if (target === undefined)
      throw elfError(
        file,
        `${machine.name} has no ABI known here (x86-64's is); give the instructions as bytes with --hex`,
      );
    const elf = readElf(bytes, file, target);
    const image = imageOf(elf, file, USER_END, 64);
    simulator.write(set.memory, image.memory);
    simulator.write(set.programCounter, elf.entry);
    this.begin(image.regions, image.heapStart, image.heapLimit, this.options.arguments ?? [file]);
    return elf;
  }

  loadHex(bytes: Uint8Array): void {
    const { machine, set, simulator } = this;
    const sort = variable(machine, set.memory)?.sort;
    const width = sort?.kind === "memory" ? sort.address : 64;
    simulator.write(set.memory, MemoryValue.empty(width).storeBytes(HEX_ORIGIN, bytes));
    simulator.write(set.programCounter, HEX_ORIGIN);
    // All memory is accessible; only the program's own requests divide it.
    const heapStart = pageUp(HEX_ORIGIN + BigInt(bytes.length));
    if (isX8664(machine)) this.begin([], heapStart, USER_END - STACK_SIZE, this.options.arguments ?? []);
  }

  private begin(
    regions: ConstructorParameters<typeof Process>[2],
    heapStart: bigint,
    heapLimit: bigint,
    args: readonly string[],
  ): void {
    const { simulator, options } = this;
    const memory = simulator.memory(this.set.memory);
    simulator.write("rsp", initialStack(memory, USER_END, 8n, args));
    const streams: Streams = {
      stdin: options.stdin ?? new Uint8Array(),
      stdout: options.stdout ?? ((): void => undefined),
      stderr: options.stderr ?? ((): void => undefined),
    };
    this.process = new Process(memory, x8664Convention(simulator), regions, heapStart, heapLimit, streams);
  }

  async execute(): Promise<End> {
    const { simulator, options } = this;
    const maxSteps = options.maxSteps ?? Number.POSITIVE_INFINITY;
    const tracer = options.trace === undefined ? undefined : new DecodedTracer(this.machine, this.library, simulator);
    for (;;) {
      const left = maxSteps - simulator.steps;
      if (left <= 0) return outOfSteps(simulator.steps, this.where());
      if (options.signal?.aborted === true) return INTERRUPTED;
      const outcome = tracer === undefined ? simulator.run(Math.min(left, SLICE)) : tracer.step(options.trace);
      switch (outcome.reason) {
        case "limit":
          // Lets a signal through.
          if (tracer === undefined || simulator.steps % 1000 === 0)
            await new Promise((resolve) => setTimeout(resolve, 0));
          break;
        case "stuck":
          return { exitCode: 128, reason: "trap", message: `no instruction can be executed ${this.where()}` };
        case "unsupported":
          return {
            exitCode: UNSUPPORTED,
            reason: "unsupported",
            message: `${this.machine.name} cannot execute this: ${outcome.why}, ${this.where()}`,
          };
        case "trap": {
          const end = this.trapped();
          if (end !== undefined) return end;
          break;
        }
        default:
          return outcome satisfies never;
      }
    }
  }

  /** The end of the run, unless the trap is a system call that returns. */
  private trapped(): End | undefined {
    const { machine, simulator, set, process } = this;
    const code = Number(simulator.scalar("trap"));
    const trap = machine.traps.find((x) => x.code === code);
    if (trap === undefined) return { exitCode: 128, reason: "trap", message: `unknown trap ${code}` };
    if (trap.name === TRAP && process !== undefined) {
      const exitCode = process.systemCall();
      if (exitCode !== undefined) return { exitCode, reason: "exit", message: undefined };
      const fetched = simulator.fetch();
      const length = fetched.kind === "instruction" ? fetched.instruction.length : 0;
      resume(simulator, simulator.scalar(set.programCounter) + BigInt(length));
      return undefined;
    }
    const signal = trap.cause === undefined ? undefined : SIGNALS[trap.cause];
    return {
      exitCode: 128 + (signal ?? Math.min(trap.code, 127)),
      reason: "trap",
      message: `${trapText(trap, simulator.scalar("trap.value"))} ${this.where()}`,
    };
  }

  /** `at rip 0x401000: 0f05 syscall` */
  private where(): string {
    const { simulator, set, library } = this;
    const pc = simulator.scalar(set.programCounter);
    const fetched = simulator.fetch();
    const at = `at ${set.programCounter} 0x${pc.toString(16)}`;
    if (fetched.kind !== "instruction") return at;
    const { instruction } = fetched;
    return `${at}: ${Buffer.from(instruction.bytes).toString("hex")} ${library.print(instruction, pc)}`;
  }
}
