/**
 * `commute run`: a program on a machine's simulator. An ELF file runs as a user process of Linux on RISC-V or x86-64 (run-decoded.ts)
 * would, with the few system calls that a freestanding program needs (linux.ts), or from reset on a machine with modes (run-bare.ts);
 * an eBPF object runs as a program of its own (ebpf.ts); bytes given in hexadecimal run on any machine with instructions.
 *
 * Exit codes: the program's own; 0 for a trap called `halted`, with which a bare machine stops; for a trap that nobody
 * handles 128 plus the signal that Linux would send (4 illegal instruction, 5 breakpoint, 7 misaligned, 11 access fault), or
 * plus the trap's number on other machines; 132 (SIGILL) for an instruction that the decoder knows and the machine lacks; the lowest
 * byte of what an eBPF program returns; 152 (SIGXCPU) when `maxSteps` are done; 130 when interrupted.
 */
import { resolve } from "node:path";
import { bytesOfWord, codeVariables, decode, disassemble, lengthOfWord } from "../assembly/index.js";
import { Simulator } from "../compile/simulator.js";
import { UserError } from "../errors.js";
import { type InstructionSet, type Machine, variable } from "../machine.js";
import { Evaluator } from "../terms/evaluate.js";
import { FileValue, MemoryValue } from "../terms/value.js";
import type { Engine, RunOutcome } from "./engine.js";
import { type EbpfOptions, isEbpf, type LoadedEbpf, loadEbpf } from "./ebpf.js";
import { EF_RISCV_FLOAT_ABI, EM_RISCV, type Elf, elfError, type ElfTarget, readElf } from "./elf.js";
import { type Auxiliary, bytesOfHex, HEX_ORIGIN, imageOf, initialStack, signatureOf, STACK_SIZE } from "./image.js";
import { pageUp, Process, riscvConvention, type Streams } from "./linux.js";
import { type End, INTERRUPTED, outOfSteps, type RunResult, SLICE, trapText } from "./outcome.js";
import { FixedBytes, RiscvServices } from "./linux-riscv.js";
import { isBare, runBare } from "./run-bare.js";
import { checkRiscv, targetOf } from "./target.js";
import { Tracer } from "./trace.js";

export type { RunResult } from "./outcome.js";

export type ProgramSource =
  /** The contents of an ELF file, and its name for error messages. */
  | { readonly kind: "elf"; readonly file: string; readonly bytes: Uint8Array }
  /** Instruction bytes in memory order, spaces as you like; loaded at `HEX_ORIGIN` (0 in a small memory or a ROM). */
  | { readonly kind: "hex"; readonly text: string };

export interface RunOptions extends Partial<Streams> {
  /** Instructions, traps included; no limit if left out. */
  readonly maxSteps?: number | undefined;
  /** Called with one line for each instruction. */
  readonly trace?: ((line: string) => void) | undefined;
  /** The program's arguments, its own name first. */
  readonly arguments?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Of an eBPF program only. */
  readonly ebpf?: EbpfOptions | undefined;
  /** What to run a user program of the machine's on, with nothing in it yet, instead of the machine's simulator. */
  readonly engine?: Engine | undefined;
}

const STACK_TOP = { 32: 0xbfff_f000n, 64: 0x3f_ffff_f000n } as const;
const SIGILL = 4;
const SIGNALS: Readonly<Record<number, number>> = { 0: 7, 1: 11, 2: 4, 3: 5, 4: 7, 5: 11, 6: 7, 7: 11 };

interface Loaded {
  readonly process: Process | undefined;
  readonly elf: Elf | undefined;
  readonly file: string;
  readonly ebpf?: LoadedEbpf;
}

