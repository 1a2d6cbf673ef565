/**
 * A machine refinement as a WebAssembly module: host transitions, guest steps, abstraction, invariant, rank and views, and
 * the loop that fires, follows and compares.
 */
import { InternalDefect } from "../errors.js";
import type { Transition } from "../machine.js";
import type { GuestStep, MachineRefinement, MaterializationPoint, StepCase } from "../refinement.js";
import * as t from "../terms/build.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import { freeVariables } from "../terms/variables.js";
import { type Compared, emitComparison, WriteLog } from "./comparison.js";
import { type EffectContext, emitCells, emitEffect, emitScalars, placeBinding, stateBindings } from "./effects.js";
import type { Binding, Bindings } from "./binding.js";
import { CompiledModule } from "./instance.js";
import { emitInterpreter, type Interpreter, STATUS } from "./interpreter.js";
import { Layout, type MemoryPlace, type ScalarPlace, StateLayout } from "./layout.js";
import { Lowering } from "./lower.js";
import { type Callee, Support } from "./support.js";
import { Unsupported } from "./unsupported.js";
import type { FunctionBuilder, Label } from "./wasm.js";

/** What `auto` returns. */
export const OUTCOME = {
  limit: 0,
  quiescent: 1,
  commute: 2,
  blocked: 3,
  progress: 4,
  invariant: 5,
  materialize: 6,
} as const;

/** Bits of the word that says what to check. */
export const CHECK = { invariant: 1, points: 2, onlyAppointed: 4 } as const;

/** A condition on host states; a violated assumption ends a run, it is no finding. */
export interface Conjunct {
  readonly kind: "invariant" | "assumption";
  readonly name: string;
  readonly term: Term;
}

/** Where a host transition's parameters and choices are, one after another. */
export interface Inputs {
  readonly address: number;
  readonly size: number;
  readonly cells: readonly { readonly name: string; readonly term: Term; readonly place: ScalarPlace }[];
}

export interface GuestMemory {
  readonly name: string;
  readonly place: MemoryPlace;
  /** The host memory that it is abstracted from. */
  readonly base: string;
  readonly log: WriteLog;
}

export interface LockstepCode {
  readonly module: CompiledModule;
  readonly host: StateLayout;
  readonly guest: StateLayout;
  readonly interpreter: Interpreter;
  readonly memories: readonly GuestMemory[];
  readonly control: Control;
  readonly conjuncts: readonly Conjunct[];
  readonly points: readonly string[];
  readonly uncompiledPoints: readonly string[];
  /** Count (i32), next (i32), then entries: time (i64), transition (i32), padding, inputs. */
  readonly schedule: number;
  readonly entrySize: number;
  readonly capacity: number;
  /** By host transition. */
  readonly inputs: readonly Inputs[];
}

/** Addresses: i32 words, and two i64 counts. */
interface Control {
  readonly checks: number;
  readonly last: number;
  readonly detail: number;
  readonly hostSteps: number;
  readonly guestSteps: number;
}

const APPOINTMENTS = 1024;

export function compileLockstep(refinement: MachineRefinement): LockstepCode {
  return new LockstepEmitter(refinement).emit();
}

/** A case of a step, with cells for what its guest steps are given. */
interface PlannedCase {
  readonly steps: readonly PlannedStep[];
  readonly environment: boolean;
}
interface PlannedStep {
  readonly step: GuestStep;
  readonly values: readonly {
    readonly term: Term;
    readonly place: ScalarPlace;
    readonly targets: readonly ScalarPlace[];
  }[];
}

