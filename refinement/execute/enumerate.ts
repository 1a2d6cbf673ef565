/**
 * All states of a small machine that satisfy a condition.
 */
import type { Machine, ScalarType, StateVariable } from "../machine.js";
import { Evaluator } from "../terms/evaluate.js";
import type { Term } from "../terms/term.js";
import { FileValue, MemoryValue, type Value } from "../terms/value.js";
import { freeVariables } from "../terms/variables.js";
import { environment, widthOf, zeroValue } from "./concrete.js";
import type { State } from "./state.js";

/** One scalar of a state: a variable, an element of a file or a byte of a memory. */
interface Slot {
  readonly variable: StateVariable;
  readonly index: bigint | undefined;
  readonly values: readonly bigint[];
}

export interface TooMany {
  /** What would have to be fixed. */
  readonly free: string;
}

/** A slot with more values than this has to be fixed by the condition. */
const MOST_VALUES = 1 << 16;

/**
 * Every state, in a fixed order, that satisfies all of `conditions`. Equalities with constants among them fix what they
 * speak about; everything else is tried, at most `limit` assignments.
 */
export function enumerateStates(
  machine: Machine,
  conditions: readonly Term[],
  limit: number,
): readonly State[] | TooMany {
  const conjuncts = conditions.flatMap(conjunctsOf);
  const fixed = fixedSlots(conjuncts);
  const slots: Slot[] = [];
  for (const v of machine.variables) {
    const found = slotsOf(v, fixed);
    if ("free" in found) return found;
    slots.push(...found);
  }
  return new Search(machine, conjuncts, slots, limit).run();
}

class Search {
  private readonly machine: Machine;
  private readonly slots: readonly Slot[];
  /** For each slot, the conjuncts that can be judged once it and all before it have values. */
  private readonly due: readonly (readonly Term[])[];
  private readonly limit: number;
  private readonly found: State[] = [];
  private visited = 0;
  private exceeded: Slot | undefined;

  constructor(machine: Machine, conjuncts: readonly Term[], slots: readonly Slot[], limit: number) {
    this.machine = machine;
    // Those with one value first: they narrow the most.
    this.slots = [...slots].sort((a, b) => a.values.length - b.values.length);
    this.limit = limit;
    const due: Term[][] = this.slots.map(() => []);
    for (const conjunct of conjuncts) {
      const names = new Set([...freeVariables(conjunct)].map((v) => v.name));
      const last = this.slots.findLastIndex((slot) => names.has(slot.variable.name));
      due[Math.max(0, last)]?.push(conjunct);
    }
    this.due = due;
  }

  run(): readonly State[] | TooMany {
    this.assign(0, new Map(this.machine.variables.map((v) => [v.name, zeroValue(v)])));
    if (this.exceeded === undefined) return this.found;
    return { free: nameOf(this.exceeded) };
  }

  private assign(depth: number, state: ReadonlyMap<string, Value>): void {
    const slot = this.slots[depth];
    if (slot === undefined) {
      this.found.push(state);
      return;
    }
    for (const value of slot.values) {
      if (++this.visited > this.limit + this.slots.length) this.exceeded ??= slot;
      if (this.exceeded !== undefined) return;
      const next = new Map(state).set(slot.variable.name, put(state.get(slot.variable.name), slot, value));
      const at = new Evaluator(environment(next));
      if ((this.due[depth] ?? []).every((conjunct) => at.holds(conjunct))) this.assign(depth + 1, next);
    }
  }
}

function put(whole: Value | undefined, slot: Slot, value: bigint): Value {
  if (slot.index === undefined) return value;
  if (whole instanceof FileValue) return whole.set(slot.index, value);
  if (whole instanceof MemoryValue) return whole.store(slot.index, 1, value);
  return value;
}

function conjunctsOf(term: Term): readonly Term[] {
  return term.op === "and" ? term.args.flatMap(conjunctsOf) : [term];
}

/** Values by slot name, from conjuncts that say them outright. */
function fixedSlots(conjuncts: readonly Term[]): ReadonlyMap<string, bigint> {
  const fixed = new Map<string, bigint>();
  for (const conjunct of conjuncts) {
    if (conjunct.op === "var") fixed.set(conjunct.name, 1n);
    const [a, b] = conjunct.args;
    if (conjunct.op === "not" && a?.op === "var") fixed.set(a.name, 0n);
    if (conjunct.op !== "eq" || a === undefined || b === undefined) continue;
    const [place, constant] = a.op === "const" ? [b, a] : [a, b];
    if (constant.op !== "const") continue;
    const [base, at] = place.args;
    if (place.op === "var") fixed.set(place.name, constant.value);
    if (base?.op !== "var" || at?.op !== "const") continue;
    if (place.op === "select") fixed.set(slotName(base.name, at.value), constant.value);
    if (place.op === "load") {
      for (let i = 0; i < place.bytes; i++) {
        fixed.set(slotName(base.name, at.value + BigInt(i)), (constant.value >> BigInt(8 * i)) & 0xffn);
      }
    }
  }
  return fixed;
}

function slotsOf(v: StateVariable, fixed: ReadonlyMap<string, bigint>): readonly Slot[] | TooMany {
  const slots: Slot[] = [];
  for (const { index, type, constant } of places(v)) {
    const known = constant ?? fixed.get(slotName(v.name, index));
    if (known === undefined && countOf(type) > MOST_VALUES) return { free: slotName(v.name, index) };
    const values = known === undefined ? Array.from({ length: countOf(type) }, (_, i) => BigInt(i)) : [known];
    slots.push({ variable: v, index, values });
  }
  return slots;
}

interface Place {
  readonly index: bigint | undefined;
  readonly type: ScalarType;
  readonly constant?: bigint | undefined;
}

function* places(v: StateVariable): Generator<Place> {
  switch (v.type.kind) {
    case "file":
      for (let i = 0; i < v.type.count; i++) yield { index: BigInt(i), type: v.type.element, constant: v.fixed.get(i) };
      return;
    case "memory":
      if (v.type.address > 16) yield { index: 0n, type: { kind: "bits", width: 64 } };
      else for (let i = 0n; i < 1n << BigInt(v.type.address); i++) yield { index: i, type: { kind: "bits", width: 8 } };
      return;
    default:
      yield { index: undefined, type: v.type };
  }
}

function countOf(type: ScalarType): number {
  return type.kind === "enum" ? type.members.length : 2 ** widthOf({ type });
}

function slotName(name: string, index: bigint | undefined): string {
  return index === undefined ? name : `${name}[${index}]`;
}

function nameOf(slot: Slot): string {
  return slotName(slot.variable.name, slot.index);
}
