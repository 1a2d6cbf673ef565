/** The processor that this program runs on, as a black box: single instructions from given states. */
import { type DecoderLibrary, decoderLibrary, type Reading } from "../../refinement/assembly/library.js";
import type { DecodedInstruction } from "../../refinement/decoded.js";
import type { CaseRoom, Emulator, EmulatorCase, EmulatorFactory } from "../../refinement/emulator.js";
import { EnvironmentFailure, InternalDefect, UserError } from "../../refinement/errors.js";
import { RFLAGS, USER_END } from "../../refinement/execute/linux-x86-64.js";
import type { State } from "../../refinement/execute/state.js";
import type { DecodedInstructionSet, Machine } from "../../refinement/machine.js";
import { MemoryValue } from "../../refinement/terms/value.js";
import { PAGE, windowAt } from "../shared/windows.js";
import { type CaseInput, type CaseOutput, CaseRunner, MAX_BATCH, SIGNALS, VECTORS } from "./case-runner.js";
import { BREAKPOINT, isConfined, ROOM_MEMORY, WINDOWS } from "./layout.js";
import { compileRunner, processor } from "./native.js";
import { readOptions } from "./options.js";

/** The names that the guest's definition has for exceptions and the system call. */
const TRAPS = [
  "divide_error",
  "breakpoint",
  "invalid_opcode",
  "stack_fault",
  "general_protection",
  "page_fault_fetch",
  "page_fault_read",
  "page_fault_write",
  "system_call",
] as const;
type TrapName = (typeof TRAPS)[number];

const TRAP_FLAG = 0x100n;

/** Bytes that an instruction pushes before it may fault, and what a double word reaches beyond: of `enter`, rbp and 31 frame pointers. */
const PUSHED: ReadonlyMap<string, bigint> = new Map([
  ["call", 2n * 8n],
  ["call_indirect", 2n * 8n],
  ["enter", 33n * 8n],
]);

/** Instructions that single steps do not suit: one shows the trap flag, and the other is not followed by a trap. */
const RUNS_ON: ReadonlySet<string> = new Set(["pushf", "pushfq", "syscall"]);

/** Bits of a page fault's error code (SDM volume 3, figure 4-12). */
const ERROR_WRITE = 2n;
const ERROR_FETCH = 16n;

const MINUS_ENOSYS = BigInt.asUintN(64, -38n);
const [RAX, RCX, RSP, RSI, RDI, R11] = [0, 1, 4, 6, 7, 11];
const STRING_REGISTERS: ReadonlySet<number> = new Set([RCX, RSI, RDI]);
/** Linux has fewer system calls, and none between it and the numbers of the x32 ABI. */
const NO_SYSTEM_CALL = { from: 0x1000n, to: 0x4000_0000n };

const factory: EmulatorFactory = async (guest, options, directory) => {
  const { compiler } = readOptions(options);
  const set = guest.decoded;
  if (set === undefined) throw new UserError(`${guest.name} is no x86-64 machine, with which a processor is compared`);
  const compiled = await compileRunner(compiler, directory);
  if ("missing" in compiled) return compiled;
  const { features } = await processor();
  const library = await decoderLibrary(set);
  return { emulator: new ThisProcessor(guest, set, library, features, compiled.program, compiled.identity) };
};
export default factory;

class ThisProcessor implements Emulator {
  readonly identity: string;
  readonly room: CaseRoom;
  private readonly set: DecodedInstructionSet;
  private readonly library: DecoderLibrary;
  private readonly features: ReadonlySet<string>;
  private readonly traps: ReadonlyMap<TrapName, bigint>;
  private readonly runner: CaseRunner;

  constructor(
    guest: Machine,
    set: DecodedInstructionSet,
    library: DecoderLibrary,
    features: ReadonlySet<string>,
    program: string,
    identity: string,
  ) {
    this.identity = identity;
    this.set = set;
    this.library = library;
    this.features = features;
    this.traps = trapCodes(guest);
    this.runner = new CaseRunner([program]);
    this.room = {
      memory: ROOM_MEMORY,
      code: WINDOWS.filter((w) => w.execute),
      data: WINDOWS.filter((w) => !w.execute),
      // Linux switches the processor's alignment checks on.
      fixed: new Map([["AC", 0n]]),
      cost: (state) => this.cost(state),
      lacks: (state) => this.lacks(state),
    };
  }

  async *execute(cases: readonly EmulatorCase[], signal: AbortSignal): AsyncGenerator<State> {
    for (let at = 0; at < cases.length; at += MAX_BATCH) {
      const batch = cases.slice(at, at + MAX_BATCH);
      const inputs = batch.map((c) => this.input(c));
      const outputs = await this.runner.run(inputs, signal);
      for (const [i, c] of batch.entries()) {
        const [asked, got] = [inputs[i], outputs[i]];
        if (asked === undefined || got === undefined) throw new InternalDefect("a case without an answer");
        yield this.answer(c, asked, got);
      }
    }
  }

  async close(): Promise<void> {
    await this.runner.close();
  }

