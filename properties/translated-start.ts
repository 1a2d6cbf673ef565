/** Where blocks and programs of a translator's tests begin: addresses that meet, corners, and what the environment denies. */
import type { Random } from "fast-check";
import { InternalDefect } from "../refinement/errors.js";
import { zeroState } from "../refinement/execute/concrete.js";
import { environment } from "../refinement/execute/concrete.js";
import type { State } from "../refinement/execute/state.js";
import type { Machine } from "../refinement/machine.js";
import type { TranslatorRefinement } from "../refinement/refinement.js";
import { Evaluator } from "../refinement/terms/evaluate.js";
import { FileValue, MemoryValue, type Value } from "../refinement/terms/value.js";
import { values } from "./arbitraries/values.js";
import { oneIn, pick } from "./random.js";
import type { Inaccessible, Start } from "./start.js";

/** Where the guest's code stands, and its data, around which registers point. */
export const PC = 0x1_0000n;
const DATA = 0x2_0000n;
const PAGE = 4096n;
/** Bytes of data before and behind that address that are not zero. */
const AROUND = 64;
/** Distance between the host's own regions. */
const ROOM = 1n << 36n;
/** Out of a hundred values so many are addresses of data: of a block's, and of a program's, which is to get somewhere. */
const ADDRESSES = { block: 40, program: 75 } as const;
/** And so many addresses of a program's code. */
const CODE = 8;
const WORD = 8n;

/** A value for a register of the guest's. */
function drawn(random: Random, width: number, codeLength: number): bigint {
  const chance = random.nextInt(0, 99);
  const addresses = codeLength > 0 ? ADDRESSES.program : ADDRESSES.block;
  if (chance < addresses) return DATA + BigInt(pick(random, [0, 0, 8, 16, random.nextInt(-AROUND, AROUND)]));
  if (chance < addresses + CODE && codeLength > 0) return PC + BigInt(4 * random.nextInt(0, codeLength));
  return values({ kind: "bits", width }).draw(random);
}

function withData(random: Random, memory: MemoryValue): MemoryValue {
  const data = Uint8Array.from({ length: 2 * AROUND }, () => random.nextInt(0, 255));
  return memory.storeBytes(DATA - BigInt(AROUND), data);
}

/** Now and then an access is denied to a page or to some bytes of data. */
function denied(random: Random, memory: string): readonly Inaccessible[] {
  if (random.nextInt(0, 2) > 0) return [];
  const accesses = pick<readonly ("load" | "store")[]>(random, [["load"], ["store"], ["load", "store"]]);
  const [address, bytes] = oneIn(random, 2)
    ? [DATA - (oneIn(random, 2) ? 0n : PAGE), PAGE]
    : [DATA + BigInt(random.nextInt(-AROUND, AROUND)), BigInt(random.nextInt(1, 16))];
  return accesses.map((access) => ({ memory, access, address, bytes }));
}

function memoryOf(machine: Machine): string {
  const memory = machine.variables.find((v) => v.sort.kind === "memory");
  if (memory === undefined) throw new InternalDefect(`${machine.name} has no memory`);
  return memory.name;
}

/** A state of the guest's with a program of so many instructions: only its page and that of the data can be accessed. */
export function guestStart(random: Random, guest: Machine, code: Uint8Array, codeLength: number): Start {
  const state = new Map<string, Value>(zeroState(guest));
  for (const v of guest.variables) {
    if (v.sort.kind === "file" && v.type.kind === "file") {
      const { count, element } = v.sort;
      let file = FileValue.filled(count);
      for (let i = 0; i < count; i++)
        if (!v.fixed.has(i)) file = file.set(BigInt(i), drawn(random, element, codeLength));
      state.set(v.name, file);
    }
  }
  const memory = memoryOf(guest);
  state.set(guest.instructionSet?.programCounter ?? "pc", PC);
  state.set(memory, withData(random, MemoryValue.empty(64)).storeBytes(PC, code));
  const top = 1n << 64n;
  const closed = [
    [0n, PC],
    [PC + PAGE, DATA - PAGE - PC - PAGE],
    [DATA + PAGE, top - DATA - PAGE],
  ] as const; // prettier-ignore
  const inaccessible = (["fetch", "load", "store"] as const).flatMap((access) =>
    closed.map(([address, bytes]) => ({ memory, access, address, bytes })),
  );
  return { state, inaccessible };
}

