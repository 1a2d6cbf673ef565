/**
 * A guest's state as cases have it, and whether the kernel can be asked about it. What it cannot be asked: it has no faults, since
 * it refuses programs that could cause them; it knows no addresses but its own; and what its verifier refuses on other grounds.
 */
import { InternalDefect } from "../../refinement/errors.js";
import type { State } from "../../refinement/execute/state.js";
import { FileValue, MemoryValue } from "../../refinement/terms/value.js";
import type { Finding } from "./findings.js";
import { fitsStack, harness } from "./harness.js";
import { isData } from "./layout.js";
import {
  accessOf,
  distanceOf,
  FRAME_POINTER,
  isCall,
  isExit,
  isLocalCall,
  isMaimedPacketAccess,
  isRefusedWide,
  isWide,
  operandsOf,
  readSlot,
  type Slot,
} from "./slots.js";

export interface Guest {
  readonly state: State;
  readonly pc: bigint;
  /** r0 … r10. */
  readonly r: readonly bigint[];
  readonly memory: MemoryValue;
  /** Callers of the function that runs. */
  readonly depth: number;
}

/** The frames that there are: Linux's MAX_CALL_FRAMES. */
const FRAMES = 8;

export function guestOf(state: State): Guest {
  const [pc, r, memory, depth] = ["pc", "r", "mem", "depth"].map((name) => state.get(name));
  if (
    typeof pc !== "bigint" ||
    !(r instanceof FileValue) ||
    !(memory instanceof MemoryValue) ||
    typeof depth !== "bigint"
  )
    throw new InternalDefect("a state of eBPF has pc, r, mem and depth");
  return { state, pc, r: r.elements, memory, depth: Number(depth) };
}

/** The slots of the instruction at pc; none where nothing can be fetched. */
export function wordsOf({ pc, memory }: Guest): readonly bigint[] {
  if (!memory.accessible("fetch", pc, 8)) return [];
  const word = memory.load(pc, 8);
  const second = BigInt.asUintN(64, pc + 8n);
  if (!isWide(readSlot(word))) return [word];
  return memory.accessible("fetch", second, 8) ? [word, memory.load(second, 8)] : [];
}

/** Slots of filler beyond which a program takes long to load. */
const NEAR = 300;
const FAR = 32_000;

/** `findings`: about their words the kernel need not be asked again. */
export function costOf(state: State, findings: readonly Finding[]): "cheap" | "dear" | "impossible" {
  const guest = guestOf(state);
  const [word, ...more] = wordsOf(guest);
  // Half of a wide instruction at the end of a program is none to the kernel, and half fetched to the definition.
  if (word === undefined) return guest.memory.accessible("fetch", guest.pc, 8) ? "impossible" : "cheap";
  const slot = readSlot(word);
  if (findings.some((f) => f.matches(slot))) return "impossible";
  const possible = isCall(slot)
    ? isCallPossible(guest, slot, [word, ...more])
    : isExit(slot)
      ? guest.depth < FRAMES
      : isAccessPossible(guest, slot) &&
        !operandsOf(slot).includes(FRAME_POINTER) &&
        distanceOf(slot) !== -1 &&
        !isMaimedPacketAccess(slot) &&
        !isRefusedWide(slot, more[0] ?? 0n);
  if (!possible) return "impossible";
  const distance = Math.abs(isLocalCall(slot) ? slot.imm : (distanceOf(slot) ?? 0));
  return distance < NEAR ? "cheap" : distance < FAR ? "dear" : "impossible";
}

function isAccessPossible({ r }: Guest, slot: Slot): boolean {
  const access = accessOf(slot);
  if (access === undefined) return true;
  const { base, bytes, atomic, sees } = access;
  if (base > FRAME_POINTER) return true; // no instruction at all
  const address = BigInt.asUintN(64, (r[base] ?? 0n) + BigInt(slot.offset));
  if (!isData(address, bytes) || (atomic && address % BigInt(bytes) !== 0n)) return false;
  // Where a base register's value counts as well, the guest's is not what the kernel has.
  if (sees.includes(base) || sees.includes(FRAME_POINTER)) return false;
  return base < FRAME_POINTER || fitsStack(slot.offset, bytes);
}

function isCallPossible({ depth }: Guest, slot: Slot, words: readonly bigint[]): boolean {
  if (!isLocalCall(slot)) return slot.src !== 0 && slot.src !== 2; // helpers do what they do
  if (slot.imm === 0 || slot.imm === -1 || Math.abs(slot.imm) >= FAR) return false;
  // A caller more is needed where the callee comes first.
  if (depth >= FRAMES || (slot.imm < 0 && depth === FRAMES - 1)) return false;
  return harness({ words, slot, address: undefined, depth }, 0) !== undefined;
}