  private input(c: EmulatorCase): CaseInput {
    const rip = scalar(c.state, this.set.programCounter);
    const code = c.patches.findLast((p) => p.address === rip)?.bytes ?? new Uint8Array();
    const patches = c.patches.filter((p) => p.bytes !== code);
    for (const { address } of patches)
      if (windowAt(WINDOWS, address)?.write !== true)
        throw new InternalDefect(`no memory to write a patch to at 0x${address.toString(16)}`);
    let flags = 0n;
    for (const [name, bit] of RFLAGS) flags |= scalar(c.state, name) << BigInt(bit);
    return {
      rip,
      gpr: this.set.registers.map((name) => scalar(c.state, name)),
      flags,
      fs: scalar(c.state, this.set.segments.get("fs") ?? ""),
      gs: scalar(c.state, this.set.segments.get("gs") ?? ""),
      code,
      breakpoints: RUNS_ON.has(this.instruction(c.state)?.mnemonic ?? ""),
      patches,
    };
  }

  private reading(state: State): Reading | undefined {
    const rip = scalar(state, this.set.programCounter);
    const memory = memoryOf(state, this.set.memory);
    let length = 0;
    while (length < this.set.most && memory.accessible("fetch", rip + BigInt(length), 1)) length++;
    if (length === 0) return undefined;
    return this.library.decode(Uint8Array.from({ length }, (_, i) => memory.readByte(rip + BigInt(i))));
  }

  private instruction(state: State): DecodedInstruction | undefined {
    const reading = this.reading(state);
    return reading?.kind === "instruction" ? reading.instruction : undefined;
  }

  /** See CaseRoom.cost. */
  private cost(state: State): "cheap" | "impossible" {
    const reading = this.reading(state);
    const canRun =
      scalar(state, "AC") === 0n &&
      [...this.set.segments.values()].every((base) => scalar(state, base) < USER_END) &&
      isConfined(scalar(state, this.set.programCounter)) &&
      (reading === undefined || (reading.kind !== "unsupported" && this.isHarmless(state, reading)));
    return canRun && this.lacks(state) === undefined ? "cheap" : "impossible";
  }

  private isHarmless(state: State, reading: Reading): boolean {
    if (reading.kind !== "instruction") return true;
    const { mnemonic } = reading.instruction;
    if (this.set.form(reading.instruction).kind !== "form") return false;
    if (mnemonic === "syscall") {
      const number = BigInt.asUintN(32, scalar(state, this.set.registers[RAX] ?? ""));
      if (number < NO_SYSTEM_CALL.from || number >= NO_SYSTEM_CALL.to) return false;
    }
    if (mnemonic === "popf" || mnemonic === "popfq") {
      // Single steps are how cases are run.
      const top = scalar(state, this.set.registers[RSP] ?? "");
      const memory = memoryOf(state, this.set.memory);
      return !memory.accessible("load", top, 2) || (memory.load(top, 2) & TRAP_FLAG) === 0n;
    }
    return !RUNS_ON.has(mnemonic) || this.isStoppedBehind(state, reading.instruction);
  }

  /** A breakpoint, or nothing that can be fetched, stands behind the instruction, and the instruction does not write there. */
  private isStoppedBehind(state: State, { length, operandSize }: DecodedInstruction): boolean {
    const memory = memoryOf(state, this.set.memory);
    const next = scalar(state, this.set.programCounter) + BigInt(length);
    const top = scalar(state, this.set.registers[RSP] ?? "");
    const pushed = BigInt(operandSize / 8);
    if (next < top && next >= top - pushed) return false;
    return !memory.accessible("fetch", next, 1) || memory.readByte(next) === BREAKPOINT;
  }

  private lacks(state: State): string | undefined {
    const instruction = this.instruction(state);
    if (instruction === undefined) return undefined;
    const lacking = this.library.features(instruction).filter((f) => !this.features.has(f));
    return lacking.length === 0 ? undefined : `this processor has no ${lacking.join(", ")}`;
  }

  /** The state after, from the exception that ended the case. */
  private answer(c: EmulatorCase, asked: CaseInput, got: CaseOutput): State {
    const completed = (): State => this.state(c, got.rip, got);
    const trapped = (name: TrapName): State => this.state(c, got.rip, this.abandoned(c, asked, got), name, 0n);
    if (got.signal === SIGNALS.VTALRM) throw new EnvironmentFailure("case runner", "a single instruction did not end");
    const served = this.served(c, asked, got);
    if (served !== undefined) return served;
    switch (got.exception) {
      case VECTORS.debug:
        return completed();
      case VECTORS.breakpoint:
        if (asked.breakpoints) return completed();
        // A trap: the saved rip is that of the next instruction (SDM volume 3, section 6.15, interrupt 3).
        return this.state(c, asked.rip, got, "breakpoint", 0n);
      case VECTORS.divide_error:
        return trapped("divide_error");
      case VECTORS.invalid_opcode:
        return trapped("invalid_opcode");
      case VECTORS.stack_fault:
        return trapped("stack_fault");
      case VECTORS.general_protection:
        return trapped("general_protection");
      case VECTORS.page_fault:
        return this.pageFault(c, asked, got);
      default:
        throw new EnvironmentFailure("case runner", `exception ${got.exception} (signal ${got.signal}) ended a case`);
    }
  }

