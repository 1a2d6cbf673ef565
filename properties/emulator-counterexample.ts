/**
 * Counterexamples of emulators: one instruction, the state before it, and what the definition and the emulator make of it.
 */
import { disassemble, wordToBytes } from "../refinement/assembly/index.js";
import type { Counterexample, Difference } from "../refinement/counterexample.js";
import { recordOfState, stateOfRecord } from "../refinement/counterexample-state.js";
import { UserError } from "../refinement/errors.js";
import { zeroState } from "../refinement/execute/concrete.js";
import { variableOf } from "../refinement/execute/difference.js";
import type { State } from "../refinement/execute/state.js";
import { elementName, type Machine } from "../refinement/machine.js";
import type { EmulatorRefinement } from "../refinement/refinement.js";
import type { Access } from "../refinement/terms/term.js";
import { MemoryValue } from "../refinement/terms/value.js";
import { titleOf } from "./counterexample.js";
import type { Cases, DrawnCase } from "./emulator-cases.js";
import { stepRecording } from "./emulator-step.js";

export interface Circumstances {
  readonly refinement: EmulatorRefinement;
  readonly obligation: string;
  readonly seed: number;
  readonly date: string;
  /** Of the emulator: its version and its host. */
  readonly identity: string;
}

/** The counterexample for a state before one step. Of its memory, the bytes that the step touches are shown. */
export function counterexampleFrom(
  around: Circumstances,
  state: State,
  differs: readonly Difference[],
): Counterexample {
  const { refinement, obligation, seed, date, identity } = around;
  const { guest } = refinement;
  const touched = stepRecording(guest, state);
  const memories = [...state].flatMap(([name, value]) => (value instanceof MemoryValue ? [{ name, value }] : []));
  const record: Record<string, bigint | string> = { ...recordOfState(guest, withoutMemory(guest, state)) };
  const inaccessible: Counterexample["inaccessible"][number][] = [];
  for (const { name, value } of memories) {
    for (const [start, bytes] of runs(touched.granted.keys(), (a) => value.readByte(a))) {
      record[elementName(name, `0x${start.toString(16)}`)] = Buffer.from(bytes).toString("hex");
    }
    for (const [address, access, bytes] of deniedRuns(touched.denied))
      inaccessible.push({ memory: name, access, address, bytes });
  }
  const [first] = differs;
  return {
    title: titleOf(obligation, differs),
    refinement: refinement.name,
    obligation,
    fault: refinement.fault,
    found: { by: "test", solver: undefined, seed, date },
    machines: { guest: guest.digest, host: identity },
    guest: codeOf(guest, state),
    host: undefined,
    state: record,
    inaccessible,
    schedule: [{ transition: touched.stepped?.transition ?? "step", arguments: {} }],
    differs,
    expect: "refuted",
    cause: { obligation, variable: variableOf(first?.variable ?? "") },
  };
}

function withoutMemory(guest: Machine, state: State): State {
  const zero = zeroState(guest);
  return new Map(
    [...state].map(([name, value]) => [name, value instanceof MemoryValue ? (zero.get(name) ?? value) : value]),
  );
}

/** Addresses next to each other make one run. */
function runs(addresses: Iterable<bigint>, byte: (address: bigint) => number): [bigint, number[]][] {
  const found: [bigint, number[]][] = [];
  for (const address of [...addresses].sort((a, b) => (a < b ? -1 : 1))) {
    const last = found.at(-1);
    if (last !== undefined && last[0] + BigInt(last[1].length) === address) last[1].push(byte(address));
    else found.push([address, [byte(address)]]);
  }
  return found;
}

function deniedRuns(denied: ReadonlyMap<bigint, Access>): [bigint, Access, bigint][] {
  return runs(denied.keys(), () => 0).flatMap(([start, bytes]) => {
    const access = denied.get(start);
    return access === undefined ? [] : [[start, access, BigInt(bytes.length)]];
  });
}

/** The instruction at the state's program counter. */
function codeOf(guest: Machine, state: State): Counterexample["guest"] {
  const isa = guest.instructionSet;
  const pc = state.get(isa?.programCounter ?? "");
  const memory = [...state.values()].find((v) => v instanceof MemoryValue);
  if (isa === undefined || typeof pc !== "bigint" || !(memory instanceof MemoryValue)) return undefined;
  if (!memory.accessible("fetch", pc, isa.length)) return undefined;
  const word = memory.load(pc, isa.length);
  return {
    code: Buffer.from(wordToBytes(word, isa.wordWidth)).toString("hex"),
    assembly: [disassemble(guest, word, pc)],
    pc,
  };
}

/** The case that a counterexample describes, in the emulator's room. */
export function caseOf(guest: Machine, cases: Cases, counterexample: Counterexample): DrawnCase {
  const isa = guest.instructionSet;
  const state = stateOfRecord(guest, counterexample.state, counterexample.inaccessible);
  const pc = state.get(isa?.programCounter ?? "");
  const memory = [...state.values()].find((v) => v instanceof MemoryValue);
  if (isa === undefined || typeof pc !== "bigint" || !(memory instanceof MemoryValue)) {
    throw new UserError(`${guest.name} is no instruction set that an emulator can run a case of`);
  }
  const fetchable = memory.accessible("fetch", pc, isa.length);
  const word = fetchable ? memory.load(pc, isa.length) : undefined;
  const data = Object.entries(counterexample.state).flatMap(([key, value]) => {
    const address = /\[(0x[0-9a-fA-F]+|\d+)\]$/.exec(key)?.[1];
    if (typeof value !== "string" || address === undefined || BigInt(address) === pc) return [];
    return [{ address: BigInt(address), bytes: new Uint8Array(Buffer.from(value, "hex")) }];
  });
  const registers = new Map(
    [...state].filter(([name, v]) => name !== isa.programCounter && !(v instanceof MemoryValue)),
  );
  return cases.assemble(pc, word, registers, data);
}