class LockstepEmitter {
  private readonly refinement: MachineRefinement;
  private readonly layout = new Layout();
  private readonly support = new Support(this.layout);
  private readonly lowering = new Lowering();
  private readonly host: StateLayout;
  private readonly guest: StateLayout;
  private readonly interpreter: Interpreter;
  private readonly memories: readonly GuestMemory[];
  private readonly control: Control;
  private readonly inputs: readonly Inputs[];
  private readonly hostBindings: Bindings;
  private readonly guestBindings: Bindings;
  private readonly guestInputs = new Map<Term, Binding>();
  private readonly guestParameters = new Map<string, ScalarPlace>();
  private readonly comparisons = new Map<string, FunctionBuilder>();
  private readonly conditions = new Map<string, FunctionBuilder>();
  private readonly guestFires = new Map<string, FunctionBuilder>();
  private readonly conjuncts: readonly Conjunct[];
  private readonly dependencies = new Map<Term, ReadonlySet<string>>();

  constructor(refinement: MachineRefinement) {
    this.refinement = refinement;
    const { layout, support } = this;
    this.host = new StateLayout(layout, refinement.host);
    this.guest = new StateLayout(layout, refinement.guest);
    this.control = {
      checks: layout.allocate(4, 4),
      last: layout.allocate(4, 4),
      detail: layout.allocate(4, 4),
      hostSteps: layout.allocate(8),
      guestSteps: layout.allocate(8),
    };
    this.memories = this.findMemories();
    this.interpreter = emitInterpreter(support, this.guest, { prefix: "guest.", log: (place) => this.logOf(place) });
    this.inputs = refinement.host.transitions.map((transition) => {
      const address = layout.allocate(0);
      const cells = [...transition.parameters, ...transition.choices].map((p) => ({
        name: p.name,
        term: p.term,
        place: this.cell(p.term),
      }));
      return { address, size: layout.end - address, cells };
    });
    const host = stateBindings(this.host);
    for (const { cells } of this.inputs) for (const { term, place } of cells) host.set(term, placeBinding(place));
    this.hostBindings = (term) => host.get(term);
    const guest = stateBindings(this.guest);
    for (const transition of refinement.guest.transitions) {
      for (const parameter of transition.parameters) {
        const place = this.cell(parameter.term);
        this.guestParameters.set(parameter.term.name, place);
        this.guestInputs.set(parameter.term, placeBinding(place));
      }
      for (const choice of transition.choices) {
        this.guestInputs.set(choice.term, placeBinding(this.choiceCell(choice.term)));
      }
    }
    this.guestBindings = (term) => guest.get(term) ?? this.guestInputs.get(term);
    this.conjuncts = this.findConjuncts();
  }

  private cell(term: Term): ScalarPlace {
    const place = this.layout.place(term.sort);
    if (place.kind !== "scalar") throw new InternalDefect("an input that is no scalar");
    return place;
  }

  private choiceCell(choice: Term): ScalarPlace {
    const place = this.interpreter.choices.get(choice.name);
    if (place === undefined) throw new InternalDefect(`the choice ${choice.name} has no cell`);
    return place;
  }

  private findMemories(): readonly GuestMemory[] {
    const found: GuestMemory[] = [];
    for (const [v, place] of this.guest) {
      if (place.kind !== "memory") continue;
      const base = this.lowering.memoryBase(this.alpha(v.name)).name;
      if (found.some((m) => m.base === base)) throw new Unsupported("write", `two guest memories stand in ${base}`);
      found.push({ name: v.name, place, base, log: new WriteLog(this.support) });
    }
    return found;
  }

  private logOf(place: MemoryPlace): Callee | undefined {
    return this.memories.find((m) => m.place === place || this.host.of(m.base) === place)?.log.append;
  }

  private alpha(name: string): Term {
    const term = this.refinement.abstraction.get(name);
    if (term === undefined) throw new InternalDefect(`the abstraction does not give ${name}`);
    return term;
  }

  private findConjuncts(): readonly Conjunct[] {
    const { refinement } = this;
    const conjuncts: Conjunct[] = refinement.invariant.map(({ name, term }) => ({ kind: "invariant", name, term }));
    const alpha = new Substitution(new Map(refinement.guest.variables.map((v) => [v.term, this.alpha(v.name)])));
    conjuncts.push({ kind: "invariant", name: "abstraction", term: alpha.apply(refinement.guest.wellFormed) });
    conjuncts.push({ kind: "invariant", name: "types", term: refinement.host.wellFormed });
    for (const { text, condition } of refinement.assumptions) {
      if (condition !== undefined) conjuncts.push({ kind: "assumption", name: text, term: condition });
    }
    return conjuncts.filter(({ term }) => term !== t.TRUE);
  }

