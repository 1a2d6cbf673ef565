/**
 * A program on a RISC-V machine with modes, from reset: no operating system, but the devices of spec/riscv/virt.yaml and the
 * host-target interface of the RISC-V tests. An ELF file with a symbol `tohost` ends when it writes an odd number there, and
 * half of it is the exit code; any program can end by the power switch (0x5555, or 0x3333 with a code above it).
 *
 * Time passes by the program's own steps: after so many of them the environment's transition `tick` is taken.
 */
import { decode, disassemble } from "../assembly/index.js";
import { Simulator } from "../compile/simulator.js";
import type { RunOutcome } from "./engine.js";
import { InternalDefect } from "../errors.js";
import { type InstructionSet, type Machine, transition, variable } from "../machine.js";
import { Evaluator } from "../terms/evaluate.js";
import { MemoryValue } from "../terms/value.js";
import { type Elf, readElf } from "./elf.js";
import { bytesOfHex, checkEntry, pagesOf, signatureOf } from "./image.js";
import { pageDown, pageUp, permissionsOf, type Region } from "./linux.js";
import { type End, INTERRUPTED, outOfSteps, type RunResult } from "./outcome.js";
import type { ProgramSource, RunOptions } from "./run.js";
import { checkRiscv, targetOf } from "./target.js";
import { Tracer } from "./trace.js";

const RAM: Region = {
  first: 0x8000_0000n,
  end: 0x8000_0000n + (128n << 20n),
  readable: true,
  writable: true,
  executable: true,
};
/** Steps between two looks at `tohost`, and the ticks of mtime that they take: 10 MHz to a hart of 1 GHz. */
const SLICE = 10_000;
const TICKS = SLICE / 100;
/** Slices between two looks at the signal. */
const PATIENCE = 500;
const MTIP = 1n << 7n;
const POWER = { pass: 0x5555n, fail: 0x3333n, reset: 0x7777n } as const;

/** Whether the machine has modes and the devices by which a program of its own ends. */
export function isBare(machine: Machine): boolean {
  return ["mode", "x", "mem", "waiting", "sending", "off"].every((name) => variable(machine, name) !== undefined);
}

export async function runBare(machine: Machine, source: ProgramSource, options: RunOptions): Promise<RunResult> {
  const isa = machine.instructionSet;
  if (isa === undefined) throw new InternalDefect(`${machine.name} has no instructions`);
  const simulator = new Simulator(machine);
  const file = source.kind === "elf" ? source.file : "--hex";
  const elf = source.kind === "elf" ? readBare(machine, isa, source.bytes, file) : undefined;
  load(machine, isa, simulator, elf, source);
  const start = performance.now();
  const end = await new Bare(machine, isa, simulator, elf?.symbols.get("tohost"), options).run();
  return {
    ...end,
    steps: simulator.steps,
    seconds: (performance.now() - start) / 1000,
    signature: () => signatureOf(simulator.memory("mem"), elf, file),
  };
}

function readBare(machine: Machine, isa: InstructionSet, bytes: Uint8Array, file: string): Elf {
  const target = targetOf(machine);
  if (target === undefined) throw new InternalDefect(`${machine.name} has modes, but not RISC-V's registers`);
  const elf = readElf(bytes, file, target);
  checkRiscv(isa, elf, file, target);
  return elf;
}

function load(
  machine: Machine,
  isa: InstructionSet,
  simulator: Simulator,
  elf: Elf | undefined,
  source: ProgramSource,
): void {
  const bits = variable(machine, isa.programCounter)?.sort;
  if (bits?.kind !== "bits") throw new InternalDefect("a program counter that is no bits");
  const regions: Region[] = [RAM];
  let memory: MemoryValue;
  let entry = RAM.first;
  if (elf === undefined || source.kind === "hex") {
    const text = source.kind === "hex" ? source.text : "";
    memory = MemoryValue.empty(bits.width, permissionsOf(regions)).storeBytes(entry, bytesOfHex(text));
  } else {
    checkEntry(elf, source.file);
    // What the program brings is memory, wherever it is.
    for (const s of elf.segments) regions.push({ ...RAM, first: pageDown(s.address), end: pageUp(s.address + s.size) });
    memory = MemoryValue.empty(bits.width, permissionsOf(regions)).withPages(pagesOf(elf));
    entry = elf.entry;
  }
  simulator.write("mem", memory);
  simulator.write("mode", 3n);
  simulator.write("mtimecmp", (1n << 64n) - 1n);
  simulator.write(isa.programCounter, entry);
}

class Bare {
  private readonly machine: Machine;
  private readonly isa: InstructionSet;
  private readonly simulator: Simulator;
  private readonly toHost: bigint | undefined;
  private readonly options: RunOptions;

  constructor(
    machine: Machine,
    isa: InstructionSet,
    simulator: Simulator,
    toHost: bigint | undefined,
    options: RunOptions,
  ) {
    this.machine = machine;
    this.isa = isa;
    this.simulator = simulator;
    this.toHost = toHost;
    this.options = options;
  }