/** Runs a program to its end. Throws `UserError` for a program that cannot be run on this machine. */
export async function runProgram(
  machine: Machine,
  source: ProgramSource,
  options: RunOptions = {},
): Promise<RunResult> {
  if (machine.decoded !== undefined) return (await import("./run-decoded.js")).runDecoded(machine, source, options);
  if (isBare(machine)) return runBare(machine, source, options);
  const isa = machine.instructionSet;
  if (isa === undefined) throw new UserError(`${machine.name} has no instructions to run a program with`);
  const streams: Streams = {
    stdin: options.stdin ?? new Uint8Array(),
    stdout: options.stdout ?? ((): void => undefined),
    stderr: options.stderr ?? ((): void => undefined),
  };
  const simulator = new Simulator(machine);
  const engine = options.engine ?? simulator;
  if (options.ebpf !== undefined && !isEbpf(machine))
    throw new UserError(`--context, --section and --entry are for eBPF programs; ${machine.name} is another machine`);
  const loaded = isEbpf(machine)
    ? loadProgram(simulator, source, options.ebpf ?? {})
    : source.kind === "elf"
      ? loadElf(machine, isa, engine, source, streams, options.arguments ?? [source.file])
      : loadHex(machine, isa, engine, source.text, streams, options.arguments ?? []);
  const start = performance.now();
  const tracer = options.trace === undefined || engine !== simulator ? undefined : Tracer.of(machine, simulator);
  const end = await execute(machine, isa, engine, tracer, loaded, options);
  const hint = end.reason === "trap" ? floatHint(machine, loaded.elf, end.exitCode) : "";
  return {
    ...end,
    message: hint === "" ? end.message : `${end.message ?? ""}${hint}`,
    steps: engine.steps,
    seconds: (performance.now() - start) / 1000,
    returned: end.reason === "exit" ? loaded.ebpf?.result() : undefined,
    signature: () => signatureOf(engine.memory("mem"), loaded.elf, loaded.file),
  };
}

async function execute(
  machine: Machine,
  isa: InstructionSet,
  engine: Engine,
  tracer: Tracer | undefined,
  { process }: Loaded,
  options: RunOptions,
): Promise<End> {
  const maxSteps = options.maxSteps ?? Number.POSITIVE_INFINITY;
  for (;;) {
    const left = maxSteps - engine.steps;
    if (left <= 0) return outOfSteps(engine.steps, where(machine, isa, engine));
    if (options.signal?.aborted === true) return INTERRUPTED;
    const outcome =
      tracer === undefined || options.trace === undefined
        ? engine.run(Math.min(left, SLICE))
        : traced(tracer, options.trace, Math.min(left, 1000));
    switch (outcome.reason) {
      case "limit":
        // Lets a signal through.
        await new Promise((resolve) => setTimeout(resolve, 0));
        break;
      case "stuck":
        return {
          exitCode: 128,
          reason: "trap",
          message: `no instruction can be executed ${where(machine, isa, engine)}`,
        };
      case "trap": {
        const end = trapped(machine, isa, engine, process);
        if (end !== undefined) return end;
        break;
      }
    }
  }
}

function traced(tracer: Tracer, print: (line: string) => void, steps: number): RunOutcome {
  for (let i = 1; ; i++) {
    const { text, outcome } = tracer.step();
    if (outcome.reason !== "stuck") print(text);
    if (outcome.reason !== "limit" || i >= steps) return outcome;
  }
}

/** The end of the run, unless the trap is a system call that returns. */
function trapped(machine: Machine, isa: InstructionSet, engine: Engine, process: Process | undefined): End | undefined {
  const code = Number(engine.scalar("trap"));
  const trap = machine.traps.find((x) => x.code === code);
  if (trap === undefined) return { exitCode: 128, reason: "trap", message: `unknown trap ${code}` };
  if (trap.name === "environment_call" && process !== undefined) {
    const exitCode = process.systemCall();
    if (exitCode !== undefined) return { exitCode, reason: "exit", message: undefined };
    engine.write("trap", 0n);
    engine.write("trap.value", 0n);
    engine.write(isa.programCounter, after(isa, engine));
    return undefined;
  }
  if (trap.name === "exited" && isEbpf(machine))
    return { exitCode: Number(engine.element("r", 0) & 0xffn), reason: "exit", message: undefined };
  if (trap.name === "halted") return { exitCode: 0, reason: "halted", message: undefined };
  const signal = trap.cause === undefined ? undefined : SIGNALS[trap.cause];
  return {
    exitCode: 128 + (signal ?? Math.min(trap.code, 127)),
    reason: "trap",
    message: `${trapText(trap, engine.scalar("trap.value"))} ${where(machine, isa, engine)}`,
  };
}

