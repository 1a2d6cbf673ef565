/**
 * Real programs: the emulator shows the state before each instruction, the guest's definition takes the same step, and every
 * variable is compared; memory whole at the end.
 */
import { type Simulator, trySimulator } from "../refinement/compile/simulator.js";
import { Unsupported } from "../refinement/compile/unsupported.js";
import type { Difference } from "../refinement/counterexample.js";
import type { EmulatorProgram, Tracing } from "../refinement/emulator.js";
import { EnvironmentFailure, InternalDefect } from "../refinement/errors.js";
import { decode } from "../refinement/assembly/index.js";
import { environment, ownTransitions, zeroState } from "../refinement/execute/concrete.js";
import { differences } from "../refinement/execute/difference.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine, StateVariable, Transition } from "../refinement/machine.js";
import { Evaluator } from "../refinement/terms/evaluate.js";
import { MemoryValue, type Value, valueEquals } from "../refinement/terms/value.js";
import { freeVariables } from "../refinement/terms/variables.js";
import { stepGuest } from "./emulator-step.js";

export interface ProgramRun {
  /** Steps compared. */
  readonly steps: number;
  /** The state before the step that goes wrong, or at the end where only memory differs. */
  readonly failure: { readonly state: State; readonly differs: readonly Difference[] } | undefined;
  /** By instruction, how many of the steps stood at one. */
  readonly executed: ReadonlyMap<string, number>;
}

/** The definition, one step at a time: compiled if it can be, otherwise the reference. */
interface Definition {
  step(): void;
  read(name: string): Value;
  write(name: string, value: Value): void;
  /** A memory as it is until the next step, byte by byte. */
  look(name: string, addressWidth: number): MemoryValue;
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

  look(name: string, addressWidth: number): MemoryValue {
    const memory = this.simulator.memory(name);
    return MemoryValue.empty(addressWidth, undefined, (address) => memory.readByte(address));
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

  look(name: string): MemoryValue {
    const value = this.read(name);
    if (!(value instanceof MemoryValue)) throw new InternalDefect(`${name} is no memory`);
    return value;
  }
}

const REPORT_EVERY = 10_000;
/** More steps in a row than these that no instruction comes of mean that none will. */
const MOST_SILENT = 8;

export async function runProgram(
  guest: Machine,
  emulator: Tracing,
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
  if (!lockstep.finished) throw new EnvironmentFailure(program.name, "the emulator shows no end of it");
  return lockstep;
}

class Lockstep implements ProgramRun {
  steps = 0;
  started = false;
  failure: ProgramRun["failure"];
  readonly executed = new Map<string, number>();
  private ended = false;
  private readonly guest: Machine;
  private readonly emulator: Tracing;
  private readonly definition: Definition;
  private readonly memory: StateVariable;
  private readonly others: readonly StateVariable[];
  /** What the definition does by itself besides fetching and executing, where its guard does not look at memory. */
  private readonly silent: readonly Transition[];
  /** What the fetched word depends on besides memory, and the instruction that was found there the first time. */
  private readonly fetching: readonly string[];
  private readonly found = new Map<string, string | undefined>();
  /** What the emulator showed last, with the variables that it does not show as the definition has them. */
  private before: State = new Map();

  constructor(guest: Machine, emulator: Tracing) {
    const simulator = trySimulator(guest);
    const memory = guest.variables.find((v) => v.sort.kind === "memory");
    if (memory === undefined) throw new InternalDefect(`${guest.name} has no memory for a program`);
    this.guest = guest;
    this.emulator = emulator;
    this.definition = simulator instanceof Unsupported ? new Reference(guest) : new Compiled(simulator);
    this.memory = memory;
    this.others = guest.variables.filter((v) => v !== memory);
    const word = guest.instructionSet?.word;
    this.fetching = [...freeVariables(word === undefined ? [] : [word])].flatMap((v) =>
      v === memory.term ? [] : [v.name],
    );
    this.silent = ownTransitions(guest).filter(
      (t) => t.instruction === undefined && ![...freeVariables(t.guard)].includes(memory.term),
    );
  }

