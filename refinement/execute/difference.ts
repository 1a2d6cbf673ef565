/**
 * How two states of a machine differ, scalar by scalar, with values as the notation writes them.
 */
import type { Difference } from "../counterexample.js";
import { InternalDefect, unreachable } from "../errors.js";
import { elementName, type Machine, type ScalarType, type StateVariable } from "../machine.js";
import { FileValue, MemoryValue, type Value, valueEquals } from "../terms/value.js";
import type { State } from "./state.js";

/** A memory that differs everywhere is shown by its first bytes. */
const MOST_BYTES = 64;

/** In order of declaration, files by index, memory by address; empty where the states agree. */
export function differences(machine: Machine, guest: State, host: State): Difference[] {
  return machine.variables.flatMap((v) => variableDifferences(v, valueIn(guest, v), valueIn(host, v)));
}

export function agree(machine: Machine, guest: State, host: State): boolean {
  return machine.variables.every((v) => {
    const [a, b] = [valueIn(guest, v), valueIn(host, v)];
    return a === b || valueEquals(a, b);
  });
}

export function valueIn(state: State, v: StateVariable): Value {
  const value = state.get(v.name);
  if (value === undefined) throw new InternalDefect(`the state has no value for \`${v.name}\``);
  return value;
}

function variableDifferences(v: StateVariable, guest: Value, host: Value): Difference[] {
  if (guest === host) return [];
  if (guest instanceof FileValue && host instanceof FileValue) {
    const element: ScalarType = v.type.kind === "file" ? v.type.element : { kind: "bits", width: 64 };
    return guest.elements.flatMap((g, i) => {
      const h = host.get(BigInt(i));
      return g === h ? [] : [difference(elementName(v.name, i), element, g, h)];
    });
  }
  if (guest instanceof MemoryValue && host instanceof MemoryValue) {
    return guest
      .differences(host)
      .slice(0, MOST_BYTES)
      .map((address) =>
        difference(
          elementName(v.name, `0x${address.toString(16)}`),
          { kind: "bits", width: 8 },
          BigInt(guest.readByte(address)),
          BigInt(host.readByte(address)),
        ),
      );
  }
  if (typeof guest === "bigint" && typeof host === "bigint") {
    if (v.type.kind === "file" || v.type.kind === "memory") throw new InternalDefect(`\`${v.name}\` is not a scalar`);
    return [difference(v.name, v.type, guest, host)];
  }
  throw new InternalDefect(`\`${v.name}\` has values of two sorts`);
}

function difference(variable: string, type: ScalarType, guest: bigint, host: bigint): Difference {
  return { variable, guest: formatScalar(type, guest), host: formatScalar(type, host) };
}

/** As the notation writes it: a member's name, `true`, or hexadecimal. */
export function formatScalar(type: ScalarType, value: bigint): string {
  switch (type.kind) {
    case "bool":
      return value === 0n ? "false" : "true";
    case "enum":
      return type.members[Number(value)] ?? `0x${value.toString(16)}`;
    case "bits":
      return `0x${value.toString(16)}`;
    default:
      return unreachable(type);
  }
}

/** `x[10]` → `x`, `cache[3].valid` → `cache.valid`: the state variable that a difference is in. */
export function variableOf(difference: string): string {
  return difference.replace(/\[[^\]]*\]/, "");
}
