/**
 * Two machines with the same state variables, step by step, their whole states compared after each step.
 */
import { InternalDefect } from "../errors.js";
import type { Machine } from "../machine.js";
import type { State } from "../execute/state.js";
import { emitComparison, WriteLog } from "./comparison.js";
import { stateBindings } from "./effects.js";
import { CompiledModule, type Instance } from "./instance.js";
import { emitInterpreter, type Interpreter, STATUS } from "./interpreter.js";
import { Layout, StateLayout } from "./layout.js";
import { Lowering } from "./lower.js";
import { prepareInterpreter, resetInterpreter } from "./simulator.js";
import { Support } from "./support.js";
import { Unsupported } from "./unsupported.js";

export interface PairOutcome {
  readonly reason: "limit" | "trap" | "stuck" | "differs";
  /** Steps of each machine, the last one included. */
  readonly steps: number;
  /** The variable that differs; `enabled` where one machine can step and the other cannot. */
  readonly variable: string | undefined;
}

const DIFFERS = 16;
const SHORT = 20_000;
const LONG = 10_000_000;
const WARM_UP = 50;

export class PairLockstep {
  private readonly instance: Instance;
  private readonly layouts: readonly [StateLayout, StateLayout];
  private readonly interpreters: readonly [Interpreter, Interpreter];
  private readonly logs: readonly WriteLog[];
  private readonly steps: number;
  private warmUp = WARM_UP;

  /** Throws `Unsupported` for machines that cannot be compiled, or whose variables differ. */
  constructor(left: Machine, right: Machine) {
    const layout = new Layout();
    const support = new Support(layout);
    this.layouts = [new StateLayout(layout, left), new StateLayout(layout, right)];
    const [a, b] = this.layouts;
    const logs = new Map<number, WriteLog>();
    const compared = [...b].map(([variable, place]) => {
      const other = left.variables.find((v) => v.name === variable.name);
      if (other?.sort !== variable.sort)
        throw new Unsupported("var", `${left.name} has no ${variable.name} like ${right.name}'s`);
      let log: WriteLog | undefined;
      const otherPlace = a.of(variable.name);
      if (place.kind === "memory" && otherPlace.kind === "memory") {
        log = new WriteLog(support);
        logs.set(place.number, log);
        logs.set(otherPlace.number, log);
      }
      return { variable, term: other.term, place, log, also: undefined };
    });
    this.logs = [...new Set(logs.values())];
    const options = (prefix: string): Parameters<typeof emitInterpreter>[2] => ({
      prefix,
      log: (place) => logs.get(place.number)?.append,
    });
    this.interpreters = [emitInterpreter(support, a, options("left.")), emitInterpreter(support, b, options("right."))];
    const bindings = stateBindings(a);
    const compare = support.module.function([], ["i32"]);
    emitComparison(
      compare,
      support,
      new Lowering(),
      (term) => bindings.get(term),
      compared,
      (i) => {
        compare.i32(DIFFERS + 1 + i);
        compare.emit("return");
      },
    );
    compare.i32(0);

    // (limit) → STATUS, or DIFFERS + 1 + the variable's number, or DIFFERS.
    this.steps = layout.allocate(8);
    const run = support.module.function(["i64"], ["i32"], "run");
    const [done, status, difference] = [run.local("i64"), run.local("i32"), run.local("i32")];
    run.i64(0n);
    run.set(done);
    run.block((end) => {
      run.loop((again) => {
        run.get(done);
        run.get(0);
        run.emit("i64.ge_u");
        run.brIf(end);
        const [first, second] = this.interpreters;
        run.i64(1n);
        run.call(first.run);
        run.set(status);
        run.i64(1n);
        run.call(second.run);
        run.set(difference);
        // Only whether it could step counts here; a trap is seen in the state.
        for (const local of [status, difference]) {
          run.get(local);
          run.i32(STATUS.stuck);
          run.emit("i32.eq");
        }
        run.emit("i32.xor");
        run.if(() => {
          run.i32(DIFFERS);
          run.set(status);
          run.br(end);
        });
        run.get(status);
        run.i32(STATUS.stuck);
        run.emit("i32.eq");
        run.brIf(end);
        run.get(done);
        run.i64(1n);
        run.emit("i64.add");
        run.set(done);
        run.call(compare);
        run.tee(difference);
        run.if(() => {
          run.get(difference);
          run.set(status);
          run.br(end);
        });
        run.get(status);
        run.emit("i32.eqz");
        run.brIf(again);
      });
    });
    run.i32(0);
    run.get(done);
    run.memory("i64.store", this.steps);
    run.get(status);
    this.instance = new CompiledModule(support).instantiate();
    const [first, second] = this.interpreters;
    prepareInterpreter(this.instance, first, "left.");
    prepareInterpreter(this.instance, second, "right.");
  }

  /** Puts both machines into this state. */
  load(state: State): void {
    for (const layout of this.layouts) {
      for (const [v, place] of layout) {
        const value = state.get(v.name);
        if (value === undefined) throw new InternalDefect(`the state has no ${v.name}`);
        this.instance.write(place, value);
      }
    }
    const [first, second] = this.interpreters;
    resetInterpreter(this.instance, first, "left.");
    resetInterpreter(this.instance, second, "right.");
    for (const log of this.logs) this.instance.arena.view().setInt32(log.address, 0, true);
  }

  /** The states of the two. */
  states(): readonly [State, State] {
    const [a, b] = this.layouts;
    const of = (layout: StateLayout): State =>
      new Map([...layout].map(([v, place]) => [v.name, this.instance.read(place)]));
    return [of(a), of(b)];
  }

  run(maxSteps: number): PairOutcome {
    let steps = 0;
    for (;;) {
      const chunk = Math.min(maxSteps - steps, this.warmUp > 0 ? SHORT : LONG);
      if (this.warmUp > 0) this.warmUp--;
      const status = Number(this.instance.function("run")(BigInt(chunk)));
      steps += Number(this.instance.arena.view().getBigInt64(this.steps, true));
      if (status >= DIFFERS) {
        const [, right] = this.layouts;
        const variable = status === DIFFERS ? "enabled" : right.machine.variables[status - DIFFERS - 1]?.name;
        return { reason: "differs", steps, variable };
      }
      if (status === STATUS.trap) return { reason: "trap", steps, variable: undefined };
      if (status === STATUS.stuck) return { reason: "stuck", steps, variable: undefined };
      if (steps >= maxSteps) return { reason: "limit", steps, variable: undefined };
    }
  }
}
