/**
 * Translated blocks, where they stand, and how they are chained: an exit to a known address is overwritten by a jump into the block there,
 * which is taken back when that block is no longer what the guest's memory says.
 */
import type { AssembledExit } from "../code.js";
import { CACHE } from "./layout.js";

/** A block in the cache. */
export interface CachedBlock {
  /** Of the guest's, and the first address behind it. */
  readonly pc: bigint;
  readonly guestEnd: bigint;
  readonly entry: bigint;
  readonly end: bigint;
  /** Which guest instruction each host instruction that may fault belongs to. */
  readonly faults: ReadonlyMap<bigint, bigint>;
  /** Exits of other blocks that jump here. */
  readonly chains: Set<Chain>;
}

export interface CachedExit extends AssembledExit {
  readonly block: CachedBlock;
  /** How often it has been left by to the dispatcher. */
  taken: number;
}

/** A jump in place of an exit. */
export interface Chain {
  readonly site: bigint;
  /** What it has overwritten. */
  readonly bytes: Uint8Array;
}

/** The host's memory, as far as the cache writes to it. */
export interface Bytes {
  readByte(address: bigint): number;
  writeByte(address: bigint, byte: number): void;
}

/** An exit that has been taken so often is chained: the simulator compiles code anew that is written to. */
const OFTEN = 8;
/** Bytes of `jmp rel32`. */
const JUMP = 5;

export class CodeCache {
  private readonly memory: Bytes;
  private readonly byPc = new Map<bigint, CachedBlock>();
  /** In the order of their addresses, dropped ones too. */
  private blocks: CachedBlock[] = [];
  private exits: CachedExit[] = [];
  private next: bigint = CACHE.address;

  constructor(memory: Bytes) {
    this.memory = memory;
  }

  /** Where the next block begins, and which number its first exit has. */
  get origin(): bigint {
    return this.next;
  }
  get firstExit(): number {
    return this.exits.length;
  }

  /** How many blocks can be entered. */
  get size(): number {
    return this.byPc.size;
  }

  at(pc: bigint): CachedBlock | undefined {
    return this.byPc.get(pc);
  }

  exit(number: number): CachedExit | undefined {
    return this.exits[number];
  }

  /** The block whose code the host address lies in. */
  containing(host: bigint): CachedBlock | undefined {
    let [low, high] = [0, this.blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.blocks[middle]?.end ?? 0n) <= host) low = middle + 1;
      else high = middle;
    }
    const block = this.blocks[low];
    return block !== undefined && block.entry <= host ? block : undefined;
  }

  isFull(bytes: number): boolean {
    return this.next + BigInt(bytes) > CACHE.address + CACHE.size;
  }

  /** The code stands at `origin`, its exits are numbered from `firstExit` on. */
  add(block: CachedBlock, code: Uint8Array, exits: readonly AssembledExit[]): void {
    this.put(block.entry, code);
    this.next = block.end;
    this.blocks.push(block);
    this.byPc.set(block.pc, block);
    for (const exit of exits) this.exits.push({ ...exit, block, taken: 0 });
  }

  /** The exit, which knows where it leads, has been left by and `to` is the block there: soon it leads there at once. */
  follow(exit: CachedExit, to: CachedBlock): void {
    if (++exit.taken < OFTEN || !this.isCurrent(exit.block) || !this.isCurrent(to)) return;
    const { site } = exit;
    const bytes = Uint8Array.from({ length: JUMP }, (_, i) => this.memory.readByte(site + BigInt(i)));
    const jump = new DataView(new ArrayBuffer(JUMP));
    jump.setUint8(0, 0xe9);
    jump.setInt32(1, Number(to.entry - (site + BigInt(JUMP))), true);
    this.put(site, new Uint8Array(jump.buffer));
    to.chains.add({ site, bytes });
  }

  private isCurrent(block: CachedBlock): boolean {
    return this.byPc.get(block.pc) === block;
  }

  /** Forgets the blocks of which guest bytes from `first` up to `end` are a part. */
  invalidate(first: bigint, end: bigint): void {
    for (const block of this.byPc.values()) if (block.pc < end && block.guestEnd > first) this.drop(block);
  }

  clear(): void {
    this.byPc.clear();
    this.blocks = [];
    this.exits = [];
    this.next = CACHE.address;
  }

  /** The guest's pages that blocks stand on. */
  covers(first: bigint, end: bigint): boolean {
    for (const block of this.byPc.values()) if (block.pc < end && block.guestEnd > first) return true;
    return false;
  }

  private drop(block: CachedBlock): void {
    this.byPc.delete(block.pc);
    this.unchain(block);
  }

  /** Whoever jumps into the block leaves to the dispatcher again. */
  protected unchain(block: CachedBlock): void {
    for (const { site, bytes } of block.chains) this.put(site, bytes);
    block.chains.clear();
  }

  private put(address: bigint, bytes: Uint8Array): void {
    for (const [i, byte] of bytes.entries()) this.memory.writeByte(address + BigInt(i), byte);
  }
}
