/**
 * States as a counterexample file names them, scalar by scalar, and back. What is not named is zero.
 */
import { distance } from "fastest-levenshtein";
import type { Counterexample } from "./counterexample.js";
import { UserError } from "./errors.js";
import type { State } from "./execute/state.js";
import { elementName, type Machine, type StateVariable } from "./machine.js";
import type { Access } from "./terms/term.js";
import { ALL_ACCESSIBLE, FileValue, MemoryValue, type Permissions, type Value } from "./terms/value.js";

/** The part of a counterexample that is a state. */
export type StateRecord = Counterexample["state"];
export type Inaccessible = Counterexample["inaccessible"];

/** Zero bytes between two written ones that are still shown, rather than starting another entry. */
const LONGEST_GAP = 4n;

/** Every element that differs from the zero state; memory in runs of bytes. */
export function recordOfState(machine: Machine, state: State): StateRecord {
  const record: Record<string, bigint | string> = {};
  for (const v of machine.variables) {
    const value = state.get(v.name);
    if (typeof value === "bigint") {
      if (value !== 0n) record[v.name] = value;
    } else if (value instanceof FileValue) {
      value.elements.forEach((element, index) => {
        if (element !== (v.fixed.get(index) ?? 0n)) record[elementName(v.name, index)] = element;
      });
    } else if (value instanceof MemoryValue) {
      for (const [address, bytes] of runs(value)) record[elementName(v.name, `0x${address.toString(16)}`)] = bytes;
    }
  }
  return record;
}

function* runs(memory: MemoryValue): Iterable<readonly [bigint, string]> {
  let start = 0n;
  let end = -1n;
  let bytes = "";
  for (const [address, byte] of memory.written()) {
    if (bytes !== "" && address - end > LONGEST_GAP) {
      yield [start, bytes];
      bytes = "";
    }
    if (bytes === "") {
      start = address;
      end = address;
    }
    bytes += "00".repeat(Number(address - end)) + byte.toString(16).padStart(2, "0");
    end = address + 1n;
  }
  if (bytes !== "") yield [start, bytes];
}

/** Throws a UserError that lists every name the machine does not know and every value that does not fit. */
export function stateOfRecord(machine: Machine, record: StateRecord, inaccessible: Inaccessible = []): State {
  const problems: string[] = [];
  const state = new Map<string, Value>(machine.variables.map((v) => [v.name, zero(v)]));
  for (const [key, value] of Object.entries(record)) {
    const problem = assign(machine, state, key, value);
    if (problem !== undefined) problems.push(problem);
  }
  for (const { memory } of inaccessible) {
    if (!(state.get(memory) instanceof MemoryValue)) problems.push(unknown(machine, memory, "inaccessible"));
  }
  if (problems.length > 0) throw new UserError(problems.join("\n"));
  return withPermissions(state, inaccessible);
}

function zero(v: StateVariable): Value {
  if (v.sort.kind === "memory") return MemoryValue.empty(v.sort.address);
  if (v.sort.kind !== "file") return 0n;
  let file = FileValue.filled(v.sort.count);
  for (const [index, element] of v.fixed) file = file.set(BigInt(index), element);
  return file;
}

/** `latch[3].valid` is element 3 of the variable `latch.valid`. Undefined for a plain name. */
function indexed(key: string): { readonly name: string; readonly index: bigint } | undefined {
  const match = /^([^[\]]+)\[(0x[0-9a-fA-F]+|[0-9]+)\]((?:\.[^[\]]+)?)$/.exec(key);
  if (match === null) return undefined;
  return { name: `${match[1]}${match[3]}`, index: BigInt(match[2] ?? 0) };
}

function assign(machine: Machine, state: Map<string, Value>, key: string, value: bigint | string): string | undefined {
  const element = indexed(key);
  const name = element?.name ?? key;
  const v = machine.variables.find((known) => known.name === name);
  if (v === undefined) return unknown(machine, key, "state");
  const before = state.get(name);
  switch (v.sort.kind) {
    case "bool":
    case "bits": {
      const width = v.sort.kind === "bits" ? v.sort.width : 1;
      if (element !== undefined)
        return `state: \`${key}\` has an index, but ${name} of machine ${machine.name} is a single value`;
      if (typeof value !== "bigint" || !fits(value, width))
        return `state: \`${key}\` is a number of ${width} bits, not ${shown(value)}`;
      state.set(name, value);
      return undefined;
    }
    case "file":
      if (element === undefined || element.index >= BigInt(v.sort.count)) {
        return `state: \`${key}\` does not name an element: ${name} of machine ${machine.name} has the elements 0 to ${v.sort.count - 1}`;
      }
      if (typeof value !== "bigint" || !fits(value, v.sort.element)) {
        return `state: \`${key}\` is a number of ${v.sort.element} bits, not ${shown(value)}`;
      }
      if (before instanceof FileValue) state.set(name, before.set(element.index, value));
      return undefined;
    case "memory":
      if (element === undefined) return `state: \`${key}\` needs an address, as in ${name}[0x1000]: "b3027300"`;
      if (element.index >> BigInt(v.sort.address) !== 0n)
        return `state: \`${key}\` is beyond the ${v.sort.address}-bit addresses of ${name}`;
      if (typeof value !== "string" || !/^([0-9a-fA-F]{2})+$/.test(value)) {
        return `state: \`${key}\` is a string of bytes in hexadecimal, two digits each, not ${shown(value)}`;
      }
      if (before instanceof MemoryValue) state.set(name, before.storeBytes(element.index, Buffer.from(value, "hex")));
      return undefined;
    default:
      return v.sort satisfies never;
  }
}

function fits(value: bigint, width: number): boolean {
  return value >= 0n && value >> BigInt(width) === 0n;
}

function shown(value: bigint | string): string {
  return typeof value === "bigint" ? `0x${value.toString(16)}` : JSON.stringify(value);
}

function unknown(machine: Machine, key: string, where: string): string {
  const name = indexed(key)?.name ?? key;
  const nearest = machine.variables.map((v) => v.name).sort((a, b) => distance(a, name) - distance(b, name))[0];
  const hint = nearest === undefined ? "" : `; the nearest that it has is \`${nearest}\``;
  return `${where}: machine ${machine.name} has no variable \`${name}\`${hint}`;
}

/** The same state, in an environment that denies these accesses and grants all others. */
export function withPermissions(state: State, inaccessible: Inaccessible): State {
  const permitted = new Map(state);
  for (const [name, value] of state) {
    if (!(value instanceof MemoryValue)) continue;
    const denied = inaccessible.filter((i) => i.memory === name);
    permitted.set(
      name,
      value.withPermissions(denied.length === 0 ? ALL_ACCESSIBLE : denying(denied, value.addressWidth)),
    );
  }
  return permitted;
}

function denying(denied: Inaccessible, width: number): Permissions {
  const permissions = (access: Access, address: bigint): boolean =>
    !denied.some((d) => d.access === access && BigInt.asUintN(width, address - d.address) < d.bytes);
  return Object.assign(permissions, { granularity: Math.min(...denied.map(alignment)) });
}

const PAGE = 4096n;

/** The size of the largest aligned blocks that are denied as a whole or not at all. */
function alignment({ address, bytes }: Inaccessible[number]): number {
  let block = 1n;
  while (block < PAGE && address % (2n * block) === 0n && bytes % (2n * block) === 0n) block *= 2n;
  return Number(block);
}
