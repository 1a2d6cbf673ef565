/**
 * One guest instruction carried out as its definition says, for what is not translated, and to find out what a fault of the host's means:
 * a trap of the guest's, with the values that it has, or a store that the host must not do by itself.
 */
import { InternalDefect } from "../../../refinement/errors.js";
import { stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Machine } from "../../../refinement/machine.js";
import { FileValue, MemoryValue } from "../../../refinement/terms/value.js";
import type { Context } from "./context.js";
import type { GuestMemory } from "./guest-memory.js";

/** A trap that is pending; undefined: the instruction has been carried out. */
export type Trap = { readonly code: bigint; readonly value: bigint } | undefined;

const REGISTERS = 32;

export class Interpreter {
  private readonly guest: Machine;
  private readonly context: Context;
  private readonly memory: GuestMemory;
  private readonly zero: State;

  constructor(guest: Machine, context: Context, memory: GuestMemory) {
    this.guest = guest;
    this.context = context;
    this.memory = memory;
    this.zero = zeroState(guest);
  }

  /** The guest's state without its memory's contents being copied. */
  state(): State {
    const { context, memory } = this;
    const x = Array.from({ length: REGISTERS }, (_, i) => context.x(i));
    return new Map([
      ...this.zero,
      ["pc", context.pc],
      ["x", new FileValue(x)],
      ["mem", MemoryValue.empty(64, memory.permissions, (address) => memory.readByte(address))],
      ["reservation.valid", context.reserved ? 1n : 0n],
      ["reservation.address", context.reservation],
    ]);
  }

  step(): Trap {
    const before = this.state();
    const after = stepAny(this.guest, before)?.state;
    if (after === undefined)
      throw new InternalDefect(`${this.guest.name} has no step at 0x${this.context.pc.toString(16)}`);
    const code = number(after, "trap");
    if (code !== 0n) return { code, value: number(after, "trap.value") };
    this.store(before, after);
    return undefined;
  }

  private store(before: State, after: State): void {
    const { context, memory } = this;
    context.pc = number(after, "pc");
    const [was, is] = [memoryIn(before), memoryIn(after)];
    for (const address of was.differences(is)) memory.writeByte(address, is.readByte(address));
    const x = after.get("x");
    if (!(x instanceof FileValue)) throw new InternalDefect("the guest's registers are no file");
    for (const [i, value] of x.elements.entries()) if (i > 0) context.setX(i, value);
    context.reserved = number(after, "reservation.valid") !== 0n;
    context.reservation = number(after, "reservation.address");
  }
}

function number(state: State, name: string): bigint {
  const value = state.get(name);
  if (typeof value !== "bigint") throw new InternalDefect(`the guest's state has no number \`${name}\``);
  return value;
}

function memoryIn(state: State): MemoryValue {
  const value = state.get("mem");
  if (!(value instanceof MemoryValue)) throw new InternalDefect("the guest's state has no memory");
  return value;
}
