/**
 * The linear memory of an instance: a fixed part laid out at compile time, and pages of 4 KiB handed out above it.
 */
import { EnvironmentFailure } from "../errors.js";
import { PAGE_BITS } from "./layout.js";

const BLOCK = 65536;
const PAGE_SIZE = 2 ** PAGE_BITS;
const MAXIMUM = 65536;
/** Grown by at least so many blocks at a time. */
const STEP = 64;

export class Arena {
  readonly memory: WebAssembly.Memory;
  private top: number;
  private readonly free: number[] = [];
  private cachedView: DataView;
  private cachedBytes: Uint8Array;

  /** `fixed` bytes are the compiler's. */
  constructor(fixed: number) {
    this.memory = new WebAssembly.Memory({ initial: Arena.blocks(fixed), maximum: MAXIMUM });
    this.top = Math.ceil(fixed / PAGE_SIZE) * PAGE_SIZE;
    this.cachedView = new DataView(this.memory.buffer);
    this.cachedBytes = new Uint8Array(this.memory.buffer);
  }

  /** Blocks of 64 KiB that hold the fixed part. */
  static blocks(fixed: number): number {
    return Math.ceil(fixed / BLOCK) + 1;
  }

  view(): DataView {
    if (this.cachedView.buffer !== this.memory.buffer) this.cachedView = new DataView(this.memory.buffer);
    return this.cachedView;
  }

  bytes(): Uint8Array {
    if (this.cachedBytes.buffer !== this.memory.buffer) this.cachedBytes = new Uint8Array(this.memory.buffer);
    return this.cachedBytes;
  }

  /** The address of a page, contents undefined. */
  takePage(): number {
    const reused = this.free.pop();
    if (reused !== undefined) return reused;
    const pointer = this.top;
    if (pointer + PAGE_SIZE > this.memory.buffer.byteLength) this.grow();
    this.top += PAGE_SIZE;
    return pointer;
  }

  freePage(pointer: number): void {
    this.free.push(pointer);
  }

  private grow(): void {
    const blocks = this.memory.buffer.byteLength / BLOCK;
    const wanted = Math.min(Math.max(STEP, Math.ceil(blocks / 2)), MAXIMUM - blocks);
    try {
      if (wanted === 0) throw new RangeError("4 GiB are in use");
      this.memory.grow(wanted);
    } catch (error) {
      throw new EnvironmentFailure("WebAssembly memory", "no room for another page of simulated memory", {
        cause: error,
      });
    }
  }
}
