/** What only shows when blocks run one after another. */
import { Emitter } from "../emitter.js";
import { CodeCache } from "../runtime/code-cache.js";
import type { Faults } from "./fault.js";

/** Who jumps into a block goes on doing so when the guest's code there is another. */
class StaleChains extends CodeCache {
  protected override unchain(): void {}
}

/** What has been translated once is the guest's code for ever. */
class NeverStale extends CodeCache {
  override invalidate(): void {}
}

/** Of the bytes that are written, the block is looked for that begins with them. */
class FirstByteOnly extends CodeCache {
  override invalidate(first: bigint, end: bigint): void {
    const block = this.at(first);
    if (block !== undefined) super.invalidate(block.pc, end);
  }
}

/** Where an interrupt is taken the program counter has been left as it was: whoever came to the block has set it, it is thought. */
class CounterAsItWas extends Emitter {
  override exit(target: bigint, leaving: Parameters<Emitter["exit"]>[1] = {}): void {
    if (leaving.interrupt !== true) super.exit(target, leaving);
    else this.code.leave({ guest: target, interrupt: true, trap: undefined, value: undefined }, this.code.length);
  }
}

export const runtime: Faults = {
  "stale-chain": { CodeCache: StaleChains },
  "stale-block": { CodeCache: NeverStale },
  "invalidated-by-first-byte": { CodeCache: FirstByteOnly },
  "interrupted-in-chain": { Emitter: CounterAsItWas },
};