  emit(): LockstepCode {
    const { support, refinement, layout } = this;
    const { module } = support;
    const points = refinement.materialize.filter((p) => p.steps.every((c) => c.steps.length === 0));
    const materialize = this.emitPoints(points);
    const performs = refinement.host.transitions.map((x) => this.emitPerform(x, materialize));
    this.emitAbstract();
    const everything = refinement.guest.variables.map((v) => v.name);
    const compare = module.function([], ["i32"], "compare");
    compare.call(this.comparison(everything));
    const conditions = module.function([], ["i32"], "conditions");
    conditions.call(this.condition(this.conjuncts));
    const select = this.emitSelect();
    const admit = this.emitAdmit();
    const perform = this.emitTable(performs);
    const entrySize = 16 + Math.max(0, ...this.inputs.map((i) => i.size));
    const schedule = layout.allocate(8 + APPOINTMENTS * entrySize);
    this.emitAuto({ schedule, entrySize, select, admit, perform });
    return {
      module: new CompiledModule(support),
      host: this.host,
      guest: this.guest,
      interpreter: this.interpreter,
      memories: this.memories,
      control: this.control,
      conjuncts: this.conjuncts,
      points: points.map((p) => p.name),
      uncompiledPoints: refinement.materialize.filter((p) => !points.includes(p)).map((p) => p.name),
      schedule,
      entrySize,
      capacity: APPOINTMENTS,
      inputs: this.inputs,
    };
  }

  // ------------------------------------------------------------------------------------------ what is compared, held

  /** Names of the host variables that a term depends on. */
  private dependsOn(term: Term): ReadonlySet<string> {
    let names = this.dependencies.get(term);
    if (names === undefined) {
      names = new Set([...freeVariables(term)].map((v) => v.name));
      this.dependencies.set(term, names);
    }
    return names;
  }

  private affected(term: Term, assigned: ReadonlySet<string>): boolean {
    for (const name of this.dependsOn(term)) if (assigned.has(name)) return true;
    return false;
  }

  private assigned(transition: Transition): ReadonlySet<string> {
    const names = new Set(transition.effect.assigns.keys());
    if (transition.effect.raises.length > 0) names.add("trap").add("trap.value");
    return names;
  }

  /** → 0, or 1 + the number of the guest variable among all of them that differs. */
  private comparison(names: readonly string[]): FunctionBuilder {
    const key = names.join(" ");
    let code = this.comparisons.get(key);
    if (code === undefined) {
      code = this.support.module.function([], ["i32"]);
      this.comparisons.set(key, code);
      this.emitCompare(
        code,
        this.comparedAs(names, (name) => this.alpha(name)),
      );
      code.i32(0);
    }
    return code;
  }

  private comparedAs(names: readonly string[], term: (name: string) => Term): readonly Compared[] {
    return this.refinement.guest.variables
      .filter((v) => names.includes(v.name))
      .map((variable) => ({
        variable,
        term: term(variable.name),
        place: this.guest.of(variable.name),
        log: this.memories.find((m) => m.name === variable.name)?.log,
        also: undefined,
      }));
  }

  /** Returns 1 + the number of a variable that differs; falls through where none does. */
  private emitCompare(code: FunctionBuilder, compared: readonly Compared[]): void {
    emitComparison(code, this.support, this.lowering, this.hostBindings, compared, (i) => {
      const differing = compared[i];
      code.i32(1 + (differing === undefined ? 0 : this.refinement.guest.variables.indexOf(differing.variable)));
      code.emit("return");
    });
  }

