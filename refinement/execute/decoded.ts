/** Machines whose instructions a library decodes, run by evaluation of their terms: the reference, simple and slow. */
import type { Reading } from "../assembly/x86/decode.js";
import type { DecodedInstruction } from "../decoded.js";
import { InternalDefect } from "../errors.js";
import type { DecodedForm, DecodedInstructionSet, Effect, Machine } from "../machine.js";
import { constant } from "../terms/build.js";
import { type Environment, Evaluator } from "../terms/evaluate.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import { MemoryValue } from "../terms/value.js";
import { apply, type Arguments, NO_ARGUMENTS, packTrap, trapNamed } from "./concrete.js";
import type { State } from "./state.js";

export type Decode = (bytes: Uint8Array) => Reading;

/** What stands at the program counter. */
export type Fetched =
  | { readonly kind: "instruction"; readonly instruction: DecodedInstruction; readonly form: DecodedForm }
  /** The first byte of the instruction that may not be fetched. */
  | { readonly kind: "fault"; readonly address: bigint }
  /** No instruction; `overlong`, or one that is longer than any may be. */
  | { readonly kind: "illegal"; readonly overlong: boolean }
  /** The decoder knows it and the machine does not. */
  | { readonly kind: "unsupported"; readonly reason: string };

/** The bytes of memory that code is read from. */
export interface CodeBytes {
  fetchable(address: bigint): boolean;
  byte(address: bigint): number;
}

/** The instruction at `address`; every byte of it has to be fetchable, and no byte behind it. */
export function fetchAt(isa: DecodedInstructionSet, code: CodeBytes, address: bigint, decode: Decode): Fetched {
  const bytes: number[] = [];
  const at = (i: number): bigint => BigInt.asUintN(64, address + BigInt(i));
  while (bytes.length < isa.most && code.fetchable(at(bytes.length))) bytes.push(code.byte(at(bytes.length)));
  if (bytes.length === 0) return { kind: "fault", address };
  const reading = decode(Uint8Array.from(bytes));
  switch (reading.kind) {
    case "instruction": {
      const { instruction } = reading;
      const form = isa.form(instruction);
      return form.kind === "form" ? { kind: "instruction", instruction, form } : form;
    }
    case "unsupported":
      return { kind: "unsupported", reason: `there is no instruction \`${reading.name}\`` };
    case "undecodable":
      return { kind: "illegal", overlong: reading.overlong };
    case "truncated":
      return { kind: "fault", address: at(bytes.length) };
    default: {
      const never: never = reading;
      return never;
    }
  }
}

/** The form's effect with the instruction's numbers put in: over the state before and the form's choices. */
export function specialized(form: DecodedForm, instruction: DecodedInstruction): Effect {
  const numbers = new Substitution(numbersOf(form, instruction));
  return {
    raises: form.effect.raises.map((r) => ({
      condition: numbers.apply(r.condition),
      trap: r.trap,
      arguments: r.arguments.map((a) => numbers.apply(a)),
    })),
    assigns: new Map([...form.effect.assigns].map(([name, term]) => [name, numbers.apply(term)])),
  };
}

/** The form's parameters and their values in the instruction, to be put into its terms. */
export function numbersOf(form: DecodedForm, instruction: DecodedInstruction): Map<Term, Term> {
  const values = form.values(instruction);
  return new Map(
    form.parameters.map(({ term }, i) => {
      if (term.sort.kind !== "bits") throw new InternalDefect(`the number ${term.name} is not of bits`);
      return [term, constant(term.sort.width, values[i] ?? 0n)] as const;
    }),
  );
}

/** The state after one instruction. */
export function execute(
  machine: Machine,
  form: DecodedForm,
  instruction: DecodedInstruction,
  state: State,
  choices: Arguments = NO_ARGUMENTS,
): State {
  return apply(machine, form.effect, state, new Evaluator(environment(form, instruction, state, choices)));
}

function environment(
  form: DecodedForm,
  instruction: DecodedInstruction,
  state: State,
  choices: Arguments,
): Environment {
  const values = form.values(instruction);
  const inputs = new Map(form.parameters.map((p, i) => [p.term.name, values[i] ?? 0n]));
  for (const c of form.choices) inputs.set(c.term.name, choices.get(c.name) ?? 0n);
  return {
    variable(term) {
      const value = state.get(term.name) ?? inputs.get(term.name);
      if (value === undefined) throw new InternalDefect(`no value is given for \`${term.name}\``);
      return value;
    },
  };
}

export type Stepped =
  | { readonly kind: "stepped"; readonly state: State; readonly instruction: DecodedInstruction | undefined }
  | { readonly kind: "stuck" }
  | { readonly kind: "unsupported"; readonly reason: string };

/** One step from `state`: an instruction, or the trap of what cannot be fetched or is none. Stuck while a trap is pending. */
export function step(machine: Machine, state: State, decode: Decode, choices: Arguments = NO_ARGUMENTS): Stepped {
  const isa = machine.decoded;
  if (isa === undefined) throw new InternalDefect(`${machine.name} has no decoder`);
  if (state.get("trap") !== 0n) return { kind: "stuck" };
  const memory = state.get(isa.memory);
  const pc = state.get(isa.programCounter);
  if (!(memory instanceof MemoryValue) || typeof pc !== "bigint") throw new InternalDefect("a state is not whole");
  const code: CodeBytes = {
    fetchable: (address) => memory.accessible("fetch", address, 1),
    byte: (address) => Number(memory.load(address, 1)),
  };
  const fetched = fetchAt(isa, code, pc, decode);
  switch (fetched.kind) {
    case "instruction":
      return {
        kind: "stepped",
        state: execute(machine, fetched.form, fetched.instruction, state, choices),
        instruction: fetched.instruction,
      };
    case "unsupported":
      return fetched;
    default: {
      const trap = trapOf(machine, isa, fetched);
      if (trap === undefined) return { kind: "stuck" };
      const declaration = trapNamed(machine, trap);
      const args = fetched.kind === "fault" && declaration.parameters.length > 0 ? [fetched.address] : [];
      return {
        kind: "stepped",
        instruction: undefined,
        state: new Map([...state, ["trap", BigInt(declaration.code)], ["trap.value", packTrap(declaration, args)]]),
      };
    }
  }
}

/** The trap of what cannot be fetched, or is no instruction. */
export function trapOf(
  machine: Machine,
  isa: DecodedInstructionSet,
  fetched: Extract<Fetched, { kind: "fault" | "illegal" }>,
): string | undefined {
  if (fetched.kind === "fault") return machine.variables.find((v) => v.name === isa.memory)?.faults.fetch;
  return fetched.overlong ? (isa.overlong ?? isa.illegal) : isa.illegal;
}