  start(memory: MemoryValue, shown: State): void {
    this.started = true;
    // What is shown besides variables is for the pacing.
    const known = [...shown].filter(([name]) => this.others.some((v) => v.name === name));
    this.before = new Map([...zeroState(this.guest), ...known]);
    for (const [name, value] of this.before) this.definition.write(name, value);
    this.definition.write(this.memory.name, memory);
  }

  /** One step of the definition, after which the emulator shows this. */
  next(shown: State): void {
    this.note();
    let expected = this.resumed(this.step(shown), shown);
    this.steps++;
    if (!this.agrees(expected, shown) && this.fetchFaults(expected)) {
      // A fetch that faults is nothing that is executed, and nothing that is shown.
      this.definition.step();
      expected = this.scalars();
    }
    if (this.agrees(expected, shown)) this.before = expected;
    else this.fail(new Map([...expected, ...shown]), expected);
  }

  /** Counts the instruction that comes next. */
  private note(): void {
    const key = this.fetching.map((name) => String(this.before.get(name))).join(" ");
    if (!this.found.has(key)) this.found.set(key, this.instruction());
    const name = this.found.get(key);
    if (name !== undefined) this.executed.set(name, (this.executed.get(name) ?? 0) + 1);
  }

  private instruction(): string | undefined {
    const { instructionSet } = this.guest;
    const { sort, name } = this.memory;
    if (instructionSet === undefined || sort.kind !== "memory") return undefined;
    const memory = this.definition.look(name, sort.address);
    const at = new Evaluator(environment(new Map([...this.before, [name, memory]])));
    return decode(this.guest, at.number(instructionSet.word))?.instruction.name;
  }

  private agrees(expected: State, shown: State): boolean {
    return this.others.every((v) => {
      const value = shown.get(v.name);
      const wanted = expected.get(v.name);
      return value === undefined || (wanted !== undefined && valueEquals(value, wanted));
    });
  }

  private fetchFaults(scalars: State): boolean {
    if (this.emulator.pacing === undefined) return false;
    const fault = this.guest.transitions.find((t) => t.name === "fetch_fault");
    const state = new Map([...scalars, [this.memory.name, this.definition.read(this.memory.name)]]);
    return fault !== undefined && new Evaluator(environment(state)).holds(fault.guard);
  }

  /** After the last state: the definition, too, must come to its end there; then memory is compared. */
  end(address: bigint, bytes: Uint8Array): void {
    if (!this.ended) {
      this.ended = true;
      this.note();
      const last = this.step(undefined);
      this.steps++;
      const { pacing } = this.emulator;
      if (pacing === undefined ? last.get("trap") === 0n : !pacing.ended(last)) this.fail(this.before, last);
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

  /** An instruction, and what the definition does besides before and after it. */
  private step(shown: State | undefined): Map<string, Value> {
    this.definition.step();
    const { pacing } = this.emulator;
    let now = this.scalars();
    if (pacing === undefined) return now;
    // What changes nothing but memory is the page tables' business: the instruction is yet to come.
    for (let i = 0; i < MOST_SILENT && same(now, this.before); i++) {
      this.definition.step();
      now = this.scalars();
    }
    if (shown === undefined) return now;
    for (const [name, value] of pacing.inputs(now, shown)) {
      this.definition.write(name, value);
      now.set(name, value);
    }
    for (let i = 0; i < MOST_SILENT && this.besides(now); i++) {
      this.definition.step();
      now = this.scalars();
    }
    return now;
  }

  /** Whether what the definition does next is no instruction, as far as one sees that without memory. */
  private besides(scalars: State): boolean {
    const at = new Evaluator(environment(scalars));
    return this.silent.some((t) => at.holds(t.guard));
  }

  /** The program has come to its end, or has gone wrong before. */
  get finished(): boolean {
    return this.ended || this.failure !== undefined;
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

function same(a: State, b: State): boolean {
  return [...a].every(([name, value]) => {
    const other = b.get(name);
    return other !== undefined && valueEquals(value, other);
  });
}