/**
 * States of the host's at a block's entry. What α reads of the host's memory is drawn, the rest of the regions is zero but for one in eight:
 * it is the translator's business.
 */
export class HostStarts {
  private readonly refinement: TranslatorRefinement;
  private readonly base: State;
  /** Address and bytes of each place that α reads. */
  private readonly places: readonly (readonly [bigint, number])[];

  constructor(refinement: TranslatorRefinement) {
    this.refinement = refinement;
    const { host, regions, limit } = refinement;
    const state = new Map(zeroState(host));
    const bases = [...new Set(regions.flatMap((r) => (r.kind === "based" ? [r.base] : [])))];
    for (const [i, base] of bases.entries()) state.set(base, limit - ROOM * BigInt(i + 1));
    this.base = state;
    this.places = placesOf(refinement, state);
  }

  draw(random: Random): Start {
    const { host } = this.refinement;
    const name = memoryOf(host);
    const state = new Map<string, Value>(this.base);
    for (const v of host.variables) {
      if (v.implicit || this.base.get(v.name) !== 0n || v.type.kind === "file" || v.type.kind === "memory") continue;
      state.set(v.name, values(v.type).draw(random));
    }
    let memory = withData(random, MemoryValue.empty(64));
    for (const [address, bytes] of this.places)
      memory = memory.store(address, bytes, BigInt.asUintN(8 * bytes, drawn(random, 8 * bytes, 0)));
    state.set(name, memory);
    return { state, inaccessible: denied(random, name) };
  }

  /** The same with less in it, boldest first. */
  *smaller({ state, inaccessible }: Start): Iterable<Start> {
    const { host } = this.refinement;
    const name = memoryOf(host);
    for (const i of inaccessible.keys()) yield { state, inaccessible: inaccessible.filter((_, k) => k !== i) };
    const memory = state.get(name);
    if (!(memory instanceof MemoryValue)) return;
    const places = [...this.places, ...[...data()].map((a) => [a, Number(WORD)] as const)];
    for (const [address, bytes] of places) {
      if (memory.load(address, bytes) === 0n) continue;
      yield { state: new Map(state).set(name, memory.store(address, bytes, 0n)), inaccessible };
    }
    for (const v of host.variables) {
      const value = state.get(v.name);
      if (typeof value === "bigint" && value !== 0n && this.base.get(v.name) === 0n)
        yield { state: new Map(state).set(v.name, 0n), inaccessible };
    }
  }
}

function* data(): Iterable<bigint> {
  for (let at = DATA - BigInt(AROUND); at < DATA + BigInt(AROUND); at += WORD) yield at;
}

/** Which bytes of the host's memory α reads, found out by reading it; a choice may depend on what is read first. */
function placesOf(refinement: TranslatorRefinement, state: State): readonly (readonly [bigint, number])[] {
  const seen = new Set<bigint>();
  for (const byte of [0, 1]) {
    const memory = MemoryValue.empty(64, undefined, (address) => {
      seen.add(address);
      return byte;
    });
    const at = new Evaluator(environment(new Map(state).set(memoryOf(refinement.host), memory)));
    for (const term of refinement.abstraction.values()) at.value(term);
  }
  const places: (readonly [bigint, number])[] = [];
  for (const address of [...seen].sort((a, b) => (a < b ? -1 : 1))) {
    const last = places.at(-1);
    if (last !== undefined && address === last[0] + BigInt(last[1]) && last[1] < Number(WORD))
      places[places.length - 1] = [last[0], last[1] + 1];
    else places.push([address, 1]);
  }
  return places;
}
