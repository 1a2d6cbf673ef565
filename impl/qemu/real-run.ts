/**
 * A refuted block run in QEMU from the counterexample's state: registers, and as much memory as the block turns out to access. Blocks with
 * system calls are not run, lest the registers of a counterexample say what is done.
 */
import { FileValue, MemoryValue } from "../../refinement/terms/value.js";
import type { RealOutcome, RealRun } from "../../refinement/translation.js";
import { canHold, PAGE, type Piece } from "./guest-program.js";
import { runBlock } from "./run-block.js";
import type { Emulation } from "./translate.js";

/** Pages that a block may access. */
const MOST_PAGES = 16;
const ECALL = 0x73;

/** Signals of RISC-V Linux that stand for one trap alone. */
const TRAPS: ReadonlyMap<number, string> = new Map([[4, "illegal_instruction"]]);
const SIGTRAP = 5;
const SIGBUS = 7;
const SIGSEGV = 11;
const SIGVTALRM = 26;

export async function runForReal(emulation: Emulation, run: RealRun, signal: AbortSignal): Promise<RealOutcome> {
  const { pc, code, state, denied } = run;
  const [x, memory] = [state.get("x"), state.get("mem")];
  if (!(x instanceof FileValue) || !(memory instanceof MemoryValue)) return impossible("the guest has no x or no mem");
  if (callsSystem(code)) return impossible("it makes system calls");
  if (!canHold(pc, code.length)) return impossible(`QEMU can have no code at ${hex(pc)}`);
  const isDenied = (page: bigint): boolean =>
    denied.some(({ address, bytes }) => address < page + PAGE && address + bytes > page);
  const pages = new Map<bigint, Piece>();
  for (;;) {
    const outcome = await runBlock(emulation, { pc, code, x: x.elements, memory: [...pages.values()] }, signal);
    const after = new Map(outcome.x.map((value, i) => [`x[${i}]`, value]));
    after.set("pc", outcome.pc);
    const page = outcome.address - (outcome.address % PAGE);
    if (outcome.signal === SIGSEGV && !isDenied(page) && !pages.has(page)) {
      // Memory is accessible where the counterexample does not deny it.
      if (!canHold(page, Number(PAGE)) || pages.size >= MOST_PAGES || overlaps(page, pc, code))
        return impossible(`QEMU can have no memory for it at ${hex(outcome.address)}`);
      pages.set(page, { address: page, bytes: bytesOf(memory, page) });
      continue;
    }
    if (outcome.signal === SIGVTALRM) return impossible("it does not come to an end");
    const ended = outcome.signal === SIGTRAP && outcome.pc === pc + BigInt(code.length);
    return { kind: "ran", after, trap: ended ? undefined : trapOf(outcome.signal) };
  }
}

function trapOf(signal: number): string {
  if (signal === SIGSEGV) return "an access fault";
  if (signal === SIGBUS) return "a misaligned address";
  return TRAPS.get(signal) ?? (signal === SIGTRAP ? "breakpoint" : `signal ${signal}`);
}

function callsSystem(code: Uint8Array): boolean {
  for (let at = 0; at < code.length; ) {
    const low = code[at] ?? 0;
    const length = (low & 3) === 3 ? 4 : 2;
    if (length === 4 && low === ECALL && code.subarray(at + 1, at + 4).every((b) => b === 0)) return true;
    at += length;
  }
  return false;
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
