/**
 * A machine at speed: its own steps (`execute/concrete.ts` is the reference) compiled to WebAssembly. The code is compiled
 * once for a machine; every simulator has a linear memory of its own.
 */
import { codeVariables } from "../assembly/index.js";
import { InternalDefect } from "../errors.js";
import { type Machine, variable } from "../machine.js";
import type { Reason, RunOutcome } from "../execute/engine.js";
import type { State } from "../execute/state.js";
import type { Value } from "../terms/value.js";
import { CompiledModule, type Instance } from "./instance.js";
import { type DecodeCache, LISTED } from "./decode-cache.js";
import { emitInterpreter, type Interpreter, STATUS } from "./interpreter.js";
import { Layout, type Place, StateLayout } from "./layout.js";
import type { PagedMemory } from "./paged.js";
import { Regions } from "./regions.js";
import { Support } from "./support.js";
import { Unsupported } from "./unsupported.js";

interface Compiled {
  readonly module: CompiledModule;
  readonly layout: Layout;
  readonly scratch: number;
  readonly state: StateLayout;
  readonly interpreter: Interpreter;
}

const compiled = new WeakMap<Machine, Compiled>();

function compile(machine: Machine): Compiled {
  let result = compiled.get(machine);
  if (result === undefined) {
    const layout = new Layout();
    const support = new Support(layout);
    const state = new StateLayout(layout, machine);
    const interpreter = emitInterpreter(support, state, { regions: true });
    result = { module: new CompiledModule(support), layout, scratch: support.scratch, state, interpreter };
    compiled.set(machine, result);
  }
  return result;
}

/**
 * Steps in one call. WebAssembly code that is at work cannot be replaced by a better version of itself, nor entered by a
 * region compiled meanwhile: it has to come back. The first calls are short, so that this happens soon.
 */
const SHORT = 20_000;
const LONG = 2_000_000;
/** Short calls to begin with, and after something new was compiled. */
const WARM_UP = 50;

function reasonOf(status: number): Reason {
  switch (status) {
    case STATUS.limit:
      return "limit";
    case STATUS.trap:
      return "trap";
    case STATUS.stuck:
      return "stuck";
    default:
      throw new InternalDefect(`a run came back with ${status}`);
  }
}

/** Forgets everything that an interpreter remembers of a state: the state is about to be another, or is already. */
export function resetInterpreter(instance: Instance, { cache }: Interpreter, prefix = ""): void {
  if (cache !== undefined) resetCache(instance, cache);
  instance.function(`${prefix}forget`)();
}

/** Empties the records of predecoded instructions. */
function resetCache(instance: Instance, cache: DecodeCache): void {
  const view = instance.arena.view();
  const count = view.getUint32(cache.list, true);
  if (count > LISTED) {
    instance.arena.bytes().fill(0xff, cache.address, cache.address + cache.entries * cache.recordSize);
  } else {
    for (let i = 0; i < count; i++) {
      const record = view.getUint32(cache.list + 4 + 4 * i, true);
      view.setBigInt64(record, -1n, true);
      view.setInt32(record + 8, -1, true);
    }
  }
  view.setUint32(cache.list, 0, true);
}

/** Readies a fresh instance for an interpreter. */
export function prepareInterpreter(instance: Instance, interpreter: Interpreter, prefix = ""): void {
  const { cache, codeMemory, invalidate } = interpreter;
  instance.function(`${prefix}forget`)();
  if (cache === undefined) return;
  instance.arena.bytes().fill(0xff, cache.address, cache.address + (cache.entries + 1) * cache.recordSize);
  if (codeMemory === undefined || invalidate === undefined) return;
  const drop = instance.function(`${prefix}invalidate`);
  instance.memory(codeMemory).invalidate = (address, bytes) => {
    drop(BigInt.asIntN(64, address), bytes);
  };
}

export class Simulator {
  readonly machine: Machine;
  /** What instructions are fetched from. */
  private readonly code: ReadonlySet<string>;
  private readonly instance: Instance;
  private readonly layout: StateLayout;
  private readonly interpreter: Interpreter;
  private readonly call: WebAssembly.ExportedFunction;
  /** Forgets what depends on the state, which is about to be changed from outside. */
  private readonly forget: WebAssembly.ExportedFunction;
  private readonly regions: Regions | undefined;
  private warmUp = WARM_UP;
  private calls = 0;
  private untilLook = SHORT;
  private total = 0;

  /** Throws `Unsupported` for a machine that cannot be compiled. The state is all zero, all memory accessible. */
  constructor(machine: Machine) {
    this.machine = machine;
    const isa = machine.instructionSet;
    this.code = new Set(isa === undefined ? [] : codeVariables(isa).map((v) => v.name));
    const { module, layout, scratch, state, interpreter } = compile(machine);
    this.instance = module.instantiate();
    this.layout = state;
    this.interpreter = interpreter;
    this.call = this.instance.function("run");
    this.forget = this.instance.function("forget");
    prepareInterpreter(this.instance, interpreter);
    this.regions = regionsOf(machine, { layout, scratch, state }, interpreter, this.instance);
    for (const [v, place] of state) {
      if (place.kind !== "file") continue;
      for (const [index, value] of v.fixed) this.instance.writeElement(place, index, value);
    }
  }

  /** Steps done since the simulator was made, trapping ones included. */
  get steps(): number {
    return this.total;
  }

  /** Replaces the whole state. Variables that `state` does not name keep their values. */
  load(state: State): void {
    for (const [name, value] of state) this.write(name, value);
  }

