/**
 * Runs guest code in QEMU from a given state and tells the state after it: how a refuted block is confirmed. What ends it is an `ebreak`
 * wherever else it goes in the pages of the code, a fault where it goes beyond them, or a signal of its own.
 */
import { EnvironmentFailure } from "../../refinement/errors.js";
import type { Machine } from "../../refinement/machine.js";
import { QemuProcess } from "../shared/qemu-process.js";
import {
  CANNOT_MAP,
  BUFFER,
  CURSOR,
  guestProgram,
  INTERRUPTED_PC,
  PAGE,
  PLACE,
  pagesOf,
  type Piece,
  PROTECTIONS,
  REGISTERS,
  SIGVTALRM,
} from "./guest-program.js";
import { withExecutable } from "./qemu-log.js";
import type { Emulation } from "./translate.js";

/** What a block may do with memory. */
export type Allowed = "nothing" | "load" | "all";
const BITS: Readonly<Record<Allowed, bigint>> = { nothing: 0n, load: 1n, all: 3n };

/** Other memory, of an even number of bytes, on pages of its own. Nothing in it is executed. */
export interface Memory extends Piece {
  readonly allowed: Allowed;
}

/** What an LR leaves behind: the address, in `memory`, and the value that it has loaded. */
export interface Reservation {
  readonly address: bigint;
  readonly bytes: 4 | 8;
  readonly value: bigint;
}

export interface GuestRun {
  readonly pc: bigint;
  readonly code: Uint8Array;
  /** x0 … x31. */
  readonly x: readonly bigint[];
  /** f0 … f31; all zero where there are none. */
  readonly f?: readonly bigint[] | undefined;
  readonly memory: readonly Memory[];
  readonly reservation?: Reservation | undefined;
}

export interface GuestOutcome {
  /** Of Linux: 5 is an `ebreak`, where `pc` points at it. */
  readonly signal: number;
  /** Where the signal says that it happened. */
  readonly address: bigint;
  readonly pc: bigint;
  /** x0 … x31. */
  readonly x: readonly bigint[];
  /** f0 … f31, which QEMU has whatever its processor has. */
  readonly f: readonly bigint[];
  /** As the run's, with what is there now. */
  readonly memory: readonly Piece[];
}

/** The system lets no program have such memory. */
export class NoMemory extends EnvironmentFailure {}

/** The pc, x1 … x31, f0 … f31. */
const REGISTER_WORDS = 64;
const WORDS = 2 + REGISTER_WORDS;
const NO_FLOATS: readonly bigint[] = Array.from({ length: 32 }, () => 0n);

export async function runBlock(emulation: Emulation, run: GuestRun, signal: AbortSignal): Promise<GuestOutcome> {
  const { pc, memory, reservation, x, f = NO_FLOATS } = run;
  const pieces = [codePages(emulation.guest, run), ...memory];
  const protections = memory.flatMap((piece) => {
    const { start, end } = pagesOf(piece);
    const pages = Array.from({ length: Number((end - start) / PAGE) }, (_, i) => start + BigInt(i) * PAGE);
    return pages.map((page) => ({ page, allowed: BITS[piece.allowed] }));
  });
  const numbers = [pc, ...x.slice(1, 32), ...f, reservation?.address ?? 0n, reservation?.value ?? 0n];
  const program = guestProgram(emulation.guest, handler(reservation), pieces, numbers, protections);
  return withExecutable(program, async (elf) => {
    const { emulator, processor, silenceMs, totalMs } = emulation;
    // Something must be logged: the log's end is the run's.
    const qemu = new QemuProcess(emulator, processor, "guest_errors", elf, { silenceMs, totalMs });
    for await (const _ of qemu.log(signal));
    const { status, output, complaint } = await qemu.end();
    if (status === CANNOT_MAP) throw new NoMemory(emulator, "the system lets it have no memory there");
    const sizes = pieces.map(({ bytes }) => bytes.length);
    if (output.length !== 8 * WORDS + sizes.reduce((sum, size) => sum + size, 0))
      throw new EnvironmentFailure(emulator, `gave up on the code: ${complaint.trim().split("\n")[0] ?? ""}`);
    const word = (i: number): bigint => output.readBigUInt64LE(8 * i);
    const after: Piece[] = [];
    let at = 8 * WORDS;
    for (const { address, bytes } of pieces) {
      after.push({ address, bytes: output.subarray(at, at + bytes.length) });
      at += bytes.length;
    }
    return {
      signal: Number(word(0)),
      address: word(1),
      pc: word(2),
      x: Array.from({ length: 32 }, (_, i) => (i === 0 ? 0n : word(2 + i))),
      f: Array.from({ length: 32 }, (_, i) => word(34 + i)),
      memory: after.slice(1),
    };
  });
}

