/**
 * A short random run of the host, judged step by step: instances of its obligations. They witness that an obligation is
 * about something, and now and then they refute one before anything cleverer is tried.
 */
import { coveredBits, encode, wordToBytes } from "../assembly/encoding.js";
import { bytesOfWord, shortestLength, wordFrom } from "../assembly/words.js";
import { checkGoesOn, checkPoints, checkStep, concretize, guestCanStep, outside } from "../execute/commute.js";
import { type Arguments, enabled, environment, inputsOf, widthOf, zeroState } from "../execute/concrete.js";
import type { State } from "../execute/state.js";
import type { Instruction, Machine, StateVariable, Transition } from "../machine.js";
import type { MachineRefinement } from "../refinement.js";
import { Evaluator } from "../terms/evaluate.js";
import { ALL_ACCESSIBLE, FileValue, MemoryValue, type Value } from "../terms/value.js";
import type { Access } from "../terms/term.js";
import type { Case } from "./case.js";
import { during } from "./spent.js";
import { mix, Random } from "./random.js";

/** Host steps in all, and in a run before another is begun. */
const MOST_STEPS = 600;
const RUN = 40;
const KEPT = 12;

const ACCESS_SALT: Readonly<Record<Access, number>> = { fetch: 0x10000, load: 0x20000, store: 0x30000 };

export class Recording {
  private readonly refinement: MachineRefinement;
  private readonly random: Random;
  private readonly instances = new Map<string, Case[]>();
  private readonly violating = new Map<string, Case>();
  private readonly names: readonly string[];
  private readonly starts: readonly State[];
  private recorded = false;

  /** `names` are those of the obligations to be witnessed; `starts` are initial host states, if any are known. */
  constructor(refinement: MachineRefinement, names: readonly string[], starts: readonly State[], seed: number) {
    this.refinement = refinement;
    this.names = names;
    this.starts = starts;
    this.random = new Random(seed);
  }

  /** A case in which the obligation's antecedent holds. */
  witness(obligation: string): Case | undefined {
    this.record();
    return this.instances.get(obligation)?.[0];
  }

  /** Some cases in which it does. */
  witnesses(obligation: string): readonly Case[] {
    this.record();
    return this.instances.get(obligation) ?? [];
  }

  /** A case in which the obligation was seen to fail. */
  violation(obligation: string): Case | undefined {
    this.record();
    return this.violating.get(obligation);
  }

  private record(): void {
    if (this.recorded) return;
    this.recorded = true;
    during("trying", () => this.runs());
  }

  private runs(): void {
    let steps = 0;
    while (steps < MOST_STEPS && this.names.some((name) => !this.instances.has(name))) {
      const start = this.start();
      if (start === undefined) return;
      const taken = this.run(start, Math.min(RUN, MOST_STEPS - steps));
      steps += Math.max(1, taken);
    }
  }

  private run(start: State, most: number): number {
    const { refinement, random } = this;
    let state = start;
    for (let taken = 0; taken < most; taken++) {
      this.look(state);
      const ready = refinement.host.transitions.flatMap((t) => {
        const args = this.inputs(t);
        const quiet = refinement.environment.includes(t.name) && random.below(8) !== 0;
        return !quiet && enabled(refinement.host, t, state, args) ? [{ t, args }] : [];
      });
      const chosen = ready[random.below(ready.length)];
      if (chosen === undefined) return taken;
      const { t, args } = chosen;
      const report = checkStep(refinement, state, { transition: t.name, arguments: Object.fromEntries(args) });
      if (!report.applicable) return taken;
      const here = { state, args };
      for (const name of report.obligations) this.keep(name, here);
      for (const { obligation } of report.violations) this.violating.set(obligation, here);
      state = report.next;
    }
    return most;
  }

  /** The points at which the host could be interrupted here. */
  private look(state: State): void {
    const at = new Evaluator(environment(state));
    if (outside(this.refinement, at) !== undefined) return;
    const here = { state, args: new Map() };
    for (const point of this.refinement.materialize) {
      if (at.holds(point.at)) this.keep(`materialize/${point.name}`, here);
    }
    if (!this.instances.has("progress") && guestCanStep(this.refinement, state)) this.keep("progress", here);
    for (const { obligation } of [...checkPoints(this.refinement, state), ...checkGoesOn(this.refinement, state)]) {
      this.violating.set(obligation, here);
    }
  }

  private keep(name: string, instance: Case): void {
    const kept = this.instances.get(name) ?? [];
    if (kept.length < KEPT) this.instances.set(name, [...kept, instance]);
  }

