/** What a program around a case is given: registers in its context, memory in the window. */
import { FileValue } from "../../refinement/terms/value.js";
import type { Guest } from "./cases.js";
import { CONTEXT, type Harness, type Trial, WINDOW } from "./harness.js";
import { isExit } from "./slots.js";

/** The frame that the running function returns to, as the definition counts them. */
export function callerFrame({ depth }: Guest): bigint {
  return BigInt((depth + 7) % 8);
}

export function frameField(guest: Guest, name: string): FileValue | undefined {
  const value = guest.state.get(`frames.${name}`);
  return value instanceof FileValue ? value : undefined;
}

export function contextOf(guest: Guest, asked: { trial: Trial; asked: Harness } | undefined): Uint8Array {
  const words = new BigUint64Array(CONTEXT.words);
  guest.r.slice(0, 10).forEach((value, i) => {
    words[CONTEXT.registers + i] = value;
    words[CONTEXT.callee + i] = value;
  });
  if (asked !== undefined && isExit(asked.trial.slot) && guest.depth > 0) {
    for (const i of [6, 7, 8, 9])
      words[CONTEXT.registers + i] = frameField(guest, `r${i}`)?.get(callerFrame(guest)) ?? 0n;
  }
  const stack = asked === undefined ? undefined : stackBytes(guest, asked.trial, asked.asked);
  const bytes = new Uint8Array(words.buffer);
  if (stack !== undefined) bytes.set(stack, 8 * CONTEXT.stack);
  return bytes;
}

/** Guest address of the first byte that is seen of the stack, or of the window. */
export function stackStart({ address = 0n, slot }: Trial, { stackAt = 0 }: Harness): bigint {
  return BigInt.asUintN(64, address - BigInt(slot.offset - stackAt));
}
export function windowStart({ address = 0n }: Trial, { accessAt = 0 }: Harness): bigint {
  return BigInt.asUintN(64, address - BigInt(accessAt));
}

function stackBytes(guest: Guest, trial: Trial, asked: Harness): Uint8Array | undefined {
  return asked.stackAt === undefined ? undefined : bytesAt(guest, stackStart(trial, asked), 8);
}

export function windowOf(guest: Guest, trial: Trial, asked: Harness): Uint8Array {
  const window = new Uint8Array(WINDOW.size);
  if (asked.accessAt !== undefined) window.set(bytesAt(guest, windowStart(trial, asked), WINDOW.seen));
  return window;
}

function bytesAt({ memory }: Guest, start: bigint, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => memory.readByte(BigInt.asUintN(64, start + BigInt(i))));
}