  /** → 0, or 1 + the number of the conjunct that does not hold. */
  private condition(conjuncts: readonly Conjunct[]): FunctionBuilder {
    const numbers = conjuncts.map((c) => this.conjuncts.indexOf(c));
    const key = numbers.join(" ");
    let code = this.conditions.get(key);
    if (code === undefined) {
      code = this.support.module.function([], ["i32"]);
      this.conditions.set(key, code);
      // One choice after another, so that what they share is computed once: 1 + the first that fails.
      const first = conjuncts.reduceRight(
        (rest, c, i) => t.ite(c.term, rest, t.constant(32, BigInt(1 + (numbers[i] ?? 0)))),
        t.constant(32, 0n),
      );
      emitScalars(code, this.support, this.lowering, this.hostBindings, [first]);
      code.emit("i32.wrap_i64");
    }
    return code;
  }

  // ------------------------------------------------------------------------------------------------ a host step

  private hostContext(code: FunctionBuilder): EffectContext {
    return {
      code,
      support: this.support,
      lowering: this.lowering,
      bindings: this.hostBindings,
      target: this.host,
      promoted: new Map(),
      copied: false,
      invalidate: () => undefined,
      log: (place) => this.logOf(place),
    };
  }

  private planCase(c: StepCase): PlannedCase {
    const steps = c.steps.map((step) => {
      const wanted: { term: Term; targets: readonly ScalarPlace[] }[] = [];
      for (const [name, term] of step.choices) wanted.push({ term, targets: this.choiceTargets(step, name) });
      if (step.kind === "transition") {
        const parameters = this.guestTransition(step.transition).parameters;
        parameters.forEach((p, i) => {
          const [term, target] = [step.arguments[i], this.guestParameters.get(p.term.name)];
          if (term === undefined || target === undefined)
            throw new InternalDefect(`${step.transition} lacks ${p.name}`);
          wanted.push({ term, targets: [target] });
        });
      }
      return { step, values: wanted.map(({ term, targets }) => ({ term, targets, place: this.cell(term) })) };
    });
    return { steps, environment: c.environment };
  }

  private choiceTargets(step: GuestStep, name: string): readonly ScalarPlace[] {
    return this.refinement.guest.transitions
      .filter((x) => step.kind === "any" || x.name === step.transition)
      .flatMap((x) => x.choices.filter((c) => c.name === name).map((c) => this.choiceCell(c.term)));
  }

  private guestTransition(name: string): Transition {
    const found = this.refinement.guest.transitions.find((x) => x.name === name);
    if (found === undefined) throw new InternalDefect(`the guest has no transition ${name}`);
    return found;
  }

  /** → an OUTCOME; 0 where the step commutes. */
  private emitPerform(transition: Transition, materialize: FunctionBuilder | undefined): FunctionBuilder {
    const code = this.support.module.function([], ["i32"]);
    const { refinement, support, lowering } = this;
    const cases = refinement.steps.get(transition.name);
    if (cases === undefined) throw new InternalDefect(`the refinement has no steps for ${transition.name}`);
    const planned = cases.map((c) => this.planCase(c));
    const chosen = code.local("i64");
    const rank = code.local("i64");
    const ranked = refinement.rank !== undefined && planned.some((c) => c.steps.length === 0 && !c.environment);
    if (refinement.rank !== undefined && refinement.rank.sort.kind === "bits" && refinement.rank.sort.width > 64) {
      throw new Unsupported("rank", "a rank of more than 64 bits");
    }
    emitScalars(code, support, lowering, this.hostBindings, [
      caseNumber(cases),
      ...(ranked && refinement.rank !== undefined ? [refinement.rank] : []),
    ]);
    if (ranked) code.set(rank);
    code.set(chosen);
    const inCase = (i: number, body: () => void): void => {
      code.get(chosen);
      code.i64(BigInt(i));
      code.emit("i64.eq");
      code.if(body);
    };
    planned.forEach((c, i) => {
      const values = c.steps.flatMap((s) => s.values);
      if (values.length > 0) inCase(i, () => emitCells(code, support, lowering, this.hostBindings, values));
    });

    code.block((done) => {
      emitEffect(this.hostContext(code), refinement.host, transition.effect, () => code.br(done));
    });

    const assigned = this.assigned(transition);
    planned.forEach((c, i) => {
      inCase(i, () => {
        for (const step of c.steps) this.emitGuestStep(code, step);
        const names = refinement.guest.variables
          .map((v) => v.name)
          .filter((name) => c.steps.length > 0 || this.affected(this.alpha(name), assigned));
        if (names.length > 0) this.emitVerdict(code, this.comparison(names), OUTCOME.commute);
        if (c.steps.length > 0 || c.environment || refinement.rank === undefined) return;
        emitScalars(code, support, lowering, this.hostBindings, [refinement.rank]);
        code.get(rank);
        code.emit("i64.ge_u");
        code.if(() => this.emitReturn(code, OUTCOME.progress));
      });
    });
    const conjuncts = this.conjuncts.filter((c) => this.affected(c.term, assigned));
    if (conjuncts.length > 0) {
      this.ifChecked(code, CHECK.invariant, () => this.emitVerdict(code, this.condition(conjuncts), OUTCOME.invariant));
    }
    if (materialize !== undefined) {
      this.ifChecked(code, CHECK.points, () => this.emitVerdict(code, materialize, OUTCOME.materialize));
    }
    code.i32(0);
    return code;
  }