  state(): State {
    return new Map(this.machine.variables.map((v) => [v.name, this.read(v.name)]));
  }

  read(name: string): Value {
    return this.instance.read(this.place(name));
  }

  write(name: string, value: Value): void {
    const place = this.place(name);
    this.instance.write(place, value);
    if (place.kind === "memory" || this.interpreter.remembered.has(name)) this.forget();
    if (this.code.has(name)) this.flush();
  }

  /** A scalar, unsigned. */
  scalar(name: string): bigint {
    const place = this.place(name);
    if (place.kind !== "scalar") throw new InternalDefect(`${name} is not a scalar`);
    return this.instance.readScalar(place);
  }

  element(name: string, index: number): bigint {
    const place = this.filePlace(name, index);
    return this.instance.readElement(place, index);
  }

  /** Not for files that instructions are fetched from: `write` those whole. */
  setElement(name: string, index: number, value: bigint): void {
    this.instance.writeElement(this.filePlace(name, index), index, value);
    if (this.interpreter.remembered.has(name)) this.forget();
  }

  /** A byte memory, for reading and writing in place. */
  memory(name: string): PagedMemory {
    const place = this.place(name);
    if (place.kind !== "memory") throw new InternalDefect(`${name} is not a memory`);
    return this.instance.memory(place);
  }

  /** The value that a `choose` of this transition takes from now on; 0 before. */
  choose(transition: string, choice: string, value: bigint): void {
    const parameter = this.machine.transitions
      .find((x) => x.name === transition)
      ?.choices.find((c) => c.name === choice);
    const place = parameter === undefined ? undefined : this.interpreter.choices.get(parameter.term.name);
    if (place === undefined) throw new InternalDefect(`${transition} has no choice ${choice}`);
    this.instance.write(place, value);
  }

  step(): RunOutcome {
    return this.run(1);
  }

  /** At most `maxSteps` of the machine's own steps. */
  run(maxSteps: number): RunOutcome {
    let done = 0;
    for (;;) {
      if (this.untilLook <= 0) this.look();
      const chunk = Math.min(maxSteps - done, this.untilLook);
      const status = this.call(BigInt(chunk));
      const steps = Number(this.instance.arena.view().getBigInt64(this.interpreter.steps, true));
      done += steps;
      this.total += steps;
      this.untilLook -= steps;
      const reason = reasonOf(Number(status));
      if (reason !== "limit" || done >= maxSteps) return { reason, steps: done };
    }
  }

  /** Regions of hot code that have been compiled and are still valid. */
  get regionCount(): number {
    return this.regions?.count ?? 0;
  }

  /** Compiles the code at the present program counter as if it were hot. False where that is not possible. */
  compileHere(): boolean {
    const { regions } = this;
    const isa = this.machine.instructionSet;
    return regions !== undefined && isa !== undefined && regions.compile(this.scalar(isa.programCounter));
  }

  /** Of varying length, so that samples do not fall into step with a loop. */
  private nextChunk(): number {
    this.calls++;
    if (this.warmUp === 0) return LONG;
    return SHORT + ((this.calls * 7919) % 997);
  }

  /** Between two calls: is the machine somewhere that is worth compiling? */
  private look(): void {
    this.sample();
    this.untilLook = this.nextChunk();
  }

  private sample(): void {
    const { regions } = this;
    if (regions === undefined) {
      if (this.warmUp > 0) this.warmUp--;
      return;
    }
    if (regions.sample()) {
      if (this.warmUp > 0) this.warmUp--;
      if (this.calls % 64 === 0) regions.install();
    } else {
      this.warmUp = WARM_UP;
    }
  }

  /** Forgets all predecoded instructions. */
  private flush(): void {
    resetInterpreter(this.instance, this.interpreter);
    this.regions?.reset();
    this.warmUp = WARM_UP;
  }

  private place(name: string): Place {
    if (variable(this.machine, name) === undefined) {
      throw new InternalDefect(`machine ${this.machine.name} has no variable ${name}`);
    }
    return this.layout.of(name);
  }

  private filePlace(name: string, index: number): Extract<Place, { kind: "file" }> {
    const place = this.place(name);
    if (place.kind !== "file" || index < 0 || index >= place.count)
      throw new InternalDefect(`there is no ${name}[${index}]`);
    return place;
  }
}

function regionsOf(
  machine: Machine,
  { layout, scratch, state }: Pick<Compiled, "layout" | "scratch" | "state">,
  interpreter: Interpreter,
  instance: Instance,
): Regions | undefined {
  const { regions: links, cache, codeMemory } = interpreter;
  const isa = machine.instructionSet;
  const pc = isa === undefined ? undefined : variable(machine, isa.programCounter);
  if (links === undefined || cache === undefined || codeMemory === undefined || isa === undefined || pc === undefined)
    return undefined;
  const place = state.of(pc.name);
  if (place.kind !== "scalar") return undefined;
  const host = {
    machine,
    programCounter: pc.name,
    state,
    layout,
    scratch,
    links,
    cache,
    defined: links.defined,
    pc: place.address,
    codeMemory,
  };
  return new Regions(host, instance, isa, pc.term);
}

/** A simulator, or why there is none. */
export function trySimulator(machine: Machine): Simulator | Unsupported {
  try {
    return new Simulator(machine);
  } catch (error) {
    if (error instanceof Unsupported) return error;
    throw error;
  }
}
