/** Where code goes on: jumps found in terms, and the instructions that they lead to, cut into blocks. */
import * as t from "../terms/build.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import type { Effect } from "../machine.js";

/** Where control goes after an instruction. */
export type Flow =
  | { readonly kind: "static"; readonly target: bigint }
  | { readonly kind: "branch"; readonly condition: Term; readonly taken: Flow; readonly otherwise: Flow }
  | { readonly kind: "dynamic"; readonly target: Term };

/** An instruction at its place: its effect but for the program counter, constants put in. */
export interface Step {
  readonly pc: bigint;
  /** Addresses that the instruction takes. */
  readonly length: number;
  readonly effect: Effect;
  /** Over the state before: where it holds, this is not what the instruction does. */
  readonly unless?: Term;
  readonly flow: Flow;
}

export interface Block {
  readonly pc: bigint;
  readonly steps: readonly Step[];
}

/** The terms that decide a flow, in the order in which `emitFlow` meets them. */
export function deciding(flow: Flow): readonly Term[] {
  switch (flow.kind) {
    case "static":
      return [];
    case "dynamic":
      return [flow.target];
    case "branch":
      return [flow.condition, ...deciding(flow.taken), ...deciding(flow.otherwise)];
  }
}

export interface Gathered {
  readonly blocks: readonly Block[];
  readonly steps: ReadonlyMap<bigint, Step>;
}

/** At most `most` instructions reached from `start` by known jumps, nearest first; `stepAt` gives none where the region ends. */
export function gather(start: bigint, most: number, stepAt: (pc: bigint) => Step | undefined): Gathered {
  const steps = new Map<bigint, Step>();
  const leaders = new Set([start]);
  const seen = new Set([start]);
  const queue = [start];
  const reach = (pc: bigint): void => {
    if (seen.has(pc)) return;
    seen.add(pc);
    queue.push(pc);
  };
  for (let pc = queue.shift(); pc !== undefined && steps.size < most; pc = queue.shift()) {
    const step = stepAt(pc);
    if (step === undefined) continue;
    steps.set(pc, step);
    const next = pc + BigInt(step.length);
    const targets = targetsOf(step.flow);
    if (targets.length === 1 && targets[0] === next && !step.effect.raises.some((r) => r.condition === t.TRUE)) {
      // Straight on: keep to the path before looking aside.
      if (!seen.has(next)) {
        seen.add(next);
        queue.unshift(next);
      }
      continue;
    }
    // What follows a jump is where a call returns to.
    for (const target of [...targets, next]) {
      leaders.add(target);
      reach(target);
    }
  }
  const blocks = [...leaders]
    .filter((pc) => steps.has(pc))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((pc) => ({ pc, steps: [...straight(pc, steps, leaders)] }));
  return { blocks, steps };
}

/** Conditions that one instruction's target may depend on. */
const MOST_BRANCHES = 4;

export function constantOf(term: Term, value: bigint): Term {
  return term.sort.kind === "bits" ? t.constant(term.sort.width, value) : t.bool(value !== 0n);
}

function* straight(from: bigint, steps: ReadonlyMap<bigint, Step>, leaders: ReadonlySet<bigint>): Generator<Step> {
  for (let step = steps.get(from); step !== undefined; ) {
    yield step;
    const [target, ...others] = targetsOf(step.flow);
    if (target === undefined || others.length > 0 || leaders.has(target) || step.flow.kind !== "static") return;
    step = steps.get(target);
  }
}

function targetsOf(flow: Flow): readonly bigint[] {
  switch (flow.kind) {
    case "static":
      return [flow.target];
    case "dynamic":
      return [];
    case "branch":
      return [...targetsOf(flow.taken), ...targetsOf(flow.otherwise)];
  }
}

/** A program counter's new value as jumps: choices between constants, wherever in the term they are made. */
export function flowOf(target: Term, depth = 0): Flow {
  if (target.op === "const") return { kind: "static", target: target.value };
  if (depth < MOST_BRANCHES) {
    const choice = onlyChoice(target);
    if (choice !== undefined) {
      const [condition, a, b] = choice.args;
      if (condition !== undefined && a !== undefined && b !== undefined) {
        const taken = flowOf(new Substitution(new Map([[choice, a]])).apply(target), depth + 1);
        const otherwise = flowOf(new Substitution(new Map([[choice, b]])).apply(target), depth + 1);
        if (taken.kind !== "dynamic" && otherwise.kind !== "dynamic")
          return { kind: "branch", condition, taken, otherwise };
      }
    }
  }
  return { kind: "dynamic", target };
}

/** The one choice that a term of constants depends on. */
function onlyChoice(term: Term): Term | undefined {
  if (term.op === "ite") return term;
  const open = term.args.filter((arg) => arg.op !== "const");
  const [arg, ...others] = open;
  return arg === undefined || others.length > 0 || arg.sort.kind !== "bits" ? undefined : onlyChoice(arg);
}