  private ifChecked(code: FunctionBuilder, bit: number, body: () => void): void {
    code.i32(0);
    code.memory("i32.load", this.control.checks);
    code.i32(bit);
    code.emit("i32.and");
    code.if(body);
  }

  /** Calls a function that says 0 or 1 + detail; returns `outcome` unless it says 0. */
  private emitVerdict(code: FunctionBuilder, judge: FunctionBuilder, outcome: number): void {
    const answer = code.local("i32");
    code.call(judge);
    code.tee(answer);
    code.if(() => {
      code.i32(0);
      code.get(answer);
      code.i32(1);
      code.emit("i32.sub");
      code.memory("i32.store", this.control.detail);
      this.emitReturn(code, outcome);
    });
  }

  private emitReturn(code: FunctionBuilder, outcome: number): void {
    code.i32(outcome);
    code.emit("return");
  }

  private emitGuestStep(code: FunctionBuilder, { step, values }: PlannedStep): void {
    for (const { place, targets } of values) {
      for (const target of targets) {
        for (let i = 0; i < target.limbs; i++) {
          code.i32(0);
          code.i32(0);
          code.memory("i64.load", place.address + 8 * i);
          code.memory("i64.store", target.address + 8 * i);
        }
      }
    }
    if (step.kind === "any") {
      code.i64(1n);
      code.call(this.interpreter.run);
      code.i32(STATUS.stuck);
      code.emit("i32.eq");
    } else {
      code.call(this.guestFire(step.transition));
      code.emit("i32.eqz");
    }
    code.if(() => this.emitReturn(code, OUTCOME.blocked));
    code.i32(0);
    code.i32(0);
    code.memory("i64.load", this.control.guestSteps);
    code.i64(1n);
    code.emit("i64.add");
    code.memory("i64.store", this.control.guestSteps);
  }

  /** → whether the guest's transition was enabled, and so has fired. */
  private guestFire(name: string): FunctionBuilder {
    let code = this.guestFires.get(name);
    if (code !== undefined) return code;
    code = this.support.module.function([], ["i32"]);
    this.guestFires.set(name, code);
    const body = code;
    const transition = this.guestTransition(name);
    const { codeMemory, invalidate } = this.interpreter;
    emitScalars(body, this.support, this.lowering, this.guestBindings, [transition.guard]);
    body.if(() => {
      const context: EffectContext = {
        code: body,
        support: this.support,
        lowering: this.lowering,
        bindings: this.guestBindings,
        target: this.guest,
        promoted: new Map(),
        copied: false,
        invalidate: (place) => (place === codeMemory ? invalidate : undefined),
        log: (place) => this.logOf(place),
      };
      emitEffect(context, this.refinement.guest, transition.effect, () => this.emitReturn(body, 1));
      this.emitReturn(body, 1);
    });
    body.i32(0);
    return body;
  }