  /** An initial state, or γ of any guest state, with a random program in whatever can hold one. */
  private start(): State | undefined {
    const { refinement, random } = this;
    const { concretize: gamma, host, guest } = refinement;
    for (let attempt = 0; attempt < 20; attempt++) {
      if (gamma !== undefined && random.below(2) === 0) {
        const a = this.scramble(guest, zeroState(guest), true);
        const c = concretize(refinement, gamma, a);
        if (outside(refinement, new Evaluator(environment(c))) === undefined) return c;
      }
      const initial = this.starts[random.below(this.starts.length)] ?? zeroState(host);
      for (const scalars of [true, false]) {
        const c = this.scramble(host, initial, scalars);
        if (outside(refinement, new Evaluator(environment(c))) === undefined) return c;
      }
      if (outside(refinement, new Evaluator(environment(initial))) === undefined) return initial;
    }
    return undefined;
  }

  /** Random programs in memories and in files that are as wide as an instruction word; random numbers elsewhere if `scalars`. */
  private scramble(machine: Machine, state: State, scalars: boolean): State {
    const scrambled = new Map(state);
    for (const v of machine.variables) {
      if (v.implicit) continue;
      if (v.type.kind === "memory") scrambled.set(v.name, this.programMemory(v.type.address));
      else if (v.type.kind === "file") scrambled.set(v.name, this.file(v));
      else if (scalars && (v.name === machine.instructionSet?.programCounter || this.random.below(2) === 0)) {
        scrambled.set(v.name, this.scalar(v, machine));
      }
    }
    return scrambled;
  }

  private scalar(v: StateVariable, machine: Machine): Value {
    if (v.type.kind === "enum") return BigInt(this.random.below(v.type.members.length));
    const width = v.sort.kind === "bits" ? v.sort.width : 1;
    const value = this.random.bits(width);
    // An aligned program counter lets more than one instruction run.
    return v.name === machine.instructionSet?.programCounter
      ? value - (value % BigInt(shortestLength(machine.instructionSet)))
      : value;
  }

  private file(v: StateVariable): FileValue {
    const isa = this.refinement.guest.instructionSet;
    const { sort, type } = v;
    if (sort.kind !== "file" || type.kind !== "file") return FileValue.filled(1);
    const elements = Array.from({ length: sort.count }, (_, i) => {
      const fixed = v.fixed.get(i);
      if (fixed !== undefined) return fixed;
      if (type.element.kind === "enum") return BigInt(this.random.below(type.element.members.length));
      return isa?.parcels.width === sort.element ? this.word() : this.random.corner(sort.element);
    });
    return new FileValue(elements);
  }

  private programMemory(addressWidth: number): MemoryValue {
    const isa = this.refinement.guest.instructionSet;
    const seed = this.random.below(2 ** 31);
    const permissions =
      this.random.below(2) === 0
        ? ALL_ACCESSIBLE
        : (access: Access, address: bigint) =>
            mix(seed ^ Number((address >> 12n) & 0xffffn) ^ ACCESS_SALT[access]) % 8 !== 0;
    const program = Array.from({ length: 64 }, () => {
      const word = this.word();
      return [...(isa === undefined ? wordToBytes(word, 8) : bytesOfWord(isa, word))];
    }).flat();
    const period = BigInt(program.length);
    return MemoryValue.empty(addressWidth, permissions, (address) => program[Number(address % period)] ?? 0);
  }

  /** Mostly instructions, those not yet seen at work preferred. */
  private word(): bigint {
    const isa = this.refinement.guest.instructionSet;
    if (isa === undefined) return this.random.bits(8);
    if (this.random.below(24) === 0) return wordFrom(isa, this.random.bits(isa.wordWidth));
    const missing = this.names.filter((name) => !this.instances.has(name));
    const unseen = isa.instructions.filter((i) => missing.some((name) => name.endsWith(`/${i.name}`)));
    const preferred = unseen.length > 0 && this.random.below(3) > 0 ? unseen : isa.instructions;
    const instruction = preferred[this.random.below(preferred.length)];
    return instruction === undefined ? 0n : this.encoded(instruction);
  }

  private encoded(instruction: Instruction): bigint {
    const fields = new Map<string, bigint>();
    for (const field of instruction.encoding.fields) {
      // Offsets are mostly aligned: a program that traps at its first jump shows little.
      const value = this.random.corner(field.width) & (field.width > 5 ? ~3n : -1n);
      fields.set(field.name, value & coveredBits(field));
    }
    return encode(instruction, fields);
  }

  private inputs(t: Transition): Arguments {
    return new Map(
      inputsOf(t).map((p) => {
        const width = widthOf(p);
        return [
          p.name,
          p.type.kind === "enum" ? BigInt(this.random.below(p.type.members.length)) : this.random.corner(width),
        ];
      }),
    );
  }
}