  /** Without what is left behind by an instruction that met a fault, and of which the manual promises nothing, or is not kept to. */
  private abandoned(c: EmulatorCase, asked: CaseInput, got: CaseOutput): CaseOutput {
    const instruction = this.instruction(c.state);
    const pushed = PUSHED.get(instruction?.mnemonic ?? "");
    if (pushed !== undefined) return withoutPushed(pushed, got);
    const counts = instruction?.prefixes.rep !== "none" && instruction?.addressSize === 32;
    return counts ? withUpperHalves(asked, got) : got;
  }

  private pageFault(c: EmulatorCase, asked: CaseInput, got: CaseOutput): State {
    const isFetch = (got.error & ERROR_FETCH) !== 0n;
    if (asked.breakpoints && isFetch && got.rip === asked.rip + BigInt(asked.code.length))
      return this.state(c, got.rip, got);
    const trap = isFetch
      ? "page_fault_fetch"
      : (got.error & ERROR_WRITE) !== 0n
        ? "page_fault_write"
        : "page_fault_read";
    // Of an access across pages, the processor tells the first inaccessible byte, and the definition where the access begins.
    const across = !isFetch && got.address % PAGE === 0n;
    return this.state(c, got.rip, this.abandoned(c, asked, got), trap, across ? undefined : got.address);
  }

  /**
   * A system call that Linux does not have: it answers so in rax, and rcx and r11 hold what the processor put there (SDM volume 2,
   * SYSCALL). The state before it is what the definition leaves to whoever serves it.
   */
  private served(c: EmulatorCase, asked: CaseInput, got: CaseOutput): State | undefined {
    if (this.instruction(c.state)?.mnemonic !== "syscall") return undefined;
    const next = asked.rip + BigInt(asked.code.length);
    const flags = (got.gpr[R11] ?? 0n) & ~TRAP_FLAG;
    const seen =
      got.gpr[RAX] === MINUS_ENOSYS && got.gpr[RCX] === next && flags === ((asked.flags | 0x202n) & ~TRAP_FLAG);
    if (!seen) return undefined;
    return this.state(c, asked.rip, { ...got, gpr: asked.gpr, flags: asked.flags }, "system_call", 0n);
  }

  /** `value` is undefined where the processor does not tell it. */
  private state(
    c: EmulatorCase,
    rip: bigint,
    { gpr, flags, fs, gs, changes }: CaseOutput,
    trap?: TrapName,
    value: bigint | undefined = trap === undefined ? 0n : undefined,
  ): State {
    const memory = changes.reduce(
      (m, change) => m.store(change.address, 8, change.value),
      memoryOf(c.state, this.set.memory),
    );
    const after = new Map<string, bigint | MemoryValue>([
      [this.set.programCounter, rip],
      [this.set.memory, memory],
      ["trap", trap === undefined ? 0n : (this.traps.get(trap) ?? 0n)],
    ]);
    for (const [i, name] of this.set.registers.entries()) after.set(name, gpr[i] ?? 0n);
    for (const [name, bit] of RFLAGS) after.set(name, (flags >> BigInt(bit)) & 1n);
    const bases = { none: 0n, fs, gs };
    for (const [segment, name] of this.set.segments) after.set(name, bases[segment]);
    if (value !== undefined) after.set("trap.value", value);
    return after;
  }
}

function trapCodes(guest: Machine): ReadonlyMap<TrapName, bigint> {
  return new Map(
    TRAPS.map((name) => {
      const trap = guest.traps.find((t) => t.name === name);
      if (trap === undefined)
        throw new UserError(`${guest.name} has no trap ${name}: a processor is compared with an x86-64 machine`);
      return [name, BigInt(trap.code)];
    }),
  );
}

function scalar(state: State, name: string): bigint {
  const value = state.get(name);
  if (typeof value !== "bigint") throw new InternalDefect(`a case's state has no ${name}`);
  return value;
}

function memoryOf(state: State, name: string): MemoryValue {
  const value = state.get(name);
  if (!(value instanceof MemoryValue)) throw new InternalDefect("a case's state has no memory");
  return value;
}

/** What was written so far below the top of the stack. */
function withoutPushed(pushed: bigint, got: CaseOutput): CaseOutput {
  const top = got.gpr[RSP] ?? 0n;
  const isBelow = (address: bigint): boolean => address < top && address + pushed >= top;
  return { ...got, changes: got.changes.filter((change) => !isBelow(change.address)) };
}

/** A repeated instruction with addresses of 32 bits may have written its registers as they were, but for their upper halves. */
function withUpperHalves(asked: CaseInput, got: CaseOutput): CaseOutput {
  const gpr = got.gpr.map((value, r) => {
    const before = asked.gpr[r] ?? 0n;
    return STRING_REGISTERS.has(r) && value === BigInt.asUintN(32, before) ? before : value;
  });
  return { ...got, gpr };
}