  // ------------------------------------------------------------------------------------- materialization, abstraction

  /** → 0, or 1 + the number of the point at which the environment does not see the guest's state. */
  private emitPoints(points: readonly MaterializationPoint[]): FunctionBuilder | undefined {
    if (points.length === 0) return undefined;
    const { support, refinement } = this;
    const logs = new Map(this.memories.map((m) => [m.name, new WriteLog(support)]));
    const judges = points.map((point) => {
      const code = support.module.function([], ["i32"]);
      const after = new Substitution(
        new Map(
          refinement.host.variables.flatMap((v) => {
            const term = point.by.get(v.name);
            return term === undefined ? [] : [[v.term, term] as const];
          }),
        ),
      );
      const precise = after.apply(point.precise);
      const compared = refinement.guest.variables.map((variable): Compared => {
        const view = point.view.get(variable.name) ?? this.alpha(variable.name);
        return {
          variable,
          term: after.apply(view),
          place: this.guest.of(variable.name),
          log: logs.get(variable.name),
          also: variable.sort.kind === "memory" ? this.alpha(variable.name) : undefined,
        };
      });
      for (const c of compared) {
        const memory = this.memories.find((m) => m.name === c.variable.name);
        if (memory !== undefined && this.lowering.memoryBase(c.term).name !== memory.base) {
          throw new Unsupported("write", `the view of ${c.variable.name} is another memory than its abstraction`);
        }
      }
      emitScalars(code, support, this.lowering, this.hostBindings, [point.at]);
      code.emit("i32.eqz");
      code.if(() => this.emitReturn(code, 0));
      emitScalars(code, support, this.lowering, this.hostBindings, [precise]);
      code.emit("i32.eqz");
      code.if(() => this.emitReturn(code, 1));
      emitComparison(code, support, this.lowering, this.hostBindings, compared, () => this.emitReturn(code, 1));
      code.i32(0);
      return code;
    });
    const code = support.module.function([], ["i32"]);
    judges.forEach((judge, i) => {
      code.call(judge);
      code.if(() => this.emitReturn(code, i + 1));
    });
    code.i32(0);
    return code;
  }

  /** Puts the guest into the state that the host's stands for; its memories hold what the host's do. */
  private emitAbstract(): void {
    const code = this.support.module.function([], [], "abstract");
    const context: EffectContext = { ...this.hostContext(code), target: this.guest, copied: true };
    const assigns = new Map(this.refinement.guest.variables.map((v) => [v.name, this.alpha(v.name)]));
    emitEffect(context, this.refinement.guest, { raises: [], assigns }, () => undefined);
  }

  // ------------------------------------------------------------------------------------------------------ the loop

  /** → the number of the first own transition that is enabled, or −1. */
  private emitSelect(): FunctionBuilder {
    const { refinement, support } = this;
    const code = support.module.function([], ["i32"]);
    refinement.host.transitions.forEach((transition, i) => {
      if (transition.parameters.length > 0 || refinement.environment.includes(transition.name)) return;
      const inputs = this.inputs[i];
      for (const { place } of inputs?.cells ?? []) {
        code.i32(place.address);
        code.i32(0);
        code.i32(8 * place.limbs);
        code.memoryFill();
      }
      emitScalars(code, support, this.lowering, this.hostBindings, [transition.guard]);
      code.if(() => this.emitReturn(code, i));
    });
    code.i32(-1);
    return code;
  }

  /** (transition, address of its inputs) → whether it is enabled with them. */
  private emitAdmit(): FunctionBuilder {
    const { refinement, support } = this;
    const guards = refinement.host.transitions.map((transition, i) => {
      const code = support.module.function(["i32"], ["i32"]);
      const inputs = this.inputs[i];
      if (inputs !== undefined && inputs.size > 0) {
        code.i32(inputs.address);
        code.get(0);
        code.i32(inputs.size);
        code.memoryCopy();
      }
      emitScalars(code, support, this.lowering, this.hostBindings, [transition.guard]);
      return code;
    });
    return this.emitTable(guards, 1);
  }

