/**
 * An emulator for tests: the guest's own reference evaluator behind the interface of a black box, with mistakes on demand.
 */
import { assemble } from "../../refinement/assembly/index.js";
import type {
  CaseRoom,
  Emulator,
  EmulatorCase,
  EmulatorFactory,
  EmulatorProgram,
  TraceEvent,
  Tracing,
} from "../../refinement/emulator.js";
import { stepAny, zeroState } from "../../refinement/execute/concrete.js";
import type { State } from "../../refinement/execute/state.js";
import type { Machine } from "../../refinement/machine.js";
import { FileValue, MemoryValue, type Value } from "../../refinement/terms/value.js";

export type Mistake =
  | "none"
  | "missing"
  /** `sub` borrows where the operands' lowest bits are both one. */
  | "sub"
  /** The last store of a program is lost. */
  | "store"
  /** Programs end an instruction too early. */
  | "early"
  /** No case can be run. */
  | "no-room"
  /** No case can be run, for the host lacks what it takes. */
  | "lacks"
  /** Traps have the wrong value. */
  | "value";

const CODE = { start: 0x1000n, end: 0x3000n };
const DATA = { start: 0x8000n, end: 0x9000n };

const MEMORY = MemoryValue.empty(64, (access, a) => {
  const within = (r: { start: bigint; end: bigint }): boolean => a >= r.start && a < r.end;
  return within(CODE) || (access !== "fetch" && within(DATA));
});

const PROGRAM = `
        lui  t0, 0x8
        addi t1, zero, 40
        addi t4, zero, 3
loop:   sub  t2, t1, t4
        sw   t2, 0(t0)
        lw   t3, 0(t0)
        addi t0, t0, 4
        addi t1, t1, -1
        bne  t1, zero, loop
        ecall
`;

class ReferenceEmulator implements Emulator, Tracing {
  readonly tracing = this;
  readonly identity = "the reference evaluator";
  readonly room: CaseRoom;
  private readonly guest: Machine;
  private readonly mistake: Mistake;

  constructor(guest: Machine, mistake: Mistake) {
    this.guest = guest;
    this.mistake = mistake;
    const cost: CaseRoom["cost"] = (state) => {
      const pc = state.get("pc");
      if (mistake === "no-room" || mistake === "lacks") return "impossible";
      return typeof pc === "bigint" && pc % 64n === 4n ? "dear" : "cheap";
    };
    const lacks = (): string | undefined => (mistake === "lacks" ? "this host has no sub" : undefined);
    this.room = { memory: MEMORY, code: [CODE], data: [DATA], cost, lacks };
  }

  programs(): Promise<readonly EmulatorProgram[]> {
    return Promise.resolve([{ name: "loop", elf: "" }]);
  }

  memoryOf(): Promise<MemoryValue> {
    return Promise.resolve(MEMORY.storeBytes(CODE.start, assemble(this.guest, PROGRAM, CODE.start)));
  }

  async *trace(_program: EmulatorProgram, signal: AbortSignal): AsyncGenerator<TraceEvent> {
    let state: State = new Map<string, Value>([
      ...zeroState(this.guest),
      ["pc", CODE.start],
      ["mem", await this.memoryOf()],
    ]);
    for (;;) {
      signal.throwIfAborted();
      const ends = this.memory(state).load(this.pc(state), 4) === 0x73n;
      if (ends && this.mistake === "early") break;
      yield { kind: "state", state: new Map([...state].filter(([name]) => name === "pc" || name === "x")) };
      if (ends) break;
      state = this.step(state);
    }
    const bytes = new Uint8Array(0x100);
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.memory(state).readByte(DATA.start + BigInt(i));
    if (this.mistake === "store") bytes.fill(0, 39 * 4, 40 * 4);
    yield { kind: "memory", address: DATA.start, bytes };
  }

  resume(): undefined {
    return undefined;
  }

  async *execute(cases: readonly EmulatorCase[], signal: AbortSignal): AsyncGenerator<State> {
    for (const c of cases) {
      signal.throwIfAborted();
      const after = this.step(c.state);
      if (this.mistake !== "value" || after.get("trap") === 0n) yield after;
      else yield new Map([...after, ["trap.value", 0x666n]]);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private step(state: State): State {
    const stepped = stepAny(this.guest, state);
    if (stepped === undefined) return state;
    return this.mistake === "sub" && stepped.transition.name === "sub"
      ? this.borrowed(state, stepped.state)
      : stepped.state;
  }

  private borrowed(before: State, after: State): State {
    const word = this.memory(before).load(this.pc(before), 4);
    const [x, y] = [before.get("x"), after.get("x")];
    if (!(x instanceof FileValue) || !(y instanceof FileValue)) return after;
    const [rd, rs1, rs2] = [(word >> 7n) & 31n, (word >> 15n) & 31n, (word >> 20n) & 31n];
    if (rd === 0n || (x.get(rs1) & x.get(rs2) & 1n) === 0n) return after;
    return new Map([...after, ["x", y.set(rd, BigInt.asUintN(64, y.get(rd) - 1n))]]);
  }

  private pc(state: State): bigint {
    const pc = state.get("pc");
    return typeof pc === "bigint" ? pc : 0n;
  }

  private memory(state: State): MemoryValue {
    const memory = state.get("mem");
    return memory instanceof MemoryValue ? memory : MEMORY;
  }
}

const MISTAKES: readonly Mistake[] = ["none", "missing", "sub", "store", "early", "no-room", "lacks", "value"];

const factory: EmulatorFactory = (guest, options) => {
  const mistake = MISTAKES.find(
    (m) => typeof options === "object" && options !== null && "mistake" in options && options.mistake === m,
  );
  if (mistake === "missing") return Promise.resolve({ missing: [{ program: "reference", remedy: "remember it" }] });
  return Promise.resolve({ emulator: new ReferenceEmulator(guest, mistake ?? "none") });
};
export default factory;
