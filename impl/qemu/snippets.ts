/**
 * A guest program that has QEMU translate pieces of code, each at its own address: it puts one there, jumps to it with every register 0
 * but t6, and takes the next when a signal ends it. What a piece does does not matter, since QEMU translates before it runs; that it
 * comes to an end does: an `ebreak` follows each piece, accesses by registers that are 0 fail, and a timer ends what runs in circles.
 */
import type { Machine } from "../../refinement/machine.js";
import {
  baseFor,
  canHold,
  CURSOR,
  guestProgram,
  MAX_RANGES,
  INTERRUPTED_PC,
  PAGE,
  PLACE,
  pagesOf,
  type Piece,
  SIGVTALRM,
} from "./guest-program.js";

export interface Snippet {
  readonly pc: bigint;
  /** An even number of bytes. */
  readonly code: Uint8Array;
}

/** What stops a piece: two of them, since what comes before may be half an instruction. */
export const EBREAKS = Uint8Array.of(0x73, 0x00, 0x10, 0x00, 0x73, 0x00, 0x10, 0x00);

/** Whether QEMU can be made to have code there. */
export function canPlace({ pc, code }: Snippet): boolean {
  return (pc & 1n) === 0n && canHold(pc, code.length);
}

/** How many of the pieces, from the first, one program can hold. */
export function fitting(snippets: readonly Snippet[], most: number): number {
  const [first] = snippets;
  if (first === undefined) return 0;
  const base = baseFor(first.pc);
  const pages = new Set<bigint>();
  for (const [i, snippet] of snippets.entries()) {
    if (i === most || baseFor(snippet.pc) !== base) return i;
    const { start, end } = pagesOf(pieceOf(snippet));
    for (let page = start; page < end; page += PAGE) pages.add(page);
    if (pages.size > MAX_RANGES) return i;
  }
  return snippets.length;
}

/** An ELF file that runs the pieces in order. `rv64i` is a machine with RV64I's instructions. */
export function snippetProgram(rv64i: Machine, snippets: readonly Snippet[]): Uint8Array {
  return guestProgram(rv64i, HANDLER, snippets.map(pieceOf));
}

function pieceOf({ pc, code }: Snippet): Piece {
  return { address: pc, bytes: Buffer.concat([code, EBREAKS]) };
}

/** In the data. */
const TICKS = 0;

/**
 * Of the timer, before a piece is ended. A tick may be charged for another process's time, and may come between the jump to the piece
 * and its translation; this many never all do.
 */
const PATIENCE = 4;

/** A signal's number is in a0, what it interrupted in a2, the address that returns from it in ra. */
const HANDLER = `
        auipc t0, 1                   # the data, a page behind the handler
        addi  t1, zero, ${SIGVTALRM}
        bne   a0, t1, next
        ld    t2, ${INTERRUPTED_PC}(a2)
        sub   t2, t2, t0
        srai  t2, t2, 12
        addi  t3, zero, -1
        beq   t2, t3, return          # the handler itself: the piece has not begun
        ld    t2, ${TICKS}(t0)
        addi  t2, t2, 1
        sd    t2, ${TICKS}(t0)
        addi  t3, zero, ${PATIENCE}
        bgeu  t2, t3, next            # it does not end
return: jalr  zero, 0(ra)
next:   sd    zero, ${TICKS}(t0)
        ld    t1, ${CURSOR}(t0)
        ld    t2, 0(t1)
        bne   t2, zero, place
        addi  a0, zero, 0
        addi  a7, zero, 94            # exit_group
        ecall
place:${PLACE}
        sd    t1, ${CURSOR}(t0)
${Array.from({ length: 30 }, (_, i) => `        addi  x${i + 1}, zero, 0`).join("\n")}
        jalr  zero, 0(t6)
`;
