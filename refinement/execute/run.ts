/**
 * `commute run`: a program on a machine's simulator. An ELF file runs as a user process of Linux on RISC-V would, with the
 * few system calls that a freestanding program needs (linux.ts); bytes given in hexadecimal run on any machine with
 * instructions.
 *
 * Exit codes: the program's own; 0 for a trap called `halted`, with which a bare machine stops; for a trap that nobody
 * handles 128 plus the signal that Linux would send (4 illegal instruction, 5 breakpoint, 7 misaligned, 11 access fault), or
 * plus the trap's number on other machines; 152 (SIGXCPU) when `maxSteps` are done; 130 when interrupted.
 */
import { decode, disassemble } from "../assembly/index.js";
import type { PagedMemory } from "../compile/paged.js";
import { type RunOutcome, Simulator } from "../compile/simulator.js";
import { UserError } from "../errors.js";
import { type InstructionSet, type Machine, type TrapDeclaration, variable } from "../machine.js";
import { FileValue, MemoryValue } from "../terms/value.js";
import { EF_RISCV_RVC, EM_RISCV, type Elf, elfError, machineName, readElf } from "./elf.js";
import { pageDown, pageUp, permissionsOf, Process, type Region, type Streams } from "./linux.js";
import { Tracer } from "./trace.js";

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
}

export interface RunResult {
  readonly exitCode: number;
  readonly reason: "exit" | "halted" | "trap" | "limit" | "interrupted";
  /** What to tell the user, where the program did not exit by itself. */
  readonly message: string | undefined;
  readonly steps: number;
  readonly seconds: number;
  /**
   * The memory between the symbols `begin_signature` and `end_signature`, as the RISC-V architecture tests want it: a
   * 32-bit word a line, in hexadecimal. Throws `UserError` for a program without these symbols.
   */
  readonly signature: () => string;
}

export const HEX_ORIGIN = 0x10000n;
const STACK_SIZE = 8n << 20n;
const STACK_TOP = { 32: 0xbfff_f000n, 64: 0x3f_ffff_f000n } as const;
/** Steps between looks at the clock and at `signal`. */
const SLICE = 20_000_000;
const SIGNALS: Readonly<Record<number, number>> = { 0: 7, 1: 11, 2: 4, 3: 5, 4: 7, 5: 11, 6: 7, 7: 11 };
const INTERRUPTED = 130;
const OUT_OF_STEPS = 152;

interface Loaded {
  readonly process: Process | undefined;
  readonly elf: Elf | undefined;
  readonly file: string;
}

/** Runs a program to its end. Throws `UserError` for a program that cannot be run on this machine. */
export async function runProgram(
  machine: Machine,
  source: ProgramSource,
  options: RunOptions = {},
): Promise<RunResult> {
  const isa = machine.instructionSet;
  if (isa === undefined) throw new UserError(`${machine.name} has no instructions to run a program with`);
  const streams: Streams = {
    stdin: options.stdin ?? new Uint8Array(),
    stdout: options.stdout ?? ((): void => undefined),
    stderr: options.stderr ?? ((): void => undefined),
  };
  const simulator = new Simulator(machine);
  const loaded =
    source.kind === "elf"
      ? loadElf(
          machine,
          isa,
          simulator,
          source.file,
          readElf(source.bytes, source.file),
          streams,
          options.arguments ?? [source.file],
        )
      : loadHex(machine, isa, simulator, source.text, streams, options.arguments ?? []);
  const start = performance.now();
  const end = await execute(machine, isa, simulator, loaded, options);
  return {
    ...end,
    steps: simulator.steps,
    seconds: (performance.now() - start) / 1000,
    signature: () => signature(simulator, loaded),
  };
}

type End = Pick<RunResult, "exitCode" | "reason" | "message">;