  /** (number, …arguments) → what the function of that number returns. */
  private emitTable(functions: readonly FunctionBuilder[], args = 0): FunctionBuilder {
    const code = this.support.module.function(["i32", ...Array.from({ length: args }, () => "i32" as const)], ["i32"]);
    code.block((none) => {
      const labels: Label[] = [];
      const nest = (i: number): void => {
        const callee = functions[i];
        if (callee === undefined) {
          code.get(0);
          code.brTable(labels, none);
          return;
        }
        code.block((label) => {
          labels.push(label);
          nest(i + 1);
        });
        for (let k = 1; k <= args; k++) code.get(k);
        code.call(callee);
        code.emit("return");
      };
      nest(0);
    });
    code.emit("unreachable");
    return code;
  }

  /** (limit: i64) → OUTCOME: until so many host steps are done. */
  private emitAuto(parts: {
    readonly schedule: number;
    readonly entrySize: number;
    readonly select: FunctionBuilder;
    readonly admit: FunctionBuilder;
    readonly perform: FunctionBuilder;
  }): void {
    const { control } = this;
    const { schedule, entrySize } = parts;
    const code = this.support.module.function(["i64"], ["i32"], "auto");
    const steps = code.local("i64");
    const transition = code.local("i32");
    const entry = code.local("i32");
    const outcome = code.local("i32");
    const word = (address: number): void => {
      code.i32(0);
      code.memory("i32.load", address);
    };
    code.loop((again) => {
      code.i32(0);
      code.memory("i64.load", control.hostSteps);
      code.tee(steps);
      code.get(0);
      code.emit("i64.ge_u");
      code.if(() => this.emitReturn(code, OUTCOME.limit));
      code.i32(-1);
      code.set(transition);
      word(schedule + 4);
      word(schedule);
      code.emit("i32.lt_u");
      code.if(() => {
        word(schedule + 4);
        code.i32(entrySize);
        code.emit("i32.mul");
        code.i32(schedule + 8);
        code.emit("i32.add");
        code.tee(entry);
        code.memory("i64.load", 0);
        code.get(steps);
        code.emit("i64.le_u");
        code.if(() => {
          code.get(entry);
          code.memory("i32.load", 8);
          code.get(entry);
          code.i32(16);
          code.emit("i32.add");
          code.call(parts.admit);
          code.if(() => {
            code.get(entry);
            code.memory("i32.load", 8);
            code.set(transition);
            code.i32(0);
            word(schedule + 4);
            code.i32(1);
            code.emit("i32.add");
            code.memory("i32.store", schedule + 4);
          });
        });
      });
      code.get(transition);
      code.i32(-1);
      code.emit("i32.eq");
      code.if(() => {
        this.ifChecked(code, CHECK.onlyAppointed, () => this.emitReturn(code, OUTCOME.quiescent));
        code.call(parts.select);
        code.tee(transition);
        code.i32(-1);
        code.emit("i32.eq");
        code.if(() => this.emitReturn(code, OUTCOME.quiescent));
      });
      code.i32(0);
      code.get(transition);
      code.memory("i32.store", control.last);
      code.i32(0);
      code.get(steps);
      code.i64(1n);
      code.emit("i64.add");
      code.memory("i64.store", control.hostSteps);
      code.get(transition);
      code.call(parts.perform);
      code.tee(outcome);
      code.emit("i32.eqz");
      code.brIf(again);
    });
    code.get(outcome);
  }
}

/** The number of the first case whose condition holds; the last one's does. */
function caseNumber(cases: readonly StepCase[]): Term {
  return cases.reduceRight(
    (rest, c, i) =>
      i === cases.length - 1 ? t.constant(16, BigInt(i)) : t.ite(c.condition, t.constant(16, BigInt(i)), rest),
    t.constant(16, 0n),
  );
}
