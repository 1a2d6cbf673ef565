/** Machines and refinements built without the notation, for tests of what works on them. */
import type {
  Effect,
  Machine,
  Parameter,
  ScalarType,
  StateVariable,
  TrapDeclaration,
  Transition,
  Type,
} from "../../../refinement/machine.js";
import type { GuestStep, MachineRefinement, StepCase } from "../../../refinement/refinement.js";
import { and, constant, eq, select, TRUE, ule, variable } from "../../../refinement/terms/build.js";
import { BOOL, bits, file, memory, type Sort } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";

export const BOOLEAN: ScalarType = { kind: "bool" };

export function word(width: number): ScalarType {
  return { kind: "bits", width };
}

export function sortOf(type: Type): Sort {
  switch (type.kind) {
    case "bool":
      return BOOL;
    case "bits":
      return bits(type.width);
    case "enum":
      return bits(Math.max(1, Math.ceil(Math.log2(type.members.length))));
    case "file": {
      const element = sortOf(type.element);
      return file(type.count, element.kind === "bits" ? element.width : 1);
    }
    case "memory":
      return memory(type.address);
  }
}

export interface TransitionByHand {
  readonly parameters?: Readonly<Record<string, ScalarType>>;
  readonly choices?: Readonly<Record<string, ScalarType>>;
  readonly guard?: Term;
  readonly raises?: Effect["raises"];
  readonly assigns?: Readonly<Record<string, Term>>;
}

export interface MachineByHand {
  readonly state: Readonly<Record<string, Type>>;
  readonly fixed?: Readonly<Record<string, Readonly<Record<number, bigint>>>>;
  /** Trap names and the widths of their arguments. */
  readonly traps?: Readonly<Record<string, readonly number[]>>;
  readonly initial?: Term;
  readonly transitions: Readonly<Record<string, TransitionByHand>>;
}

/** A `var` for a parameter or choice of a transition, as elaboration names it. */
export function input(transition: string, name: string, type: ScalarType): Term {
  return variable(`${transition}(${name})`, sortOf(type));
}

export function state(name: string, type: Type): Term {
  return variable(name, sortOf(type));
}

export function machine(name: string, given: MachineByHand): Machine {
  const traps: TrapDeclaration[] = Object.entries(given.traps ?? {}).map(([trap, widths], i) => ({
    name: trap,
    parameters: widths.map((width, k) => ({ name: `p${k}`, type: word(width) })),
    code: i + 1,
    cause: undefined,
  }));
  const variables = Object.entries(given.state).map(([v, type]) =>
    stateVariable(v, type, given.fixed?.[v] ?? {}, false),
  );
  if (traps.length > 0) {
    const members = ["none", ...traps.map((t) => t.name)];
    const widest = Math.max(
      1,
      ...traps.map((t) => t.parameters.reduce((sum, p) => sum + (p.type.kind === "bits" ? p.type.width : 1), 0)),
    );
    variables.push(stateVariable("trap", { kind: "enum", name: "", members }, {}, true));
    variables.push(stateVariable("trap.value", word(widest), {}, true));
  }
  const trap = variables.find((v) => v.name === "trap");
  const untrapped = trap?.sort.kind === "bits" ? eq(trap.term, constant(trap.sort.width, 0n)) : TRUE;
  return {
    name,
    title: name,
    source: undefined,
    file: `${name}.yaml`,
    variables,
    traps,
    wellFormed: and(...variables.flatMap(wellFormed)),
    initial: and(given.initial ?? TRUE, untrapped),
    transitions: Object.entries(given.transitions).map(
      ([t, body]): Transition => ({
        name: t,
        parameters: inputs(t, body.parameters),
        choices: inputs(t, body.choices),
        guard: and(untrapped, body.guard ?? TRUE),
        effect: { raises: body.raises ?? [], assigns: new Map(Object.entries(body.assigns ?? {})) },
        instruction: undefined,
      }),
    ),
    instructionSet: undefined,
    digest: name,
  };
}

function inputs(transition: string, types: Readonly<Record<string, ScalarType>> = {}): Parameter[] {
  return Object.entries(types).map(([name, type]) => ({ name, type, term: input(transition, name, type) }));
}

function stateVariable(
  name: string,
  type: Type,
  fixed: Readonly<Record<number, bigint>>,
  implicit: boolean,
): StateVariable {
  const pairs = Object.entries(fixed).map(([index, value]): [number, bigint] => [Number(index), value]);
  return { name, type, sort: sortOf(type), term: state(name, type), fixed: new Map(pairs), faults: {}, implicit };
}

function wellFormed(v: StateVariable): Term[] {
  if (v.type.kind === "enum" && v.sort.kind === "bits") {
    const last = BigInt(v.type.members.length - 1);
    return [ule(v.term, constant(v.sort.width, last))];
  }
  const { sort } = v;
  if (sort.kind !== "file") return [];
  return [...v.fixed].map(([index, value]) =>
    eq(select(v.term, constant(sort.index, BigInt(index))), constant(sort.element, value)),
  );
}

export const STUTTER: StepCase = { condition: TRUE, steps: [], environment: false };
export const ANY: GuestStep = { kind: "any", choices: new Map() };

export function step(...steps: readonly GuestStep[]): StepCase {
  return { condition: TRUE, steps, environment: false };
}

export function when(condition: Term, chosen: StepCase): StepCase {
  return { ...chosen, condition };
}

export function take(transition: string, ...args: readonly Term[]): GuestStep {
  return { kind: "transition", transition, arguments: args, choices: new Map() };
}

export interface RefinementByHand {
  readonly guest: Machine;
  readonly host: Machine;
  readonly abstraction: Readonly<Record<string, Term>>;
  readonly invariant?: Readonly<Record<string, Term>>;
  readonly steps: Readonly<Record<string, readonly StepCase[]>>;
  readonly rank?: Term;
  readonly materialize?: MachineRefinement["materialize"];
  readonly concretize?: Readonly<Record<string, Term>>;
  readonly explore?: Readonly<Record<string, Term>>;
  readonly environment?: readonly string[];
  readonly assume?: MachineRefinement["assumptions"];
}

export function refinement(name: string, given: RefinementByHand): MachineRefinement {
  return {
    form: "machine",
    name,
    title: name,
    kind: "test",
    file: `${name}/refinement.yaml`,
    guest: given.guest,
    host: given.host,
    assumptions: given.assume ?? [],
    faults: [],
    fault: undefined,
    mapping: [],
    abstraction: new Map(Object.entries(given.abstraction)),
    invariant: Object.entries(given.invariant ?? {}).map(([conjunct, term]) => ({ name: conjunct, term })),
    steps: new Map(Object.entries(given.steps)),
    rank: given.rank,
    materialize: given.materialize ?? [],
    concretize: given.concretize === undefined ? undefined : new Map(Object.entries(given.concretize)),
    explore: Object.entries(given.explore ?? {}).map(([from, term]) => ({ name: from, term })),
    environment: given.environment ?? [],
  };
}
