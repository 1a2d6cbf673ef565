/** The guest's state in the context, as the abstraction of refinement.yaml reads it. */
import type { EngineMemory } from "../../../refinement/execute/engine.js";
import { CONTEXT, type Place } from "../context.js";
import { CONTEXT_ADDRESS } from "./layout.js";

export class Context {
  private readonly memory: EngineMemory;

  /** `memory` is the host's. */
  constructor(memory: EngineMemory) {
    this.memory = memory;
  }

  x(register: number): bigint {
    return register === 0 ? 0n : this.get(CONTEXT.x(BigInt(8 * register)), 8);
  }

  setX(register: number, value: bigint): void {
    this.set(CONTEXT.x(BigInt(8 * register)), 8, value);
  }

  get pc(): bigint {
    return this.get(CONTEXT.pc, 8);
  }
  set pc(value: bigint) {
    this.set(CONTEXT.pc, 8, value);
  }

  get interrupt(): boolean {
    return this.get(CONTEXT.interrupt, 4) !== 0n;
  }
  set interrupt(waits: boolean) {
    this.set(CONTEXT.interrupt, 4, waits ? 1n : 0n);
  }

  get reserved(): boolean {
    return this.get(CONTEXT.reserved, 1) !== 0n;
  }
  set reserved(valid: boolean) {
    this.set(CONTEXT.reserved, 1, valid ? 1n : 0n);
  }

  /** Without a reservation the place may hold anything. */
  get reservation(): bigint {
    return this.reserved ? this.get(CONTEXT.reservation, 8) : 0n;
  }
  set reservation(address: bigint) {
    this.set(CONTEXT.reservation, 8, address);
  }

  private get({ displacement }: Place, bytes: number): bigint {
    return this.memory.read(CONTEXT_ADDRESS + displacement, bytes);
  }

  private set({ displacement }: Place, bytes: number, value: bigint): void {
    this.memory.write(CONTEXT_ADDRESS + displacement, bytes, value);
  }
}
