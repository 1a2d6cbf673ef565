/**
 * What a counterexample's block accesses, on pages of its own each. Systems deny memory by pages, and a model is content with single bytes of
 * a page that the block accesses elsewhere as well: nobody could ever see that.
 */
import { type Inaccessible, withPermissions } from "../counterexample-state.js";
import type { State } from "../execute/state.js";
import type { Access } from "../terms/term.js";
import { MemoryValue } from "../terms/value.js";

/** Host addresses from `lo` up to, not including, `hi`. */
export interface Range {
  readonly lo: bigint;
  readonly hi: bigint;
}

/** Words of memory that are moved, and trials of some of them. */
const MOST_WORDS = 8;
const MOST_READ = 64;
const MOST_TRIALS = 1500;
const WORD = 4n;
/** An offset in an instruction is no more. */
const NEAR = 0x1000n;
/** Between the pages that words are moved to. */
const APART = 1n << 28n;

/**
 * The state with some of its words moved by so much that what is denied can be denied by whole pages; the state itself where that
 * needs no moving, or cannot be had. `own`: the host's. `holds`: it is still a counterexample.
 */
export function apart(
  state: State,
  memory: string,
  own: readonly Range[],
  page: bigint,
  holds: (state: State) => boolean,
): State {
  const value = state.get(memory);
  if (!(value instanceof MemoryValue)) return state;
  const { words, denied } = looked(state, memory, value, own, holds);
  if (denied.length === 0) return state;
  let trials = 0;
  for (const moved of subsets(words)) {
    const places = new Map(moved.map((at, i) => [at, APART * BigInt(i + 1)]));
    let bytes = value;
    for (const [at, by] of places) bytes = bytes.store(at, 4, BigInt.asUintN(32, bytes.load(at, 4) + by));
    // What is denied may have been moved with one of them.
    for (const by of [0n, ...places.values()]) {
      const whole = byPages(denied, page, by);
      const candidate = withPermissions(new Map(state).set(memory, bytes), whole);
      if (holds(candidate)) return candidate;
      if (++trials === MOST_TRIALS) return state;
    }
  }
  return state;
}

/** The words by which the run accesses something, and the accesses that it is denied. */
function looked(
  state: State,
  memory: string,
  value: MemoryValue,
  own: readonly Range[],
  holds: (state: State) => boolean,
): { readonly words: readonly bigint[]; readonly denied: Inaccessible } {
  const words = new Set<bigint>();
  const asked = new Set<bigint>();
  const denied = new Map<string, Inaccessible[number]>();
  const watched = MemoryValue.empty(
    value.addressWidth,
    (access, address) => {
      const granted = value.permissions(access, address);
      asked.add(address);
      if (!granted) denied.set(`${access} ${address}`, { memory, access, address, bytes: 1n });
      return granted;
    },
    (address) => {
      const byte = value.readByte(address);
      // Of the host's own, registers are kept, of which the low words will do; whole pages are read where something is stored.
      const isOwn = own.some(({ lo, hi }) => address >= lo && address < hi);
      if (isOwn || byte !== 0) words.add(address - (address % (isOwn ? 2n * WORD : WORD)));
      return byte;
    },
  );
  holds(new Map(state).set(memory, watched));
  if (denied.size === 0) return { words: [], denied: [] };
  const near = (place: bigint): boolean => isNear(asked, place);
  const likely = [...words].filter((at) => near(value.load(at, 8)) || near(value.load(at, 4))).slice(0, MOST_READ);
  const pointers = likely.filter((at) => {
    const moved = value.store(at, 4, BigInt.asUintN(32, value.load(at, 4) + APART));
    const now = new Set<bigint>();
    const permissions = (access: Access, address: bigint): boolean => {
      now.add(address);
      return value.permissions(access, address);
    };
    holds(new Map(state).set(memory, moved.withPermissions(permissions)));
    return isNear(now, moved.load(at, 8)) || isNear(now, moved.load(at, 4));
  });
  return { words: pointers.slice(0, MOST_WORDS), denied: [...denied.values()] };
}

function isNear(addresses: ReadonlySet<bigint>, place: bigint): boolean {
  return [...addresses].some((address) => BigInt.asUintN(64, address - place + NEAR) < 2n * NEAR);
}

/** What cannot be loaded cannot be stored to either. */
function byPages(denied: Inaccessible, page: bigint, by: bigint): Inaccessible {
  const whole = new Map<string, Inaccessible[number]>();
  for (const d of denied) {
    const at = BigInt.asUintN(64, d.address + by);
    const address = at - (at % page);
    for (const access of d.access === "load" ? (["load", "store"] as const) : [d.access])
      whole.set(`${access} ${address}`, { ...d, access, address, bytes: page });
  }
  return [...whole.values()];
}

/** None first, then by how many. */
function subsets<T>(all: readonly T[]): readonly (readonly T[])[] {
  const masks = Array.from({ length: 1 << all.length }, (_, mask) => all.filter((_, i) => ((mask >> i) & 1) === 1));
  return masks.sort((a, b) => a.length - b.length);
}