/** `c.ebreak`, at every even address; or `ebreak`, at every fourth. */
const SHORT_EBREAK = Uint8Array.of(0x02, 0x90);
const EBREAK = Uint8Array.of(0x73, 0x00, 0x10, 0x00);

/** The code, and breakpoints in all of its pages but itself. */
function codePages({ instructionSet }: Machine, { pc, code }: GuestRun): Piece {
  const { start, end } = pagesOf({ address: pc, bytes: Buffer.concat([code, EBREAK]) });
  const compressed = instructionSet?.instructions.some((i) => i.encoding.length === 2) === true;
  const bytes = Buffer.alloc(Number(end - start), compressed ? SHORT_EBREAK : EBREAK);
  bytes.set(code, Number(pc - start));
  return { address: start, bytes };
}

/** In the data. */
const STARTED = 0;
const RESERVED = REGISTERS + 8 * REGISTER_WORDS;
/** Before it is padding, where two more numbers go. */
const CONTEXT = INTERRUPTED_PC;

/** Of the timer, before the code is ended: it runs while QEMU prepares, too. */
const PATIENCE = 20;
const TICKS = 0x80;

/** Goes through the protections and on to `then`; `allow` makes of an entry in a2 what its page is given. */
function protect(then: string, allow: string): string {
  return `
        addi  s1, t0, ${PROTECTIONS / 2}
        addi  s1, s1, ${PROTECTIONS / 2}
to${then}: ld    a2, 8(s1)
        beq   a2, zero, ${then}
        ${allow}
        ld    a0, 0(s1)
        lui   a1, 1
        addi  a7, zero, 226           # mprotect
        ecall
        addi  s1, s1, 16
        beq   zero, zero, to${then}`;
}

function handler(reservation: Reservation | undefined): string {
  const size = reservation?.bytes === 4 ? "w" : "d";
  const reserve = `
        ld    t2, ${RESERVED}(t0)
        ld    t3, ${RESERVED + 8}(t0)
        s${size}    t3, 0(t2)
        lr.${size}  t3, (t2)`;
  return `
        auipc t0, 1
        ld    t1, ${STARTED}(t0)
        addi  t2, zero, ${SIGVTALRM}
        bne   a0, t2, signal
        ld    t2, ${TICKS}(t0)
        addi  t2, t2, 1
        sd    t2, ${TICKS}(t0)
        addi  t3, zero, ${PATIENCE}
        bgeu  t2, t3, signal
        jalr  zero, 0(ra)
signal: bne   t1, zero, ended
        addi  t1, zero, 1
        sd    t1, ${STARTED}(t0)
        ld    t1, ${CURSOR}(t0)
        ${reservation === undefined ? "" : reserve}
next:   ld    t2, 0(t1)
        beq   t2, zero, guard${PLACE}
        beq   zero, zero, next
guard:  add   s2, a2, zero
        ${protect("set", "andi  a2, a2, 7")}
set:    addi  t1, t0, ${REGISTERS}
        addi  t2, t1, ${8 * REGISTER_WORDS}
        addi  t3, s2, ${CONTEXT}
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
        ${protect("look", "addi  a2, zero, 1")}
look:   ld    s1, ${CURSOR}(t0)
piece:  ld    a2, 0(s1)
        beq   a2, zero, exit
        ld    t1, 8(s1)
        lui   a1, ${BUFFER >> 12}             # a copy: QEMU takes a buffer at 0 for none
        add   a1, a1, t0
        add   t2, a1, zero
        add   t3, a1, a2
peek:   lhu   t4, 0(t1)
        sh    t4, 0(t2)
        addi  t1, t1, 2
        addi  t2, t2, 2
        bne   t2, t3, peek
        addi  s1, s1, 16
        add   s1, s1, a2
        addi  s1, s1, 7
        andi  s1, s1, -8
        addi  a0, zero, 1
        addi  a7, zero, 64
        ecall
        beq   zero, zero, piece
exit:   addi  a0, zero, 0
        addi  a7, zero, 94            # exit_group
        ecall
`;
}
