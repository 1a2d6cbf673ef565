/**
 * A refuted block run in QEMU from the counterexample's state: registers, a reservation, and as much memory as the block turns out to
 * access. Blocks with system calls are not run, lest the registers of a counterexample say what is done.
 *
 * Not every state that is thought of can be had. Memory is granted and denied by pages, and what cannot be read cannot be written; a
 * reservation is what an LR leaves behind. The run begins in the nearest state that can be, and says in which.
 */
import type { State } from "../../refinement/execute/state.js";
import { FileValue, MemoryValue } from "../../refinement/terms/value.js";
import type { Denied, RealOutcome, RealRun } from "../../refinement/translation.js";
import { canHold, PAGE, SIGVTALRM } from "./guest-program.js";
import { type Allowed, type GuestOutcome, type Memory, NoMemory, type Reservation, runBlock } from "./run-block.js";
import type { StateLayout } from "./state-layout.js";
import type { Emulation } from "./translate.js";

/** Pages that a block may access. */
const MOST_PAGES = 16;
const ECALL = 0x73;

const SIGILL = 4;
const SIGTRAP = 5;
const SIGBUS = 7;
const SIGSEGV = 11;

/** Traps of RISC-V that signals of RISC-V Linux stand for. */
const TRAPS: ReadonlyMap<number, readonly string[]> = new Map([
  [SIGILL, ["illegal_instruction"]],
  [SIGTRAP, ["breakpoint"]],
  [SIGBUS, ["load_address_misaligned", "store_address_misaligned"]],
  [SIGSEGV, ["load_access_fault", "store_access_fault"]],
]);

export async function runForReal(
  emulation: Emulation,
  layout: StateLayout,
  run: RealRun,
  signal: AbortSignal,
): Promise<RealOutcome> {
  const { pc, code, state } = run;
  const [x, f, memory] = [state.get("x"), state.get("f"), state.get("mem")];
  if (!(x instanceof FileValue) || !(memory instanceof MemoryValue)) return impossible("the guest has no x or no mem");
  if (callsSystem(code)) return impossible("it makes system calls");
  if (!canHold(pc, code.length)) return impossible(`QEMU can have no code at ${hex(pc)}`);
  const denied = byPages(run.denied);
  let { host, reservation } = reservationIn(layout, run.host);
  const pages = new Map<bigint, Memory>();
  const wanted = reservation === undefined ? [] : [pageOf(reservation.address)];
  for (;;) {
    for (const page of wanted.splice(0)) {
      if (pages.size >= MOST_PAGES) return impossible(`it accesses more than ${MOST_PAGES} pages`);
      if (!canHold(page, Number(PAGE), 0n) || overlaps(page, pc, code))
        return impossible(`QEMU can have no memory for it at ${hex(page)}`);
      pages.set(page, { address: page, bytes: bytesOf(memory, page), allowed: allowed(denied, page) });
    }
    const floats = f instanceof FileValue ? f.elements : undefined;
    const guest = { pc, code, x: x.elements, f: floats, memory: [...pages.values()], reservation };
    const outcome = await runBlock(emulation, guest, signal).catch((error: unknown) => {
      if (error instanceof NoMemory) return error;
      throw error;
    });
    if (outcome instanceof NoMemory && reservation !== undefined) {
      pages.delete(pageOf(reservation.address));
      ({ host, reservation } = { host: withoutReservation(layout, host), reservation: undefined });
      continue;
    }
    if (outcome instanceof NoMemory) {
      const low = [...pages.keys()].find((page) => !canHold(page, Number(PAGE))) ?? 0n;
      return impossible(`the system lets QEMU have no memory at ${hex(low)}`);
    }
    if (outcome.signal === SIGVTALRM) return impossible("it does not come to an end");
    const page = pageOf(outcome.address);
    const left = leftBehind(run, outcome);
    if (outcome.signal === SIGSEGV && !left && !pages.has(page) && allowed(denied, page) !== "nothing") {
      // Memory is accessible where the counterexample does not deny it.
      wanted.push(page);
      continue;
    }
    const after = new Map(outcome.x.map((value, i) => [`x[${i}]`, value]));
    if (floats !== undefined) for (const [i, value] of outcome.f.entries()) after.set(`f[${i}]`, value);
    after.set("pc", outcome.pc);
    const traps = left ? [] : TRAPS.get(outcome.signal);
    if (traps === undefined) return impossible(`it ends in the signal ${outcome.signal}`);
    return { kind: "ran", from: { host, denied }, after, memory: outcome.memory, traps };
  }
}

