/**
 * Cases of RISC-V as the case runner takes them, and what its answers say of the state after: signals as traps.
 */
import type { EmulatorCase } from "../../refinement/emulator.js";
import { EnvironmentFailure, InternalDefect } from "../../refinement/errors.js";
import type { State } from "../../refinement/execute/state.js";
import { FileValue, MemoryValue, type Value } from "../../refinement/terms/value.js";
import {
  type CaseInput,
  type CaseOutput,
  type Died,
  type Does,
  type Reservation,
  SIGBUS,
  SIGILL,
  SIGSEGV,
  SIGTRAP,
} from "./case-runner.js";
import { Layout } from "./layout.js";
import type { Model } from "../shared/qemu.js";
import { PAGE } from "../shared/windows.js";
import {
  asVentana,
  computesFloats,
  type Doing,
  doing,
  isVentana,
  isZicond,
  type Kind,
  lengthOf,
  type Xlen,
} from "./words.js";

/** The names that the guest's definition has for what Linux reports as signals. */
export const TRAPS = [
  "instruction_address_misaligned",
  "instruction_access_fault",
  "illegal_instruction",
  "breakpoint",
  "load_address_misaligned",
  "load_access_fault",
  "store_address_misaligned",
  "store_access_fault",
  "environment_call",
] as const;
export type TrapName = (typeof TRAPS)[number];

/** What a definition has that the room must know of. */
export interface Guest {
  readonly xlen: Xlen;
  readonly compressed: boolean;
  /** It has LR and SC, and the reservation between them. */
  readonly atomics: boolean;
  /** It has floating-point registers. */
  readonly floats: boolean;
}

const A0 = 10;
const A7 = 17;
const ENOSYS = 38n;

/** A case's state by its parts. */
interface Parts {
  readonly pc: bigint;
  readonly x: FileValue;
  readonly f: FileValue | undefined;
  readonly memory: MemoryValue;
  /** As the definition has it, and as QEMU is told. */
  readonly word: number;
  readonly told: number;
  readonly length: 2 | 4;
  readonly does: Doing;
  readonly reservation: bigint | undefined;
}

const DOES: Readonly<Record<Kind, Does>> = {
  load: "loads",
  lr: "loads",
  store: "stores",
  sc: "stores",
  amo: "stores",
  jump: "jumps",
  branch: "jumps",
  ecall: "nothing",
  other: "nothing",
};

export class RiscvCases {
  readonly layout: Layout;
  private readonly guest: Guest;
  /** Its ctzw is that of QEMU before 8.0 (findings.yaml). */
  private readonly miscounts: boolean;
  private readonly model: Model;
  private readonly traps: ReadonlyMap<TrapName, bigint>;

  /** `version` is what QEMU says of itself. */
  constructor(guest: Guest, model: Model, version: string, traps: ReadonlyMap<TrapName, bigint>) {
    this.guest = guest;
    this.miscounts = Number(/version (\d+)/.exec(version)?.[1] ?? 0) < 8;
    this.model = model;
    this.traps = traps;
    this.layout = new Layout(guest);
  }

  input(c: EmulatorCase): CaseInput {
    const { pc, x, f, memory, told, length, does, reservation } = this.parts(c.state);
    const patches: CaseInput["patches"][number][] = [];
    for (const patch of c.patches) {
      for (let i = 0; i < patch.bytes.length; i += 8) {
        const address = patch.address + BigInt(i);
        const bytes = patch.bytes.subarray(i, i + 8);
        if (address === pc && bytes.length <= 4) continue; // The instruction, which is sent by itself.
        if (this.layout.windowAt(address)?.write !== true)
          throw new InternalDefect(`no memory to write a patch to at 0x${address.toString(16)}`);
        patches.push({ address, length: bytes.length, value: memory.load(address, bytes.length) });
      }
    }
    const wide = isWide(told) ? 8 : 4;
    const registered: Reservation = {
      address: reservation ?? 0n,
      bytes: reservation === undefined ? 0 : does.kind === "sc" ? wide : 4,
    };
    // After a load-reserved, its own; else the one that there was.
    const fetched = this.layout.memory.accessible("fetch", pc, length);
    const own = fetched && does.kind === "lr" && does.address !== undefined && does.address % BigInt(wide) === 0n;
    const probe: Reservation = own ? { address: does.address ?? 0n, bytes: wide } : registered;
    return {
      pc,
      x: x.elements,
      f: f?.elements,
      word: BigInt(told),
      length,
      does: DOES[does.kind],
      address: does.address ?? 0n,
      reservation: registered,
      probe,
      patches,
    };
  }

