/**
 * Makes a counterexample small: as many variables, elements and bytes zero as possible, all memory accessible if possible,
 * while the same thing goes wrong in the same variable.
 */
import type { Counterexample } from "../counterexample.js";
import { withPermissions } from "../counterexample-state.js";
import { variableOf } from "../execute/difference.js";
import type { Violation } from "../execute/commute.js";
import { zeroValue } from "../execute/concrete.js";
import type { Machine, StateVariable } from "../machine.js";
import { FileValue, MemoryValue, type Value } from "../terms/value.js";
import type { Access } from "../terms/term.js";
import type { Case } from "./case.js";

export type Inaccessible = Counterexample["inaccessible"];

export interface Shrunk {
  readonly case: Case;
  readonly inaccessible: Inaccessible;
  readonly violation: Violation;
}

/** Judgements spent on one counterexample. */
const MOST_TRIALS = 1500;

/**
 * `judge` gives the violation of the obligation in question, if the case is one. Accesses are denied to whole blocks of so many bytes, where
 * that will do.
 */
export function shrink(
  machine: Machine,
  start: Case,
  violation: Violation,
  judge: (c: Case) => Violation | undefined,
  block = 1n,
): Shrunk {
  const shrinker = new Shrinker(start, violation, judge, block);
  shrinker.permissions();
  for (let before = -1; before !== shrinker.successes; ) {
    before = shrinker.successes;
    shrinker.args();
    for (const v of machine.variables) shrinker.variable(v);
  }
  return shrinker.result();
}

class Shrinker {
  successes = 0;
  private trials = 0;
  private current: Case;
  private inaccessible: Inaccessible = [];
  private violation: Violation;
  private readonly cause: string;
  private readonly judge: (c: Case) => Violation | undefined;

  private readonly block: bigint;

  constructor(start: Case, violation: Violation, judge: (c: Case) => Violation | undefined, block: bigint) {
    this.block = block;
    this.current = start;
    this.violation = violation;
    this.cause = causeOf(violation);
    this.judge = judge;
  }

  result(): Shrunk {
    return { case: this.current, inaccessible: this.inaccessible, violation: this.violation };
  }

  /** Permissions become data: none denied, or else just those that the run asked for and was denied. */
  permissions(): void {
    const free = { ...this.current, state: withPermissions(this.current.state, []) };
    if (this.attempt(free)) return;
    const denied: { memory: string; access: Access; address: bigint; bytes: bigint }[] = [];
    const recorded = new Map(this.current.state);
    for (const [memory, value] of recorded) {
      if (!(value instanceof MemoryValue)) continue;
      const asked = new Set<string>();
      recorded.set(
        memory,
        value.withPermissions((access, address) => {
          const granted = value.permissions(access, address);
          const key = `${access} ${address}`;
          if (!granted && !asked.has(key)) {
            asked.add(key);
            denied.push({ memory, access, address, bytes: 1n });
          }
          return granted;
        }),
      );
    }
    this.judge({ ...this.current, state: recorded });
    let needed = merge(denied);
    this.attempt({ ...this.current, state: withPermissions(this.current.state, needed) });
    const whole = inBlocks(needed, this.block);
    if (this.attempt({ ...this.current, state: withPermissions(this.current.state, whole) })) needed = whole;
    this.inaccessible = needed;
    for (const one of needed) {
      const fewer = needed.filter((other) => other !== one);
      if (this.attempt({ ...this.current, state: withPermissions(this.current.state, fewer) })) needed = fewer;
    }
    this.inaccessible = needed;
  }

  args(): void {
    for (const [name, value] of this.current.args) {
      for (const smaller of smallerThan(value)) {
        if (this.attempt({ ...this.current, args: new Map(this.current.args).set(name, smaller) })) break;
      }
    }
  }

  variable(v: StateVariable): void {
    const value = this.current.state.get(v.name);
    if (value === undefined) return;
    if (value instanceof MemoryValue) this.memory(v, value);
    else if (value instanceof FileValue) this.file(v, value);
    else this.scalar(v.name, value);
  }

  private scalar(name: string, value: bigint): void {
    for (const smaller of smallerThan(value)) if (this.set(name, smaller)) return;
  }