  async run(): Promise<End> {
    const { simulator, options } = this;
    const most = options.maxSteps ?? Number.POSITIVE_INFINITY;
    const tracer = options.trace === undefined ? undefined : Tracer.of(this.machine, simulator);
    let untilTick = SLICE;
    for (let slices = 0; ; slices++) {
      if (options.signal?.aborted === true) return INTERRUPTED;
      const left = most - simulator.steps;
      if (left <= 0) return outOfSteps(simulator.steps, this.where());
      const { reason, steps } = this.advance(tracer, Math.min(left, untilTick));
      untilTick -= steps;
      if (untilTick <= 0) {
        this.tick(BigInt(TICKS), BigInt(SLICE));
        untilTick = SLICE;
      }
      const end = this.told() ?? (reason === "stuck" ? this.stopped() : undefined);
      if (end !== undefined) return end;
      // Lets a signal through.
      if (slices % PATIENCE === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  private advance(tracer: Tracer | undefined, steps: number): RunOutcome {
    if (tracer === undefined) return this.simulator.run(steps);
    for (let done = 1; ; done++) {
      const { text, outcome } = tracer.step();
      if (outcome.reason === "stuck") return { reason: "stuck", steps: done - 1 };
      this.options.trace?.(text);
      if (done >= steps) return { reason: outcome.reason, steps: done };
    }
  }

  /** Something was written to `tohost`: an odd number ends the program; a command of the console is carried out. */
  private told(): End | undefined {
    if (this.toHost === undefined) return undefined;
    const memory = this.simulator.memory("mem");
    const value = memory.read(this.toHost, 8);
    if (value === 0n) return undefined;
    if ((value & 1n) === 1n) return exit(Number((value >> 1n) & 0xffn));
    if (value >> 48n !== 0x0101n) {
      const message = `tohost holds 0x${value.toString(16)}: neither the end, an odd number, nor a byte for the console`;
      return { exitCode: 128, reason: "trap", message };
    }
    this.options.stdout?.(Uint8Array.of(Number(value & 0xffn)));
    memory.write(this.toHost, 8, 0n);
    return undefined;
  }

  /** Nothing goes on by itself: a byte is on its way out, the power is off, or the hart waits for an interrupt. */
  private stopped(): End | undefined {
    const { simulator } = this;
    if (simulator.scalar("off") === 1n) {
      const verdict = simulator.scalar("verdict");
      const code = Number((verdict >> 16n) & 0xffn);
      const passed = verdict === POWER.pass || verdict === POWER.reset;
      return exit(passed ? 0 : (verdict & 0xffffn) === POWER.fail && code !== 0 ? code : 1);
    }
    if (simulator.scalar("sending") === 1n) {
      const byte = simulator.scalar("sent");
      this.options.stdout?.(Uint8Array.of(Number(byte)));
      this.fire("take", new Map([["byte", byte]]));
      return undefined;
    }
    if (simulator.scalar("waiting") === 1n && (simulator.scalar("mie") & MTIP) !== 0n) {
      const [now, then] = [simulator.scalar("mtime"), simulator.scalar("mtimecmp")];
      if (then < (1n << 64n) - 1n && then > now) {
        for (let left = then - now; left > 0n; left -= 0xffff_ffffn)
          this.tick(left < 0xffff_ffffn ? left : 0xffff_ffffn, 0n);
        return undefined;
      }
    }
    return { exitCode: 128, reason: "trap", message: `waits for an interrupt that never comes, ${this.where()}` };
  }

  private tick(time: bigint, cycles: bigint): void {
    this.fire(
      "tick",
      new Map([
        ["time", time],
        ["cycles", cycles],
      ]),
    );
  }

  /** One of the environment's transitions, which assign scalars alone. */
  private fire(name: string, args: ReadonlyMap<string, bigint>): void {
    const { simulator, machine } = this;
    const found = transition(machine, name);
    if (found === undefined) throw new InternalDefect(`${machine.name} has no transition ${name}`);
    const inputs = new Map(found.parameters.map((p) => [p.term.name, args.get(p.name) ?? 0n]));
    const at = new Evaluator({ variable: (term) => inputs.get(term.name) ?? simulator.read(term.name) });
    const values = [...found.effect.assigns].map(([variableName, term]) => [variableName, at.value(term)] as const);
    for (const [variableName, value] of values) simulator.write(variableName, value);
  }

  /** `at pc 0x80000010: 10500073 wfi`, where the program counter is an address of memory */
  private where(): string {
    const { simulator, isa, machine } = this;
    const pc = simulator.scalar(isa.programCounter);
    const at = new Evaluator({ variable: (term) => simulator.read(term.name) });
    const word = at.holds(isa.fetchable) ? at.number(isa.word) : undefined;
    const text = word === undefined || decode(machine, word) === undefined ? "" : `: ${disassemble(machine, word, pc)}`;
    return `at pc 0x${pc.toString(16)}${text}`;
  }
}

function exit(exitCode: number): End {
  return { exitCode, reason: "exit", message: undefined };
}
