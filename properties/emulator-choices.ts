/**
 * What a definition leaves open, chosen so that it agrees with what an emulator shows. Nearly always a choice's bits are passed on to
 * the state as they are; so each bit of a choice is set where the bits that it turns over are wrong without it.
 */
import type { State } from "../refinement/execute/state.js";
import type { Machine, Parameter } from "../refinement/machine.js";
import { FileValue, MemoryValue, valueEquals } from "../refinement/terms/value.js";

type Outcome = (choices: ReadonlyMap<string, bigint>) => State;

/**
 * The state that `outcome` gives for choices that agree with `shown` as far as such are found. Whether they agree, the caller
 * compares.
 */
export function agreeing(machine: Machine, choices: readonly Parameter[], outcome: Outcome, shown: State): State {
  const none = new Map<string, bigint>();
  const plain = outcome(none);
  if (choices.length === 0 || agrees(machine, plain, shown)) return plain;
  const chosen = new Map<string, bigint>();
  for (const { name, type } of choices) {
    const width = type.kind === "bits" ? type.width : 1;
    let value = 0n;
    for (let bit = 0; bit < width; bit++) {
      const turned = outcome(new Map([[name, 1n << BigInt(bit)]]));
      if (isBetter(machine, plain, turned, shown)) value |= 1n << BigInt(bit);
    }
    if (value !== 0n) chosen.set(name, value);
  }
  return outcome(chosen);
}

function agrees(machine: Machine, state: State, shown: State): boolean {
  return machine.variables.every((v) => {
    const [value, wanted] = [state.get(v.name), shown.get(v.name)];
    return value === undefined || wanted === undefined || valueEquals(value, wanted);
  });
}

/** Where the two outcomes differ first, the second one is as it is shown. */
function isBetter(machine: Machine, plain: State, turned: State, shown: State): boolean {
  for (const { name } of machine.variables) {
    const [a, b, wanted] = [plain.get(name), turned.get(name), shown.get(name)];
    if (a instanceof MemoryValue && b instanceof MemoryValue && wanted instanceof MemoryValue) {
      const [address] = a === b ? [] : a.differences(b);
      if (address === undefined) continue;
      const byte = (memory: MemoryValue): bigint => BigInt(memory.readByte(address));
      return isNearer(byte(a), byte(b), byte(wanted));
    }
    if (a instanceof FileValue && b instanceof FileValue && wanted instanceof FileValue) {
      const at = a.elements.findIndex((element, i) => element !== b.elements[i]);
      if (at < 0) continue;
      const index = BigInt(at);
      return isNearer(a.get(index), b.get(index), wanted.get(index));
    }
    if (typeof a !== "bigint" || typeof b !== "bigint" || typeof wanted !== "bigint" || a === b) continue;
    return isNearer(a, b, wanted);
  }
  return false;
}

/** In the lowest bit in which `a` and `b` differ, `b` is as wanted. */
function isNearer(a: bigint, b: bigint, wanted: bigint): boolean {
  const lowest = (a ^ b) & -(a ^ b);
  return (b & lowest) === (wanted & lowest);
}
