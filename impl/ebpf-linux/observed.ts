/** The guest's state after a case, from what the program around it found. */
import { EnvironmentFailure } from "../../refinement/errors.js";
import type { State } from "../../refinement/execute/state.js";
import { FileValue, type MemoryValue, type Value } from "../../refinement/terms/value.js";
import type { Guest } from "./cases.js";
import { CONTEXT, type Harness, REACHED, RETURNED, type Trial, WINDOW } from "./harness.js";
import { callerFrame, frameField, stackStart, windowStart } from "./inputs.js";
import type { Answer, Request } from "./runner.js";
import { accessOf, distanceOf, isExit, isLocalCall, isWide } from "./slots.js";
import type { TrapName } from "./verifier.js";

export interface Observed {
  readonly trial: Trial | undefined;
  readonly asked: Harness | undefined;
  readonly request: Request;
  readonly answer: Answer & { kind: "ran" };
}

/** Bytes of a stack frame: the distance of frame pointers, which the kernel does not show. */
const FRAME = 512n;

export function after(guest: Guest, observed: Observed, traps: ReadonlyMap<TrapName, bigint>): State {
  const { trial, asked, answer } = observed;
  if (trial === undefined || asked === undefined)
    throw new EnvironmentFailure("Linux", "loads a program whose control leaves it");
  const state = new Map<string, Value>(guest.state);
  const context = new BigUint64Array(answer.context.buffer);
  const word = (at: number): bigint => context[at] ?? 0n;
  const result = (i: number): bigint => word(CONTEXT.results + i);
  if (isExit(trial.slot)) {
    if (guest.depth === 0) {
      // Of the result, the kernel tells the lower half.
      const low = BigInt(answer.r0) | ((guest.r[0] ?? 0n) & ~0xffff_ffffn);
      state.set("r", new FileValue(guest.r.with(0, low)));
      state.set("trap", traps.get("exited") ?? 0n);
      state.delete("trap.value");
      return state;
    }
    requireReached(word(CONTEXT.reached), REACHED.next);
    const kept = [6, 7, 8, 9].map((i) => result(i));
    const frame = BigInt.asUintN(64, (guest.r[10] ?? 0n) + FRAME);
    // R1 to R5 are left open: zeros are what the definition is asked to choose.
    state.set("r", new FileValue([result(0), 0n, 0n, 0n, 0n, 0n, ...kept, frame]));
    state.set("depth", BigInt(guest.depth - 1));
    state.set("pc", frameField(guest, "return")?.get(callerFrame(guest)) ?? 0n);
    return state;
  }
  if (isLocalCall(trial.slot)) return afterCall(guest, observed, trial, state, result, word(CONTEXT.reached));

  const length = isWide(trial.slot) ? 16n : 8n;
  const taken = word(CONTEXT.reached) === BigInt(REACHED.taken);
  if (!taken) requireReached(word(CONTEXT.reached), REACHED.next);
  const distance = taken ? BigInt(distanceOf(trial.slot) ?? 0) : 0n;
  const goesOn = distanceOf(trial.slot) === 0 ? 0n : distance;
  state.set("pc", BigInt.asUintN(64, guest.pc + length + 8n * goesOn));

  // What the kernel knows by other addresses is told as what the guest knows it by.
  const base = accessOf(trial.slot)?.base;
  const pointers = new Map<bigint, bigint>([[word(CONTEXT.framePointer), guest.r[10] ?? 0n]]);
  if (asked.accessAt !== undefined && base !== undefined)
    pointers.set(BigInt.asUintN(64, word(CONTEXT.base)), guest.r[base] ?? 0n);
  const r = guest.r.map((value, i) => (i === 10 ? value : (pointers.get(result(i)) ?? result(i))));
  state.set("r", new FileValue(r));
  state.set("mem", memoryAfter(guest.memory, observed, trial, asked));
  return state;
}

function afterCall(
  guest: Guest,
  { answer }: Observed,
  trial: Trial,
  state: Map<string, Value>,
  result: (i: number) => bigint,
  reached: bigint,
): State {
  requireReached(reached, REACHED.next);
  if (result(0) !== BigInt(RETURNED))
    throw new EnvironmentFailure("Linux", "a function does not return what it should");
  const inCallee = new DataView(answer.window.buffer, WINDOW.seen);
  const passed = [0, 1, 2, 3, 4].map((i) => inCallee.getBigUint64(8 * i, true));
  // A callee cannot look at R0 and R6 to R9 before it sets them.
  const frame = BigInt.asUintN(64, (guest.r[10] ?? 0n) - FRAME);
  state.set("r", new FileValue([guest.r[0] ?? 0n, ...passed, ...guest.r.slice(6, 10), frame]));
  const at = BigInt(guest.depth % 8);
  const push = (name: string, value: bigint): void => {
    const file = frameField(guest, name);
    if (file !== undefined) state.set(`frames.${name}`, file.set(at, value));
  };
  push("return", BigInt.asUintN(64, guest.pc + 8n));
  for (const i of [6, 7, 8, 9]) push(`r${i}`, result(i));
  state.set("depth", BigInt(guest.depth + 1));
  state.set("pc", BigInt.asUintN(64, guest.pc + 8n + 8n * BigInt(trial.slot.imm)));
  return state;
}

function requireReached(found: bigint, expected: number): void {
  if (found !== BigInt(expected))
    throw new EnvironmentFailure("Linux", `a program went where it has no code: ${found} for ${expected}`);
}

function memoryAfter(memory: MemoryValue, { request, answer }: Observed, trial: Trial, asked: Harness): MemoryValue {
  let result = memory;
  const compare = (start: bigint, before: Uint8Array, now: Uint8Array): void => {
    now.forEach((byte, i) => {
      if (byte !== before[i]) result = result.storeBytes(BigInt.asUintN(64, start + BigInt(i)), Uint8Array.of(byte));
    });
  };
  const stack = (bytes: Uint8Array): Uint8Array => bytes.subarray(8 * CONTEXT.stack, 8 * CONTEXT.stack + 8);
  if (asked.stackAt !== undefined) compare(stackStart(trial, asked), stack(request.context), stack(answer.context));
  if (asked.accessAt !== undefined)
    compare(windowStart(trial, asked), request.window.subarray(0, WINDOW.seen), answer.window.subarray(0, WINDOW.seen));
  return result;
}
