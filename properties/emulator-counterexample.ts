/**
 * Counterexamples of emulators: one instruction, the state before it, and what the definition and the emulator make of it.
 */
import { bytesOfWord, disassemble } from "../refinement/assembly/index.js";
import type { Counterexample, Difference } from "../refinement/counterexample.js";
import { recordOfState } from "../refinement/counterexample-state.js";
import { fetchedWord, zeroState } from "../refinement/execute/concrete.js";
import { variableOf } from "../refinement/execute/difference.js";
import type { State } from "../refinement/execute/state.js";
import { elementName, type Machine } from "../refinement/machine.js";
import type { EmulatorCase } from "../refinement/emulator.js";
import type { EmulatorRefinement } from "../refinement/refinement.js";
import type { Access } from "../refinement/terms/term.js";
import { MemoryValue } from "../refinement/terms/value.js";
import { titleOf } from "./counterexample.js";
import type { EmulatedGuest } from "./emulator-guest.js";
import { type Stepped, recording } from "./emulator-step.js";

export interface Circumstances {
  readonly refinement: EmulatorRefinement;
  readonly obligation: string;
  readonly seed: number;
  readonly date: string;
  /** Of the emulator: its version and its host. */
  readonly identity: string;
}

/** The counterexample for a state before one step. Of its memory, the bytes that the step touches are shown. */
export function counterexampleFrom<C extends EmulatorCase>(
  around: Circumstances,
  of: EmulatedGuest<C>,
  state: State,
  differs: readonly Difference[],
): Counterexample {
  const { refinement, obligation, seed, date, identity } = around;
  const { guest } = refinement;
  const touched = recording(state, (watched): Stepped | undefined => of.step(watched, watched));
  const code = of.code(state);
  const memories = [...state].flatMap(([name, value]) => (value instanceof MemoryValue ? [{ name, value }] : []));
  const record: Record<string, bigint | string> = { ...recordOfState(guest, withoutMemory(guest, state)) };
  const inaccessible: Counterexample["inaccessible"][number][] = [];
  for (const { name, value } of memories) {
    // A decoder is given bytes behind the instruction as well, before anyone knows how long it is.
    const behind = code === undefined ? undefined : code.pc + BigInt(code.code.length / 2);
    const granted = [...touched.granted].filter(
      ([a, access]) => access !== "fetch" || behind === undefined || a < behind,
    );
    for (const [start, bytes] of runs(
      granted.map(([a]) => a),
      (a) => value.readByte(a),
    )) {
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
    guest: code,
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
export function codeOf(guest: Machine, state: State): Counterexample["guest"] {
  const isa = guest.instructionSet;
  const pc = state.get(isa?.programCounter ?? "");
  const word = wordOf(guest, state);
  if (isa === undefined || typeof pc !== "bigint" || word === undefined) return undefined;
  return {
    code: Buffer.from(bytesOfWord(isa, word)).toString("hex"),
    assembly: [disassemble(guest, word, pc)],
    pc,
  };
}

/** The word at the state's program counter; undefined where none can be fetched. */
export function wordOf({ instructionSet }: Machine, state: State): bigint | undefined {
  return instructionSet === undefined ? undefined : fetchedWord(instructionSet, state);
}