  private file(v: StateVariable, value: FileValue): void {
    const zero = zeroValue(v);
    if (!(zero instanceof FileValue) || value.equals(zero) || this.set(v.name, zero)) return;
    let current = value;
    for (let i = 0; i < value.elements.length; i++) {
      for (const smaller of smallerThan(current.get(BigInt(i)))) {
        const changed = current.set(BigInt(i), smaller);
        if (!this.set(v.name, changed)) continue;
        current = changed;
        break;
      }
    }
  }

  /** Only the bytes that the run reads, over a background of zero; then by halves, whole ranges of bytes at a time. */
  private memory(v: StateVariable, value: MemoryValue): void {
    const empty = MemoryValue.empty(value.addressWidth, value.permissions);
    let kept = this.bytesRead(v, value);
    const bare = kept.length === 0 && value.written().next().done === true;
    if (bare || this.set(v.name, empty)) return;
    const rebuild = (list: readonly (readonly [bigint, number])[]): MemoryValue => {
      let memory = empty;
      // Neighbours at once: every store copies a page.
      for (let at = 0; at < list.length; ) {
        const start = list[at]?.[0] ?? 0n;
        let end = at;
        while (end < list.length && list[end]?.[0] === start + BigInt(end - at)) end++;
        memory = memory.storeBytes(
          start,
          Uint8Array.from(list.slice(at, end), ([, byte]) => byte),
        );
        at = end;
      }
      return memory;
    };
    if (!this.set(v.name, rebuild(kept))) return;
    for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = 0; at < kept.length; ) {
        const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
        if (this.set(v.name, rebuild(fewer))) kept = fewer;
        else at += size;
      }
    }
  }

  /** The bytes other than zero that judging the current case looks at, ascending by address. */
  private bytesRead(v: StateVariable, value: MemoryValue): (readonly [bigint, number])[] {
    const read = new Map<bigint, number>();
    const watched = MemoryValue.empty(value.addressWidth, value.permissions, (address) => {
      const byte = value.readByte(address);
      if (byte !== 0) read.set(address, byte);
      return byte;
    });
    this.judge({ ...this.current, state: new Map(this.current.state).set(v.name, watched) });
    return [...read].sort(([a], [b]) => order(a, b));
  }

  private set(name: string, value: Value): boolean {
    return this.attempt({ ...this.current, state: new Map(this.current.state).set(name, value) });
  }

  private attempt(c: Case): boolean {
    if (this.trials >= MOST_TRIALS) return false;
    this.trials++;
    const violation = this.judge(c);
    if (violation === undefined || !violation.certain || causeOf(violation) !== this.cause) return false;
    this.current = c;
    this.violation = violation;
    this.successes++;
    return true;
  }
}

/** What tells one bug from another: the obligation and the state variable that first differs. */
export function causeOf(violation: Violation): string {
  const first = violation.differs[0];
  return `${violation.obligation} ${first === undefined ? "" : variableOf(first.variable)}`;
}

/** Smaller values worth trying, the smallest first. */
function smallerThan(value: bigint): readonly bigint[] {
  const candidates = [0n, 1n, value & 0xfn, value & 0xffn, value & 0xfffn, value & 0xffffn, value & 0xffff_ffffn];
  return [...new Set(candidates)].filter((candidate) => candidate < value);
}

/** Neighbouring bytes of one access become one entry. */
function merge(denied: readonly { memory: string; access: Access; address: bigint; bytes: bigint }[]): Inaccessible {
  const sorted = [...denied].sort(
    (a, b) => order(a.memory, b.memory) || order(a.access, b.access) || order(a.address, b.address),
  );
  const merged: { memory: string; access: Access; address: bigint; bytes: bigint }[] = [];
  for (const d of sorted) {
    const last = merged.at(-1);
    if (
      last !== undefined &&
      last.memory === d.memory &&
      last.access === d.access &&
      last.address + last.bytes === d.address
    ) {
      last.bytes += d.bytes;
    } else {
      merged.push({ ...d });
    }
  }
  return merged;
}

/** What cannot be loaded cannot be stored to there either. */
function inBlocks(denied: Inaccessible, block: bigint): Inaccessible {
  const both = denied.flatMap((d) => (d.access === "load" ? [d, { ...d, access: "store" as const }] : [d]));
  const whole = new Map(
    both.map((d) => {
      const address = d.address - (d.address % block);
      const end = ((d.address + d.bytes + block - 1n) / block) * block;
      return [`${d.memory} ${d.access} ${address} ${end}`, { ...d, address, bytes: end - address }];
    }),
  );
  return [...whole.values()];
}

function order(a: string | bigint, b: string | bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