async function execute(
  machine: Machine,
  isa: InstructionSet,
  simulator: Simulator,
  { process }: Loaded,
  options: RunOptions,
): Promise<End> {
  const maxSteps = options.maxSteps ?? Number.POSITIVE_INFINITY;
  const tracer = options.trace === undefined ? undefined : Tracer.of(machine, simulator);
  for (;;) {
    const left = maxSteps - simulator.steps;
    if (left <= 0) {
      const message = `stopped after ${simulator.steps} instructions (--max-steps), ${where(machine, isa, simulator)}`;
      return { exitCode: OUT_OF_STEPS, reason: "limit", message };
    }
    if (options.signal?.aborted === true)
      return { exitCode: INTERRUPTED, reason: "interrupted", message: "interrupted" };
    const outcome =
      tracer === undefined || options.trace === undefined
        ? simulator.run(Math.min(left, SLICE))
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
          message: `no instruction can be executed ${where(machine, isa, simulator)}`,
        };
      case "trap": {
        const end = trapped(machine, isa, simulator, process);
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
function trapped(
  machine: Machine,
  isa: InstructionSet,
  simulator: Simulator,
  process: Process | undefined,
): End | undefined {
  const code = Number(simulator.scalar("trap"));
  const trap = machine.traps.find((x) => x.code === code);
  if (trap === undefined) return { exitCode: 128, reason: "trap", message: `unknown trap ${code}` };
  if (trap.name === "environment_call" && process !== undefined) {
    const exitCode = process.systemCall();
    if (exitCode !== undefined) return { exitCode, reason: "exit", message: undefined };
    simulator.write("trap", 0n);
    simulator.write("trap.value", 0n);
    simulator.write(isa.programCounter, simulator.scalar(isa.programCounter) + BigInt(isa.length));
    return undefined;
  }
  if (trap.name === "halted") return { exitCode: 0, reason: "halted", message: undefined };
  const signal = trap.cause === undefined ? undefined : SIGNALS[trap.cause];
  return {
    exitCode: 128 + (signal ?? Math.min(trap.code, 127)),
    reason: "trap",
    message: `${trapText(trap, simulator.scalar("trap.value"))} ${where(machine, isa, simulator)}`,
  };
}

/** `load_access_fault(address: 0x0)` */
function trapText(trap: TrapDeclaration, packed: bigint): string {
  if (trap.parameters.length === 0) return trap.name;
  let rest = packed;
  const parts: string[] = [];
  for (const p of [...trap.parameters].reverse()) {
    const width =
      p.type.kind === "bits"
        ? p.type.width
        : p.type.kind === "bool"
          ? 1
          : Math.max(1, Math.ceil(Math.log2(p.type.members.length)));
    parts.unshift(`${p.name}: 0x${BigInt.asUintN(width, rest).toString(16)}`);
    rest >>= BigInt(width);
  }
  return `${trap.name}(${parts.join(", ")})`;
}

/** `at pc 0x10074: 00000073 ecall` */
function where(machine: Machine, isa: InstructionSet, simulator: Simulator): string {
  const pc = simulator.scalar(isa.programCounter);
  const word = wordAt(isa, simulator, pc);
  const text = word === undefined || decode(machine, word) === undefined ? "" : ` ${disassemble(machine, word, pc)}`;
  const digits = word?.toString(16).padStart(Math.ceil(isa.wordWidth / 4), "0");
  return `at ${isa.programCounter} 0x${pc.toString(16)}${digits === undefined ? "" : `: ${digits}${text}`}`;
}

function wordAt(isa: InstructionSet, simulator: Simulator, pc: bigint): bigint | undefined {
  const [from] = isa.word.args;
  if (from === undefined) return undefined;
  if (from.sort.kind === "file") return simulator.element(from.name, Number(pc));
  if (from.sort.kind !== "memory") return undefined;
  const memory = simulator.memory(from.name);
  return memory.accessible("fetch", pc, isa.word.bytes) ? memory.read(pc, isa.word.bytes) : undefined;
}

// ---------------------------------------------------------------------------------------------------------- loading

function loadElf(
  machine: Machine,
  isa: InstructionSet,
  simulator: Simulator,
  file: string,
  elf: Elf,
  streams: Streams,
  args: readonly string[],
): Loaded {
  const bits = hasAbi(machine);
  if (bits === undefined) {
    throw elfError(
      file,
      `${machine.name} has no ABI known here (RISC-V's is); give the instructions as bytes with --hex`,
    );
  }
  if (elf.machine !== EM_RISCV)
    throw elfError(file, `a program for ${machineName(elf.machine)}; ${machine.name} is RISC-V`);
  const abi = bits === 64 ? "-march=rv64im -mabi=lp64" : "-march=rv32im -mabi=ilp32";
  if (elf.class !== bits) {
    throw elfError(file, `a ${elf.class}-bit program; ${machine.name} has ${bits}-bit addresses: compile with ${abi}`);
  }
  const compressed = isa.instructions.some((i) => i.encoding.width === 16);
  if ((elf.flags & EF_RISCV_RVC) !== 0 && !compressed) {
    throw elfError(
      file,
      `contains compressed (16-bit) instructions, which ${machine.name} has not: compile with ${abi}`,
    );
  }
  const alignment = compressed ? 2n : 4n;
  if (elf.entry % alignment !== 0n) {
    throw elfError(file, `entry point 0x${elf.entry.toString(16)} is not a multiple of ${alignment}`);
  }
  const inCode = elf.segments.some((s) => s.executable && elf.entry >= s.address && elf.entry < s.address + s.size);
  if (!inCode) throw elfError(file, `entry point 0x${elf.entry.toString(16)} is in no executable segment`);

  const top = STACK_TOP[bits];
  const stack: Region = { first: top - STACK_SIZE, end: top, readable: true, writable: true, executable: false };
  const regions: Region[] = elf.segments.map((s) => ({
    first: pageDown(s.address),
    end: pageUp(s.address + s.size),
    readable: s.readable,
    writable: s.writable,
    executable: s.executable,
  }));
  const last = regions.map((r) => r.end).sort((a, b) => (a < b ? 1 : -1))[0] ?? 0n;
  if (regions.some((r) => r.first < stack.end && stack.first < r.end)) {
    throw elfError(
      file,
      `a segment lies where the stack is, between 0x${stack.first.toString(16)} and 0x${top.toString(16)}`,
    );
  }
  regions.push(stack);
  const image = MemoryValue.empty(bits, permissionsOf(regions)).withPages(pagesOf(elf));
  simulator.write("mem", image);
  simulator.write(isa.programCounter, elf.entry);
  simulator.setElement("x", 2, initialStack(simulator.memory("mem"), top, BigInt(bits / 8), args));
  const heapLimit = stack.first > last ? stack.first : 1n << BigInt(bits);
  const process = new Process(simulator, "mem", bits, regions, last, heapLimit, streams);
  return { process, elf, file };
}

function pagesOf(elf: Elf): Map<bigint, Uint8Array> {
  const pages = new Map<bigint, Uint8Array>();
  for (const segment of elf.segments) {
    for (let done = 0; done < segment.data.length; ) {
      const address = segment.address + BigInt(done);
      const number = address >> 12n;
      let page = pages.get(number);
      if (page === undefined) {
        page = new Uint8Array(4096);
        pages.set(number, page);
      }
      const offset = Number(address & 0xfffn);
      const part = segment.data.subarray(done, done + 4096 - offset);
      page.set(part, offset);
      done += part.length;
    }
  }
  return pages;
}

/** Arguments, empty environment and empty auxiliary vector, as the kernel leaves them. The stack pointer. */
function initialStack(memory: PagedMemory, top: bigint, word: bigint, args: readonly string[]): bigint {
  let at = top - 16n;
  const addresses = args.map((text) => {
    const bytes = new TextEncoder().encode(`${text}\0`);
    at -= BigInt(bytes.length);
    bytes.forEach((byte, i) => {
      memory.writeByte(at + BigInt(i), byte);
    });
    return at;
  });
  // argc, argv, null, no environment: null, auxiliary vector: AT_NULL and its value.
  const words = [BigInt(args.length), ...addresses, 0n, 0n, 0n, 0n];
  const sp = ((at - word * BigInt(words.length)) / 16n) * 16n;
  words.forEach((value, i) => {
    memory.write(sp + word * BigInt(i), Number(word), value);
  });
  return sp;
}

function loadHex(
  machine: Machine,
  isa: InstructionSet,
  simulator: Simulator,
  text: string,
  streams: Streams,
  args: readonly string[],
): Loaded {
  const digits = text.replace(/\s+/g, "").replace(/^0x/i, "");
  const bad = /[^0-9a-f]/i.exec(digits);
  if (bad !== null)
    throw new UserError(
      `\`${bad[0]}\` is no hexadecimal digit; give instruction bytes in memory order, as in 93021000`,
    );
  if (digits === "" || digits.length % 2 !== 0) {
    throw new UserError(
      `${digits.length} hexadecimal digits are not whole bytes; give two for each byte, in memory order`,
    );
  }
  const bytes = Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
  const [from] = isa.word.args;
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
    simulator.write(from.name, new FileValue(words));
    return { process: undefined, elf: undefined, file: "--hex" };
  }
  if (from?.sort.kind !== "memory")
    throw new UserError(`${machine.name} fetches its instructions in a way that --hex cannot load`);
  const width = from.sort.address;
  const origin = 1n << BigInt(width) > 2n * HEX_ORIGIN ? HEX_ORIGIN : 0n;
  if (BigInt(bytes.length) > (1n << BigInt(width)) - origin)
    throw new UserError(`${bytes.length} bytes do not fit into ${from.name}`);
  simulator.write(from.name, MemoryValue.empty(width).storeBytes(origin, bytes));
  simulator.write(isa.programCounter, origin);
  const bits = hasAbi(machine);
  if (bits === undefined) return { process: undefined, elf: undefined, file: "--hex" };
  // All memory is accessible; only the program's own requests divide it.
  const top = STACK_TOP[bits];
  simulator.setElement("x", 2, initialStack(simulator.memory("mem"), top, BigInt(bits / 8), args));
  const process = new Process(
    simulator,
    "mem",
    bits,
    [],
    pageUp(origin + BigInt(bytes.length)),
    top - STACK_SIZE,
    streams,
  );
  return { process, elf: undefined, file: "--hex" };
}

/** The address width of a machine with RISC-V's registers and environment call. */
function hasAbi(machine: Machine): 32 | 64 | undefined {
  const pc = variable(machine, "pc")?.sort;
  const registers = variable(machine, "x")?.sort;
  if (registers?.kind !== "file" || registers.count !== 32 || variable(machine, "mem")?.sort.kind !== "memory")
    return undefined;
  if (pc?.kind !== "bits" || (pc.width !== 32 && pc.width !== 64)) return undefined;
  return machine.traps.some((x) => x.name === "environment_call") ? pc.width : undefined;
}

function signature(simulator: Simulator, { elf, file }: Loaded): string {
  const [first, end] = [elf?.symbols.get("begin_signature"), elf?.symbols.get("end_signature")];
  if (first === undefined || end === undefined || end < first || (end - first) % 4n !== 0n || end - first > 1n << 24n) {
    throw new UserError(
      `${file}: --signature needs the symbols begin_signature and end_signature, whole 32-bit words apart`,
    );
  }
  const memory = simulator.memory("mem");
  const lines: string[] = [];
  for (let at = first; at < end; at += 4n) lines.push(memory.read(at, 4).toString(16).padStart(8, "0"));
  return lines.map((line) => `${line}\n`).join("");
}
