/**
 * Base plus offset is rarely where something is accessible by chance. Here one register is set so that an instruction touches,
 * or jumps to, a given address.
 */
import type { State } from "../refinement/execute/state.js";
import type { Instruction, Machine } from "../refinement/machine.js";
import { type Environment, evaluate } from "../refinement/terms/evaluate.js";
import type { Term } from "../refinement/terms/term.js";
import { FileValue, MemoryValue, type Value } from "../refinement/terms/value.js";
import { anatomyOf } from "./anatomy.js";

const known = new WeakMap<Instruction, readonly Term[]>();

/** The addresses that an instruction reads, writes or goes to, over the state before and its fields. */
export function addressesOf(machine: Machine, instruction: Instruction): readonly Term[] {
  let found = known.get(instruction);
  if (found === undefined) {
    found = [...collect(machine, instruction)];
    known.set(instruction, found);
  }
  return found;
}

function* collect(machine: Machine, { effect }: Instruction): Generator<Term> {
  const roots = [...effect.assigns.values(), ...effect.raises.flatMap((r) => [r.condition, ...r.arguments])];
  const seen = new Set<Term>(roots);
  const addresses = new Set<Term>();
  for (const term of seen) {
    const [, address] = term.args;
    if (address !== undefined && (term.op === "load" || term.op === "write" || term.op === "accessible"))
      addresses.add(address);
    for (const arg of term.args) seen.add(arg);
  }
  const counter = effect.assigns.get(anatomyOf(machine)?.programCounter.name ?? "");
  if (counter !== undefined) addresses.add(counter);
  for (const address of addresses) if (basesOf(address).length > 0) yield address;
}

/** The elements of files that an address depends on. */
function basesOf(address: Term): readonly Term[] {
  const seen = new Set<Term>([address]);
  for (const term of seen) for (const arg of term.args) seen.add(arg);
  return [...seen].filter((t) => t.op === "select" && t.args[0]?.op === "var");
}

export interface Aimed {
  readonly file: string;
  readonly value: FileValue;
}

/** How far from the target an address may be that is aligned. */
const NEAR = 8n;

/** The file with the one element changed that makes `address` be `target`, or what it is aligned to; undefined where none can. */
export function aimAt(
  machine: Machine,
  instruction: Instruction,
  fields: ReadonlyMap<string, bigint>,
  state: State,
  address: Term,
  target: bigint,
): Aimed | undefined {
  const at = (changed: ReadonlyMap<string, Value>): Environment => ({
    variable: (v) => {
      const field = instruction.encoding.fields.find((f) => f.term === v);
      const value = field === undefined ? (changed.get(v.name) ?? state.get(v.name)) : fields.get(field.name);
      return value ?? (v.sort.kind === "memory" ? MemoryValue.empty(v.sort.address) : 0n);
    },
  });
  for (const base of basesOf(address)) {
    const [from, index] = base.args;
    const file = state.get(from?.name ?? "");
    const variable = machine.variables.find((v) => v.name === from?.name);
    if (!(file instanceof FileValue) || index === undefined || variable?.sort.kind !== "file") continue;
    const element = evaluate(index, at(new Map()));
    if (typeof element !== "bigint" || variable.fixed.has(Number(element))) continue;
    const without = evaluate(address, at(new Map([[variable.name, file.set(element, 0n)]])));
    if (typeof without !== "bigint") continue;
    const value = file.set(element, BigInt.asUintN(variable.sort.element, target - without));
    // A branch's target depends on registers, but is none of their values.
    const reached = evaluate(address, at(new Map([[variable.name, value]])));
    const miss = typeof reached === "bigint" ? reached - target : NEAR;
    if (miss < NEAR && -miss < NEAR) return { file: variable.name, value };
  }
  return undefined;
}
