/**
 * Runs guest code in QEMU from a given state and tells the state after it: how a refuted block is confirmed. What ends it is the
 * `ebreak` behind the code, or a signal of its own.
 */
import { EnvironmentFailure } from "../../refinement/errors.js";
import { QemuProcess } from "../shared/qemu-process.js";
import { CURSOR, guestProgram, PLACE, type Piece, REGISTERS } from "./guest-program.js";
import { withExecutable } from "./qemu-log.js";
import { EBREAKS } from "./snippets.js";
import type { Emulation } from "./translate.js";

export interface GuestRun {
  readonly pc: bigint;
  readonly code: Uint8Array;
  /** x0 … x31. */
  readonly x: readonly bigint[];
  /** Other memory, of an even number of bytes each, on pages of its own. */
  readonly memory: readonly Piece[];
}

export interface GuestOutcome {
  /** Of Linux: 5 is the `ebreak` behind the code, where `pc` points at it. */
  readonly signal: number;
  /** Where the signal says that it happened. */
  readonly address: bigint;
  readonly pc: bigint;
  /** x0 … x31. */
  readonly x: readonly bigint[];
}

const WORDS = 34;

export async function runBlock(emulation: Emulation, run: GuestRun, signal: AbortSignal): Promise<GuestOutcome> {
  const code: Piece = { address: run.pc, bytes: Buffer.concat([run.code, EBREAKS]) };
  const program = guestProgram(emulation.guest, HANDLER, [code, ...run.memory], [run.pc, ...run.x.slice(1, 32)]);
  return withExecutable(program, async (elf) => {
    const { emulator, processor, silenceMs, totalMs } = emulation;
    // Something must be logged: the log's end is the run's.
    const qemu = new QemuProcess(emulator, processor, "guest_errors", elf, { silenceMs, totalMs });
    for await (const _ of qemu.log(signal));
    const { output, complaint } = await qemu.end();
    if (output.length !== 8 * WORDS) throw new EnvironmentFailure(emulator, `gave up on the code: ${complaint.trim()}`);
    const word = (i: number): bigint => output.readBigUInt64LE(8 * i);
    const x = Array.from({ length: 32 }, (_, i) => (i === 0 ? 0n : word(2 + i)));
    return { signal: Number(word(0)), address: word(1), pc: word(2), x };
  });
}

/** In the data. */
const STARTED = 0;
/** In the kernel's `struct ucontext`: the pc, then x1 … x31. Before it is padding, where two more numbers go. */
const CONTEXT = 176;

const HANDLER = `
        auipc t0, 1
        ld    t1, ${STARTED}(t0)
        bne   t1, zero, ended
        addi  t1, zero, 1
        sd    t1, ${STARTED}(t0)
        ld    t1, ${CURSOR}(t0)
next:   ld    t2, 0(t1)
        beq   t2, zero, set${PLACE}
        beq   zero, zero, next
set:    addi  t1, t0, ${REGISTERS}
        addi  t2, t1, 256
        addi  t3, a2, ${CONTEXT}
fill:   ld    t4, 0(t1)
        sd    t4, 0(t3)
        addi  t1, t1, 8
        addi  t3, t3, 8
        bne   t1, t2, fill
        jalr  zero, 0(ra)
ended:  sd    a0, ${CONTEXT - 16}(a2)
        ld    t1, 16(a1)              # si_addr
        sd    t1, ${CONTEXT - 8}(a2)
        addi  a0, zero, 1
        addi  a1, a2, ${CONTEXT - 16}
        addi  a2, zero, ${8 * WORDS}
        addi  a7, zero, 64            # write
        ecall
        addi  a0, zero, 0
        addi  a7, zero, 94            # exit_group
        ecall
`;
