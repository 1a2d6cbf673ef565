/** The room in which cases are run that an emulator without a module of its own is given: memory with a pattern, by parts. */
import type { CaseRoom } from "../emulator.js";
import type { Machine } from "../machine.js";
import type { RoomSource } from "../refinement.js";
import { FileValue, MemoryValue, type Value } from "../terms/value.js";

export function caseRoom(guest: Machine, { parts, avoid, hidden }: RoomSource): CaseRoom {
  const width = guest.variables.flatMap((v) => (v.sort.kind === "memory" ? [v.sort.address] : []))[0] ?? 64;
  const partAt = (address: bigint): RoomSource["parts"][number] | undefined =>
    parts.find((p) => address >= p.start && address < p.end);
  const empty = MemoryValue.empty(width, (access, address) => partAt(address)?.access.includes(access) === true);
  return {
    memory: parts.reduce(
      (memory, { start, end, access }) =>
        access.length === 0 ? memory : memory.storeBytes(start, patternOf(start, Number(end - start))),
      empty,
    ),
    code: parts.filter((p) => p.access.includes("fetch")),
    data: parts.filter((p) => p.access.includes("load") && !p.access.includes("fetch")),
    cost: () => "cheap",
    fixed: new Map(hidden.flatMap((name) => zeroOf(guest, name))),
    confined: { within: parts, without: new Set(avoid) },
  };
}

function zeroOf(guest: Machine, name: string): [string, Value][] {
  return guest.variables.flatMap((v): [string, Value][] => {
    if (v.name !== name && !v.name.startsWith(`${name}.`)) return [];
    return [[v.name, v.sort.kind === "file" ? FileValue.filled(v.sort.count) : 0n]];
  });
}

/** What memory holds before anyone writes it: each byte is its address's own, with both signs and few repetitions. */
export function patternOf(start: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    const address = start + BigInt(i);
    const word = BigInt.asUintN(64, (address >> 3n) * 0x9e3779b97f4a7c15n) ^ 0x5851f42d4c957f2dn;
    bytes[i] = Number((word >> (8n * (address & 7n))) & 0xffn);
  }
  return bytes;
}