/** Why a program may have met an illegal instruction: it wants registers that the machine has not, or arithmetic on them. */
function floatHint(machine: Machine, elf: Elf | undefined, exitCode: number): string {
  const wants = elf?.machine === EM_RISCV && (elf.flags & EF_RISCV_FLOAT_ABI) !== 0;
  if (!wants || exitCode !== 128 + SIGILL) return "";
  return variable(machine, "f") === undefined
    ? `; the program is compiled for floating-point registers, which ${machine.name} has not: run it on a machine with a file f, or compile with -mabi=lp64`
    : `; the program is compiled for F and D, of which ${machine.name} has registers and moves, but no arithmetic`;
}

/** `at pc 0x10074: 00000073 ecall` */
function where(machine: Machine, isa: InstructionSet, engine: Engine): string {
  const pc = engine.scalar(isa.programCounter);
  const word = wordAt(isa, engine);
  const text = word === undefined || decode(machine, word) === undefined ? "" : ` ${disassemble(machine, word, pc)}`;
  const digits = word?.toString(16).padStart(2 * bytesOfWord(isa, word).length, "0");
  return `at ${isa.programCounter} 0x${pc.toString(16)}${digits === undefined ? "" : `: ${digits}${text}`}`;
}

/** The fetched word, as wide as it is; undefined where nothing can be fetched. */
function wordAt(isa: InstructionSet, engine: Engine): bigint | undefined {
  const at = new Evaluator({ variable: (term) => engine.read(term.name) });
  return at.holds(isa.fetchable) ? at.number(isa.word) : undefined;
}

/** Where the program goes on after the instruction at hand. */
function after(isa: InstructionSet, engine: Engine): bigint {
  return engine.scalar(isa.programCounter) + BigInt(lengthOfWord(isa, wordAt(isa, engine) ?? 0n));
}

// ---------------------------------------------------------------------------------------------------------- loading

function loadElf(
  machine: Machine,
  isa: InstructionSet,
  engine: Engine,
  { bytes, file }: Extract<ProgramSource, { readonly kind: "elf" }>,
  streams: Streams,
  args: readonly string[],
): Loaded {
  const target = abiOf(machine);
  if (target === undefined) {
    throw elfError(
      file,
      `${machine.name} has no ABI known here (RISC-V's is); give the instructions as bytes with --hex`,
    );
  }
  const elf = readElf(bytes, file, target);
  checkRiscv(isa, elf, file, target);
  const bits = target.class;
  const top = STACK_TOP[bits];
  const { regions, memory, heapStart, heapLimit } = imageOf(elf, file, top, bits);
  engine.write("mem", memory);
  engine.write(isa.programCounter, elf.entry);
  const random = new FixedBytes();
  const auxiliary = auxiliaryOf(isa, elf, file, random);
  engine.setElement("x", 2, initialStack(engine.memory("mem"), top, BigInt(bits / 8), args, auxiliary));
  const argument = (index: number): bigint => engine.element("x", 10 + index);
  const services = new RiscvServices(engine.memory("mem"), bits, resolve(file), argument, random);
  const convention = riscvConvention(engine, bits, (number) => services.serve(number));
  const process = new Process(engine.memory("mem"), convention, regions, heapStart, heapLimit, streams);
  return { process, elf, file };
}

