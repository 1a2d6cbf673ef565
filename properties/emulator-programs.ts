/**
 * Real programs: the emulator shows the state before each instruction, the guest's definition takes the same step, and every
 * variable is compared; memory whole at the end.
 */
import { type Simulator, trySimulator } from "../refinement/compile/simulator.js";
import { Unsupported } from "../refinement/compile/unsupported.js";
import type { Difference } from "../refinement/counterexample.js";
import type { Emulator, EmulatorProgram } from "../refinement/emulator.js";
import { InternalDefect } from "../refinement/errors.js";
import { zeroState } from "../refinement/execute/concrete.js";
import { differences } from "../refinement/execute/difference.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine, StateVariable } from "../refinement/machine.js";
import { MemoryValue, type Value, valueEquals } from "../refinement/terms/value.js";
import { stepGuest } from "./emulator-step.js";

export interface ProgramRun {
  /** Steps compared. */
  readonly steps: number;
  /** The state before the step that goes wrong, or at the end where only memory differs. */
  readonly failure: { readonly state: State; readonly differs: readonly Difference[] } | undefined;
}

/** The definition, one step at a time: compiled if it can be, otherwise the reference. */
interface Definition {
  step(): void;
  read(name: string): Value;
  write(name: string, value: Value): void;
}

class Compiled implements Definition {
  private readonly simulator: Simulator;

  constructor(simulator: Simulator) {
    this.simulator = simulator;
  }

  step(): void {
    this.simulator.step();
  }

  read(name: string): Value {
    return this.simulator.read(name);
  }

  write(name: string, value: Value): void {
    this.simulator.write(name, value);
  }
}

class Reference implements Definition {
  private readonly guest: Machine;
  private state: Map<string, Value>;

  constructor(guest: Machine) {
    this.guest = guest;
    this.state = new Map(zeroState(guest));
  }

  step(): void {
    this.state = new Map(stepGuest(this.guest, this.state)?.state ?? this.state);
  }

  read(name: string): Value {
    const value = this.state.get(name);
    if (value === undefined) throw new InternalDefect(`${this.guest.name} has no variable ${name}`);
    return value;
  }

  write(name: string, value: Value): void {
    this.state.set(name, value);
  }
}

const REPORT_EVERY = 10_000;

export async function runProgram(
  guest: Machine,
  emulator: Emulator,
  program: EmulatorProgram,
  signal: AbortSignal,
  onProgress: (steps: number) => void,
): Promise<ProgramRun> {
  const lockstep = new Lockstep(guest, emulator);
  for await (const event of emulator.trace(program, signal)) {
    if (event.kind === "memory") lockstep.end(event.address, event.bytes);
    else if (!lockstep.started) lockstep.start(await emulator.memoryOf(program), event.state);
    else lockstep.next(event.state);
    if (lockstep.failure !== undefined) break;
    if (lockstep.steps % REPORT_EVERY === 0) onProgress(lockstep.steps);
  }
  return lockstep;
}

class Lockstep implements ProgramRun {
  steps = 0;
  started = false;
  failure: ProgramRun["failure"];
  private ended = false;
  private readonly guest: Machine;
  private readonly emulator: Emulator;
  private readonly definition: Definition;
  private readonly memory: StateVariable;
  private readonly others: readonly StateVariable[];
  /** What the emulator showed last, with the variables that it does not show as the definition has them. */
  private before: State = new Map();

  constructor(guest: Machine, emulator: Emulator) {
    const simulator = trySimulator(guest);
    const memory = guest.variables.find((v) => v.sort.kind === "memory");
    if (memory === undefined) throw new InternalDefect(`${guest.name} has no memory for a program`);
    this.guest = guest;
    this.emulator = emulator;
    this.definition = simulator instanceof Unsupported ? new Reference(guest) : new Compiled(simulator);
    this.memory = memory;
    this.others = guest.variables.filter((v) => v !== memory);
  }

  start(memory: MemoryValue, shown: State): void {
    this.started = true;
    this.before = new Map([...zeroState(this.guest), ...shown]);
    for (const [name, value] of this.before) this.definition.write(name, value);
    this.definition.write(this.memory.name, memory);
  }

  /** One step of the definition, after which the emulator shows this. */
  next(shown: State): void {
    this.definition.step();
    this.steps++;
    const expected = this.resumed(this.scalars(), shown);
    const agreed = this.others.every((v) => {
      const value = shown.get(v.name);
      const wanted = expected.get(v.name);
      return value === undefined || (wanted !== undefined && valueEquals(value, wanted));
    });
    if (agreed) this.before = expected;
    else this.fail(new Map([...expected, ...shown]), expected);
  }

  /** After the last state: the definition, too, must come to its end there; then memory is compared. */
  end(address: bigint, bytes: Uint8Array): void {
    if (!this.ended) {
      this.ended = true;
      this.definition.step();
      this.steps++;
      const last = this.scalars();
      if (last.get("trap") === 0n) this.fail(this.before, last);
    }
    const memory = this.definition.read(this.memory.name);
    if (this.failure !== undefined || !(memory instanceof MemoryValue)) return;
    const shown = memory.storeBytes(address, bytes);
    if (memory.equals(shown)) return;
    this.fail(
      new Map([...this.before, [this.memory.name, shown]]),
      new Map([...this.before, [this.memory.name, memory]]),
    );
  }

  private scalars(): Map<string, Value> {
    return new Map(this.others.map((v) => [v.name, this.definition.read(v.name)]));
  }

  /** Where the definition trapped and the environment serves the trap, the state in which it goes on. */
  private resumed(state: Map<string, Value>, shown: State): Map<string, Value> {
    if ((state.get("trap") ?? 0n) === 0n) return state;
    const resumed = this.emulator.resume(state, shown);
    if (resumed === undefined) return state;
    for (const [name, value] of resumed) this.definition.write(name, value);
    return new Map(resumed);
  }

  private fail(shown: State, expected: State): void {
    const memory = this.definition.read(this.memory.name);
    const whole = (state: State): State => new Map([[this.memory.name, memory], ...state]);
    this.failure = {
      state: new Map([...this.before, [this.memory.name, memory]]),
      differs: differences(this.guest, whole(expected), whole(shown)),
    };
  }
}