/** At a breakpoint that is not its own, or where nothing can be executed. */
function leftBehind({ pc, code }: RealRun, outcome: GuestOutcome): boolean {
  const inside = outcome.pc >= pc && outcome.pc < pc + BigInt(code.length);
  return !inside && (outcome.signal === SIGTRAP || (outcome.signal === SIGSEGV && outcome.address === outcome.pc));
}

/** A page without a load has no store. */
function byPages(denied: readonly Denied[]): readonly Denied[] {
  return denied.flatMap(({ access, address, bytes }) => {
    const start = pageOf(address);
    const whole = { address: start, bytes: pageOf(address + bytes + PAGE - 1n) - start };
    const kinds = access === "load" ? (["load", "store"] as const) : [access];
    return kinds.map((kind): Denied => ({ access: kind, ...whole }));
  });
}

function allowed(denied: readonly Denied[], page: bigint): Allowed {
  const here = denied.filter((d) => d.address < page + PAGE && d.address + d.bytes > page);
  if (here.some((d) => d.access === "load")) return "nothing";
  return here.some((d) => d.access === "store") ? "load" : "all";
}

/** What an LR has to leave behind; and the host's state with none, where no LR can leave this one. */
function reservationIn(
  layout: StateLayout,
  host: State,
): { readonly host: State; readonly reservation: Reservation | undefined } {
  const [at, loaded] = [layout.get("load_res"), layout.get("load_val")];
  const [rbp, memory] = [host.get("rbp"), host.get("mem")];
  if (at === undefined || loaded === undefined || typeof rbp !== "bigint" || !(memory instanceof MemoryValue))
    return { host, reservation: undefined };
  const address = memory.load(rbp + at, 8);
  const value = memory.load(rbp + loaded, 8);
  if (address === NONE) return { host, reservation: undefined };
  const bytes = address % 8n === 0n ? 8 : 4;
  const possible = address % 4n === 0n && (bytes === 8 || BigInt.asUintN(64, BigInt.asIntN(32, value)) === value);
  if (possible && canHold(pageOf(address), Number(PAGE), 0n)) return { host, reservation: { address, bytes, value } };
  return { host: withoutReservation(layout, host), reservation: undefined };
}

function withoutReservation(layout: StateLayout, host: State): State {
  const [at, rbp, memory] = [layout.get("load_res"), host.get("rbp"), host.get("mem")];
  if (at === undefined || typeof rbp !== "bigint" || !(memory instanceof MemoryValue)) return host;
  return new Map(host).set("mem", memory.store(rbp + at, 8, NONE));
}

/** The address of no reservation. */
const NONE = 0xffff_ffff_ffff_ffffn;

function callsSystem(code: Uint8Array): boolean {
  for (let at = 0; at < code.length; ) {
    const low = code[at] ?? 0;
    const length = (low & 3) === 3 ? 4 : 2;
    if (length === 4 && low === ECALL && code.subarray(at + 1, at + 4).every((b) => b === 0)) return true;
    at += length;
  }
  return false;
}

function pageOf(address: bigint): bigint {
  return address - (address % PAGE);
}

function overlaps(page: bigint, pc: bigint, code: Uint8Array): boolean {
  return page < pc + BigInt(code.length) + PAGE && page + PAGE > pc;
}

function bytesOf(memory: MemoryValue, page: bigint): Uint8Array {
  return Uint8Array.from({ length: Number(PAGE) }, (_, i) => memory.readByte(page + BigInt(i)));
}

function impossible(reason: string): RealOutcome {
  return { kind: "impossible", reason };
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