/** The auxiliary vector that Linux gives a program (include/uapi/linux/auxvec.h). */
function auxiliaryOf(isa: InstructionSet, elf: Elf, file: string, random: FixedBytes): readonly Auxiliary[] {
  const { headers } = elf;
  const has = (name: string): boolean => isa.instructions.some((i) => i.name === name);
  // AT_HWCAP has a bit for each single-letter extension.
  const letters = [["a", "lr.w"] as const, ["c", "c.addi"] as const, ["i", "addi"] as const, ["m", "mul"] as const];
  const hwcap = letters.reduce(
    (bits, [letter, name]) => (has(name) ? bits | (1n << BigInt(letter.charCodeAt(0) - 97)) : bits),
    0n,
  );
  const AT = { phdr: 3, phent: 4, phnum: 5, pagesz: 6, entry: 9, uid: 11, euid: 12, gid: 13, egid: 14 } as const;
  return [
    ...(headers === undefined
      ? []
      : [
          [AT.phdr, headers.address] as const,
          [AT.phent, BigInt(headers.size)] as const,
          [AT.phnum, BigInt(headers.count)] as const,
        ]),
    [AT.pagesz, 4096n],
    [AT.entry, elf.entry],
    [AT.uid, 1000n],
    [AT.euid, 1000n],
    [AT.gid, 1000n],
    [AT.egid, 1000n],
    [16, hwcap], // AT_HWCAP
    [17, 100n], // AT_CLKTCK
    [23, 0n], // AT_SECURE
    [25, random.next(16)], // AT_RANDOM
    [31, new TextEncoder().encode(`${file}\0`)], // AT_EXECFN
  ];
}

function loadProgram(simulator: Simulator, source: ProgramSource, options: EbpfOptions): Loaded {
  const [kind, file, bytes] =
    source.kind === "elf"
      ? (["object", source.file, source.bytes] as const)
      : (["bytes", "--hex", bytesOfHex(source.text)] as const);
  return { process: undefined, elf: undefined, file, ebpf: loadEbpf(simulator, { kind, file, bytes }, options) };
}

function loadHex(
  machine: Machine,
  isa: InstructionSet,
  engine: Engine,
  text: string,
  streams: Streams,
  args: readonly string[],
): Loaded {
  const bytes = bytesOfHex(text);
  const [from] = codeVariables(isa);
  if (from?.sort.kind === "file") {
    const { count, element } = from.sort;
    const size = Math.ceil(element / 8);
    if (bytes.length > count * size)
      throw new UserError(`${bytes.length} bytes do not fit into ${from.name}, ${count * size} bytes`);
    const words = Array.from({ length: count }, (_, i) => {
      let value = 0n;
      for (let k = size - 1; k >= 0; k--) value = (value << 8n) | BigInt(bytes[i * size + k] ?? 0);
      return value;
    });
    const wide = words.find((w) => w >> BigInt(element) !== 0n);
    if (wide !== undefined)
      throw new UserError(`0x${wide.toString(16)} has more than the ${element} bits of an instruction word`);
    engine.write(from.name, new FileValue(words));
    return { process: undefined, elf: undefined, file: "--hex" };
  }
  if (from?.sort.kind !== "memory")
    throw new UserError(`${machine.name} fetches its instructions in a way that --hex cannot load`);
  const width = from.sort.address;
  const origin = 1n << BigInt(width) > 2n * HEX_ORIGIN ? HEX_ORIGIN : 0n;
  if (BigInt(bytes.length) > (1n << BigInt(width)) - origin)
    throw new UserError(`${bytes.length} bytes do not fit into ${from.name}`);
  engine.write(from.name, MemoryValue.empty(width).storeBytes(origin, bytes));
  engine.write(isa.programCounter, origin);
  const bits = abiOf(machine)?.class;
  if (bits === undefined) return { process: undefined, elf: undefined, file: "--hex" };
  // All memory is accessible; only the program's own requests divide it.
  const top = STACK_TOP[bits];
  engine.setElement("x", 2, initialStack(engine.memory("mem"), top, BigInt(bits / 8), args));
  const process = new Process(
    engine.memory("mem"),
    riscvConvention(engine, bits),
    [],
    pageUp(origin + BigInt(bytes.length)),
    top - STACK_SIZE,
    streams,
  );
  return { process, elf: undefined, file: "--hex" };
}

/** Of a machine with RISC-V's registers and environment call. */
function abiOf(machine: Machine): ElfTarget | undefined {
  return machine.traps.some((x) => x.name === "environment_call") ? targetOf(machine) : undefined;
}
