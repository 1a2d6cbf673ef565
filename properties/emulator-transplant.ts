/**
 * A program's step as a case in an emulator's room: the same instruction and registers, elsewhere.
 */
import { lengthOfWord } from "../refinement/assembly/index.js";
import type { CaseRoom } from "../refinement/emulator.js";
import { fetchedWord } from "../refinement/execute/concrete.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine } from "../refinement/machine.js";
import { FileValue, MemoryValue, type Value } from "../refinement/terms/value.js";
import type { Cases, DrawnCase } from "./emulator-cases.js";
import { stepRecording } from "./emulator-step.js";

/**
 * The step at each place for code; then with one register moved by as much as the instruction was, for jumps through it; then,
 * if the step touches memory, with one register moved so that it may touch the room's data, which hold the same bytes.
 */
export function* transplants(guest: Machine, room: CaseRoom, cases: Cases, state: State): Generator<DrawnCase> {
  const isa = guest.instructionSet;
  const memory = [...state.values()].find((v) => v instanceof MemoryValue);
  const pc = state.get(isa?.programCounter ?? "");
  const code = room.code.map((range) => range.start);
  if (isa === undefined || typeof pc !== "bigint" || !(memory instanceof MemoryValue) || code[0] === undefined) return;
  const word = fetchedWord(isa, state);
  if (word === undefined) return;
  const registers = new Map(
    [...state].filter(([name, v]) => name !== isa.programCounter && !(v instanceof MemoryValue)),
  );
  for (const at of code) yield cases.assemble(at, word, registers);
  for (const moved of movedBy(guest, registers, code[0] - pc)) yield cases.assemble(code[0], word, moved);
  const end = pc + BigInt(lengthOfWord(isa, word));
  const touched = [...stepRecording(guest, state).granted.keys()].filter((a) => a < pc || a >= end);
  const [first] = touched.sort((a, b) => (a < b ? -1 : 1));
  const target = room.data[0]?.start;
  if (first === undefined || target === undefined) return;
  const data = [{ address: target, bytes: Uint8Array.from(touched.slice(0, 8), (a) => memory.readByte(a)) }];
  for (const moved of movedBy(guest, registers, target - first)) yield cases.assemble(code[0], word, moved, data);
}

/** The registers with one of them at a distance from what it was. */
function* movedBy(
  guest: Machine,
  registers: ReadonlyMap<string, Value>,
  distance: bigint,
): Generator<Map<string, Value>> {
  for (const v of guest.variables) {
    const value = registers.get(v.name);
    if (!(value instanceof FileValue) || v.sort.kind !== "file") continue;
    for (const [index, element] of value.elements.entries()) {
      if (v.fixed.has(index)) continue;
      const moved = value.set(BigInt(index), BigInt.asUintN(v.sort.element, element + distance));
      yield new Map([...registers, [v.name, moved]]);
    }
  }
}