  /** See CaseRoom.cost. */
  cost(state: State): "cheap" | "dear" | "impossible" {
    const { layout } = this;
    const { pc, x, memory, word, length, does, reservation } = this.parts(state);
    const { kind, address } = does;
    const step = this.guest.compressed ? 2n : 4n;
    if (pc % step !== 0n || !layout.isConfined(pc)) return "impossible";
    // A reservation is registered by a load.
    if (reservation !== undefined && (reservation % 8n !== 0n || !layout.memory.accessible("load", reservation, 8)))
      return "impossible";
    if (!layout.memory.accessible("fetch", pc, this.guest.compressed ? 2 : 4)) return "cheap";
    if (!layout.memory.accessible("fetch", pc, length)) return "cheap";
    if (this.model.zicond === "ventana" && isVentana(word)) return "impossible";
    if (this.lacks(state) !== undefined || movesVectors(word)) return "impossible";
    if (this.guest.floats && computesFloats(word)) return "impossible";
    // What comes next must stop it.
    const landing = pc + BigInt(length);
    if (!layout.stops(memory, landing)) return "impossible";
    const goes = kind === "jump" || kind === "branch" ? [landing, address ?? pc] : [landing];
    if ([pc, ...goes].some((at) => this.looksAround(at))) return "impossible";
    if (this.miscounts && isCtzw(word) && BigInt.asUintN(32, x.get(BigInt((word >>> 15) & 31))) === 0n)
      return "impossible";
    const within = (a: bigint): boolean => a < landing + 4n && a + 8n > landing;
    switch (kind) {
      case "other":
        return "cheap";
      case "ecall":
        return BigInt.asUintN(32, x.get(BigInt(A7))) >= 0x1000n ? "cheap" : "impossible";
      case "load":
      case "lr":
        return address !== undefined && layout.isConfined(address) ? "cheap" : "impossible";
      case "sc":
        // QEMU looks at the reservation first, and so at nothing else of an address that has none (findings.yaml).
        if (address === undefined || address % BigInt(isWide(word) ? 8 : 4) !== 0n) return "impossible";
        return layout.isConfined(address) && !within(address) ? "cheap" : "impossible";
      case "store":
      case "amo":
        return address !== undefined && layout.isConfined(address) && !within(address) ? "cheap" : "impossible";
      case "jump":
      case "branch":
        if (address === undefined || !layout.isConfined(address) || address === pc) return "impossible";
        if (address % step !== 0n) return "dear";
        return layout.stops(memory, address) ? "cheap" : "impossible";
      default:
        return kind satisfies never;
    }
  }

  /**
   * At a c.ebreak QEMU reads the instructions around it, to know calls of the host (semihosting), the next of them four bytes on:
   * at the end of a page it fetches from the next one, which may be inaccessible (findings.yaml).
   */
  private looksAround(address: bigint): boolean {
    const next = (address & -PAGE) + PAGE;
    return this.guest.compressed && next - address === 6n && !this.layout.memory.accessible("fetch", next, 2);
  }

  /** See CaseRoom.lacks. */
  lacks(state: State): string | undefined {
    return this.model.zicond === "absent" && isZicond(this.parts(state).word) ? "Zicond" : undefined;
  }

  /** The state after, from the signal that ended the case. */
  answer(c: EmulatorCase, asked: CaseInput, got: CaseOutput): State {
    const { does, word } = this.parts(c.state);
    const { kind } = does;
    const after = (trap?: TrapName, value?: bigint, pc = got.pc, x = got.x): State =>
      this.state(c, { ...got, pc, x }, asked, trap, value);
    if (got.pc !== asked.pc) {
      // What comes next is a breakpoint or cannot be fetched, so this one came to its end.
      const unknown = BigInt.asUintN(this.guest.xlen, -ENOSYS);
      const served = kind === "ecall" && got.pc === asked.pc + 4n && got.x[A0] === unknown;
      return served ? after("environment_call", 0n, asked.pc, got.x.with(A0, asked.x[A0] ?? 0n)) : after();
    }
    const store = kind === "store" || kind === "amo" || kind === "sc";
    switch (got.signal) {
      case SIGTRAP:
        return after("breakpoint", 0n);
      case SIGILL:
        return after("illegal_instruction");
      case SIGBUS:
        return after(store ? "store_address_misaligned" : "load_address_misaligned", got.address);
      case SIGSEGV:
        if (!this.layout.memory.accessible("fetch", got.pc, lengthOf(word)))
          return after("instruction_access_fault", got.address);
        return after(store ? "store_access_fault" : "load_access_fault", this.faultAddress(asked, kind, got.address));
      default:
        return after(); // It never came to an end: a jump to itself, or a hang.
    }
  }

