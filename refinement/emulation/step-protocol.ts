/** The step protocol (docs/formats.md): one instruction from a given state, one JSON document a line. Nothing of an answer is trusted. */
import { recordOfState, stateOfRecord } from "../counterexample-state.js";
import type { CaseRoom, EmulatorCase, Seen } from "../emulator.js";
import { UserError } from "../errors.js";
import type { State } from "../execute/state.js";
import type { Machine } from "../machine.js";
import { bytes, type Fields, hex, Malformed, parsed, record, shown, text } from "../process/document.js";
import type { RoomSource } from "../refinement.js";
import { FileValue, MemoryValue, type Value } from "../terms/value.js";

const LETTERS = { load: "r", store: "w", fetch: "x" } as const;

/** `code` are the bytes at the program counter. */
export function requestLine(id: number, guest: Machine, { parts }: RoomSource, c: EmulatorCase, code: string): string {
  const state = Object.fromEntries(
    Object.entries(recordOfState(guest, c.state)).map(([name, value]) => [
      name,
      typeof value === "bigint" ? hex(value) : value,
    ]),
  );
  const memory = parts.map(({ start, end, access }) => ({
    address: hex(start),
    size: hex(end - start),
    access: access.map((a) => LETTERS[a]).join(""),
  }));
  return `${JSON.stringify({ id, step: { state, code, memory } })}\n`;
}

export type StepAnswer = Seen | { readonly error: string; readonly said: boolean };

/** An answer that is not one is an `error`; `said` where the emulator says so itself. */
export function readStep(line: string, id: number, guest: Machine, room: CaseRoom, before: State): StepAnswer {
  try {
    return answerOf(parsed(line), id, guest, room, before);
  } catch (error) {
    if (error instanceof Malformed || error instanceof UserError) return { error: error.message, said: false };
    throw error;
  }
}

function answerOf(document: unknown, id: number, guest: Machine, room: CaseRoom, before: State): StepAnswer {
  const answer = record(document, "the answer");
  if (answer["id"] !== id) throw new Malformed(`the answer is for request ${shown(answer["id"])}, not ${id}`);
  const { unsupported, error } = answer;
  if (unsupported !== undefined) return { unsupported: text(unsupported, "unsupported") };
  if (error !== undefined) return { error: `the emulator says: ${text(error, "error")}`, said: true };
  return stateAfter(record(answer["state"], "state"), guest, room, before);
}

/** What is not named is as it was before. */
function stateAfter(fields: Fields, guest: Machine, room: CaseRoom, before: State): State {
  const { trap, ...others } = fields;
  const memories = new Set(guest.variables.flatMap((v) => (v.sort.kind === "memory" ? [v.name] : [])));
  const after = new Map<string, Value>([...before].filter(([name]) => room.fixed?.has(name) !== true));
  const scalars: Record<string, bigint> = {};
  for (const [key, value] of Object.entries(others)) {
    const [, name = "", address = ""] = /^(.+)\[(0x[0-9a-fA-F]{1,16})\]$/.exec(key) ?? [];
    if (memories.has(name)) {
      const memory = after.get(name);
      if (memory instanceof MemoryValue)
        after.set(name, memory.storeBytes(BigInt(address), bytes(value, `state.${key}`)));
    } else scalars[key] = scalar(value, `state.${key}`);
  }
  const named = stateOfRecord(guest, scalars);
  for (const key of Object.keys(scalars)) {
    const [, name = key, index] = /^([^[\]]+)\[(\d+|0x[0-9a-fA-F]+)\]$/.exec(key) ?? [];
    const value = named.get(element(key));
    const old = after.get(element(key));
    if (index !== undefined && value instanceof FileValue && old instanceof FileValue)
      after.set(element(key), old.set(BigInt(index), value.get(BigInt(index))));
    else if (value !== undefined) after.set(name === key ? key : element(key), value);
  }
  return withTrap(after, trap, "trap.value" in others, guest);
}

/** `latch[3].valid` is an element of the variable `latch.valid`. */
function element(key: string): string {
  return key.replace(/\[[^\]]*\]/, "");
}

function scalar(value: unknown, what: string): bigint {
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]{1,1024}$/.test(value))
    throw new Malformed(`\`${what}\` must be a hexadecimal number, as in "0x10000", not ${shown(value)}`);
  return BigInt(value);
}

/** A trap is named; its value is compared where it is given. */
function withTrap(after: Map<string, Value>, trap: unknown, valued: boolean, guest: Machine): State {
  if (trap === undefined || trap === null) return after;
  const name = text(trap, "state.trap");
  const declared = guest.traps.find((t) => t.name === name);
  if (declared === undefined)
    throw new Malformed(
      `\`state.trap\` is ${name}, but the traps of ${guest.name} are ${guest.traps.map((t) => t.name).join(", ")}`,
    );
  after.set("trap", BigInt(declared.code));
  if (!valued) after.delete("trap.value");
  return after;
}