  /** User-mode QEMU knows no signal for exception 0 and gives up, telling the registers but not the target. */
  death(c: EmulatorCase, died: Died): State {
    if (died.registers === undefined || !/unhandled CPU exception (0x)?0\b/.test(died.message)) {
      throw new EnvironmentFailure("qemu", `it died on a case: ${died.message}`);
    }
    const { pc, x } = died.registers;
    const asked = this.input(c);
    return this.state(
      c,
      { pc, x, f: undefined, changes: [], reserved: false },
      asked,
      "instruction_address_misaligned",
    );
  }

  private state(
    c: EmulatorCase,
    got: Pick<CaseOutput, "pc" | "x" | "f" | "changes" | "reserved">,
    { probe }: CaseInput,
    trap?: TrapName,
    value?: bigint,
  ): State {
    const before = c.state.get("mem");
    if (!(before instanceof MemoryValue)) throw new InternalDefect("a case without memory");
    const memory = got.changes.reduce((m, change) => m.store(change.address, 8, change.value), before);
    const after = new Map<string, Value>([
      ["pc", got.pc],
      ["x", new FileValue(got.x)],
      ["mem", memory],
      ["trap", trap === undefined ? 0n : (this.traps.get(trap) ?? 0n)],
    ]);
    if (got.f !== undefined) after.set("f", new FileValue(got.f));
    if (trap === undefined) after.set("trap.value", 0n);
    else if (value !== undefined) after.set("trap.value", value);
    // A store-conditional succeeds where nothing has changed since, so that a failing one tells something only then; and where
    // it may not write, nothing.
    const { address, bytes } = probe;
    const tells = bytes > 0 && this.layout.windowAt(address)?.write === true;
    if (this.guest.atomics && got.reserved) {
      after.set("reservation.valid", 1n);
      after.set("reservation.address", address);
    } else if (this.guest.atomics && tells && memory.load(address, bytes) === before.load(address, bytes)) {
      after.set("reservation.valid", 0n);
    }
    return after;
  }

  private parts(state: State): Parts {
    const pc = state.get("pc");
    const x = state.get("x");
    const f = state.get("f");
    const memory = state.get("mem");
    if (typeof pc !== "bigint" || !(x instanceof FileValue) || !(memory instanceof MemoryValue))
      throw new InternalDefect("a case's state has pc, x and mem");
    const bits = Number(memory.load(pc, 4));
    const length = this.guest.compressed ? lengthOf(bits) : 4;
    const word = length === 2 ? bits & 0xffff : bits;
    const valid = state.get("reservation.valid") === 1n;
    const reservation = state.get("reservation.address");
    return {
      pc,
      x,
      f: this.guest.floats && f instanceof FileValue ? f : undefined,
      memory,
      word,
      told: this.model.zicond === "ventana" ? asVentana(word) : word,
      length,
      does: doing(word, pc, x.elements, this.guest.xlen, this.guest.floats),
      reservation: valid && typeof reservation === "bigint" ? reservation : undefined,
    };
  }

  /**
   * The address of a faulting access. Linux tells the first byte that is inaccessible, which in an access across pages is not the
   * access's own address; and nothing (0) for an address that no x86-64 pointer can hold.
   */
  private faultAddress({ address }: CaseInput, kind: Kind, reported: bigint): bigint | undefined {
    if (kind === "other") return reported;
    if (reported === 0n && this.layout.isUnmappable(address) && address !== 0n) return undefined;
    const across = reported % PAGE === 0n && address < reported && address + 8n > reported;
    return across ? address : reported;
  }
}

/** A load or store of whole vector registers, which QEMU carries out without the V extension (findings.yaml). */
function movesVectors(word: number): boolean {
  return (word & 0x1ff0_005f) >>> 0 === 0x0280_0007;
}

function isCtzw(word: number): boolean {
  return (word & 0xfff0_707f) >>> 0 === 0x6010_101b;
}

/** An atomic instruction on a double word. */
function isWide(word: number): boolean {
  return ((word >>> 12) & 7) === 3;
}
